//! What `postgres/recover@1` and `postgres/drop-recovered@1` take and give.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::prepared::Prepared;
use super::target::At;
use crate::postgres::restore::listed;

/// Inputs of `postgres/recover@1` and `postgres/drop-recovered@1`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recover {
    /// Where the backup is, or what makes an instance of it.
    pub(crate) backup: Backup,
    /// Where the instance is to stand.
    pub(crate) at: At,
    /// Folder of the instances; default: folder `recovered` beside the backup.
    pub(crate) into: Option<PathBuf>,
    /// Names the instance instead of its time: a later `at` moves the one of this name forward.
    pub(crate) name: Option<String>,
    /// Database of the URL that is given out; default: the backup's `database`, else `postgres`.
    pub(crate) database: Option<String>,
    /// Role of the URL that is given out; must exist in the backup and may read everything.
    #[serde(default = "postgres")]
    pub(crate) role: String,
    /// Space that must be left free on the volume, such as `10GB`.
    #[serde(default = "reserve")]
    pub(crate) reserve: String,
    /// The instance's page cache, in PostgreSQL's notation.
    #[serde(default = "shared_buffers")]
    pub(crate) shared_buffers: String,
    /// What happens if transactions were prepared at the point and had not ended.
    #[serde(default)]
    pub(crate) on_prepared: OnPrepared,
}

/// What happens if transactions were prepared at the point and had not ended.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnPrepared {
    /// They are listed, also in the evidence: like any transaction that had not ended at the point, they are not in it.
    #[default]
    Report,
    /// The step is refused, also if it cannot be told whether there are any.
    Refuse,
}

impl Recover {
    /// The database of the URL.
    pub(crate) fn database(&self) -> &str {
        let of_backup = match &self.backup {
            Backup::Folder(_) => None,
            Backup::Parts(parts) => parts.database.as_deref(),
        };
        self.database.as_deref().or(of_backup).unwrap_or("postgres")
    }
}

fn postgres() -> String {
    "postgres".to_owned()
}

fn reserve() -> String {
    "1GB".to_owned()
}

fn shared_buffers() -> String {
    "256MB".to_owned()
}

/// A folder with `base` or `bases` and `wal`, or a map that says where they are.
#[derive(Clone, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Backup {
    /// Folder that holds `wal`, and `base` or `bases`.
    Folder(PathBuf),
    /// Where each of it is, or the commands that bring it.
    Parts(Box<Parts>),
}

impl<'de> Deserialize<'de> for Backup {
    // By hand, because the error of an untagged enum does not say which key is wrong.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(folder) => Ok(Self::Folder(folder.into())),
            parts => Parts::deserialize(parts)
                .map(|parts| Self::Parts(Box::new(parts)))
                .map_err(|error| serde::de::Error::custom(format!("backup: {error}"))),
        }
    }
}

/// Where a backup's parts are. Of `base`, `bases`, `restore_command` and `create` exactly one is given.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parts {
    /// One base backup as `pg_basebackup --format=plain` makes it.
    pub(crate) base: Option<PathBuf>,
    /// Several of them, or the folder in which they lie: the latest that ends at or before the point is taken.
    pub(crate) bases: Option<Bases>,
    /// Folder of archived WAL, not compressed.
    pub(crate) wal: Option<PathBuf>,
    /// The server's `restore_command`, with `%f` and `%p`; instead of `wal`.
    pub(crate) wal_command: Option<String>,
    /// Program and arguments that fill the empty data folder `{target}`; `{at}` and `{wal}` are replaced too.
    pub(crate) restore_command: Option<Vec<String>>,
    /// Program and arguments that make, or find, a managed instance `{name}` at `{at}`.
    pub(crate) create: Option<Vec<String>>,
    /// Key of the URL in the answer of `create`; default `url`.
    pub(crate) url_from: Option<String>,
    /// Program and arguments that remove the managed instance `{name}`; fine if there is none.
    pub(crate) drop: Option<Vec<String>>,
    /// Folder of the server's programs; default: where packages put those of the backup's version.
    pub(crate) bin: Option<PathBuf>,
    /// Database that the backup is taken for, as the URL names it unless the step does; default `postgres`.
    pub(crate) database: Option<String>,
    /// System user under which the server runs; default: `postgres` for root, else ourselves.
    pub(crate) user: Option<String>,
    /// The server's `shared_preload_libraries`; only for live servers with WAL of an extension's own. Default: none.
    pub(crate) preload: Option<String>,
    /// Timeline to follow: `latest` (default), `current` (the backup's), or its number.
    pub(crate) timeline: Option<Timeline>,
}

/// Base backups to choose from.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Bases {
    /// The folder in which they lie.
    Folder(PathBuf),
    /// Each of them.
    List(Vec<PathBuf>),
}

/// A timeline of a cluster's history.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Timeline {
    /// Its number.
    Number(u32),
    /// `latest` or `current`.
    Word(String),
}

/// Outputs of `postgres/recover@1`: where the instance is, and the evidence of the point that it stands at.
#[derive(Clone, JsonSchema, Serialize)]
pub(crate) struct Recovered {
    /// URL on a private socket; no password.
    pub(crate) url: String,
    /// At which point the cluster stands, and what proves it.
    pub(crate) restore_point: Stands,
    /// Folder of the instance; absent for a managed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// Point asked for.
    pub(crate) asked: String,
    /// Time of the last transaction in it, or of the backup's end if none was replayed; `null` if a managed service
    /// does not say.
    pub(crate) reached: Option<String>,
    /// The backup that it was made of; `null` for a managed instance.
    pub(crate) backup: Option<Evidence>,
    /// Position in the WAL up to which it was replayed.
    pub(crate) replay_lsn: Option<String>,
    /// Time of the last replayed commit or rollback; `null` if there was none since the backup.
    pub(crate) last_commit_at: Option<String>,
    /// The record before which the replay stopped: it proves that the WAL reaches the point.
    pub(crate) stopped_by: Option<String>,
    /// Transactions that were prepared at the point and had not ended: what they wrote is not in it. `null` if nobody
    /// can tell.
    pub(crate) prepared: Option<Vec<Prepared>>,
    /// Why nobody can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prepared_unknown: Option<String>,
}

/// At which point in time a recovered cluster stands.
#[derive(Clone, Default, JsonSchema, Serialize)]
pub(crate) struct Stands {
    /// Time of the last transaction in it; `null` if nobody says so.
    pub(crate) reached: Option<String>,
    /// Time of the first transaction that is not in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<String>,
    /// What the server says, and how far it replayed.
    pub(crate) evidence: String,
}

impl Recovered {
    /// Fills in where it stands from what is known of it.
    pub(crate) fn standing(mut self) -> Self {
        let until = self.stopped_by.as_deref().and_then(next_commit);
        let stopped =
            self.stopped_by.as_deref().map_or("nothing is said of the end".to_owned(), |by| format!("stopped {by}"));
        let lsn = self.replay_lsn.as_deref().map_or(String::new(), |lsn| format!("; replayed to {lsn}"));
        let prepared = match (&self.prepared, &self.prepared_unknown) {
            (Some(some), _) if !some.is_empty() => {
                format!("; WARNING: {} prepared transactions are not in it: {}", some.len(), listed(some))
            }
            (None, Some(why)) => format!("; WARNING: {why}"),
            _ => String::new(),
        };
        let evidence = format!("{stopped}{lsn}{prepared}");
        self.restore_point = Stands { reached: self.reached.clone(), until, evidence };
        self
    }
}

/// The time in `before commit of transaction 741, time 2026-11-26 13:04:06.5+00`, rounded up to milliseconds: points in
/// time have no finer parts, and the point itself lies before it.
fn next_commit(stopped_by: &str) -> Option<String> {
    let text = stopped_by.strip_prefix("before ")?.split_once("time ")?.1.trim();
    let at = chrono::DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z").ok()?.to_utc();
    let micros = at.timestamp_micros();
    let millis = micros.div_euclid(1_000) + i64::from(micros.rem_euclid(1_000) > 0);
    Some(chrono::DateTime::from_timestamp_millis(millis)?.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

/// What a backup says of itself.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub(crate) struct Evidence {
    /// Its label.
    pub(crate) label: String,
    /// Identifier of the cluster that it is of.
    pub(crate) system_identifier: String,
    /// Timeline on which it began.
    pub(crate) timeline: u32,
    /// Where it began in the WAL.
    pub(crate) start_lsn: String,
    /// When it ended; `null` if neither the archive nor a manifest says.
    pub(crate) end_at: Option<String>,
    /// Folder; `null` if a command brought it.
    pub(crate) path: Option<String>,
}

/// Outputs of `postgres/drop-recovered@1`.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Dropped {
    /// Folder of the instance; absent for a managed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// Whether it was there.
    pub(crate) removed: bool,
}

#[cfg(test)]
mod tests {
    use super::next_commit;

    #[test]
    fn the_first_commit_that_is_left_out_is_read_from_the_servers_words() {
        let read = |text: &str| next_commit(text);
        assert_eq!(
            read("before commit of transaction 741, time 2026-11-26 13:04:06.500001+00").as_deref(),
            Some("2026-11-26T13:04:06.501Z")
        );
        assert_eq!(
            read("before commit of transaction 741, time 2026-11-26 15:04:06+02").as_deref(),
            Some("2026-11-26T13:04:06.000Z")
        );
        assert_eq!(read("after commit of transaction 741, time 2026-11-26 13:04:06.5+00"), None);
        assert_eq!(read("at restore point \"x\""), None);
    }
}
