//! What can be asked of the run from the screen: the same verbs as on the command line, on the same ways.

use runtime::Store;
use server::live::{Item, Kind, Snapshot};
use server::verbs::Truth;

use crate::ask::{self, Asked};
use crate::failure::Failure;

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
    Resolve(Item, Truth),
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
            Self::Resolve(item, Truth::Done) => format!("{} done", of("resolve", item)),
            Self::Resolve(item, Truth::NotDone) => format!("{} not-done", of("resolve", item)),
            Self::Resolve(item, Truth::GiveUp) => format!("{} give-up", of("resolve", item)),
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
            Self::Resolve(item, Truth::Done) => format!("its effect IS THERE; {} on", go(item.sites)),
            Self::Resolve(item, Truth::NotDone) => {
                format!("its effect IS NOT THERE; it runs again, for {}", sites(item.sites))
            }
            Self::Resolve(item, Truth::GiveUp) => format!("not worth finding out; quarantines {}", sites(item.sites)),
        }
    }

    /// The verb as the command line takes it.
    fn what(&self) -> server::verbs::Verb {
        use server::verbs::Verb as What;
        match self {
            Self::Pause => What::Pause,
            Self::Continue => What::Continue,
            Self::Approve(item) => What::Approve { gate: item.subject.clone(), checked: Vec::new() },
            Self::Reject(item) => What::Reject { gate: item.subject.clone() },
            Self::Retry(item) => What::Retry { subject: item.subject.clone() },
            Self::RetryAll => What::RetryQuarantined,
            Self::Resolve(item, truth) => What::Resolve { unit: item.subject.clone(), truth: *truth },
        }
    }

    /// Takes the verb; the event is durable on return.
    ///
    /// # Errors
    /// As on the command line: if the run refuses it, the driver does not answer, or the store fails.
    pub(super) async fn take(&self, store: &dyn Store, run: &str, reason: &str) -> Result<Asked, Failure> {
        ask::take(store, run, reason, &self.what()).await
    }
}
