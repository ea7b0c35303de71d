//! Finding a good order of work before it starts: resource-constrained project scheduling.
//!
//! A [`Project`] is what a plan comes down to when durations are known: activities, precedence and renewable resources.
//! [`optimise`] looks for ranks under which it ends early, and says how far from [`lower_bound`] it stopped. No clock in
//! here: who calls says when to stop, and the same seed with the same number of schedules gives the same order.

mod bound;
mod generate;
mod justify;
mod large;
mod lists;
mod parallel;
mod plan;
mod population;
mod project;
mod rates;
mod sampling;
mod search;
mod serial;

pub use bound::{BoundBy, LowerBound, lower_bound};
pub use generate::{Kind, generate};
pub use plan::PlannedProject;
pub use project::{NO_LOT, Project, ProjectError, ProjectSpec};
pub use search::{Order, Rule, Scheme, Search, list_schedule, optimise};
