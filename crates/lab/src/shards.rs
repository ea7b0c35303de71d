//! The shards of a lab, ready to be opened: files, or servers that run for as long as this is held.

use std::path::PathBuf;
use std::sync::Arc;

use crate::layout::{Backend, Layout, Passport, shard_name};
use crate::postgres::Fleet;
use crate::sql::{self, Mode, Session, StoreError};

/// The shards of one lab.
#[derive(Debug)]
pub(crate) enum Shards {
    /// SQLite files.
    Files(Layout),
    /// PostgreSQL servers.
    Servers(Fleet),
}

impl Shards {
    /// Makes the shards ready: servers that do not run are started.
    pub(crate) async fn up(layout: &Layout, passport: &Passport) -> Result<Self, StoreError> {
        Ok(match passport.backend {
            Backend::Sqlite => Self::Files(layout.clone()),
            Backend::Postgres => Self::Servers(Fleet::up(layout, passport.shards).await?),
        })
    }

    /// The shard's file, or the folder of its server.
    pub(crate) fn place(&self, index: usize) -> PathBuf {
        match self {
            Self::Files(layout) => layout.store(&shard_name(index)),
            Self::Servers(fleet) => fleet.cluster(index).home().to_owned(),
        }
    }

    pub(crate) async fn open(&self, index: usize, mode: Mode) -> Result<Session, StoreError> {
        match self {
            Self::Files(layout) => sql::open(&layout.store(&shard_name(index)), mode).await,
            Self::Servers(fleet) => fleet.cluster(index).open().await,
        }
    }

    /// Opens a shard in a snapshot of its own: what is written from now on is not seen, neither in its log nor in its
    /// rows, so that other tenants may go on writing meanwhile.
    pub(crate) async fn snapshot(&self, index: usize) -> Result<Session, StoreError> {
        let mut session = self.open(index, Mode::Read).await?;
        sql::snapshot(&mut session).await.map_err(StoreError::sql(&self.place(index)))?;
        Ok(session)
    }

    /// Lets go: servers that nobody else uses are stopped.
    pub(crate) async fn down(&self) -> Result<(), StoreError> {
        match self {
            Self::Files(_) => Ok(()),
            Self::Servers(fleet) => fleet.down().await,
        }
    }
}

/// A connection to one shard that is made when it is wanted, and again after it was lost.
#[derive(Debug)]
pub(crate) struct Line {
    shards: Arc<Shards>,
    index: usize,
    session: Option<Session>,
}

impl Line {
    pub(crate) fn new(shards: &Arc<Shards>, index: usize) -> Self {
        Self { shards: Arc::clone(shards), index, session: None }
    }

    pub(crate) fn place(&self) -> PathBuf {
        self.shards.place(self.index)
    }

    /// The connection that is there, or a new one.
    pub(crate) async fn session(&mut self) -> Result<&mut Session, StoreError> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.shards.open(self.index, Mode::Read).await?,
        };
        Ok(self.session.insert(session))
    }

    /// The same, but surely one that works: a server may have been restarted since it was last used.
    pub(crate) async fn tested(&mut self) -> Result<&mut Session, StoreError> {
        if let Some(session) = &mut self.session
            && sql::number(session, "SELECT 1", &[]).await.is_err()
        {
            self.hang_up();
        }
        self.session().await
    }

    /// Drops the connection and whatever it had begun.
    pub(crate) fn hang_up(&mut self) {
        self.session = None;
    }
}
