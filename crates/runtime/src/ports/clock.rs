//! The port to time.

use async_trait::async_trait;
use engine::Millis;

/// Tells the time and waits for it.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Returns the time in milliseconds since the epoch.
    fn now(&self) -> Millis;

    /// Waits until the time has come.
    ///
    /// # Cancel safety
    /// Dropping the future forgets the wait.
    async fn until(&self, at: Millis);
}
