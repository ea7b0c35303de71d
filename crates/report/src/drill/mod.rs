//! What a drill came to: judged by its objectives, held against the drills before it, and what all of them have proved of
//! a runbook.

mod data;
mod history;
mod judge;
mod junit;
mod text;

pub use data::{ChaosFinding, DRILL_FORMAT, DrillChaos, DrillObjective, DrillReport, DrillStep, Leftover, Regression};
pub use history::{Readiness, Trend, readiness, trend};
pub use judge::{DrillEvidence, judge_drill};
pub use junit::render_drill_junit;
pub use text::{render_drill, render_trend};
