//! The judgement as data; it is what the history keeps, so that it is read back too.

use serde::{Deserialize, Serialize};

/// Format of the JSON, in its field `format`.
pub const DRILL_FORMAT: &str = "reinstate-drill/1";

/// What a drill came to. Times are RFC 3339 in UTC, lengths of time seconds; `null` means not known, never zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DrillReport {
    /// [`DRILL_FORMAT`].
    pub format: String,
    /// Name of the drill.
    pub drill: String,
    /// The time for which it was due.
    pub slot: String,
    /// Name of the run that is judged.
    pub run: String,
    /// `name:` of the runbook.
    pub runbook: String,
    /// Hash of its text.
    pub runbook_hash: String,
    /// Name of the estate.
    pub estate: String,
    /// What sites and restore point were drawn with; the same seed draws them again.
    pub seed: u64,
    /// Sites that took part.
    pub sites: u32,
    /// Sites of the list that they were drawn from.
    pub listed: u32,
    /// How much earlier than the runbook's the restore points were.
    pub earlier_s: f64,
    /// When it began.
    pub began: String,
    /// When it was over, clean-up and all.
    pub ended: String,
    /// Whether it was a good drill: it took place, every objective is met, and nothing is left behind.
    pub good: bool,
    /// Why it was not, beside objectives and leftovers.
    pub troubles: Vec<String>,
    /// What was asked and what was measured.
    pub objectives: Vec<DrillObjective>,
    /// Sites that are back as they should be.
    pub returned: u32,
    /// Sites that are not.
    pub exceptions: u32,
    /// Median of the recovery times of sites, to verified.
    pub rto_p50_s: Option<f64>,
    /// Time within which 95 of 100 sites were back; `null` if fewer came back.
    pub rto_p95_s: Option<f64>,
    /// Most data that a site lost.
    pub rpo_max_s: Option<f64>,
    /// Sites back per hour.
    pub throughput: Option<f64>,
    /// Steps of the runbook in its order.
    pub steps: Vec<DrillStep>,
    /// What set-up or run left in the sandbox, or may have.
    pub leftovers: Vec<Leftover>,
    /// What chaos did in it and found; `null` for a drill without, or if that was lost.
    pub chaos: Option<DrillChaos>,
    /// In what it was less than the drill that was asked for: such a one proves nothing of its runbook, however it went.
    pub narrowed: Vec<String>,
    /// Slot of the last drill before it that proved its runbook, which it was held against.
    pub against: Option<String>,
    /// What is worse than then, beyond the tolerance.
    pub regressions: Vec<Regression>,
}

/// What was asked and what was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DrillObjective {
    /// Key of the drill file: `rto_p95`, `rpo_max`, `throughput_min`, `exceptions`.
    pub name: String,
    /// Asked: seconds, sites per hour, or sites.
    pub asked: f64,
    /// Measured, in the same unit; `null` if it could not be, which is never a pass.
    pub measured: Option<f64>,
    /// Whether it is met.
    pub passed: bool,
}

/// A step of the runbook.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DrillStep {
    /// Name.
    pub name: String,
    /// Attempts started.
    pub attempts: u64,
    /// Units that succeeded.
    pub succeeded: u64,
    /// Units that failed, were degraded, or came to no end without a ruling that nobody was there to give.
    pub failed: u64,
    /// 95th percentile of its successful attempts.
    pub p95_s: Option<f64>,
    /// Attempts at taking its effect back; `null` if it has no undo.
    pub undo_attempts: Option<u64>,
}

/// Something that was to be gone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Leftover {
    /// `take_back` or `clean_up`.
    pub part: String,
    /// Unit: step, key and item.
    pub unit: String,
    /// The fact.
    pub message: String,
}

/// What chaos did to attempts of a run, and what could not bear it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DrillChaos {
    /// What fates were drawn with.
    pub seed: u64,
    /// Attempts that failed before they began.
    pub failed: u64,
    /// Attempts that were cut off, or whose answers were kept back.
    pub cut: u64,
    /// Attempts that were delivered twice.
    pub twice: u64,
    /// Attempts that began later.
    pub delayed: u64,
    /// Steps that were cut off or delivered twice.
    pub steps: Vec<String>,
    /// Steps that were not, since their actions are not idempotent by their own word.
    pub spared: Vec<String>,
    /// Steps of which no attempt was disturbed in any way.
    pub untouched: Vec<String>,
    /// Steps whose second delivery answered otherwise, which no other step reads: told, and not held against them.
    pub answers: Vec<String>,
    /// Whether the sandbox was compared with how an undisturbed drill leaves it.
    pub compared: bool,
    /// How it differs from that.
    pub differences: Vec<String>,
    /// Steps that could not bear it.
    pub findings: Vec<ChaosFinding>,
}

/// A step that could not bear chaos.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChaosFinding {
    /// `not_idempotent` or `half_done`.
    pub kind: String,
    /// The step.
    pub step: String,
    /// One of its units; empty if it was found by comparing.
    pub unit: String,
    /// The fact.
    pub message: String,
}

/// A number that is worse than at the last good drill.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Regression {
    /// `rto_p95` or `throughput`.
    pub name: String,
    /// Then.
    pub before: f64,
    /// Now.
    pub now: f64,
}

impl DrillReport {
    /// Whether it proves its runbook: it was good, and nothing less than what was asked.
    #[must_use]
    pub fn proves(&self) -> bool {
        self.good && self.narrowed.is_empty()
    }

    /// The judgement as JSON, indented, with a line feed at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a judgement has string keys and finite numbers only");
        text.push('\n');
        text
    }

    /// Reads what [`DrillReport::to_json`] wrote, also in an older version; `None` if it is something else.
    #[must_use]
    pub fn from_json(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|report: &Self| report.format.starts_with("reinstate-drill/"))
    }
}
