//! What is shown of a run, as plain data: no numbers of a plan, no text that could move a cursor.

use engine::Millis;
use report::Rest;
use serde::Serialize;

/// A run as it stood when this was gathered.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Snapshot {
    /// Name of the run.
    pub run: String,
    /// Store, as `--store` takes it.
    pub store: String,
    /// How the run stands.
    pub state: State,
    /// Sites by state.
    pub sites: Sites,
    /// Batches in their order.
    pub batches: Vec<Batch>,
    /// Steps in the plan's order.
    pub steps: Vec<Step>,
    /// Pools in the plan's order, their instances added up.
    pub pools: Vec<Pool>,
    /// What waits for people.
    pub waits: Waits,
    /// Events of note, oldest first.
    pub events: Vec<Line>,
    /// Who drives the run.
    pub driver: Driver,
    /// Forecast of the rest in a sentence; empty if there is none.
    pub rest: String,
    /// Forecast of the rest; `null` if the run is over, stands still, or nothing is known of how long its steps take.
    pub forecast: Option<Rest>,
    /// Sites that came back an hour.
    pub throughput: Throughput,
    /// Sites that were back by time, for a drawing: at most some hundred points.
    pub curve: Vec<(Millis, u32)>,
    /// When the run was opened.
    pub opened_at: Option<Millis>,
    /// Time of the newest event.
    pub last_at: Option<Millis>,
    /// Attempts in flight.
    pub in_flight: usize,
    /// Groups read and groups in all, while the journal is read for the first time.
    pub reading: Option<(u64, u64)>,
    /// Why the store could not be read just now.
    pub trouble: Option<String>,
    /// The run in one line, for when the screen is left.
    pub line: String,
}

impl Snapshot {
    /// Whether nobody drives a run that is not over: it stands still, whatever its state says.
    #[must_use]
    pub fn is_adrift(&self) -> bool {
        !self.state.over && self.driver == Driver::Nobody
    }

    /// How it stands in a word or two, and whether that is good.
    #[must_use]
    pub fn standing(&self) -> (&'static str, Tone) {
        if self.is_adrift() { ("NOBODY DRIVES IT", Tone::Bad) } else { (self.state.word, self.state.tone) }
    }
}

/// Sites that came back an hour: over the whole run, and over its last minutes. `null` before anything can be said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Throughput {
    /// Since the run was opened.
    pub overall: Option<f64>,
    /// Over the last five minutes, or since the run was opened if that is less.
    pub recent: Option<f64>,
}

/// How a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct State {
    /// In a word or two.
    pub word: &'static str,
    /// Who paused it and why; empty else.
    pub detail: String,
    /// Whether that is good.
    pub tone: Tone,
    /// Whether it is over.
    pub over: bool,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether nothing happens until a person acts.
    pub waits: bool,
}

/// Whether something is good or bad; colour says it once more, never alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Neither.
    #[default]
    Plain,
    /// Good.
    Good,
    /// To be looked after.
    Care,
    /// Bad.
    Bad,
    /// Beside the point.
    Faint,
}

/// Sites by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sites {
    /// Given, those that the plan leaves out among them.
    pub given: u32,
    /// Back, nothing degraded.
    pub returned: u32,
    /// Back or settled, with something missing.
    pub degraded: u32,
    /// Out: a step failed.
    pub quarantined: u32,
    /// Taken back, or being taken back.
    pub undone: u32,
    /// Being taken back.
    pub undoing: u32,
    /// By the plan or by a person.
    pub excluded: u32,
    /// Let go, for another run.
    pub released: u32,
    /// Under way.
    pub under_way: u32,
    /// Not begun.
    pub waiting: u32,
}

/// A batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Batch {
    /// From 1.
    pub number: u32,
    /// In a word.
    pub state: &'static str,
    /// Sites.
    pub sites: u32,
    /// Sites that have ended, however they did.
    pub ended: u32,
    /// Sites that count against the budget, and the budget.
    pub out: u32,
    /// Sites that may be out before the batch stops.
    pub budget: u32,
}

/// A step: its nodes by state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Succeeded.
    pub done: u32,
    /// In flight.
    pub running: u32,
    /// Not begun.
    pub waiting: u32,
    /// Failed.
    pub failed: u32,
    /// Back or settled, with something missing.
    pub degraded: u32,
    /// Skipped by condition, or cancelled.
    pub not_run: u32,
    /// Taken back, or being taken back.
    pub undone: u32,
    /// Attempts that called the action once more.
    pub retries: u64,
    /// Median of its successful attempts, in milliseconds.
    pub typical_ms: Option<i64>,
}

impl Step {
    /// Nodes in all.
    #[must_use]
    pub fn of(&self) -> u32 {
        self.done + self.running + self.waiting + self.failed + self.degraded + self.not_run + self.undone
    }
}

/// A pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Instances: one for each key.
    pub instances: u32,
    /// Slots in use.
    pub used: u32,
    /// `None` without a limit.
    pub slots: Option<u32>,
    /// Instances that are full.
    pub full: u32,
    /// Ready units that it holds back.
    pub waiting: u32,
}

/// What waits for people, the most urgent kind first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Waits {
    /// Those listed.
    pub items: Vec<Item>,
    /// Items beyond those listed.
    pub more: usize,
}

/// Something that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What kind of thing.
    pub kind: Kind,
    /// As verbs take it: a gate, a unit or a site.
    pub subject: String,
    /// The fact in one line.
    pub fact: String,
    /// Label and text of what else is known.
    pub more: Vec<(&'static str, String)>,
    /// Sites that it touches.
    pub sites: u32,
}

/// What kind of thing waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An approval of the start or of a batch: a rejection cancels the run.
    Gate,
    /// An approval that is a step.
    Approval,
    /// A unit in doubt.
    Parked,
    /// A unit that failed and waits.
    Stuck,
    /// A site that is out.
    Quarantined,
    /// A site that is back with something missing.
    Degraded,
}

impl Kind {
    /// The word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Gate | Self::Approval => "APPROVAL",
            Self::Parked => "IN DOUBT",
            Self::Stuck => "STUCK",
            Self::Quarantined => "QUARANTINED",
            Self::Degraded => "degraded",
        }
    }

    /// Whether it is good or bad.
    #[must_use]
    pub fn tone(self) -> Tone {
        match self {
            Self::Gate | Self::Approval | Self::Degraded => Tone::Care,
            Self::Parked | Self::Stuck | Self::Quarantined => Tone::Bad,
        }
    }
}

/// An event of note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When.
    pub at: Millis,
    /// In words.
    pub text: String,
}

/// Who drives a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "holder")]
pub enum Driver {
    /// Not known yet.
    #[default]
    NotKnown,
    /// This process, by its host and ID.
    Process(String),
    /// Nobody.
    Nobody,
}
