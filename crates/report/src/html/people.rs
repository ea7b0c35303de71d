//! What people decided, did and left: the cards and tables of it.

use std::fmt::Write as _;

use crate::duration::{count, readable};
use crate::escape::Xml;
use crate::html::tables::{CARDS, ROWS, card, close, open, rest};
use crate::report::{ApprovalReport, Report};
use crate::text::{grouped_by, ms, said_alike, waits};

/// Units and sites named of those that are alike.
const EXAMPLES: usize = 5;

fn named<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(EXAMPLES);
    let shown = names.take(EXAMPLES).collect::<Vec<_>>().join("  ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// Whether something here belongs under "needs attention".
pub(super) fn needs_attention(report: &Report) -> bool {
    let waits = report.approvals.iter().any(|gate| gate.missing > 0);
    waits || !(report.overruled.is_empty() && report.remains.is_empty() && report.finally_failures.is_empty())
}

/// What waits for approval.
pub(super) fn waiting_cards(html: &mut String, report: &Report) {
    let waiting: Vec<&ApprovalReport> = report.approvals.iter().filter(|gate| gate.missing > 0).collect();
    for gate in waiting.iter().take(CARDS) {
        let head = format!("{} waits for approval", gate.gate);
        let said = gate.decisions.iter().map(|said| match &said.actor {
            Some(actor) => format!("{} by {actor}", said.decision),
            None => said.decision.to_owned(),
        });
        let hint = format!("`approve` or `reject` it, as a member of {}", gate.from.join(", "));
        card(html, "warn", &head, "", &waits(gate), &hint, &gate.place, &said.collect::<Vec<_>>().join("; "));
    }
    rest(html, waiting.len(), "gates");
}

/// What counts as settled on a person's word only, and what stays in the estate.
pub(super) fn word_cards(html: &mut String, report: &Report) {
    let groups = said_alike(&report.overruled);
    for group in groups.iter().take(CARDS) {
        let Some(first) = group.first() else { continue };
        let units = count(group.len() as u64, "unit", "units");
        let head = format!("{units} of step {} {} by {}, not seen by the engine", first.step, first.words, first.actor);
        let tail = named(group.iter().map(|row| row.unit.as_str()));
        card(html, "warn", &head, "", &first.reason, "", &first.place, &tail);
    }
    rest(html, groups.len(), "kinds of units settled on a person's word");
    let groups = grouped_by(&report.remains, |row| (row.step.clone(), row.why, row.code.clone(), row.message.clone()));
    for group in groups.iter().take(CARDS) {
        let Some(first) = group.first() else { continue };
        let why = match first.why {
            "stuck" => "its undo is stuck",
            "left" => "left as it is",
            _ => "cannot be taken back",
        };
        let head = format!("remains in the estate: {} of step {}, {why}", units(group.len()), first.step);
        let class = if first.why == "stuck" { "bad" } else { "warn" };
        let tail = named(group.iter().map(|row| row.unit.as_str()));
        card(html, class, &head, &first.code, &first.message, "", &first.place, &tail);
    }
    rest(html, groups.len(), "kinds of units that remain");
    for failure in report.finally_failures.iter().take(CARDS) {
        let head = format!("{} of `finally` {}; it counts against no site", failure.unit, failure.state);
        let tail = count(u64::from(failure.attempts), "attempt", "attempts");
        card(html, "warn", &head, &failure.code, &failure.message, &failure.hint, &failure.place, &tail);
    }
    rest(html, report.finally_failures.len(), "units of `finally`");
}

fn units(number: usize) -> String {
    count(number as u64, "unit", "units")
}

/// Every gate with what was said on it.
pub(super) fn approvals(html: &mut String, report: &Report) {
    if report.approvals.is_empty() {
        return;
    }
    html.push_str("\n<h2>Approvals</h2>");
    open(html, &["gate", "<state", "<by", "<what was said", "asked", "sites"]);
    for gate in report.approvals.iter().take(ROWS) {
        let class = if gate.state == "approved" { "good" } else { "warn" };
        let _ = write!(
            html,
            "<tr><td><code>{}</code></td><td class=\"{class} left\">{}</td><td class=\"left\">{} of {}</td><td class=\"wrap\">",
            Xml(&gate.gate),
            Xml(gate.state.replace('_', ", ")),
            gate.needed,
            Xml(gate.from.join(", "))
        );
        for said in &gate.decisions {
            let who = said.actor.as_ref().map(|actor| format!(" by {actor}")).unwrap_or_default();
            let why = if said.reason.is_empty() { String::new() } else { format!(": {}", said.reason) };
            let plan = if said.plan == report.plan { "this plan".to_owned() } else { format!("plan {}", said.plan) };
            let _ = write!(
                html,
                "<div title=\"{}\">after {}: {}</div>",
                Xml(format!("{}, on {plan}", said.at)),
                Xml(ms(said.after_s)),
                Xml(format!("{}{who}{why}", said.decision))
            );
        }
        if gate.missing > 0 {
            let due = gate.due.as_deref().map(|due| format!(", until {}", readable(due))).unwrap_or_default();
            let _ = write!(html, "<div class=\"warn\">{} missing{}</div>", gate.missing, Xml(due));
        }
        let _ = write!(
            html,
            "</td><td title=\"{}\">{}</td><td>{}</td></tr>",
            Xml(&gate.asked),
            Xml(readable(&gate.asked)),
            gate.sites
        );
    }
    close(html, report.approvals.len(), "gates");
    let _ = write!(html, "<p class=\"key\">asked for by {}, who may not approve.</p>", Xml(&report.opened_by));
}

/// What people did to sites, steps and pools.
pub(super) fn acts(html: &mut String, report: &Report) {
    if report.by_people.is_empty() {
        return;
    }
    html.push_str("\n<h2>By people</h2><div class=\"card\"><ol class=\"moments\">");
    for act in report.by_people.iter().take(ROWS) {
        let _ = write!(
            html,
            "<li><span class=\"when\" title=\"{}\">{}</span><span>{}</span></li>",
            Xml(&act.at),
            Xml(ms(act.after_s)),
            Xml(&act.text)
        );
    }
    html.push_str("</ol></div>");
    let more = report.by_people_dropped + report.by_people.len().saturating_sub(ROWS) as u64;
    if more > 0 {
        let _ = write!(html, "<p class=\"key\">and {more} more.</p>");
    }
}

/// Steps without an undo that acted, where others have one.
pub(super) fn no_return(html: &mut String, report: &Report) {
    if report.no_return.is_empty() || report.steps.iter().all(|step| step.undo.is_none()) {
        return;
    }
    html.push_str("\n<h2>Points of no return that were passed</h2>");
    open(html, &["step", "<action", "units that acted", "first after", "<place"]);
    for step in report.no_return.iter().take(ROWS) {
        let first = step.first_after_s.map_or_else(|| "–".to_owned(), ms);
        let _ = write!(
            html,
            "<tr><td>{}</td><td class=\"left\"><code>{}</code></td><td>{}</td><td>{}</td><td class=\"left\"><code>{}</code></td></tr>",
            Xml(&step.step),
            Xml(&step.uses),
            step.acted,
            Xml(first),
            Xml(&step.place)
        );
    }
    close(html, report.no_return.len(), "steps");
}
