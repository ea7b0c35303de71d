//! Who has signed in under which name: `people.json` in the daemon's folder.
//!
//! Approvals and the second-person rule go by names, and at many providers people can change theirs. Here a name stays with
//! who had it first, and who had one keeps it: nobody launches under one name and approves under another.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::access::oidc::OidcError;
use crate::access::{Person, kept};

const FORMAT: u32 = 1;

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    format: u32,
    people: Vec<Known>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    name: String,
    issuer: String,
    subject: String,
}

/// The people of a home.
#[derive(Debug)]
pub(super) struct People {
    path: PathBuf,
    changing: Mutex<()>,
}

impl People {
    /// The people in a folder; the file need not be there yet.
    pub(super) fn of(home: &Path) -> Self {
        Self { path: home.join("people.json"), changing: Mutex::default() }
    }

    /// Keeps that somebody has this name; durable on return. Refuses a name that is somebody else's, and another name for
    /// who has one.
    pub(super) fn know(&self, person: &Person) -> Result<(), OidcError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = |why: String| OidcError::People { path: self.path.display().to_string(), why };
        let failed = |error: std::io::Error| trouble(error.to_string());
        let _held = kept::hold(&self.path).map_err(failed)?;
        let mut kept = match kept::read(&self.path).map_err(failed)? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| trouble(error.to_string()))?,
            None => Kept { format: FORMAT, people: Vec::new() },
        };
        if kept.format != FORMAT {
            return Err(trouble("another version of reinstate wrote it".to_owned()));
        }
        let same = |known: &&Known| known.issuer == person.issuer && known.subject == person.subject;
        if let Some(known) = kept.people.iter().find(same) {
            let (was, now) = (known.name.clone(), person.name.clone());
            return if was == now { Ok(()) } else { Err(OidcError::Renamed { was, now }) };
        }
        if kept.people.iter().any(|known| engine::reads_like(&known.name, &person.name)) {
            return Err(OidcError::Taken(person.name.clone()));
        }
        let (name, issuer, subject) = (person.name.clone(), person.issuer.clone(), person.subject.clone());
        kept.people.push(Known { name, issuer, subject });
        let text = serde_json::to_vec_pretty(&kept).map_err(|error| trouble(error.to_string()))?;
        kept::replace(&self.path, &text).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;

    fn person(name: &str, subject: &str) -> Person {
        let (name, issuer) = (name.to_owned(), "https://a.example".to_owned());
        Person { name, role: Role::Operator, issuer, subject: subject.to_owned() }
    }

    #[test]
    fn a_name_stays_with_who_had_it_first_across_processes() {
        let home = std::env::temp_dir().join(format!("reinstate-people-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&home);
        People::of(&home).know(&person("ben", "1")).expect("a new person");
        let people = People::of(&home);
        people.know(&person("ben", "1")).expect("the same person");
        let code = |name, subject| people.know(&person(name, subject)).expect_err("it is refused").code();
        assert_eq!(code("ben", "2"), "oidc-name-taken");
        assert_eq!(code("BEN", "2"), "oidc-name-taken", "it reads like it");
        assert_eq!(code("eve", "1"), "oidc-renamed");
        std::fs::write(home.join("people.json"), "{}").expect("our own folder");
        assert_eq!(code("ben", "1"), "oidc-people", "a file that cannot be read lets nobody in");
        std::fs::remove_dir_all(&home).expect("our own folder");
    }
}
