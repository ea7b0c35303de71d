//! The lab's own clock: milliseconds since 1970 on 5 April 2022; servers have the real one.

use chrono::{DateTime, SecondsFormat};

/// An instant of the lab's clock, in milliseconds since 1970-01-01T00:00:00Z.
pub(crate) type Millis = i64;

pub(crate) const SECOND: Millis = 1_000;
pub(crate) const MINUTE: Millis = 60 * SECOND;
/// 2022-04-05T06:00:00Z: the full backups are taken, the logs begin.
pub(crate) const BASE: Millis = 1_649_138_400_000;
/// 2022-04-05T07:38:00Z: the script starts to delete.
pub(crate) const WINDOW_START: Millis = BASE + 98 * MINUTE;
/// 2022-04-05T08:01:00Z: the script has deleted the last site of its list.
pub(crate) const WINDOW_END: Millis = WINDOW_START + 23 * MINUTE;
/// 2022-04-05T08:20:00Z: where `damage` leaves the lab's clock; live writes go on from here.
pub(crate) const DAMAGE_END: Millis = WINDOW_END + 19 * MINUTE;
/// No restore point may cost a site more than this.
pub(crate) const MAX_LOSS: Millis = 60 * MINUTE;

/// What time it really is, as the servers of a lab on PostgreSQL have it.
pub(crate) fn now() -> Millis {
    chrono::Utc::now().timestamp_millis()
}

/// RFC 3339 in UTC with milliseconds.
pub(crate) fn rfc3339(at: Millis) -> String {
    DateTime::from_timestamp_millis(at).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The instant that an RFC 3339 text names; `None` if it is not one.
pub(crate) fn parse(text: &str) -> Option<Millis> {
    DateTime::parse_from_rfc3339(text).ok().map(|t| t.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_that_of_the_incident() {
        assert_eq!(rfc3339(WINDOW_START), "2022-04-05T07:38:00.000Z");
        assert_eq!(rfc3339(WINDOW_END), "2022-04-05T08:01:00.000Z");
        assert_eq!(parse("2022-04-05T09:38:00+02:00"), Some(WINDOW_START));
        assert_eq!(parse("yesterday"), None);
    }
}
