//! The HTTP API: handlers, what they take and give, and the document of it all.

mod acted;
mod body;
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

pub(crate) use problem::{Code, Problem, Told};
pub(crate) use routes::routes;
