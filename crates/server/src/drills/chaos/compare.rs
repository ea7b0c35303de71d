//! How the sandbox stands after a run, by what the drill's `compare` steps said: it is in the journal of their run, so that
//! whoever judges the drill can hold it against the undisturbed one.

use std::collections::{BTreeMap, BTreeSet};

use engine::{ChaosMark, Disturbance, Event, RunEnd, Status};
use report::{ChaosFinding, DrillChaos};
use runtime::{DrillRuns, Journal, JournalError, RecoverError};
use serde_json::Value;

/// Outputs of the steps, by unit.
type Said = BTreeMap<String, Value>;

/// Holds a disturbed drill against the one that was left alone; says what kept it from being compared.
pub(in crate::drills) async fn held_against(
    journal: &dyn Journal,
    run: &str,
    mark: &ChaosMark,
    told: &mut DrillChaos,
) -> Result<Option<String>, RecoverError> {
    let ChaosMark::Disturbed { by, step, against } = mark else { return Ok(None) };
    let Some(after) = said(journal, run).await? else { return Ok(None) };
    let Some(before) = said(journal, against).await? else {
        return Ok(Some(format!("the undisturbed drill {against} says nothing that could be compared")));
    };
    told.compared = true;
    told.differences = differences(&before, &after);
    if let Some(step) = step.as_ref().filter(|_| !told.differences.is_empty()) {
        let (kind, message) = match by {
            Disturbance::Cut => ("half_done", "the sandbox stands otherwise when it is cut off and tried again"),
            _ => ("not_idempotent", "the sandbox stands otherwise when it is delivered twice"),
        };
        let (kind, message) = (kind.to_owned(), message.to_owned());
        told.findings.push(ChaosFinding { kind, step: step.clone(), unit: String::new(), message });
    }
    Ok(None)
}

/// What the steps of a drill said; `None` if there are none, or they did not succeed.
async fn said(journal: &dyn Journal, run: &str) -> Result<Option<Said>, RecoverError> {
    let mut said = Said::new();
    let name = DrillRuns::of(run).compare;
    let read = runtime::recover(journal, &name, |run, record| {
        if let Event::Succeeded { unit, outputs } = &record.event {
            let value = outputs.as_deref().and_then(|text| serde_json::from_str(text).ok());
            said.insert(run.unit_name(*unit), value.unwrap_or_default());
        }
    });
    match read.await {
        Ok(read) if read.run.status() == Status::Ended(RunEnd::Succeeded) => Ok(Some(said)),
        Ok(_) | Err(RecoverError::Journal(JournalError::NoSuchRun(_))) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What differs between the sandbox after two runs, in words; nothing if nothing does.
fn differences(one: &Said, two: &Said) -> Vec<String> {
    let units: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
    let differs = units.into_iter().filter(|unit| one.get(*unit) != two.get(*unit));
    differs.map(|unit| format!("{unit} answers otherwise than after an undisturbed drill")).collect()
}
