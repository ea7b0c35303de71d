//! Where the lines of an axis are.

/// Round numbers from 0 up to one above 0, about five of them.
pub(crate) fn numbers(most: f64) -> Vec<f64> {
    let rough = most / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|round| round * power).find(|step| *step >= rough).unwrap_or(rough);
    (0..=10_u8).map(|ix| f64::from(ix) * step).take_while(|tick| *tick <= most * 1.001).collect()
}

/// Round seconds, minutes and hours from 0 up to a time in seconds, about six of them.
pub(crate) fn times(most: f64) -> Vec<f64> {
    const STEPS: [f64; 20] = [
        0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21_600.0,
        43_200.0, 86_400.0, 259_200.0,
    ];
    let step = STEPS.into_iter().find(|step| most / step <= 7.0).unwrap_or(most / 6.0);
    (0..=7_u8).map(|ix| f64::from(ix) * step).take_while(|&tick| tick <= most).collect()
}
