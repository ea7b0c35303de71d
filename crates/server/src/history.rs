//! The events of a run, as they lie in its journal: all of them, or those of a site or a step.

use std::collections::VecDeque;

use engine::{Record, Run};
use runtime::Store;

use crate::verbs::{VerbError, subject};

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// Only those of this site, what it shares with others among them.
    pub site: Option<String>,
    /// Only those of this step.
    pub step: Option<String>,
    /// Only the newest so many.
    pub newest: Option<usize>,
}

impl Chosen {
    /// Reads the whole journal and tells the events that are wanted, oldest first; `tell` sees each with the run as it was
    /// before it, and whether it settles an undo. Seconds of a processor for a large run.
    ///
    /// # Errors
    /// If the run has no such site or step, or its journal cannot be read.
    pub async fn read<T>(
        &self,
        store: &dyn Store,
        name: &str,
        tell: impl Fn(&Run, &Record, bool) -> T,
    ) -> Result<VecDeque<T>, VerbError> {
        let most = self.newest.unwrap_or(usize::MAX);
        let mut kept = VecDeque::new();
        let recovered = runtime::recover(store, name, |run, record| {
            if self.wants(run, record) {
                kept.push_back(tell(run, record, report::settles_undo(run, &record.event)));
                if kept.len() > most {
                    kept.pop_front();
                }
            }
        })
        .await?;
        // A name that the run does not have must not look like "nothing happened".
        self.site.iter().try_for_each(|id| subject::site(&recovered.run, id).map(drop))?;
        self.step.iter().try_for_each(|name| subject::step(&recovered.run, name).map(drop))?;
        Ok(kept)
    }

    fn wants(&self, run: &Run, record: &Record) -> bool {
        let by_site = |site: &String| report::is_about(run, &record.event, site);
        let by_step = |step: &String| {
            let subject = report::event_subject(run, &record.event);
            subject.is_some_and(|subject| subject.split('/').next() == Some(step.as_str()))
        };
        self.site.as_ref().is_none_or(by_site) && self.step.as_ref().is_none_or(by_step)
    }
}
