//! The plan: data filled in by the front end, admitted once, laid out for speed.

mod admit;
mod carry;
pub(crate) mod difference;
mod drill;
mod extras;
mod graph;
mod keys;
mod layout;
mod spec;
mod waves;

pub(crate) use graph::covers;

pub use admit::PlanError;
pub use carry::Carry;
pub use drill::{ChaosMark, Disturbance, DrillMark, DrillObjectives, DrillPart};
pub use extras::{ApprovalAt, ApproverGroup, Checklist, ExcludedSite, Extras};
pub use graph::UNKNOWN_MS;
pub use layout::Plan;
pub use spec::{
    ActionUse, Approval, Backoff, Batches, ForEach, Group, NO_KEY, Need, Objectives, OnExceeded, OnFailure, OnLapse,
    Origin, PLAN_FORMAT, Place, PlanSpec, PoolSpec, PoolUse, Rate, Retry, Scope, StepSpec, When, Work,
};
