//! What is told of an event.

use engine::{Decree, Event, Mode, Ruling, Then};

/// What is told of an event; `undo` says whether it settles something that is being taken back, if that is known.
pub(super) fn detail(event: &Event, undo: Option<bool>) -> Option<String> {
    Some(match event {
        Event::Opened { actor, plan } => format!("by {actor}, plan {plan}"),
        Event::Adopted { epoch, holder } => format!("by {holder}, epoch {epoch}"),
        Event::Started { attempt, mode: Mode::Apply, .. } => format!("attempt {attempt}"),
        Event::Started { attempt, mode: Mode::Probe, .. } => format!("attempt {attempt}, a probe"),
        Event::Started { attempt, mode: Mode::Undo, .. } => format!("attempt {attempt}, an undo"),
        Event::Started { attempt, mode: Mode::ProbeUndo, .. } => format!("attempt {attempt}, a probe of the undo"),
        Event::Refused { failure, then, .. } | Event::InDoubt { failure, then, .. } => {
            format!("[{}] {}; {}", failure.code, failure.message, what_follows(*then))
        }
        Event::NotBegun { then, .. } => format!("nobody had taken it up; {}", what_follows_no_attempt(*then)),
        Event::Unevaluable { failure, .. } => format!("[{}] {}", failure.code, failure.message),
        Event::Decided { runs, .. } => if *runs { "runs" } else { "skipped" }.to_owned(),
        Event::Expanded { items, .. } => format!("{} items", items.len()),
        Event::SiteEnded { end, .. } => format!("{end:?}").to_lowercase(),
        Event::Ended { end } => format!("{end:?}"),
        Event::Paused { actor, reason } | Event::Continued { actor, reason } | Event::Cancelled { actor, reason } => {
            format!("by {actor}: {reason}")
        }
        Event::Ruled { ruling, actor, reason, .. } => {
            let ruling = match (ruling, undo) {
                (Ruling::Done, Some(false)) => "done",
                (Ruling::Done, Some(true)) => "taken back",
                (Ruling::Again, Some(false)) => "not done",
                (Ruling::Again, Some(true)) => "not taken back yet",
                (Ruling::GiveUp, Some(false)) => "given up",
                (Ruling::GiveUp, Some(true)) => "left as it is, not taken back",
                (Ruling::Done, None) => "`resolve done`",
                (Ruling::Again, None) => "`resolve not-done`",
                (Ruling::GiveUp, None) => "`resolve give-up`",
            };
            format!("{ruling}, by {actor}: {reason}")
        }
        Event::Clock
        | Event::Succeeded { .. }
        | Event::BatchOpened { .. }
        | Event::BatchSettled { .. }
        | Event::BudgetExceeded { .. } => return None,
        Event::Rejected { actor, reason, .. }
        | Event::Approved { actor, reason, .. }
        | Event::Retried { actor, reason, .. }
        | Event::Unwinding { actor, reason }
        | Event::Amended { actor, reason, .. } => format!("by {actor}: {reason}"),
        Event::Lapsed { .. } => "nobody decided in time".to_owned(),
        Event::Overruled { how, actor, reason, .. } => {
            let how = match (how, undo) {
                (Decree::Skip, Some(false)) => "skipped",
                (Decree::Skip, Some(true)) => "left as it is, not taken back,",
                (Decree::Done { .. }, Some(false)) => "marked done",
                (Decree::Done { .. }, Some(true)) => "marked as taken back",
                // Of the step or of its undo: what was typed is true of both.
                (Decree::Skip, None) => "`skip`",
                (Decree::Done { .. }, None) => "`mark-done`",
            };
            format!("{how} by {actor}: {reason}")
        }
        Event::TakenOut { how, actor, reason, .. } => format!("{how:?} by {actor}: {reason}").to_lowercase(),
        Event::SiteAdopted { from, actor, reason, .. } => format!("from run {from} by {actor}: {reason}"),
        Event::PoolSet { slots, actor, reason, .. } => format!("{slots} slots, by {actor}: {reason}"),
        Event::Granted { slots, sharers, .. } => format!("{slots} slots, {sharers} runs share them"),
        Event::Closing { end } => format!("{end:?}"),
    })
}

/// What comes after an attempt that nobody began, in words: it is no try, and nothing is waited for.
pub(super) fn what_follows_no_attempt(then: Then) -> &'static str {
    match then {
        Then::ApplyAt(_) | Then::ProbeAt(_) => "it is started again",
        Then::Drop | Then::GiveUp | Then::Park => what_follows(then),
    }
}

/// What comes after an attempt without success, in words.
#[must_use]
pub fn what_follows(then: Then) -> &'static str {
    match then {
        Then::ApplyAt(_) => "tried again later",
        Then::ProbeAt(_) => "the target is asked",
        Then::GiveUp => "given up",
        Then::Park => "waits for an operator",
        Then::Drop => "not tried again, since its site is out or the run is ending",
    }
}
