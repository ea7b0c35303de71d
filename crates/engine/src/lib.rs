//! The pure core of `reinstate`: a plan, the alphabet of events, and the run that folds them.
//!
//! Architecture invariant: no clock, IO, tokio, YAML, SQL or randomness in here. Time, jitter and order come in as
//! data, so a run replays from its journal to the same state. `Run::decide` is pure and may refuse, `Run::apply` is
//! the only mutation, recovery is the fold of `apply`.

mod catalogue;
mod chain;
mod codec;
mod evaluator;
mod event;
mod hexed;
mod ids;
mod input;
mod names;
mod plan;
mod run;
mod seeded;
mod sites;

pub use catalogue::{ActionSpec, Holds};
pub use chain::{Chain, Link, LinkError};
pub use codec::{DecodedGroup, EncodedGroup, GROUP_FORMAT, GroupError, GroupWriter, decode_group};
pub use evaluator::{EvalError, Evaluator, Outputs, Target};
pub use event::{Again, Decree, Event, Failure, Gate, Mode, Record, Ruling, RunEnd, SiteEnd, TakeOut, Then};
pub use ids::{BatchIx, GroupIx, KeyIx, Millis, NodeIx, PoolIx, SiteIx, StepIx, UnitIx};
pub use input::{Advice, Command, Input, Misfit, Outcome, Rejection};
pub use names::reads_like;
pub use plan::{
    ActionUse, Approval, ApprovalAt, ApproverGroup, Backoff, Batches, Carry, ChaosMark, Checklist, Disturbance,
    DrillMark, DrillObjectives, DrillPart, ExcludedSite, Extras, ForEach, Group, NO_KEY, Need, Objectives, OnExceeded,
    OnFailure, OnLapse, Origin, PLAN_FORMAT, Place, Plan, PlanError, PlanSpec, PoolSpec, PoolUse, Rate, Retry, Scope,
    StepSpec, UNKNOWN_MS, When, Work,
};
pub use run::{
    Amendment, Flight, NodeState, Pending, PoolShare, PoolState, PoolUsage, Request, Run, SharedPool, Status,
    StepAmendment, StepChange, Tally, UnitState, Wait,
};
pub use seeded::{Seeded, below, mix, share};
pub use sites::{Column, Interned, Sites, Texts, Values};
