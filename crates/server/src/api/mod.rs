//! The HTTP API: handlers, what they take and give, and the document of it all.

mod body;
mod events;
mod problem;
mod routes;
mod runs;

pub(crate) use problem::{Code, Problem, Told};
pub(crate) use routes::routes;
