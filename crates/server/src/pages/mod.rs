//! Pages for people: rendered here, kept up to date by a stream of parts, usable without a script.
//!
//! Whatever a page shows comes from a [`View`](crate::live::View) or an answer of the fold; whatever it does goes the way
//! that the API goes. A page knows no truth of its own.

mod act;
mod acts;
mod amend;
mod assets;
mod audit;
mod cells;
mod curve;
mod desk;
mod drills;
mod frame;
mod guide;
mod history;
mod html;
mod launch;
mod log;
mod parts;
mod planned;
mod provider;
mod queue;
mod routes;
mod run;
mod runs;
mod said;
mod sign_in;
mod site;
mod sites;
mod stream;
mod touched;
mod waiting;
mod words;
mod work;

pub(crate) use html::turned_away;
pub(crate) use routes::routes;
pub(crate) use said::Said;
