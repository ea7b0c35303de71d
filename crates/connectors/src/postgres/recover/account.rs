//! The system user under which a server runs: never root.

use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::trouble::files;
use crate::answer::Trouble;

/// A system user.
#[derive(Clone, Debug)]
pub(super) struct Account {
    name: String,
    /// User and group to change to; `None` if it is ourselves.
    ids: Option<(u32, u32)>,
    uid: u32,
    home: String,
}

impl Account {
    /// Finds the user: the one that is wanted, `postgres` for root, else ourselves.
    ///
    /// # Errors
    /// `postgres.user` if there is no such user, or we may not become it.
    pub(super) fn of(wanted: Option<&str>) -> Result<Self, Trouble> {
        let list = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let own = rustix::process::geteuid().as_raw();
        Self::among(&list, own, wanted)
    }

    fn among(list: &str, own: u32, wanted: Option<&str>) -> Result<Self, Trouble> {
        let users: Vec<(&str, u32, u32, &str)> = list.lines().filter_map(user).collect();
        let name = match wanted {
            Some(name) => name,
            None if own == 0 => "postgres",
            None => {
                let name = users.iter().find(|(_, uid, ..)| *uid == own).map_or("ourselves", |(name, ..)| name);
                return Ok(Self { name: name.to_owned(), ids: None, uid: own, home: String::new() });
            }
        };
        let refuse = |text: String| Trouble::never("postgres.user", text);
        let Some((name, uid, gid, home)) = users.into_iter().find(|(user, ..)| *user == name) else {
            return Err(refuse(format!("there is no system user {name}"))
                .hint("PostgreSQL refuses to run as root: name another user as `backup.user`"));
        };
        match (uid, own) {
            (0, _) => Err(refuse("PostgreSQL refuses to run as root".to_owned()).hint("name another `backup.user`")),
            (uid, own) if uid == own => Ok(Self { name: name.to_owned(), ids: None, uid, home: String::new() }),
            (uid, 0) => Ok(Self { name: name.to_owned(), ids: Some((uid, gid)), uid, home: home.to_owned() }),
            _ => Err(refuse(format!("only root may run a server as {name}")).hint("leave `backup.user` out")),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn ids(&self) -> Option<(u32, u32)> {
        self.ids
    }

    /// What a command of another user must not have of ours.
    pub(super) fn env(&self) -> Vec<(&'static str, String)> {
        match self.ids {
            Some(_) => vec![("HOME", self.home.clone()), ("USER", self.name.clone()), ("LOGNAME", self.name.clone())],
            None => Vec::new(),
        }
    }

    /// Begins a command of this user, in the language that its output is read in.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("LC_ALL", "C").env("TZ", "UTC").current_dir("/");
        if let Some((uid, gid)) = self.ids {
            command.uid(uid).gid(gid).envs(self.env());
        }
        command
    }

    /// Gives a file or folder to the user.
    pub(super) fn own(&self, path: &Path) -> std::io::Result<()> {
        match self.ids {
            Some((uid, gid)) => std::os::unix::fs::lchown(path, Some(uid), Some(gid)),
            None => Ok(()),
        }
    }

    /// Makes a folder that nobody else can enter. One that is there must be this user's or ours already.
    ///
    /// # Errors
    /// `postgres.files`.
    pub(super) fn private(&self, path: &Path) -> Result<(), Trouble> {
        let make = || -> std::io::Result<()> {
            match std::fs::DirBuilder::new().mode(0o700).create(path) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            // Never through a link that somebody else put there.
            let found = std::fs::symlink_metadata(path)?;
            let ours = found.uid() == self.uid || found.uid() == rustix::process::geteuid().as_raw();
            if !found.is_dir() || !ours {
                return Err(std::io::Error::other("somebody else's file is in the way"));
            }
            if let Some((uid, gid)) = self.ids {
                chown(path, Some(uid), Some(gid))?;
            }
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o700))
        };
        make().map_err(|error| files(path, &error))
    }
}

fn user(line: &str) -> Option<(&str, u32, u32, &str)> {
    let mut fields = line.split(':');
    let name = fields.next()?;
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some((name, uid, gid, fields.nth(1).unwrap_or("/")))
}

#[cfg(test)]
mod tests {
    use super::Account;

    const LIST: &str =
        "root:x:0:0:root:/:/bin/sh\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\nme:x:7:8::/:\n";

    #[test]
    fn a_server_never_runs_as_root_and_only_root_may_choose() {
        let of = |own, wanted| Account::among(LIST, own, wanted).map(|account| (account.name.clone(), account.ids));
        assert_eq!(of(0, None).ok(), Some(("postgres".to_owned(), Some((101, 104)))));
        assert_eq!(of(0, Some("me")).ok(), Some(("me".to_owned(), Some((7, 8)))));
        assert_eq!(of(7, None).ok(), Some(("me".to_owned(), None)));
        assert_eq!(of(7, Some("me")).ok(), Some(("me".to_owned(), None)));
        assert_eq!(of(9, None).ok(), Some(("ourselves".to_owned(), None)));
        for (own, wanted) in [(0, Some("root")), (0, Some("nobody-here")), (7, Some("postgres"))] {
            assert!(of(own, wanted).is_err(), "{own} {wanted:?}");
        }
    }
}
