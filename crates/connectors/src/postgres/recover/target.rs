//! Where an instance is to stand: at a point in time, or just before something in the WAL.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::place::{point, stamp};
use crate::answer::Trouble;
use crate::postgres::wal_dump::position;

/// A point in time, RFC 3339: what was committed at or before it is there, nothing later. Or a place in the WAL.
#[derive(Clone, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum At {
    /// RFC 3339.
    Time(String),
    /// For zero loss inside of PostgreSQL: just before what did the damage.
    Spot(Spot),
}

/// A place in the WAL: one of `before_xid`, `lsn` and `name`.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spot {
    /// Number of a transaction: all that the WAL holds before its end is there, and it itself is not.
    before_xid: Option<u64>,
    /// Position such as `0/3000028`: what begins before it is there, and nothing else.
    lsn: Option<String>,
    /// Name of a restore point that `pg_create_restore_point` made.
    name: Option<String>,
    /// A time before it, RFC 3339: of several base backups the latest is taken that ended by then.
    since: Option<String>,
}

impl<'de> Deserialize<'de> for At {
    // By hand, because the error of an untagged enum does not say which key is wrong.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(time) => Ok(Self::Time(time)),
            spot => Spot::deserialize(spot)
                .map(Self::Spot)
                .map_err(|error| serde::de::Error::custom(format!("at: {error}"))),
        }
    }
}

/// Where an instance is to stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// What was committed at or before it.
    Time(DateTime<Utc>),
    /// What lies before the end of this transaction.
    Xid(u64),
    /// What begins before this position.
    Lsn(String),
    /// What lies before this restore point.
    Name(String),
}

impl At {
    /// Reads what is wanted, and the time by which a base backup must have ended, if anybody says.
    ///
    /// # Errors
    /// `inputs` if it is none, or several.
    pub(super) fn target(&self) -> Result<(Target, Option<DateTime<Utc>>), Trouble> {
        let spot = match self {
            Self::Time(text) => {
                let at = point(text)?;
                return Ok((Target::Time(at), Some(at)));
            }
            Self::Spot(spot) => spot,
        };
        let since = spot.since.as_deref().map(point).transpose()?;
        let target = match (spot.before_xid, &spot.lsn, &spot.name) {
            // The first three are no transactions of anybody.
            (Some(xid @ 3..), None, None) => Target::Xid(xid),
            (None, Some(lsn), None) if position(lsn).is_some_and(|lsn| lsn > 0) => Target::Lsn(lsn.to_uppercase()),
            (None, None, Some(name)) if (1..64).contains(&name.len()) => Target::Name(name.clone()),
            _ => {
                return Err(Trouble::never("inputs", "at: it is no place in the WAL")
                    .hint("give a time, or one of before_xid: 741, lsn: 0/3000028 and name: before-the-script"));
            }
        };
        Ok((target, since))
    }
}

impl Target {
    /// Writes it in one way, for people and for the state file.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Time(at) => stamp(*at),
            Self::Xid(xid) => format!("before_xid {xid}"),
            Self::Lsn(lsn) => format!("lsn {lsn}"),
            Self::Name(name) => format!("name {name}"),
        }
    }

    /// Reads what [`Target::words`] wrote.
    ///
    /// # Errors
    /// `inputs` if it is none.
    pub(super) fn read(words: &str) -> Result<Self, Trouble> {
        match words.split_once(' ') {
            Some(("before_xid", xid)) => xid
                .parse()
                .map(Self::Xid)
                .map_err(|_| Trouble::never("inputs", format!("at: {words:?} is no number of a transaction"))),
            Some(("lsn", lsn)) => Ok(Self::Lsn(lsn.to_owned())),
            Some(("name", name)) => Ok(Self::Name(name.to_owned())),
            _ => point(words).map(Self::Time),
        }
    }

    /// The server's settings for it.
    ///
    /// A time is inclusive: what was committed at the point is there, as with every other store. A transaction and a
    /// position are not, so that a server which is brought to where another stood (`replay_lsn`) holds the same.
    pub(super) fn settings(&self) -> [(&'static str, String); 2] {
        let (name, value) = match self {
            Self::Time(at) => ("recovery_target_time", at.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string()),
            Self::Xid(xid) => ("recovery_target_xid", xid.to_string()),
            Self::Lsn(lsn) => ("recovery_target_lsn", lsn.clone()),
            Self::Name(name) => ("recovery_target_name", name.clone()),
        };
        let inclusive = matches!(self, Self::Time(_) | Self::Name(_));
        [(name, value), ("recovery_target_inclusive", inclusive.to_string())]
    }
}

#[cfg(test)]
mod tests {
    use super::{At, Target};

    fn target(text: &str) -> Option<Target> {
        serde_json::from_str::<At>(text).ok()?.target().ok().map(|(target, _)| target)
    }

    #[test]
    fn each_is_written_and_read_again() {
        for (text, words) in [
            (r#""2022-04-05T09:38:00+02:00""#, "2022-04-05T07:38:00.000000Z"),
            (r#"{"before_xid": 741}"#, "before_xid 741"),
            (r#"{"lsn": "0/3a000028", "since": "2022-04-05T07:38:00Z"}"#, "lsn 0/3A000028"),
            (r#"{"name": "before the script"}"#, "name before the script"),
        ] {
            let target = target(text).expect("it was made to be so");
            assert_eq!(target.words(), words);
            assert_eq!(Target::read(words).ok(), Some(target));
        }
        for none in [
            "{}",
            "7",
            r#""tomorrow""#,
            r#"{"before_xid": 0}"#,
            r#"{"lsn": "3000028"}"#,
            r#"{"name": ""}"#,
            r#"{"xid": 741}"#,
            r#"{"before_xid": 741, "name": "a"}"#,
            r#"{"before_xid": 741, "since": "yesterday"}"#,
        ] {
            assert_eq!(target(none), None, "{none}");
        }
    }
}
