//! The front end, through its public API only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod check;
mod drill;
mod fixture;
mod foreseen;
mod guarded;
mod guarded_malformed;
mod hostile;
mod malformed;
mod plan;
mod stand_ins;
mod thousand;
