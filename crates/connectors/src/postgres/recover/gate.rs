//! A folder through which a server gets WAL up to a position and not a record further.
//!
//! It holds links to whole segments of the archive, and of the last one a copy that ends at the position; what follows
//! there is zeros, at which a standby waits and looks again.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::account::Account;
use super::segments::{name, segments};
use super::source::Wal;
use super::trouble::files;
use crate::answer::Trouble;

/// A gate before an archive.
pub(super) struct Gate {
    folder: PathBuf,
    archive: PathBuf,
    account: Account,
    timeline: u32,
    /// Bytes of a segment.
    size: u64,
    /// Number of the segment that is cut, once there is one.
    last: Option<u64>,
}

impl Gate {
    /// Makes the folder, in which nothing is open yet. `None` if the archive's timelines part: which one is followed is
    /// the server's choice.
    ///
    /// # Errors
    /// `postgres.files`.
    pub(super) fn before(
        archive: &Path,
        instance: &Path,
        account: &Account,
        timeline: u32,
        size: u64,
    ) -> Result<Option<Self>, Trouble> {
        let entries = std::fs::read_dir(archive).map_err(|error| files(archive, &error))?;
        let parts = entries.flatten().any(|entry| entry.file_name().to_string_lossy().ends_with(".history"));
        if parts {
            return Ok(None);
        }
        let folder = instance.join("gate");
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(files(&folder, &error)),
            _ => {}
        }
        account.private(&folder)?;
        let (archive, account) = (archive.to_owned(), account.clone());
        Ok(Some(Self { folder, archive, account, timeline, size, last: None }))
    }

    /// Returns the server's `restore_command`.
    pub(super) fn restore_command(&self) -> String {
        Wal::Folder(self.folder.clone()).restore_command()
    }

    /// Lets everything through that lies before a position. It never goes back.
    ///
    /// # Errors
    /// `postgres.files`, `postgres.disk`.
    pub(super) fn open_to(&mut self, position: u64) -> Result<(), Trouble> {
        let number = position / self.size;
        self.cut(number, position % self.size).map_err(|error| files(&self.folder, &error))?;
        // Of what lies before, the first look takes all that is there; then each follows the one before.
        match self.last {
            None => {
                for (number, (name, path)) in segments(&self.archive, self.size, self.timeline)?.range(..number) {
                    tracing::trace!(number, name, "let through");
                    self.link(name, path).map_err(|error| files(&self.folder, &error))?;
                }
            }
            Some(last) => {
                for number in last..number {
                    let name = name(self.timeline, number, self.size);
                    self.link(&name, &self.archive.join(&name)).map_err(|error| files(&self.folder, &error))?;
                }
            }
        }
        self.last = Some(number);
        Ok(())
    }

    /// Removes segments from the cut one on from where the server keeps what it has got: it would look there as well.
    ///
    /// # Errors
    /// `postgres.files`.
    pub(super) fn close_behind(&self, kept: &Path) -> Result<(), Trouble> {
        for (_, path) in segments(kept, self.size, u32::MAX)?.range(self.last.unwrap_or(0)..).map(|(_, it)| it) {
            std::fs::remove_file(path).map_err(|error| files(path, &error))?;
        }
        Ok(())
    }

    /// Puts the beginning of a segment there, in place of what was there of it.
    fn cut(&self, number: u64, bytes: u64) -> io::Result<()> {
        let name = name(self.timeline, number, self.size);
        let part = self.folder.join("part");
        let mut to = std::fs::File::create(&part)?;
        let copied = io::copy(&mut std::fs::File::open(self.archive.join(&name))?.take(bytes), &mut to)?;
        if copied != bytes {
            return Err(io::Error::other(format!("{name} in the archive is shorter than {bytes} bytes")));
        }
        to.set_len(self.size)?;
        drop(to);
        self.account.own(&part)?;
        std::fs::rename(&part, self.folder.join(name))
    }

    fn link(&self, name: &str, path: &Path) -> io::Result<()> {
        let part = self.folder.join("part");
        std::os::unix::fs::symlink(path, &part)?;
        std::fs::rename(&part, self.folder.join(name))
    }
}
