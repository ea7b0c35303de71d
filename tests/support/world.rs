//! The model world that simulated attempts act on: what truly happened, as opposed to what was told.

use std::collections::BTreeMap;

use engine::UnitIx;

/// Effects by unit, as a target with a ledger keeps them.
#[derive(Clone, Debug, Default)]
pub struct World {
    effects: BTreeMap<UnitIx, Effect>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Effect {
    count: u32,
    token: u32,
}

/// What the target can do against being called twice.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// It knows keys: the same key again changes nothing.
    pub knows_keys: bool,
    /// It knows tokens: a lower one than it has seen is refused.
    pub knows_tokens: bool,
}

impl World {
    /// An attempt reaches the target. Returns whether its effect is there afterwards.
    pub fn reach(&mut self, unit: UnitIx, token: u32, target: Target) -> bool {
        let effect = self.effects.entry(unit).or_default();
        if target.knows_tokens && token < effect.token {
            return false;
        }
        effect.token = effect.token.max(token);
        if !(target.knows_keys && effect.count > 0) {
            effect.count += 1;
        }
        true
    }

    /// A probe reaches the target: from here on it refuses older attempts.
    pub fn probe(&mut self, unit: UnitIx, token: u32) -> bool {
        let effect = self.effects.entry(unit).or_default();
        effect.token = effect.token.max(token);
        effect.count > 0
    }

    /// How often a unit's effect was made.
    #[must_use]
    pub fn count(&self, unit: UnitIx) -> u32 {
        self.effects.get(&unit).map_or(0, |effect| effect.count)
    }
}
