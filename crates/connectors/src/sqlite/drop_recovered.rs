//! `sqlite/drop-recovered@1`: removes the file that `sqlite/recover@1` made from the same inputs.

use std::path::Path;

use runtime::Call;
use serde_json::Value;

use super::file::Place;
use super::input::{Dropped, Recover};
use super::pool::Pool;
use super::recover::{Spot, blocking};
use super::replay::recorded;
use crate::answer::{Trouble, revealed};

/// Removes the file and what killed attempts of the recovery left; fine if nothing is there.
pub(super) async fn apply(pool: &Pool, call: &Call) -> Result<Value, Trouble> {
    let input: Recover = revealed(&call.with, &call.secrets)?;
    let undoes = call.undoes.clone();
    let (spot, there) = blocking(move || {
        let spot = Spot::of(&input)?;
        if let Some(key) = &undoes {
            spot.sweep(key);
        }
        let there = spot.path.try_exists().map_err(|error| failed(&spot.path, &error))?;
        Ok((spot, there))
    })
    .await?;
    let path = spot.path.clone();
    if there {
        recorded(&path, "").await.map_err(|trouble| {
            trouble.hint("this is not removed: somebody else put it there, or it is damaged; look at it")
        })?;
        pool.forget(&Place::new(&path.to_string_lossy()));
        blocking(move || remove(&spot.path)).await?;
    }
    let dropped = Dropped { path: path.to_string_lossy().into_owned(), removed: there };
    serde_json::to_value(dropped).map_err(|error| Trouble::retry("sqlite.failed", error.to_string()))
}

fn remove(path: &Path) -> Result<(), Trouble> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(path, &error)),
        _ => {}
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(folder, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Trouble {
    Trouble::retry("sqlite.write", format!("{}: {error}", path.display())).hint("may the folder be written?")
}
