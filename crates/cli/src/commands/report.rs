//! `report`: what a run did.

use std::path::Path;

use engine::{Plan, Run, Status};
use report::{Account, Fold, Incident, Past, Report, StatusTemplate};
use runtime::{Clock, Journal, RecoverError, SystemClock, Tail};

use crate::announce;
use crate::args::{ReportCommand, ReportFormat, Telling};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{files, out};

/// Reports on a run.
pub(crate) async fn report(args: &ReportCommand, json: bool) -> Result<Exit, Failure> {
    let journal = args.of.stored.store.open().await?;
    let fold = fold(&*journal, &args.of.name).await?;
    let account = account(&*journal, &args.of.name, fold.run()).await?;
    let report = fold.report(SystemClock.now()).bounded(account.as_ref());
    let form = if json { ReportFormat::Json } else { args.format };
    let color = args.output.is_none() && out::colored();
    let text = match form {
        ReportFormat::Text => report::render_text(&report, out::width(), color),
        ReportFormat::Json => report.to_json(),
        ReportFormat::Html => report::render_html(&report),
        ReportFormat::Junit => report::render_junit(&report),
        ReportFormat::Status | ReportFormat::StatusMd | ReportFormat::Statuspage => {
            status(form, &report, fold.plan(), &args.telling)?
        }
    };
    match &args.output {
        Some(path) => files::write(path, text.as_bytes())?,
        None => out::answer(&text),
    }
    Ok(Exit::Done)
}

/// Makes the status message of a run.
fn status(form: ReportFormat, report: &Report, plan: &Plan, telling: &Telling) -> Result<String, Failure> {
    let of_estate = announce::Announce::of_plan(plan)?.map(|announce| announce.incident).unwrap_or_default();
    let incident = Incident {
        name: telling.incident.clone().or(of_estate.name),
        what: telling.what.clone().or(of_estate.what),
        support: telling.support.clone().or(of_estate.support),
        components: if telling.component.is_empty() { of_estate.components } else { telling.component.clone() },
    };
    let template = telling.template.as_deref().map(template).transpose()?;
    let message = report::status_message(report, &incident);
    Ok(match form {
        ReportFormat::StatusMd => message.markdown(template.as_ref()),
        ReportFormat::Statuspage => format!("{:#}\n", message.statuspage(template.as_ref())),
        _ => message.text(template.as_ref()),
    })
}

fn template(path: &Path) -> Result<StatusTemplate, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::input("template-unreadable", format!("{}: {error}", path.display()), "name a file with text")
    })?;
    StatusTemplate::parse(&text)
        .map_err(|error| Failure::input(error.code(), format!("{}: {error}", path.display()), error.hint()))
}

/// Units up to which the time of a run is accounted for: it takes a second look at the journal, and another 60 bytes a unit.
const ACCOUNTED_MAX: u64 = 1_000_000;

/// Accounts for the time of a run from its journal; `None` for one that has not ended by itself, or is very large.
pub(crate) async fn account(journal: &dyn Journal, name: &str, run: &Run) -> Result<Option<Account>, Failure> {
    if !matches!(run.status(), Status::Ended(_)) || u64::from(run.plan().unit_count()) > ACCOUNTED_MAX {
        return Ok(None);
    }
    let mut past: Option<Past> = None;
    let mut fits = true;
    runtime::recover(journal, name, |run, record| {
        let past = past.get_or_insert_with(|| Past::new(run.plan().clone()));
        // An amended run goes on with another plan: no bound of the first holds for it.
        let amended = matches!(record.event, engine::Event::Amended { .. });
        fits = fits && !amended && past.push(record).is_ok();
    })
    .await?;
    Ok(past.filter(|_| fits).and_then(Past::account))
}

/// Folds a run's journal into the run and its timings; refuses one of which nothing is recorded.
pub(crate) async fn fold(journal: &dyn Journal, name: &str) -> Result<Fold, Failure> {
    let (mut fold, tail) = fold_all(journal, name).await?;
    if tail.groups() == 0 {
        return Err(Failure::input(
            "run-empty",
            format!("nothing of run {name} has been recorded yet"),
            format!("`reinstate resume {name}` starts it"),
        ));
    }
    fold.note_head(tail.link());
    Ok(fold)
}

/// Folds what there is of a run's journal, once: the fold has the run in it.
pub(crate) async fn fold_all(journal: &dyn Journal, name: &str) -> Result<(Fold, Tail), Failure> {
    let mut tail = Tail::open(journal, name).await?;
    let mut fold = Fold::new(tail.plan().clone()).named(name);
    loop {
        let groups = tail.read(journal).await?;
        if groups.is_empty() {
            return Ok((fold, tail));
        }
        for (seq, records) in groups {
            let unfit = |source| RecoverError::Record { run: name.to_owned(), seq, source };
            records.iter().try_for_each(|record| fold.push(record)).map_err(unfit)?;
        }
    }
}
