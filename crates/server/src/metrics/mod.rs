//! What is measured of this process, as Prometheus reads it.

mod attempts;
mod drills;
mod text;

pub use attempts::Metrics;
pub(crate) use attempts::Watcher;
pub(crate) use text::render;
