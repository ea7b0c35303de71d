//! Starting attempts, with their inputs resolved: a task each, or an order to workers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use engine::{Evaluator, Mode, Outcome, Run, UnitIx};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::attempt::{self, Attempt, outcome};
use crate::driver::equip::Equipment;
use crate::driver::orders::Orders;
use crate::driver::trace;
use crate::log::{Keep, Log, LogBook};
use crate::ports::{AttemptLogs, Call, Clock, Connector, Order, SecretText};

/// Starts attempts by calling connectors in this process.
pub struct Launcher {
    by_action: BTreeMap<String, Arc<dyn Connector>>,
    tasks: TaskTracker,
    cancel: CancellationToken,
    logs: Option<Keep>,
    /// Of the run whose attempts it starts; opened with the first.
    book: OnceLock<LogBook>,
}

/// An attempt whose start is durable.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    /// Its number when it was launched, after so many amendments.
    pub(super) unit: UnitIx,
    pub(super) amendments: usize,
    pub(super) attempt: u32,
    pub(super) mode: Mode,
    /// Number that its order has, if it becomes one; ascends within the journal.
    pub(super) number: u64,
}

/// The end of an attempt.
#[derive(Debug)]
pub(super) struct Landed {
    pub(super) start: Start,
    /// Whether it was an order, which is forgotten once its outcome is durable.
    pub(super) is_order: bool,
    /// `None` if surely nobody began it.
    pub(super) outcome: Option<Outcome>,
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
        self.logs = Some(Keep { logs, clock, most });
        self
    }

    fn log(&self, name: &str, run: &Run, unit: UnitIx, attempt: u32) -> Log {
        let Some(keep) = &self.logs else { return Log::default() };
        let book = self.book.get_or_init(|| keep.open(name));
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

    /// Starts an attempt whose start is durable, here or as an order to workers; its outcome arrives on `landed`, or with
    /// the orders.
    pub(super) fn launch(
        &self,
        name: &str,
        run: &Run,
        equipment: &Equipment,
        start: Start,
        orders: Option<&mut Orders<'_>>,
        landed: &mpsc::UnboundedSender<Landed>,
    ) {
        let prepared = self.prepare(name, run, &*equipment.evaluator, &start);
        let prepared = prepared.and_then(|(attempt, connector)| {
            let demands = if orders.is_some() { demands(run, &*equipment.evaluator, &start)? } else { None };
            Ok((attempt, connector, demands))
        });
        let (attempt, connector) = match (prepared, orders) {
            (Ok((attempt, _, Some(labels))), Some(orders)) => {
                let order = Order {
                    number: start.number,
                    unit: run.unit_key(start.unit),
                    attempt: start.attempt,
                    mode: start.mode,
                    labels,
                    timeout_ms: u64::try_from(attempt.call.timeout.as_millis()).unwrap_or(u64::MAX),
                    call: attempt::encode_call(&attempt, &*equipment.secrets),
                };
                return orders.send(order, start);
            }
            (Ok((attempt, connector, _)), _) => (attempt, connector),
            (Err(outcome), _) => {
                attempt::ended(&self.log(name, run, start.unit, start.attempt), &outcome);
                let outcome = outcome::as_seen_by(start.mode, outcome);
                // The receiver outlives every launch; if it is gone, so is the driver that would listen.
                let _ = landed.send(Landed { start, is_order: false, outcome: Some(outcome) });
                return;
            }
        };
        let secrets = equipment.secrets.clone();
        let landed = landed.clone();
        let span = trace::of_attempt(name, run, (start.unit, start.attempt, start.mode));
        let attempted = async move {
            let outcome = attempt.execute(connector, secrets).await;
            let _ = landed.send(Landed { start, is_order: false, outcome: Some(outcome) });
        };
        self.tasks.spawn(attempted.instrument(span));
    }

    fn prepare(
        &self,
        name: &str,
        run: &Run,
        evaluator: &dyn Evaluator,
        start: &Start,
    ) -> Result<(Attempt, Arc<dyn Connector>), Outcome> {
        let Start { unit, mode, .. } = *start;
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
            token: u64::from(start.attempt),
            with,
            secrets: SecretText::default(),
            timeout: Duration::from_millis(plan.step(target.step).timeout_ms),
            cancel: self.cancel.child_token(),
            log: self.log(name, run, unit, start.attempt),
        };
        let about = if action.expect.is_empty() { String::new() } else { place_of(run, unit) };
        Ok((Attempt { mode, call, expect: action.expect.clone(), about }, connector.clone()))
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

/// The labels that the worker of a unit must have; `None` if it is done here.
fn demands(run: &Run, evaluator: &dyn Evaluator, start: &Start) -> Result<Option<BTreeSet<String>>, Outcome> {
    let (plan, target) = (run.plan(), run.target(start.unit));
    let Some(target) = target.filter(|target| plan.spec().extras.runs_on(target.step).is_some()) else {
        return Ok(None);
    };
    let labels = evaluator.labels(plan, target, run).map_err(outcome::unevaluable)?;
    let undo = plan.step(target.step).undo.as_ref().filter(|_| start.mode.is_undo());
    let uses = undo.or(plan.action(target.step)).map_or("", |action| &action.uses);
    Ok(Some(labels.into_iter().chain(attempt::demands(uses)).collect()))
}

/// Time that the last lines of the logs get; the run is over or interrupted without them.
const LOG_GRACE: Duration = Duration::from_secs(5);
