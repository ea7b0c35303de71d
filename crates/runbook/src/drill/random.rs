//! A seeded source of choices (SplitMix64): the same seed gives the same sample.

/// Gives the same numbers for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below `len`; 0 if `len` is 0.
    pub(crate) fn below(&mut self, len: u64) -> u64 {
        let wide = u128::from(self.bits()) * u128::from(len);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// Moves `count` of the items to the front, drawn at random.
    pub(crate) fn draw<T>(&mut self, items: &mut [T], count: usize) {
        for at in 0..count.min(items.len()) {
            let left = items.len() - at;
            let other = at + usize::try_from(self.below(left as u64)).unwrap_or(0);
            items.swap(at, other);
        }
    }
}
