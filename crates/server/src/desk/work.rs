//! One thing to look at, with all that whoever looks needs to know.

use engine::{Gate, Millis, SiteIx};
use report::Fold;
use runtime::WorkClaim;
use serde::Serialize;
use utoipa::ToSchema;

use crate::live::sites_covered;
use crate::verbs::{NoSubject, subject};

/// Sites shown of a thing that covers several.
const SITES: usize = 20;

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Work {
    /// Its name, as verbs take it.
    pub(crate) gate: String,
    /// Whether it still waits for somebody.
    pub(crate) open: bool,
    /// Whether the caller may approve it; if not, why.
    pub(crate) may_not: Option<String>,
    /// The step.
    pub(crate) step: String,
    /// Sites that it is about, some of them if there are many.
    pub(crate) sites: Vec<String>,
    /// Sites that it is about beside those.
    pub(crate) more_sites: u32,
    /// When it lapses.
    pub(crate) lapses: Option<String>,
    /// What has to be confirmed to pass it.
    pub(crate) checklist: Vec<String>,
    /// Where to look.
    pub(crate) links: Vec<Link>,
    /// What those said who have approved it already.
    pub(crate) said: Vec<Said>,
    /// Whose it is.
    pub(crate) with: Option<String>,
    /// Until when, if it is anybody's.
    pub(crate) until: Option<String>,
    /// Notes of those who had it before, the oldest first.
    pub(crate) notes: Vec<Said>,
}

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Link {
    /// What it is.
    pub(crate) what: String,
    /// The address.
    pub(crate) at: String,
}

/// Somebody's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Said {
    /// Who.
    pub(crate) who: String,
    /// When, if that is known.
    pub(crate) at: Option<String>,
    /// What.
    pub(crate) text: String,
}

/// Tells all that whoever looks needs to know.
///
/// # Errors
/// If there is no such approval step.
pub(crate) fn work(fold: &Fold, gate: &str, claims: &[WorkClaim], who: &str, now: Millis) -> Result<Work, NoSubject> {
    let run = fold.run();
    let gate = subject::gate(run, gate)?;
    let name = report::gate_word(run, gate);
    let request = run.request(gate);
    let (covered, all) = match gate {
        Gate::Unit(unit) => (run.covers(unit, SITES), sites_covered(run, unit)),
        Gate::Start | Gate::Batch(_) => (Vec::new(), 0),
    };
    let claim = claims.iter().find(|claim| claim.subject == name);
    let with = claim.and_then(|claim| claim.holder(now));
    let step = match gate {
        Gate::Unit(unit) => run.unit_at(unit).map(|(node, _)| run.plan().step(run.plan().node_at(node).0).name.clone()),
        Gate::Start | Gate::Batch(_) => None,
    };
    let said = fold.said_on(gate).into_iter();
    Ok(Work {
        open: request.is_some(),
        may_not: run.may_be_approved_by(gate, who).err().map(|why| report::plain(&why.to_string())),
        step: step.unwrap_or_default(),
        sites: covered.iter().map(|&site| run.plan().spec().sites.id(site).to_owned()).collect(),
        more_sites: all.saturating_sub(u32::try_from(covered.len()).unwrap_or(u32::MAX)),
        lapses: request.and_then(|request| request.due).map(report::stamp),
        checklist: run.checklist(gate).to_vec(),
        links: if let [site] = covered[..] { links(fold, site) } else { Vec::new() },
        said: said.map(|(who, text)| Said { who: who.to_owned(), at: None, text: report::plain(text) }).collect(),
        with: with.map(str::to_owned),
        until: claim.filter(|_| with.is_some()).map(|claim| report::stamp(claim.until)),
        notes: claim.map(notes).unwrap_or_default(),
        gate: name,
    })
}

/// Notes as people read them.
pub(crate) fn notes(claim: &WorkClaim) -> Vec<Said> {
    let note = |note: &runtime::ClaimNote| Said {
        who: note.who.clone(),
        at: Some(report::stamp(note.at)),
        text: report::plain(&note.text),
    };
    claim.notes.iter().map(note).collect()
}

/// Attributes of the site and outputs of its steps that are addresses.
fn links(fold: &Fold, site: SiteIx) -> Vec<Link> {
    let sites = &fold.plan().spec().sites;
    let texts = sites.columns.iter().filter_map(|column| match sites.value(column, site) {
        serde_json::Value::String(text) if report::is_link(&text) => {
            Some(Link { what: report::plain(&column.name), at: text })
        }
        _ => None,
    });
    let given = fold
        .links(site)
        .into_iter()
        .map(|(step, output, at)| Link { what: report::plain(&format!("{output} of {step}")), at: at.to_owned() });
    texts.chain(given).collect()
}
