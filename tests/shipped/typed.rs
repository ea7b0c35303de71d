//! The commands of `runbooks/README.md`, as they are typed there.

use std::path::Path;

use reinstate_tests::typed::{self, Answer, Prompt};

const README: &str = include_str!("../../runbooks/README.md");
const BINARY: &str = env!("CARGO_BIN_EXE_reinstate-under-test");

/// The commands of all blocks of a section.
fn commands(heading: &str) -> Vec<String> {
    typed::commands(typed::section(README, heading))
}

/// Runs lines at a prompt in this repository, with `/tmp/` in a folder of the test.
fn shell(lines: &[String], scratch: &Path) -> Vec<Answer> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    Prompt::new(BINARY, &root, scratch).replacing("/tmp/", format!("{}/", scratch.display())).type_in(lines)
}

/// Insists on the exit code of each line and on words of what they said.
fn insist(lines: &[String], answers: &[Answer], code: impl Fn(&str) -> i32, wanted: &[&str]) {
    for (line, answer) in lines.iter().zip(answers) {
        assert_eq!(answer.code, code(line), "{line}\n{}", answer.said);
    }
    for wanted in wanted {
        assert!(answers.iter().any(|answer| answer.said.contains(wanted)), "`{wanted}` is not in:\n{answers:#?}");
    }
}

#[test]
fn some_sites_come_back_under_new_ids_and_others_under_their_own_as_typed() {
    let scratch = tempfile::tempdir().unwrap();
    let lines = commands("## Under new IDs");
    assert!(lines.len() >= 10, "{lines:#?}");
    let said = shell(&lines, scratch.path());
    let wanted = ["new_site tells which", "New IDs (3 sites)", "clean: 6 sites equal (3 under a new ID), 0 different"];
    insist(&lines, &said, |_| 0, &wanted);
}

#[test]
fn an_app_is_retired_and_the_input_of_2022_is_refused_as_typed() {
    let scratch = tempfile::tempdir().unwrap();
    let lines = commands("## The job that went wrong, done right");
    assert!(lines.len() >= 12, "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.contains("| diff ")).count(), 2, "{lines:#?}");
    let said = shell(&lines, scratch.path());
    // The wrong list and the run that was taken back end as failed and cancelled.
    let code = |line: &str| if line.contains("--run wrong") || line.contains("resume rehearsal") { 4 } else { 0 };
    let wanted = [
        "is \"site\", expected \"app\"",
        "site-ids.csv:2",
        "run wrong failed: 0 of ",
        "clean: 0 sites equal, 0 different",
    ];
    insist(&lines, &said, code, &wanted);
}
