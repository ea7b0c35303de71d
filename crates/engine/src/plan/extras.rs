//! What later formats added to a plan: who decides, what is left out, in which order, for which drill.

use serde::{Deserialize, Serialize};

use crate::ids::StepIx;
use crate::plan::drill::DrillMark;
use crate::plan::spec::Approval;

/// What formats after the first added to a plan: each came with format 2 unless it says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Extras {
    /// Approval that the run waits for before anything starts (a second person, above a size set in the estate file).
    pub start: Option<Approval>,
    /// Groups of approvers with their members, from the estate file.
    pub approvers: Vec<ApproverGroup>,
    /// Sites of the list that are left out, in the order of the list.
    pub excluded: Vec<ExcludedSite>,
    /// One per step: whether its action changes nothing in the estate; empty stands for "none is known to".
    pub read_only: Vec<bool>,
    /// Rank of each node in the order of nodes, lower starts first; empty for the engine's own order.
    pub order: Vec<u32>,
    /// The drill that the run is part of; since format 3.
    pub drill: Option<DrillMark>,
    /// Why the run goes without the drill that the estate demands of its runbook, if it does; since format 3.
    pub uncertified: Option<String>,
    /// What has to be confirmed with approvals, for those that ask for it; since format 3.
    pub checklists: Vec<Checklist>,
    /// One per step: the labels of its workers as JSON, a list of texts that may hold `${{ }}` holes; empty if it runs where
    /// the driver does. Empty as a whole if all do. Since format 4.
    pub runs_on: Vec<String>,
}

impl Extras {
    /// The labels of the workers of a step, as JSON; `None` if it runs where the driver does.
    #[must_use]
    pub fn runs_on(&self, step: StepIx) -> Option<&str> {
        self.runs_on.get(step.ix()).map(String::as_str).filter(|labels| !labels.is_empty())
    }

    /// Has the run wait for an approval before it starts, with these things to confirm; or for none, and nothing to confirm.
    pub fn hold_start(&mut self, approval: Option<Approval>, items: Vec<String>) {
        self.checklists.retain(|list| list.of != ApprovalAt::Start);
        if approval.is_some() && !items.is_empty() {
            self.checklists.push(Checklist { of: ApprovalAt::Start, items });
        }
        self.start = approval;
    }
}

/// What has to be looked at before an approval is given. It stands apart from [`Approval`], which older plans hold in
/// their midst.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checklist {
    /// The approval.
    pub of: ApprovalAt,
    /// The things to confirm, in their order; never empty, each once.
    pub items: Vec<String>,
}

/// Where a plan has an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ApprovalAt {
    /// The start of the run.
    Start,
    /// The gate of the batches.
    Batches,
    /// A step.
    Step(StepIx),
}

/// A group of people who may approve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApproverGroup {
    /// Name, as approvals refer to it.
    pub name: String,
    /// Names of its members, as actors are named.
    pub members: Vec<String>,
}

/// A site of the list that the plan leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExcludedSite {
    /// Its ID.
    pub id: String,
    /// Row of the list.
    pub row: u32,
    /// Why.
    pub reason: String,
}
