//! Whether a site counts as returned only once all that restores it is done.

use engine::Scope;

use crate::check::{Ancestors, actions};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::fields::Sink;
use crate::model::Runbook;

/// A site ends with the last of its own steps. A shared step that comes before all of those, or beside them, and that none of
/// them needs, may still restore something of a site that already counts as returned. One that comes after them is meant so.
pub(super) fn check(sink: &mut Sink<'_>, runbook: &Runbook, ancestors: &Ancestors) {
    let steps = &runbook.steps;
    let of_site = |ix: &usize| steps[*ix].scope == Scope::Site && !steps[*ix].finally;
    let sites: Vec<usize> = (0..steps.len()).filter(of_site).collect();
    let acts = |site: usize| !actions::read_only(&steps[site]);
    for (ix, step) in steps.iter().enumerate() {
        let is_shared = matches!(step.scope, Scope::Run | Scope::Group(_)) && !step.finally;
        let changes = !actions::read_only(step);
        if is_shared
            && changes
            && !sites.iter().any(|&site| ancestors.has(site, ix) || ancestors.has(ix, site) && acts(site))
        {
            let name = &step.name;
            let warning = Diagnostic::warning(
                codes::RETURNED_BEFORE,
                format!("sites count as returned before `{name}` has run: no step of a site needs it"),
                format!("add a step of scope `site` that needs `{name}`, such as one that checks the site"),
            );
            sink.push(warning.at(sink.text, step.span, ""));
        }
    }
}
