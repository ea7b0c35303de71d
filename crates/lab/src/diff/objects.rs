//! Comparing objects: every mapped one byte for byte, and no unknown ones.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::{Difference, Expect, Expectations};
use crate::layout::Layout;
use crate::moves::Move;
use crate::population::Site;
use crate::sql::StoreError;
use crate::value::{Row, Value};

/// Compares the live objects with the mapping as it should be.
///
/// An object that nothing maps is fine as long as it equals its backup: collecting garbage is the
/// media service's business.
pub(super) fn compare(
    layout: &Layout,
    mapping: &[&Row],
    sites: &[Site],
    expectations: &Expectations,
) -> Result<Vec<Difference>, StoreError> {
    let mut wanted: HashMap<&str, HashMap<&str, &Row>> = HashMap::new();
    for row in mapping {
        if let (Some(id), Some(site)) = (row[0].as_text(), row[1].as_text()) {
            wanted.entry(site).or_default().insert(id, row);
        }
    }
    let mut out = Vec::new();
    for site in sites {
        if expectations.get(&site.id) == Some(&Expect::Anything) {
            continue;
        }
        let empty = HashMap::new();
        let rows = wanted.get(site.id.as_str()).unwrap_or(&empty);
        out.extend(folder(layout, rows, &site.id, &site.id)?);
    }
    Ok(out)
}

/// Compares the live objects of a site that came back under another ID with the mapping as it should be there.
pub(super) fn compare_moved(layout: &Layout, mapping: &[Row], moved: &Move) -> Result<Vec<Difference>, StoreError> {
    let rows = mapping.iter().filter_map(|row| Some((row.first()?.as_text()?, row))).collect();
    folder(layout, &rows, &moved.old, &moved.new)
}

/// Compares the objects in the folder of a site, which may be called by another ID than in its backup.
fn folder(layout: &Layout, rows: &HashMap<&str, &Row>, site: &str, live: &str) -> Result<Vec<Difference>, StoreError> {
    let mut out = Vec::new();
    let mut report = |id: &str, what: &str| {
        out.push(Difference {
            site: site.to_owned(),
            store: "objects".to_owned(),
            table: "media".to_owned(),
            key: format!("{live}/{id}"),
            what: what.to_owned(),
        });
    };
    let folder = layout.objects().join(live);
    let present = list(&folder)?;
    for (id, row) in rows {
        if !present.contains(*id) {
            report(id, "is missing");
        } else if digest(&folder.join(id))?.as_deref() != row.get(5).and_then(Value::as_text) {
            report(id, "has other bytes");
        }
    }
    for id in present.iter().filter(|id| !rows.contains_key(id.as_str())) {
        let backup = digest(&layout.object_backups().join(site).join(id))?;
        if backup.is_none() || backup != digest(&folder.join(id))? {
            report(id, "should not be there");
        }
    }
    Ok(out)
}

fn list(folder: &Path) -> Result<HashSet<String>, StoreError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(HashSet::new()),
        Err(e) => return Err(StoreError::io(folder)(e)),
    };
    entries.map(|entry| Ok(entry.map_err(StoreError::io(folder))?.file_name().to_string_lossy().into_owned())).collect()
}

/// The BLAKE3 digest of a file, `None` if there is none.
pub(crate) fn digest(path: &Path) -> Result<Option<String>, StoreError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(blake3::hash(&bytes).to_hex().to_string())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(StoreError::io(path)(e)),
    }
}
