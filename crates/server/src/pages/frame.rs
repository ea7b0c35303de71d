//! What is around every page: where one can go, who one is, and what one may do.

use crate::access::{Permission, Via, Who};
use crate::pages::assets;

/// The frame of a page.
pub(super) struct Frame {
    pub(super) version: &'static str,
    /// The place that is shown as the one that one is at.
    pub(super) at: &'static str,
    pub(super) who: Option<Who>,
    /// Whether there is a session to end.
    pub(super) signed_in: bool,
    /// Classes that show what the role may do; the guard decides, whatever is shown.
    pub(super) may: String,
}

const PLACES: [(&str, &str, Permission); 6] = [
    ("Runs", "/runs", Permission::See),
    ("Decisions", "/queue", Permission::See),
    ("Launch", "/launch", Permission::Operate),
    ("Drills", "/drills", Permission::See),
    ("Guide", "/guide", Permission::See),
    ("Audit", "/audit", Permission::Administer),
];

impl Frame {
    pub(super) fn of(who: &Who, at: &'static str) -> Self {
        let classes = [
            (Permission::Operate, "may-operate"),
            (Permission::Decide, "may-decide"),
            (Permission::Validate, "may-validate"),
            (Permission::Administer, "may-administer"),
        ];
        let may: Vec<&str> =
            classes.into_iter().filter(|(what, _)| who.role.may(*what)).map(|(_, class)| class).collect();
        Self {
            version: assets::version(),
            at,
            who: Some(who.clone()),
            signed_in: matches!(who.via, Via::Session(_)),
            may: may.join(" "),
        }
    }

    /// For somebody who is not known.
    pub(super) fn of_nobody() -> Self {
        Self { version: assets::version(), at: "", who: None, signed_in: false, may: String::new() }
    }

    /// Places of the role.
    pub(super) fn places(&self) -> Vec<(&'static str, &'static str)> {
        let Some(who) = &self.who else { return Vec::new() };
        PLACES.into_iter().filter(|(.., needs)| who.role.may(*needs)).map(|(name, path, _)| (name, path)).collect()
    }
}
