//! Asking a store until it answers: one that is busy when the daemon starts is not one that has nothing to do.

use std::future::Future;
use std::time::Duration;

use runtime::JournalError;
use tokio_util::sync::CancellationToken;

/// Longest time between two asks.
const LONGEST: Duration = Duration::from_secs(60);

/// Asks until there is an answer, or a trouble that does not pass by itself; the time between two asks is doubled each
/// time. `None` if the process is stopping.
///
/// # Errors
/// A trouble that does not pass by itself.
///
/// # Cancel safety
/// As safe as what is asked.
pub(super) async fn answered<T, F: Future<Output = Result<T, JournalError>>>(
    ask: impl Fn() -> F,
    first: Duration,
    stop: &CancellationToken,
) -> Result<Option<T>, JournalError> {
    let mut pause = first;
    loop {
        match ask().await {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) if error.may_pass() => {
                tracing::warn!(%error, pause_s = pause.as_secs(), "the store does not answer; it is asked again");
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST),
            () = stop.cancelled() => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_store_that_is_busy_at_the_start_is_asked_until_it_answers() {
        let asked = AtomicU32::new(0);
        let busy = || {
            std::future::ready(match asked.fetch_add(1, Ordering::Relaxed) {
                0..5 => {
                    Err(JournalError::Unavailable { context: "reading: the file is locked".to_owned(), source: None })
                }
                number => Ok(number),
            })
        };
        let answer = answered(busy, Duration::ZERO, &CancellationToken::new()).await;
        assert_eq!(answer.expect("it passes"), Some(5));
        let damaged = || std::future::ready(Err::<(), _>(JournalError::Corrupt("a page".to_owned())));
        assert!(answered(damaged, Duration::ZERO, &CancellationToken::new()).await.is_err(), "that does not pass");
    }
}
