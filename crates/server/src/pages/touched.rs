//! What an act would touch, as the run stands: said before it is done.

use engine::{SiteEnd, SiteIx};
use report::Fold;

use crate::api::Problem;
use crate::app::App;
use crate::live::ended_as;
use crate::pages::acts::Act;
use crate::planning::view::no_return;
use crate::verbs::{VerbError, subject};

/// Sites listed by their IDs.
const LISTED: usize = 100;

/// Label and text of what an act touches.
pub(super) type Touches = Vec<(&'static str, String)>;

/// What an act would touch, and the names of the steps; refused if there is nothing of the subject's name.
pub(super) async fn touched(
    app: &App,
    name: &str,
    subject: &str,
    act: &'static Act,
) -> Result<(Touches, Vec<String>), Problem> {
    let mut watch = app.followers.watch(name).await?;
    let view = watch.fresh().await?;
    let steps = view.snapshot.steps.iter().map(|step| step.name.clone()).collect();
    let mut touches = vec![("run", format!("{name}, {}", view.snapshot.state.word.to_lowercase()))];
    if !act.subject {
        let sites = view.snapshot.sites;
        touches.push(match act.verb {
            "retry-quarantined" => ("quarantined sites", sites.quarantined.to_string()),
            _ => ("sites not back yet", (sites.under_way + sites.waiting).to_string()),
        });
        if act.undo {
            touches.extend(watch.ask(taken_back).await?);
        }
        return Ok((touches, steps));
    }
    if let Some(item) = view.snapshot.waits.items.iter().find(|item| item.subject == subject) {
        touches.push(("waits", item.fact.clone()));
        touches.push(("sites that it holds", item.sites.to_string()));
        touches.extend(item.more.iter().cloned());
    }
    let subject = subject.to_owned();
    touches.extend(watch.ask(move |fold| about(fold, &subject, act)).await??);
    Ok((touches, steps))
}

/// What goes with the run if what it did is taken back, and what stays all the same.
fn taken_back(fold: &Fold) -> Touches {
    let mut touches = Vec::new();
    for (end, label) in [
        (SiteEnd::Returned, "returned sites, gone again if it is taken back"),
        (SiteEnd::Degraded, "degraded sites, gone again if it is taken back"),
    ] {
        let (sites, all) = ended_as(fold.run(), end, LISTED);
        touches.push((label, listed(fold, &sites, all)));
    }
    touches.push(("steps that cannot be taken back", for_good(fold)));
    touches
}

fn listed(fold: &Fold, sites: &[SiteIx], all: usize) -> String {
    if all == 0 {
        return "none".to_owned();
    }
    let ids: Vec<String> = sites.iter().map(|site| report::plain(fold.plan().spec().sites.id(*site))).collect();
    let more = if all > ids.len() { format!(" and {} more", all - ids.len()) } else { String::new() };
    format!("{all}: {}{more}", ids.join(", "))
}

fn for_good(fold: &Fold) -> String {
    let steps: Vec<String> = no_return(fold.plan()).into_iter().map(report::plain).collect();
    if steps.is_empty() { "none".to_owned() } else { steps.join(", ") }
}

/// What is known of the subject.
fn about(fold: &Fold, subject: &str, act: &Act) -> Result<Touches, VerbError> {
    let run = fold.run();
    if let Ok(site) = subject::site(run, subject) {
        let view = report::site_view(run, site);
        let mut touches = vec![
            ("site", subject.to_owned()),
            ("state", view.state.to_owned()),
            ("steps settled", format!("{} of {}", view.settled, view.of)),
        ];
        if act.verb == "undo" {
            touches.push(("steps that cannot be taken back", for_good(fold)));
        }
        return Ok(touches);
    }
    Ok(match act.verb {
        "approve" | "reject" | "pass" | "fail" => subject::gate(run, subject).map(|_| Vec::new())?,
        "pool" => subject::pool(run, subject).map(|_| Vec::new())?,
        _ => subject::node(run, subject).map(|_| Vec::new())?,
    })
}
