//! The report as JUnit XML, one test case a site, so that a CI server shows a drill like a test.

use std::fmt::Write as _;

use crate::escape::Xml;
use crate::report::{ExceptionReport, Report};

/// Renders a report as JUnit XML. A returned site passes unless its stores stand at different points in time, with a note if a step of it counts as done on a person's word
/// only; a degraded, quarantined or undone one is a failure; one left unfinished is an error; one that was excluded,
/// released or never started is skipped. Nothing else passes.
#[must_use]
pub fn render_junit(report: &Report) -> String {
    let sites = report.sites_by_state;
    // Back, but with stores that stand at different points in time.
    let discordant = report.exceptions.iter().filter(|exception| exception.state == "returned").count();
    let failures = u64::from(sites.degraded + sites.quarantined + sites.undone) + discordant as u64;
    let errors = sites.restoring + sites.undoing;
    let skipped = sites.excluded + sites.released + sites.waiting;
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let name = Xml(if report.run.is_empty() { &report.runbook } else { &report.run });
    let _ = writeln!(
        xml,
        "<testsuites name=\"{name}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"{:.3}\">",
        sites.given, report.wall_s
    );
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"{:.3}\"{}>",
        sites.given,
        report.wall_s,
        report.opened.as_ref().map(|at| format!(" timestamp=\"{}\"", Xml(at))).unwrap_or_default(),
    );
    let _ = writeln!(xml, "    <properties>");
    for (name, value) in [
        ("runbook", report.runbook.as_str()),
        ("estate", &report.estate),
        ("plan", &report.plan),
        ("verdict", report.verdict.words()),
    ] {
        let _ = writeln!(xml, "      <property name=\"{name}\" value=\"{}\"/>", Xml(value));
    }
    let _ = writeln!(xml, "    </properties>");
    let mut exceptions = report.exceptions.iter().peekable();
    for site in &report.sites {
        let exception = exceptions.next_if(|exception| exception.site == site.id);
        let time = site.back_after_s.map(|back| format!(" time=\"{back:.3}\"")).unwrap_or_default();
        let class = Xml(&report.runbook);
        let _ = write!(xml, "    <testcase classname=\"{class}\" name=\"{}\"{time}", Xml(&site.id));
        let note = site.note();
        let mut inner = match site.state {
            "returned" if exception.is_some() => {
                format!("<failure type=\"restore_point\" message=\"{}\"/>", words(exception))
            }
            "returned" => String::new(),
            "excluded" | "released" | "waiting" => {
                let why = if note.is_empty() { String::new() } else { format!("; {note}") };
                format!("<skipped message=\"{}\"/>", Xml(format!("{}{why}", site.state)))
            }
            "restoring" => format!("<error type=\"unfinished\" message=\"{}\"/>", words(exception)),
            "undoing" => format!("<error type=\"undoing\" message=\"{}\"/>", words(exception)),
            state => format!("<failure type=\"{state}\" message=\"{}\"/>", words(exception)),
        };
        if !note.is_empty() && !inner.starts_with("<skipped") {
            let _ = write!(inner, "<system-out>{}</system-out>", Xml(&note));
        }
        if inner.is_empty() {
            xml.push_str("/>\n");
        } else {
            let _ = writeln!(xml, ">{inner}</testcase>");
        }
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn words(exception: Option<&ExceptionReport>) -> String {
    let Some(exception) = exception else { return "under way".to_owned() };
    let at = if exception.step.is_empty() { String::new() } else { format!("{}: ", exception.unit) };
    let code = if exception.code.is_empty() { String::new() } else { format!("{}: ", exception.code) };
    let place = if exception.place.is_empty() { String::new() } else { format!(" ({})", exception.place) };
    Xml(format!("{at}{code}{}{place}", exception.message)).to_string()
}
