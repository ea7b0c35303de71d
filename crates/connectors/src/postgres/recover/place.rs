//! Where an instance lives, by its inputs alone, so that the next attempt finds it again.

use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Timelike, Utc};

use super::input::Recover;
use super::source::{Kind, Source, absolute};
use super::target::Target;
use super::trouble::files;
use crate::answer::Trouble;

/// Longest path of a socket that every Unix takes, with the file's own name.
const SOCKET_MAX: usize = 90;

/// Where the inputs of a recovery lead.
pub(super) struct Place {
    /// Name of the instance, of letters that every service takes.
    pub(super) name: String,
    /// Its folder, whether it is there or not.
    pub(super) folder: PathBuf,
    /// The point asked for.
    pub(super) target: Target,
    /// When a base backup of it must have ended; `None` if nobody says.
    pub(super) base_by: Option<DateTime<Utc>>,
    /// Port of its socket: none but its own name, for nothing listens on the network.
    pub(super) port: u16,
}

impl Place {
    /// Names the instance by its backup and its name, or its time.
    ///
    /// # Errors
    /// `inputs` if the time is none, or nobody says where the instance goes.
    pub(super) fn of(input: &Recover, source: &Source) -> Result<Self, Trouble> {
        let (target, base_by) = input.at.target()?;
        let into = match (&input.into, &source.beside, &source.kind) {
            (Some(into), ..) => absolute(into)?,
            (None, Some(beside), _) => beside.clone(),
            // Nothing of it lies here.
            (None, None, Kind::Managed { .. }) => PathBuf::new(),
            (None, None, _) => {
                return Err(Trouble::never("inputs", "into: a backup that a command brings lies nowhere")
                    .hint("say in which folder the instance is made"));
            }
        };
        let what = input.name.clone().unwrap_or_else(|| target.words());
        let mark = blake3::hash(format!("{}\n{}\n{what}", source.identity, into.display()).as_bytes());
        let letters =
            |name: &str| name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(24).collect::<String>();
        let readable = match (&input.name, &target) {
            (Some(name), _) => letters(name),
            (None, Target::Time(at)) => at.format("%Y%m%dT%H%M%S").to_string(),
            (None, other) => letters(&other.words()),
        };
        let name = format!("pg-{readable}-{}", &mark.to_hex()[..8]).to_lowercase();
        let [high, low, ..] = *mark.as_bytes();
        let port = 20_000 + u16::from_be_bytes([high, low]) % 20_000;
        Ok(Self { folder: into.join(&name), name, target, base_by, port })
    }

    /// The folder of all instances.
    pub(super) fn parent(&self) -> &Path {
        self.folder.parent().unwrap_or(&self.folder)
    }

    /// The server's data.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Folder of the socket; elsewhere if its path would be too long for one.
    pub(super) fn socket(&self) -> PathBuf {
        let own = self.folder.join("socket");
        let file = own.join(format!(".s.PGSQL.{}.lock", self.port));
        if file.as_os_str().len() <= SOCKET_MAX { own } else { std::env::temp_dir().join(format!("re-{}", self.name)) }
    }
}

/// The lock's file lies beside an instance's folder, so that it can be held while there is none.
fn lock_of(folder: &Path) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    folder.with_file_name(format!(".{name}.lock"))
}

/// Reads a point in time; PostgreSQL counts microseconds.
///
/// # Errors
/// `inputs` if it is none.
pub(crate) fn point(text: &str) -> Result<DateTime<Utc>, Trouble> {
    let at = DateTime::parse_from_rfc3339(text).map_err(|error| {
        Trouble::never("inputs", format!("at: {text:?} is no time: {error}")).hint("write it like 2022-04-05T07:33:00Z")
    })?;
    let at = at.with_timezone(&Utc);
    Ok(at.with_nanosecond(at.nanosecond() / 1_000 * 1_000).unwrap_or(at))
}

/// Writes a point in time, always with microseconds, so that texts sort as times.
pub(crate) fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// The right to change an instance. The system takes it back from a process that dies.
pub(super) struct Hold {
    file: File,
    path: PathBuf,
}

impl Hold {
    /// Waits for the right to change an instance.
    ///
    /// # Errors
    /// `postgres.files` if the lock's file cannot be made.
    ///
    /// # Cancel safety
    /// Dropping it waits no more and holds nothing.
    pub(super) async fn take(folder: &Path) -> Result<Self, Trouble> {
        let path = lock_of(folder);
        loop {
            let file = File::options().create(true).truncate(false).write(true).open(&path);
            let file = file.map_err(|error| files(&path, &error))?;
            match file.try_lock() {
                // Whoever held it before may have removed the file; then the lock is one of nothing.
                Ok(()) if same(&file, &path) => return Ok(Self { file, path }),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(TryLockError::Error(error)) => return Err(files(&path, &error)),
            }
        }
    }

    /// Removes the lock's file with the instance.
    pub(super) fn forget(self) {
        if same(&self.file, &self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn same(file: &File, path: &Path) -> bool {
    let identity = |data: std::fs::Metadata| (data.dev(), data.ino());
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(there)) => identity(held) == identity(there),
        _ => false,
    }
}
