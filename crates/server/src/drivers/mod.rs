//! Driving runs in this process: one drive each, side by side.

mod again;
mod ends;
mod kit;
mod once;
mod patience;
mod registry;
mod stand_by;

pub use kit::{Kit, Secrets, Tell, Telling, Vault};
pub use once::{DriveOnceError, Onlooker, Stop, drive_once, holder};
pub(crate) use registry::{Drivers, StartError};
pub(crate) use stand_by::stand_by;
