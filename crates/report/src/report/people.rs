//! The rows of a report that tell of people: what they decided, did and left.

use serde::Serialize;

use crate::report::kinds::MomentKind;

/// A gate that people had to open, or have to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ApprovalReport {
    /// Its name: `start`, `batch 2`, or step, key and item.
    pub gate: String,
    /// `start`, `batch` or `step`.
    pub kind: &'static str,
    /// Step that asks; empty for the start and for batches.
    pub step: String,
    /// Place of the step, `file:line:column`; empty without a step.
    pub place: String,
    /// Sites that wait, or waited, behind it.
    pub sites: u32,
    /// When it was asked.
    pub asked: String,
    /// Who asked for the run; they may not approve.
    pub asked_by: String,
    /// Groups of which an approver must be a member.
    pub from: Vec<String>,
    /// Approvers needed.
    pub needed: u16,
    /// Approvers still missing; 0 once it is decided.
    pub missing: u16,
    /// `waiting`, `lapsed_paused` (the run is paused for it), `approved`, `rejected`, `lapsed`, or `withdrawn`.
    pub state: &'static str,
    /// When it lapses; `null` once it cannot any more.
    pub due: Option<String>,
    /// What people said, in order.
    pub decisions: Vec<DecisionReport>,
}

/// What was said on a gate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecisionReport {
    /// `approved`, `rejected`, or `lapsed` if nobody said anything in time.
    pub decision: &'static str,
    /// Who; `null` for a lapse.
    pub actor: Option<String>,
    /// Why.
    pub reason: String,
    /// When.
    pub at: String,
    /// From the run's opening, in seconds.
    pub after_s: f64,
    /// Hash of the plan that was decided on, hexadecimal.
    pub plan: String,
}

/// What a person did to sites, steps or pools of the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActReport {
    /// When.
    pub at: String,
    /// From the run's opening, in seconds.
    pub after_s: f64,
    /// What kind.
    pub act: MomentKind,
    /// Who.
    pub actor: String,
    /// Why, or the evidence.
    pub reason: String,
    /// What it was done to: a unit, a site, a pool, the hash of a plan.
    pub subject: String,
    /// In words.
    pub text: String,
}

/// A step that counts as settled on a person's word only; the engine has not seen it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverruledReport {
    /// The site; `null` if several share the unit.
    pub site: Option<String>,
    /// Sites that it covers.
    pub sites: u32,
    /// Step.
    pub step: String,
    /// Unit: step, key and item.
    pub unit: String,
    /// `marked_done`, `skipped`, `ruled_done`; of an undo `undone_by_hand`, `left`.
    pub how: &'static str,
    /// The same for people.
    #[serde(skip)]
    pub words: &'static str,
    /// Who.
    pub actor: String,
    /// Why, or the evidence.
    pub reason: String,
    /// When.
    pub at: String,
    /// Place of the step, `file:line:column`.
    pub place: String,
}

/// An effect that was to be taken back and stays in the estate, or may.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RemainingReport {
    /// The site; `null` if several share the unit.
    pub site: Option<String>,
    /// Step.
    pub step: String,
    /// Unit: step, key and item.
    pub unit: String,
    /// `no_undo`: its step has none; `left`: its undo was given up; `stuck`: its undo waits for an operator.
    pub why: &'static str,
    /// Whether it is not known if the effect is there.
    pub in_doubt: bool,
    /// Stable code of the undo's failure; empty if there is none.
    pub code: String,
    /// The fact, with who left it and why.
    pub message: String,
    /// Place of the step, `file:line:column`.
    pub place: String,
}

/// A step that changed the estate and cannot be taken back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NoReturnReport {
    /// Step.
    pub step: String,
    /// Action.
    pub uses: String,
    /// Place of the step, `file:line:column`.
    pub place: String,
    /// Units of it that acted, or may have.
    pub acted: u64,
    /// From the run's opening to the first attempt, in seconds.
    pub first_after_s: Option<f64>,
}
