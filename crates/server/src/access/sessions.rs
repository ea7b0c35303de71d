//! Sessions of browsers: a random name in a cookie, everything else here. They end with this process.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use engine::Millis;

use crate::access::random;

/// Name of the cookie.
pub(crate) const COOKIE: &str = "reinstate_session";
/// How long a session lasts: a shift.
pub(crate) const LASTS: Millis = 12 * 3_600_000;
/// Sessions at once; the oldest ends when there is one too many.
const MOST: usize = 10_000;

/// The open sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// By the hash of the name: a look-up gives nothing away of names that are near.
    open: Mutex<BTreeMap<[u8; 32], Session>>,
}

#[derive(Clone, Debug)]
struct Session {
    token: String,
    expires_at: Millis,
}

impl Sessions {
    /// Opens a session for a token, by its ID; gives its name. `None` if the system gives no random bits.
    pub(crate) fn open(&self, token: &str, token_expires_at: Millis, now: Millis) -> Option<String> {
        let name = random::secret()?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, session| session.expires_at > now);
        if open.len() >= MOST
            && let Some(oldest) = open.iter().min_by_key(|(_, session)| session.expires_at).map(|(name, _)| *name)
        {
            open.remove(&oldest);
        }
        let expires_at = token_expires_at.min(now + LASTS);
        open.insert(hash(&name), Session { token: token.to_owned(), expires_at });
        Some(name)
    }

    /// The ID of the token that opened a session; `None` if there is no such session any more.
    pub(crate) fn token_of(&self, name: &str, now: Millis) -> Option<String> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&hash(name)).filter(|session| session.expires_at > now).map(|session| session.token.clone())
    }

    /// Ends a session.
    pub(crate) fn close(&self, name: &str) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(name));
    }
}

fn hash(name: &str) -> [u8; 32] {
    *blake3::hash(name.as_bytes()).as_bytes()
}
