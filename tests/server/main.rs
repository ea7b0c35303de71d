//! The daemon as a process of its own, over loopback: what it serves, to whom, and what is left when it dies.
#![allow(clippy::print_stderr)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod adrift;
mod amended;
mod audited;
mod browser;
mod client;
mod daemon;
mod desk;
mod drills;
mod failover;
mod flow;
mod fuzz;
mod killed;
mod oidc;
mod pages;
mod people;
mod roles;
mod secrets;
mod shift;
mod starts;
mod story;
mod tls;
mod watchers;
