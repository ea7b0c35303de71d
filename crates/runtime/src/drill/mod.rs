//! A drill as a whole: up to four runs, one after the other, of which the last takes place whatever becomes of the rest.
//!
//! Set-up, the runbook's run, what is compared after it and clean-up are runs with plans and journals of their own, all created before the first of
//! them begins: a process that is lost is followed by one that finds them by the history of drills, calls off what has
//! not ended, and cleans up. Whoever holds the lease of the clean-up run conducts the drill.

mod close;
mod conduct;
mod open;

pub use conduct::{Conduct, ConductError, Conducted, DrillObserver, conduct};
pub use open::{DrillPlans, DrillRuns, open_drill};
