//! Under which new ID each site came back: what the output `new_id` of a step of the site said.

use std::collections::BTreeMap;

use engine::{Event, Mode, Plan, Run, Scope, SiteIx, StepIx, UnitIx, Work};
use serde_json::Value;

use crate::fold::site_of;

/// The new IDs that steps gave and that were not taken back.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewIds {
    /// By the unit that said it: an undo of that unit takes it back.
    told: BTreeMap<UnitIx, (SiteIx, Box<str>)>,
}

impl NewIds {
    /// The new ID of each site that has one.
    pub(crate) fn by_site(&self) -> BTreeMap<SiteIx, &str> {
        self.told.values().map(|(site, id)| (*site, &**id)).collect()
    }

    /// Takes an event in, after the run has; `mode` is that of the attempt that ended.
    pub(super) fn note(&mut self, run: &Run, event: &Event, mode: Option<Mode>) {
        let Event::Succeeded { unit, outputs } = event else { return };
        if mode.is_some_and(Mode::is_undo) {
            self.told.remove(unit);
        } else if let Some(id) = outputs.as_deref().and_then(read)
            && let Some(site) = site_of(run, run.unit_at(*unit).map(|at| at.0))
        {
            self.told.insert(*unit, (site, id));
        }
    }

    /// Follows an amended plan: units and sites by where they lie.
    pub(super) fn amended(&mut self, run: &Run, unit: impl Fn(UnitIx) -> Option<UnitIx>) {
        let now = |(before, (_, id)): (UnitIx, (SiteIx, Box<str>))| {
            let unit = unit(before)?;
            Some((unit, (site_of(run, run.unit_at(unit).map(|at| at.0))?, id)))
        };
        self.told = std::mem::take(&mut self.told).into_iter().filter_map(now).collect();
    }
}

fn read(outputs: &str) -> Option<Box<str>> {
    if !outputs.contains("\"new_id\"") {
        return None;
    }
    let outputs: Value = serde_json::from_str(outputs).ok()?;
    match outputs.get("new_id")? {
        Value::String(id) => Some(id.as_str().into()),
        // A catalogue that counts its sites.
        Value::Number(id) => Some(id.to_string().into()),
        _ => None,
    }
}

/// Names of the steps of a site that tell, by an output `new_id` that their inputs select, under which ID a site comes back.
#[must_use]
pub fn new_id_steps(plan: &Plan) -> Vec<&str> {
    let tells = |step: &StepIx| {
        let Work::Action(action) = &plan.step(*step).work else { return false };
        if plan.step(*step).scope != Scope::Site {
            return false;
        }
        let with: Value = serde_json::from_str(&action.with).unwrap_or_default();
        with.pointer("/outputs/new_id").is_some()
    };
    plan.steps().filter(tells).map(|step| plan.step(step).name.as_str()).collect()
}
