//! The HTTP API: handlers, what they take and give, and the document of it all.

mod acted;
mod amend;
mod attempts;
pub(crate) mod body;
mod claims;
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

pub(crate) use amend::{Amending, Difference, amended, differs};
pub(crate) use attempts::{AttemptLog, attempt_log};
pub(crate) use claims::shown as shown_work;
pub(crate) use launch::{Launching, launched, resumed};
pub(crate) use plan::{BODY_MAX as PLAN_MAX, Given, Planning, show};
pub(crate) use problem::{Code, Problem, Told};
pub(crate) use report::{Form, history, reported};
pub(crate) use routes::routes;
pub(crate) use session::{closed, opened, set_cookie};
pub(crate) use sites::{Site, Wanted};
pub(crate) use verbs::validates;
