//! PSPLIB's text formats, read and written.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use report::schedule::ProjectSpec;

use crate::Failure;

/// Reads every project of a folder, by name.
pub(crate) fn projects(folder: &Path) -> Result<BTreeMap<String, ProjectSpec>, Failure> {
    let mut projects = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "sm") && !is_list(&name) {
            projects.insert(name, read(&std::fs::read_to_string(&path)?).ok_or(format!("{}", path.display()))?);
        }
    }
    Ok(projects)
}

/// Reads best known makespans: lists `*opt.sm` and `*hrs.sm` (set, class, number, makespan), and `best.txt`.
pub(crate) fn best_known(folder: &Path) -> Result<BTreeMap<String, u64>, Failure> {
    let mut best = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let lines = |path: &Path| std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if is_list(&name) {
            let set = name.trim_end_matches("opt").trim_end_matches("hrs");
            for line in lines(&path)?.lines() {
                if let [class, number, makespan, ..] = numbers(line).as_slice() {
                    best.insert(format!("{set}{class}_{number}"), *makespan);
                }
            }
        } else if path.file_name().is_some_and(|name| name == "best.txt") {
            for line in lines(&path)?.lines() {
                if let Some((name, makespan)) = line.split_once(' ') {
                    best.insert(name.to_owned(), makespan.trim().parse()?);
                }
            }
        }
    }
    Ok(best)
}

fn is_list(name: &str) -> bool {
    name.ends_with("opt") || name.ends_with("hrs")
}

/// Leading numbers of a line.
fn numbers(line: &str) -> Vec<u64> {
    line.split_whitespace().map_while(|word| word.parse().ok()).collect()
}

/// Reads a single-mode project; `None` if it is none.
fn read(text: &str) -> Option<ProjectSpec> {
    let section = |title: &str| {
        let from = text.lines().skip_while(move |line| !line.starts_with(title)).skip(1);
        let rows = from.take_while(|line| !line.starts_with("***")).map(numbers);
        rows.filter(|row| !row.is_empty()).collect::<Vec<_>>()
    };
    let mut spec = ProjectSpec::default();
    for row in section("PRECEDENCE RELATIONS") {
        let before = u32::try_from(row[0].checked_sub(1)?).ok()?;
        for &after in row.get(3..)? {
            spec.edges.push((before, u32::try_from(after.checked_sub(1)?).ok()?));
        }
    }
    for row in section("REQUESTS/DURATIONS") {
        let activity = u32::try_from(spec.durations.len()).ok()?;
        spec.durations.push(*row.get(2)?);
        for (resource, &units) in (0..).zip(row.get(3..)?) {
            if units > 0 {
                spec.uses.push((activity, resource, u32::try_from(units).ok()?));
            }
        }
    }
    let capacities = section("RESOURCEAVAILABILITIES").pop()?;
    spec.capacities = capacities.into_iter().map(u32::try_from).collect::<Result<_, _>>().ok()?;
    (!spec.durations.is_empty()).then_some(spec)
}

/// Writes a project as other programs read it.
pub(crate) fn write(spec: &ProjectSpec) -> String {
    let mut text = String::from("PRECEDENCE RELATIONS:\njobnr. #modes #successors successors\n");
    for activity in 0..spec.durations.len() {
        let after: Vec<u32> =
            spec.edges.iter().filter(|edge| edge.0 as usize == activity).map(|edge| edge.1 + 1).collect();
        let _ = write!(text, "{} 1 {}", activity + 1, after.len());
        after.iter().for_each(|after| {
            let _ = write!(text, " {after}");
        });
        text.push('\n');
    }
    text.push_str("***\nREQUESTS/DURATIONS:\njobnr. mode duration\n");
    for (activity, duration) in spec.durations.iter().enumerate() {
        let _ = write!(text, "{} 1 {duration}", activity + 1);
        for resource in 0..spec.capacities.len() {
            let of = spec.uses.iter().find(|held| (held.0 as usize, held.1 as usize) == (activity, resource));
            let _ = write!(text, " {}", of.map_or(0, |held| held.2));
        }
        text.push('\n');
    }
    text.push_str("***\nRESOURCEAVAILABILITIES:\n");
    let capacities: Vec<String> = spec.capacities.iter().map(u32::to_string).collect();
    let _ = writeln!(text, "{}\n***", capacities.join(" "));
    text
}
