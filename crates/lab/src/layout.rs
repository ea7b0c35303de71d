//! Where everything of a lab lies in its folder, and `lab.json`, its passport.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clock::{self, Millis};
use crate::schema::{SERVED, SHARD, Schema};
use crate::sql::StoreError;

pub(crate) const FORMAT: &str = "lab/v1";

/// The paths of a lab.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn passport(&self) -> PathBuf {
        self.root.join("lab.json")
    }

    pub(crate) fn store(&self, name: &str) -> PathBuf {
        self.root.join("stores").join(format!("{name}.db"))
    }

    pub(crate) fn backup(&self, shard: &str) -> PathBuf {
        self.root.join("backups").join(shard)
    }

    pub(crate) fn log(&self, shard: &str) -> PathBuf {
        self.backup(shard).join("log.jsonl")
    }

    pub(crate) fn base(&self, shard: &str) -> PathBuf {
        self.backup(shard).join("base.db")
    }

    /// What a shard's server holds at the full backup, as the lab knows it.
    pub(crate) fn truth(&self, shard: &str) -> PathBuf {
        self.root.join("truth").join(format!("{shard}.db"))
    }

    pub(crate) fn cluster(&self, shard: &str) -> PathBuf {
        self.root.join("clusters").join(shard)
    }

    /// The folder of all servers' sockets; its path must be short.
    pub(crate) fn sockets(&self) -> PathBuf {
        self.root.join("run")
    }

    /// The full backup of a shard's cluster, and its archived WAL.
    pub(crate) fn base_backup(&self, shard: &str) -> PathBuf {
        self.backup(shard).join("base")
    }

    pub(crate) fn wal(&self, shard: &str) -> PathBuf {
        self.backup(shard).join("wal")
    }

    /// Where instances that are recovered from a shard's backup may lie.
    pub(crate) fn recovered(&self, shard: &str) -> PathBuf {
        self.root.join("recovered").join(shard)
    }

    pub(crate) fn latency(&self) -> PathBuf {
        self.root.join("latency.json")
    }

    pub(crate) fn objects(&self) -> PathBuf {
        self.root.join("objects").join("media")
    }

    pub(crate) fn object_backups(&self) -> PathBuf {
        self.root.join("backups").join("objects")
    }

    pub(crate) fn vendor_token(&self) -> PathBuf {
        self.root.join("secrets").join("vendor-token")
    }
}

/// How far the lab's history has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    Built,
    /// Damage began and has not ended: the lab is of no use.
    Damaging,
    Damaged,
}

/// What a lab's shards are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// SQLite files, on the lab's own clock.
    #[default]
    Sqlite,
    /// PostgreSQL clusters, one for each shard, in real time.
    Postgres,
}

/// What `lab.json` holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Passport {
    pub(crate) format: String,
    pub(crate) seed: u64,
    pub(crate) sites: usize,
    pub(crate) shards: usize,
    #[serde(default)]
    pub(crate) backend: Backend,
    /// Where its services are.
    #[serde(default = "loopback")]
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    /// When the full backups were taken: where every history begins, in milliseconds since 1970.
    #[serde(default = "base")]
    pub(crate) base: Millis,
    pub(crate) stage: Stage,
    /// Each damaged site with the instant of its deletion, in milliseconds since 1970.
    pub(crate) deleted: BTreeMap<String, Millis>,
}

const fn base() -> Millis {
    clock::BASE
}

/// This host alone.
pub(crate) const fn loopback() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

/// Why a folder could not be opened as a lab.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder has no `lab.json`.
    #[error("{} is not a lab; hint: make one with `lab build`", path.display())]
    NotALab {
        /// The folder.
        path: PathBuf,
    },
    /// `lab.json` is of another format or unreadable.
    #[error("{} cannot be read as {FORMAT}: {fact}", path.display())]
    Passport {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fact: String,
    },
    /// `damage` was interrupted, so what the stores hold is not known.
    #[error("{} was only half damaged; hint: build the lab again", path.display())]
    HalfDamaged {
        /// The folder.
        path: PathBuf,
    },
}

impl Passport {
    /// Where its services are.
    pub(crate) const fn services(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }

    pub(crate) fn shard_names(&self) -> Vec<String> {
        (0..self.shards).map(shard_name).collect()
    }

    /// The tables of a shard.
    pub(crate) const fn shard_schema(&self) -> &'static Schema {
        match self.backend {
            Backend::Sqlite => &SHARD,
            Backend::Postgres => &SERVED,
        }
    }

    pub(crate) fn read(layout: &Layout) -> Result<Self, OpenError> {
        let path = layout.passport();
        let text = std::fs::read_to_string(&path).map_err(|_| OpenError::NotALab { path: layout.root.clone() })?;
        let passport: Self =
            serde_json::from_str(&text).map_err(|e| OpenError::Passport { path: path.clone(), fact: e.to_string() })?;
        if passport.format != FORMAT {
            return Err(OpenError::Passport { path, fact: format!("format is {}", passport.format) });
        }
        if passport.stage == Stage::Damaging {
            return Err(OpenError::HalfDamaged { path: layout.root.clone() });
        }
        Ok(passport)
    }

    /// Replaces `lab.json` in one rename.
    pub(crate) fn write(&self, layout: &Layout) -> Result<(), StoreError> {
        let path = layout.passport();
        let new = path.with_extension("json.new");
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| StoreError::Corrupt { place: path.display().to_string(), fact: e.to_string() })?;
        std::fs::write(&new, text).map_err(StoreError::io(&new))?;
        std::fs::rename(&new, &path).map_err(StoreError::io(&path))
    }
}

/// `shard-00`, `shard-01`...
pub(crate) fn shard_name(index: usize) -> String {
    format!("shard-{index:02}")
}
