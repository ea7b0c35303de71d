//! The file `oidc.yaml` of the daemon's folder.

use std::io::ErrorKind;
use std::path::Path;

use engine::Millis;
use runbook::{Oidc, Source};

use crate::access::Role;

/// Sign-in by a provider, as the file says.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(super) file: Oidc,
    /// Groups and their roles, in the order in which they count.
    pub(super) roles: Vec<(String, Role)>,
}

impl Settings {
    /// Reads the file of a folder, if it is there; else says all that is wrong with it, with places.
    pub(crate) fn of(home: &Path) -> Result<Option<Self>, String> {
        let path = home.join("oidc.yaml");
        let name = path.display().to_string();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{name}: {error}")),
        };
        let source = Source::from_bytes(&name, &bytes).map_err(|found| format!("{name}: {}", found.message))?;
        let (file, found) = Oidc::parse(&source, &Role::ALL.map(Role::word));
        let Some(file) = file else {
            let lines = found.iter().map(|found| {
                let place = found.place();
                let (line, column, rule) = (place.line, place.column, found.code);
                let hint = found.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
                format!("{name}:{line}:{column}: {}{hint} [{rule}]", found.message)
            });
            return Err(lines.collect::<Vec<_>>().join("\n"));
        };
        let role = |word: &str| Role::ALL.into_iter().find(|role| role.word() == word);
        let roles = file.roles.iter().filter_map(|(group, word)| Some((group.clone(), role(word)?))).collect();
        Ok(Some(Self { file, roles }))
    }

    /// How long a session lasts.
    pub(super) fn lasts(&self) -> Millis {
        Millis::try_from(self.file.session_ms).unwrap_or(Millis::MAX)
    }
}
