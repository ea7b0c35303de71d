//! A plan as a file: written by `plan --output`, taken by `run --plan-file` if nothing has changed since.

use std::path::Path;
use std::sync::Arc;

use engine::{ApprovalAt, Plan, PlanSpec};

use crate::failure::Failure;
use crate::{files, planning};

/// Longest plan that is read, in bytes; one of a million sites and forty steps has about half.
const PLAN_MAX: u64 = 1 << 29;

/// Writes a plan.
pub(crate) fn write(path: &Path, plan: &Plan) -> Result<(), Failure> {
    let bytes = plan.encode().map_err(|error| Failure::trouble("plan-encoding", &error, "report this defect"))?;
    files::write(path, &bytes)
}

/// Reads a plan. Whatever the file holds, it is admitted like any other plan or refused.
pub(crate) fn read(path: &Path) -> Result<Arc<Plan>, Failure> {
    let bytes = files::bytes(path, "the plan", PLAN_MAX + 1)?;
    let refused = |fact: String| {
        Failure::input(
            "plan-file",
            format!("{} is no plan that can be run: {fact}", path.display()),
            "write it with this version: `reinstate plan ... --output FILE`",
        )
    };
    if bytes.len() as u64 > PLAN_MAX {
        return Err(refused(format!("it is longer than {PLAN_MAX} bytes")));
    }
    Plan::decode(&bytes).map_err(|error| refused(crate::failure::chain(&error)))
}

/// The plan as it is now, with the order of the file's.
///
/// Nothing else is taken from the file: what it says of steps, sites or the estate must be what the runbook, the site
/// list, the estate and the inputs say now.
pub(crate) fn ordered_as(file: &Plan, now: &Plan) -> Result<Arc<Plan>, Failure> {
    let changed = |what: &str| {
        Failure::input(
            "plan-changed",
            format!("the plan of the file is {}, but since it was written {what} changed", file.hash()),
            "plan again with `reinstate plan ... --output FILE`, look at it, and give its hash",
        )
    };
    let differing = differences(file.spec(), now.spec());
    if !differing.is_empty() {
        return Err(changed(&differing.join(", ")));
    }
    let mut spec = now.spec().clone();
    spec.extras.order.clone_from(&file.spec().extras.order);
    let plan = planning::admit(spec)?;
    if plan.hash() == file.hash() { Ok(plan) } else { Err(changed("the file itself, or the format of plans,")) }
}

/// What a plan has of the estate's guard.
fn guard(plan: &PlanSpec) -> impl PartialEq + '_ {
    let list = plan.extras.checklists.iter().find(|list| list.of == ApprovalAt::Start);
    (&plan.extras.start, &plan.extras.approvers, list)
}

/// What a plan was made of that is not the same any more, in words.
fn differences(file: &PlanSpec, now: &PlanSpec) -> Vec<&'static str> {
    let (of, at) = (&file.origin, &now.origin);
    let mut found = Vec::new();
    let mut note = |differs: bool, what| {
        if differs {
            found.push(what);
        }
    };
    let texts = (&of.runbook, &of.runbook_text) != (&at.runbook, &at.runbook_text);
    note(texts, "the runbook");
    note(of.runbook_file != at.runbook_file || of.sites_file != at.sites_file, "the name of a file");
    let sites = file.sites != now.sites || file.extras.excluded != now.extras.excluded;
    note(sites, "the site list or what is excluded of it");
    note(file.inputs != now.inputs, "an input");
    let guard = guard(file) != guard(now);
    note(of.estate != at.estate || file.estate != now.estate || guard, "the estate");
    if found.is_empty() {
        // The texts are the same, what was made of them is not.
        let mut same = now.clone();
        same.extras.order.clone_from(&file.extras.order);
        if same != *file {
            found.push("what this version makes of the same files");
        }
    }
    found
}
