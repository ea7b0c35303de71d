//! Exact percentiles and spreads of values that there is one of per site.

use crate::duration::seconds;
use crate::report::kinds::{Distribution, Objective};

/// Ranges in a distribution.
const RANGES: i64 = 24;

/// Value that `percent` of the sorted values do not exceed (nearest rank).
pub(crate) fn percentile(sorted: &[i64], percent: usize) -> Option<i64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// Sums up measured milliseconds against an objective; `met` is left to the caller.
pub(crate) fn objective(mut measured: Vec<i64>, objective_ms: Option<u64>) -> Objective {
    measured.sort_unstable();
    let limit = objective_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
    let within = limit.map_or(measured.len(), |limit| measured.partition_point(|&ms| ms <= limit));
    Objective {
        objective_s: limit.map(seconds),
        met: None,
        measured: narrow(measured.len()),
        beyond: narrow(measured.len() - within),
        missing: 0,
        p50_s: percentile(&measured, 50).map(seconds),
        p95_s: percentile(&measured, 95).map(seconds),
        max_s: measured.last().copied().map(seconds),
        distribution: distribution(&measured),
    }
}

fn distribution(sorted: &[i64]) -> Distribution {
    let (Some(&first), Some(&last)) = (sorted.first(), sorted.last()) else { return Distribution::default() };
    // A range from 0 shows sizes as they are; values that lie close together far from 0 are shown from their first.
    let from = if first >= 0 && first < last.saturating_sub(first).saturating_mul(4) { 0 } else { first };
    let width = (last.saturating_sub(from) / RANGES + 1).max(1);
    let mut counts = vec![0_u32; usize::try_from(last.saturating_sub(from) / width + 1).unwrap_or(1)];
    for &ms in sorted {
        if let Some(count) = usize::try_from((ms - from) / width).ok().and_then(|range| counts.get_mut(range)) {
            *count += 1;
        }
    }
    Distribution { from_s: seconds(from), width_s: seconds(width), counts }
}

pub(crate) fn narrow(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        assert_eq!(percentile(&[], 50), None);
        assert_eq!(percentile(&[7], 95), Some(7));
        assert_eq!(percentile(&[1, 2, 3, 4], 50), Some(2));
        assert_eq!(percentile(&[1, 2, 3, 4], 95), Some(4));
    }

    #[test]
    fn every_value_is_in_the_distribution() {
        for values in [vec![5, 5, 5], vec![0, 1, 1000], vec![-20, 3], vec![300_000; 57], (0..883).collect()] {
            let objective = objective(values.clone(), Some(4));
            assert_eq!(objective.distribution.counts.iter().sum::<u32>() as usize, values.len());
            assert_eq!(objective.beyond as usize, values.iter().filter(|&&ms| ms > 4).count());
        }
    }
}
