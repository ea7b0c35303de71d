//! How long it will take, and how sure that is.

use crate::duration::readable;
use crate::report::{Report, Verdict};

/// Width of the band against its middle up to which a forecast counts as sure, and as fair.
const NARROW: f64 = 0.25;
const FAIR: f64 = 0.75;
/// Successful attempts below which a forecast is not called sure.
const MEASURED: u64 = 100;

pub(super) fn words(report: &Report) -> String {
    let Some(rest) = &report.forecast else {
        return match report.verdict {
            Verdict::New => "The work has not begun; it is not known yet how long it will take.",
            Verdict::Running => "It is not known yet how long the rest will take.",
            Verdict::Paused => "The work is paused. It is not known when it will end.",
            Verdict::Aborting | Verdict::Cancelling | Verdict::Unwinding => {
                "The work is being stopped. It is not known when the sites that are away will be back."
            }
            Verdict::Closing => "The last work is under way; it is not known how long it will take.",
            Verdict::Succeeded => "Nothing is left to do.",
            Verdict::SucceededWithExceptions | Verdict::Failed | Verdict::Cancelled => {
                "This work has ended. It is not known when the sites that are not back will be."
            }
        }
        .to_owned();
    };
    let mut text = if rest.seeds > 1 {
        format!(
            "The work is expected to end between {} and {}, most likely around {}. This is an estimate from how it has \
             gone so far, not a promise.",
            readable(&rest.p10),
            readable(&rest.p90),
            readable(&rest.p50)
        )
    } else {
        format!(
            "The work may end around {}. How far that may be off is not known; it is an estimate, not a promise.",
            readable(&rest.p50)
        )
    };
    let stuck = report.sites_by_state.quarantined + report.sites_by_state.undone;
    if stuck > 0 {
        text.push_str(" Sites that need people are not part of it; for these it is not known.");
    }
    text
}

pub(super) fn confidence(report: &Report) -> String {
    let tally = report.sites_by_state;
    match report.verdict {
        Verdict::Succeeded => return "High: every site was checked after it came back.".to_owned(),
        verdict if verdict.is_over() => {
            return "High for the numbers of this work, which has ended; none for sites that are not back.".to_owned();
        }
        _ => {}
    }
    let Some(rest) = &report.forecast else {
        return "None yet for the time of the end; the numbers of sites are as recorded.".to_owned();
    };
    let settled = tally.returned + tally.degraded + tally.quarantined;
    let failing = u64::from(tally.quarantined) * 10 > u64::from(settled);
    let band = if rest.p50_s > 0.0 { (rest.p90_s - rest.p10_s) / rest.p50_s } else { 0.0 };
    let level = if rest.seeds < 2 || failing || band > FAIR {
        "Low"
    } else if band > NARROW || rest.measured < MEASURED {
        "Fair"
    } else {
        "High"
    };
    let mut why = vec![format!("the estimate rests on {} finished steps", rest.measured)];
    if rest.seeds > 1 {
        why.push(format!("its earliest and latest end lie {:.0} % of the rest apart", band * 100.0));
    }
    if failing {
        why.push("more than one in ten sites failed so far".to_owned());
    }
    format!("{level}: {}.", why.join("; "))
}
