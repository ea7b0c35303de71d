//! Executing an attempt: its secrets read, its time bounded, its outputs held against what is expected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine::{Mode, Outcome};
use futures::FutureExt;

use super::{logged, outcome, trace};
use crate::ports::{Call, Connector, SecretSource, SecretText, Voice};

/// An attempt that is ready to be executed.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// What is done.
    pub(crate) mode: Mode,
    /// What the connector gets; its secrets are read when it is executed.
    pub(crate) call: Call,
    /// What the outputs must have, as a JSON object; empty if nothing.
    pub(crate) expect: String,
    /// What messages about that name; empty if nothing is expected.
    pub(crate) about: String,
}

/// Time beyond its own limit after which an attempt is dropped: a twentieth of the limit, within these bounds.
const NET_LEAST: Duration = Duration::from_millis(50);
const NET_MOST: Duration = Duration::from_secs(2);

impl Attempt {
    /// Executes it, and writes into its log and the present span how it ended.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the attempt in doubt.
    pub(crate) async fn execute(self, connector: Arc<dyn Connector>, secrets: Arc<dyn SecretSource>) -> Outcome {
        let log = self.call.log.clone();
        let outcome = once(self.call, connector, secrets, self.mode).await;
        let is_probe = self.mode.is_probe();
        let outcome = if is_probe { outcome } else { outcome::held_against(outcome, &self.expect, &self.about) };
        logged::ended(&log, &outcome);
        trace::end(&tracing::Span::current(), &outcome);
        outcome
    }
}

async fn once(mut call: Call, connector: Arc<dyn Connector>, secrets: Arc<dyn SecretSource>, mode: Mode) -> Outcome {
    let (uses, timeout, cancel, log) = (call.uses.clone(), call.timeout, call.cancel.clone(), call.log.clone());
    let stopped = async {
        cancel.cancelled().await;
        log.write(Voice::Driver, "asked to end: the process is to stop");
        std::future::pending::<Outcome>().await
    };
    // Reading secrets is part of the attempt: it may hang or fail like everything outside.
    let work = async {
        match read_secrets(&call.with, &*secrets).await {
            Ok(found) => {
                call.log = call.log.hiding(&found);
                call.secrets = found;
            }
            Err(outcome) => return outcome::as_seen_by(mode, outcome),
        }
        if mode.is_probe() { connector.probe(call).await } else { connector.apply(call).await }
    };
    let work = async {
        tokio::select! {
            biased;
            outcome = work => outcome,
            never = stopped => never,
        }
    };
    let guarded = std::panic::AssertUnwindSafe(work).catch_unwind();
    // A connector knows best how far it came, and has the same limit: it gets the moment to say so.
    let net = (timeout / 20).clamp(NET_LEAST, NET_MOST);
    match tokio::time::timeout(timeout + net, guarded).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => outcome::panicked(&uses),
        Err(_) => {
            cancel.cancel();
            outcome::timed_out(&uses, timeout.as_millis())
        }
    }
}

/// Reads the secrets that resolved inputs refer to.
async fn read_secrets(with: &serde_json::Value, source: &dyn SecretSource) -> Result<SecretText, Outcome> {
    let mut values = BTreeMap::new();
    for name in SecretText::names_in(with) {
        let value = source.read(&name).await.map_err(|why| outcome::no_secret(&name, &why))?;
        values.insert(name, value);
    }
    Ok(SecretText::new(values))
}
