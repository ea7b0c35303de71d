//! What a plan says, as plain data: the front end fills it in, the journal stores it, `Plan::new` admits it.

use serde::{Deserialize, Serialize};

use crate::ids::{GroupIx, PoolIx, StepIx};
use crate::plan::extras::Extras;
use crate::sites::{Interned, Sites};

/// Format number of a stored plan; a reader refuses a newer one.
pub const PLAN_FORMAT: u16 = 4;

/// Key number of a site that belongs to no key of a group.
pub const NO_KEY: u32 = u32::MAX;

/// A resolved plan as data: runbook, sites and estate with no choice left open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanSpec {
    /// Format number, [`PLAN_FORMAT`] when written by this version.
    pub format: u16,
    /// Where the plan came from.
    pub origin: Origin,
    /// The sites in the order in which they should finish.
    pub sites: Sites,
    /// Declared groups.
    pub groups: Vec<Group>,
    /// Batches: contiguous ranges of the sites.
    pub batches: Batches,
    /// Pools.
    pub pools: Vec<PoolSpec>,
    /// Steps in the runbook's order; `finally` steps are marked.
    pub steps: Vec<StepSpec>,
    /// Distinct item values of static `for_each`, each as JSON text.
    pub items: Vec<String>,
    /// Resolved inputs, as a JSON object.
    pub inputs: String,
    /// The estate's variables (secrets as references only), as a JSON object.
    pub estate: String,
    /// Objectives of the run.
    pub objectives: Objectives,
    /// What later formats added. New fields go to the end, so that older plans are a prefix of newer ones.
    pub extras: Extras,
}

/// A plan of nothing, in the newest format.
impl Default for PlanSpec {
    fn default() -> Self {
        Self {
            format: PLAN_FORMAT,
            origin: Origin::default(),
            sites: Sites::default(),
            groups: Vec::new(),
            batches: Batches::default(),
            pools: Vec::new(),
            steps: Vec::new(),
            items: Vec::new(),
            inputs: "{}".to_owned(),
            estate: "{}".to_owned(),
            objectives: Objectives::default(),
            extras: Extras::default(),
        }
    }
}

/// Where a plan came from, for messages and for `run --plan HASH`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// `name:` of the runbook.
    pub runbook: String,
    /// File name of the runbook as given.
    pub runbook_file: String,
    /// The runbook's whole text, so that messages can quote it when the file is gone.
    pub runbook_text: String,
    /// File name of the site list as given.
    pub sites_file: String,
    /// Name of the estate.
    pub estate: String,
}

impl Origin {
    /// Returns the hash of the runbook's text, hexadecimal: two runbooks of one hash are one.
    #[must_use]
    pub fn runbook_hash(&self) -> String {
        blake3::hash(self.runbook_text.as_bytes()).to_hex().to_string()
    }
}

/// Recovery objectives; `None` where the runbook sets none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objectives {
    /// Recovery time objective in milliseconds.
    pub rto_ms: Option<u64>,
    /// Recovery point objective in milliseconds.
    pub rpo_ms: Option<u64>,
}

/// How often a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Once.
    Run,
    /// Once per batch.
    Batch,
    /// Once per key of a declared group.
    Group(GroupIx),
    /// Once per site.
    Site,
}

/// A declared group of sites (shard, region).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Name as declared under `targets.scopes`.
    pub name: String,
    /// Key of each site, in plan order; [`NO_KEY`] in `rows` for none.
    pub keys: Interned,
    /// Restore point of each key in milliseconds since the epoch; empty if none is declared.
    pub restore_points: Vec<i64>,
}

/// The batches of a plan: batch `b` holds the sites `ends[b - 1]..ends[b]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Batches {
    /// Ascending ends; the last equals the number of sites.
    pub ends: Vec<u32>,
    /// Quarantined sites that each batch tolerates; the batch stops when the number is exceeded.
    pub max_failures: Vec<u32>,
    /// What happens when a budget is exceeded.
    pub on_exceeded: OnExceeded,
    /// Wait between a settled batch and the next, in milliseconds.
    pub soak_ms: u64,
    /// Approval that each batch after the first waits for.
    pub gate: Option<Approval>,
}

/// What happens when a batch's failure budget is exceeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnExceeded {
    /// Running units finish, nothing new starts.
    #[default]
    Pause,
    /// The run ends as failed once running units have finished.
    Abort,
}

/// A person's decision that a step or a batch waits for; it never passes by time-out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Groups of which an approver must be a member.
    pub from: Vec<String>,
    /// Number of distinct approvers needed, at least 1.
    pub min: u16,
    /// Time until the approval lapses, in milliseconds.
    pub timeout_ms: u64,
    /// What a lapse does.
    pub on_timeout: OnLapse,
}

/// What a lapsed approval does; there is deliberately no "approve".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnLapse {
    /// Counts as a rejection.
    Reject,
    /// Pauses the run.
    Pause,
}

/// A named limit: slots, rate or both, optionally per key of a scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolSpec {
    /// Name.
    pub name: String,
    /// One instance per key of this scope; `None` for one instance in all.
    pub per: Option<Scope>,
    /// Attempts at once, at least 1; `None` for no limit.
    pub slots: Option<u32>,
    /// Starts per time; `None` for no limit.
    pub rate: Option<Rate>,
    /// Whether the limit holds across runs.
    pub shared: bool,
}

/// A rate of starts: `count` per `per_ms`, evenly spaced with a burst of `burst`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Starts per period, at least 1.
    pub count: u32,
    /// Period in milliseconds, at least 1.
    pub per_ms: u64,
    /// Starts that may come at once, at least 1.
    pub burst: u32,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepSpec {
    /// Name, unique in the runbook.
    pub name: String,
    /// Where the runbook declares it.
    pub place: Place,
    /// How often it runs.
    pub scope: Scope,
    /// Steps it waits for.
    pub needs: Vec<Need>,
    /// Steps whose outputs its expressions read; each is also among its ancestors.
    pub reads: Vec<StepIx>,
    /// What it does.
    pub work: Work,
    /// Pools it takes slots of, all or none.
    pub pools: Vec<PoolUse>,
    /// Longest time of one attempt in milliseconds, at least 1.
    pub timeout_ms: u64,
    /// Retry policy.
    pub retry: Retry,
    /// What a final failure does.
    pub on_failure: OnFailure,
    /// Whether it may start for batches that are not open yet.
    pub front_load: bool,
    /// Whether it belongs to `finally`.
    pub finally: bool,
    /// For which keys it runs.
    pub when: When,
    /// Items of `for_each`.
    pub for_each: ForEach,
    /// Expected time of an attempt, in milliseconds, as a range; (0, 0) if unknown.
    pub expect_ms: (u64, u64),
    /// Whether outputs must be kept because some expression reads them.
    pub keeps_outputs: bool,
    /// Action that takes the step's effect back.
    pub undo: Option<ActionUse>,
}

/// A place in the runbook's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// One-based line.
    pub line: u32,
    /// One-based column in characters.
    pub column: u32,
}

/// A dependency of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// The step waited for.
    pub step: StepIx,
    /// Whether sites that are out block it too (`require: all`).
    pub require_all: bool,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Work {
    /// Calls an action.
    Action(ActionUse),
    /// Waits for a person.
    Approval(Approval),
}

/// A use of an action, with what the engine must know of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionUse {
    /// Name and version, `postgres/restore@1`.
    pub uses: String,
    /// Inputs as JSON text; strings may hold `${{ }}` holes.
    pub with: String,
    /// Output values that must match, as a JSON object (`verify.expect`); empty for none.
    pub expect: String,
    /// Whether applying it twice with the same key has the effect once.
    pub idempotent: bool,
    /// Whether it can tell whether an attempt had its effect.
    pub has_probe: bool,
}

/// Slots of a pool that a unit holds while an attempt is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolUse {
    /// The pool.
    pub pool: PoolIx,
    /// Slots held, at least 1 and at most the pool's.
    pub slots: u32,
}

/// Retry policy of a step; crashes of the orchestrator do not count as attempts here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Failed attempts allowed in all, at least 1.
    pub attempts: u16,
    /// How the delay grows.
    pub backoff: Backoff,
    /// First delay in milliseconds.
    pub delay_ms: u64,
    /// Longest delay in milliseconds.
    pub max_delay_ms: u64,
}

/// Growth of the delay between attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Backoff {
    /// The same delay each time.
    Constant,
    /// Delay doubles each time.
    Exponential,
}

/// What a step's final failure does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    /// The sites it covers are out, the others go on.
    Quarantine,
    /// Counts as done, shown as degraded.
    Degrade,
    /// What the site's steps did is undone, then it is out.
    Undo,
    /// The unit is stuck and the run pauses.
    Pause,
    /// Nothing new starts and the run ends as failed.
    Abort,
}

/// For which keys a step runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum When {
    /// For all.
    Always,
    /// Decided at plan time: one bit per key, `true` = runs.
    Planned(Vec<bool>),
    /// Decided when its needs are satisfied, by this expression.
    Later(String),
}

/// Items of a step's `for_each`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ForEach {
    /// No `for_each`: one unit per key.
    Once,
    /// Decided at plan time: key `k` has `items[offsets[k]..offsets[k + 1]]`.
    Planned {
        /// One more than the number of keys, ascending.
        offsets: Vec<u32>,
        /// Indexes into [`PlanSpec::items`].
        items: Vec<u32>,
    },
    /// Decided when its needs are satisfied, by this expression.
    Later(String),
}
