//! Findings for people, programs and code hosts.

mod github;
mod json;
mod text;

pub use github::render_github;
pub use json::render_json;
pub use text::render_text;
