//! What is measured of this process, as Prometheus reads it.

mod attempts;
mod text;

pub use attempts::Metrics;
pub(crate) use attempts::Watcher;
pub(crate) use text::render;
