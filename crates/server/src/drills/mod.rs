//! Drills: having them take place, on their schedules and when somebody asks, and how they stand.
//!
//! `read` and `prepare` make one from files, `conduct` and `judge` have it take place: the command line does the same. The
//! rest is the daemon's: `shelf` reads its folder, `stand` says how drills stand, `row` what becomes of a slot, `lost` ends
//! those whose process is gone, `scheduler` waits for slots.

mod ask;
mod carry;
mod chaos;
mod conduct;
mod detail;
mod judge;
mod lost;
mod prepare;
mod read;
mod row;
mod sandbox;
mod scheduler;
mod shelf;
mod shown;
mod stand;
mod trouble;
mod upheaval;
mod watched;

pub use ask::NotBegun;
pub use chaos::{Chaos, Fate, fate};
pub use conduct::Conductor;
pub use detail::DrillDetail;
pub use prepare::ReadyDrill;
pub use read::{DrillRead, LoadedDrill, UnreadableFile, read_drill};
pub use sandbox::Sandbox;
pub use scheduler::Drills;
pub use shown::{DrillGoing, DrillLast, DrillNext, DrillShown};
pub use trouble::DrillError;

use crate::app::App;

/// How the daemon's drills stand, by name.
pub(crate) fn shown(app: &App) -> Vec<DrillShown> {
    app.drills.shown()
}
