//! Stores through sqlx: opening them, writing and reading rows of a known schema, whatever kind of store it is.

mod error;
mod files;
mod session;
mod statements;
mod typed;

pub use error::StoreError;
pub(crate) use files::{Mode, open};
pub(crate) use session::{Session, begin, script, snapshot};
pub(crate) use statements::{delete_site, each, execute, insert, insert_next, number, put, row, rows};
