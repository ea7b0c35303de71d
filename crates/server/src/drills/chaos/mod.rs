//! Chaos: attempts of a drill's run are failed, cut off, delivered twice or delayed, so that steps which cannot bear it are
//! found in the sandbox. What happens to an attempt is a pure function of seed, unit and attempt.

mod compare;
mod connector;
mod fate;
mod told;

pub(super) use compare::held_against;
pub use connector::Chaos;
pub use fate::{Fate, fate};
