//! The lab from outside: build, damage, serve, restore by hand, compare.
#![allow(clippy::unwrap_used, missing_docs)]

mod compare;
mod http;
mod moved;
mod postgres;
mod recovered;
mod restore;
mod retire;
mod support;
mod undo;
