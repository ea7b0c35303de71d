//! A worker: a process that claims orders, executes them, and answers. See `adr/0003`.
//!
//! Law: a worker answers for nothing that it may no longer have. What it has ends when the store says so, or when the store
//! has not been reached for as long as a worker lives without a beat: by then its orders are given up for lost.

mod drain;
mod hands;
mod held;
mod settings;
mod work;

pub use hands::Hands;
pub use settings::{LEASE_MAX_MS, WorkerSettings};
pub use work::{WorkerError, Working, work};
