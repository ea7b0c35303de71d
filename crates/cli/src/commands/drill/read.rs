//! From the files of a drill to a drill, with every finding shown.

use std::path::{Path, PathBuf};

use runbook::{Drill, DrillFiles, Estate, Runbook, SiteList, check_drill};

use crate::args::{DrillCheck, FindingFormat};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::planning::{self, Findings};
use crate::{files, out};

/// A drill and what it is made of.
pub(super) struct Loaded {
    pub(super) drill: Drill,
    pub(super) runbook: Runbook,
    pub(super) estate: Estate,
    pub(super) list: SiteList,
}

/// Checks a drill, its runbook, estate and list.
pub(super) fn check(args: &DrillCheck, json: bool) -> Result<Exit, Failure> {
    let mut findings = Findings::new(args.format, json);
    let loaded = load(&args.file, &mut findings)?;
    let quiet = json || args.format == FindingFormat::Json;
    findings.finish();
    let Some(loaded) = loaded else { return Ok(Exit::BadInput) };
    if !quiet {
        let (all, drawn) = (loaded.list.len(), loaded.drill.sample().size_of(loaded.list.len()));
        out::answer(&format!("{}: no errors; {drawn} of {all} sites would take part", args.file.display()));
    }
    Ok(Exit::Done)
}

/// Reads a drill, or shows why not and ends the command as bad input.
pub(super) fn loaded(path: &Path, json: bool) -> Result<Result<Loaded, Exit>, Failure> {
    let mut findings = Findings::new(FindingFormat::Text, json);
    match load(path, &mut findings)? {
        Some(loaded) => Ok(Ok(loaded)),
        None => {
            findings.finish();
            Ok(Err(Exit::BadInput))
        }
    }
}

fn load(path: &Path, findings: &mut Findings) -> Result<Option<Loaded>, Failure> {
    let source = match files::source(path, "the drill")? {
        Ok(source) => source,
        Err(found) => {
            findings.tell(&[*found], &runbook::Source::new(path.display().to_string(), ""));
            return Ok(None);
        }
    };
    let named = DrillFiles::of(&source);
    let beside = |file: &str| -> PathBuf { path.parent().unwrap_or(Path::new("")).join(file) };
    let whole = !named.runbook.is_empty() && !named.estate.is_empty();
    let (book, estate) = match whole {
        true => planning::read_for(&beside(&named.runbook), &beside(&named.estate), findings)?,
        false => (None, None),
    };
    let checked = check_drill(&source, &connectors::catalogue(), book.as_ref(), estate.as_ref());
    findings.tell(&checked.diagnostics, &source);
    let list = match &book {
        Some(book) if !named.sites.is_empty() => planning::read_sites(&beside(&named.sites), book, findings)?,
        _ => None,
    };
    let all = checked.drill.zip(book).zip(estate).zip(list).filter(|_| findings.errors() == 0);
    Ok(all.map(|(((drill, runbook), estate), list)| Loaded { drill, runbook, estate, list }))
}
