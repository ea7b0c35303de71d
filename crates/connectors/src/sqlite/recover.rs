//! `sqlite/recover@1`: a database file as it was at a point in time.

use std::fs::File;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use runtime::Call;
use serde_json::Value;

use super::input::{Recover, Recovered};
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
    let at = DateTime::parse_from_rfc3339(&input.at).map_err(|error| {
        Trouble::never("inputs", format!("at: {:?} is no time: {error}", input.at))
            .hint("write it like 2022-04-05T07:33:00Z")
    })?;
    let at = at.with_timezone(&Utc);
    let (key, token) = (call.key.clone(), call.token);
    let prepared = blocking(move || prepare(&input, at, &key, token)).await?;
    let (path, scratch, net, base_at) = match prepared {
        Prepared::Complete(path) => return answer(recorded(&path).await?),
        Prepared::Scratch { path, scratch, net, base_at } => (path, scratch, net, base_at),
    };
    let recovered = Recovered {
        path: path.to_string_lossy().into_owned(),
        reached: stamp(net.reached.unwrap_or(base_at)),
        base_at: stamp(base_at),
        transactions: net.transactions,
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
    Complete(PathBuf),
    /// A copy of the base.
    Scratch { path: PathBuf, scratch: Scratch, net: Net, base_at: DateTime<Utc> },
}

fn prepare(input: &Recover, at: DateTime<Utc>, key: &str, token: u64) -> Result<Prepared, Trouble> {
    let folder = std::path::absolute(&input.backup)
        .map_err(|error| Trouble::never("sqlite.backup_invalid", format!("{}: {error}", input.backup)))?;
    let backup = Backup::open(&folder)?;
    let into = match &input.into {
        Some(into) => PathBuf::from(into),
        None => folder.parent().unwrap_or(&folder).join("recovered"),
    };
    let failed = |path: &Path, error: std::io::Error| {
        Trouble::retry("sqlite.write", format!("{}: {error}", path.display()))
            .hint("is there space, and may the folder be written?")
    };
    std::fs::create_dir_all(&into).map_err(|error| failed(&into, error))?;
    let into = std::fs::canonicalize(&into).map_err(|error| failed(&into, error))?;
    let base_at = backup.manifest.base_at;
    let mark = blake3::hash(format!("{}\n{}\n{}", folder.display(), stamp(base_at), stamp(at)).as_bytes()).to_hex();
    let name = format!("{}-{}-{}.db", backup.manifest.store, at.format("%Y%m%dT%H%M%S%3fZ"), &mark[..8]);
    let path = into.join(&name);
    if path.exists() {
        return Ok(Prepared::Complete(path));
    }
    let net = backup.net(at)?;
    let own = blake3::hash(key.as_bytes()).to_hex();
    let stem = format!(".{name}.{}", &own[..12]);
    // What an earlier attempt of this unit left behind; should it still run, its rename finds nothing.
    for entry in std::fs::read_dir(&into).map_err(|error| failed(&into, error))?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&stem) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
    let scratch = into.join(format!("{stem}.{token}.part"));
    let guard = Scratch(Some(scratch.clone()));
    std::fs::copy(backup.base(), &scratch).map_err(|error| failed(&backup.base(), error))?;
    let mut rights = std::fs::metadata(&scratch).map_err(|error| failed(&scratch, error))?.permissions();
    if rights.readonly() {
        // Backups are often read-only; the copy must not be.
        std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o600);
        std::fs::set_permissions(&scratch, rights).map_err(|error| failed(&scratch, error))?;
    }
    Ok(Prepared::Scratch { path, scratch: guard, net, base_at })
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
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Trouble> + Send + 'static) -> Result<T, Trouble> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Trouble::retry("sqlite.failed", format!("the file work did not end: {error}"))),
    }
}
