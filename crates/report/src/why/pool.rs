//! A pool without room: who holds it, and who comes before.

use engine::{KeyIx, Plan, PoolIx, UnitIx};

use crate::duration::{count, span};
use crate::why::Asked;

/// Holders of slots that are named; the rest is counted.
const HOLDERS: usize = 3;

/// `shard_writes[shard-03]`.
pub(super) fn name(plan: &Plan, pool: PoolIx, key: KeyIx) -> String {
    let Some(spec) = plan.spec().pools.get(pool.ix()) else { return String::new() };
    match spec.per {
        Some(per) => format!("{}[{}]", spec.name, plan.key_name(per, key)),
        None => spec.name.clone(),
    }
}

/// What follows "waits for".
pub(super) fn reason(asked: &Asked<'_>, pool: PoolIx, key: KeyIx, unit: Option<UnitIx>) -> String {
    let run = asked.run;
    let name = name(run.plan(), pool, key);
    let Some(state) = run.pool_state(pool, key) else { return format!("pool {name}") };
    let rate = state.next_start.filter(|_| state.slots.is_none_or(|slots| state.used < slots));
    let mut text = match (rate, state.slots) {
        (Some(at), _) => {
            format!("the rate of pool {name}, which allows the next start in {}", span((at - asked.now).max(0)))
        }
        (None, Some(slots)) => format!("a slot of pool {name}: {} of {slots} in use", state.used),
        (None, None) => format!("pool {name}"),
    };
    if let Some(share) = state.share {
        let granted = state.slots.map_or_else(|| "no limit".to_owned(), |slots| slots.to_string());
        let limit = share.limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
        let runs = count(u64::from(share.runs), "run shares it", "runs share it");
        text = format!("{text} (granted {granted}{limit}; {runs})");
    }
    let holders = run.holders(pool, key);
    if !holders.is_empty() && rate.is_none() {
        let names: Vec<String> = holders.iter().take(HOLDERS).map(|&unit| run.unit_name(unit)).collect();
        let more = holders.len().saturating_sub(HOLDERS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        text = format!("{text}, by {}{more}", names.join(", "));
    }
    match unit.and_then(|unit| run.ahead_of(unit, pool, key)) {
        None => text,
        Some(0) => format!("{text}; it is the first in the queue"),
        Some(before) => format!("{text}; {} before it", count(before as u64, "ready unit comes", "ready units come")),
    }
}
