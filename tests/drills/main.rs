//! Drills with the real binary: in the lab, killed and stopped there, and in an estate of files where parts of them fail.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs, unreachable_pub)]

mod certificate;
mod chaos;
mod delivered;
mod files;
mod lab;
mod lost;
mod scheduler;
mod shipped;
mod silence;
mod units;
