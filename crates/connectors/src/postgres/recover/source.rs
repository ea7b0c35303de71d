//! Where an instance comes from: files that are copied, a command that restores, or a service that makes it.

use std::path::{Path, PathBuf};

use super::input::{Backup, Bases, Parts, Timeline};
use crate::answer::Trouble;

/// The inputs about the backup, understood.
pub(super) struct Source {
    pub(super) kind: Kind,
    /// Folder of the server's programs, if it is given.
    pub(super) bin: Option<PathBuf>,
    /// System user of the server, if it is given.
    pub(super) user: Option<String>,
    /// `shared_preload_libraries`.
    pub(super) preload: String,
    /// `recovery_target_timeline`.
    pub(super) timeline: String,
    /// Where instances go unless the step says.
    pub(super) beside: Option<PathBuf>,
    /// What tells this backup from others, by the inputs alone.
    pub(super) identity: String,
}

/// Of what an instance is made.
pub(super) enum Kind {
    /// Of the best of these base backups.
    Files { bases: Bases, wal: Wal },
    /// Of what a command puts into the data folder.
    Command { restore: Vec<String>, wal: Wal },
    /// By a service; nothing of it lies here.
    Managed { create: Vec<String>, url_from: String, drop: Vec<String> },
}

/// Where the server gets archived WAL.
#[derive(Clone)]
pub(super) enum Wal {
    Folder(PathBuf),
    Command(String),
}

impl Wal {
    /// Returns the server's `restore_command`.
    pub(super) fn restore_command(&self) -> String {
        match self {
            Self::Command(text) => text.clone(),
            Self::Folder(folder) => {
                // The server replaces %f and %p, a doubled % stays one; the shell reads the quotes.
                let quoted = folder.to_string_lossy().replace('%', "%%").replace('\'', "'\\''");
                format!("cp '{quoted}/%f' \"%p\"")
            }
        }
    }

    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Command(_) => None,
        }
    }
}

impl Source {
    /// Reads what the step says of the backup.
    ///
    /// # Errors
    /// `inputs` if parts are missing or exclude each other.
    pub(super) fn of(backup: &Backup) -> Result<Self, Trouble> {
        match backup {
            Backup::Folder(folder) => Self::of_folder(&absolute(folder)?),
            Backup::Parts(parts) => Self::of_parts(parts),
        }
    }

    fn of_folder(folder: &Path) -> Result<Self, Trouble> {
        let bases = match folder.join("bases") {
            several if several.is_dir() => Bases::Folder(several),
            _ => Bases::List(vec![folder.join("base")]),
        };
        let kind = Kind::Files { bases, wal: Wal::Folder(folder.join("wal")) };
        let beside = folder.parent().map(|parent| parent.join("recovered"));
        let identity = folder.display().to_string();
        let (preload, timeline) = (String::new(), "latest".to_owned());
        Ok(Self { kind, bin: None, user: None, preload, timeline, beside, identity })
    }

    fn of_parts(parts: &Parts) -> Result<Self, Trouble> {
        let wrong = |text: &str| Trouble::never("inputs", format!("backup: {text}"));
        let one_of = "give exactly one of base, bases, restore_command and create";
        let ways =
            [parts.base.is_some(), parts.bases.is_some(), parts.restore_command.is_some(), parts.create.is_some()];
        if ways.iter().filter(|given| **given).count() != 1 {
            return Err(wrong(one_of).hint("a folder of pg_basebackup is `base`; other tools have commands"));
        }
        let mut beside = None;
        let kind = if let Some(create) = &parts.create {
            let drop = parts.drop.clone().ok_or_else(|| {
                wrong("create without drop").hint("say how the instance is removed: it must never be left")
            })?;
            let url_from = parts.url_from.clone().unwrap_or_else(|| "url".to_owned());
            Kind::Managed { create: create.clone(), url_from, drop }
        } else {
            let wal = match (&parts.wal, &parts.wal_command) {
                (Some(folder), None) => Wal::Folder(absolute(folder)?),
                (None, Some(text)) => Wal::Command(text.clone()),
                _ => {
                    return Err(wrong("give either wal or wal_command")
                        .hint("without archived WAL there is no point in time, only the backup's end"));
                }
            };
            if let Some(restore) = &parts.restore_command {
                Kind::Command { restore: restore.clone(), wal }
            } else {
                let bases = match (&parts.base, &parts.bases) {
                    (Some(base), _) => Bases::List(vec![absolute(base)?]),
                    (None, Some(Bases::Folder(folder))) => Bases::Folder(absolute(folder)?),
                    (None, Some(Bases::List(list))) => {
                        Bases::List(list.iter().map(|base| absolute(base)).collect::<Result<_, _>>()?)
                    }
                    (None, None) => return Err(wrong(one_of)),
                };
                let first = match &bases {
                    Bases::Folder(folder) => Some(folder),
                    Bases::List(list) => list.first(),
                };
                beside = first.and_then(|base| base.parent()).map(|parent| parent.join("recovered"));
                Kind::Files { bases, wal }
            }
        };
        let timeline = match &parts.timeline {
            None => "latest".to_owned(),
            Some(Timeline::Number(number)) => number.to_string(),
            Some(Timeline::Word(word)) if word == "latest" || word == "current" => word.clone(),
            Some(Timeline::Word(word)) => {
                return Err(wrong(&format!("timeline: {word:?} is none")).hint("write latest, current or a number"));
            }
        };
        let identity = match &kind {
            Kind::Files { bases: Bases::Folder(folder), .. } => folder.display().to_string(),
            Kind::Files { bases: Bases::List(list), .. } => {
                list.iter().map(|base| base.display().to_string()).collect::<Vec<_>>().join("\n")
            }
            Kind::Command { restore: argv, .. } | Kind::Managed { create: argv, .. } => argv.join("\n"),
        };
        let (bin, user, preload) = (parts.bin.clone(), parts.user.clone(), parts.preload.clone().unwrap_or_default());
        Ok(Self { kind, bin, user, preload, timeline, beside, identity })
    }
}

/// Makes a path absolute; it need not exist.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Trouble> {
    std::path::absolute(path).map_err(|error| Trouble::never("inputs", format!("{}: {error}", path.display())))
}
