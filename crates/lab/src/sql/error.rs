//! Why a store of the lab could not be read, written or run.

use std::path::{Path, PathBuf};

/// Why a store of the lab could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused a statement on this store.
    #[error("store {} failed", path.display())]
    Sql {
        /// The store's file, or the folder of its server.
        path: PathBuf,
        /// What the database said.
        source: sqlx::Error,
    },
    /// A file of the lab could not be read or written.
    #[error("file {} failed", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the lab does not hold what the lab wrote there.
    #[error("{place} is damaged: {fact}")]
    Corrupt {
        /// The file or log entry.
        place: String,
        /// What is wrong with it.
        fact: String,
    },
    /// A lab on PostgreSQL needs the server's programs, and they are not here.
    #[error("PostgreSQL's {program} is not installed; hint: apt-get install postgresql")]
    NoPostgres {
        /// The program, with its version if the lab was built with one.
        program: String,
    },
    /// A program of PostgreSQL failed.
    #[error("{program} failed on {}: {fact}", path.display())]
    Server {
        /// The program.
        program: String,
        /// The folder that it worked on.
        path: PathBuf,
        /// What it said.
        fact: String,
    },
    /// A lab on PostgreSQL cannot lie in this folder.
    #[error("{} cannot hold servers: {fact}", path.display())]
    Place {
        /// The folder.
        path: PathBuf,
        /// Why not, with a hint.
        fact: String,
    },
}

impl StoreError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Sql { .. } => "lab-store",
            Self::Io { .. } => "lab-file",
            Self::Corrupt { .. } => "lab-damaged",
            Self::NoPostgres { .. } => "lab-no-postgres",
            Self::Server { .. } => "lab-server",
            Self::Place { .. } => "lab-place",
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn sql(path: &Path) -> impl FnOnce(sqlx::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Sql { path, source }
    }
}
