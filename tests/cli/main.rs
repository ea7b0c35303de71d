//! The real binary, as somebody types it: exit codes, words, and what is never said.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod agreed;
mod amend;
mod announce;
mod attempt_logs;
mod audit;
mod author;
mod chained;
mod drivers;
mod forecast;
mod guide;
mod look;
mod malformed;
mod order;
mod place;
mod preflight;
mod prune;
mod pty;
mod readme;
mod screens;
mod secrets;
mod shapes;
mod simulate;
mod store_copy;
mod taken_back;
mod throughput;
mod traces;
mod truth;
mod undo;
mod watch;
mod wrong_targets;
