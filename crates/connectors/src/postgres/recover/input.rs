//! What `postgres/recover@1` and `postgres/drop-recovered@1` take and give.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Inputs of `postgres/recover@1` and `postgres/drop-recovered@1`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recover {
    /// Where the backup is, or what makes an instance of it.
    pub(crate) backup: Backup,
    /// Point in time, RFC 3339: what was committed at or before it is there, nothing later.
    pub(crate) at: String,
    /// Folder of the instances; default: folder `recovered` beside the backup.
    pub(crate) into: Option<PathBuf>,
    /// Names the instance instead of its time: a later `at` moves the one of this name forward.
    pub(crate) name: Option<String>,
    /// Database of the URL that is given out.
    #[serde(default = "postgres")]
    pub(crate) database: String,
    /// Role of the URL that is given out; must exist in the backup and may read everything.
    #[serde(default = "postgres")]
    pub(crate) role: String,
    /// Space that must be left free on the volume, such as `10GB`.
    #[serde(default = "reserve")]
    pub(crate) reserve: String,
    /// The instance's page cache, in PostgreSQL's notation.
    #[serde(default = "shared_buffers")]
    pub(crate) shared_buffers: String,
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
