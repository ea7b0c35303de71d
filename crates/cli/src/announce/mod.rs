//! Telling of a run's milestones while it is driven, as its estate wishes. What is due is decided in `report`; here it
//! is sent, noted in a ledger before and after, and never allowed to hold the run up.

mod of_plan;
mod teller;

pub(crate) use of_plan::Announce;
pub(crate) use teller::Announcer;
