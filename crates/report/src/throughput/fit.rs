//! Nonnegative least squares on relative error, and how far off a fit is where it was not shown the answer.

/// Coefficients of features, none below zero: they stand for times, and no part of a run takes less than none.
///
/// `rows` are the features of each observation, all of one length of at most 6; `values` are above 0 and weigh alike: what is
/// made small is the sum of squares of relative errors. `None` if there is nothing to fit or a value is not above 0.
#[must_use]
pub fn fit(rows: &[Vec<f64>], values: &[f64]) -> Option<Vec<f64>> {
    let features = rows.first()?.len();
    let fits = rows.len() == values.len() && (1..=6).contains(&features);
    if !fits
        || rows.iter().any(|row| row.len() != features)
        || values.iter().any(|value| !value.is_finite() || *value <= 0.0)
    {
        return None;
    }
    let relative: Vec<Vec<f64>> =
        rows.iter().zip(values).map(|(row, value)| row.iter().map(|feature| feature / value).collect()).collect();
    // With a handful of features every set of those that are above zero can be tried, which is exact.
    let sets = 1_u32..1 << features;
    let tried = sets.filter_map(|set| {
        let chosen: Vec<usize> = (0..features).filter(|feature| set >> feature & 1 == 1).collect();
        let found = solve(&relative, &chosen)?;
        let mut all = vec![0.0; features];
        chosen.iter().zip(found).for_each(|(&feature, value)| all[feature] = value);
        all.iter().all(|value| value.is_finite() && *value >= 0.0).then_some(all)
    });
    let missed = |all: &[f64]| relative.iter().map(|row| (dot(row, all) - 1.0).powi(2)).sum::<f64>();
    tried.min_by(|a, b| missed(a).total_cmp(&missed(b)))
}

/// What coefficients say of features.
pub(super) fn dot(row: &[f64], coefficients: &[f64]) -> f64 {
    row.iter().zip(coefficients).map(|(a, b)| a * b).sum()
}

/// Relative errors of a fit that is made without each observation in turn, and asked for it: what it says over what was
/// measured, less one. `None` where too little is left to fit.
#[must_use]
pub fn left_out(rows: &[Vec<f64>], values: &[f64]) -> Option<Vec<f64>> {
    let without = |out: usize| {
        let rest = (0..rows.len()).filter(|ix| *ix != out);
        let (rows_left, values_left): (Vec<_>, Vec<_>) = rest.map(|ix| (rows[ix].clone(), values[ix])).unzip();
        let found = fit(&rows_left, &values_left)?;
        Some(dot(&rows[out], &found) / values[out] - 1.0)
    };
    if rows.len() < 2 || rows.len() != values.len() {
        return None;
    }
    (0..rows.len()).map(without).collect()
}

/// What fits made without each observation in turn say of one more row.
pub(super) fn without_each(rows: &[Vec<f64>], values: &[f64], asked: &[f64]) -> Vec<f64> {
    let without = |out: usize| {
        let rest = (0..rows.len()).filter(|ix| *ix != out);
        let (rows_left, values_left): (Vec<_>, Vec<_>) = rest.map(|ix| (rows[ix].clone(), values[ix])).unzip();
        Some(dot(asked, &fit(&rows_left, &values_left)?))
    };
    (0..rows.len()).filter_map(without).collect()
}

/// Root of the mean of squares; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "numbers of observations")]
pub(super) fn rms(errors: &[f64]) -> f64 {
    if errors.is_empty() {
        return 0.0;
    }
    (errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64).sqrt()
}

/// Least squares of the chosen features against 1, by the normal equations; `None` if these do not tell them apart.
fn solve(rows: &[Vec<f64>], chosen: &[usize]) -> Option<Vec<f64>> {
    let size = chosen.len();
    if rows.len() < size {
        return None;
    }
    // Features differ by orders of magnitude; each is brought to length 1, so that what is singular shows.
    let length = |feature: usize| rows.iter().map(|row| row[feature] * row[feature]).sum::<f64>().sqrt();
    let lengths: Vec<f64> = chosen.iter().map(|&feature| length(feature)).collect();
    if lengths.iter().any(|length| *length <= 0.0 || !length.is_finite()) {
        return None;
    }
    let of = |row: &[f64], ix: usize| row[chosen[ix]] / lengths[ix];
    let mut table: Vec<Vec<f64>> = (0..size)
        .map(|i| {
            let line = (0..size).map(|j| rows.iter().map(|row| of(row, i) * of(row, j)).sum::<f64>());
            line.chain([rows.iter().map(|row| of(row, i)).sum()]).collect()
        })
        .collect();
    for at in 0..size {
        let pivot = (at..size).max_by(|&a, &b| table[a][at].abs().total_cmp(&table[b][at].abs()))?;
        table.swap(at, pivot);
        if table[at][at].abs() < 1e-9 {
            return None;
        }
        for below in at + 1..size {
            let factor = table[below][at] / table[at][at];
            let (above, under) = table.split_at_mut(below);
            for (value, pivot) in under[0][at..].iter_mut().zip(&above[at][at..]) {
                *value -= factor * pivot;
            }
        }
    }
    let mut found = vec![0.0; size];
    for at in (0..size).rev() {
        let known: f64 = (at + 1..size).map(|column| table[at][column] * found[column]).sum();
        found[at] = (table[at][size] - known) / table[at][at];
    }
    Some(found.iter().zip(&lengths).map(|(value, length)| value / length).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn rows() -> Vec<Vec<f64>> {
        let sizes = [(15.0, 5.0), (30.0, 5.0), (60.0, 5.0), (60.0, 15.0), (60.0, 30.0), (120.0, 30.0), (120.0, 60.0)];
        sizes
            .iter()
            .map(|&(sites, batch): &(f64, f64)| vec![1.0, (sites / batch).ceil(), sites, sites * batch])
            .collect()
    }

    #[test]
    fn known_coefficients_are_found_again() {
        let known = [2.0, 1.5, 0.03, 0.0002];
        let values: Vec<f64> = rows().iter().map(|row| dot(row, &known)).collect();
        let found = fit(&rows(), &values).unwrap();
        for (found, known) in found.iter().zip(known) {
            assert!((found / known - 1.0).abs() < 1e-4, "{found} for {known}");
        }
        let errors = left_out(&rows(), &values).unwrap();
        assert!(rms(&errors) < 1e-4, "{errors:?}");
        assert!(without_each(&rows(), &values, &rows()[0]).iter().all(|said| (said / values[0] - 1.0).abs() < 1e-4));
    }

    #[test]
    fn no_part_takes_less_than_no_time() {
        // The values fall with the number of batches, which only a negative coefficient would explain.
        let values: Vec<f64> = rows().iter().map(|row| 1.0 + row[2] - 0.4 * row[1]).collect();
        let found = fit(&rows(), &values).unwrap();
        assert!(found.iter().all(|value| *value >= 0.0), "{found:?}");
        assert!(found[1].abs() < 1e-12, "{found:?}");
        assert!(rms(&left_out(&rows(), &values).unwrap()) > 0.01, "what does not fit shows");
    }

    #[test]
    fn what_cannot_be_told_apart_is_left_out_of_the_fit() {
        // All of one size: what is a run's, a batch's and a site's cannot be known, and one of them stands for all.
        let rows = vec![vec![1.0, 2.0, 10.0]; 3];
        let found = fit(&rows, &[4.0, 4.0, 4.0]).unwrap();
        assert!((dot(&rows[0], &found) - 4.0).abs() < 1e-9, "{found:?}");
        assert_eq!(found.iter().filter(|value| **value > 0.0).count(), 1, "{found:?}");
    }

    #[test]
    fn nothing_comes_of_nothing() {
        assert_eq!(fit(&[], &[]), None);
        assert_eq!(fit(&[vec![1.0]], &[0.0]), None);
        assert_eq!(fit(&[vec![1.0]], &[f64::NAN]), None);
        assert_eq!(left_out(&[vec![1.0]], &[1.0]), None);
    }
}
