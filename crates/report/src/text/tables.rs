//! The tables of the text report.

use crate::escape::plain;
use crate::report::{MomentKind, Report, StepReport};
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

/// The steps that sites wait for, and apart from them those of `finally`.
pub(super) fn steps(page: &mut Page, report: &Report) {
    let (finally, work): (Vec<_>, Vec<_>) = report.steps.iter().partition(|step| step.finally);
    for (title, steps) in [("Steps", work), ("`finally`, which no site waits for", finally)] {
        if !steps.is_empty() {
            page.heading(title);
            steps_table(page, &steps);
        }
    }
}

/// A number of a step's row, with what it means if it is not zero.
type Count = (&'static str, Option<Ink>, fn(&StepReport) -> u64);

/// Columns that are shown only if some row has a number in them.
const COUNTS: [Count; 12] = [
    ("failed", Some(Ink::Bad), |step| step.units.failed),
    ("degraded", Some(Ink::Warn), |step| step.units.degraded),
    ("left", Some(Ink::Strong), |step| step.units.total - step.units.settled()),
    ("asked", Some(Ink::Warn), |step| step.units.asked),
    ("undone", Some(Ink::Warn), |step| step.units.undone),
    ("stays", Some(Ink::Bad), |step| step.units.stays),
    ("undoing", Some(Ink::Warn), |step| step.units.undoing),
    ("retries", Some(Ink::Warn), |step| step.retries),
    ("undo tries", Some(Ink::Warn), |step| step.undo.as_ref().map_or(0, |undo| undo.attempts)),
    ("refused undo", Some(Ink::Bad), |step| step.undo.as_ref().map_or(0, |undo| undo.refused)),
    ("skipped", None, |step| step.units.skipped),
    ("cancelled", None, |step| step.units.cancelled),
];
/// Of these, the ones before the median and the ones before the wait.
const BEFORE: (usize, usize) = (7, 8);

fn steps_table(page: &mut Page, steps: &[&StepReport]) {
    let told = |range: &[Count]| -> Vec<Count> {
        range.iter().filter(|(_, _, count)| steps.iter().any(|step| count(step) > 0)).copied().collect()
    };
    let (before, between, after) =
        (told(&COUNTS[..BEFORE.0]), told(&COUNTS[BEFORE.0..BEFORE.1]), told(&COUNTS[BEFORE.1..]));
    let titles = |counts: &[Count]| counts.iter().map(|(title, _, _)| *title).collect::<Vec<_>>();
    let mut header = vec!["step", "scope", "done"];
    header.extend(titles(&before));
    header.extend(["p50", "p95"]);
    header.extend(titles(&between));
    header.extend(["wait p50", "max"]);
    header.extend(titles(&after));
    let rows: Vec<Vec<Cell>> = steps
        .iter()
        .map(|step| {
            let number = |(_, ink, count): &Count| Cell::number(count(step), *ink);
            let mut row = vec![
                Cell::new(plain(&step.name)),
                Cell::new(plain(&step.scope)),
                Cell::number(step.units.succeeded, None),
            ];
            row.extend(before.iter().map(number));
            row.extend([time(step.p50_s), time(step.p95_s)]);
            row.extend(between.iter().map(number));
            row.extend([time(step.wait_p50_s), time(step.max_s)]);
            row.extend(after.iter().map(number));
            row
        })
        .collect();
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
            let shared = if pool.shared { ", shared between runs" } else { "" };
            let per = pool.per.as_ref().map(|per| format!(" per {}", plain(per))).unwrap_or_default();
            let slots = pool.slots.map_or_else(|| "no limit".to_owned(), |slots| slots.to_string());
            vec![
                Cell::new(format!("{}{per}{shared}", plain(&pool.name))),
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

/// What happened to the run as a whole; batches, approvals and what people did have their own places.
pub(super) fn moments(page: &mut Page, report: &Report) {
    let told: Vec<_> = report
        .timeline
        .iter()
        .filter(|moment| {
            let batch = matches!(moment.kind, MomentKind::BatchOpened | MomentKind::BatchSettled | MomentKind::Ended);
            !batch && !moment.kind.is_act() && (!moment.kind.is_decision() || moment.kind == MomentKind::Lapsed)
        })
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
