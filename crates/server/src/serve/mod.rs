//! The process that serves: its settings, its sockets, its beginning and its end.

mod around;
mod listen;
mod settings;
mod start;
mod tls;

pub use settings::{ServeError, Settings};
pub use start::{Served, serve};
