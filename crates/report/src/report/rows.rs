//! The rows of a report's tables.

use serde::Serialize;

/// Sites by state; the sum of all but `given` and `excluded_by_plan` is `given`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SiteTally {
    /// Sites of the list, those that the plan leaves out among them.
    pub given: u32,
    /// Back and verified, nothing degraded.
    pub returned: u32,
    /// Back, but some step was degraded.
    pub degraded: u32,
    /// Out: a step failed.
    pub quarantined: u32,
    /// What was done was taken back.
    pub undone: u32,
    /// Left out by the plan, or taken out by a person before it started.
    pub excluded: u32,
    /// Of those, left out by the plan.
    pub excluded_by_plan: u32,
    /// Let go, for another run to adopt.
    pub released: u32,
    /// What was done is being taken back.
    pub undoing: u32,
    /// Under way; in a run that is over, left unfinished.
    pub restoring: u32,
    /// Batch not open; in a run that is over, never started.
    pub waiting: u32,
}

impl SiteTally {
    /// Given sites that are not back: all but `returned` and `degraded`.
    #[must_use]
    pub fn not_back(self) -> u32 {
        self.given - self.returned - self.degraded
    }

    /// Sites that the run was to bring back: all that the plan does not leave out.
    #[must_use]
    pub fn wanted(self) -> u32 {
        self.given - self.excluded_by_plan
    }

    /// All states but `returned` that some site is in, with their words; `over` says whether the run has ended.
    pub(crate) fn others(self, over: bool) -> Vec<(u32, &'static str)> {
        let all = [
            (self.degraded, "degraded"),
            (self.quarantined, "quarantined"),
            (self.undone, "undone"),
            (self.undoing, "being taken back"),
            (self.excluded - self.excluded_by_plan, "excluded"),
            (self.excluded_by_plan, "excluded by the plan"),
            (self.released, "released"),
            (self.restoring, if over { "left unfinished" } else { "under way" }),
            (self.waiting, if over { "never started" } else { "waiting" }),
        ];
        all.into_iter().filter(|&(number, _)| number > 0).collect()
    }
}

/// Units by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UnitTally {
    /// Units known so far; the sum of all others.
    pub total: u64,
    /// Needs not settled.
    pub waiting: u64,
    /// Wait for slots only.
    pub ready: u64,
    /// In flight.
    pub running: u64,
    /// Wait for the time of their next attempt.
    pub backoff: u64,
    /// Wait for people to approve.
    pub asked: u64,
    /// Being taken back.
    pub undoing: u64,
    /// In doubt or stuck: an operator must rule.
    pub for_operator: u64,
    /// Succeeded.
    pub succeeded: u64,
    /// Not to be run: the condition was false.
    pub skipped: u64,
    /// Failed, counted as done.
    pub degraded: u64,
    /// Failed.
    pub failed: u64,
    /// Will not run: a need failed or the site is out.
    pub cancelled: u64,
    /// Their effect was taken back.
    pub undone: u64,
    /// Their effect was to be taken back and stays.
    pub stays: u64,
}

impl UnitTally {
    /// Units that are over.
    #[must_use]
    pub fn settled(self) -> u64 {
        self.succeeded + self.skipped + self.degraded + self.failed + self.cancelled + self.undone + self.stays
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.total += other.total;
        self.waiting += other.waiting;
        self.ready += other.ready;
        self.running += other.running;
        self.backoff += other.backoff;
        self.asked += other.asked;
        self.undoing += other.undoing;
        self.for_operator += other.for_operator;
        self.succeeded += other.succeeded;
        self.skipped += other.skipped;
        self.degraded += other.degraded;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.undone += other.undone;
        self.stays += other.stays;
    }
}

/// A batch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BatchReport {
    /// From 1.
    pub number: u32,
    /// Its sites.
    pub sites: u32,
    /// When it opened.
    pub opened: Option<String>,
    /// When every site of it had ended.
    pub settled: Option<String>,
    /// From the run's opening to the batch's, in seconds.
    pub opened_after_s: Option<f64>,
    /// From its opening until it was settled, or until now.
    pub wall_s: Option<f64>,
    /// Sites of it that are back (returned or degraded).
    pub back: u32,
    /// Sites back per hour of `wall_s`; `null` while none is.
    pub sites_per_hour: Option<f64>,
    /// Sites of it that are out.
    pub failures: u32,
    /// Failures it tolerates.
    pub budget: u32,
    /// Whether it has more.
    pub over_budget: bool,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepReport {
    /// Name.
    pub name: String,
    /// Scope: `run`, `batch`, `site` or the name of a group.
    pub scope: String,
    /// Action, `approval` for a person's decision.
    pub uses: String,
    /// Place in the runbook, `file:line:column`.
    pub place: String,
    /// Names of the steps that it needs.
    pub needs: Vec<String>,
    /// Its units by state.
    pub units: UnitTally,
    /// Attempts started, probes among them.
    pub attempts: u64,
    /// Attempts after a unit's first that called the action again.
    pub retries: u64,
    /// Attempts that were in flight when a driver was gone.
    pub interrupted: u64,
    /// Attempts whose effect was not known at their end.
    pub in_doubt: u64,
    /// Median of its successful attempts, to within 1.6 %.
    pub p50_s: Option<f64>,
    /// 95th percentile of its successful attempts, to within 1.6 %.
    pub p95_s: Option<f64>,
    /// Longest successful attempt.
    pub max_s: Option<f64>,
    /// Median wait from the last need to the first start, to within 1.6 %.
    pub wait_p50_s: Option<f64>,
    /// Sum of the time its attempts were in flight.
    pub busy_s: f64,
    /// Whether it belongs to `finally`: it runs at the end and no site waits for it.
    pub finally: bool,
    /// What takes its effect back, and how that went; `null` if nothing can.
    pub undo: Option<UndoReport>,
}

/// How the effect of a step was taken back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UndoReport {
    /// Action.
    pub uses: String,
    /// Attempts started, probes among them; not counted among those of the step.
    pub attempts: u64,
    /// Attempts that surely changed nothing.
    pub refused: u64,
    /// Attempts whose effect was not known at their end.
    pub in_doubt: u64,
    /// Attempts that were in flight when a driver was gone.
    pub interrupted: u64,
    /// Median of its successful attempts, to within 1.6 %.
    pub p50_s: Option<f64>,
    /// 95th percentile of its successful attempts, to within 1.6 %.
    pub p95_s: Option<f64>,
    /// Longest successful attempt.
    pub max_s: Option<f64>,
}

/// A pool.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PoolReport {
    /// Name.
    pub name: String,
    /// What it has one instance per; `null` for one in all.
    pub per: Option<String>,
    /// Instances.
    pub instances: u32,
    /// Slots of each instance, as a person may have set it; `null` without a limit.
    pub slots: Option<u32>,
    /// Whether it is shared between runs.
    pub shared: bool,
    /// Time that slots were held, over time that there was; `null` without a limit on slots.
    pub busy_share: Option<f64>,
    /// Slots in use now.
    pub in_use: u64,
}

/// Failures of sites that have step, code and end in common.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cause {
    /// Step.
    pub step: String,
    /// Place of the step, `file:line:column`.
    pub place: String,
    /// Stable code.
    pub code: String,
    /// How these sites stand.
    pub state: &'static str,
    /// Sites concerned.
    pub sites: u32,
    /// Message of the first of them.
    pub message: String,
    /// The operator's next move; empty if there is none.
    pub hint: String,
    /// IDs of the first of them.
    pub examples: Vec<String>,
}

/// A site that did not return cleanly.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExceptionReport {
    /// Its ID.
    pub site: String,
    /// Its row in the site list, one-based.
    pub row: u32,
    /// Its batch, from 1.
    pub batch: u32,
    /// `degraded`, `quarantined`, `undone`, `excluded`, `released`, `undoing`, `unfinished`, `never_started`, or
    /// `restoring` while it can still change; `returned` for one that is back with stores that stand at different points.
    pub state: &'static str,
    /// Step that failed; empty if none did.
    pub step: String,
    /// Unit that failed: step, key and item; empty if none did.
    pub unit: String,
    /// Stable code.
    pub code: String,
    /// The fact.
    pub message: String,
    /// The operator's next move; empty if there is none.
    pub hint: String,
    /// Place of the step, `file:line:column`; empty if no step failed.
    pub place: String,
    /// Attempts at the unit.
    pub attempts: u32,
    /// Whether it is not known if the unit's effect is there.
    pub in_doubt: bool,
    /// Further failed units of this site.
    pub more: u32,
    /// Whether it was back before.
    pub was_back: bool,
}

/// A failed or degraded unit that several sites share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SharedFailure {
    /// Step.
    pub step: String,
    /// Unit: step, key and item.
    pub unit: String,
    /// `failed` or `degraded`.
    pub state: &'static str,
    /// Stable code.
    pub code: String,
    /// The fact.
    pub message: String,
    /// The operator's next move; empty if there is none.
    pub hint: String,
    /// Place of the step, `file:line:column`.
    pub place: String,
    /// Attempts at the unit.
    pub attempts: u32,
    /// Sites it covers.
    pub sites: u32,
    /// Whether it belongs to `finally`, and so counts against none of them.
    pub finally: bool,
}

/// A unit that waits for an operator.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WaitingUnit {
    /// Step.
    pub step: String,
    /// Unit: step, key and item.
    pub unit: String,
    /// Number of the unit in the plan.
    pub number: u32,
    /// `parked`: in doubt; `stuck`: failed under `on_failure: pause`, or its undo failed.
    pub state: &'static str,
    /// Whether it is its undo that waits.
    pub undo: bool,
    /// Stable code of its last failure; empty if there is none.
    pub code: String,
    /// The fact.
    pub message: String,
    /// The operator's next move.
    pub hint: String,
    /// Place of the step, `file:line:column`.
    pub place: String,
    /// Attempts so far.
    pub attempts: u32,
    /// Sites that wait for it.
    pub sites: u32,
}

/// A takeover by a driver after the first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Resume {
    /// When.
    pub at: String,
    /// Its lease epoch.
    pub epoch: u64,
    /// Who drives since.
    pub holder: String,
    /// Attempts that were in flight when the driver before was gone; 0 for a clean stop.
    pub attempts_interrupted: u64,
    /// Since the last record before it, in seconds.
    pub gap_s: f64,
}

/// A site.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SiteReport {
    /// Its ID.
    pub id: String,
    /// Its row in the site list, one-based.
    pub row: u32,
    /// Its batch, from 1; `null` for one that the plan leaves out.
    pub batch: Option<u32>,
    /// `returned`, `degraded`, `quarantined`, `undone`, `excluded`, `released`, `undoing`, `restoring`, `waiting`.
    pub state: &'static str,
    /// From the run's opening until it was back, in seconds; `null` for one that is not.
    pub back_after_s: Option<f64>,
    /// From its restore point to its deletion, in seconds; `null` if not known.
    pub data_loss_s: Option<f64>,
    /// Who took it out, `plan` if the plan leaves it out; `null` for one that nobody did.
    pub out_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The ID under which it comes back, if that is another; `null` if none was told.
    pub new_id: Option<String>,
    /// Run that had begun it.
    pub adopted_from: Option<String>,
    /// Steps of it that count as settled on a person's word only.
    pub overruled: Vec<String>,
}

impl SiteReport {
    /// What is to be known of it beside its state, in words; empty if nothing is.
    #[must_use]
    pub fn note(&self) -> String {
        let mut notes = Vec::new();
        if let Some(who) = &self.out_by {
            let why = self.reason.as_deref().filter(|why| !why.is_empty()).map(|why| format!(": {why}"));
            notes.push(format!("taken out by {who}{}", why.unwrap_or_default()));
        }
        if let Some(id) = &self.new_id {
            notes.push(format!("new ID {id}"));
        }
        if let Some(from) = &self.adopted_from {
            notes.push(format!("adopted from run {from}, re-checked"));
        }
        if !self.overruled.is_empty() {
            notes.push(format!("on a person's word: {}", self.overruled.join(", ")));
        }
        notes.join("; ")
    }
}

/// What a report rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Hash of the plan, hexadecimal.
    pub plan: String,
    /// Records of the journal that were folded.
    pub records: u64,
    /// Hash of the journal's newest group, hexadecimal; `audit verify RUN --head HASH` finds out whether the journal is
    /// still what it was.
    pub head: Option<String>,
    /// Newest lease epoch.
    pub epoch: u64,
    /// Time of the newest record.
    pub newest_record: Option<String>,
    /// Version of the program that made the report.
    pub made_by: &'static str,
}
