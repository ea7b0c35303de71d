//! What tests share: a seeded generator of plans, a model world, the simulator of the pure core and its checkers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

pub mod amend;
pub mod checks;
pub mod fake_versioned_s3;
pub mod opened;
mod operator;
pub mod oracle;
pub mod plans;
pub mod postgres;
pub mod process;
pub mod provider;
pub mod random;
pub mod s3;
pub mod sim;
mod tell;
pub mod truth;
mod turns;
pub mod typed;
pub mod verdict;
pub mod world;
