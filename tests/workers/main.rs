//! Workers as processes of their own: they die, stand still and come back, and each effect is there once.
#![allow(clippy::print_stderr)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod ageing;
mod chaos;
mod clocks;
mod faults;
mod fleet;
mod hosts;
mod labs;
mod losses;
mod place;
mod target;
