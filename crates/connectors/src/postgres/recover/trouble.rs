//! What goes wrong with files, in the operator's words.

use std::io;
use std::path::Path;

use crate::answer::Trouble;

/// A file or folder of ours, or of the backup, could not be used.
pub(super) fn files(path: &Path, error: &io::Error) -> Trouble {
    let message = format!("{}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Trouble::retry("postgres.disk", message).hint("make space on that volume, or give another folder as `into`")
        }
        _ => Trouble::retry("postgres.files", message).hint("does it exist, and may it be read and written?"),
    }
}

/// Runs file work off the async threads.
///
/// # Cancel safety
/// When dropped, the work goes on to its end: what it must not share with the next attempt has to move into it.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Trouble::retry("postgres.files", format!("the file work did not end: {error}"))),
    }
}
