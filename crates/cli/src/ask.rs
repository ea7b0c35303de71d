//! Verbs of whoever sits at this machine.

use runtime::Store;
pub(crate) use server::verbs::Asked;
use server::verbs::{Asker, Verb};

use crate::failure::Failure;
use crate::people;

/// Takes a verb on a run; its event is durable on return.
///
/// # Errors
/// If it has no reason, the run refuses it, the driver does not answer (what became of the verb is said then), or the store fails.
pub(crate) async fn take(store: &dyn Store, name: &str, reason: &str, verb: &Verb) -> Result<Asked, Failure> {
    // What is stopped stays so, until somebody resumes it.
    let asker = Asker { actor: &people::actor(), reason, goes_on: false };
    Ok(server::verbs::take(store, name, asker, verb).await?)
}
