//! Verbs of whoever sits at this machine.

use engine::{Command, Run};
use runtime::Store;
pub(crate) use server::verbs::Asked;
use server::verbs::{Verb, VerbError};

use crate::failure::Failure;
use crate::people;

/// Brings a verb to a run; the event is durable on return. The command is made from the run as it is then.
///
/// # Errors
/// If the run refuses it, the driver does not answer (what became of the verb is said then), or the store fails.
pub(crate) async fn command(
    store: &dyn Store,
    name: &str,
    reason: &str,
    make: impl Fn(&Run) -> Result<Command, VerbError>,
) -> Result<Asked, Failure> {
    Ok(server::verbs::ask(store, name, &people::actor(), reason, make).await?)
}

/// Takes a verb on a run; its event is durable on return.
///
/// # Errors
/// As for [`command`], and if there is no reason.
pub(crate) async fn take(store: &dyn Store, name: &str, reason: &str, verb: &Verb) -> Result<Asked, Failure> {
    Ok(server::verbs::take(store, name, &people::actor(), reason, verb).await?)
}
