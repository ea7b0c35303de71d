//! The one driver loop: inputs are decided and applied in memory, committed as a group, and only then acted upon.
//!
//! ```text
//! outcomes, timers, verbs --> decide --> apply --> group --> append (durable) --> launch the group's starts
//! ```
//! While one group is on its way to the disk the next one fills, so everything that waits shares a commit. Memory is
//! ahead of the journal by at most these two groups, and nothing outside has seen them: if an append fails, the run
//! in memory is thrown away and the journal is the truth. That is why a start is acted upon only after its commit.

mod amend;
mod desk;
mod drive;
mod equip;
mod launch;
mod orders;
mod recover;
mod request;
mod trace;
mod verify;

pub use drive::{Drive, DriveEnd, DriveError, Observer, Settings, drive};
pub use equip::{Equip, Equipment};
pub use launch::Launcher;
pub use recover::{RecoverError, Recovered, Tail, created, open, recover};
pub use request::{Reply, Request};
pub use verify::{Verified, verify};
