//! The copy of a base backup: nothing of it points at the backup, the live cluster or its tablespaces.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::account::Account;
use super::space::tablespaces;
use super::trouble::files;
use crate::answer::Trouble;

/// What a server makes anew, or must not find: its neighbours' identity, settings, slots and leavings.
const LEFT_OUT: &[&str] = &[
    "postmaster.pid",
    "postmaster.opts",
    "postgresql.conf",
    "postgresql.auto.conf",
    "pg_hba.conf",
    "pg_ident.conf",
    "standby.signal",
    "recovery.signal",
    "tablespace_map",
    "backup_manifest",
    "current_logfiles",
];

/// Folders whose content is left out.
const EMPTIED: &[&str] = &["pg_replslot", "pg_stat_tmp", "pg_dynshmem", "pg_notify", "pg_snapshots", "log"];

/// Tells a copy that nobody waits for any more to stop.
#[derive(Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

/// Sets its flag when it is dropped.
pub(super) struct StopOnDrop(pub(super) Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Copies a base backup into a data folder that is not there yet.
///
/// The system makes shared extents of it where the volume can, else plain copies; never links, which would write into
/// the backup.
///
/// # Errors
/// `postgres.files`, `postgres.disk`, `postgres.tablespace`.
pub(super) fn copy(base: &Path, folder: &Path, account: &Account, stop: &Stop) -> Result<(), Trouble> {
    let data = folder.join("data");
    let copy = Copy { account, stop };
    copy.folder(base, &data, 0)?;
    let spaces = tablespaces(base)?;
    if spaces.len() < mapped(base) {
        return Err(Trouble::never("postgres.tablespace", format!("{}: where are its tablespaces?", base.display()))
            .hint("link each of them from pg_tblspc of the backup to where its copy lies"));
    }
    account.private(&folder.join("tablespaces"))?;
    for (number, path) in spaces {
        let own = folder.join("tablespaces").join(&number);
        copy.folder(&path, &own, 1)?;
        let link = data.join("pg_tblspc").join(&number);
        let made = std::os::unix::fs::symlink(&own, &link).and_then(|()| account.own(&link));
        made.map_err(|error| files(&link, &error))?;
    }
    Ok(())
}

/// Refuses data that a command brought, if it points out of the instance's folder: that may be the live cluster.
///
/// # Errors
/// `postgres.tablespace`.
pub(super) fn stays_inside(folder: &Path) -> Result<(), Trouble> {
    let data = folder.join("data");
    let root = std::fs::canonicalize(folder).map_err(|error| files(folder, &error))?;
    let wal = data.join("pg_wal");
    let mut places = tablespaces(&data)?;
    places.push(("pg_wal".to_owned(), std::fs::canonicalize(&wal).map_err(|error| files(&wal, &error))?));
    match places.into_iter().find(|(_, path)| !path.starts_with(&root)) {
        None if mapped(&data) > 0 => {
            Err(Trouble::never("postgres.tablespace", "the data has a tablespace_map, which names the live places")
                .hint("let the command link tablespaces into {target} itself and leave no map"))
        }
        None => Ok(()),
        Some((name, path)) => Err(Trouble::never(
            "postgres.tablespace",
            format!("{name} of the restored data lies in {}, outside of {}", path.display(), folder.display()),
        )
        .hint("let the command map tablespaces and WAL to a folder beside {target}")),
    }
}

/// Tablespaces of a backup in which links were left out: a server would make them anew, to the live places.
fn mapped(data: &Path) -> usize {
    std::fs::read_to_string(data.join("tablespace_map")).map_or(0, |map| map.lines().count())
}

struct Copy<'c> {
    account: &'c Account,
    stop: &'c Stop,
}

impl Copy<'_> {
    fn folder(&self, from: &Path, to: &Path, depth: usize) -> Result<(), Trouble> {
        self.account.private(to)?;
        for entry in std::fs::read_dir(from).map_err(|error| files(from, &error))? {
            let entry = entry.map_err(|error| files(from, &error))?;
            let (name, source) = (entry.file_name(), entry.path());
            let shown = name.to_string_lossy();
            if depth == 0 && LEFT_OUT.contains(&shown.as_ref()) || shown.starts_with("pgsql_tmp") {
                continue;
            }
            if self.stop.0.load(Ordering::Relaxed) {
                return Err(Trouble::retry("postgres.cancelled", "nobody waits for the copy any more"));
            }
            let target = to.join(&name);
            let kind = entry.file_type().map_err(|error| files(&source, &error))?;
            if depth == 0 && EMPTIED.contains(&shown.as_ref()) {
                self.account.private(&target)?;
            } else if depth == 1 && kind.is_symlink() && from.ends_with("pg_tblspc") {
                // Tablespaces follow, each into a folder of its own.
            } else {
                self.item(&source, &target, depth)?;
            }
        }
        Ok(())
    }

    fn item(&self, from: &Path, to: &Path, depth: usize) -> Result<(), Trouble> {
        // A link elsewhere, such as that of pg_wal, becomes what it leads to.
        let data = std::fs::metadata(from).map_err(|error| files(from, &error))?;
        if data.is_dir() {
            return self.folder(from, to, depth + 1);
        }
        if !data.is_file() {
            return Err(Trouble::never(
                "postgres.backup_invalid",
                format!("{}: no file and no folder", from.display()),
            )
            .hint("a base backup holds nothing of that kind"));
        }
        tracing::debug!(file = %from.display(), "copying");
        let copied = std::fs::copy(from, to)
            .and_then(|_| {
                // Backups are often read-only; the copy must not be.
                std::fs::set_permissions(to, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            })
            .and_then(|()| self.account.own(to));
        copied.map_err(|error| files(to, &error))
    }
}
