//! From the files of a drill to a drill, with every finding shown.

use std::path::Path;

use server::drills::{LoadedDrill, read_drill};

use crate::args::{DrillCheck, FindingFormat};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;
use crate::planning::Findings;

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
pub(super) fn loaded(path: &Path, json: bool) -> Result<Result<LoadedDrill, Exit>, Failure> {
    let mut findings = Findings::new(FindingFormat::Text, json);
    match load(path, &mut findings)? {
        Some(loaded) => Ok(Ok(loaded)),
        None => {
            findings.finish();
            Ok(Err(Exit::BadInput))
        }
    }
}

fn load(path: &Path, findings: &mut Findings) -> Result<Option<LoadedDrill>, Failure> {
    let read = read_drill(path, &connectors::catalogue())?;
    for (source, found) in &read.found {
        findings.tell(found, source);
    }
    Ok(read.loaded.map(|loaded| *loaded))
}
