//! `watch`: a run on a full screen, to follow and to steer it.
//!
//! The *follower* (`server::live`) reads the journal and hands out snapshots; the *session* draws the newest one and takes keys; verbs go
//! the ways of the command line. Drawing is pure: snapshot and desk in, text out.

mod desk;
mod draw;
mod keys;
mod screen;
mod session;
mod verb;

pub(crate) use session::watch;
