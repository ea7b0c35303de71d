//! The list of whom to tell, kept outside the product: the deletion of 2022 took the contacts along.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::email::is_address;
use crate::answer::Trouble;

/// Largest file that is read.
const BYTES: u64 = 64 * 1024 * 1024;

/// Whom to tell of a site, in which language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contact {
    pub(super) email: String,
    /// As the list writes it, such as `de`; `None` for the message's own.
    pub(super) language: Option<String>,
}

/// A list as read.
pub(super) struct List {
    by_site: HashMap<String, Vec<Contact>>,
    /// Number of contacts.
    pub(super) len: usize,
}

impl List {
    /// Contacts of a site.
    pub(super) fn of(&self, site: &str) -> &[Contact] {
        self.by_site.get(site).map_or(&[], Vec::as_slice)
    }

    /// Number of sites with a contact.
    pub(super) fn sites(&self) -> usize {
        self.by_site.len()
    }

    /// Reads a list: columns `site`, `email` and, if there is one, `language`, in any order; others are not looked at.
    fn parse(text: &str) -> Result<Self, String> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let headers = reader.headers().map_err(|error| error.to_string())?.clone();
        let column = |name: &str| headers.iter().position(|header| header.trim_start_matches('\u{feff}') == name);
        let (Some(site), Some(email)) = (column("site"), column("email")) else {
            return Err("its first line does not name the columns `site` and `email`".to_owned());
        };
        let language = column("language");
        let mut list = Self { by_site: HashMap::new(), len: 0 };
        for record in reader.records() {
            let record = record.map_err(|error| error.to_string())?;
            let line = record.position().map_or(0, csv::Position::line);
            let field = |column: usize| record.get(column).unwrap_or_default();
            let (site, email) = (field(site), field(email));
            if site.is_empty() {
                return Err(format!("line {line} names no site"));
            }
            if !is_address(email) {
                return Err(format!("line {line}: the e-mail of site {site} is no address"));
            }
            let language = language.map(field).filter(|language| !language.is_empty()).map(str::to_owned);
            let contacts = list.by_site.entry(site.to_owned()).or_default();
            // Named twice, told once.
            if !contacts.iter().any(|known| known.email.eq_ignore_ascii_case(email)) {
                contacts.push(Contact { email: email.to_owned(), language });
                list.len += 1;
            }
        }
        Ok(list)
    }
}

/// What tells one state of a file from another.
type Stamp = (Option<SystemTime>, u64);

/// Lists that were read, by file: each is read again only when it has changed.
#[derive(Default)]
pub(super) struct Lists {
    read: Mutex<HashMap<PathBuf, (Stamp, Arc<List>)>>,
}

impl Lists {
    /// The list of a file.
    pub(super) async fn get(&self, path: &str) -> Result<Arc<List>, Trouble> {
        let failed = |why: String| {
            Trouble::never("notify.contacts", format!("{path}: {why}"))
                .hint("the list is CSV with the columns site, email and, if wished, language")
        };
        let data = tokio::fs::metadata(path).await.map_err(|error| failed(error.to_string()))?;
        if data.len() > BYTES {
            return Err(failed(format!("more than {BYTES} bytes")));
        }
        let stamp = (data.modified().ok(), data.len());
        if let Some((known, list)) = self.lock().get(Path::new(path))
            && *known == stamp
        {
            return Ok(Arc::clone(list));
        }
        let text = tokio::fs::read_to_string(path).await.map_err(|error| failed(error.to_string()))?;
        let list = Arc::new(List::parse(&text).map_err(failed)?);
        self.lock().insert(PathBuf::from(path), (stamp, Arc::clone(&list)));
        Ok(list)
    }

    /// A panic elsewhere leaves the map whole.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, (Stamp, Arc<List>)>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Contact, List};

    #[test]
    fn lists_are_read_by_the_names_of_their_columns() {
        let list = List::parse(
            "\u{feff}name,language,email,site\nAda,de,ada@a.example,s1\n,, A.b@c.example ,s1\n,,ADA@a.example,s1\n",
        );
        let of = |site: &str| list.as_ref().map(|list| list.of(site).to_vec());
        let contact = |email: &str, language: Option<&str>| Contact {
            email: email.to_owned(),
            language: language.map(str::to_owned),
        };
        assert_eq!(of("s1"), Ok(vec![contact("ada@a.example", Some("de")), contact("A.b@c.example", None)]));
        assert_eq!(of("s2"), Ok(Vec::new()));
        for bad in ["site,mail\n", "site,email\n,a@b.example\n", "site,email\ns1,nobody\n", "site,email\ns1\n"] {
            assert!(List::parse(bad).is_err(), "{bad:?}");
        }
    }
}
