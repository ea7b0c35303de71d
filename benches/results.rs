//! The table of `benches/RESULTS.md`: what the benches measured last, and what the program measures itself beside its references.
//!
//! `cargo xtask bench` runs the benches and then this, which prints the table. Ratios hold; figures are those of a machine and
//! a minute.
#![allow(clippy::print_stdout, missing_docs)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let here = std::env::current_exe()?;
    let built = here.ancestors().nth(2).ok_or("this program lies in no folder of cargo's")?;
    println!("{}\n", machine());
    println!("| bench | median | per element |\n|---|--:|--:|");
    let mut rows = benches(&built.with_file_name("criterion"))?;
    rows.sort();
    rows.iter().for_each(|row| println!("{row}"));
    println!("\n| measured by the program | figure | reference | ratio |\n|---|--:|---|--:|");
    engine(&built.join("reinstate"))?;
    tenant(&built.join("reinstate"))
}

/// Machine, system and commit.
fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let said = |program: &str, args: &[&str]| {
        let said = Command::new(program).args(args).output().ok();
        said.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned()).unwrap_or_default()
    };
    let (kernel, commit) = (said("uname", &["-sr"]), said("git", &["rev-parse", "--short", "HEAD"]));
    let model = model.trim_start_matches([' ', '\t', ':']);
    format!("{cores} cores of {}, {kernel}, commit {commit}", if model.is_empty() { "an unknown kind" } else { model })
}

/// A row for each bench whose figures lie in a folder of criterion's.
fn benches(folder: &Path) -> Result<Vec<String>, Failure> {
    let mut rows = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name == "new") {
                rows.extend(row(&path)?);
            } else if path.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(rows)
}

fn row(folder: &Path) -> Result<Option<String>, Failure> {
    let read = |name: &str| -> Result<Value, Failure> {
        Ok(serde_json::from_str(&std::fs::read_to_string(folder.join(name))?)?)
    };
    let (bench, estimates) = (read("benchmark.json")?, read("estimates.json")?);
    let Some(name) = bench["full_id"].as_str() else { return Ok(None) };
    let ns = estimates["median"]["point_estimate"].as_f64().ok_or("no median")?;
    let elements = bench["throughput"]["Elements"].as_f64();
    let each = elements.map_or_else(String::new, |elements| time(ns / elements));
    Ok(Some(format!("| `{name}` | {} | {each} |", time(ns))))
}

fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.1} µs", ns / 1e3),
        ns if ns < 1e9 => format!("{:.1} ms", ns / 1e6),
        ns => format!("{:.2} s", ns / 1e9),
    }
}

/// What a command of the program says in JSON.
fn said(program: &Path, args: &[&str]) -> Result<Value, Failure> {
    let output = Command::new(program).args(args).output()?;
    if !output.status.success() {
        return Err(format!("{args:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The engine on SQLite beside a bare writer.
fn engine(program: &Path) -> Result<(), Failure> {
    for sites in ["883", "100000"] {
        let said = said(program, &["bench", "engine", "--sites", sites, "--json"])?;
        let figure = |name: &str| said[name].as_f64().unwrap_or(f64::NAN);
        let (ours, anchor) = (figure("steps_per_s"), figure("anchor_rows_per_s"));
        println!(
            "| `bench engine --sites {sites}` | {ours:.0} steps/s | bare SQLite, 100 rows a commit: {anchor:.0} rows/s | {:.2} |",
            ours / anchor
        );
        println!(
            "| the same | {:.1} bytes of journal a step; {:.0} bytes of memory a unit; resumed in {:.2} s | | |",
            figure("journal_bytes_per_step"),
            figure("rss_bytes_per_unit"),
            figure("resume_s")
        );
    }
    Ok(())
}

/// A tenant restore on PostgreSQL beside scripts of psql and bare COPY.
fn tenant(program: &Path) -> Result<(), Failure> {
    let said =
        said(program, &["bench", "tenant", "--backend", "postgres", "--only", "ours,hand,plain,ceiling", "--json"])?;
    for (name, reference) in [
        ("vs_hand", "the best procedure by hand, psql"),
        ("vs_plain", "plain COPY by psql, no proof"),
        ("vs_ceiling", "two bare COPY streams, nothing checked"),
    ] {
        println!(
            "| `bench tenant --backend postgres` | | {reference} | {:.2} |",
            said[name].as_f64().unwrap_or(f64::NAN)
        );
    }
    Ok(())
}
