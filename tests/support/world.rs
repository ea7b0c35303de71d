//! The model world that simulated attempts act on: what truly happened, as opposed to what was told.

use std::collections::BTreeMap;

/// Effects by idempotency key, as a target with a ledger keeps them.
#[derive(Clone, Debug, Default)]
pub struct World {
    effects: BTreeMap<String, Effect>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Effect {
    count: u32,
    token: u32,
    /// Taken back, or made by hand: whatever comes under this key from now on is refused.
    closed: bool,
    /// Made by a person, whose word for it may be lost with the driver that heard it.
    by_hand: bool,
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
    pub fn reach(&mut self, key: &str, token: u32, target: Target) -> bool {
        let effect = self.effects.entry(key.to_owned()).or_default();
        if effect.closed || (target.knows_tokens && token < effect.token) {
            return false;
        }
        effect.token = effect.token.max(token);
        if !(target.knows_keys && effect.count > 0) {
            effect.count += 1;
        }
        true
    }

    /// A probe reaches the target: from here on it refuses older attempts.
    pub fn probe(&mut self, key: &str, token: u32) -> bool {
        let effect = self.effects.entry(key.to_owned()).or_default();
        effect.token = effect.token.max(token);
        effect.count > 0
    }

    /// An undo reaches the target.
    pub fn take_back(&mut self, key: &str) {
        let effect = self.effects.entry(key.to_owned()).or_default();
        effect.count = 0;
        effect.closed = true;
    }

    /// Whether the effect of a key was taken back.
    #[must_use]
    pub fn is_taken_back(&self, key: &str) -> bool {
        self.effects.get(key).is_some_and(|effect| effect.closed && effect.count == 0)
    }

    /// A person makes the effect by hand, and sees to it that no late attempt makes it again.
    pub fn by_hand(&mut self, key: &str) {
        let effect = self.effects.entry(key.to_owned()).or_default();
        *effect = Effect { count: 1, token: u32::MAX, closed: true, by_hand: true };
    }

    /// How often the effect of a key is there.
    #[must_use]
    pub fn count(&self, key: &str) -> u32 {
        self.effects.get(key).map_or(0, |effect| effect.count)
    }

    /// How often attempts made the effects of all keys of a unit: its key and what its later lives append to it.
    #[must_use]
    pub fn acted(&self, keys: &[String]) -> u32 {
        let of_unit = |key: &&String| {
            keys.iter().any(|base| {
                **key == *base || key.strip_prefix(base.as_str()).is_some_and(|rest| rest.starts_with("/again-"))
            })
        };
        let acted = self.effects.iter().filter(|(key, effect)| of_unit(key) && !effect.by_hand);
        acted.map(|(_, effect)| effect.count).sum()
    }
}
