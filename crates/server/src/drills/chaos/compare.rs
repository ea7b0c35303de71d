//! How the sandbox stands after a run: the drill's `compare` steps, before the first call that takes something back or cleans
//! up.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use engine::{ActionSpec, Event, Plan, Record, Run};
use runtime::{Call, Connector, DriveEnd, Finding, Intent, Observer, Probed, Settings};
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::drivers::{Kit, Onlooker, drive_once};
use crate::words::chain;

/// What the steps said: outputs by unit, or why they could not be asked.
pub(crate) type Said = Result<BTreeMap<String, Value>, String>;

/// Compares once, before anything is taken back; clones share the answer.
#[derive(Clone)]
pub(crate) struct Compare {
    kit: Kit,
    run: String,
    plan: Arc<Plan>,
    actor: String,
    said: Arc<OnceCell<Said>>,
}

impl Compare {
    pub(crate) fn new(kit: &Kit, run: &str, plan: Arc<Plan>, actor: &str) -> Self {
        Self { kit: kit.clone(), run: run.to_owned(), plan, actor: actor.to_owned(), said: Arc::default() }
    }

    /// Has it take place before the first call that takes something back or cleans up.
    pub(crate) fn before(&self, connectors: &[Arc<dyn Connector>]) -> Vec<Arc<dyn Connector>> {
        let of = |inner: &Arc<dyn Connector>| {
            Arc::new(Before { compare: self.clone(), inner: inner.clone() }) as Arc<dyn Connector>
        };
        connectors.iter().map(of).collect()
    }

    /// What was said; asked now if nothing was taken back.
    pub(crate) async fn said(&self) -> Said {
        self.said.get_or_init(|| self.ask()).await.clone()
    }

    async fn ask(&self) -> Said {
        let (store, name) = (&*self.kit.store, format!("{}-compare", self.run));
        let at = runtime::Clock::now(&runtime::SystemClock);
        runtime::open(store, &name, &self.plan, at).await.map_err(|error| chain(&error))?;
        let mut outputs = Outputs::default();
        let stop = CancellationToken::new();
        let driven = drive_once(&self.kit, &name, &self.actor, &mut outputs, stop, Settings::default()).await;
        match driven {
            Ok((DriveEnd::Ended(engine::RunEnd::Succeeded), _)) => {}
            Ok(_) => return Err(format!("the steps of `compare` did not succeed: look at run {name}")),
            Err(error) => return Err(chain(&error)),
        }
        Ok(outputs.0)
    }
}

/// What differs between the sandbox after two runs, in words; nothing if nothing does.
pub(crate) fn compared(one: &Said, two: &Said) -> Vec<String> {
    let (one, two) = match (one, two) {
        (Ok(one), Ok(two)) => (one, two),
        (Err(why), _) | (_, Err(why)) => return vec![format!("the sandbox could not be compared: {why}")],
    };
    let units = one.keys().chain(two.keys()).collect::<std::collections::BTreeSet<_>>();
    let differs = units.into_iter().filter(|unit| one.get(*unit) != two.get(*unit));
    differs.map(|unit| format!("{unit} answers otherwise than after an undisturbed drill")).collect()
}

#[derive(Default)]
struct Outputs(BTreeMap<String, Value>);

impl Observer for Outputs {
    fn committed(&mut self, run: &Run, records: &[Record]) {
        for record in records {
            if let Event::Succeeded { unit, outputs } = &record.event {
                let value = outputs.as_deref().and_then(|text| serde_json::from_str(text).ok());
                self.0.insert(run.unit_name(*unit), value.unwrap_or_default());
            }
        }
    }
}

impl Onlooker for Outputs {
    fn begun(&mut self, _: &Run) {}
}

struct Before {
    compare: Compare,
    inner: Arc<dyn Connector>,
}

#[async_trait]
impl Connector for Before {
    fn actions(&self) -> Vec<ActionSpec> {
        self.inner.actions()
    }

    async fn apply(&self, call: Call) -> runtime::engine::Outcome {
        let cleans_up = call.key.starts_with(&format!("{}-clean-up/", self.compare.run));
        if call.undoes.is_some() || cleans_up {
            let _ = self.compare.said().await;
        }
        self.inner.apply(call).await
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
