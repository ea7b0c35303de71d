//! Actions on the world: each is data for the front end ([`catalogue`]) and code for the driver ([`all`]).
//!
//! Architecture invariant: nothing of the journal, of YAML or of the CLI is known here. Every outcome is honest:
//! `Refused` only if surely nothing changed, `Done` only if the effect is durable in its target. Nothing that leaves
//! this crate holds the value of a secret. What each action takes and gives is in `README.md`.

mod answer;
mod check;
mod exec;
mod glob;
mod http;
mod noop;
mod noted;
mod notify;
mod objects;
pub mod postgres;
mod settings;
mod spec;
mod sqlite;
mod tenant;

use std::sync::Arc;

pub use notify::{Begun, Entry, Ledger, LedgerError};
use runtime::Connector;
use runtime::engine::ActionSpec;
pub use settings::Settings;

/// Returns every connector of this crate, one per kind, sharing one HTTP client and one set of SQLite connections.
///
/// Installs ring as the process's TLS provider unless the caller has installed one.
#[must_use]
pub fn all(settings: &Settings) -> Vec<Arc<dyn Connector>> {
    let client = Arc::new(http::Client::new(settings));
    vec![
        Arc::new(noop::Noop),
        Arc::new(http::Http::new(Arc::clone(&client))),
        Arc::new(check::Check::new(Arc::clone(&client))),
        Arc::new(notify::Notify::new(client)),
        Arc::new(exec::Exec),
        Arc::new(objects::Objects::new(settings)),
        Arc::new(sqlite::Sqlite::new(settings)),
        Arc::new(postgres::Postgres::default()),
    ]
}

/// Returns the catalogue of every action of this crate, in the order of [`all`].
#[must_use]
pub fn catalogue() -> Vec<ActionSpec> {
    all(&Settings::default()).iter().flat_map(|connector| connector.actions()).collect()
}
