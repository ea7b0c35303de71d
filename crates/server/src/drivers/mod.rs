//! Driving runs in this process: one drive each, side by side.

mod kit;
mod once;
mod registry;
mod take_up;

pub use kit::{Kit, Secrets};
pub use once::{DriveOnceError, Onlooker, drive_once, holder};
pub use registry::{Drivers, StartError};
pub(crate) use take_up::take_up;
