//! The project's own chores: `cargo xtask test` is all that a change must pass, here and in CI.
//!
//! Architecture invariant: no dependencies, so that it builds in a second on a fresh machine, and nothing of the
//! product: it only calls tools.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a program for people at a terminal

mod stages;
mod tools;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  test [--only STAGE]   everything that a change must pass; stops at the first failing stage
  bench [ARGS...]       the benches, and a table of them beside references; with ARGS, which go to them, no table
  stages                names the stages of `test`

exit codes: 0 passed, 1 a stage failed, 2 wrong usage or a missing tool";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["test"] => stages::test(None),
        ["test", "--only", stage] => stages::test(Some(stage)),
        ["bench", rest @ ..] => stages::bench(rest),
        ["stages"] => {
            for stage in stages::STAGES {
                println!("{:8} {}", stage.name, stage.what);
            }
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
