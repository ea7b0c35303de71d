//! Lengths of time in few bytes, however many there are.

/// Counts of lengths of time in milliseconds, in buckets 1/32 wide relative to their start: percentiles are right to
/// within 1.6 %, the largest value is exact. At most about 4 KB, less for short times.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    sum: u64,
    max: u64,
}

/// Values below this are exact; above, each doubling has this many buckets.
const FINE: u64 = 32;
const FINE_BITS: u32 = 5;

impl Histogram {
    /// Counts one length of time; a negative one, from a clock set back, counts as 0.
    pub fn add(&mut self, ms: i64) {
        let ms = u64::try_from(ms).unwrap_or(0);
        let bucket = bucket_of(ms);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.total += 1;
        self.sum = self.sum.saturating_add(ms);
        self.max = self.max.max(ms);
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.total
    }

    /// Says whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Sum of the values, exact.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// Mean, rounded down; `None` without values.
    #[must_use]
    pub fn mean(&self) -> Option<u64> {
        self.sum.checked_div(self.total)
    }

    /// Largest value, exact; `None` without values.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        (self.total > 0).then_some(self.max)
    }

    /// Value that `percent` of all values do not exceed (nearest rank); `None` without values.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        if self.total == 0 {
            return None;
        }
        let rank = (u128::from(self.total) * u128::from(percent.min(100))).div_ceil(100).max(1);
        let mut seen = 0_u128;
        for (bucket, &count) in self.counts.iter().enumerate() {
            seen += u128::from(count);
            if seen >= rank {
                return Some(middle_of(bucket).min(self.max));
            }
        }
        Some(self.max)
    }

    /// The values as a ladder: each rung is how many values do not exceed it, and the value; ascending.
    pub(crate) fn ladder(&self) -> Vec<(u64, u64)> {
        let mut seen = 0;
        let rungs = self.counts.iter().enumerate().filter(|&(_, &count)| count > 0);
        rungs
            .map(|(bucket, &count)| {
                seen += count;
                (seen, middle_of(bucket).min(self.max))
            })
            .collect()
    }
}

fn bucket_of(ms: u64) -> usize {
    if ms < FINE {
        return usize::try_from(ms).unwrap_or(0);
    }
    let doubling = ms.ilog2() - FINE_BITS;
    let within = (ms >> doubling) - FINE;
    usize::try_from(u64::from(doubling + 1) * FINE + within).unwrap_or(usize::MAX)
}

fn middle_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < FINE {
        return bucket;
    }
    let doubling = bucket / FINE - 1;
    let start = (bucket % FINE + FINE) << doubling;
    start + (1 << doubling) / 2
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket() {
        for ms in (0..5000).chain([u64::from(u32::MAX), 1 << 40, u64::MAX >> 1]) {
            let middle = middle_of(bucket_of(ms));
            let off = middle.abs_diff(ms);
            assert!(off * 60 <= ms, "{ms} is shown as {middle}");
        }
    }

    #[test]
    fn percentiles_are_near_the_exact_ones() {
        let mut histogram = Histogram::default();
        for ms in 1..=10_000 {
            histogram.add(ms);
        }
        let near = |percent, exact: u64| histogram.percentile(percent).unwrap().abs_diff(exact) * 60 <= exact;
        assert!(near(50, 5000) && near(95, 9500) && near(99, 9900));
        assert_eq!(histogram.percentile(100), Some(10_000));
        assert_eq!(histogram.max(), Some(10_000));
        assert_eq!(histogram.mean(), Some(5000));
        assert_eq!(Histogram::default().percentile(50), None);
    }

    #[test]
    fn a_clock_set_back_counts_as_nothing() {
        let mut histogram = Histogram::default();
        histogram.add(-5);
        assert_eq!((histogram.percentile(50), histogram.len()), (Some(0), 1));
    }
}
