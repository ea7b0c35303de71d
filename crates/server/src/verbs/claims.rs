//! Claims beside verbs: whoever decides ends the claim, and at the daemon nobody decides on what another has in hand.

use runtime::{Clock, Store, SystemClock, WorkClaim};

use crate::verbs::{Verb, VerbError};

/// Tries to forget a claim while others set it.
const TRIES: usize = 5;

/// The name under which what a verb decides on can be claimed; none for other verbs. A step that runs once may be named
/// alone.
pub(crate) fn decides(verb: &Verb) -> Option<String> {
    match verb {
        Verb::Approve { gate, .. } | Verb::Reject { gate } if gate.contains('/') => Some(gate.clone()),
        Verb::Approve { gate, .. } | Verb::Reject { gate } => Some(format!("{gate}/run")),
        _ => None,
    }
}

/// The claim on a subject, if there is one or was.
pub(crate) async fn claim_on(store: &dyn Store, run: &str, subject: &str) -> Result<Option<WorkClaim>, VerbError> {
    Ok(store.claims(run).await?.into_iter().find(|claim| claim.subject == subject))
}

/// Refuses what another person has in hand.
pub(crate) async fn refuse_others(store: &dyn Store, run: &str, actor: &str, verb: &Verb) -> Result<(), VerbError> {
    let Some(subject) = decides(verb) else { return Ok(()) };
    let claim = claim_on(store, run, &subject).await?;
    match claim.as_ref().and_then(|claim| Some((claim, claim.holder(SystemClock.now())?))) {
        Some((claim, who)) if who != actor => {
            Err(VerbError::Claimed { gate: subject, who: who.to_owned(), until: claim.until })
        }
        _ => Ok(()),
    }
}

/// Forgets the claim on what was decided. That it stays is no harm: nothing goes by it, and it expires.
pub(crate) async fn forget(store: &dyn Store, run: &str, verb: &Verb) {
    let Some(subject) = decides(verb) else { return };
    for _ in 0..TRIES {
        let Ok(Some(claim)) = claim_on(store, run, &subject).await else { return };
        let holder = claim.holder(SystemClock.now());
        match store.set_claim(run, &subject, holder, None).await {
            Ok(false) => {}
            Ok(true) => return,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, subject, "a claim was not forgotten");
                return;
            }
        }
    }
}
