//! The task that sends: woken by what became durable and by the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use connectors::{Begun, Entry, Ledger};
use engine::{Holds, Outcome, Plan, Run};
use report::announce::{Due, Stand, due, next_due};
use runtime::{Call, Clock, Connector, SecretSource, SecretText, Store, SystemClock};
use server::Telling;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::announce::of_plan::{Announce, Message};
use crate::failure::Failure;
use crate::out;
use crate::secrets::References;

/// Longest time of one message.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest time that the end of a drive waits for messages.
const FAREWELL: Duration = Duration::from_secs(60);
/// Pauses before a message that surely did not leave is tried again.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// Tells of one run.
pub(crate) struct Announcer {
    stand: watch::Sender<Stand>,
    task: JoinHandle<()>,
}

struct Teller {
    store: Arc<dyn Store>,
    run: String,
    announce: Announce,
    ledger: Ledger,
    secrets: References,
    by_action: BTreeMap<String, (Arc<dyn Connector>, bool)>,
    /// Milestones of each message that need not be looked at again.
    told: Vec<BTreeSet<String>>,
}

impl Announcer {
    /// Starts the task; `None` if the plan's estate announces nothing.
    pub(crate) fn start(
        store: &Arc<dyn Store>,
        run: &str,
        plan: &Plan,
        connectors: &[Arc<dyn Connector>],
    ) -> Result<Option<Self>, Failure> {
        let Some(announce) = Announce::of_plan(plan)? else { return Ok(None) };
        let mut by_action = BTreeMap::new();
        for connector in connectors {
            for action in connector.actions() {
                let repeatable = action.idempotent == Holds::Always;
                by_action.insert(action.uses, (Arc::clone(connector), repeatable));
            }
        }
        let teller = Teller {
            store: Arc::clone(store),
            run: run.to_owned(),
            ledger: Ledger::new(&announce.ledger),
            told: vec![BTreeSet::new(); announce.messages.len()],
            announce,
            secrets: References::of_plan(plan),
            by_action,
        };
        let (stand, seen) = watch::channel(Stand::default());
        Ok(Some(Self { stand, task: tokio::spawn(teller.tell(seen)) }))
    }
}

#[async_trait]
impl Telling for Announcer {
    fn saw(&self, run: &Run) {
        self.stand.send_replace(Stand::of(run));
    }

    async fn finish(self: Box<Self>) {
        let Self { stand, mut task } = *self;
        drop(stand);
        if tokio::time::timeout(FAREWELL, &mut task).await.is_err() {
            task.abort();
            out::note("announcements took too long; what was begun is in the ledger");
        }
    }
}

impl Teller {
    async fn tell(mut self, mut seen: watch::Receiver<Stand>) {
        loop {
            let stand = *seen.borrow_and_update();
            self.look(&stand).await;
            let now = SystemClock.now();
            let next = self.announce.messages.iter().filter_map(|message| next_due(&message.wish, &stand, now)).min();
            let clock = async {
                match next {
                    Some(at) => SystemClock.until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = seen.changed() => if changed.is_err() { break },
                () = clock => {}
            }
        }
        // What came between the last look and the end.
        let stand = *seen.borrow();
        self.look(&stand).await;
    }

    /// Tells what is due of every message.
    async fn look(&mut self, stand: &Stand) {
        for number in 0..self.announce.messages.len() {
            loop {
                let told = &self.told[number];
                let wish = &self.announce.messages[number].wish;
                let Some(due) = due(wish, stand, SystemClock.now(), &|name| told.contains(name)) else { break };
                match self.one(number, &due).await {
                    Ok(true) => {}
                    // The run was ahead of its journal; the next group wakes us again.
                    Ok(false) => break,
                    Err(why) => {
                        let uses = &self.announce.messages[number].uses;
                        out::note(&report::plain(&format!("announcement {} by {uses}: {why}", due.name)));
                    }
                }
                self.told[number].insert(due.name);
            }
        }
    }

    /// Tells of one milestone, unless the ledger says that it was told or may have been; `false` if the journal does not
    /// say yet that it was reached.
    async fn one(&self, number: usize, found: &Due) -> Result<bool, String> {
        let fold = crate::commands::report::fold(&*self.store, &self.run).await.map_err(|failure| failure.message)?;
        // Two stores may have runs of one name, but not opened in the same moment.
        let opened = fold.run().opened_at().unwrap_or_default();
        let key = |name: &str| format!("{}/announce/{}/{name}", self.run, number + 1);
        let entry = |name: &str| format!("{opened}/{}", key(name));
        let name = entry(&found.name);
        let noted = |error: connectors::LedgerError| format!("{error}; {}", error.hint());
        let message = &self.announce.messages[number];
        let told = |name: &str| self.told[number].contains(name);
        let durable = due(&message.wish, &Stand::of(fold.run()), SystemClock.now(), &told);
        if durable.as_ref() != Some(found) {
            return Ok(false);
        }
        let (connector, repeatable) =
            self.by_action.get(&message.uses).cloned().ok_or("this build has no such action")?;
        match self.ledger.look(&name).await.map_err(noted)? {
            Entry::Sent { .. } => return Ok(true),
            Entry::Begun { at, .. } if !repeatable => {
                return Err(format!(
                    "begun at {at} by an earlier process; whether it arrived is not known, and it is not repeated"
                ));
            }
            Entry::Begun { .. } | Entry::None => {}
        }
        for passed in found.passed.iter().map(|name| entry(name)) {
            if self.ledger.begin(&passed, &self.run, "\"passed\"", false).await.map_err(noted)? == Begun::Ours {
                self.ledger.sent(&passed, "\"passed\"").await.map_err(noted)?;
            }
        }
        let words = report::status_message(&fold.report(SystemClock.now()), &self.announce.incident);
        drop(fold);
        let call = self.call(message, &words, key(&found.name)).await?;
        let mut pauses = PAUSES.iter();
        loop {
            if self.ledger.begin(&name, &self.run, "{}", repeatable).await.map_err(noted)? != Begun::Ours {
                return Ok(true);
            }
            let outcome = tokio::time::timeout(PATIENCE, connector.apply(call.clone())).await;
            match outcome {
                Ok(Outcome::Done { .. }) => return self.ledger.sent(&name, "{}").await.map(|()| true).map_err(noted),
                Ok(Outcome::Refused { failure, retry }) => {
                    self.ledger.forget(&name, &self.run).await.map_err(noted)?;
                    match pauses.next().filter(|_| retry != engine::Advice::Never) {
                        Some(pause) => tokio::time::sleep(*pause).await,
                        None => {
                            return Err(format!("not sent [{}]: {}; {}", failure.code, failure.message, failure.hint));
                        }
                    }
                }
                Ok(Outcome::Unknown { failure }) => {
                    return Err(format!("[{}]: {}; it is not repeated", failure.code, failure.message));
                }
                Err(_) => return Err("no answer in time; it is not repeated".to_owned()),
            }
        }
    }

    async fn call(&self, message: &Message, words: &report::StatusMessage, key: String) -> Result<Call, String> {
        let mut values = BTreeMap::new();
        // Before anything is filled in: no word of a run names a secret.
        for name in SecretText::names_in(&message.with) {
            let value = self.secrets.read(&name).await.map_err(|why| format!("secret {name}: {why}"))?;
            values.insert(name, value);
        }
        let with = words.fill(&message.with).map_err(|error| error.to_string())?;
        Ok(Call {
            uses: message.uses.clone(),
            key,
            undoes: None,
            token: 1,
            with,
            secrets: SecretText::new(values),
            timeout: PATIENCE,
            cancel: CancellationToken::new(),
        })
    }
}
