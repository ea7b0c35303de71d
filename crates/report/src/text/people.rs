//! What people decided, did and left, and what waits for their word.

use crate::duration::{count, readable};
use crate::escape::plain;
use crate::report::{ApprovalReport, OverruledReport, Report};
use crate::text::ink::{Ink, Page};
use crate::text::{ms, rest};

/// Gates, acts and units shown of each; the rest is counted.
const SHOWN: usize = 20;
/// Sites and units named of those that are alike.
const EXAMPLES: usize = 5;

/// Gates that wait for people, and what was said on those that are decided.
pub(super) fn approvals(page: &mut Page, report: &Report) {
    let (waiting, decided): (Vec<_>, Vec<_>) = report.approvals.iter().partition(|gate| gate.missing > 0);
    if !waiting.is_empty() {
        page.heading(&format!("Waits for approval ({})", count(waiting.len() as u64, "gate", "gates")));
        for gate in waiting.iter().take(SHOWN) {
            page.paragraph(2, 4, Some(Ink::Warn), &waits(gate));
            decisions(page, report, gate, false);
        }
        rest(page, waiting.len(), SHOWN, "gates");
    }
    if decided.is_empty() {
        return;
    }
    page.heading("Approvals");
    let groups = decided_alike(&decided);
    for group in groups.iter().take(SHOWN) {
        let Some(gate) = group.first() else { continue };
        let name = match group.len() {
            1 => plain(&gate.gate),
            many => format!("{many} gates of step {}", plain(&gate.step)),
        };
        let when = if group.len() == 1 { format!(" at {}", readable(&gate.asked)) } else { " each".to_owned() };
        let head = format!(
            "{name} {}; asked for {} of {}{when}",
            gate.state,
            count(u64::from(gate.needed), "approval", "approvals"),
            plain(&gate.from.join(", "))
        );
        let ink = if gate.state == "approved" { Ink::Good } else { Ink::Warn };
        page.paragraph(2, 4, Some(ink), &head);
        decisions(page, report, gate, group.len() > 1);
        if group.len() > 1 {
            named(page, group.iter().map(|gate| gate.gate.as_str()));
        }
    }
    rest(page, groups.len(), SHOWN, "kinds of gates");
}

/// Gates of one step on which the same people said the same.
fn decided_alike<'a>(gates: &[&'a ApprovalReport]) -> Vec<Vec<&'a ApprovalReport>> {
    let key = |gate: &&'a ApprovalReport| {
        let name = if gate.step.is_empty() { gate.gate.clone() } else { gate.step.clone() };
        let said = gate.decisions.iter();
        let said = said.map(|said| (said.decision, said.actor.clone(), said.reason.clone(), said.plan.clone()));
        (name, gate.state, said.collect::<Vec<_>>())
    };
    alike(gates, key).into_iter().map(|group| group.into_iter().copied().collect()).collect()
}

/// What a gate waits for, in a sentence.
pub(crate) fn waits(gate: &ApprovalReport) -> String {
    let until = match (&gate.due, gate.state) {
        (Some(due), _) => format!("until {}", readable(due)),
        (None, _) => "nobody decided in time, so the run is paused".to_owned(),
    };
    format!(
        "{}: {} of {} missing, {until}; {} behind; asked for by {}, who may not approve",
        plain(&gate.gate),
        count(u64::from(gate.missing), "approval", "approvals"),
        plain(&gate.from.join(", ")),
        count(u64::from(gate.sites), "site", "sites"),
        plain(&gate.asked_by)
    )
}

/// What was said on a gate, or on the first of several on which the same was said.
fn decisions(page: &mut Page, report: &Report, gate: &ApprovalReport, first: bool) {
    let first = if first { "first " } else { "" };
    for said in &gate.decisions {
        let who = said.actor.as_deref().map_or_else(
            || "nobody said anything in time".to_owned(),
            |actor| {
                let why = if said.reason.is_empty() { String::new() } else { format!(": {}", plain(&said.reason)) };
                format!("{} by {}{why}", said.decision, plain(actor))
            },
        );
        let plan =
            if said.plan == report.plan { "this plan".to_owned() } else { format!("plan {}", plain(&said.plan)) };
        page.paragraph(4, 6, None, &format!("{first}after {}: {who} (on {plan})", ms(said.after_s)));
    }
}

/// Steps that count as settled on a person's word only.
pub(super) fn overruled(page: &mut Page, report: &Report) {
    if report.overruled.is_empty() {
        return;
    }
    let units = report.overruled.len();
    page.heading(&format!("On a person's word, not seen by the engine ({})", count(units as u64, "unit", "units")));
    let groups = said_alike(&report.overruled);
    for group in groups.iter().take(SHOWN) {
        let Some(first) = group.first() else { continue };
        let head = format!("step {} {} by {}", plain(&first.step), first.words, plain(&first.actor));
        page.paragraph(2, 4, Some(Ink::Warn), &head);
        if !first.reason.is_empty() {
            page.paragraph(4, 4, None, &plain(&first.reason));
        }
        page.paragraph(4, 4, Some(Ink::Faint), &format!("at {}", plain(&first.place)));
        named(page, group.iter().map(|row| row.unit.as_str()));
    }
    rest(page, groups.len(), SHOWN, "kinds");
}

/// Rows that differ in nothing but their key, in the order of their first.
pub(crate) fn said_alike(rows: &[OverruledReport]) -> Vec<Vec<&OverruledReport>> {
    alike(rows, |row| [row.step.clone(), row.how.to_owned(), row.actor.clone(), row.reason.clone()])
}

/// Groups rows by a key, in the order of the first of each.
pub(crate) fn alike<T, K: Ord>(rows: &[T], key: impl Fn(&T) -> K) -> Vec<Vec<&T>> {
    let mut groups: Vec<Vec<&T>> = Vec::new();
    let mut known: std::collections::BTreeMap<K, usize> = std::collections::BTreeMap::new();
    for row in rows {
        let group = *known.entry(key(row)).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(row);
    }
    groups
}

fn named<'a>(page: &mut Page, names: impl ExactSizeIterator<Item = &'a str>) {
    let more = names.len().saturating_sub(EXAMPLES);
    let shown = names.take(EXAMPLES).map(plain).collect::<Vec<_>>().join(" ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    page.paragraph(4, 11, None, &format!("units: {shown}{more}"));
}

/// Effects that stay although they were to be taken back.
pub(super) fn remains(page: &mut Page, report: &Report) {
    if !report.remains.is_empty() {
        let units = count(report.remains.len() as u64, "unit", "units");
        page.heading(&format!("What remains in the estate, though it was to be taken back ({units})"));
        let groups = alike(&report.remains, |row| (row.step.clone(), row.why, row.code.clone(), row.message.clone()));
        for group in groups.iter().take(SHOWN) {
            let Some(first) = group.first() else { continue };
            let (word, ink) = remains_words(first.why);
            page.paragraph(2, 4, Some(ink), &format!("step {}: {word}", plain(&first.step)));
            super::fact(page, &first.code, &first.message, "", &first.place);
            named(page, group.iter().map(|row| row.unit.as_str()));
        }
        rest(page, groups.len(), SHOWN, "kinds");
    }
    // Where nothing can be taken back, every step is a point of no return, and naming them says nothing.
    if report.no_return.is_empty() || report.steps.iter().all(|step| step.undo.is_none()) {
        return;
    }
    page.heading("Points of no return that were passed");
    for step in report.no_return.iter().take(SHOWN) {
        let first = step.first_after_s.map(|at| format!(", first after {}", ms(at))).unwrap_or_default();
        let text = format!("step {} has no undo: {} acted{first}", plain(&step.step), units_of(step.acted));
        page.paragraph(2, 4, None, &text);
    }
    rest(page, report.no_return.len(), SHOWN, "steps");
}

fn units_of(number: u64) -> String {
    count(number, "unit", "units")
}

fn remains_words(why: &str) -> (&'static str, Ink) {
    match why {
        "stuck" => ("its undo is stuck", Ink::Bad),
        "left" => ("left as it is", Ink::Warn),
        _ => ("cannot be taken back", Ink::Warn),
    }
}

/// What people did to sites, steps and pools.
pub(super) fn acts(page: &mut Page, report: &Report) {
    if report.by_people.is_empty() {
        return;
    }
    page.heading("By people");
    for act in report.by_people.iter().take(2 * SHOWN) {
        page.paragraph(2, 4, None, &format!("after {}: {}", ms(act.after_s), plain(&act.text)));
    }
    rest(page, report.by_people.len(), 2 * SHOWN, "acts");
    let adopted = alike(&report.sites, |site| site.adopted_from.clone());
    for group in adopted.iter().filter(|group| group.iter().any(|site| site.adopted_from.is_some())).take(SHOWN) {
        let from = group.first().and_then(|site| site.adopted_from.as_deref()).unwrap_or_default();
        let text = format!(
            "{} from run {}; what may have acted there was re-checked before anything was applied",
            count(group.len() as u64, "site", "sites"),
            plain(from)
        );
        page.paragraph(2, 4, None, &text);
    }
}

/// Sites of the list that the plan leaves out.
pub(super) fn left_out(page: &mut Page, report: &Report) {
    let left_out: Vec<_> = report.sites.iter().filter(|site| site.batch.is_none()).collect();
    if left_out.is_empty() {
        return;
    }
    page.heading(&format!("Excluded by the plan ({})", count(left_out.len() as u64, "site", "sites")));
    let groups = alike(&left_out, |site| site.reason.clone());
    for group in groups.iter().take(SHOWN) {
        let reason = group.first().and_then(|site| site.reason.as_deref()).unwrap_or_default();
        let more = group.len().saturating_sub(EXAMPLES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let names = group.iter().take(EXAMPLES).map(|site| format!("{} (row {})", plain(&site.id), site.row));
        let reason = if reason.is_empty() { "without a reason" } else { reason };
        page.paragraph(2, 4, None, &plain(reason));
        page.paragraph(4, 11, None, &format!("sites: {}{more}", names.collect::<Vec<_>>().join(" ")));
    }
    rest(page, groups.len(), SHOWN, "reasons");
}
