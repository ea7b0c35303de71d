//! Sign-ins that were begun and have not come back: each for one browser, once, and for a while.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use engine::Millis;
use openidconnect::{Nonce, PkceCodeVerifier};

/// Time that somebody has to type a password and a second factor.
pub(crate) const LASTS: Millis = 10 * 60_000;
/// Sign-ins at once; the oldest is forgotten when there is one too many.
const MOST: usize = 10_000;

/// What was begun, by the hash of its state.
#[derive(Debug, Default)]
pub(super) struct Begun {
    waiting: Mutex<BTreeMap<[u8; 32], One>>,
}

/// One sign-in on its way.
#[derive(Debug)]
pub(super) struct One {
    /// Hash of what the browser that began it holds in a cookie.
    pub(super) browser: blake3::Hash,
    /// What the ID token must hold.
    pub(super) nonce: Nonce,
    /// What shows the provider that who comes with the code is who asked for it.
    pub(super) verifier: PkceCodeVerifier,
    /// Where the person wants to go.
    pub(super) to: String,
    pub(super) until: Millis,
}

impl Begun {
    pub(super) fn keep(&self, state: &str, one: One, now: Millis) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, one| one.until > now);
        if waiting.len() >= MOST
            && let Some(oldest) = waiting.iter().min_by_key(|(_, one)| one.until).map(|(state, _)| *state)
        {
            waiting.remove(&oldest);
        }
        waiting.insert(*blake3::hash(state.as_bytes()).as_bytes(), one);
    }

    /// Takes what this browser began; whoever comes from another leaves it as it is.
    pub(super) fn take(&self, state: &str, browser: &str, now: Millis) -> Option<One> {
        let (state, browser) = (*blake3::hash(state.as_bytes()).as_bytes(), blake3::hash(browser.as_bytes()));
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Hashes of this kind are compared in constant time.
        waiting.get(&state).filter(|one| one.browser == browser)?;
        waiting.remove(&state).filter(|one| one.until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(browser: &str, until: Millis) -> One {
        let (nonce, verifier) = (Nonce::new(String::new()), PkceCodeVerifier::new(String::new()));
        One { browser: blake3::hash(browser.as_bytes()), nonce, verifier, to: String::new(), until }
    }

    #[test]
    fn a_sign_in_comes_back_once_in_time_and_to_its_browser() {
        let begun = Begun::default();
        begun.keep("s", one("b", 10), 0);
        assert!(begun.take("s", "another", 1).is_none() && begun.take("t", "b", 1).is_none());
        assert!(begun.take("s", "b", 1).is_some(), "a stranger did not spoil it");
        assert!(begun.take("s", "b", 1).is_none(), "once");
        begun.keep("s", one("b", 10), 0);
        assert!(begun.take("s", "b", 10).is_none(), "too late");
        (0..MOST as Millis + 500).for_each(|at| begun.keep(&at.to_string(), one("b", at + 1), 0));
        assert_eq!(begun.waiting.lock().expect("nobody panicked").len(), MOST);
    }
}
