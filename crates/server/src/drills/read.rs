//! From the files of a drill to a drill, with every finding and the text that it is about.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use engine::ActionSpec;
use runbook::{Diagnostic, Drill, DrillFiles, Estate, Format, Runbook, SiteList, Source, check_drill};

/// Longest site list that is read, in bytes.
const SITES_MAX: u64 = 1 << 30;

/// A drill and what it is made of.
#[derive(Clone, Debug)]
pub struct LoadedDrill {
    /// The drill.
    pub drill: Drill,
    /// Its runbook, checked for the estate.
    pub runbook: Runbook,
    /// The estate, a sandbox.
    pub estate: Estate,
    /// The list that its sites are drawn from.
    pub list: SiteList,
}

/// What reading a drill gave.
#[derive(Clone, Debug, Default)]
pub struct DrillRead {
    /// The drill, if nothing stands in its way.
    pub loaded: Option<Box<LoadedDrill>>,
    /// Findings, with the texts that they are about.
    pub found: Vec<(Source, Vec<Diagnostic>)>,
    /// The files that it is made of, its own first.
    pub files: Vec<PathBuf>,
}

/// A file of a drill cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {what} {path}")]
pub struct UnreadableFile {
    /// What it should be: `the drill`, `the runbook`, ...
    pub what: &'static str,
    /// The file.
    pub path: String,
    /// Why.
    #[source]
    pub source: std::io::Error,
}

/// Reads a drill file and the files that it names, relative to its own. Blocks, for seconds if the list is long.
///
/// # Errors
/// If a file cannot be read; what is wrong inside of them is findings.
pub fn read_drill(path: &Path, catalogue: &[ActionSpec]) -> Result<DrillRead, UnreadableFile> {
    let mut read = DrillRead { files: vec![path.to_owned()], ..DrillRead::default() };
    let Some(source) = read.text(path, "the drill", runbook::MAX_TEXT as u64 + 1)? else { return Ok(read) };
    let named = DrillFiles::of(&source);
    let beside = |file: &str| path.parent().unwrap_or(Path::new("")).join(file);
    let (mut book, mut estate) = (None, None);
    if !named.runbook.is_empty() && !named.estate.is_empty() {
        let (runbook_at, estate_at) = (beside(&named.runbook), beside(&named.estate));
        read.files.extend([runbook_at.clone(), estate_at.clone()]);
        let text = read.text(&runbook_at, "the runbook", runbook::MAX_TEXT as u64 + 1)?;
        if let Some(text) = read.text(&estate_at, "the estate file", runbook::MAX_TEXT as u64 + 1)? {
            let (parsed, found) = Estate::parse_for(&text, catalogue);
            estate = parsed;
            read.tell(&text, found);
        }
        if let Some(text) = text {
            // What is wrong with the estate is told above; until it is right the runbook is checked by itself.
            let checked = runbook::check_for(&text, catalogue, &estate.clone().unwrap_or_default());
            book = checked.runbook;
            read.tell(&text, checked.diagnostics);
        }
    }
    let checked = check_drill(&source, catalogue, book.as_ref(), estate.as_ref());
    read.tell(&source, checked.diagnostics);
    let mut list = None;
    if let Some(book) = book.as_ref().filter(|_| !named.sites.is_empty()) {
        let at = beside(&named.sites);
        read.files.push(at.clone());
        if let Some(text) = read.text(&at, "the site list", SITES_MAX)? {
            let (parsed, found) = SiteList::parse(&text, Format::guess(&text.text), book);
            list = parsed;
            read.tell(&text, found);
        }
    }
    let all = checked.drill.zip(book).zip(estate).zip(list).filter(|_| !read.has_errors());
    read.loaded = all.map(|(((drill, runbook), estate), list)| Box::new(LoadedDrill { drill, runbook, estate, list }));
    Ok(read)
}

impl DrillRead {
    /// Whether an error was found.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|(_, found)| runbook::has_errors(found))
    }

    fn tell(&mut self, source: &Source, found: Vec<Diagnostic>) {
        if !found.is_empty() {
            self.found.push((source.clone(), found));
        }
    }

    /// Reads a text; one that is not text is a finding. A longer one is left to the front end, which refuses it by its
    /// length.
    fn text(&mut self, path: &Path, what: &'static str, max: u64) -> Result<Option<Source>, UnreadableFile> {
        let unreadable = |source| UnreadableFile { what, path: path.display().to_string(), source };
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(max).read_to_end(&mut bytes).map_err(unreadable)?;
        match Source::from_bytes(path.display().to_string(), &bytes) {
            Ok(source) => Ok(Some(source)),
            Err(found) => {
                self.found.push((Source::new(path.display().to_string(), ""), vec![*found]));
                Ok(None)
            }
        }
    }
}
