//! The report as one HTML page: no script, nothing loaded, light and dark, for desk, phone and paper.

mod audit;
mod charts;
mod people;
mod style;
mod tables;

use std::fmt::Write as _;

use crate::duration::{count, readable};
use crate::escape::Xml;
use crate::graph::Drawing;
use crate::report::{Objective, PAUSED_HINT, Report, Verdict};
use crate::text::{ms, objective};
use charts::Bar;
pub(crate) use style::STYLE;

/// Batches drawn as bars; the table has all.
const BARS: usize = 60;

/// Renders a report as one self-contained page; it is well-formed XML too. All text from outside is escaped, and the
/// page forbids itself scripts and anything from elsewhere.
#[must_use]
pub fn render_html(report: &Report) -> String {
    let mut html = String::with_capacity(64 * 1024);
    let name = if report.run.is_empty() { &report.runbook } else { &report.run };
    let _ = write!(
        html,
        "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\
         <meta name=\"generator\" content=\"{}\"/><title>{}: {}</title><style>{}</style></head><body><main>\n",
        Xml(report.evidence.made_by),
        Xml(name),
        Xml(&report.headline),
        STYLE
    );
    outcome(&mut html, report);
    tiles(&mut html, report);
    let calm = report.exceptions.is_empty() && report.shared_failures.is_empty();
    if !calm || !report.waiting_for_operator.is_empty() || people::needs_attention(report) {
        section(&mut html, "Needs attention");
        people::waiting_cards(&mut html, report);
        tables::cards(&mut html, report);
        people::word_cards(&mut html, report);
    }
    section(&mut html, "Timeline");
    charts::timeline(&mut html, report);
    if report.timeline.len() > 12 {
        let _ = write!(html, "<details><summary>What happened ({})</summary>", report.timeline.len());
        tables::moments(&mut html, report);
        html.push_str("</details>");
    } else if !report.timeline.is_empty() {
        html.push_str("<h2>What happened</h2>");
        tables::moments(&mut html, report);
    }
    people::approvals(&mut html, report);
    people::acts(&mut html, report);
    section(&mut html, "Recovery time and data loss");
    html.push_str("<div class=\"pair\">");
    spread(&mut html, "Actual recovery time, from opening to verified", &report.rto, "returned site");
    spread(&mut html, "Data loss, from restore point to deletion", &report.rpo, "site");
    html.push_str("</div>");
    audit::audit(&mut html, report);
    section(&mut html, "Batches");
    tables::batches(&mut html, report);
    throughput(&mut html, report);
    section(&mut html, "Steps");
    step_bars(&mut html, report);
    tables::steps(&mut html, report, false);
    if report.steps.iter().any(|step| step.finally) {
        section(&mut html, "`finally`, which no site waits for");
        tables::steps(&mut html, report, true);
    }
    if !report.steps.is_empty() {
        html.push_str("<h2>Graph</h2><div class=\"scroll graph\">");
        html.push_str(&Drawing::of_report(report).to_svg_part());
        html.push_str("</div>");
    }
    people::no_return(&mut html, report);
    if !report.pools.is_empty() {
        section(&mut html, "Pools");
        tables::pools(&mut html, report);
    }
    if !report.exceptions.is_empty() {
        section(&mut html, "Exceptions");
        tables::exceptions(&mut html, report);
    }
    section(&mut html, "All sites");
    let open = if report.sites.len() <= 100 { " open=\"open\"" } else { "" };
    let _ = write!(html, "<details{open}><summary>{} sites</summary>", report.sites.len());
    tables::sites(&mut html, report);
    html.push_str("</details>");
    evidence(&mut html, report);
    html.push_str("</main></body></html>\n");
    html
}

fn section(html: &mut String, title: &str) {
    let _ = write!(html, "\n<h2>{title}</h2>");
}

fn class_of(report: &Report) -> &'static str {
    match report.verdict {
        // What somebody said is not what was seen.
        Verdict::Succeeded if report.overruled.is_empty() => "good",
        Verdict::Failed | Verdict::Aborting => "bad",
        Verdict::Succeeded
        | Verdict::SucceededWithExceptions
        | Verdict::Paused
        | Verdict::Cancelled
        | Verdict::Cancelling
        | Verdict::Unwinding => "warn",
        Verdict::New | Verdict::Running | Verdict::Closing => "info",
    }
}

fn outcome(html: &mut String, report: &Report) {
    let (head, counts) = report.headline.split_once(": ").unwrap_or((&report.headline, ""));
    let class = class_of(report);
    let _ = write!(
        html,
        "<header class=\"outcome {class}\"><h1 class=\"{class}\">{}</h1><p>{}</p>",
        Xml(head),
        Xml(counts)
    );
    let run = if report.run.is_empty() { String::new() } else { format!("run {} of ", report.run) };
    let on = if report.estate.is_empty() { String::new() } else { format!(" on {}", report.estate) };
    let opened = report.opened.as_deref().map_or_else(|| "not yet".to_owned(), readable);
    let ended = report
        .ended
        .as_deref()
        .map_or_else(|| format!("as of {}", readable(&report.as_of)), |at| format!("ended {}", readable(at)));
    let _ = write!(
        html,
        "<p class=\"dim\">{} · opened {} · {}</p>",
        Xml(format!("{run}{}{on}", report.runbook)),
        Xml(opened),
        Xml(ended)
    );
    if let Some(paused) = &report.paused {
        let _ = write!(html, "<p class=\"warn\">paused by {}</p><p>{}</p>", Xml(paused), Xml(PAUSED_HINT));
    }
    let sites = report.sites_by_state;
    html.push_str("<div class=\"share\">");
    for (number, colour) in [
        (sites.returned, "good"),
        (sites.degraded, "warn"),
        (sites.quarantined, "bad"),
        (sites.undone + sites.undoing + sites.excluded + sites.released, "dim"),
        (sites.restoring, "bar"),
    ] {
        if number > 0 {
            let share = f64::from(number) / f64::from(sites.given.max(1)) * 100.0;
            let _ = write!(html, "<i style=\"width:{share:.2}%;min-width:3px;background:var(--{colour})\"></i>");
        }
    }
    html.push_str("</div></header>");
}

fn tile(html: &mut String, class: &str, number: &str, what: &str) {
    let _ =
        write!(html, "<div class=\"tile\"><b class=\"{class}\">{}</b><span>{}</span></div>", Xml(number), Xml(what));
}

fn tiles(html: &mut String, report: &Report) {
    html.push_str("<div class=\"tiles\">");
    let sites = report.sites_by_state;
    let over = report.verdict.is_over();
    tile(html, "good", &sites.returned.to_string(), &format!("of {} sites returned", sites.given));
    for (number, what) in sites.others(over) {
        let class = match what {
            "quarantined" => "bad",
            "left unfinished" | "under way" | "never started" | "waiting" => "info",
            _ => "warn",
        };
        tile(html, class, &number.to_string(), what);
    }
    let paused = if report.paused_s > 0.0 {
        format!(", paused {} while the objectives' clock went on", ms(report.paused_s))
    } else {
        String::new()
    };
    tile(html, "", &ms(report.wall_s), &format!("wall time{paused}"));
    if let (Some(bound), Some(above)) = (report.lower_bound_s, report.above_bound()) {
        let what = format!("lower bound of the same attempts; the run took {:.1} % longer", above * 100.0);
        tile(html, "", &ms(bound), &what);
    }
    objective_tile(html, &report.rto, report.rto.max_s, "longest recovery");
    objective_tile(html, &report.rpo, report.rpo.max_s, "largest data loss");
    tile(html, "", &report.units.succeeded.to_string(), &format!("of {} units succeeded", report.units.total));
    tile(html, "", &report.retries.to_string(), &format!("retries in {} attempts", report.attempts));
    if report.undo_attempts > 0 {
        let what = format!("attempts at taking back, {}", count(report.units.undone, "unit undone", "units undone"));
        tile(html, "warn", &report.undo_attempts.to_string(), &what);
    }
    if !report.overruled.is_empty() {
        let noun = if report.overruled.len() == 1 { "unit" } else { "units" };
        tile(html, "warn", &report.overruled.len().to_string(), &format!("{noun} settled on a person's word"));
    }
    if report.reopened > 0 {
        let what = format!("reopened, after {} over", ms(report.over_s));
        tile(html, "warn", &report.reopened.to_string(), &what);
    }
    if !report.resumes.is_empty() {
        let times = report.resumes.len() as u64;
        let noun = if times == 1 { "resume" } else { "resumes" };
        let what = format!("{noun}, {} cut off", count(report.interrupted, "attempt", "attempts"));
        tile(html, "warn", &times.to_string(), &what);
    }
    if let Some(forecast) = &report.forecast {
        let drawings = count(u64::from(forecast.seeds), "drawing", "drawings");
        let what = format!("forecast of the rest, 80 % of {drawings}; median {}", ms(forecast.p50_s));
        tile(html, "info", &format!("{} – {}", ms(forecast.p10_s), ms(forecast.p90_s)), &what);
    }
    html.push_str("</div>");
}

fn objective_tile(html: &mut String, objective: &Objective, value: Option<f64>, what: &str) {
    let Some(value) = value else { return };
    let (class, met) = match (objective.met, objective.objective_s) {
        (Some(true), Some(limit)) => ("good", format!(", objective {} met", ms(limit))),
        (Some(false), Some(limit)) if objective.missing > 0 => {
            let sites = count(u64::from(objective.missing), "site", "sites");
            ("", format!(", objective {} not met: {sites} not cleanly back", ms(limit)))
        }
        (Some(false), Some(limit)) => ("bad", format!(", objective {} not met", ms(limit))),
        (_, Some(limit)) => ("", format!(", objective {}", ms(limit))),
        (_, None) => ("", String::new()),
    };
    tile(html, class, &ms(value), &format!("{what}{met}"));
}

fn spread(html: &mut String, title: &str, measured: &Objective, of: &str) {
    let _ = write!(html, "<div class=\"card\"><h3>{title}</h3><p class=\"dim\">{}</p>", Xml(objective(measured, of)));
    charts::histogram(html, &measured.distribution);
    html.push_str("</div>");
}

fn throughput(html: &mut String, report: &Report) {
    let bars: Vec<Bar> = report
        .batches
        .iter()
        .filter_map(|batch| {
            let rate = batch.sites_per_hour?;
            Some(Bar {
                name: format!("batch {} ({})", batch.number, batch.sites),
                first: rate,
                second: 0.0,
                value: format!("{rate:.0} sites/h"),
            })
        })
        .take(BARS)
        .collect();
    if !bars.is_empty() {
        html.push_str("<h2>Throughput per batch</h2>");
        charts::bars(html, &bars);
    }
}

fn step_bars(html: &mut String, report: &Report) {
    let bars: Vec<Bar> = report
        .steps
        .iter()
        .filter_map(|step| {
            let (p50, p95) = (step.p50_s?, step.p95_s?);
            Some(Bar { name: step.name.clone(), first: p50, second: p95, value: format!("{} / {}", ms(p50), ms(p95)) })
        })
        .collect();
    if !bars.is_empty() {
        charts::bars(html, &bars);
        html.push_str(
            "<p class=\"key\" style=\"margin-bottom:10px\"><i style=\"background:var(--bar)\"></i>p50\
             <i style=\"background:var(--bar2)\"></i>p95 of successful attempts</p>",
        );
    }
}

fn evidence(html: &mut String, report: &Report) {
    section(html, "Evidence");
    html.push_str("<div class=\"card\"><dl>");
    let evidence = &report.evidence;
    for (what, value) in [
        ("plan", evidence.plan.clone()),
        ("runbook", format!("{} ({})", report.runbook, report.runbook_file)),
        ("site list", report.sites_file.clone()),
        ("estate", report.estate.clone()),
        ("opened by", report.opened_by.clone()),
        ("uncertified", report.uncertified.clone().unwrap_or_default()),
        ("driven by", report.drivers.join(", ")),
        (
            "journal",
            format!("{} records, newest {}", evidence.records, evidence.newest_record.as_deref().unwrap_or("–")),
        ),
        ("journal's head", evidence.head.clone().unwrap_or_default()),
        ("lease epoch", evidence.epoch.to_string()),
        ("made by", format!("{}, as of {}", evidence.made_by, report.as_of)),
    ] {
        if !value.is_empty() {
            let _ = write!(html, "<dt>{what}</dt><dd><code>{}</code></dd>", Xml(value));
        }
    }
    html.push_str("</dl></div>");
}
