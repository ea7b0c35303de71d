//! The address of a store, which may hold a password.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use runtime::{JournalError, Store};

/// The address of a store as it was typed. Shown, it has no password.
#[derive(Clone)]
pub(crate) struct StoreAddress(String);

impl StoreAddress {
    /// Whether it says nothing but the kind of store.
    pub(crate) fn is_kind(&self, kind: &str) -> bool {
        self.0 == kind
    }

    /// Whether it is the address of a PostgreSQL database.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.0.parse(), Ok(store::Address::Postgres(_)))
    }

    /// Has a process of this program use the store, password and all, which no list of processes shows.
    pub(crate) fn give(&self, command: &mut tokio::process::Command) {
        command.env("REINSTATE_STORE", &self.0);
    }

    /// Weighs the tables of the store.
    pub(crate) async fn gauge(&self) -> Result<Vec<store::TableGauge>, JournalError> {
        store::gauge(&self.0).await
    }

    /// What the store's server says that it was asked; `None` if it does not say.
    pub(crate) async fn statements(&self) -> Result<Option<Vec<store::StatementGauge>>, JournalError> {
        store::statements(&self.0).await
    }

    /// Opens the store.
    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>, JournalError> {
        store::open(&self.0).await
    }
}

impl FromStr for StoreAddress {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&store::without_password(&self.0))
    }
}

impl fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreAddress({self})")
    }
}
