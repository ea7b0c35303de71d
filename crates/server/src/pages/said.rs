//! What is said once something was done: on the next page of whoever did it, and to nobody else.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use engine::Millis;

use crate::access::Who;

/// How long words wait for the page that shows them.
const LASTS: Millis = 60_000;
/// Words that wait at once; the oldest go when there are too many.
const MOST: usize = 1_000;

/// Words that wait for a page. They are kept here, so that no link can put any into a page.
#[derive(Debug, Default)]
pub(crate) struct Said {
    waiting: Mutex<BTreeMap<(String, String), (Millis, String)>>,
}

impl Said {
    /// Keeps words for the next look of somebody at a run.
    pub(super) fn keep(&self, who: &Who, run: &str, words: String, now: Millis) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, (at, _)| now - *at < LASTS);
        if waiting.len() >= MOST
            && let Some(oldest) = waiting.iter().min_by_key(|(_, (at, _))| *at).map(|(key, _)| key.clone())
        {
            waiting.remove(&oldest);
        }
        waiting.insert(key(who, run), (now, words));
    }

    /// Takes the words; the next look has none.
    pub(super) fn take(&self, who: &Who, run: &str, now: Millis) -> String {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let words = waiting.remove(&key(who, run)).filter(|(at, _)| now - *at < LASTS);
        words.map(|(_, words)| words).unwrap_or_default()
    }
}

fn key(who: &Who, run: &str) -> (String, String) {
    (who.via.key().unwrap_or_default(), run.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Role, Via};

    fn who(id: &str) -> Who {
        let via = Via::Token(id.to_owned());
        Who { name: id.to_owned(), role: Role::Operator, from: [127, 0, 0, 1].into(), via }
    }

    #[test]
    fn words_are_for_who_did_it_once_and_soon() {
        let said = Said::default();
        said.keep(&who("a"), "r", "The run is paused.".to_owned(), 0);
        assert_eq!(said.take(&who("b"), "r", 1), "", "another person did nothing");
        assert_eq!(said.take(&who("a"), "q", 1), "", "another run is as it was");
        assert_eq!(said.take(&who("a"), "r", 1), "The run is paused.");
        assert_eq!(said.take(&who("a"), "r", 2), "", "once");
        said.keep(&who("a"), "r", "late".to_owned(), 0);
        assert_eq!(said.take(&who("a"), "r", LASTS), "");
        (0..2 * MOST).for_each(|run| said.keep(&who("a"), &run.to_string(), String::new(), 0));
        assert_eq!(said.waiting.lock().expect("nobody panicked").len(), MOST);
    }
}
