//! The stages of `test`: cheap ones first, what they build shared.
//!
//! All stages use the dev profile and the whole workspace, so that features unify in one way and each dependency is
//! checked once (clippy, doc) and compiled once (build, doctest, tests). A stage is called done only by the exit code
//! of its tool.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime};

use crate::tools;

/// A part of `test`: one call of cargo.
pub(crate) struct Stage {
    /// What `--only` takes.
    pub(crate) name: &'static str,
    /// What it proves, for people.
    pub(crate) what: &'static str,
    args: &'static [&'static str],
    env: &'static [(&'static str, &'static str)],
}

/// The stages in their order; the tests come last, so that their summary is what a reader sees at the end.
pub(crate) const STAGES: &[Stage] = &[
    Stage { name: "fmt", what: "rustfmt would change nothing", args: &["fmt", "--all", "--check"], env: &[] },
    Stage {
        name: "clippy",
        what: "no warning of rustc or clippy, in any target",
        args: &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
        env: &[],
    },
    Stage {
        name: "doc",
        what: "the documentation builds, and its links lead somewhere",
        args: &["doc", "--workspace", "--no-deps", "--locked"],
        env: &[("RUSTDOCFLAGS", "-D warnings")],
    },
    Stage {
        name: "build",
        what: "the programs build; tests that start them find them beside themselves",
        args: &["build", "--workspace", "--bins", "--locked"],
        env: &[],
    },
    Stage {
        name: "doctest",
        what: "the examples in the documentation run",
        args: &["test", "--workspace", "--doc", "--locked", "--quiet"],
        env: &[],
    },
    Stage {
        name: "tests",
        what: "every test, those of the house (arrows, licences, tidiness) among them",
        args: &["nextest", "run", "--workspace", "--locked", "--no-fail-fast"],
        env: &[],
    },
];

/// Runs all stages, or one; prints the time of each.
pub(crate) fn test(only: Option<&str>) -> ExitCode {
    let chosen: Vec<&Stage> = STAGES.iter().filter(|stage| only.is_none_or(|name| stage.name == name)).collect();
    if chosen.is_empty() {
        let known: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
        eprintln!("error: there is no stage {}\nhint: one of {}", only.unwrap_or_default(), known.join(", "));
        return ExitCode::from(2);
    }
    let began = Instant::now();
    if let Err(missing) = tools::provide(chosen.iter().any(|stage| stage.name == "tests")) {
        eprintln!("error: {missing}");
        return ExitCode::from(2);
    }
    let mut times: Vec<(&str, Duration)> = vec![("tools", began.elapsed())];
    for stage in chosen {
        println!("\n=== {}: {}", stage.name, stage.what);
        let start = Instant::now();
        let passed = cargo(stage.args, stage.env);
        times.push((stage.name, start.elapsed()));
        if !passed {
            print_times(&times);
            println!("FAILED at stage {} (again: cargo xtask test --only {})", stage.name, stage.name);
            return ExitCode::FAILURE;
        }
    }
    print_times(&times);
    println!("all {} stages passed in {:.0} s", times.len() - 1, began.elapsed().as_secs_f64());
    ExitCode::SUCCESS
}

/// Runs the benches, with their arguments handed on; without any, prints the table of what they measured.
pub(crate) fn bench(args: &[&str]) -> ExitCode {
    let all: Vec<&str> =
        ["bench", "--package", "reinstate-benches", "--locked", "--"].iter().chain(args).copied().collect();
    let program = ["build", "--release", "--bin", "reinstate", "--locked"];
    // What was there before is not of this code.
    let begun = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs().to_string();
    let table =
        ["run", "--release", "--package", "reinstate-benches", "--example", "results", "--locked", "--", &begun];
    let passed = cargo(&all, &[]) && (!args.is_empty() || cargo(&program, &[]) && cargo(&table, &[]));
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_times(times: &[(&str, Duration)]) {
    println!();
    for (name, time) in times {
        println!("{name:8} {:6.1} s", time.as_secs_f64());
    }
}

/// Calls the cargo that runs this program, in the workspace's root; says whether it succeeded.
fn cargo(args: &[&str], env: &[(&str, &str)]) -> bool {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status =
        Command::new(cargo).args(args).envs(env.iter().copied()).current_dir(root()).stdin(Stdio::null()).status();
    match status {
        Ok(status) => status.success(),
        Err(error) => {
            eprintln!("error: cargo cannot be started: {error}");
            false
        }
    }
}

pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}
