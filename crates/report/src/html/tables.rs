//! The tables and lists of the page.

use std::fmt::Write as _;

use crate::duration::count;
use crate::escape::Xml;
use crate::report::{Report, SiteReport, StepReport, alike};
use crate::text::ms;

/// Rows of the long tables that are shown; the rest is stated.
pub(super) const ROWS: usize = 2000;
/// Causes and cards shown of each kind.
pub(super) const CARDS: usize = 50;
/// Units named of those that wait for the same reason.
const EXAMPLES: usize = 5;

/// A place without the folder of its file, for narrow columns; the title has all.
fn without_folder(place: &str) -> &str {
    place.rsplit('/').next().unwrap_or(place)
}

/// A number of a step's row.
type Count = fn(&StepReport) -> u64;

fn number(html: &mut String, number: u64, class: &str) {
    let class = if number == 0 { "zero" } else { class };
    let _ = write!(html, "<td class=\"{class}\">{number}</td>");
}

fn time(html: &mut String, seconds: Option<f64>) {
    match seconds {
        Some(seconds) => {
            let _ = write!(html, "<td>{}</td>", Xml(ms(seconds)));
        }
        None => html.push_str("<td class=\"zero\">–</td>"),
    }
}

/// Opens a table; titles that start with `<` stand to the left, as their cells do.
pub(super) fn open(html: &mut String, header: &[&str]) {
    html.push_str("<div class=\"scroll\"><table><thead><tr>");
    for title in header {
        let _ = match title.strip_prefix('<') {
            Some(title) => write!(html, "<th class=\"left\">{title}</th>"),
            None => write!(html, "<th>{title}</th>"),
        };
    }
    html.push_str("</tr></thead><tbody>");
}

pub(super) fn close(html: &mut String, len: usize, what: &str) {
    html.push_str("</tbody></table></div>");
    if len > ROWS {
        let _ = write!(html, "<p class=\"key\">and {} more {what}; the JSON report has all {len}.</p>", len - ROWS);
    }
}

pub(super) fn batches(html: &mut String, report: &Report) {
    open(html, &["batch", "state", "sites", "back", "failures", "budget", "opened after", "took", "sites per hour"]);
    for batch in report.batches.iter().take(ROWS) {
        let state = match (&batch.opened, &batch.settled) {
            (None, _) => "not open",
            (Some(_), None) => "open",
            (Some(_), Some(_)) => "settled",
        };
        let _ = write!(html, "<tr><td>{}</td><td>{state}</td><td>{}</td>", batch.number, batch.sites);
        number(html, u64::from(batch.back), "good");
        number(html, u64::from(batch.failures), if batch.over_budget { "bad" } else { "warn" });
        let _ = write!(html, "<td>{}</td>", batch.budget);
        time(html, batch.opened_after_s);
        time(html, batch.wall_s);
        match batch.sites_per_hour {
            Some(rate) => {
                let _ = write!(html, "<td>{rate:.0}</td></tr>");
            }
            None => html.push_str("<td class=\"zero\">–</td></tr>"),
        }
    }
    close(html, report.batches.len(), "batches");
}

/// The steps that sites wait for, or those of `finally`.
pub(super) fn steps(html: &mut String, report: &Report, finally: bool) {
    let steps: Vec<&StepReport> = report.steps.iter().filter(|step| step.finally == finally).collect();
    let counts: [(&str, &str, Count); 13] = [
        ("failed", "bad", |step| step.units.failed),
        ("degraded", "warn", |step| step.units.degraded),
        ("left", "info", |step| step.units.total - step.units.settled()),
        ("asked", "warn", |step| step.units.asked),
        ("undone", "warn", |step| step.units.undone),
        ("stays", "bad", |step| step.units.stays),
        ("undoing", "warn", |step| step.units.undoing),
        ("skipped", "", |step| step.units.skipped),
        ("cancelled", "", |step| step.units.cancelled),
        ("attempts", "", |step| step.attempts),
        ("retries", "warn", |step| step.retries),
        ("undo tries", "warn", |step| step.undo.as_ref().map_or(0, |undo| undo.attempts)),
        ("refused undo", "bad", |step| step.undo.as_ref().map_or(0, |undo| undo.refused)),
    ];
    // Columns without a number in any row say nothing.
    let told: Vec<_> = counts.into_iter().filter(|(_, _, count)| steps.iter().any(|step| count(step) > 0)).collect();
    let mut header = vec!["step", "scope", "done"];
    header.extend(told.iter().map(|(title, _, _)| *title));
    header.extend(["p50", "p95", "max", "wait p50", "line"]);
    open(html, &header);
    for step in steps.iter().take(ROWS) {
        let _ = write!(
            html,
            "<tr><td title=\"{}\">{}</td><td>{}</td><td>{}</td>",
            Xml(&step.uses),
            Xml(&step.name),
            Xml(&step.scope),
            step.units.succeeded
        );
        for (_, class, count) in &told {
            number(html, count(step), class);
        }
        for seconds in [step.p50_s, step.p95_s, step.max_s, step.wait_p50_s] {
            time(html, seconds);
        }
        let line = step.place.rsplit(':').nth(1).unwrap_or_default();
        let _ = write!(html, "<td title=\"{}\">{}</td></tr>", Xml(&step.place), Xml(line));
    }
    close(html, steps.len(), "steps");
}

pub(super) fn pools(html: &mut String, report: &Report) {
    open(html, &["pool", "per", "instances", "slots each", "busy", "in use"]);
    for pool in report.pools.iter().take(ROWS) {
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>",
            Xml(format!("{}{}", pool.name, if pool.shared { ", shared between runs" } else { "" })),
            Xml(pool.per.as_deref().unwrap_or("–")),
            pool.instances,
            pool.slots.map_or_else(|| "no limit".to_owned(), |slots| slots.to_string()),
            pool.busy_share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0)),
        );
        number(html, pool.in_use, "info");
        html.push_str("</tr>");
    }
    close(html, report.pools.len(), "pools");
}

/// What needs a person: waiting units, causes, shared failures.
pub(super) fn cards(html: &mut String, report: &Report) {
    let waiting = alike(&report.waiting_for_operator);
    for group in waiting.iter().take(CARDS) {
        let Some(unit) = group.first() else { continue };
        let wait = if group.len() == 1 { "is" } else { "are" };
        let head = format!(
            "{} of step {} {wait} {}{}: you must rule",
            count(group.len() as u64, "unit", "units"),
            unit.step,
            unit.state,
            if unit.undo { " while being taken back" } else { "" }
        );
        let names: Vec<&str> = group.iter().take(EXAMPLES).map(|unit| unit.unit.as_str()).collect();
        let more = group.len().saturating_sub(EXAMPLES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let tail = format!("{}{more}", names.join("  "));
        card(html, "warn", &head, &unit.code, &unit.message, &unit.hint, &unit.place, &tail);
    }
    rest(html, waiting.len(), "kinds of waiting units");
    for cause in report.causes.iter().take(CARDS) {
        let at = if cause.step.is_empty() { String::new() } else { format!(" at step {}", cause.step) };
        let noun = if cause.sites == 1 { "site" } else { "sites" };
        let head = format!("{} {noun} {}{at}", cause.sites, cause.state.replace('_', " "));
        let more = cause.sites as usize - cause.examples.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let class = if cause.state == "quarantined" { "bad" } else { "warn" };
        let tail = format!("{}{more}", cause.examples.join("  "));
        card(html, class, &head, &cause.code, &cause.message, &cause.hint, &cause.place, &tail);
    }
    rest(html, report.causes.len(), "causes");
    for failure in report.shared_failures.iter().take(CARDS) {
        let head = format!("shared unit {} {}", failure.unit, failure.state);
        let class = if failure.state == "failed" { "bad" } else { "warn" };
        let tail = format!("{} attempts, covers {} sites", failure.attempts, failure.sites);
        card(html, class, &head, &failure.code, &failure.message, &failure.hint, &failure.place, &tail);
    }
    rest(html, report.shared_failures.len(), "shared units");
}

pub(super) fn rest(html: &mut String, len: usize, what: &str) {
    if len > CARDS {
        let _ = write!(html, "<p class=\"key\">and {} more {what}; the JSON report has all.</p>", len - CARDS);
    }
}

#[expect(clippy::too_many_arguments, reason = "one card, one line each")]
pub(super) fn card(
    html: &mut String,
    class: &str,
    head: &str,
    code: &str,
    fact: &str,
    hint: &str,
    place: &str,
    tail: &str,
) {
    let _ = write!(html, "<article class=\"card {class}\"><h3>{}</h3><p>", Xml(head));
    if !code.is_empty() {
        let _ = write!(html, "<code>{}</code> ", Xml(code));
    }
    let _ = write!(html, "{}</p><p class=\"dim\">", Xml(fact));
    if !place.is_empty() {
        let _ = write!(html, "<code>{}</code> · ", Xml(place));
    }
    let _ = write!(html, "{}</p>", Xml(tail));
    if !hint.is_empty() {
        let _ = write!(html, "<p class=\"hint\"><b>hint</b> {}</p>", Xml(hint));
    }
    html.push_str("</article>");
}

pub(super) fn exceptions(html: &mut String, report: &Report) {
    open(html, &["site", "<state", "<step", "<what", "attempts", "batch", "row", "<place"]);
    for exception in report.exceptions.iter().take(ROWS) {
        let class = if exception.state == "quarantined" { "bad" } else { "warn" };
        let doubt = if exception.in_doubt { "; in doubt" } else { "" };
        let back = if exception.was_back { "; was back before" } else { "" };
        let more = match exception.more {
            0 => String::new(),
            more => format!("; {}", count(u64::from(more), "more failed unit", "more failed units")),
        };
        let _ = write!(
            html,
            "<tr><td><code>{}</code></td><td class=\"{class} left\">{}</td><td class=\"left\" title=\"{}\">{}</td>\
             <td class=\"wrap\"><code>{}</code> {}{doubt}{back}{more}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td class=\"left\" title=\"{place}\"><code>{}</code></td></tr>",
            Xml(&exception.site),
            Xml(exception.state.replace('_', " ")),
            Xml(&exception.unit),
            Xml(&exception.step),
            Xml(&exception.code),
            Xml(&exception.message),
            exception.attempts,
            exception.batch,
            exception.row,
            Xml(without_folder(&exception.place)),
            place = Xml(&exception.place),
        );
    }
    close(html, report.exceptions.len(), "exceptions");
}

pub(super) fn sites(html: &mut String, report: &Report) {
    let noted = |site: &SiteReport| !site.note().is_empty();
    let notes = report.sites.iter().any(noted);
    let mut header = vec!["site", "row", "batch", "state", "back after", "data loss"];
    header.extend(notes.then_some("<note"));
    open(html, &header);
    for site in report.sites.iter().take(ROWS) {
        let class = match site.state {
            "returned" if site.overruled.is_empty() => "good",
            "quarantined" => "bad",
            "returned" | "degraded" | "undone" | "excluded" | "released" | "undoing" => "warn",
            _ => "info",
        };
        let batch = site.batch.map_or_else(|| "–".to_owned(), |batch| batch.to_string());
        let _ = write!(
            html,
            "<tr><td><code>{}</code></td><td>{}</td><td>{batch}</td><td class=\"{class}\">{}</td>",
            Xml(&site.id),
            site.row,
            site.state
        );
        time(html, site.back_after_s);
        time(html, site.data_loss_s);
        if notes {
            let _ = write!(html, "<td class=\"wrap\">{}</td>", Xml(site.note()));
        }
        html.push_str("</tr>");
    }
    close(html, report.sites.len(), "sites");
}

pub(super) fn moments(html: &mut String, report: &Report) {
    html.push_str("<div class=\"card\"><ol class=\"moments\">");
    for moment in report.timeline.iter().take(ROWS) {
        let _ = write!(
            html,
            "<li><span class=\"when\" title=\"{}\">{}</span><span>{}</span></li>",
            Xml(&moment.at),
            Xml(ms(moment.after_s)),
            Xml(&moment.text)
        );
    }
    html.push_str("</ol></div>");
    let len = report.timeline.len();
    let dropped = report.timeline_dropped + len.saturating_sub(ROWS) as u64;
    if dropped > 0 {
        let _ = write!(html, "<p class=\"key\">and {dropped} more.</p>");
    }
}
