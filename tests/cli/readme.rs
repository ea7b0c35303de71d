//! The README's ten minutes by hand, as they are typed there.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reinstate_tests::process::reinstate;

use crate::place::{BINARY, finish, signal};

const README: &str = include_str!("../../README.md");

/// The commands of the block below a heading, continued lines joined.
fn commands(heading: &str) -> Vec<String> {
    let after = README.split_once(heading).expect("the heading is there").1;
    let block = after.split_once("```console\n").expect("a block follows").1;
    let block = block.split_once("\n```").expect("the block ends").0;
    block.replace("\\\n", " ").lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn command(line: &str, scratch: &Path) -> Command {
    let scratch = format!("{}/", scratch.display());
    let mut command = reinstate(BINARY);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    for word in line.split(' ').skip(1) {
        command.arg(word.replace("/tmp/", &scratch));
    }
    command
}

struct Background(Child);

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Types the commands below a heading, and hands each answer on.
fn typed(heading: &str, scratch: &Path, least: usize, mut answered: impl FnMut(&str, &str)) {
    let mut background: Option<Background> = None;
    let mut typed = 0;
    for line in commands(heading) {
        if line.starts_with("cargo build") || line.starts_with("export PATH") {
            continue;
        }
        typed += 1;
        if line == "kill %1" {
            let mut served = background.take().expect("something was started");
            signal(served.0.id(), "-TERM");
            assert_eq!(served.0.wait().unwrap().code(), Some(0), "stopping the lab is no trouble");
            continue;
        }
        assert!(line.starts_with("reinstate "), "`{line}` is not a command that this test knows");
        if let Some(line) = line.strip_suffix(" &") {
            let mut child = command(line, scratch).stdout(Stdio::piped()).spawn().unwrap();
            let mut first = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
            assert_ne!(first, "", "{line} ended at once");
            background = Some(Background(child));
            continue;
        }
        let said = finish(&mut command(&line, scratch));
        assert_eq!(said.status.code(), Some(0), "{line}\n{}\n{}", said.out, said.err);
        answered(&line, &said.out);
    }
    assert!(typed >= least, "{typed}");
}

#[test]
fn ten_minutes_by_hand_work_as_typed() {
    let scratch = tempfile::tempdir().unwrap();
    typed("## Ten minutes by hand", scratch.path(), 10, |line, out| {
        if line.contains(" diff ") {
            assert!(out.starts_with("clean: 80 sites equal"), "{out}");
        }
    });
    assert!(scratch.path().join("report.html").exists());
}

#[test]
fn a_drill_works_as_typed() {
    let scratch = tempfile::tempdir().unwrap();
    let (books, drills) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("../runbooks"), scratch.path().join("drills"));
    std::fs::create_dir(&drills).unwrap();
    std::fs::copy(books.join("drills/weekly.yaml"), drills.join("weekly.yaml")).unwrap();
    std::fs::copy(books.join("restoration-2.yaml"), scratch.path().join("restoration-2.yaml")).unwrap();
    typed("## Drills", scratch.path(), 8, |line, out| {
        if line.contains("drill run") {
            assert!(out.starts_with("GOOD: drill weekly"), "{out}");
        }
    });
    assert!(scratch.path().join("drill.xml").exists());
}

#[test]
fn exit_codes_of_the_readme_are_those_of_the_help() {
    let help = finish(reinstate(BINARY).arg("--help")).out;
    let rows = README.lines().filter_map(|line| {
        let (code, meaning) = line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | ")?;
        code.parse::<u8>().ok().map(|code| (code, meaning))
    });
    let mut count = 0;
    for (code, meaning) in rows {
        assert!(help.contains(&format!("{code}  {meaning}")), "{code}: {meaning}");
        count += 1;
    }
    assert_eq!(count, 10);
}

#[test]
fn a_lab_that_is_damaged_differs_with_exit_8() {
    let scratch = tempfile::tempdir().unwrap();
    let lab = scratch.path().join("lab").display().to_string();
    let lab_command = |args: &[&str], code: i32| crate::place::expect(reinstate(BINARY).arg("lab").args(args), code);
    let _ = lab_command(&["build", &lab, "--sites", "12", "--shards", "2"], 0);
    assert!(lab_command(&["diff", &lab], 0).out.starts_with("clean"));
    let _ = lab_command(&["build", &lab, "--sites", "12"], 1);
    let _ = lab_command(&["damage", &lab, "--sites", "3"], 0);
    assert!(lab_command(&["diff", &lab], 8).out.starts_with("NOT clean: 0 sites equal, 3 different, 0 bystanders"));
    let json = lab_command(&["diff", &lab, "--json"], 8).json();
    assert_eq!((&json["clean"], &json["sites_different"]), (&false.into(), &3.into()));
    let _ = lab_command(&["build", &lab, "--rows", "5"], 2);
    let _ = lab_command(&["diff", &format!("{lab}-not-there")], 1);
}
