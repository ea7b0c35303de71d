//! What a worker executes orders with.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::Outcome;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::attempt::{self, Attempt, outcome};
use crate::log::{Keep, Log, LogBook};
use crate::ports::{AttemptLogs, ClaimedOrder, Clock, Connector, SecretSource};

/// Makes, from references by name, what reads secrets on this host.
type Vault = dyn Fn(BTreeMap<String, String>) -> Arc<dyn SecretSource> + Send + Sync;

/// Connectors, secrets and logs of a worker.
pub struct Hands {
    by_action: BTreeMap<String, Arc<dyn Connector>>,
    vault: Arc<Vault>,
    logs: Option<Keep>,
    /// By run; one that has nothing to store is opened anew when it is needed.
    books: Mutex<HashMap<String, LogBook>>,
}

/// Runs whose logs are kept open.
const BOOKS_MAX: usize = 64;

impl Hands {
    /// Collects the connectors by the actions that they implement; `vault` reads secrets by references where this runs.
    #[must_use]
    pub fn new(connectors: &[Arc<dyn Connector>], vault: Arc<Vault>) -> Self {
        let actions = |connector: &Arc<dyn Connector>| connector.actions().into_iter().map(|action| action.uses);
        let by_action =
            connectors.iter().flat_map(|connector| actions(connector).map(|uses| (uses, connector.clone()))).collect();
        Self { by_action, vault, logs: None, books: Mutex::default() }
    }

    /// Has attempts write their logs, up to so many bytes for the attempts of a run. Without it they write nowhere.
    #[must_use]
    pub fn keeping(mut self, logs: Arc<dyn AttemptLogs>, clock: Arc<dyn Clock>, most: u64) -> Self {
        self.logs = Some(Keep { logs, clock, most });
        self
    }

    /// The labels that it has beside those of its operator.
    pub(super) fn labels(&self) -> BTreeSet<String> {
        attempt::has(self.by_action.keys().map(String::as_str))
    }

    /// Executes an order until it ends, or is cancelled and has had its grace to end.
    pub(super) async fn execute(&self, claimed: &ClaimedOrder, cancel: CancellationToken, grace: Duration) -> Outcome {
        let order = &claimed.order;
        let timeout = Duration::from_millis(order.timeout_ms);
        let log = self.log(&claimed.run, &order.unit, order.attempt);
        let (attempt, references) =
            match attempt::decode_call(&order.call, (order.mode, timeout), (cancel.clone(), log.clone())) {
                Ok(decoded) => decoded,
                Err(error) => return outcome::as_seen_by(order.mode, outcome::unreadable(&error)),
            };
        let Some(connector) = self.by_action.get(&attempt.call.uses).cloned() else {
            return outcome::as_seen_by(order.mode, outcome::unknown_action(&attempt.call.uses));
        };
        let span = tracing::info_span!(
            "attempt",
            otel.status_code = tracing::field::Empty,
            run = claimed.run,
            unit = order.unit,
            attempt = order.attempt,
            mode = ?order.mode,
            outcome = tracing::field::Empty,
            code = tracing::field::Empty,
        );
        let too_late = async {
            cancel.cancelled().await;
            tokio::time::sleep(grace).await;
        };
        let work = bounded(attempt, connector, (self.vault)(references), too_late, log);
        work.instrument(span).await
    }

    fn log(&self, run: &str, unit: &str, attempt: u32) -> Log {
        let Some(keep) = &self.logs else { return Log::default() };
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        if books.len() >= BOOKS_MAX && !books.contains_key(run) {
            // Sheets keep their book, so what is being written in one is stored all the same.
            books.clear();
        }
        books.entry(run.to_owned()).or_insert_with(|| keep.open(run)).of(unit.to_owned(), attempt)
    }

    /// Stores what attempts have written, within a bound.
    pub(super) async fn flush(&self) {
        let books: Vec<LogBook> = self.books.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let all = async {
            for book in books {
                book.flush().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(5), all).await;
    }
}

async fn bounded(
    attempt: Attempt,
    connector: Arc<dyn Connector>,
    secrets: Arc<dyn SecretSource>,
    too_late: impl Future<Output = ()>,
    log: Log,
) -> Outcome {
    tokio::select! {
        biased;
        outcome = attempt.execute(connector, secrets) => outcome,
        () = too_late => {
            let outcome = outcome::let_go();
            attempt::ended(&log, &outcome);
            outcome
        }
    }
}
