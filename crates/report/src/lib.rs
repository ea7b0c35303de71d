//! What a run means to people and to other programs: plan + records -> [`Fold`] -> [`Report`] -> text, JSON, JUnit,
//! HTML; and drawings of the graph, answers to `why`, the rows of `sites`, the line of `status`; how long a plan or the
//! rest of a run will take; and words for the outside, with when they are due.
//!
//! Architecture invariant: pure. No IO, no clock: whoever asks says what time it is. Depends on the engine only.
//! Law of every renderer: what was skipped, degraded or failed is never shown as success, every given site is
//! accounted for, and text that came from outside is escaped for where it goes.

mod amendment;
pub mod announce;
mod axis;
mod drill;
mod duration;
mod escape;
mod events;
mod fold;
mod forecast;
mod graph;
mod html;
mod junit;
mod no_return;
mod report;
pub mod schedule;
mod sites;
mod standing;
mod status;
mod status_message;
mod text;
mod throughput;
mod typed;
mod why;

pub use amendment::{amendment_json, amendment_lines};
pub use drill::{
    ChaosFinding, DRILL_FORMAT, DrillChaos, DrillEvidence, DrillObjective, DrillReport, DrillStep, Leftover, Readiness,
    Regression, Trend, judge_drill, readiness, render_drill, render_drill_junit, render_trend, trend,
};
pub use duration::{clock, grouped, span, stamp};
pub use escape::{is_unseen, plain};
pub use events::{ToldEvent, event_subject, is_about, noted, what_follows};
pub use fold::{Fold, Histogram, StepTimes, UndoTimes, is_link, new_id_steps, settles_undo, told};
pub use forecast::{
    Account, After, BatchOutlook, Bottleneck, Drawings, FORECAST_FORMAT, Forecast, Model, OrderFinding, Past, PathPart,
    Point, PoolOutlook, PoolWait, ReorderError, Rest, Spent, Spread, TimePart, WhatIf, forecast, forecast_lines,
    order_lines, render_forecast, reorder, rest_line,
};
pub use graph::{Drawing, GraphNode, Tint};
pub use html::render_html;
pub use junit::render_junit;
pub use no_return::points_of_no_return;
pub use report::{
    ActReport, ApprovalReport, AuditReport, BatchReport, Cause, DecisionReport, Distribution, Evidence,
    ExceptionReport, Moment, MomentKind, NoReturnReport, Objective, OverruledReport, PoolReport, REPORT_FORMAT,
    RemainingReport, Report, Resume, SharedFailure, SiteAudit, SiteReport, SiteTally, StepReport, StoreAudit,
    StoreSaid, UndoReport, UnitTally, Verdict, WaitingUnit, site_state,
};
pub use sites::{SiteView, site_view, sites};
pub use standing::{OpenApproval, PoolStanding, Standing, standing};
pub use status::status_line;
pub use status_message::{
    Incident, STATUS_NAMES, StatusMessage, StatusTemplate, TemplateError, are_templates, status_message,
};
pub use text::render_text;
pub use throughput::{
    AS_WRITTEN, Advice, BatchFigures, Cell, CellChange, CellFigures, Check, Comparison, Doubled, Growth, Limit, Middle,
    PoolSize, RunFigures, Scaling, ScalingPoint, Setup, Share, SizeForecast, THROUGHPUT_FORMAT, Throughput, Usl, fit,
    left_out, render_throughput, render_throughput_csv, render_throughput_html,
};
pub use typed::{Typed, gate_word};
pub use why::{NoSuchSubject, why};
