//! What happens to an attempt.

use engine::Disturbance;

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

/// Attempts of a unit that are disturbed, the first ones.
const DISTURBED: u64 = 2;
/// When attempts are cut off: before most have begun anything, and in the middle.
const CUTS: [u64; 3] = [20, 150, 400];

/// Draws what happens to an attempt of a unit. The last of the attempts that its step has is left alone: what is cut off or
/// comes too late would have no other. One whose action is not idempotent by its own word is never cut or repeated: the
/// engine would not do that either.
#[must_use]
pub fn fate(seed: u64, unit: &str, attempt: u64, attempts: u64, idempotent: bool, by: Disturbance) -> Fate {
    let mut bits = blake3::Hasher::new();
    bits.update(&seed.to_le_bytes()).update(&attempt.to_le_bytes()).update(unit.as_bytes());
    let bytes = bits.finalize();
    let number = |at: usize| u64::from(u16::from_le_bytes([bytes.as_bytes()[at], bytes.as_bytes()[at + 1]]));
    let cut = CUTS[usize::try_from(number(2)).unwrap_or(0) % CUTS.len()];
    if attempt >= attempts {
        return Fate::Spared;
    }
    let again = attempt <= DISTURBED;
    let drawn = match (by, number(0) % 100) {
        (Disturbance::All, 0..15) => Fate::Failed,
        (Disturbance::All, 15..40) | (Disturbance::Cut, 0..75) => Fate::Cut(cut),
        (Disturbance::All, 40..55) | (Disturbance::Cut, _) => Fate::Lost,
        (Disturbance::All, 55..80) | (Disturbance::Twice, _) => Fate::Twice,
        (Disturbance::All, 80..90) => Fate::Delayed(cut),
        (Disturbance::All, _) => Fate::Spared,
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
    fn the_last_attempt_of_a_unit_is_left_alone_and_every_fate_is_drawn() {
        let mut seen = std::collections::BTreeSet::new();
        for unit in 0..500 {
            let unit = format!("work/s{unit}");
            for attempt in 1..=4 {
                let drawn = fate(7, &unit, attempt, 3, true, Disturbance::All);
                assert_eq!(drawn, fate(7, &unit, attempt, 3, true, Disturbance::All));
                seen.insert(format!("{drawn:?}").split('(').next().map(str::to_owned));
                if attempt >= 3 {
                    assert_eq!(drawn, Fate::Spared, "{unit} {attempt}: no attempt would come after it");
                }
                let careful = fate(7, &unit, attempt, 3, false, Disturbance::All);
                assert!(!matches!(careful, Fate::Cut(_) | Fate::Lost | Fate::Twice), "{unit} {attempt}");
            }
        }
        assert_eq!(seen.len(), 6);
    }
}
