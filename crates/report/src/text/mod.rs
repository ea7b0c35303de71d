//! The report for people at 3 a.m.: the outcome and the counts first, then what needs a person, then the tables.

mod audit;
mod ink;
mod people;
mod tables;

use crate::duration::{count, readable, span};
use crate::escape::plain;
use crate::forecast::rest_line;
use crate::report::{Objective, Report, SharedFailure, Verdict, alike};
pub(crate) use audit::summary;
use ink::{Ink, Page};
pub(crate) use people::{alike as grouped_by, said_alike, waits};

/// Causes, shared failures and waiting units shown of each; the rest is counted.
const SHOWN: usize = 20;
/// Units named of those that wait for the same reason.
const EXAMPLES: usize = 5;

/// Renders a report as text, at most `width` columns wide where words allow it (40 at least), with ANSI colours if
/// wanted. Control characters in what came from outside are written out.
#[must_use]
pub fn render_text(report: &Report, width: usize, color: bool) -> String {
    let mut page = Page::new(width, color);
    outcome(&mut page, report);
    for_operator(&mut page, report);
    people::approvals(&mut page, report);
    exceptions(&mut page, report);
    audit::audit(&mut page, report);
    new_ids(&mut page, report);
    people::overruled(&mut page, report);
    people::remains(&mut page, report);
    shared(&mut page, "Shared steps that did not succeed", &report.shared_failures);
    shared(&mut page, "`finally`: did not succeed", &report.finally_failures);
    people::left_out(&mut page, report);
    tables::batches(&mut page, report);
    tables::steps(&mut page, report);
    tables::pools(&mut page, report);
    people::acts(&mut page, report);
    tables::moments(&mut page, report);
    evidence(&mut page, report);
    page.text
}

/// Which ID each site has now, where it is another.
fn new_ids(page: &mut Page, report: &Report) {
    let moved: Vec<_> = report.sites.iter().filter_map(|site| Some((&site.id, site.new_id.as_ref()?))).collect();
    if moved.is_empty() {
        return;
    }
    page.heading(&format!("New IDs ({})", count(moved.len() as u64, "site", "sites")));
    for (old, new) in moved.iter().take(SHOWN) {
        page.paragraph(2, 4, None, &format!("{} -> {}", plain(old), plain(new)));
    }
    rest(page, moved.len(), SHOWN, "sites");
}

fn ink_of(report: &Report) -> Ink {
    match report.verdict {
        // What somebody said is not what was seen.
        Verdict::Succeeded if report.overruled.is_empty() => Ink::Good,
        Verdict::Failed | Verdict::Aborting => Ink::Bad,
        Verdict::Succeeded
        | Verdict::SucceededWithExceptions
        | Verdict::Paused
        | Verdict::Cancelled
        | Verdict::Cancelling
        | Verdict::Unwinding => Ink::Warn,
        Verdict::New | Verdict::Running | Verdict::Closing => Ink::Strong,
    }
}

fn outcome(page: &mut Page, report: &Report) {
    page.paragraph(0, 0, Some(ink_of(report)), &report.headline);
    let name = if report.run.is_empty() { String::new() } else { format!("run {} of ", plain(&report.run)) };
    let on = if report.estate.is_empty() { String::new() } else { format!(" on {}", plain(&report.estate)) };
    page.paragraph(0, 0, None, &format!("{name}{}{on}", plain(&report.runbook)));
    if let Some(reason) = &report.uncertified {
        let fact = format!("UNCERTIFIED: no drill has passed lately with this runbook; {}", plain(reason));
        page.paragraph(0, 2, Some(Ink::Warn), &fact);
    }
    if let Some(paused) = &report.paused {
        page.paragraph(0, 2, Some(Ink::Warn), &format!("paused by {}", plain(paused)));
        page.paragraph(0, 6, None, crate::report::PAUSED_HINT);
    }
    page.text.push('\n');
    let sites = report.sites_by_state;
    let over = report.verdict.is_over();
    let others = sites.others(over).into_iter().map(|(number, what)| {
        let ink = match what {
            "quarantined" => Ink::Bad,
            "left unfinished" | "under way" | "never started" | "waiting" => Ink::Strong,
            _ => Ink::Warn,
        };
        (what, number, ink)
    });
    for (what, number, ink) in std::iter::once(("returned", sites.returned, Ink::Good)).chain(others) {
        let number = format!("{number:>9}");
        let number = page.paint(ink, &number);
        page.line(&format!("{number}  {what}"));
    }
    page.line(&format!("{:>9}  given", sites.given));
    page.text.push('\n');
    times(page, report);
}

fn times(page: &mut Page, report: &Report) {
    let row = |page: &mut Page, what: &str, text: &str| page.labelled(what, text);
    if let Some(opened) = &report.opened {
        let by = if report.opened_by.is_empty() { String::new() } else { format!(" by {}", plain(&report.opened_by)) };
        row(page, "opened", &format!("{}{by}", readable(opened)));
    }
    let mut wall = ms(report.wall_s);
    if let Some(ended) = &report.ended {
        wall = format!("{wall}, ended {}", readable(ended));
    }
    if report.paused_s > 0.0 {
        wall = format!("{wall}, of that paused {} (the objectives' clock went on)", ms(report.paused_s));
    }
    if report.gap_s > 0.0 {
        wall = format!("{wall}, without a driver {}", ms(report.gap_s));
    }
    if report.reopened > 0 {
        let times = count(u64::from(report.reopened), "time", "times");
        wall = format!("{wall}, reopened {times} after {} over", ms(report.over_s));
    }
    row(page, "wall time", &wall);
    if let (Some(bound), Some(above)) = (report.lower_bound_s, report.above_bound()) {
        let text = format!(
            "{}; no order of the same attempts is faster, the run took {:.1} % longer",
            ms(bound),
            above * 100.0
        );
        row(page, "lower bound", &text);
    }
    let drivers: Vec<String> = report.drivers.iter().take(5).map(|driver| plain(driver)).collect();
    match report.drivers.len() {
        0 => {}
        all if all > drivers.len() => {
            row(page, "driven by", &format!("{} and {} more", drivers.join(", "), all - drivers.len()));
        }
        _ => row(page, "driven by", &drivers.join(", ")),
    }
    row(page, "recovery time", &objective(&report.rto, "returned site"));
    row(page, "data loss", &objective(&report.rpo, "site"));
    let mut attempts = format!("{} in all, {}", report.attempts, count(report.retries, "retry", "retries"));
    if !report.resumes.is_empty() {
        let times = report.resumes.len() as u64;
        attempts = format!(
            "{attempts}; resumed {}, {} cut off in flight",
            count(times, "time", "times"),
            count(report.interrupted, "attempt", "attempts")
        );
    }
    if report.undo_attempts > 0 {
        let undo = count(report.undo_attempts, "attempt", "attempts");
        attempts = format!("{attempts}; and {undo} at taking back");
    }
    row(page, "attempts", &attempts);
    if let Some(forecast) = &report.forecast {
        row(page, "forecast", &rest_line(forecast));
    }
}

/// An objective in words; shared with the status line of the HTML page.
pub(crate) fn objective(objective: &Objective, of: &str) -> String {
    let target = objective.objective_s.map(|limit| {
        let met = match objective.met {
            Some(true) => "met",
            Some(false) => "NOT met",
            None => "open",
        };
        let missing = match objective.missing {
            0 => String::new(),
            missing => format!(" ({} not cleanly back)", count(u64::from(missing), "site", "sites")),
        };
        format!("objective {}: {met}{missing}", ms(limit))
    });
    let measured = match (objective.p50_s, objective.p95_s, objective.max_s) {
        (Some(p50), Some(p95), Some(max)) => {
            let plural = format!("{of}s");
            let mut text = format!(
                "p50 {}, p95 {}, longest {} of {}",
                ms(p50),
                ms(p95),
                ms(max),
                count(u64::from(objective.measured), of, &plural)
            );
            if objective.beyond > 0 {
                text = format!("{text}, {} beyond", objective.beyond);
            }
            text
        }
        _ => "not measured".to_owned(),
    };
    match target {
        Some(target) => format!("{measured}; {target}"),
        None => format!("{measured}; no objective set"),
    }
}

fn for_operator(page: &mut Page, report: &Report) {
    let list = &report.waiting_for_operator;
    if list.is_empty() {
        return;
    }
    page.heading(&format!("Waits for you ({})", count(list.len() as u64, "unit", "units")));
    let groups = alike(list);
    for group in groups.iter().take(SHOWN) {
        let Some(unit) = group.first() else { continue };
        let sites: u64 = group.iter().map(|unit| u64::from(unit.sites)).sum();
        let verb = if group.len() == 1 { "is" } else { "are" };
        let head = format!(
            "{} of step {} {verb} {}{}; {} behind",
            count(group.len() as u64, "unit", "units"),
            plain(&unit.step),
            unit.state,
            if unit.undo { " while being taken back" } else { "" },
            count(sites, "site", "sites")
        );
        page.paragraph(2, 4, Some(Ink::Warn), &head);
        fact(page, &unit.code, &unit.message, &unit.hint, &unit.place);
        let names = group.iter().take(EXAMPLES).map(|unit| plain(&unit.unit)).collect::<Vec<_>>().join(" ");
        let more = group.len().saturating_sub(EXAMPLES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        page.paragraph(4, 11, None, &format!("units: {names}{more}"));
    }
    rest(page, groups.len(), SHOWN, "kinds");
}

fn exceptions(page: &mut Page, report: &Report) {
    if report.exceptions.is_empty() {
        return;
    }
    page.heading(&format!("Exceptions ({})", count(report.exceptions.len() as u64, "site", "sites")));
    for cause in report.causes.iter().take(SHOWN) {
        let at = if cause.step.is_empty() { String::new() } else { format!(" at step {}", plain(&cause.step)) };
        let head = format!("{} {}{at}", count(u64::from(cause.sites), "site", "sites"), cause.state.replace('_', " "));
        let ink = if cause.state == "quarantined" { Ink::Bad } else { Ink::Warn };
        page.paragraph(2, 4, Some(ink), &head);
        fact(page, &cause.code, &cause.message, &cause.hint, &cause.place);
        let mut sites = cause.examples.iter().map(|site| plain(site)).collect::<Vec<_>>().join(" ");
        let more = cause.sites as usize - cause.examples.len();
        if more > 0 {
            sites = format!("{sites} and {more} more");
        }
        page.paragraph(4, 11, None, &format!("sites: {sites}"));
    }
    rest(page, report.causes.len(), SHOWN, "causes");
    if !report.returned_then_out.is_empty() {
        let fallen = &report.returned_then_out;
        let sites = fallen.iter().take(SHOWN).map(|site| plain(site)).collect::<Vec<_>>().join(" ");
        let text = format!("{} back and put out later: {sites}", count(fallen.len() as u64, "site was", "sites were"));
        page.paragraph(2, 4, Some(Ink::Bad), &text);
        rest(page, fallen.len(), SHOWN, "sites");
    }
}

fn shared(page: &mut Page, title: &str, failures: &[SharedFailure]) {
    if failures.is_empty() {
        return;
    }
    page.heading(title);
    for failure in failures.iter().take(SHOWN) {
        let head = format!(
            "{} {} after {}; {}",
            plain(&failure.unit),
            failure.state,
            count(u64::from(failure.attempts), "attempt", "attempts"),
            if failure.finally {
                "it counts against no site".to_owned()
            } else {
                format!("covers {}", count(u64::from(failure.sites), "site", "sites"))
            }
        );
        let ink = if failure.state == "failed" { Ink::Bad } else { Ink::Warn };
        page.paragraph(2, 4, Some(ink), &head);
        fact(page, &failure.code, &failure.message, &failure.hint, &failure.place);
    }
    rest(page, failures.len(), SHOWN, "units");
}

fn fact(page: &mut Page, code: &str, message: &str, hint: &str, place: &str) {
    let code = if code.is_empty() { String::new() } else { format!("{}: ", plain(code)) };
    if !message.is_empty() || !code.is_empty() {
        page.paragraph(4, 4, None, &format!("{code}{}", plain(message)));
    }
    if !place.is_empty() {
        page.paragraph(4, 4, Some(Ink::Faint), &format!("at {}", plain(place)));
    }
    if !hint.is_empty() {
        page.paragraph(4, 10, None, &format!("hint: {}", plain(hint)));
    }
}

fn rest(page: &mut Page, len: usize, shown: usize, what: &str) {
    if len > shown {
        let text = format!("and {} more {what}; the JSON report has all", len - shown);
        page.paragraph(2, 4, Some(Ink::Faint), &text);
    }
}

fn evidence(page: &mut Page, report: &Report) {
    let text = format!(
        "plan {} · {}{} · as of {} · {}",
        report.plan,
        count(report.evidence.records, "record", "records"),
        report.evidence.head.as_ref().map(|head| format!(" to {head}")).unwrap_or_default(),
        readable(&report.as_of),
        report.evidence.made_by
    );
    page.text.push('\n');
    page.paragraph(0, 0, Some(Ink::Faint), &text);
}

/// Seconds of the report in words.
pub(crate) fn ms(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and comes from whole milliseconds")]
    span((seconds * 1000.0).round() as i64)
}
