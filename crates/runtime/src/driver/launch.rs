//! Starting attempts: a task each, with its inputs resolved, its secrets read and its time bounded.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use engine::{Evaluator, Mode, Outcome, Run, UnitIx};
use futures::FutureExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::driver::equip::Equipment;
use crate::driver::{logged, outcome, trace};
use crate::log::{Log, LogBook};
use crate::ports::{AttemptLogs, Call, Clock, Connector, SecretSource, SecretText, Voice};

/// Starts attempts by calling connectors in this process.
pub struct Launcher {
    by_action: BTreeMap<String, Arc<dyn Connector>>,
    tasks: TaskTracker,
    cancel: CancellationToken,
    logs: Option<KeptLogs>,
    /// Of the run whose attempts it starts; opened with the first.
    book: OnceLock<LogBook>,
}

/// Where attempts write, and what one run may write.
struct KeptLogs {
    logs: Arc<dyn AttemptLogs>,
    clock: Arc<dyn Clock>,
    most: u64,
}

/// The end of an attempt.
#[derive(Debug)]
pub(super) struct Landed {
    /// Its number when it was launched, after so many amendments.
    pub(super) unit: UnitIx,
    pub(super) amendments: usize,
    pub(super) attempt: u32,
    pub(super) mode: Mode,
    pub(super) outcome: Outcome,
}

impl Launcher {
    /// Collects the connectors by the actions that they implement.
    #[must_use]
    pub fn new(connectors: Vec<Arc<dyn Connector>>) -> Self {
        let mut by_action = BTreeMap::new();
        for connector in connectors {
            for action in connector.actions() {
                by_action.insert(action.uses, connector.clone());
            }
        }
        let (tasks, cancel, book) = (TaskTracker::new(), CancellationToken::new(), OnceLock::new());
        Self { by_action, tasks, cancel, logs: None, book }
    }

    /// Has the attempts of a run write their logs, up to so many bytes. Without it they write nowhere.
    #[must_use]
    pub fn keeping(mut self, logs: Arc<dyn AttemptLogs>, clock: Arc<dyn Clock>, most: u64) -> Self {
        self.logs = Some(KeptLogs { logs, clock, most });
        self
    }

    fn log(&self, name: &str, run: &Run, unit: UnitIx, attempt: u32) -> Log {
        let Some(KeptLogs { logs, clock, most }) = &self.logs else { return Log::default() };
        let book = self.book.get_or_init(|| LogBook::new(name, logs.clone(), clock.clone(), *most));
        book.of(run.unit_key(unit), attempt)
    }

    /// Returns an action of a plan that no connector implements.
    pub(super) fn missing(&self, plan: &engine::Plan) -> Option<String> {
        plan.steps()
            .flat_map(|step| plan.action(step).into_iter().chain(plan.step(step).undo.as_ref()))
            .map(|action| &action.uses)
            .find(|uses| !self.by_action.contains_key(*uses))
            .cloned()
    }

    /// Starts an attempt whose start is durable; its outcome arrives on `landed`.
    pub(super) fn launch(
        &self,
        name: &str,
        run: &Run,
        equipment: &Equipment,
        amendments: usize,
        started: (UnitIx, u32, Mode),
        landed: &mpsc::UnboundedSender<Landed>,
    ) {
        let (unit, attempt, mode) = started;
        let log = self.log(name, run, unit, attempt);
        let prepared = self.prepare(name, run, &*equipment.evaluator, started);
        let (call, connector, expect, about) = match prepared {
            Ok((call, connector, expect, about)) => (Call { log, ..call }, connector, expect, about),
            Err(outcome) => {
                logged::ended(&log, &outcome);
                let outcome = outcome::as_seen_by(mode, outcome);
                // The receiver outlives every launch; if it is gone, so is the driver that would listen.
                let _ = landed.send(Landed { unit, amendments, attempt, mode, outcome });
                return;
            }
        };
        let secrets = equipment.secrets.clone();
        let landed = landed.clone();
        let span = trace::of_attempt(name, run, started);
        let attempted = async move {
            let log = call.log.clone();
            let outcome = attempt_once(call, connector, secrets, mode).await;
            let outcome = if mode.is_probe() { outcome } else { outcome::held_against(outcome, &expect, &about) };
            logged::ended(&log, &outcome);
            trace::end(&tracing::Span::current(), &outcome);
            let _ = landed.send(Landed { unit, amendments, attempt, mode, outcome });
        };
        self.tasks.spawn(attempted.instrument(span));
    }

    #[allow(clippy::type_complexity)]
    fn prepare(
        &self,
        name: &str,
        run: &Run,
        evaluator: &dyn Evaluator,
        started: (UnitIx, u32, Mode),
    ) -> Result<(Call, Arc<dyn Connector>, String, String), Outcome> {
        let (unit, attempt, mode) = started;
        let plan = run.plan();
        let Some(target) = run.target(unit) else { return Err(outcome::unknown_action("?")) };
        let target = engine::Target { undo: mode.is_undo(), ..target };
        let action = if mode.is_undo() { plan.step(target.step).undo.as_ref() } else { plan.action(target.step) };
        let Some(action) = action else { return Err(outcome::unknown_action("approval")) };
        let Some(connector) = self.by_action.get(&action.uses) else {
            return Err(outcome::unknown_action(&action.uses));
        };
        let with = evaluator.with(plan, target, run).map_err(outcome::unevaluable)?;
        // What another run began and this one adopted keeps its keys, so that targets know it again.
        let key = format!("{}/{}", run.key_run(unit).unwrap_or(name), run.unit_key(unit));
        let call = Call {
            uses: action.uses.clone(),
            key: if mode.is_undo() { format!("{key}/undo") } else { key.clone() },
            undoes: mode.is_undo().then_some(key),
            token: u64::from(attempt),
            with,
            secrets: SecretText::default(),
            timeout: Duration::from_millis(plan.step(target.step).timeout_ms),
            cancel: self.cancel.child_token(),
            log: Log::default(),
        };
        let about = if action.expect.is_empty() { String::new() } else { place_of(run, unit) };
        Ok((call, connector.clone(), action.expect.clone(), about))
    }

    /// Asks running attempts to end.
    pub(super) fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Asks running attempts to end, and waits until they have or the grace is over.
    pub(super) async fn stop(&self, grace: Duration) {
        self.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(grace, self.tasks.wait()).await;
        if let Some(book) = self.book.get() {
            let _ = tokio::time::timeout(LOG_GRACE, book.flush()).await;
        }
    }
}

/// Names a site with the row that it came from, for messages about single rows.
fn place_of(run: &Run, unit: UnitIx) -> String {
    let plan = run.plan();
    let spec = plan.spec();
    match run.covers(unit, 2).as_slice() {
        [site] => {
            let row = spec.sites.source_rows.get(site.ix()).copied().unwrap_or(0);
            format!("site {} ({}:{row})", spec.sites.id(*site), spec.origin.sites_file)
        }
        _ => run.unit_name(unit),
    }
}

/// Time that the last lines of the logs get; the run is over or interrupted without them.
const LOG_GRACE: Duration = Duration::from_secs(5);

/// Time beyond its own limit after which an attempt is dropped: a twentieth of the limit, within these bounds.
const NET_LEAST: Duration = Duration::from_millis(50);
const NET_MOST: Duration = Duration::from_secs(2);

async fn attempt_once(
    mut call: Call,
    connector: Arc<dyn Connector>,
    secrets: Arc<dyn SecretSource>,
    mode: Mode,
) -> Outcome {
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
