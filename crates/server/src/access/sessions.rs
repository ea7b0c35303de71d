//! Sessions of browsers: a random name in a cookie, everything else here. They end with this process.
//!
//! A session is the same thing whoever opened it; what differs is whom to ask who that is and whether they still may.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use engine::Millis;

use crate::access::{Role, random};

/// Name of the cookie.
pub(crate) const COOKIE: &str = "reinstate_session";
/// How long a session that a token opened lasts: a shift.
pub(crate) const LASTS: Millis = 12 * 3_600_000;
/// Sessions at once; the oldest ends when there is one too many.
const MOST: usize = 10_000;
/// Sessions at once of one person; their own oldest ends, so that nobody ends those of others.
const MOST_OF_ONE: usize = 20;

/// The open sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// By the hash of the name: a look-up gives nothing away of names that are near.
    open: Mutex<BTreeMap<[u8; 32], (Opener, Millis)>>,
}

/// A session as the guard found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    key: [u8; 32],
    /// Who opened it.
    pub opener: Opener,
}

/// Who opened a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opener {
    /// Whoever had this token, by its ID: the session is good while the token is.
    Token(String),
    /// Somebody whom a provider of identities vouched for.
    Person(Arc<Person>),
}

/// Somebody whom a provider of identities vouched for, as they were when they signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Name; it stands in the journal and in the audit log, and approvals go by it.
    pub name: String,
    /// Role, by their groups.
    pub role: Role,
    /// The provider.
    pub issuer: String,
    /// Who they are to the provider; never given to anybody else.
    pub subject: String,
}

impl Sessions {
    /// Opens a session; gives its name. `None` if the system gives no random bits.
    pub(crate) fn open(&self, opener: Opener, until: Millis, now: Millis) -> Option<String> {
        let name = random::secret()?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, (_, until)| *until > now);
        let key = opener.key();
        let own = open.iter().filter(|(_, (opener, _))| opener.key() == key);
        let (own, oldest_own) = (own.clone().count(), own.min_by_key(|(_, (_, until))| *until).map(|(name, _)| *name));
        let oldest = || open.iter().min_by_key(|(_, (_, until))| *until).map(|(name, _)| *name);
        let over = if own >= MOST_OF_ONE { oldest_own } else { (open.len() >= MOST).then(oldest).flatten() };
        if let Some(over) = over {
            open.remove(&over);
        }
        open.insert(hash(&name), (opener, until));
        Some(name)
    }

    /// The session of a name; `None` if there is no such session any more.
    pub(crate) fn find(&self, name: &str, now: Millis) -> Option<Session> {
        let key = hash(name);
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&key).filter(|(_, until)| *until > now).map(|(opener, _)| Session { key, opener: opener.clone() })
    }

    /// Whether a session that was found is still open.
    pub(crate) fn is_open(&self, session: &Session, now: Millis) -> bool {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&session.key).is_some_and(|(_, until)| *until > now)
    }

    /// Ends a session that was found.
    pub(crate) fn close(&self, session: &Session) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&session.key);
    }
}

impl Opener {
    /// What is the same for all sessions of somebody, and for nobody else.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Token(id) => id.clone(),
            Self::Person(person) => format!("{} {}", person.issuer, person.subject),
        }
    }
}

fn hash(name: &str) -> [u8; 32] {
    *blake3::hash(name.as_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_opens_one_session_after_another_ends_their_own_oldest_and_nobody_elses() {
        let sessions = Sessions::default();
        let open = |of: &str, until| sessions.open(Opener::Token(of.to_owned()), until, 0).expect("random bits");
        let other = open("b", 1);
        let own: Vec<String> = (0..MOST as Millis + 500).map(|at| open("a", 10 + at)).collect();
        assert!(sessions.find(&other, 0).is_some());
        let left = own.iter().filter(|name| sessions.find(name, 0).is_some()).count();
        assert_eq!(left, MOST_OF_ONE);
        assert!(own.iter().rev().take(MOST_OF_ONE).all(|name| sessions.find(name, 0).is_some()), "the newest");
    }

    #[test]
    fn a_session_ends_by_itself_or_when_it_is_closed() {
        let sessions = Sessions::default();
        let name = sessions.open(Opener::Token("a".to_owned()), 10, 0).expect("random bits");
        let found = sessions.find(&name, 9).expect("it is open");
        assert!(sessions.is_open(&found, 9) && !sessions.is_open(&found, 10));
        assert!(sessions.find(&name, 10).is_none() && sessions.find("another", 0).is_none());
        sessions.close(&found);
        assert!(!sessions.is_open(&found, 9), "whoever follows a run with it is told, too");
    }
}
