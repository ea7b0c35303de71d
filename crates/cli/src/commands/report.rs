//! `report`: what a run did.

use report::Fold;
use runtime::{Clock, Journal, SystemClock};

use crate::args::{ReportCommand, ReportFormat};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{files, out};

/// Reports on a run.
pub(crate) async fn report(args: &ReportCommand, json: bool) -> Result<Exit, Failure> {
    let journal = store::open(&args.of.stored.store).await?;
    let report = fold(&*journal, &args.of.name).await?.report(SystemClock.now());
    let form = if json { ReportFormat::Json } else { args.format };
    let color = args.output.is_none() && out::colored();
    let text = match form {
        ReportFormat::Text => report::render_text(&report, out::width(), color),
        ReportFormat::Json => report.to_json(),
        ReportFormat::Html => report::render_html(&report),
        ReportFormat::Junit => report::render_junit(&report),
    };
    match &args.output {
        Some(path) => files::write(path, text.as_bytes())?,
        None => out::answer(&text),
    }
    Ok(Exit::Done)
}

/// Folds a run's journal into the run and its timings.
pub(crate) async fn fold(journal: &dyn Journal, name: &str) -> Result<Fold, Failure> {
    let mut fold: Option<Fold> = None;
    let mut misfit = None;
    runtime::recover(journal, name, |run, record| {
        let fold = fold.get_or_insert_with(|| Fold::new(run.plan().clone()).named(name));
        if let Err(error) = fold.push(record) {
            misfit = Some(error);
        }
    })
    .await?;
    match (fold, misfit) {
        (Some(fold), None) => Ok(fold),
        (_, Some(error)) => Err(Failure::trouble("report-fold", &error, "report this defect")),
        (None, None) => Err(Failure::input(
            "run-empty",
            format!("nothing of run {name} has been recorded yet"),
            format!("`reinstate resume {name}` starts it"),
        )),
    }
}
