//! The followers of this process: one a run, for as long as somebody looks or the run is driven here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use report::Fold;
use runtime::{JournalError, RecoverError, Store};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::live::follow::{Follower, Question};
use crate::live::snapshot::Snapshot;
use crate::live::view::View;

/// Least time between two views of a run: the eye wants no more, and each goes to everybody who looks.
const BETWEEN_VIEWS: Duration = Duration::from_millis(250);
/// Time for which a follower that nobody looks at is kept: whoever looks once often looks again.
const LINGER: Duration = Duration::from_secs(60);

/// Why a run cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// There is none of that name, or its journal cannot be read.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// Its follower ended: its journal is not what this version can read, or the process stops.
    #[error("the journal of run {run} could not be followed any further")]
    Ended {
        /// The run.
        run: String,
    },
}

impl LiveError {
    /// Returns the stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Recover(RecoverError::Journal(error)) => error.code(),
            Self::Recover(_) | Self::Ended { .. } => "run.unreadable",
        }
    }

    /// Returns what a person can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Recover(RecoverError::Journal(JournalError::NoSuchRun(_))) => "look at the list of runs".to_owned(),
            Self::Recover(RecoverError::Journal(error)) => error.hint().into_owned(),
            Self::Recover(_) => "use the version that wrote the run".to_owned(),
            Self::Ended { .. } => "try again; the log of this process says what went wrong".to_owned(),
        }
    }
}

/// Hands out watches on runs.
#[derive(Clone)]
pub struct Followers {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    place: String,
    state: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    followed: BTreeMap<String, Followed>,
    /// Runs that are driven here: followed whether anybody looks or not.
    driven: BTreeSet<String>,
}

#[derive(Clone)]
struct Followed {
    views: watch::Receiver<Arc<View>>,
    wake: Arc<Notify>,
    questions: mpsc::UnboundedSender<Question>,
}

/// A look at a run that goes on: the newest view, and questions to the fold behind it.
#[derive(Clone, Debug)]
pub struct Watch {
    run: String,
    views: watch::Receiver<Arc<View>>,
    wake: Arc<Notify>,
    questions: mpsc::UnboundedSender<Question>,
}

impl std::fmt::Debug for Followers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Followers").field("followed", &self.table().followed.len()).finish_non_exhaustive()
    }
}

impl Followers {
    /// Follows nothing yet. `place` is shown as where runs are recorded.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, place: &str) -> Self {
        Self { shared: Arc::new(Shared { store, place: place.to_owned(), state: Mutex::default() }) }
    }

    /// Looks at a run; the first to look starts its follower.
    ///
    /// # Errors
    /// If there is no such run, or its journal cannot be read.
    ///
    /// # Cancel safety
    /// May be dropped at any await.
    pub async fn watch(&self, run: &str) -> Result<Watch, LiveError> {
        if let Some(watch) = self.known(run) {
            return Ok(watch);
        }
        let follower = Follower::open(self.shared.store.clone(), run, &self.shared.place).await?;
        Ok(self.start(run, follower))
    }

    /// Views of runs that are followed now, those that are driven here first, without starting to follow any.
    #[must_use]
    pub fn views(&self) -> Vec<Arc<View>> {
        let table = self.table();
        let mut followed: Vec<_> = table.followed.iter().collect();
        followed.sort_by_key(|(run, _)| !table.driven.contains(*run));
        followed.into_iter().map(|(_, followed)| followed.views.borrow().clone()).collect()
    }

    /// The journal of a run has grown: its follower looks at once. Nothing if nobody follows it.
    pub fn nudge(&self, run: &str) {
        if let Some(followed) = self.table().followed.get(run) {
            followed.wake.notify_one();
        }
    }

    /// Says whether a run is driven here.
    pub(crate) fn driven(&self, run: &str, driven: bool) {
        let mut table = self.table();
        if driven {
            table.driven.insert(run.to_owned());
        } else {
            table.driven.remove(run);
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // What is kept is never half changed.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, run: &str) -> Option<Watch> {
        self.table().followed.get(run).map(|followed| followed.watch(run))
    }

    /// Starts a follower, unless another was quicker.
    fn start(&self, run: &str, follower: Follower) -> Watch {
        let mut table = self.table();
        if let Some(followed) = table.followed.get(run) {
            return followed.watch(run);
        }
        let (publish, views) = watch::channel(follower.first());
        let (ask, questions) = mpsc::unbounded_channel();
        let followed = Followed { views, wake: Arc::new(Notify::new()), questions: ask };
        let watch = followed.watch(run);
        let wake = followed.wake.clone();
        table.followed.insert(run.to_owned(), followed);
        drop(table);
        let (name, followers) = (run.to_owned(), self.clone());
        tokio::spawn(async move {
            let mut unseen_since = None;
            let leave = |_: &Snapshot| followers.leaves(&name, &mut unseen_since);
            let followed = follower.asked(questions).paced(BETWEEN_VIEWS).follow(publish, wake, leave).await;
            if let Err(error) = followed {
                tracing::error!(run = name, error = &error as &dyn std::error::Error, "a run cannot be followed");
                followers.table().followed.remove(&name);
            }
        });
        watch
    }

    /// Takes a follower out of the table if nobody has looked for a while: nobody can join it then.
    fn leaves(&self, run: &str, unseen_since: &mut Option<Instant>) -> bool {
        let mut table = self.table();
        let Some(followed) = table.followed.get(run) else { return true };
        // One receiver is the table's own; it is handed out under the same lock.
        if followed.views_seen() || table.driven.contains(run) {
            *unseen_since = None;
            return false;
        }
        let since = *unseen_since.get_or_insert_with(Instant::now);
        let leaves = since.elapsed() >= LINGER;
        if leaves {
            table.followed.remove(run);
        }
        leaves
    }
}

impl Followed {
    fn watch(&self, run: &str) -> Watch {
        Watch {
            run: run.to_owned(),
            views: self.views.clone(),
            wake: self.wake.clone(),
            questions: self.questions.clone(),
        }
    }

    /// Whether anybody but the table looks.
    fn views_seen(&self) -> bool {
        self.questions.strong_count() > 1
    }
}

impl Watch {
    /// Name of the run.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.run
    }

    /// The newest view.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.views.borrow().clone()
    }

    /// Has [`Watch::next`] give the present view first, as if it had not been seen.
    pub fn unseen(&mut self) {
        self.views.mark_changed();
    }

    /// Waits for a view that was not seen with this watch, and gives the newest. `None` if none will come any more.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Arc<View>> {
        self.views.changed().await.ok()?;
        Some(self.views.borrow_and_update().clone())
    }

    /// Waits until the journal has been read to its end once, and gives the view of that.
    ///
    /// # Errors
    /// If the follower ended.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn caught_up(&mut self) -> Result<Arc<View>, LiveError> {
        let ended = || LiveError::Ended { run: self.run.clone() };
        let view = self.views.wait_for(|view| view.snapshot.reading.is_none()).await;
        view.map(|view| view.clone()).map_err(|_| ended())
    }

    /// The run as its journal has it now, or as of a moment ago: views are made a few times a second at most.
    ///
    /// # Errors
    /// If the follower ended.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn fresh(&mut self) -> Result<Arc<View>, LiveError> {
        let (tell, told) = oneshot::channel();
        if self.questions.send(Question::View(tell)).is_ok() {
            let _ = told.await;
        }
        self.caught_up().await
    }

    /// Asks the fold of the run, at the journal's newest end that is known; answered between two pages of the journal.
    /// `answer` should take milliseconds: everybody who looks at the run waits for it. What takes longer works on a clone of
    /// the fold ([`Watch::fold`]).
    ///
    /// # Errors
    /// If the follower ended.
    ///
    /// # Cancel safety
    /// Dropping the future throws the answer away.
    pub async fn ask<T: Send + 'static>(
        &self,
        answer: impl FnOnce(&Fold) -> T + Send + 'static,
    ) -> Result<T, LiveError> {
        let ended = || LiveError::Ended { run: self.run.clone() };
        let (tell, told) = oneshot::channel();
        let question = Question::Fold(Box::new(move |fold| {
            let _ = tell.send(answer(fold));
        }));
        self.questions.send(question).map_err(|_| ended())?;
        told.await.map_err(|_| ended())
    }

    /// A copy of the fold, for work that takes long, such as a report.
    ///
    /// # Errors
    /// If the follower ended.
    ///
    /// # Cancel safety
    /// Dropping the future throws the copy away.
    pub async fn fold(&self) -> Result<Fold, LiveError> {
        self.ask(Fold::clone).await
    }

    /// Has the follower look at the journal at once.
    pub fn nudge(&self) {
        self.wake.notify_one();
    }
}
