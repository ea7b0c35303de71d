//! What can be asked of the run from the screen: the same verbs as on the command line, on the same ways.

use std::sync::Arc;

use engine::{Again, Command, Ruling, Run};
use runtime::Store;

use super::snapshot::{Item, Kind, Snapshot};
use crate::args::OfRun;
use crate::ask::{self, Asked};
use crate::commands::verbs::hold_again;
use crate::failure::Failure;
use crate::subject;

/// A verb with what it is about, by name: numbers may change under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Pause,
    Continue,
    Approve(Item),
    Reject(Item),
    /// A site or a unit.
    Retry(Item),
    RetryAll,
    Resolve(Item, Ruling),
}

impl Verb {
    /// The verb and its subject, as the command line has them.
    pub(super) fn name(&self) -> String {
        let of = |verb: &str, item: &Item| format!("{verb} {}", report::plain(&item.subject));
        match self {
            Self::Pause => "pause".to_owned(),
            Self::Continue => "continue".to_owned(),
            Self::Approve(item) => of("approve", item),
            Self::Reject(item) => of("reject", item),
            Self::Retry(item) => of("retry", item),
            Self::RetryAll => "retry --quarantined".to_owned(),
            Self::Resolve(item, Ruling::Done) => format!("{} done", of("resolve", item)),
            Self::Resolve(item, Ruling::Again) => format!("{} not-done", of("resolve", item)),
            Self::Resolve(item, Ruling::GiveUp) => format!("{} give-up", of("resolve", item)),
        }
    }

    /// What it will touch, for the one who is about to send it.
    pub(super) fn touches(&self, seen: &Snapshot) -> String {
        let sites = |number: u32| if number == 1 { "1 site".to_owned() } else { format!("{number} sites") };
        let go = |number: u32| if number == 1 { "1 site goes".to_owned() } else { format!("{number} sites go") };
        let flying = match seen.in_flight {
            0 => "nothing is in flight".to_owned(),
            1 => "1 attempt in flight finishes".to_owned(),
            many => format!("{many} attempts in flight finish"),
        };
        match self {
            Self::Pause => {
                format!("nothing new starts, {flying}; {} stay open", sites(seen.sites.under_way + seen.sites.waiting))
            }
            Self::Continue => format!("{} on", go(seen.sites.under_way + seen.sites.waiting)),
            Self::Approve(item) if item.kind == Kind::Gate => format!("{} may start", sites(item.sites)),
            Self::Approve(item) => format!("{} may go on", sites(item.sites)),
            Self::Reject(item) if item.kind == Kind::Gate => {
                format!("CANCELS THE WHOLE RUN: {} never start, {flying}", sites(item.sites))
            }
            Self::Reject(item) => format!("the step fails for {}", sites(item.sites)),
            Self::Retry(item) if item.kind == Kind::Stuck => format!("one step runs again, for {}", sites(item.sites)),
            Self::Retry(_) => "1 site runs again where it failed".to_owned(),
            Self::RetryAll => format!("{}: each runs again where it failed", sites(seen.sites.quarantined)),
            Self::Resolve(item, Ruling::Done) => format!("its effect IS THERE; {} on", go(item.sites)),
            Self::Resolve(item, Ruling::Again) => {
                format!("its effect IS NOT THERE; it runs again, for {}", sites(item.sites))
            }
            Self::Resolve(item, Ruling::GiveUp) => format!("not worth finding out; quarantines {}", sites(item.sites)),
        }
    }

    /// The command for a run as it is now.
    fn command(&self, run: &Run) -> Result<Command, Failure> {
        Ok(match self {
            Self::Pause => Command::Pause,
            Self::Continue => Command::Continue,
            Self::Approve(item) => Command::Approve { gate: subject::gate(run, &item.subject)? },
            Self::Reject(item) => Command::Reject { gate: subject::gate(run, &item.subject)? },
            Self::Retry(item) if item.kind == Kind::Stuck => {
                Command::Retry { what: Again::Unit(subject::unit(run, &item.subject)?) }
            }
            Self::Retry(item) => Command::Retry { what: Again::Site(subject::site(run, &item.subject)?) },
            Self::RetryAll => Command::Retry { what: Again::Quarantined },
            Self::Resolve(item, ruling) => Command::Rule { unit: subject::unit(run, &item.subject)?, ruling: *ruling },
        })
    }

    /// Takes the verb; the event is durable on return.
    ///
    /// # Errors
    /// As on the command line: if the run refuses it, the driver does not answer, or the store fails.
    pub(super) async fn take(&self, store: &Arc<dyn Store>, of: &OfRun, reason: &str) -> Result<Asked, Failure> {
        if matches!(self, Self::Retry(_) | Self::RetryAll) {
            hold_again(of).await?;
        }
        ask::command(&**store, &of.name, reason, |run| self.command(run)).await
    }
}
