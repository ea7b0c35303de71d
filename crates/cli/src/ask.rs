//! Verbs of whoever sits at this machine.

use runtime::Store;
pub(crate) use server::verbs::Asked;
use server::verbs::Verb;

use crate::failure::Failure;
use crate::people;

/// Takes a verb on a run; its event is durable on return.
///
/// # Errors
/// If it has no reason, the run refuses it, the driver does not answer (what became of the verb is said then), or the store fails.
pub(crate) async fn take(store: &dyn Store, name: &str, reason: &str, verb: &Verb) -> Result<Asked, Failure> {
    Ok(server::verbs::take(store, name, &people::actor(), reason, verb).await?)
}
