//! How long a run will take, before its first step and for the rest of it: the engine itself, driven in virtual time.
//!
//! `model` says how long attempts last, `draw` is the chance in it, `drive` runs, `trace` and `pools` keep what
//! happened, `path` and `bottleneck` read it, `outlook` is the answer as data, `words` the answer for people. `reorder`
//! tries a better order against the engine's own. `account` tells, with the same means, what became of the time of a run
//! that took place.

mod account;
mod ahead;
mod bottleneck;
mod draw;
mod drive;
mod model;
mod occupied;
mod outlook;
mod path;
mod pools;
mod reorder;
mod rest;
mod stand_in;
mod trace;
mod words;

pub use account::{Account, Past, PoolWait, Spent, TimePart};
pub use ahead::{Drawings, forecast};
pub use model::Model;
pub use outlook::{BatchOutlook, Bottleneck, FORECAST_FORMAT, Forecast, Point, PoolOutlook, Spread, WhatIf};
pub use path::{After, PathPart};
pub use reorder::{OrderFinding, ReorderError, order_lines, reorder};
pub use rest::Rest;
pub(crate) use rest::rest;
pub use words::{forecast_lines, render_forecast, rest_line};
