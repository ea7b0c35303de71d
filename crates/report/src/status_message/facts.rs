//! The values of a status message by name.

use std::collections::BTreeMap;

use crate::duration::{count, readable, span};
use crate::escape::plain;
use crate::report::{Objective, Report, Verdict};
use crate::status_message::{Incident, forecast, timeline};

/// Names that a template may use.
pub const STATUS_NAMES: &[&str] = &[
    "affected",
    "as_of",
    "back",
    "confidence",
    "data_loss",
    "degraded",
    "forecast",
    "given",
    "headline",
    "markdown",
    "name",
    "not_back",
    "percent",
    "returned",
    "run",
    "started",
    "support",
    "text",
    "timeline",
    "what",
];

pub(super) fn facts(report: &Report, incident: &Incident) -> BTreeMap<&'static str, String> {
    let sites = report.sites_by_state;
    let own = |text: &Option<String>, default: &str| {
        text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map_or_else(|| default.to_owned(), line_wise)
    };
    BTreeMap::from([
        ("name", own(&incident.name, "Sites are not available")),
        ("what", own(&incident.what, "Sites of customers are not available. They are being put back.")),
        ("support", own(&incident.support, "The usual ways of reaching support are open.")),
        ("run", plain(&report.run)),
        ("as_of", readable(&report.as_of)),
        ("started", report.opened.as_deref().map_or_else(|| "not yet".to_owned(), readable)),
        ("given", sites.given.to_string()),
        ("returned", sites.returned.to_string()),
        ("degraded", sites.degraded.to_string()),
        ("not_back", sites.not_back().to_string()),
        ("percent", percent(sites.returned, sites.given)),
        ("headline", headline(report)),
        ("affected", affected(report)),
        ("back", back(report)),
        ("timeline", timeline::lines(report).iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n")),
        ("forecast", forecast::words(report)),
        ("confidence", forecast::confidence(report)),
        ("data_loss", data_loss(report)),
    ])
}

/// What the user wrote, without what could move a cursor; its lines stay lines.
fn line_wise(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// A share in percent, rounded down to a tenth: never 100 before the last one.
pub(super) fn percent(part: u32, whole: u32) -> String {
    if whole == 0 {
        return "not applicable".to_owned();
    }
    let tenths = u64::from(part) * 1_000 / u64::from(whole);
    if tenths.is_multiple_of(10) { format!("{} %", tenths / 10) } else { format!("{}.{} %", tenths / 10, tenths % 10) }
}

fn sites(number: u32) -> String {
    count(u64::from(number), "site", "sites")
}

fn headline(report: &Report) -> String {
    let tally = report.sites_by_state;
    let so_far = format!(
        "{} of {} back and checked ({})",
        tally.returned,
        sites(tally.given),
        percent(tally.returned, tally.given)
    );
    let state = match report.verdict {
        Verdict::New => "Not started yet",
        Verdict::Running => "Under way",
        Verdict::Paused => "Paused",
        Verdict::Aborting | Verdict::Cancelling => "Being stopped",
        Verdict::Unwinding => "Being taken back",
        Verdict::Closing => "Last work",
        Verdict::Succeeded => "Done",
        Verdict::SucceededWithExceptions => "Ended, not all is well",
        Verdict::Failed => "Ended without success",
        Verdict::Cancelled => "Stopped before the end",
    };
    format!("{state}: {so_far}")
}

fn affected(report: &Report) -> String {
    let tally = report.sites_by_state;
    match tally.not_back() {
        0 if tally.given == 0 => "No site is known to be affected.".to_owned(),
        0 => format!("{} were affected; none of them is away any more.", sites(tally.given)),
        away if away == tally.given => format!("{} are affected. All of them are away.", sites(tally.given)),
        away => format!("{} are affected. {} of them are still away.", sites(tally.given), away),
    }
}

/// How many are back, and, each by its own name, how many are not and why.
fn back(report: &Report) -> String {
    let tally = report.sites_by_state;
    let over = report.verdict.is_over();
    let mut lines = vec![format!(
        "{} of {} are back and checked: {}.",
        tally.returned,
        sites(tally.given),
        percent(tally.returned, tally.given)
    )];
    let mut say = |number: u32, one: &str, many: &str| {
        if number > 0 {
            lines.push(format!("{} {}.", sites(number), if number == 1 { one } else { many }));
        }
    };
    say(tally.degraded, "is back with parts missing", "are back with parts missing");
    say(
        tally.restoring,
        if over { "was left unfinished" } else { "is being worked on" },
        if over { "were left unfinished" } else { "are being worked on" },
    );
    say(
        tally.waiting,
        if over { "was not begun" } else { "waits its turn" },
        if over { "were not begun" } else { "wait their turn" },
    );
    say(
        tally.quarantined,
        "is not back: something failed, and people are needed",
        "are not back: something failed, and people are needed",
    );
    say(
        tally.undoing,
        "is not back: what was done is being taken back",
        "are not back: what was done is being taken back",
    );
    say(tally.undone, "is not back: what was done was taken back", "are not back: what was done was taken back");
    say(tally.released, "is not back: it goes on elsewhere", "are not back: they go on elsewhere");
    say(tally.excluded, "is not part of this work, and not back", "are not part of this work, and not back");
    let differing = report.audit.as_ref().map_or(0, |audit| audit.differing);
    say(
        differing,
        "that is back has parts from different points in time, and is being looked at",
        "that are back have parts from different points in time, and are being looked at",
    );
    lines.join("\n")
}

fn data_loss(report: &Report) -> String {
    let Objective { measured, p50_s, max_s, .. } = report.rpo;
    let wanted = report.sites_by_state.wanted();
    let Some(longest) = max_s.filter(|_| measured > 0) else {
        return "It is not known yet whether data is lost.".to_owned();
    };
    let words = |seconds: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "a length of time in milliseconds")]
        let ms = (seconds * 1_000.0).round() as i64;
        span(ms)
    };
    let mut text = match p50_s.filter(|p50| (longest - p50).abs() > 0.5) {
        Some(half) => format!(
            "Changes of at most the last {} before the deletion are expected to be lost, for half of the sites {} or less.",
            words(longest),
            words(half)
        ),
        None => format!("Changes of at most the last {} before the deletion are expected to be lost.", words(longest)),
    };
    if measured < wanted {
        text.push_str(&format!(" For {} it is not known yet.", sites(wanted - measured)));
    }
    if report.audit.as_ref().is_some_and(|audit| audit.differing > 0) {
        text.push_str(" Some sites have parts from another point in time than planned; for these it may be more.");
    }
    text
}
