//! The small words of a report: verdicts, objectives, moments.

use serde::Serialize;

/// How a run stands or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing has happened yet.
    New,
    /// Under way.
    Running,
    /// Paused: nothing new starts.
    Paused,
    /// Aborted by a step or a budget; running units finish.
    Aborting,
    /// Being cancelled; running units finish.
    Cancelling,
    /// Being cancelled, and what was done is taken back.
    Unwinding,
    /// Only `finally` is left.
    Closing,
    /// Every site returned and nothing failed.
    Succeeded,
    /// Over, with sites or steps that did not succeed.
    SucceededWithExceptions,
    /// Aborted, or no site returned.
    Failed,
    /// Cancelled by an operator.
    Cancelled,
}

impl Verdict {
    /// The words for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::New => "not started",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Aborting => "aborting",
            Self::Cancelling => "cancelling",
            Self::Unwinding => "taking everything back",
            Self::Closing => "finishing",
            Self::Succeeded => "succeeded",
            Self::SucceededWithExceptions => "succeeded with exceptions",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the run is over.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::SucceededWithExceptions | Self::Failed | Self::Cancelled)
    }
}

/// Measured values against an objective.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Objective {
    /// The objective in seconds; `null` if the runbook sets none.
    pub objective_s: Option<f64>,
    /// Whether it is met: `true` only once every given site is measured and within it, `false` as soon as one is not
    /// or cannot be any more, `null` before that or without an objective.
    pub met: Option<bool>,
    /// Sites measured.
    pub measured: u32,
    /// Measured sites beyond the objective.
    pub beyond: u32,
    /// Sites that have no value in time and will get none in this run: out, degraded, or late already.
    pub missing: u32,
    /// Median in seconds.
    pub p50_s: Option<f64>,
    /// 95th percentile in seconds.
    pub p95_s: Option<f64>,
    /// Largest in seconds.
    pub max_s: Option<f64>,
    /// How the values spread, for a picture.
    pub distribution: Distribution,
}

/// Values in ranges of equal width.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Distribution {
    /// Start of the first range in seconds.
    pub from_s: f64,
    /// Width of each range in seconds.
    pub width_s: f64,
    /// Values in each range.
    pub counts: Vec<u32>,
}

/// Something that happened to the run as a whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moment {
    /// When.
    pub at: String,
    /// From the run's opening, in seconds.
    pub after_s: f64,
    /// What kind.
    pub kind: MomentKind,
    /// Number of the batch, from 1, if one is concerned.
    pub batch: Option<u32>,
    /// Who is behind it; `null` if nobody in particular.
    pub actor: Option<String>,
    /// The reason that they gave.
    pub reason: Option<String>,
    /// In words.
    pub text: String,
}

/// Kinds of moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MomentKind {
    /// A batch opened.
    BatchOpened,
    /// A batch is settled.
    BatchSettled,
    /// A batch exceeded its failure budget.
    BudgetExceeded,
    /// The run was paused.
    Paused,
    /// It went on.
    Continued,
    /// It was cancelled.
    Cancelled,
    /// A driver after the first took it over.
    Resumed,
    /// An operator ruled on a unit.
    Ruled,
    /// It ended.
    Ended,
    /// A person approved a gate.
    Approved,
    /// A person rejected a gate.
    Rejected,
    /// Nobody decided on a gate in time.
    Lapsed,
    /// What did not succeed was tried again.
    Retried,
    /// A person skipped a step or marked it done.
    Overruled,
    /// A person took a site out.
    TakenOut,
    /// A site of another run was taken over.
    SiteAdopted,
    /// A person changed the size of a pool.
    PoolSet,
    /// The plan was amended.
    Amended,
    /// It was cancelled, and what was done is taken back.
    Unwinding,
    /// Only `finally` was left.
    Closing,
    /// It went on after it had ended.
    Reopened,
}

impl MomentKind {
    /// Whether a person changed what becomes of sites, steps or pools.
    #[must_use]
    pub fn is_act(self) -> bool {
        matches!(
            self,
            Self::Ruled
                | Self::Retried
                | Self::Overruled
                | Self::TakenOut
                | Self::SiteAdopted
                | Self::PoolSet
                | Self::Amended
        )
    }

    /// Whether people decided on a gate, or failed to.
    #[must_use]
    pub fn is_decision(self) -> bool {
        matches!(self, Self::Approved | Self::Rejected | Self::Lapsed)
    }
}
