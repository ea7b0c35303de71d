//! `postgres/recover` on a volume that is too small, and on one that runs full on the way: a real file system of some
//! megabytes in a mount namespace of its own.

use std::process::Command;

use serde_json::json;

use reinstate_tests::postgres::namespace;

use crate::stage::{Stage, command};

#[test]
fn a_volume_that_runs_full_is_told_from_wal_that_ends() {
    let Some(mut shell) = namespace() else { return };
    let stage = Stage::new();
    let at = stage.mark(1);
    stage.mark(2);
    stage.archive();
    let mut with = stage.with_at(&at);
    let fetch = format!("cp '{}/%f' '%p'", stage.live.archive().display());
    with["backup"] = json!({ "base": stage.base, "wal_command": fetch });
    with["reserve"] = "0".into();
    // The base fits; a segment of WAL more does not.
    let listed = Command::new("du").args(["-sk", "--apparent-size"]).arg(&stage.base).output().unwrap();
    let size: u64 = String::from_utf8_lossy(&listed.stdout).split_whitespace().next().unwrap().parse().unwrap();
    let run = |action: &str, name: &str| {
        let args = ["run", action, "--sites", "sites.csv", "--estate", "estate.yaml", "--run", name, "--yes"];
        let action = action.trim_end_matches(".yaml");
        let command = command(&stage, action, &with, &args);
        let words = command.get_args().map(|word| format!("'{}'", word.to_str().unwrap()));
        format!("'{}' {} 2>&1", command.get_program().to_str().unwrap(), words.collect::<Vec<_>>().join(" "))
    };
    let into = stage.instances();
    std::fs::create_dir(&into).unwrap();
    let script = format!(
        "set -u; export REINSTATE_STORE=sqlite:runs.db REINSTATE_WAIT=0s\n\
         mount -t tmpfs -o mode=755,size=8m tmpfs '{into}' && {small}; echo =small= $?; ls '{into}'\n\
         mount -o remount,size={size}k '{into}' && {full}; echo =full= $?; ls '{into}'\n\
         mount -o remount,size={more}k '{into}' && {enough}; echo =enough= $?\n\
         {drop}; echo =dropped= $?; ls -A '{into}'",
        into = into.display(),
        size = size + 10_000,
        more = size + 200_000,
        small = run("recover.yaml", "small"),
        full = run("recover.yaml", "full"),
        enough = run("recover.yaml", "enough"),
        drop = run("drop-recovered.yaml", "drop"),
    );
    let output = shell.args(["sh", "-c", &script]).current_dir(into.parent().unwrap()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (small, rest) = said.split_once("=small= ").unwrap();
    assert!(small.contains("postgres.disk") && small.contains("of the backup"), "{said}");
    assert!(!rest.starts_with('0') && !rest.lines().nth(1).unwrap().starts_with("pg-"), "{said}");
    let (full, rest) = rest.split_once("=full= ").unwrap();
    assert!(full.contains("postgres.disk") && full.contains("No space left on device"), "{said}");
    assert!(!full.contains("wal_too_short") && !rest.starts_with('0'), "{said}");
    let (enough, rest) = rest.split_once("=enough= ").unwrap();
    assert!(!enough.contains("copying") && rest.starts_with('0'), "it goes on without another copy: {said}");
    assert!(rest.ends_with("=dropped= 0\n"), "nothing is left: {said}");
}
