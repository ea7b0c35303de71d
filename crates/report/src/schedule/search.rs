//! The search as callers see it: a rule alone, or a search that goes on as long as it is let.

use crate::schedule::bound::{LowerBound, lower_bound};
use crate::schedule::justify::Bench;
use crate::schedule::project::Project;
use crate::schedule::{large, population, sampling};

/// Activities above which single activities are no longer moved about, but kinds and lots of them.
const LARGE: usize = 1_500;

/// How ranks become a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// One activity after another, lowest rank first, each as early as it fits, also before what is placed already.
    Serial,
    /// From event to event, whatever fits starts at once, lowest rank first. So the engine runs a plan.
    Parallel,
}

/// A rule that ranks activities without any search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// In the order of their numbers, as far as precedence allows.
    Listed,
    /// The longest way to the end of the project first, own duration included (least latest start).
    LongestTail,
    /// The longest way after its end first (least latest finish).
    LatestFinish,
}

/// What to search from.
#[derive(Clone, Debug)]
pub struct Search {
    /// How ranks are to become a schedule.
    pub scheme: Scheme,
    /// Seed of all choices.
    pub seed: u64,
    /// Activities in a known order, lowest rank first, to start from and to fall back on; empty for none.
    pub first: Vec<u32>,
}

/// An order of activities, and how good it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Rank of each activity: 0 first, each number once.
    pub rank: Vec<u32>,
    /// Start of each activity when scheduled by these ranks.
    pub starts: Vec<u64>,
    /// When the last activity ends, in the project's units of time.
    pub makespan: u64,
    /// What the first order tried gave: the given one, else that of [`Rule::LatestFinish`].
    pub first: u64,
    /// What no order can beat.
    pub lower_bound: LowerBound,
    /// Schedules built, forward and backward ones alike.
    pub iterations: u64,
}

/// Ranks by a rule and schedules once.
#[must_use]
pub fn list_schedule(project: &Project, rule: Rule, scheme: Scheme) -> Order {
    let mut once = |_| false;
    let mut bench = Bench::new(project, scheme, lower_bound(project), &mut once);
    let list = sampling::list_by(project, rule);
    bench.forward(&list);
    bench.order()
}

/// Looks for an order under which the project ends early.
///
/// `go_on` is told the number of schedules built so far and says whether to build more; some are built in any case. The
/// search also ends when it meets the lower bound. The same arguments and the same answers give the same order, and the
/// makespan is never above that of [`Search::first`].
#[must_use]
pub fn optimise(project: &Project, search: &Search, go_on: &mut dyn FnMut(u64) -> bool) -> Order {
    let mut bench = Bench::new(project, search.scheme, lower_bound(project), go_on);
    if search.first.len() == project.len() {
        let list = sampling::made_feasible(project, &search.first);
        bench.forward(&list);
    }
    let list = sampling::list_by(project, Rule::LatestFinish);
    bench.forward(&list);
    if project.len() > LARGE {
        large::improve(&mut bench, search.seed);
    } else {
        population::improve(&mut bench, search.seed);
    }
    bench.order()
}
