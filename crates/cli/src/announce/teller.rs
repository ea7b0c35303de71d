//! The task that sends: woken by what became durable and by the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use connectors::{Begun, Entry, Ledger};
use engine::{Holds, Millis, Outcome, Plan, Run};
use report::Fold;
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
/// Time beyond that after which an action that does not end by itself is dropped.
const NET: Duration = Duration::from_secs(5);
/// Longest time that the end of a drive waits for messages.
const FAREWELL: Duration = Duration::from_secs(60);
/// First and longest pause before a message is looked at again that could not be begun.
const FIRST_LOOK: Millis = 2_000;
const LONGEST_LOOK: Millis = 60_000;
/// Pauses between the looks at it once the run is over.
const LAST_LOOKS: [Millis; 2] = [1_000, 3_000];
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

/// Why a milestone was not told of.
enum Silence {
    /// Nothing was begun, and it may work later.
    Later(String),
    /// It is not tried again.
    Final(String),
    /// The journal does not say yet that it was reached; the next group wakes us.
    Behind,
}

impl Teller {
    async fn tell(mut self, mut seen: watch::Receiver<Stand>) {
        let mut pause = None;
        loop {
            let stand = *seen.borrow_and_update();
            pause = self.look(&stand).await.then(|| longer(pause));
            let now = SystemClock.now();
            let next = self.announce.messages.iter().filter_map(|message| next_due(&message.wish, &stand, now)).min();
            let again = pause.map(|pause| now.saturating_add(pause));
            let clock = async {
                match next.into_iter().chain(again).min() {
                    Some(at) => SystemClock.until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = seen.changed() => if changed.is_err() { break },
                () = clock => {}
            }
        }
        // What came between the last look and the end. Somebody waits for it, so what cannot be begun is given up soon.
        let stand = *seen.borrow();
        let mut pauses = LAST_LOOKS.iter();
        while self.look(&stand).await
            && let Some(pause) = pauses.next()
        {
            SystemClock.until(SystemClock.now().saturating_add(*pause)).await;
        }
    }

    /// Tells what is due of every message; says whether something is left that may be told later.
    async fn look(&mut self, stand: &Stand) -> bool {
        let (mut fold, mut left) = (None, false);
        for number in 0..self.announce.messages.len() {
            loop {
                let told = &self.told[number];
                let wish = &self.announce.messages[number].wish;
                let Some(due) = due(wish, stand, SystemClock.now(), &|name| told.contains(name)) else { break };
                match self.one(number, &due, &mut fold).await {
                    Ok(()) => {
                        self.told[number].extend(due.passed);
                        self.told[number].insert(due.name);
                    }
                    Err(Silence::Behind) => break,
                    Err(Silence::Later(why)) => {
                        left = true;
                        self.note(number, &due, &format!("{why}; it is tried again"));
                        break;
                    }
                    Err(Silence::Final(why)) => {
                        self.note(number, &due, &why);
                        self.told[number].insert(due.name);
                    }
                }
            }
        }
        left
    }

    fn note(&self, number: usize, due: &Due, why: &str) {
        let uses = &self.announce.messages[number].uses;
        out::note(&report::plain(&format!("announcement {} by {uses}: {why}", due.name)));
    }

    /// Tells of one milestone, unless the ledger says that it was told or may have been. `fold` is the run as its journal
    /// has it, read once a look.
    async fn one(&self, number: usize, found: &Due, fold: &mut Option<Fold>) -> Result<(), Silence> {
        let message = &self.announce.messages[number];
        let noted = |error: connectors::LedgerError| Silence::Later(format!("{error}; {}", error.hint()));
        let Some((connector, repeatable)) = self.by_action.get(&message.uses).cloned() else {
            return Err(Silence::Final("this build has no such action".to_owned()));
        };
        // Two stores may have runs of one name, but not opened in the same moment.
        let opened = found.opened;
        let key = |name: &str| format!("{}/announce/{}/{name}", self.run, number + 1);
        let entry = |name: &str| format!("{opened}/{}", key(name));
        let name = entry(&found.name);
        match self.ledger.look(&name).await.map_err(noted)? {
            Entry::Sent { .. } => return Ok(()),
            Entry::Begun { at, .. } if !repeatable => {
                return Err(Silence::Final(format!(
                    "begun at {at} by an earlier process; whether it arrived is not known, and it is not repeated"
                )));
            }
            Entry::Begun { .. } | Entry::None => {}
        }
        let told = |name: &str| self.told[number].contains(name);
        let fold = match fold {
            Some(fold) => fold,
            None => {
                let read = crate::commands::report::fold(&*self.store, &self.run).await;
                fold.insert(read.map_err(|failure| Silence::Later(failure.message))?)
            }
        };
        let durable = due(&message.wish, &Stand::of(fold.run()), SystemClock.now(), &told);
        if durable.as_ref() != Some(found) {
            return Err(Silence::Behind);
        }
        let words = report::status_message(&fold.report(SystemClock.now()), &self.announce.incident);
        let call = self.call(message, &words, key(&found.name)).await?;
        for passed in found.passed.iter().map(|name| entry(name)) {
            if self.ledger.begin(&passed, &self.run, "\"passed\"", false).await.map_err(noted)? == Begun::Ours {
                self.ledger.sent(&passed, "\"passed\"").await.map_err(noted)?;
            }
        }
        self.send(&*connector, call, &name, repeatable).await
    }

    /// Sends, and tries again what surely did not leave.
    async fn send(&self, connector: &dyn Connector, call: Call, name: &str, repeatable: bool) -> Result<(), Silence> {
        let noted = |error: connectors::LedgerError| Silence::Later(format!("{error}; {}", error.hint()));
        let mut pauses = PAUSES.iter();
        loop {
            if self.ledger.begin(name, &self.run, "{}", repeatable).await.map_err(noted)? != Begun::Ours {
                return Ok(());
            }
            match tokio::time::timeout(PATIENCE + NET, connector.apply(call.clone())).await {
                Ok(Outcome::Done { .. }) => {
                    // It is told whether that could be noted or not.
                    return self.ledger.sent(name, "{}").await.map_err(|error| {
                        Silence::Final(format!("told, but that could not be noted: {error}; {}", error.hint()))
                    });
                }
                Ok(Outcome::Refused { failure, retry }) => {
                    self.ledger.forget(name, &self.run).await.map_err(noted)?;
                    match pauses.next().filter(|_| retry != engine::Advice::Never) {
                        Some(pause) => tokio::time::sleep(*pause).await,
                        None => {
                            let why = format!("not sent [{}]: {}; {}", failure.code, failure.message, failure.hint);
                            return Err(Silence::Final(why));
                        }
                    }
                }
                Ok(Outcome::Unknown { failure }) => {
                    return Err(Silence::Final(format!("[{}]: {}; it is not repeated", failure.code, failure.message)));
                }
                Err(_) => return Err(Silence::Final("no answer in time; it is not repeated".to_owned())),
            }
        }
    }

    async fn call(&self, message: &Message, words: &report::StatusMessage, key: String) -> Result<Call, Silence> {
        let mut values = BTreeMap::new();
        // Before anything is filled in: no word of a run names a secret.
        for name in SecretText::names_in(&message.with) {
            let value =
                self.secrets.read(&name).await.map_err(|why| Silence::Later(format!("secret {name}: {why}")))?;
            values.insert(name, value);
        }
        let with = words.fill(&message.with).map_err(|error| Silence::Final(error.to_string()))?;
        Ok(Call {
            uses: message.uses.clone(),
            key,
            undoes: None,
            token: 1,
            with,
            secrets: SecretText::new(values),
            timeout: PATIENCE,
            cancel: CancellationToken::new(),
            log: runtime::Log::default(),
        })
    }
}

/// The pause after this one.
fn longer(pause: Option<Millis>) -> Millis {
    pause.map_or(FIRST_LOOK, |pause| pause.saturating_mul(2).min(LONGEST_LOOK))
}
