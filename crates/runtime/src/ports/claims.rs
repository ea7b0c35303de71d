//! The port to who is at work on what: which of the many things that wait for people somebody is looking at just now.
//!
//! Claims are true of people, never of sites: nothing of a run goes by them, and they are not in its journal.

use std::collections::VecDeque;

use async_trait::async_trait;
use engine::Millis;
use serde::{Deserialize, Serialize};

use super::JournalError;

/// Keeps claims. One suite runs on every implementation; time is the store's, as for leases.
///
/// # Cancel safety
/// Dropping the future of a change leaves it open whether the change was made; nothing is ever half made.
#[async_trait]
pub trait Claims: Send + Sync {
    /// Sets whose a subject is if it is `expected`'s now: claims, renews, hands over, takes over and gives back. `None` is
    /// nobody, whom a claim that has expired belongs to; `to` without a time gives it back and keeps its notes, no `to`
    /// forgets it. Durable on return. `false`, and nothing is changed, if it is somebody else's.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or the store's trouble.
    async fn set_claim(
        &self,
        run: &str,
        subject: &str,
        expected: Option<&str>,
        to: Option<&ToClaim>,
    ) -> Result<bool, JournalError>;

    /// Returns all claims of a run, those that have expired among them, by the bytes of their subjects.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or the store's trouble.
    async fn claims(&self, run: &str) -> Result<Vec<WorkClaim>, JournalError>;
}

/// What a claim is to become.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToClaim {
    /// Whose it is to be.
    pub who: String,
    /// For how long, in milliseconds.
    pub ttl_ms: u64,
    /// A note for whoever comes next, and who writes it.
    pub note: Option<(String, String)>,
}

/// A claim as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkClaim {
    /// What is claimed, as verbs take it.
    pub subject: String,
    /// Whose it is, or was last.
    pub who: String,
    /// Since when without a break.
    pub since: Millis,
    /// Until when: from then on it is nobody's.
    pub until: Millis,
    /// What was noted by those who had it, the oldest first.
    pub notes: VecDeque<ClaimNote>,
}

/// What one person left for the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimNote {
    /// Who.
    pub who: String,
    /// When.
    pub at: Millis,
    /// What.
    pub text: String,
}

/// Notes of a claim that are kept; the oldest go.
pub const NOTES_KEPT: usize = 50;

impl WorkClaim {
    /// Whose it is at a time; nobody's once it has expired.
    #[must_use]
    pub fn holder(&self, now: Millis) -> Option<&str> {
        (now < self.until).then_some(&*self.who)
    }

    /// The one rule of claims, for every store: what becomes of one, or `None` if it is not the one expected.
    #[must_use]
    pub fn set(
        before: Option<Self>,
        subject: &str,
        expected: Option<&str>,
        to: Option<&ToClaim>,
        now: Millis,
    ) -> Option<Option<Self>> {
        if before.as_ref().and_then(|claim| claim.holder(now)) != expected {
            return None;
        }
        let Some(to) = to else { return Some(None) };
        let since =
            before.as_ref().filter(|claim| claim.holder(now) == Some(&*to.who)).map_or(now, |claim| claim.since);
        let mut notes = before.map(|claim| claim.notes).unwrap_or_default();
        notes.extend(to.note.iter().map(|(who, text)| ClaimNote { who: who.clone(), at: now, text: text.clone() }));
        while notes.len() > NOTES_KEPT {
            notes.pop_front();
        }
        let until = now.saturating_add(Millis::try_from(to.ttl_ms).unwrap_or(Millis::MAX));
        Some(Some(Self { subject: subject.to_owned(), who: to.who.clone(), since, until, notes }))
    }
}
