//! Addresses of stores, as people write them after `--store`.

use std::path::PathBuf;
use std::str::FromStr;

use runtime::JournalError;

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `sqlite:PATH` or `sqlite://PATH`: a file.
    Sqlite(PathBuf),
    /// `postgres://...` or `postgresql://...`: recognised, not yet opened. May hold a password: never shown.
    Postgres(String),
}

impl FromStr for Address {
    type Err = JournalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((kind, rest)) = text.split_once(':') else {
            return Err(JournalError::Unsupported(format!("`{text}` (no kind before a colon)")));
        };
        match kind {
            "sqlite" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() || path.contains(":memory:") {
                    return Err(JournalError::Unsupported(format!("`{text}` (no path of a file)")));
                }
                Ok(Self::Sqlite(PathBuf::from(path)))
            }
            "postgres" | "postgresql" => Ok(Self::Postgres(text.to_owned())),
            // The rest may hold a password.
            other => Err(JournalError::Unsupported(format!("an address of kind `{other}:`"))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn both_forms_of_a_path() {
        for (text, path) in [("sqlite:a/b.db", "a/b.db"), ("sqlite:///x.db", "/x.db"), ("sqlite:/x y?.db", "/x y?.db")]
        {
            assert_eq!(text.parse::<Address>().unwrap(), Address::Sqlite(PathBuf::from(path)));
        }
    }

    #[test]
    fn others_are_refused_without_their_password() {
        for text in ["runs.db", "sqlite:", "sqlite::memory:", "mysql://u:secret@h/db"] {
            let refused = text.parse::<Address>().unwrap_err();
            assert_eq!(refused.code(), "journal-unsupported", "{text}");
            assert!(!refused.to_string().contains("secret"));
        }
    }
}
