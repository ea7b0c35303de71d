//! Plans that were shown and not launched yet, by their hashes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use engine::{Millis, Plan};
use runbook::Guard;
use serde_json::Value;

use crate::planning::means_plan;

/// Plans kept at once; the oldest goes when there is one too many.
const MOST: usize = 16;
/// How long one is kept: what was looked at yesterday is looked at again.
const LASTS: Millis = 4 * 3_600_000;

/// A plan as it was shown.
#[derive(Clone, Debug)]
pub(crate) struct ShownPlan {
    pub(crate) plan: Arc<Plan>,
    /// What its estate asks of large runs.
    pub(crate) guard: Option<Guard>,
    /// The plan as data.
    pub(crate) view: Arc<Value>,
    at: Millis,
}

/// Plans that were shown.
#[derive(Debug, Default)]
pub(crate) struct ShownPlans {
    by_hash: Mutex<BTreeMap<String, ShownPlan>>,
}

impl ShownPlans {
    pub(crate) fn keep(&self, plan: Arc<Plan>, guard: Option<Guard>, view: Arc<Value>, now: Millis) {
        let mut plans = self.by_hash.lock().unwrap_or_else(PoisonError::into_inner);
        plans.retain(|_, shown| now - shown.at < LASTS);
        if plans.len() >= MOST
            && let Some(oldest) = plans.iter().min_by_key(|(_, shown)| shown.at).map(|(hash, _)| hash.clone())
        {
            plans.remove(&oldest);
        }
        plans.insert(plan.hash().to_owned(), ShownPlan { plan, guard, view, at: now });
    }

    /// The plan of a hash, which may be given by its first 8 characters or more.
    pub(crate) fn of(&self, hash: &str, now: Millis) -> Option<ShownPlan> {
        let plans = self.by_hash.lock().unwrap_or_else(PoisonError::into_inner);
        let good = |shown: &ShownPlan| now - shown.at < LASTS;
        let mut found = plans.iter().filter(|(known, shown)| means_plan(hash, known) && good(shown));
        let plan = found.next().map(|(_, shown)| shown.clone());
        plan.filter(|_| found.next().is_none())
    }
}
