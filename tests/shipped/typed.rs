//! The commands of `runbooks/README.md`, as they are typed there.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../../runbooks/README.md");
const BINARY: &str = env!("CARGO_BIN_EXE_reinstate-under-test");

/// The commands of all blocks of a section.
fn commands(heading: &str) -> Vec<String> {
    let section = README.split_once(heading).expect("the heading is there").1;
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let blocks =
        section.split("```console\n").skip(1).map(|block| block.split_once("\n```").expect("the block ends").0);
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

/// Runs lines in one shell, with `/tmp/` in a folder of the test; returns what it printed, an exit code after each.
fn shell(lines: &[String], scratch: &Path) -> String {
    let bin = scratch.join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(BINARY, bin.join("reinstate")).unwrap();
    // As at a prompt, jobs have numbers; what is still there at the end goes with the shell.
    let mut script = "set -m\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n".to_owned();
    for (ix, line) in lines.iter().enumerate() {
        let line = line.replace("/tmp/", &format!("{}/", scratch.display()));
        match line.strip_suffix(" &") {
            // The next command is typed when this one has said that it is there.
            Some(job) => script.push_str(&format!(
                "{job} > {0}/job &\nuntil [ -s {0}/job ] || ! kill -0 %1; do sleep 0.02; done\n",
                scratch.display()
            )),
            None => script.push_str(&format!("{line}\n")),
        }
        script.push_str(&format!("echo \"=={ix} $?\"\n"));
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-c", &script])
        .env("PATH", path)
        .env("REINSTATE_WAIT", "0s")
        .env_remove("REINSTATE_STORE")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn some_sites_come_back_under_new_ids_and_others_under_their_own_as_typed() {
    let scratch = tempfile::tempdir().unwrap();
    // Database servers of another user pass it on the way to their data.
    std::fs::set_permissions(scratch.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let lines = commands("## Under new IDs");
    assert!(lines.len() >= 10, "{lines:#?}");
    let said = shell(&lines, scratch.path());
    for (ix, line) in lines.iter().enumerate() {
        assert!(said.contains(&format!("=={ix} 0\n")), "{line}\n{said}");
    }
    for wanted in ["new_site tells which", "New IDs (3 sites)", "clean: 6 sites equal (3 under a new ID), 0 different"]
    {
        assert!(said.contains(wanted), "`{wanted}` is not in:\n{said}");
    }
}

#[test]
fn an_app_is_retired_and_the_input_of_2022_is_refused_as_typed() {
    let scratch = tempfile::tempdir().unwrap();
    let lines = commands("## The job that went wrong, done right");
    assert!(lines.len() >= 12, "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.contains("| diff ")).count(), 2, "{lines:#?}");
    let said = shell(&lines, scratch.path());
    for (ix, line) in lines.iter().enumerate() {
        // The wrong list and the run that was taken back end as failed and cancelled.
        let code = if line.contains("--run wrong") || line.contains("resume rehearsal") { 4 } else { 0 };
        assert!(said.contains(&format!("=={ix} {code}\n")), "{line}: not {code}\n{said}");
    }
    for wanted in [
        "is \"site\", expected \"app\"",
        "site-ids.csv:2",
        "run wrong failed: 0 of ",
        "clean: 0 sites equal, 0 different",
    ] {
        assert!(said.contains(wanted), "`{wanted}` is not in:\n{said}");
    }
}
