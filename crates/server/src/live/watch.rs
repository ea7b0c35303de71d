//! A look at a run: what a follower hands out, and why there may be none.

use std::sync::Arc;

use report::Fold;
use runtime::{JournalError, RecoverError};
use tokio::sync::{mpsc, oneshot, watch};

use crate::live::follow::Question;
use crate::live::view::View;

/// Why a run cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LiveError {
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
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Recover(RecoverError::Journal(error)) => error.code(),
            Self::Recover(_) | Self::Ended { .. } => "run.unreadable",
        }
    }

    /// Returns what a person can do about it.
    #[must_use]
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Recover(RecoverError::Journal(JournalError::NoSuchRun(_))) => "look at the list of runs".to_owned(),
            Self::Recover(RecoverError::Journal(error)) => error.hint().into_owned(),
            Self::Recover(_) => "use the version that wrote the run".to_owned(),
            Self::Ended { .. } => "try again; the log of this process says what went wrong".to_owned(),
        }
    }
}

/// A look at a run that goes on: the newest view, and questions to the fold behind it.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    pub(super) run: String,
    pub(super) views: watch::Receiver<Arc<View>>,
    pub(super) questions: mpsc::UnboundedSender<Question>,
}

impl Watch {
    /// Name of the run.
    #[must_use]
    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    /// The newest view.
    #[must_use]
    pub(crate) fn view(&self) -> Arc<View> {
        self.views.borrow().clone()
    }

    /// Has [`Watch::next`] give the present view first, as if it had not been seen.
    pub(crate) fn unseen(&mut self) {
        self.views.mark_changed();
    }

    /// Waits for a view that was not seen with this watch, and gives the newest. `None` if none will come any more.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Arc<View>> {
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
    pub(crate) async fn caught_up(&mut self) -> Result<Arc<View>, LiveError> {
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
    pub(crate) async fn fresh(&mut self) -> Result<Arc<View>, LiveError> {
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
    pub(crate) async fn ask<T: Send + 'static>(
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
    pub(crate) async fn fold(&self) -> Result<Fold, LiveError> {
        self.ask(Fold::clone).await
    }
}
