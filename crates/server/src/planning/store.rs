//! Plans that were shown and not launched yet, by their hashes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use engine::{Millis, Plan};

/// Plans kept at once; the oldest goes when there is one too many.
const MOST: usize = 16;
/// How long one is kept: what was looked at yesterday is looked at again.
const LASTS: Millis = 4 * 3_600_000;

/// A plan that was shown.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) plan: Arc<Plan>,
    /// Sites above which whoever launches it must type their number back.
    pub(crate) guarded: bool,
    at: Millis,
}

/// Plans that were shown.
#[derive(Debug, Default)]
pub(crate) struct ShownPlans {
    by_hash: Mutex<BTreeMap<String, Shown>>,
}

impl ShownPlans {
    pub(crate) fn keep(&self, plan: Arc<Plan>, guarded: bool, now: Millis) {
        let mut plans = self.by_hash.lock().unwrap_or_else(PoisonError::into_inner);
        plans.retain(|_, shown| now - shown.at < LASTS);
        if plans.len() >= MOST
            && let Some(oldest) = plans.iter().min_by_key(|(_, shown)| shown.at).map(|(hash, _)| hash.clone())
        {
            plans.remove(&oldest);
        }
        plans.insert(plan.hash().to_owned(), Shown { plan, guarded, at: now });
    }

    /// The plan of a hash, which may be given by its first 8 characters or more.
    pub(crate) fn of(&self, hash: &str, now: Millis) -> Option<Shown> {
        let plans = self.by_hash.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = plans.iter().filter(|(known, _)| hash.len() >= 8 && known.starts_with(hash));
        let shown = found.next().map(|(_, shown)| shown.clone());
        shown.filter(|shown| found.next().is_none() && now - shown.at < LASTS)
    }
}
