//! Points in time: RFC 3339 text at the border, milliseconds since the epoch inside.

use chrono::{DateTime, SecondsFormat};
use engine::Millis;

/// Reads an RFC 3339 time with its offset.
pub(crate) fn read(text: &str) -> Result<Millis, String> {
    if let Some(millis) = read_plain(text.as_bytes()) {
        return Ok(millis);
    }
    DateTime::parse_from_rfc3339(text.trim())
        .map(|time| time.timestamp_millis())
        .map_err(|_| format!("`{}` is not a time such as 2022-04-05T07:38:00Z", crate::words::short(text)))
}

/// The common form `2022-04-05T07:38:00[.123]Z` without the general parser: lists hold 100,000 of them.
fn read_plain(text: &[u8]) -> Option<Millis> {
    let digits = |from: usize, len: usize| -> Option<i64> {
        text.get(from..from + len)?
            .iter()
            .try_fold(0_i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    };
    let millis = match text.len() {
        20 => 0,
        24 if text[19] == b'.' => digits(20, 3)?,
        _ => return None,
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (text.len() - 1, b'Z')];
    if marks.iter().any(|&(at, mark)| text[at] != mark) {
        return None;
    }
    let date = chrono::NaiveDate::from_ymd_opt(
        i32::try_from(digits(0, 4)?).ok()?,
        u32::try_from(digits(5, 2)?).ok()?,
        u32::try_from(digits(8, 2)?).ok()?,
    )?;
    let time = date.and_hms_opt(
        u32::try_from(digits(11, 2)?).ok()?,
        u32::try_from(digits(14, 2)?).ok()?,
        u32::try_from(digits(17, 2)?).ok()?,
    )?;
    Some(time.and_utc().timestamp_millis() + millis)
}

/// Shows a point in time in UTC with milliseconds; times of one length, so that texts compare like times.
pub(crate) fn show(millis: Millis) -> String {
    DateTime::from_timestamp_millis(millis)
        .map_or_else(|| millis.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
}
