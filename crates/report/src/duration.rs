//! How times are written for people.

use std::fmt::Write as _;

use chrono::DateTime;
use engine::Millis;

/// A length of time in two units at most, rounded down to what is shown: `310 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`,
/// `14 d 2 h`. Negative lengths keep their sign.
#[must_use]
pub fn span(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.unsigned_abs();
    let seconds = ms / 1000;
    let two = |big: u64, big_unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{sign}{big} {big_unit}")
        } else {
            format!("{sign}{big} {big_unit} {small} {small_unit}")
        }
    };
    match seconds {
        0 if ms == 0 => "0 s".to_owned(),
        0 => format!("{sign}{ms} ms"),
        1..60 => {
            let tenths = ms % 1000 / 100;
            if tenths == 0 { format!("{sign}{seconds} s") } else { format!("{sign}{seconds}.{tenths} s") }
        }
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// A point in time in UTC, RFC 3339 with milliseconds; empty for one outside the calendar.
#[must_use]
pub fn stamp(at: Millis) -> String {
    DateTime::from_timestamp_millis(at).map(|at| at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()).unwrap_or_default()
}

/// A point in time in UTC as people read it: `2022-04-05 07:38:00 UTC`; empty for one outside the calendar.
#[must_use]
pub fn clock(at: Millis) -> String {
    DateTime::from_timestamp_millis(at).map(|at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
}

/// A stamp of the report as people read it; what is no stamp stays as it is.
pub(crate) fn readable(stamp: &str) -> String {
    DateTime::parse_from_rfc3339(stamp).map_or_else(|_| stamp.to_owned(), |at| clock(at.timestamp_millis()))
}

/// A whole number with thin groups of three: `12 345`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (ix, digit) in digits.chars().enumerate() {
        if ix > 0 && (digits.len() - ix).is_multiple_of(3) && digits.len() > 4 {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// `1 site`, `2 sites`.
pub(crate) fn count(number: u64, singular: &str, plural: &str) -> String {
    let mut text = grouped(number);
    let _ = write!(text, " {}", if number == 1 { singular } else { plural });
    text
}

/// Seconds with milliseconds as a fraction, for JSON.
pub(crate) fn seconds(ms: i64) -> f64 {
    // Exact up to 2^53 ms, about 285,000 years.
    #[expect(clippy::cast_precision_loss, reason = "exact for every length of time that can occur")]
    let ms = ms as f64;
    ms / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_take_two_units_at_most() {
        for (ms, text) in [
            (0, "0 s"),
            (310, "310 ms"),
            (4_250, "4.2 s"),
            (59_999, "59.9 s"),
            (200_000, "3 min 20 s"),
            (7_500_000, "2 h 5 min"),
            (14 * 86_400_000 + 7_200_000, "14 d 2 h"),
            (-1500, "-1.5 s"),
        ] {
            assert_eq!(span(ms), text);
        }
        assert_eq!(stamp(1_649_144_280_000), "2022-04-05T07:38:00.000Z");
        assert_eq!(stamp(Millis::MAX), "");
        assert_eq!(count(1, "site", "sites"), "1 site");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(grouped(4217), "4217");
    }
}
