//! Numbers that look random and are a function of what they are for, so that a seed is the whole story of a forecast.
//!
//! A drawing depends on seed, unit and attempt, never on the order in which things happen: two forecasts that differ in
//! a pool draw the same durations, so that their difference is the pool's.

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

/// Turns bits into a number from 0 up to, not including, `end`; 0 for 0.
pub(super) fn below(bits: u64, end: u64) -> u64 {
    let scaled = (u128::from(bits) * u128::from(end)) >> 64;
    u64::try_from(scaled).unwrap_or(0)
}

/// Turns bits into a number from 0 up to, not including, 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
pub(super) fn share(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Mixes the bits of a number (the finaliser of SplitMix64, Steele, Lea and Flood 2014).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
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
