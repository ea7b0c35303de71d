//! Lists of numbers stored end to end, two words of overhead in all instead of three a list.

/// List `i` is `values[offsets[i]..offsets[i + 1]]`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lists<T> {
    offsets: Vec<u32>,
    values: Vec<T>,
}

impl<T: Copy + Default> Lists<T> {
    /// Groups pairs by their first number, which is below `len`; the order within a list is that of the pairs.
    pub(crate) fn from_pairs(len: usize, pairs: impl Iterator<Item = (u32, T)> + Clone) -> Self {
        let mut offsets = vec![0_u32; len + 1];
        for (list, _) in pairs.clone() {
            offsets[list as usize + 1] += 1;
        }
        for ix in 0..len {
            offsets[ix + 1] += offsets[ix];
        }
        let mut next = offsets.clone();
        let mut values = vec![T::default(); offsets[len] as usize];
        for (list, value) in pairs {
            values[next[list as usize] as usize] = value;
            next[list as usize] += 1;
        }
        Self { offsets, values }
    }

    pub(crate) fn of(&self, list: u32) -> &[T] {
        &self.values[self.offsets[list as usize] as usize..self.offsets[list as usize + 1] as usize]
    }
}
