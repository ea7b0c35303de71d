//! The file in an instance's folder that says what it is and how far it has come.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::input::Evidence;
use super::prepared::Prepared;
use super::trouble::files;
use crate::answer::Trouble;

/// Name of the file.
pub(super) const NAME: &str = "reinstate-recovered.json";
/// Its format, and the sign that a folder is ours.
const FORMAT: &str = "postgres-recovered/v1";

/// What the file says.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct State {
    format: String,
    /// For people who find the folder.
    note: String,
    pub(super) phase: Phase,
    /// The point that it stands at, or is on its way to.
    pub(super) asked: String,
    pub(super) socket: PathBuf,
    pub(super) port: u16,
    /// Start of the host in which it was filled: what was never synced outlives a process, not the host.
    pub(super) boot: String,
    /// What a server is started with that is not in its settings: where its programs are, and as whom it runs.
    #[serde(default)]
    pub(super) bin: Option<PathBuf>,
    #[serde(default)]
    pub(super) user: Option<String>,
    pub(super) backup: Option<Evidence>,
    pub(super) stand: Option<Stand>,
}

/// How far an instance has come.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Phase {
    /// Its data is half there: of no use.
    Filling,
    /// Its data is whole; a server that runs is on its way to `asked`.
    Filled,
    /// It is about to go to `asked`; a server that runs may have another aim.
    Moving,
    /// It stands at `asked`.
    Standing,
}

/// Where an instance stands, and what proves it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Stand {
    /// Process of the server; gone if it died since.
    pub(super) pid: u32,
    pub(super) replay_lsn: String,
    pub(super) last_commit_at: Option<String>,
    pub(super) stopped_by: String,
    /// Transactions that were prepared there and had not ended; `None` if it could not be told.
    #[serde(default)]
    pub(super) prepared: Option<Vec<Prepared>>,
    /// Why it could not be told.
    #[serde(default)]
    pub(super) prepared_unknown: Option<String>,
}

impl State {
    /// Begins the life of an instance.
    pub(super) fn new(asked: String, socket: PathBuf, port: u16) -> Self {
        Self {
            format: FORMAT.to_owned(),
            note: "A throw-away copy of a backup. postgres/drop-recovered removes it.".to_owned(),
            phase: Phase::Filling,
            asked,
            socket,
            port,
            boot: boot(),
            bin: None,
            user: None,
            backup: None,
            stand: None,
        }
    }

    /// Reads what a folder says of itself; `None` if nothing of ours is there.
    ///
    /// # Errors
    /// `postgres.not_ours` if the folder holds something that does not say that it is ours.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, Trouble> {
        let foreign = || {
            Trouble::never("postgres.not_ours", format!("{} holds what no recovery put there", folder.display()))
                .hint("look at it; move it away, or give another folder as `into`")
        };
        match std::fs::read(folder.join(NAME)) {
            Ok(bytes) => match serde_json::from_slice::<Self>(&bytes) {
                Ok(state) if state.format == FORMAT => Ok(Some(state)),
                _ => Err(foreign()),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => match std::fs::read_dir(folder) {
                // A killed attempt may not have come further than this.
                Ok(entries) => match entries.flatten().all(|entry| entry.file_name() == scratch_name().as_str()) {
                    true => Ok(None),
                    false => Err(foreign()),
                },
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Err(foreign()),
                Err(error) => Err(files(folder, &error)),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Err(foreign()),
            Err(error) => Err(files(folder, &error)),
        }
    }

    /// Writes the file as a whole or not at all.
    ///
    /// # Errors
    /// `postgres.files`, `postgres.disk`.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Trouble> {
        let (scratch, path) = (folder.join(scratch_name()), folder.join(NAME));
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        let put = || -> std::io::Result<()> {
            let mut file = File::create(&scratch)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&scratch, &path)
        };
        put().map_err(|error| files(&path, &error))?;
        tracing::info!(folder = %folder.display(), phase = ?self.phase, asked = %self.asked, "recovered instance");
        Ok(())
    }

    /// Notes that the server was seen at the point.
    pub(super) fn stands(&mut self, stand: Stand) {
        let before = self.stand.take().and_then(|stand| stand.last_commit_at);
        // A start replays little again, and may meet no transaction in it.
        let last_commit_at = stand.last_commit_at.or(before);
        self.stand = Some(Stand { last_commit_at, ..stand });
        self.phase = Phase::Standing;
    }

    /// Removes a folder of ours, this file last: what a kill leaves in between is still known as ours.
    ///
    /// # Errors
    /// `postgres.files`.
    pub(super) fn remove(folder: &Path) -> Result<(), Trouble> {
        let remove = || -> std::io::Result<()> {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                match entry.file_type()?.is_dir() {
                    true => std::fs::remove_dir_all(entry.path())?,
                    false if entry.file_name() == NAME => {}
                    false => std::fs::remove_file(entry.path())?,
                }
            }
            match std::fs::remove_file(folder.join(NAME)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            std::fs::remove_dir(folder)
        };
        match remove() {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(files(folder, &error)),
            _ => Ok(()),
        }
    }

    /// Whether the host has started anew since the data was copied, so that some of it may never have reached the disk.
    pub(super) fn is_of_another_boot(&self) -> bool {
        self.boot != boot()
    }
}

fn scratch_name() -> String {
    format!("{NAME}.new")
}

fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{NAME, Phase, State};

    #[test]
    fn a_folder_is_ours_only_if_it_says_so() {
        let folder = std::env::temp_dir().join(format!("re-state-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        assert!(State::read(&folder).is_ok_and(|state| state.is_none()), "nothing is there");
        std::fs::create_dir(&folder).expect("a new folder");
        std::fs::write(folder.join(format!("{NAME}.new")), "half").expect("a file");
        assert!(State::read(&folder).is_ok_and(|state| state.is_none()), "killed before the first state");
        let state = State::new("2022-04-05T07:33:00Z".into(), folder.join("socket"), 20_001);
        state.write(&folder).expect("written");
        let again = State::read(&folder).expect("ours").expect("there");
        assert_eq!((again.phase, again.is_of_another_boot()), (Phase::Filling, false));
        for foreign in ["{}", "", "{\"format\": \"postgres-recovered/v2\"}"] {
            std::fs::write(folder.join(NAME), foreign).expect("a file");
            assert!(State::read(&folder).is_err(), "{foreign}");
        }
        std::fs::remove_file(folder.join(NAME)).expect("it was there");
        std::fs::write(folder.join("precious"), "").expect("a file");
        assert!(State::read(&folder).is_err(), "somebody else's");
        std::fs::remove_dir_all(&folder).expect("ours");
    }
}
