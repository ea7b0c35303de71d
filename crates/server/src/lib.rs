//! The daemon: an HTTP API over runs, drivers for them, and what people see of runs while they go on.
//!
//! Architecture invariant: no adapter is known here. Store, connectors and secrets are handed in as a [`Kit`] by the
//! composition root; whatever is true of a run is decided in the engine and said in the report.

pub mod access;
mod act;
mod api;
mod app;
pub mod audit;
pub mod certificate;
mod desk;
pub mod drills;
mod drivers;
pub mod guide;
mod history;
mod home;
mod launch;
pub mod live;
mod metrics;
mod pages;
pub mod planning;
mod retention;
mod serve;
pub mod verbs;
mod words;

pub use drivers::{DriveOnceError, Kit, Onlooker, Secrets, Stop, Tell, Telling, Vault, drive_once, holder};
pub use history::Chosen;
pub use home::Home;
pub use launch::{create_run, default_run_name, is_run_name};
pub use metrics::Metrics;
pub use planning::preflight::Preflight;
pub use serve::{ServeError, Served, Settings, serve};
pub use words::chain;
