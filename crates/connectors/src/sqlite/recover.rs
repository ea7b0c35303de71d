//! `sqlite/recover@1`: a database file as it was at a point in time.

use std::fs::File;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use runtime::Call;
use serde_json::Value;

use super::input::{Recover, Recovered, Replayed};
use super::log::{Backup, Net, stamp};
use super::replay::{recorded, replay};
use crate::answer::{Trouble, revealed};

/// A file that goes away unless it got its name.
struct Scratch(Option<PathBuf>);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Recovers the file, or returns the complete one that is there.
pub(super) async fn apply(call: &Call) -> Result<Value, Trouble> {
    let input: Recover = revealed(&call.with, &call.secrets)?;
    let (key, token) = (call.key.clone(), call.token);
    let prepared = blocking(move || prepare(&input, &key, token)).await?;
    let (path, scratch, net, recovered) = match prepared {
        Prepared::Complete { path, store } => return answer(recorded(&path, &store).await?),
        Prepared::Scratch { path, store, scratch, net, base_at } => {
            let log = Replayed {
                reached: stamp(net.reached.unwrap_or(base_at)),
                until: net.until.map(stamp),
                base_at: stamp(base_at),
                transactions: net.transactions,
            };
            let recovered = Recovered::new(path.to_string_lossy().into_owned(), &store, log);
            (path, scratch, net, recovered)
        }
    };
    if let Some(file) = &scratch.0 {
        replay(file, &net, &recovered).await?;
    }
    blocking(move || publish(scratch, &path)).await?;
    answer(recovered)
}

/// What is there before the log is replayed.
enum Prepared {
    /// The complete file of an earlier attempt.
    Complete { path: PathBuf, store: String },
    /// A copy of the base.
    Scratch { path: PathBuf, store: String, scratch: Scratch, net: Net, base_at: DateTime<Utc> },
}

/// Where the inputs of a recovery lead.
pub(super) struct Spot {
    /// The complete file, whether it is there or not.
    pub(super) path: PathBuf,
    at: DateTime<Utc>,
    backup: Backup,
}

impl Spot {
    /// Names the file by store, time and backup.
    ///
    /// # Errors
    /// If the time is none or the backup's manifest cannot be read.
    pub(super) fn of(input: &Recover) -> Result<Self, Trouble> {
        let at = DateTime::parse_from_rfc3339(&input.at).map_err(|error| {
            Trouble::never("inputs", format!("at: {:?} is no time: {error}", input.at))
                .hint("write it like 2022-04-05T07:33:00Z")
        })?;
        let at = at.with_timezone(&Utc);
        let folder = std::path::absolute(&input.backup)
            .map_err(|error| Trouble::never("sqlite.backup_invalid", format!("{}: {error}", input.backup)))?;
        let backup = Backup::open(&folder)?;
        let into = match &input.into {
            Some(into) => PathBuf::from(into),
            None => folder.parent().unwrap_or(&folder).join("recovered"),
        };
        // Its real name, if it is there already.
        let into = std::fs::canonicalize(&into).unwrap_or(into);
        let base_at = stamp(backup.manifest.base_at);
        let mark = blake3::hash(format!("{}\n{base_at}\n{}", folder.display(), stamp(at)).as_bytes()).to_hex();
        let name = format!("{}-{}-{}.db", backup.manifest.store, at.format("%Y%m%dT%H%M%S%3fZ"), &mark[..8]);
        Ok(Self { path: into.join(name), at, backup })
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// How the names of a unit's scratch files begin.
    fn stem(&self, key: &str) -> String {
        let own = blake3::hash(key.as_bytes()).to_hex();
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!(".{name}.{}", &own[..12])
    }

    /// Removes what attempts of a unit left behind; should one still run, its rename finds nothing.
    pub(super) fn sweep(&self, key: &str) {
        let stem = self.stem(key);
        for entry in std::fs::read_dir(self.folder()).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&stem) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

fn prepare(input: &Recover, key: &str, token: u64) -> Result<Prepared, Trouble> {
    let failed = |path: &Path, error: std::io::Error| {
        Trouble::retry("sqlite.write", format!("{}: {error}", path.display()))
            .hint("is there space, and may the folder be written?")
    };
    let mut spot = Spot::of(input)?;
    std::fs::create_dir_all(spot.folder()).map_err(|error| failed(spot.folder(), error))?;
    let into = std::fs::canonicalize(spot.folder()).map_err(|error| failed(spot.folder(), error))?;
    spot.path = into.join(spot.path.file_name().unwrap_or_default());
    let path = spot.path.clone();
    if path.exists() {
        return Ok(Prepared::Complete { path, store: spot.backup.manifest.store });
    }
    let (backup, base_at) = (&spot.backup, spot.backup.manifest.base_at);
    let net = backup.net(spot.at)?;
    spot.sweep(key);
    let scratch = into.join(format!("{}.{token}.part", spot.stem(key)));
    let guard = Scratch(Some(scratch.clone()));
    std::fs::copy(backup.base(), &scratch).map_err(|error| failed(&backup.base(), error))?;
    let mut rights = std::fs::metadata(&scratch).map_err(|error| failed(&scratch, error))?.permissions();
    if rights.readonly() {
        // Backups are often read-only; the copy must not be.
        std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o600);
        std::fs::set_permissions(&scratch, rights).map_err(|error| failed(&scratch, error))?;
    }
    let store = spot.backup.manifest.store.clone();
    Ok(Prepared::Scratch { path, store, scratch: guard, net, base_at })
}

/// Makes the file durable, then gives it its name.
fn publish(mut scratch: Scratch, path: &Path) -> Result<(), Trouble> {
    let Some(file) = &scratch.0 else { return Ok(()) };
    let done = File::open(file)
        .and_then(|opened| opened.sync_all())
        .and_then(|()| std::fs::rename(file, path))
        .and_then(|()| match path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        });
    done.map_err(|error| Trouble::retry("sqlite.write", format!("{}: {error}", path.display())))?;
    scratch.0 = None;
    Ok(())
}

fn answer(recovered: Recovered) -> Result<Value, Trouble> {
    serde_json::to_value(recovered).map_err(|error| Trouble::retry("sqlite.failed", error.to_string()))
}

/// Runs file work off the async threads.
///
/// # Cancel safety
/// When dropped, the work goes on to its end; what it leaves is removed.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Trouble::retry("sqlite.failed", format!("the file work did not end: {error}"))),
    }
}
