//! Every runbook that ships with the project, on a real lab, by the real binary: it does what it says, and what it did is
//! taken back, whatever fails, however often, and killed at any step.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod refused;
mod typed;
