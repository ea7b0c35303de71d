//! The drill files of the daemon's folder, read again when one of the files that a drill is made of changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use engine::ActionSpec;
use runbook::Source;

use crate::drills::LoadedDrill;
use crate::drills::read::{DrillRead, read_drill};
use crate::words::chain;

/// Drill files that are read.
const MOST: usize = 200;

/// A drill file as it was read last.
#[derive(Clone, Debug)]
pub(super) struct OnShelf {
    /// Name of the file.
    pub(super) file: String,
    /// The drill, if nothing stands in its way.
    pub(super) loaded: Option<Arc<LoadedDrill>>,
    /// Findings as JSON, by text.
    pub(super) findings: Vec<serde_json::Value>,
    /// The first thing that stands in its way.
    pub(super) first: Option<String>,
}

/// How a file looked from outside when it was read; `None` for one that was not there.
type Stamp = Option<(SystemTime, u64)>;

#[derive(Debug)]
struct Kept {
    stamps: Vec<(PathBuf, Stamp)>,
    read: Arc<OnShelf>,
}

/// The files.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    kept: BTreeMap<PathBuf, Kept>,
}

impl OnShelf {
    /// What is left of a file that is not there any more.
    pub(super) fn gone(file: &str) -> Arc<Self> {
        let first = Some("its file is gone; to retire a drill, take `alarm_after` out of its file first".to_owned());
        Arc::new(Self { file: file.to_owned(), loaded: None, findings: Vec::new(), first })
    }
}

impl Shelf {
    pub(super) fn of(folder: PathBuf) -> Self {
        Self { folder, kept: BTreeMap::new() }
    }

    /// Looks at the folder; reads what is new or has changed. Blocks.
    pub(super) fn look(&mut self, catalogue: &[ActionSpec]) -> Vec<Arc<OnShelf>> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_named(path)).collect();
        paths.sort();
        if paths.len() > MOST {
            tracing::error!(folder = %self.folder.display(), files = paths.len(), "only {MOST} files are read");
            paths.truncate(MOST);
        }
        self.kept.retain(|path, _| paths.contains(path));
        for path in paths {
            let fresh = self.kept.get(&path).is_some_and(|kept| kept.stamps.iter().all(|(at, was)| stamp(at) == *was));
            if fresh {
                continue;
            }
            match kept_of(&path, catalogue) {
                Some(kept) => self.kept.insert(path, kept),
                None => self.kept.remove(&path),
            };
        }
        self.kept.values().map(|kept| kept.read.clone()).collect()
    }
}

fn is_named(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
    let yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
    yaml && !hidden && path.is_file()
}

fn stamp(path: &Path) -> Stamp {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

/// Reads a drill; `None` for a runbook or an estate that lies beside it.
fn kept_of(path: &Path, catalogue: &[ActionSpec]) -> Option<Kept> {
    // Before it is read: what changes meanwhile is read again.
    let own = stamp(path);
    if is_another(path) {
        return None;
    }
    let (read, unreadable) = match read_drill(path, catalogue) {
        Ok(read) => (read, None),
        Err(error) => (DrillRead { files: vec![path.to_owned()], ..DrillRead::default() }, Some(chain(&error))),
    };
    let stamps = read.files.iter().map(|file| (file.clone(), if file == path { own } else { stamp(file) })).collect();
    let errors = read.found.iter().flat_map(|(_, found)| found).filter(|found| found.is_error());
    let first = unreadable.or_else(|| errors.map(|found| found.message.clone()).next());
    let findings = read.found.iter().map(|(source, found)| findings_of(source, found)).collect();
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(why) = &first {
        tracing::error!(file, why, "a drill file has errors: it does not take place");
    }
    Some(Kept { stamps, read: Arc::new(OnShelf { file, loaded: read.loaded.map(Arc::from), findings, first }) })
}

/// Whether a file says of itself that it is something else.
fn is_another(path: &Path) -> bool {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[..text.len().min(64 << 10)]).into_owned();
    let schema = text.lines().find_map(|line| line.strip_prefix("schema:"));
    schema.is_some_and(|schema| ["runbook/", "estate/"].iter().any(|other| schema.contains(other)))
}

fn findings_of(source: &Source, found: &[runbook::Diagnostic]) -> serde_json::Value {
    let text = runbook::render_json(found, source);
    serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text))
}
