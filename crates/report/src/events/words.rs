//! Events of note in words.

use engine::{Event, Record, Run, Status};

use crate::escape::plain;
use crate::events::detail::what_follows_no_attempt;
use crate::events::what_follows;
use crate::fold::{end_words, told};

/// An event of note that was just applied, in words that cannot move a cursor; `None` for starts and successes of single
/// units.
#[must_use]
pub fn noted(run: &Run, record: &Record) -> Option<String> {
    let plan = run.plan();
    let text = match &record.event {
        Event::BatchOpened { batch } => {
            let sites = plan.batch_sites(*batch).len();
            format!("batch {} opens: {sites} {}", batch.0 + 1, if sites == 1 { "site" } else { "sites" })
        }
        Event::BatchSettled { batch } => {
            format!("batch {} is settled, {} out", batch.0 + 1, run.batch_failures(*batch))
        }
        Event::SiteEnded { site, end } => {
            format!("site {} {}", plan.spec().sites.id(*site), format!("{end:?}").to_lowercase())
        }
        Event::Refused { unit, failure, then } => {
            format!("{} refused [{}]: {}; {}", run.unit_name(*unit), failure.code, failure.message, what_follows(*then))
        }
        Event::InDoubt { unit, failure, then } => {
            format!(
                "{} in doubt [{}]: {}; {}",
                run.unit_name(*unit),
                failure.code,
                failure.message,
                what_follows(*then)
            )
        }
        Event::NotBegun { unit, then } => {
            format!(
                "{} was not begun: nobody had taken it up; {}",
                run.unit_name(*unit),
                what_follows_no_attempt(*then)
            )
        }
        Event::BudgetExceeded { batch } => format!("batch {} exceeded its failure budget", batch.0 + 1),
        Event::Paused { actor, reason } => format!("paused by {actor}: {reason}"),
        Event::Continued { actor, reason } => format!("continued by {actor}: {reason}"),
        Event::Cancelled { actor, reason } => format!("cancelled by {actor}: {reason}"),
        event if event_of_people(event) => told(run, event)?,
        Event::Adopted { epoch, .. } if *epoch > 1 => {
            "taken up again: attempts that were in flight are checked first".to_owned()
        }
        Event::Ended { .. } => match run.status() {
            Status::Ended(end) => format!("ended: {}", end_words(end)),
            _ => return None,
        },
        _ => return None,
    };
    Some(plain(&text))
}

/// Whether an event is a person's, or the want of one.
fn event_of_people(event: &Event) -> bool {
    matches!(
        event,
        Event::Approved { .. }
            | Event::Rejected { .. }
            | Event::Lapsed { .. }
            | Event::Retried { .. }
            | Event::Overruled { .. }
            | Event::TakenOut { .. }
            | Event::SiteAdopted { .. }
            | Event::PoolSet { .. }
            | Event::Unwinding { .. }
            | Event::Closing { .. }
            | Event::Amended { .. }
            | Event::Ruled { .. }
    )
}
