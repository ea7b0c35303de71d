//! The tables of the text report.

use crate::escape::plain;
use crate::report::{MomentKind, Report};
use crate::text::ink::{Cell, Ink, Page};
use crate::text::ms;

/// Batches and moments shown; the rest is counted.
const SHOWN: usize = 40;

fn time(seconds: Option<f64>) -> Cell {
    seconds.map_or_else(|| Cell::inked("·", Ink::Faint), |seconds| Cell::new(ms(seconds)))
}

pub(super) fn batches(page: &mut Page, report: &Report) {
    if report.batches.is_empty() {
        return;
    }
    page.heading("Batches");
    let rows: Vec<Vec<Cell>> = report
        .batches
        .iter()
        .take(SHOWN)
        .map(|batch| {
            let state = match (&batch.opened, &batch.settled) {
                (None, _) => "not open",
                (Some(_), None) => "open",
                (Some(_), Some(_)) => "settled",
            };
            let failures = format!("{} of {}", batch.failures, batch.budget);
            vec![
                Cell::new(format!("{} {state}", batch.number)),
                Cell::new(batch.sites.to_string()),
                Cell::number(u64::from(batch.back), Some(Ink::Good)),
                if batch.over_budget { Cell::inked(failures, Ink::Bad) } else { Cell::new(failures) },
                time(batch.wall_s),
                batch
                    .sites_per_hour
                    .map_or_else(|| Cell::inked("·", Ink::Faint), |rate| Cell::new(format!("{rate:.0}"))),
                time(batch.opened_after_s),
            ]
        })
        .collect();
    page.table(&["batch", "sites", "back", "failures", "took", "sites/h", "opened after"], &rows);
    more(page, report.batches.len(), "batches");
}

pub(super) fn steps(page: &mut Page, report: &Report) {
    if report.steps.is_empty() {
        return;
    }
    page.heading("Steps");
    let rows: Vec<Vec<Cell>> = report
        .steps
        .iter()
        .map(|step| {
            let units = step.units;
            let left = units.total - units.settled();
            vec![
                Cell::new(plain(&step.name)),
                Cell::new(plain(&step.scope)),
                Cell::number(units.succeeded, None),
                Cell::number(units.failed, Some(Ink::Bad)),
                Cell::number(units.degraded, Some(Ink::Warn)),
                Cell::number(left, Some(Ink::Strong)),
                time(step.p50_s),
                time(step.p95_s),
                Cell::number(step.retries, Some(Ink::Warn)),
                time(step.wait_p50_s),
                time(step.max_s),
                Cell::number(units.skipped, None),
                Cell::number(units.cancelled, None),
            ]
        })
        .collect();
    let header = [
        "step",
        "scope",
        "done",
        "failed",
        "degraded",
        "left",
        "p50",
        "p95",
        "retries",
        "wait p50",
        "max",
        "skipped",
        "cancelled",
    ];
    // Columns without a number in any row say nothing.
    let silent: Vec<bool> = (0..header.len())
        .map(|column| {
            let quiet = |units: fn(&crate::report::StepReport) -> u64| report.steps.iter().all(|step| units(step) == 0);
            match column {
                3 => quiet(|step| step.units.failed),
                4 => quiet(|step| step.units.degraded),
                5 => quiet(|step| step.units.total - step.units.settled()),
                8 => quiet(|step| step.retries),
                11 => quiet(|step| step.units.skipped),
                12 => quiet(|step| step.units.cancelled),
                _ => false,
            }
        })
        .collect();
    let keep = |column: &usize| !silent[*column];
    let header: Vec<&str> = (0..header.len()).filter(keep).map(|column| header[column]).collect();
    let rows: Vec<Vec<Cell>> =
        rows.into_iter().map(|row| (0..row.len()).filter(keep).map(|column| row[column].clone()).collect()).collect();
    page.table(&header, &rows);
}

pub(super) fn pools(page: &mut Page, report: &Report) {
    if report.pools.is_empty() {
        return;
    }
    page.heading("Pools");
    let rows: Vec<Vec<Cell>> = report
        .pools
        .iter()
        .map(|pool| {
            let per = pool.per.as_ref().map(|per| format!(" per {}", plain(per))).unwrap_or_default();
            let slots = pool.slots.map_or_else(|| "no limit".to_owned(), |slots| slots.to_string());
            vec![
                Cell::new(format!("{}{per}", plain(&pool.name))),
                Cell::new(pool.instances.to_string()),
                Cell::new(slots),
                pool.busy_share
                    .map_or_else(|| Cell::inked("·", Ink::Faint), |share| Cell::new(format!("{:.0} %", share * 100.0))),
                Cell::number(pool.in_use, None),
            ]
        })
        .collect();
    page.table(&["pool", "instances", "slots each", "busy", "in use"], &rows);
}

/// What people did and what happened to the run; batches have their own table.
pub(super) fn moments(page: &mut Page, report: &Report) {
    let told: Vec<_> = report
        .timeline
        .iter()
        .filter(|moment| !matches!(moment.kind, MomentKind::BatchOpened | MomentKind::BatchSettled | MomentKind::Ended))
        .collect();
    if told.is_empty() {
        return;
    }
    page.heading("What happened to the run");
    for moment in told.iter().take(SHOWN) {
        page.paragraph(2, 4, None, &format!("after {}: {}", ms(moment.after_s), plain(&moment.text)));
    }
    more(page, told.len(), "moments");
}

fn more(page: &mut Page, len: usize, what: &str) {
    if len > SHOWN {
        let text = format!("and {} more {what}; the JSON report has all", len - SHOWN);
        page.paragraph(2, 4, Some(Ink::Faint), &text);
    }
}
