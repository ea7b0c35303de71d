//! What is shown of a run, as plain data: no numbers of a plan, no text that could move a cursor.

use engine::Millis;

/// A run as it stood when this was gathered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Snapshot {
    /// Name of the run.
    pub(crate) run: String,
    /// Store, as `--store` takes it.
    pub(crate) store: String,
    /// How the run stands.
    pub(crate) state: State,
    /// Sites by state.
    pub(crate) sites: Sites,
    /// Batches in their order.
    pub(crate) batches: Vec<Batch>,
    /// Steps in the plan's order.
    pub(crate) steps: Vec<Step>,
    /// Pools in the plan's order, their instances added up.
    pub(crate) pools: Vec<Pool>,
    /// What waits for people.
    pub(crate) waits: Waits,
    /// Events of note, oldest first.
    pub(crate) events: Vec<Line>,
    /// Who drives the run.
    pub(crate) driver: Driver,
    /// Forecast of the rest; empty if there is none.
    pub(crate) rest: String,
    /// When the run was opened.
    pub(crate) opened_at: Option<Millis>,
    /// Time of the newest event.
    pub(crate) last_at: Option<Millis>,
    /// Attempts in flight.
    pub(crate) in_flight: usize,
    /// Groups read and groups in all, while the journal is read for the first time.
    pub(crate) reading: Option<(u64, u64)>,
    /// Why the store could not be read just now.
    pub(crate) trouble: Option<String>,
    /// The run in one line, for when the screen is left.
    pub(crate) line: String,
}

/// How a run stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    /// In a word or two.
    pub(crate) word: &'static str,
    /// Who paused it and why; empty else.
    pub(crate) detail: String,
    /// Whether that is good.
    pub(crate) tone: Tone,
    /// Whether it is over.
    pub(crate) over: bool,
    /// Whether it is paused.
    pub(crate) paused: bool,
    /// Whether nothing happens until a person acts.
    pub(crate) waits: bool,
}

/// Whether something is good or bad; colour says it once more, never alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Good,
    Care,
    Bad,
    Faint,
}

/// Sites by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sites {
    /// Given, those that the plan leaves out among them.
    pub(crate) given: u32,
    pub(crate) returned: u32,
    pub(crate) degraded: u32,
    pub(crate) quarantined: u32,
    pub(crate) undone: u32,
    pub(crate) undoing: u32,
    /// By the plan or by a person.
    pub(crate) excluded: u32,
    pub(crate) released: u32,
    pub(crate) under_way: u32,
    pub(crate) waiting: u32,
}

/// A batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) number: u32,
    pub(crate) state: &'static str,
    pub(crate) sites: u32,
    /// Sites that have ended, however they did.
    pub(crate) ended: u32,
    /// Sites that count against the budget, and the budget.
    pub(crate) out: u32,
    pub(crate) budget: u32,
}

/// A step: its nodes by state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) done: u32,
    pub(crate) running: u32,
    pub(crate) waiting: u32,
    pub(crate) failed: u32,
    pub(crate) degraded: u32,
    /// Skipped by condition, or cancelled.
    pub(crate) not_run: u32,
    /// Taken back, or being taken back.
    pub(crate) undone: u32,
    /// Attempts that called the action once more.
    pub(crate) retries: u64,
    /// Median of its successful attempts, in milliseconds.
    pub(crate) typical_ms: Option<i64>,
}

impl Step {
    /// Nodes in all.
    pub(crate) fn of(&self) -> u32 {
        self.done + self.running + self.waiting + self.failed + self.degraded + self.not_run + self.undone
    }
}

/// A pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pool {
    pub(crate) name: String,
    pub(crate) instances: u32,
    pub(crate) used: u32,
    /// `None` without a limit.
    pub(crate) slots: Option<u32>,
    /// Instances that are full.
    pub(crate) full: u32,
    /// Ready units that it holds back.
    pub(crate) waiting: u32,
}

/// What waits for people, the most urgent kind first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waits {
    pub(crate) items: Vec<Item>,
    /// Items beyond those listed.
    pub(crate) more: usize,
}

/// Something that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) kind: Kind,
    /// As verbs take it: a gate, a unit or a site.
    pub(crate) subject: String,
    /// The fact in one line.
    pub(crate) fact: String,
    /// Label and text of what else is known.
    pub(crate) more: Vec<(&'static str, String)>,
    /// Sites that it touches.
    pub(crate) sites: u32,
}

/// What kind of thing waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
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
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Gate | Self::Approval => "APPROVAL",
            Self::Parked => "IN DOUBT",
            Self::Stuck => "STUCK",
            Self::Quarantined => "QUARANTINED",
            Self::Degraded => "degraded",
        }
    }

    pub(crate) fn tone(self) -> Tone {
        match self {
            Self::Gate | Self::Approval | Self::Degraded => Tone::Care,
            Self::Parked | Self::Stuck | Self::Quarantined => Tone::Bad,
        }
    }
}

/// An event of note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) at: Millis,
    pub(crate) text: String,
}

/// Who drives a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Driver {
    #[default]
    NotKnown,
    Process(String),
    Nobody,
}
