//! A model multi-tenant estate on real stores (SQLite, PostgreSQL) and real HTTP: build it, damage it as on
//! 5 April 2022, serve it, and compare it row for row and object for object with the truth.
//!
//! It knows nothing of any orchestrator; `README.md` describes the systems, the HTTP API, the
//! tables and the backup format. Everything lies in one folder, and the same seed makes the same
//! estate.

mod build;
mod clock;
mod damage;
mod diff;
mod fingerprint;
mod history;
mod layout;
mod life;
mod log;
mod moves;
mod population;
mod postgres;
mod random;
mod schema;
mod search;
mod serve;
mod shards;
mod sql;
mod value;

pub use build::{BuildError, BuildOptions, BuildSummary, build};
pub use damage::{DamageError, DamageOptions, DamageSummary, damage};
pub use diff::{Diff, DiffError, Difference, diff};
pub use fingerprint::{Changed, Fingerprint, Print, fingerprint};
pub use layout::{Backend, OpenError};
pub use postgres::halt;
pub use serve::{ServeError, ServeOptions, Served, serve};
pub use sql::StoreError;
