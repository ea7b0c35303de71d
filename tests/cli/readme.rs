//! The README's ten minutes by hand, as they are typed there.

use std::path::Path;

use reinstate_tests::process::reinstate;
use reinstate_tests::typed::{self, Prompt};

use crate::place::{BINARY, finish};

const README: &str = include_str!("../../README.md");

/// Types the commands below a heading of the README, and hands each answer on.
fn by_hand(heading: &str, scratch: &Path, least: usize, answered: impl Fn(&str, &str)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut lines = typed::commands(typed::section(README, heading));
    lines.retain(|line| !line.starts_with("cargo build") && !line.starts_with("export PATH"));
    assert!(lines.len() >= least, "{lines:#?}");
    let prompt = Prompt::new(BINARY, &root, scratch).replacing("/tmp/", format!("{}/", scratch.display()));
    for (line, answer) in lines.iter().zip(prompt.type_in(&lines)) {
        assert!(line.starts_with("reinstate ") || line == "kill %1", "`{line}` is not a command that this test knows");
        assert_eq!(answer.code, 0, "{line}\n{}", answer.said);
        answered(line, &answer.said);
    }
}

#[test]
fn ten_minutes_by_hand_work_as_typed() {
    let scratch = tempfile::tempdir().unwrap();
    by_hand("## Ten minutes by hand", scratch.path(), 10, |line, said| {
        if line.contains(" diff ") {
            assert!(said.starts_with("clean: 80 sites equal"), "{said}");
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
    by_hand("## Drills", scratch.path(), 8, |line, said| {
        if line.contains("drill run") {
            assert!(said.contains("GOOD: drill weekly"), "{said}");
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
    assert_eq!(count, 11);
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
