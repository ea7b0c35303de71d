//! What happens to an attempt.

/// What happens to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing unusual.
    Spared,
    /// It fails before anything is done.
    Failed,
    /// It is dropped after so many milliseconds, wherever it is then.
    Cut(u64),
    /// It is done, and nobody is told.
    Lost,
    /// It is done, and then done again under the same key with a higher token.
    Twice,
    /// It begins so many milliseconds later.
    Delayed(u64),
}

/// What is done to attempts, if not everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Only {
    /// Everything.
    #[default]
    All,
    /// They are delivered twice.
    Twice,
    /// They are cut off, or their answer is lost.
    Cut,
}

/// Attempts of a unit that are disturbed, the first ones.
const DISTURBED: u64 = 2;
/// When attempts are cut off: before most have begun anything, and in the middle.
const CUTS: [u64; 3] = [20, 150, 400];

/// Draws what happens to an attempt of a unit. The last of the attempts that its step has is never failed or cut, and one
/// whose action is not idempotent by its own word is never cut or repeated: the engine would not do that either.
#[must_use]
pub fn fate(seed: u64, unit: &str, attempt: u64, attempts: u64, idempotent: bool, only: Only) -> Fate {
    let mut bits = blake3::Hasher::new();
    bits.update(&seed.to_le_bytes()).update(&attempt.to_le_bytes()).update(unit.as_bytes());
    let bytes = bits.finalize();
    let number = |at: usize| u64::from(u16::from_le_bytes([bytes.as_bytes()[at], bytes.as_bytes()[at + 1]]));
    let cut = CUTS[usize::try_from(number(2)).unwrap_or(0) % CUTS.len()];
    let again = attempt <= DISTURBED && attempt < attempts;
    let drawn = match (only, number(0) % 100) {
        (Only::All, 0..15) => Fate::Failed,
        (Only::All, 15..40) | (Only::Cut, 0..75) => Fate::Cut(cut),
        (Only::All, 40..55) | (Only::Cut, _) => Fate::Lost,
        (Only::All, 55..80) | (Only::Twice, _) => Fate::Twice,
        (Only::All, 80..90) => Fate::Delayed(cut),
        (Only::All, _) => Fate::Spared,
    };
    match drawn {
        Fate::Failed if !again => Fate::Spared,
        Fate::Cut(_) | Fate::Lost if !again || !idempotent => Fate::Spared,
        Fate::Twice if !idempotent => Fate::Spared,
        drawn => drawn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_can_still_succeed_and_every_fate_is_drawn() {
        let mut seen = std::collections::BTreeSet::new();
        for unit in 0..500 {
            let unit = format!("work/s{unit}");
            for attempt in 1..=4 {
                let drawn = fate(7, &unit, attempt, 3, true, Only::All);
                assert_eq!(drawn, fate(7, &unit, attempt, 3, true, Only::All));
                seen.insert(format!("{drawn:?}").split('(').next().map(str::to_owned));
                if attempt >= 3 {
                    assert!(!matches!(drawn, Fate::Failed | Fate::Cut(_) | Fate::Lost), "{unit} {attempt}");
                }
                let careful = fate(7, &unit, attempt, 3, false, Only::All);
                assert!(!matches!(careful, Fate::Cut(_) | Fate::Lost | Fate::Twice), "{unit} {attempt}");
            }
        }
        assert_eq!(seen.len(), 6);
    }
}
