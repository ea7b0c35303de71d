//! What the provider said of itself, and whether that still does.

use std::sync::Arc;
use std::time::Duration;

use openidconnect::core::CoreProviderMetadata;
use tokio::time::Instant;

/// How long what a provider says of itself is taken for true; keys that are not known are asked for at once.
const KNOWN: Duration = Duration::from_secs(3_600);
/// How long it does while the provider cannot be asked.
const STANDS: Duration = Duration::from_secs(24 * 3_600);
/// How long a provider that could not be asked is left alone, if what it said before does.
const ALONE: Duration = Duration::from_secs(30);

/// What the provider said of itself, and what came of the last question.
#[derive(Debug)]
pub(super) struct Seen<T = CoreProviderMetadata> {
    found: Option<(Instant, Arc<T>)>,
    failed: Option<(Instant, String)>,
}

/// What whoever wants to know gets without a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<T = CoreProviderMetadata> {
    /// This.
    Found(Arc<T>),
    /// Somebody else has just asked, in vain.
    Failed(String),
    /// Nothing: the provider has to be asked.
    Ask,
}

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self { found: None, failed: None }
    }
}

impl<T> Seen<T> {
    /// What is known at `now` to somebody who wanted to know at `asked`, and takes nothing that was said before `since`.
    pub(super) fn answer(&self, asked: Instant, since: Option<Instant>, now: Instant) -> Answer<T> {
        if let Some((at, found)) = &self.found
            && now.duration_since(*at) < KNOWN
            && since.is_none_or(|since| *at > since)
        {
            return Answer::Found(found.clone());
        }
        let Some((at, why)) = &self.failed else { return Answer::Ask };
        match self.standing(since, now) {
            Some(found) if *at > asked || now.duration_since(*at) < ALONE => Answer::Found(found),
            _ if *at > asked => Answer::Failed(why.clone()),
            _ => Answer::Ask,
        }
    }

    /// Keeps what the provider has answered.
    pub(super) fn answered(&mut self, found: Arc<T>, now: Instant) {
        *self = Self { found: Some((now, found)), failed: None };
    }

    /// Keeps that it has not; gives what does all the same: what was true today does for where the browser is sent to, and
    /// for keys that were known then.
    pub(super) fn failed(&mut self, why: String, since: Option<Instant>, now: Instant) -> Option<Arc<T>> {
        self.failed = Some((now, why));
        self.standing(since, now)
    }

    fn standing(&self, since: Option<Instant>, now: Instant) -> Option<Arc<T>> {
        let (at, found) = self.found.as_ref()?;
        (since.is_none() && now.duration_since(*at) < STANDS).then(|| found.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_a_provider_said_before_does_for_a_day_while_it_is_away() {
        let (mut seen, begun) = (Seen::<u8>::default(), Instant::now());
        assert_eq!(seen.answer(begun, None, begun), Answer::Ask);
        seen.answered(Arc::new(1), begun);
        let found = || Answer::Found(Arc::new(1));
        assert_eq!(seen.answer(begun, None, begun + SECOND), found());
        let later = begun + KNOWN;
        assert_eq!(seen.answer(later, None, later), Answer::Ask, "it is old");
        assert_eq!(seen.failed("away".to_owned(), None, later + SECOND), Some(Arc::new(1)));
        assert_eq!(seen.answer(later, None, later + SECOND), found(), "whoever waited meanwhile is let on, too");
        let next = later + SECOND * 2;
        assert_eq!(seen.answer(next, None, next), found(), "and whoever comes soon does not ask again");
        let after = later + SECOND + ALONE;
        assert_eq!(seen.answer(after, None, after), Answer::Ask);
        let day = begun + STANDS;
        assert_eq!(seen.failed("away".to_owned(), None, day), None, "keys of yesterday are believed no more");
        assert_eq!(seen.answer(day - SECOND, None, day + SECOND), Answer::Failed("away".to_owned()));
        assert_eq!(seen.answer(day + SECOND, None, day + SECOND), Answer::Ask, "it is asked as soon as somebody wants");
    }

    #[test]
    fn what_was_said_before_does_not_do_for_a_key_that_is_not_known() {
        let (mut seen, begun) = (Seen::<u8>::default(), Instant::now());
        seen.answered(Arc::new(1), begun);
        let since = begun + SECOND;
        assert_eq!(seen.answer(since, Some(since), since), Answer::Ask);
        assert_eq!(seen.failed("away".to_owned(), Some(since), since + SECOND), None);
        assert_eq!(seen.answer(since, Some(since), since + SECOND), Answer::Failed("away".to_owned()));
    }
}
