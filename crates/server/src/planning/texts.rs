//! From three texts to a plan, with all that was found about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{ActionSpec, Plan};
use runbook::{Diagnostic, Estate, Format, Guard, SiteList, Source};

/// What a plan is made of.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    /// The runbook.
    pub runbook: Source,
    /// The estate file.
    pub estate: Source,
    /// The site list, CSV or JSON.
    pub sites: Source,
    /// Values of inputs, by name.
    pub inputs: BTreeMap<String, String>,
    /// Reasons for leaving sites out, by ID.
    pub exclude: BTreeMap<String, String>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Planned {
    /// The plan; `None` if anything was found that stands in its way.
    pub plan: Option<Arc<Plan>>,
    /// What the estate asks of large runs.
    pub guard: Option<Guard>,
    /// Findings, by the name of the text that they are about.
    pub found: Vec<(String, Vec<Diagnostic>)>,
    /// Why the engine refused what the texts say, if it did.
    pub refused: Option<String>,
}

impl Planned {
    fn tell(&mut self, source: &Source, found: Vec<Diagnostic>) {
        if !found.is_empty() {
            self.found.push((source.name.clone(), found));
        }
    }

    /// Whether an error was found.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.refused.is_some() || self.found.iter().any(|(_, found)| runbook::has_errors(found))
    }
}

/// Checks the texts and makes the plan. Takes time in proportion to them: seconds for 100,000 sites.
#[must_use]
pub fn plan_of(texts: &Texts, catalogue: &[ActionSpec]) -> Planned {
    let mut planned = Planned::default();
    let (estate, found) = Estate::parse_for(&texts.estate, catalogue);
    planned.tell(&texts.estate, found);
    // What is wrong with the estate is told above; until it is right the runbook is checked by itself.
    let checked = runbook::check_for(&texts.runbook, catalogue, &estate.clone().unwrap_or_default());
    planned.tell(&texts.runbook, checked.diagnostics);
    let Some(runbook) = checked.runbook else { return planned };
    let (list, found) = SiteList::parse(&texts.sites, Format::guess(&texts.sites.text), &runbook);
    planned.tell(&texts.sites, found);
    let (Some(estate), Some(list)) = (estate, list) else { return planned };
    planned.guard.clone_from(&estate.guard);
    match runbook::plan(&runbook, &estate, &list, &texts.inputs, &texts.exclude) {
        Ok(spec) => match Plan::new(spec) {
            Ok(plan) => planned.plan = Some(plan),
            Err(error) => planned.refused = Some(crate::words::chain(&error)),
        },
        Err(found) => planned.tell(&texts.runbook, found),
    }
    if planned.has_errors() {
        planned.plan = None;
    }
    planned
}
