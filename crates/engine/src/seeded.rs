//! Choices that are a function of a seed (SplitMix64, Steele, Lea and Flood 2014): whoever has the seed has the choices.
//!
//! Nothing of chance is in here; where a seed comes from is the caller's business.

/// Mixes the bits of a number: the finaliser of SplitMix64, the same on every machine.
#[must_use]
pub fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(STEP);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Turns bits into a number from 0 up to, not including, `end`; 0 for 0.
#[must_use]
pub fn below(bits: u64, end: u64) -> u64 {
    let scaled = (u128::from(bits) * u128::from(end)) >> 64;
    u64::try_from(scaled).unwrap_or(0)
}

/// Turns bits into a number from 0 up to, not including, 1.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
pub fn share(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A row of choices: the same for the same seed.
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// Begins the row of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let bits = mix(self.0);
        self.0 = self.0.wrapping_add(STEP);
        bits
    }

    /// A position below `len`; 0 if `len` is 0.
    pub fn below(&mut self, len: usize) -> usize {
        usize::try_from(below(self.bits(), len as u64)).unwrap_or(0)
    }

    /// A number from 0 up to, not including, 1.
    pub fn unit(&mut self) -> f64 {
        share(self.bits())
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Moves `count` of the items to the front, drawn without putting back.
    pub fn draw<T>(&mut self, items: &mut [T], count: usize) {
        for at in 0..count.min(items.len()) {
            let other = at + self.below(items.len() - at);
            items.swap(at, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_of_a_seed_is_that_of_splitmix64() {
        // The reference implementation's first numbers for the seed 1234567.
        let mut row = Seeded::new(1_234_567);
        let first = [row.bits(), row.bits(), row.bits()];
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn nothing_is_drawn_beyond_its_end() {
        let mut row = Seeded::new(7);
        assert_eq!(row.below(0), 0);
        assert!((0..1_000).all(|_| row.below(3) < 3 && (0.0..1.0).contains(&row.unit())));
        let mut items = [1, 2, 3, 4, 5];
        row.draw(&mut items, 9);
        items.sort_unstable();
        assert_eq!(items, [1, 2, 3, 4, 5]);
    }
}
