//! The report as data: every number that the renderers show and nothing they have to work out.
//!
//! Field names are stable: they are the JSON that scripts read. New fields may appear; [`REPORT_FORMAT`] changes when
//! one is removed or changes its meaning. Times are RFC 3339 in UTC, lengths of time are seconds as decimals, shares
//! are 0 to 1. `null` means not known or not applicable, never zero.

mod alike;
mod approvals;
mod audit;
mod build;
mod exceptions;
mod kinds;
mod people;
mod remains;
mod rows;
mod rows_of;
mod spread;

use serde::Serialize;

pub(crate) use alike::alike;
pub use audit::{AuditReport, SiteAudit, StoreAudit, StoreSaid};
pub(crate) use audit::{audit, audit_of};
pub(crate) use build::build;
pub(crate) use exceptions::{exception, place, waiting_for_operator};
pub use kinds::{Distribution, Moment, MomentKind, Objective, Verdict};
pub use people::{ActReport, ApprovalReport, DecisionReport, NoReturnReport, OverruledReport, RemainingReport};
pub use rows::{
    BatchReport, Cause, Evidence, ExceptionReport, PoolReport, Resume, SharedFailure, SiteReport, SiteTally,
    StepReport, UndoReport, UnitTally, WaitingUnit,
};
pub use rows_of::site_state;
pub(crate) use rows_of::{scope_name, tally as site_tally, units_of_step};
pub(crate) use spread::percentile;

use crate::forecast::Rest;

/// Format of the JSON, in its field `format`.
pub const REPORT_FORMAT: &str = "reinstate-report/1";

/// The next move on a run that stands paused.
pub(crate) const PAUSED_HINT: &str = "hint: nothing new starts; see to the cause, then continue or cancel the run";

/// What a run did, as of one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// [`REPORT_FORMAT`].
    pub format: &'static str,
    /// Name of the run; empty if none was given.
    pub run: String,
    /// `name:` of the runbook.
    pub runbook: String,
    /// File of the runbook as given.
    pub runbook_file: String,
    /// File of the site list as given.
    pub sites_file: String,
    /// Name of the estate.
    pub estate: String,
    /// Hash of the plan, hexadecimal.
    pub plan: String,
    /// How the run stands or ended, in a word.
    pub verdict: Verdict,
    /// The outcome in one sentence for people; it never claims more than the numbers do.
    pub headline: String,
    /// Why the run is paused, with who paused it.
    pub paused: Option<String>,
    /// Who opened it.
    pub opened_by: String,
    /// Why it went without the passed drill that the estate demands of its runbook; `null` if it did not.
    pub uncertified: Option<String>,
    /// When it was opened.
    pub opened: Option<String>,
    /// When it ended.
    pub ended: Option<String>,
    /// As of when the report was made; the end once the run has ended.
    pub as_of: String,
    /// From opening to the end, or to `as_of`.
    pub wall_s: f64,
    /// Of that, paused; the clock of the objectives goes on meanwhile.
    pub paused_s: f64,
    /// Of that, without a driver: from the last record before each resume to the resume.
    pub gap_s: f64,
    /// How often the run went on after it had ended.
    pub reopened: u32,
    /// Of `wall_s`, over: from each end to the act that had it go on.
    pub over_s: f64,
    /// Time below which no order of the same attempts could have come, each as long as it was and as long after one that fell short
    /// as had to be; `null` unless the run was accounted for ([`Report::bounded`]).
    pub lower_bound_s: Option<f64>,
    /// Who drove it, each once.
    pub drivers: Vec<String>,
    /// Sites by state; the sum is `given`.
    pub sites_by_state: SiteTally,
    /// Units by state over all steps.
    pub units: UnitTally,
    /// Attempts started, probes among them.
    pub attempts: u64,
    /// Attempts after a unit's first that called the action again.
    pub retries: u64,
    /// Attempts that were in flight when a driver was gone.
    pub interrupted: u64,
    /// Attempts at taking effects back, counted apart.
    pub undo_attempts: u64,
    /// Rulings by operators.
    pub rulings: u64,
    /// Sites that were back and were put out later.
    pub returned_then_out: Vec<String>,
    /// Recovery time of each returned site, from the run's opening to verified, pauses and all, against the objective.
    pub rto: Objective,
    /// Data loss of each site, from its restore point to its deletion, against the objective.
    pub rpo: Objective,
    /// Rest of the run; `null` when it is over, stands still, or nothing is known of how long its steps take.
    pub forecast: Option<Rest>,
    /// Batches in the order in which they open.
    pub batches: Vec<BatchReport>,
    /// Steps in the runbook's order.
    pub steps: Vec<StepReport>,
    /// Pools in the runbook's order.
    pub pools: Vec<PoolReport>,
    /// Failures of sites, grouped by state, step and code: sites that are not back first, then most sites first.
    pub causes: Vec<Cause>,
    /// Every site that did not return cleanly, or whose stores do not stand at one point, in the plan's order.
    pub exceptions: Vec<ExceptionReport>,
    /// Failed or degraded units that more than one site shares.
    pub shared_failures: Vec<SharedFailure>,
    /// Failed or degraded units of `finally`; they count against no site.
    pub finally_failures: Vec<SharedFailure>,
    /// Steps that count as settled on a person's word only.
    pub overruled: Vec<OverruledReport>,
    /// Gates: those that wait for people first, then those that were decided, in order.
    pub approvals: Vec<ApprovalReport>,
    /// What people did to sites, steps and pools, in order.
    pub by_people: Vec<ActReport>,
    /// Acts beyond the number that is kept.
    pub by_people_dropped: u64,
    /// Effects that were to be taken back and stay in the estate, or may.
    pub remains: Vec<RemainingReport>,
    /// Steps without an undo that changed the estate, or may have.
    pub no_return: Vec<NoReturnReport>,
    /// Units that wait for an operator's ruling.
    pub waiting_for_operator: Vec<WaitingUnit>,
    /// Takeovers by a driver after the first.
    pub resumes: Vec<Resume>,
    /// What happened to the run as a whole, in order.
    pub timeline: Vec<Moment>,
    /// Moments beyond the number that is kept.
    pub timeline_dropped: u64,
    /// Sites that were back as a function of time.
    pub returned_over_time: Vec<(f64, u32)>,
    /// Every site: those of the plan in its order, then those that it leaves out.
    pub sites: Vec<SiteReport>,
    /// At which points in time the stores of the sites stand; `null` if no step was asked for a restore point.
    pub audit: Option<AuditReport>,
    /// What the report rests on.
    pub evidence: Evidence,
}

impl Report {
    /// The report with what the account of the same run says of its lower bound, if there is one.
    #[must_use]
    pub fn bounded(mut self, account: Option<&crate::Account>) -> Self {
        self.lower_bound_s = account.map(|account| account.lower_bound_s);
        self
    }

    /// How far the run took longer than its lower bound: 0.05 is 5 %; `None` without one.
    #[must_use]
    pub fn above_bound(&self) -> Option<f64> {
        self.lower_bound_s.filter(|bound| *bound > 0.0).map(|bound| self.wall_s / bound - 1.0)
    }

    /// The report as JSON, indented, with a line feed at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a report has string keys and finite numbers only");
        text.push('\n');
        text
    }
}
