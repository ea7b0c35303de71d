//! The guide: short pages for people, and what every code means, inside of the program, so that it needs no network.
//!
//! The texts lie in `crates/server/guide` as Markdown. [`page`] gives one as HTML, [`text`] for a terminal.

mod codes;
mod html;
mod page;
mod terminal;
mod topics;

pub use codes::{Entry, entries, entry};
pub use page::{page, suggestion, text};
pub use topics::{TOPICS, Topic, topic};
