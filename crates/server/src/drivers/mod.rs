//! Driving runs in this process: one drive each, side by side.

mod drivers;
mod kit;
mod once;
mod take_up;

pub use drivers::{Drivers, StartError};
pub use kit::{Kit, Secrets};
pub use once::{DriveOnceError, Onlooker, drive_once, holder};
pub(crate) use take_up::take_up;
