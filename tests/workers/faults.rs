//! What befalls hosts and their processes, and what ends it again.

use std::time::{Duration, Instant};

use reinstate_tests::random::Random;

use crate::fleet::Fleet;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// `kill -9`; a supervisor starts it again.
    Kill,
    /// `kill -9` of all that it has started, too, as when the machine is lost.
    Crash,
    /// It stands still, as a machine that is suspended does.
    Still,
    /// Nothing comes through, either way.
    Cut,
    /// What it sends is lost.
    Mute,
    /// What the store sends to it is lost.
    Deaf,
    /// Its wall clock jumps, and later jumps back.
    Clock,
    /// The store's server is stopped as by a power cut, and comes back.
    Store,
    /// The store's server is lost for good; the one that stands by takes changes, and its place.
    Promote,
    /// The same, but for a while it is in its place and takes no changes.
    Early,
}

use Fault::{Clock, Crash, Cut, Deaf, Early, Kill, Mute, Promote, Still, Store};

/// A fault that has begun.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    pub fault: Fault,
    /// Whom it befalls; the store if nobody.
    pub whom: Option<usize>,
    pub until: Instant,
    /// Where its clock is, in seconds, if that is what befalls it.
    pub clock: i64,
}

/// Every kind of fault, of workers and of drivers.
pub const ALL: [(Fault, bool); 17] = [
    (Kill, false),
    (Crash, false),
    (Still, false),
    (Cut, false),
    (Mute, false),
    (Deaf, false),
    (Clock, false),
    (Kill, true),
    (Crash, true),
    (Still, true),
    (Cut, true),
    (Mute, true),
    (Deaf, true),
    (Clock, true),
    (Store, false),
    (Promote, false),
    (Early, false),
];

/// Longer than a driver's lease, with time for the other one to see that.
const DRIVER_GONE_MS: u64 = 22_000;
const WORKER_GONE_MS: u64 = 8_000;

/// How long a fault lasts: now shorter and now longer than the lease of whom it befalls.
pub fn lasts(fault: Fault, drives: bool, random: &mut Random) -> Duration {
    let most = match (fault, drives) {
        (Kill | Crash | Store | Promote | Early, _) => 2_500,
        (_, true) => DRIVER_GONE_MS,
        (_, false) => WORKER_GONE_MS,
    };
    Duration::from_millis(random.between(most / 20, most))
}

impl Fault {
    /// Whether it befalls the store.
    pub fn is_of_store(self) -> bool {
        matches!(self, Store | Promote | Early)
    }
}

pub fn begin(fleet: &mut Fleet, begun: Begun) {
    let Some(ix) = begun.whom else {
        fleet.store.kill();
        if begun.fault == Early {
            fleet.take_place();
        }
        return;
    };
    match begun.fault {
        Kill => fleet.members[ix].kill(),
        Crash => {
            fleet.members[ix].host.crash();
            fleet.members[ix].kill();
        }
        Still => fleet.members[ix].signal("-STOP"),
        Clock => fleet.members[ix].clock.jump_to(begun.clock),
        Cut => fleet.members[ix].host.cut(),
        Mute => fleet.members[ix].host.lose_to(&fleet.store_host),
        Deaf => fleet.store_host.lose_to(&fleet.members[ix].host),
        Store | Promote | Early => {}
    }
}

pub fn end(fleet: &mut Fleet, begun: Begun) {
    let Some(ix) = begun.whom else {
        match begun.fault {
            Early => fleet.take_over(),
            Promote => {
                fleet.take_place();
                fleet.take_over();
            }
            _ => fleet.store.start_again(),
        }
        return;
    };
    match begun.fault {
        Kill | Crash => fleet.begin(ix),
        Still => fleet.members[ix].signal("-CONT"),
        Clock => fleet.members[ix].clock.jump_to(0),
        Cut => fleet.members[ix].host.mend(),
        Mute => fleet.members[ix].host.find(&fleet.store_host),
        Deaf => fleet.store_host.find(&fleet.members[ix].host),
        Store | Promote | Early => {}
    }
}
