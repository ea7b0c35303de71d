//! The HTTP API: handlers, what they take and give, and the document of it all.

mod acted;
mod attempts;
pub(crate) mod body;
mod drills;
mod events;
mod launch;
mod look;
mod plan;
mod problem;
mod report;
mod routes;
mod runs;
mod session;
mod sites;
mod verbs;

pub(crate) use launch::{Launching, launched, resumed};
pub(crate) use plan::{BODY_MAX as PLAN_MAX, Given, Planning, Shown, show};
pub(crate) use problem::{Code, Problem, Told};
pub(crate) use routes::routes;
pub(crate) use session::{opened, set_cookie};
