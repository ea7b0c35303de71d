//! Bringing a site in that another run has released.

use engine::{Command, KeyIx, Run, Scope, SiteIx, StepIx, TakeOut, UnitIx};
use runtime::Store;

use crate::verbs::{Asked, Asker, VerbError, ask, subject};

/// Adopts a site from another run: holds it, and has what may have been done there checked again.
pub(super) async fn adopt(
    store: &dyn Store,
    name: &str,
    asker: Asker<'_>,
    (id, from): (&str, &str),
) -> Result<Asked, VerbError> {
    let other = runtime::recover(store, from, |_, _| {}).await?.run;
    let mine = runtime::recover(store, name, |_, _| {}).await?.run;
    let site = subject::site(&mine, id)?;
    let (begun_by, units) = begun_there(&other, from, &mine, site, id)?;
    let sites = [id.to_owned()];
    let estate = &mine.plan().spec().origin.estate;
    store.hold_sites(name, estate, &sites).await?;
    let asked = ask(store, name, asker, |run| {
        Ok(Command::Adopt { site: subject::site(run, id)?, from: begun_by.clone(), units: units.clone() })
    })
    .await;
    if asked.is_err() {
        store.let_go(name, estate, &sites).await?;
    }
    asked
}

/// What another run may have done for a site, in units of this one: those of steps of the same name and action.
fn begun_there(
    other: &Run,
    name: &str,
    mine: &Run,
    site: SiteIx,
    id: &str,
) -> Result<(String, Vec<(UnitIx, u32)>), VerbError> {
    let there = subject::site(other, id)?;
    if other.taken_out(there) != Some(TakeOut::Release) {
        return Err(VerbError::NotReleased { run: name.to_owned(), site: id.to_owned() });
    }
    let mut units = Vec::new();
    let own = |run: &Run, site: SiteIx, step: StepIx| {
        let spec = run.plan().step(step);
        let of_site = spec.scope == Scope::Site && !spec.finally;
        let uses = run.plan().action(step).map(|action| action.uses.clone());
        (of_site && uses.is_some()).then(|| (run.plan().node(step, KeyIx(site.0)), spec.name.clone(), uses))
    };
    for step in mine.plan().steps() {
        let Some((node, step_name, uses)) = own(mine, site, step) else { continue };
        let same = other.plan().steps().find_map(|step| {
            own(other, there, step).filter(|(_, name, other_uses)| *name == step_name && *other_uses == uses)
        });
        let Some((theirs, _, _)) = same else { continue };
        for (unit, theirs) in mine.units_of(node).zip(other.units_of(theirs)) {
            let theirs = UnitIx(theirs);
            if other.may_have_acted(theirs) {
                units.push((UnitIx(unit), other.attempts(theirs)));
            }
        }
    }
    // Keys stand under the run that began the site, however often it has moved since.
    Ok((other.adopted_from(there).unwrap_or(name).to_owned(), units))
}
