//! Plans that were shown and not launched yet, by their hashes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use engine::{Millis, Plan};
use runbook::Guard;

/// Plans kept at once; the oldest goes when there is one too many.
const MOST: usize = 16;
/// How long one is kept: what was looked at yesterday is looked at again.
const LASTS: Millis = 4 * 3_600_000;

#[derive(Debug)]
struct Shown {
    plan: Arc<Plan>,
    guard: Option<Guard>,
    at: Millis,
}

/// Plans that were shown.
#[derive(Debug, Default)]
pub(crate) struct ShownPlans {
    by_hash: Mutex<BTreeMap<String, Shown>>,
}

impl ShownPlans {
    pub(crate) fn keep(&self, plan: Arc<Plan>, guard: Option<Guard>, now: Millis) {
        let mut plans = self.by_hash.lock().unwrap_or_else(PoisonError::into_inner);
        plans.retain(|_, shown| now - shown.at < LASTS);
        if plans.len() >= MOST
            && let Some(oldest) = plans.iter().min_by_key(|(_, shown)| shown.at).map(|(hash, _)| hash.clone())
        {
            plans.remove(&oldest);
        }
        plans.insert(plan.hash().to_owned(), Shown { plan, guard, at: now });
    }

    /// The plan of a hash, with what its estate asks of large runs. The hash may be given by its first 8 characters or more.
    pub(crate) fn of(&self, hash: &str, now: Millis) -> Option<(Arc<Plan>, Option<Guard>)> {
        let plans = self.by_hash.lock().unwrap_or_else(PoisonError::into_inner);
        let good = |shown: &Shown| now - shown.at < LASTS;
        let mut found = plans.iter().filter(|(known, shown)| hash.len() >= 8 && known.starts_with(hash) && good(shown));
        let plan = found.next().map(|(_, shown)| (shown.plan.clone(), shown.guard.clone()));
        plan.filter(|_| found.next().is_none())
    }
}
