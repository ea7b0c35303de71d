//! Numbers that look random and are a function of what they are for, so that a seed is the whole story of a forecast.
//!
//! A drawing depends on seed, unit and attempt, never on the order in which things happen: two forecasts that differ in
//! a pool draw the same durations, so that their difference is the pool's.

use engine::mix;

/// What a number is drawn for; each kind gives numbers of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum For {
    Duration = 1,
    Outcome = 2,
    Rest = 3,
    Source = 4,
    Condition = 5,
    Items = 6,
}

/// Draws 64 bits.
pub(super) fn draw(seed: u64, what: For, of: u64, which: u64) -> u64 {
    let mut bits = mix(seed.wrapping_mul(8).wrapping_add(what as u64));
    bits = mix(bits ^ of);
    mix(bits ^ which.rotate_left(32))
}

#[cfg(test)]
mod tests {
    use engine::{below, share};

    use super::*;

    #[test]
    fn drawings_cover_their_range_evenly_and_repeat() {
        let mut counts = [0_u32; 10];
        for of in 0..10_000 {
            let bits = draw(7, For::Duration, of, 1);
            assert_eq!(bits, draw(7, For::Duration, of, 1));
            counts[usize::try_from(below(bits, 10)).unwrap_or(0)] += 1;
            assert!((0.0..1.0).contains(&share(bits)));
        }
        assert!(counts.iter().all(|&count| (900..1100).contains(&count)), "{counts:?}");
        assert_eq!(below(u64::MAX, 0), 0);
        assert_ne!(draw(7, For::Duration, 1, 1), draw(8, For::Duration, 1, 1));
        assert_ne!(draw(7, For::Duration, 1, 1), draw(7, For::Outcome, 1, 1));
        assert_ne!(draw(7, For::Duration, 1, 2), draw(7, For::Duration, 2, 1));
    }
}
