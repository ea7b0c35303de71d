//! What happened when, as people outside may know it.

use crate::duration::readable;
use crate::report::{MomentKind, Report};

/// Shares of sites that make a line.
const SHARES: [u32; 4] = [25, 50, 75, 100];
/// Lines at most; of more, the first and the last are kept.
const LINES: usize = 24;

pub(super) fn lines(report: &Report) -> Vec<String> {
    let Some(opened) = &report.opened else { return vec!["the work has not begun".to_owned()] };
    let mut all: Vec<(f64, String)> = vec![(-1.0, format!("{}: the work began", readable(opened)))];
    let mut at = |after_s: f64, when: String, what: String| all.push((after_s, format!("{when}: {what}")));
    let given = report.sites_by_state.given;
    for share in SHARES {
        let reached = report
            .returned_over_time
            .iter()
            .find(|(_, sites)| given > 0 && u64::from(*sites) * 100 >= u64::from(given) * u64::from(share));
        if let Some(&(after_s, _)) = reached {
            let parts = if report.sites_by_state.degraded > 0 { ", some with parts missing" } else { "" };
            at(after_s, moment(opened, after_s), format!("{share} % of sites were back{parts}"));
        }
    }
    for moment in &report.timeline {
        // Who did it, and the reason that they gave, are of the inside.
        let what = match moment.kind {
            MomentKind::Paused => "the work was paused",
            MomentKind::Continued => "the work went on",
            MomentKind::Cancelled => "the work was stopped",
            MomentKind::Unwinding => "the work was stopped, and what had been done is taken back",
            MomentKind::Reopened => "the work went on after its end",
            MomentKind::Ended => "the work ended",
            _ => continue,
        };
        at(moment.after_s, readable(&moment.at), what.to_owned());
    }
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut lines: Vec<String> = all.into_iter().map(|(_, line)| line).collect();
    if lines.len() > LINES {
        let dropped = lines.len() - (LINES - 1);
        lines.splice(LINES / 2..LINES / 2 + dropped, [format!("({dropped} more)")]);
    }
    lines
}

/// A time so long after the beginning.
fn moment(opened: &str, after_s: f64) -> String {
    let Ok(opened) = chrono::DateTime::parse_from_rfc3339(opened) else { return String::new() };
    #[expect(clippy::cast_possible_truncation, reason = "a length of time in milliseconds")]
    let after = (after_s * 1_000.0).round() as i64;
    crate::duration::clock(opened.timestamp_millis().saturating_add(after))
}
