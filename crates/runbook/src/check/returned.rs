//! Whether a site counts as returned only once all that restores it is done.

use engine::Scope;

use crate::check::{Ancestors, actions};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::fields::Sink;
use crate::model::Runbook;

/// A site ends with the last of its own steps. A shared step that none of them needs may still restore something of a site that
/// already counts as returned, unless it comes after all that is done for the site: that is meant so.
pub(super) fn check(sink: &mut Sink<'_>, runbook: &Runbook, ancestors: &Ancestors) {
    let steps = &runbook.steps;
    let changes = |ix: usize| !actions::read_only(&steps[ix]) && !steps[ix].finally;
    let of_site = |ix: &usize| steps[*ix].scope == Scope::Site && !steps[*ix].finally;
    let sites: Vec<usize> = (0..steps.len()).filter(of_site).collect();
    let acting: Vec<usize> = sites.iter().copied().filter(|&site| changes(site)).collect();
    let lasts: Vec<usize> =
        acting.iter().copied().filter(|&last| !acting.iter().any(|&later| ancestors.has(later, last))).collect();
    for (ix, step) in steps.iter().enumerate().filter(|(ix, step)| step.scope != Scope::Site && changes(*ix)) {
        let is_needed = sites.iter().any(|&site| ancestors.has(site, ix));
        let is_after = !lasts.is_empty() && lasts.iter().all(|&last| ancestors.has(ix, last));
        if !is_needed && !is_after {
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
