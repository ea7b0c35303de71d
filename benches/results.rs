//! The table of `benches/RESULTS.md`: what the benches measure, and what the program measures itself beside its references.
//!
//! `cargo xtask bench` runs the benches and then this, which prints the table; its argument is when they began, in seconds since
//! 1970, since estimates that were there before are of other code. Ratios hold; figures are those of a machine and a minute.
#![allow(clippy::print_stdout, missing_docs)]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::Value;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let here = std::env::current_exe()?;
    let built = here.ancestors().nth(2).ok_or("this program lies in no folder of cargo's")?;
    println!("{}\n", machine()?);
    if let Some(begun) = std::env::args().nth(1) {
        println!("| bench | median | per element |\n|---|--:|--:|");
        let begun = SystemTime::UNIX_EPOCH + Duration::from_secs(begun.parse()?);
        let mut rows = benches(&built.with_file_name("criterion"), begun)?;
        rows.sort();
        rows.iter().for_each(|row| println!("{row}"));
        println!();
    }
    println!("| measured by the program | figure | reference | ratio |\n|---|--:|---|--:|");
    engine(&built.join("reinstate"))?;
    tenant(&built.join("reinstate"))
}

/// Machine, system and commit, and whether what was measured is that commit.
fn machine() -> Result<String, Failure> {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let model = if model.is_empty() { "an unknown kind" } else { model };
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
    let memory = kib.map_or_else(|| "memory unknown".to_owned(), |kib: u64| format!("{} GiB", kib >> 20));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = output("uname", &["-sr"])?;
    let commit = output("git", &["rev-parse", "--short", "HEAD"])?;
    let dirty =
        if output("git", &["status", "--porcelain"])?.is_empty() { "" } else { ", with changes that are not in it" };
    Ok(format!("{cores} cores of {model}, {memory}, {kernel}, commit {commit}{dirty}"))
}

fn output(program: &str, args: &[&str]) -> Result<String, Failure> {
    let said = Command::new(program).args(args).output()?;
    if !said.status.success() {
        return Err(format!("{program} {args:?}: {}", String::from_utf8_lossy(&said.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

/// A row for each bench whose figures, in a folder of criterion's, were written since a time.
fn benches(folder: &Path, since: SystemTime) -> Result<Vec<String>, Failure> {
    let mut rows = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name == "new") {
                if path.join("estimates.json").metadata()?.modified()? >= since {
                    rows.extend(row(&path)?);
                }
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

/// A figure that must be there: a table with a hole would be taken for one.
fn figure(said: &Value, name: &str) -> Result<f64, Failure> {
    said[name].as_f64().ok_or_else(|| format!("the program does not say {name}: {said}").into())
}

/// The engine on SQLite beside a bare writer.
fn engine(program: &Path) -> Result<(), Failure> {
    for sites in ["883", "100000"] {
        let said = said(program, &["bench", "engine", "--sites", sites, "--json"])?;
        let (ours, anchor) = (figure(&said, "steps_per_s")?, figure(&said, "anchor_rows_per_s")?);
        println!(
            "| `bench engine --sites {sites}` | {ours:.0} steps/s | bare SQLite, 100 rows a commit: {anchor:.0} rows/s | {:.2} |",
            ours / anchor
        );
        println!(
            "| the same | {:.1} bytes of journal a step; {:.0} bytes of memory a unit; resumed in {:.2} s | | |",
            figure(&said, "journal_bytes_per_step")?,
            figure(&said, "rss_bytes_per_unit")?,
            figure(&said, "resume_s")?
        );
    }
    let said = said(program, &["bench", "engine", "--sites", "883", "--rate", "5000", "--json"])?;
    println!(
        "| `bench engine --sites 883 --rate 5000` | from a durable outcome to its dependent's durable start: 50 % within {:.1} ms, 99 % \
         within {:.1} ms; from the decision on the outcome: {:.1} and {:.1} ms | | |",
        figure(&said["dispatch"]["from_durable"], "p50_ms")?,
        figure(&said["dispatch"]["from_durable"], "p99_ms")?,
        figure(&said["dispatch"]["from_decided"], "p50_ms")?,
        figure(&said["dispatch"]["from_decided"], "p99_ms")?
    );
    Ok(())
}

/// A tenant restore on PostgreSQL beside scripts of psql and bare COPY.
fn tenant(program: &Path) -> Result<(), Failure> {
    let said =
        said(program, &["bench", "tenant", "--backend", "postgres", "--only", "ours,hand,plain,ceiling", "--json"])?;
    for (name, reference) in [
        ("vs_hand", "the best procedure by hand, psql"),
        ("vs_plain_copy", "plain COPY by psql, no proof"),
        ("vs_ceiling", "two bare COPY streams, nothing checked"),
    ] {
        println!("| `bench tenant --backend postgres` | | {reference} | {:.2} |", figure(&said, name)?);
    }
    Ok(())
}
