//! The port by which runs that are over are given up.

use async_trait::async_trait;

use super::{JournalError, Lease};

/// Gives runs up: first the name, in one step, then what the run took, in pieces.
///
/// # Cancel safety
/// Dropping the future of a change leaves it open whether the change was made; nothing is ever half made.
#[async_trait]
pub trait Retention: Send + Sync {
    /// Gives a run up for good; durable on return. From here on nobody finds it, and what it took is freed by
    /// [`free`](Retention::free), whoever calls that, also after a crash. Its name stays taken for ever: systems keep what
    /// was done under keys that begin with it, and would take another run's work for done.
    ///
    /// Whether a run may be given up is the caller's to know; that nobody drives it is what the lease says.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; [`JournalError::Fenced`] if the epoch is not the newest; [`JournalError::SiteHeld`] if
    /// the run holds sites (looked at in this order).
    async fn discard(&self, lease: &Lease) -> Result<(), JournalError>;

    /// Frees a piece of what discarded runs took, small enough that no other run waits noticeably: about how many bytes;
    /// `None` once nothing is left.
    ///
    /// # Errors
    /// The store's trouble; what was freed stays so.
    async fn free(&self) -> Result<Option<u64>, JournalError>;

    /// Returns the bytes that the store has taken from the system and does not use; later runs take them first.
    ///
    /// # Errors
    /// The store's trouble.
    async fn spare(&self) -> Result<u64, JournalError>;
}
