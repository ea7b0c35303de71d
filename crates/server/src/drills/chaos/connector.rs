//! The connector around a connector that lets chaos in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use engine::{ActionSpec, Advice, ChaosMark, Disturbance, Failure, Outcome, Plan};
use report::DrillChaos;
use runtime::{Call, Connector, Finding, Intent, Probed};
use serde_json::Value;
use tokio::time::Instant;

use crate::drills::chaos::fate::{Fate, fate};
use crate::drills::chaos::told::Told;

/// Times that a second delivery is tried whose answer says nothing.
const TRIES: u32 = 5;
const BETWEEN: Duration = Duration::from_millis(200);

/// What is to be known of a step.
#[derive(Clone, Copy, Debug)]
struct About {
    attempts: u64,
    idempotent: bool,
    /// Whether another step reads what it answers.
    read: bool,
}

/// Chaos in the run of a drill; clones share what was found.
#[derive(Clone)]
pub struct Chaos {
    seed: u64,
    /// The only step that is disturbed, if not all are, and by what.
    only: (Option<String>, Disturbance),
    steps: Arc<BTreeMap<String, About>>,
    told: Arc<Mutex<Told>>,
}

impl std::fmt::Debug for Chaos {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chaos").field("seed", &self.seed).field("only", &self.only).finish_non_exhaustive()
    }
}

impl Chaos {
    /// The chaos that the plan of a drill's run asks for, in every step of it or in one; `None` if it asks for none.
    #[must_use]
    pub fn of(plan: &Plan) -> Option<Self> {
        let mark = plan.spec().extras.drill.as_ref()?;
        let (seed, Some(ChaosMark::Disturbed { by, step, .. })) = (mark.seed, &mark.chaos) else { return None };
        let about = |spec: &engine::StepSpec, action: &engine::ActionUse| About {
            attempts: u64::from(spec.retry.attempts),
            idempotent: action.idempotent,
            read: spec.keeps_outputs,
        };
        let steps: BTreeMap<String, About> = plan
            .steps()
            .filter_map(|at| Some((plan.step(at).name.clone(), about(plan.step(at), plan.action(at)?))))
            .collect();
        let spared = steps.iter().filter(|(_, about)| !about.idempotent).map(|(name, _)| name.clone());
        let struck = steps.keys().filter(|name| step.as_ref().is_none_or(|only| only == *name));
        let untouched = struck.cloned().collect();
        let chaos = DrillChaos { seed, spared: spared.collect(), untouched, ..DrillChaos::default() };
        let told = Arc::new(Mutex::new(Told { chaos, cut: BTreeMap::new() }));
        Some(Self { seed, only: (step.clone(), *by), steps: Arc::new(steps), told })
    }

    /// Puts it around connectors, for the calls of one run that take nothing back.
    #[must_use]
    pub fn around(&self, run: &str, connectors: &[Arc<dyn Connector>]) -> Vec<Arc<dyn Connector>> {
        let of = |inner: &Arc<dyn Connector>| {
            let (chaos, run, inner) = (self.clone(), format!("{run}/"), inner.clone());
            Arc::new(Around { chaos, run, inner }) as Arc<dyn Connector>
        };
        connectors.iter().map(of).collect()
    }

    /// What it did and found.
    #[must_use]
    pub fn told(&self) -> DrillChaos {
        self.lock().close()
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fate(&self, unit: &str, attempt: u64) -> (String, Fate) {
        let step = unit.split('/').next().unwrap_or_default().to_owned();
        let known = self.steps.get(&step).filter(|_| self.only.0.as_ref().is_none_or(|only| *only == step));
        let drawn = known.map(|about| fate(self.seed, unit, attempt, about.attempts, about.idempotent, self.only.1));
        (step, drawn.unwrap_or(Fate::Spared))
    }
}

struct Around {
    chaos: Chaos,
    run: String,
    inner: Arc<dyn Connector>,
}

#[async_trait]
impl Connector for Around {
    fn actions(&self) -> Vec<ActionSpec> {
        self.inner.actions()
    }

    async fn apply(&self, mut call: Call) -> Outcome {
        let unit = match call.key.strip_prefix(&self.run) {
            Some(unit) if call.undoes.is_none() => unit.to_owned(),
            _ => return self.inner.apply(call).await,
        };
        let (step, fate) = self.chaos.fate(&unit, call.token);
        self.chaos.lock().counted(&step, fate);
        match fate {
            Fate::Failed => {
                let failure = failure("chaos.failed", "the drill failed this attempt before it began");
                return Outcome::Refused { failure, retry: Advice::Retry };
            }
            Fate::Cut(after) => {
                // What it has begun by then ends with it, as when a process dies.
                let _ = tokio::time::timeout(Duration::from_millis(after), self.inner.apply(call)).await;
                return self.cut(unit);
            }
            Fate::Lost => {
                let _ = self.inner.apply(call).await;
                return self.cut(unit);
            }
            Fate::Delayed(by) => {
                let by = Duration::from_millis(by);
                tokio::time::sleep(by).await;
                call.timeout = call.timeout.saturating_sub(by);
            }
            Fate::Spared | Fate::Twice => {}
        }
        let second = (fate == Fate::Twice).then(|| Call { token: call.token + 1, ..call.clone() });
        let begun = Instant::now();
        let outcome = self.inner.apply(call).await;
        self.came(&unit, &outcome);
        if let (Some(mut second), Outcome::Done { outputs }) = (second, &outcome) {
            let took = begun.elapsed();
            second.timeout = second.timeout.saturating_sub(took);
            // One that takes as long again has to fit: it is this attempt that would be timed out.
            if second.timeout > took * 2 {
                let limit = second.timeout - second.timeout / 10;
                self.chaos.lock().twice(&step);
                let again = self.again(&step, &unit, second, outputs.as_deref());
                if tokio::time::timeout(limit, again).await.is_err() {
                    // Nobody knows what is done of it, so the next attempt has to come right.
                    return self.cut(unit);
                }
            }
        }
        outcome
    }

    async fn probe(&self, call: Call) -> Probed {
        self.inner.probe(call).await
    }

    fn questions(&self, intent: &Intent) -> Vec<Value> {
        self.inner.questions(intent)
    }

    async fn preflight(&self, question: Call) -> Vec<Finding> {
        self.inner.preflight(question).await
    }
}

impl Around {
    fn cut(&self, unit: String) -> Outcome {
        self.chaos.lock().cut.insert(unit, None);
        Outcome::Unknown { failure: failure("chaos.cut", "the drill cut this attempt off, or kept its answer back") }
    }

    /// Notes what an attempt after one that was cut off has said.
    fn came(&self, unit: &str, outcome: &Outcome) {
        if let Some(said) = self.chaos.lock().cut.get_mut(unit) {
            *said = match outcome {
                Outcome::Done { .. } => None,
                Outcome::Refused { failure, .. } | Outcome::Unknown { failure } => Some(failure.message.to_string()),
            };
        }
    }

    /// Delivers a call that was done once more, in what is left of its time, and holds the answers against each other.
    async fn again(&self, step: &str, unit: &str, call: Call, first: Option<&str>) {
        let mut said = String::new();
        for _ in 0..TRIES {
            match self.inner.apply(call.clone()).await {
                Outcome::Done { outputs } => {
                    if let Some(message) = differing(first, outputs.as_deref()) {
                        let read = self.chaos.steps.get(step).is_none_or(|about| about.read);
                        self.chaos.lock().answered_otherwise(step, unit, read, message);
                    }
                    return;
                }
                Outcome::Refused { failure, retry: Advice::Never } => {
                    said = failure.message.to_string();
                    break;
                }
                Outcome::Refused { failure, .. } | Outcome::Unknown { failure } => said = failure.message.to_string(),
            }
            tokio::time::sleep(BETWEEN).await;
        }
        let message = format!("a second delivery of what was done fails: {said}");
        self.chaos.lock().found("not_idempotent", step, unit, message);
    }
}

/// What differs between the outputs of two deliveries, by the names of the fields: values may be long.
fn differing(first: Option<&str>, second: Option<&str>) -> Option<String> {
    let parsed =
        |text: Option<&str>| text.map_or(Value::Null, |text| serde_json::from_str(text).unwrap_or(Value::Null));
    let (first, second) = (parsed(first), parsed(second));
    if first == second {
        return None;
    }
    let fields = match (&first, &second) {
        (Value::Object(one), Value::Object(two)) => {
            let names = one.keys().chain(two.keys()).filter(|name| one.get(*name) != two.get(*name));
            names.cloned().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
        }
        _ => "outputs".to_owned(),
    };
    Some(format!("a second delivery of what was done answers otherwise: {fields}"))
}

fn failure(code: &str, message: &str) -> Failure {
    let hint = "this is a chaos drill: the next attempt is let through";
    Failure { code: code.into(), message: message.into(), hint: hint.into() }
}
