//! The sites of a run that goes on after it has ended: it must hold them again.

use engine::{Run, SiteIx, Status, TakeOut};
use runtime::{JournalError, Store};

use crate::verbs::VerbError;

/// Has a run that has ended hold its sites again; nothing for one that has not.
///
/// # Errors
/// If another run holds one of them, or the store fails.
pub async fn hold_again(store: &dyn Store, name: &str) -> Result<(), VerbError> {
    let run = runtime::recover(store, name, |_, _| {}).await?.run;
    if !matches!(run.status(), Status::Ended(_)) {
        return Ok(());
    }
    Ok(hold_own_sites(store, name, &run).await?)
}

/// Holds every site of a run that it has not given up; those that it holds already are fine.
///
/// # Errors
/// If another run holds one of them, or the store fails.
pub async fn hold_own_sites(store: &dyn Store, name: &str, run: &Run) -> Result<(), JournalError> {
    let kept = |site: &SiteIx| !matches!(run.taken_out(*site), Some(TakeOut::Release | TakeOut::Exclude));
    let sites = (0..run.plan().site_count()).map(SiteIx).filter(kept);
    let sites: Vec<String> = sites.map(|site| run.plan().spec().sites.id(site).to_owned()).collect();
    store.hold_sites(name, &run.plan().spec().origin.estate, &sites).await
}
