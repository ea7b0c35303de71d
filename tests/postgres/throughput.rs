//! `reinstate bench restore` on servers: runs of a lab whose databases are put back in between.

use std::os::unix::fs::PermissionsExt;

use reinstate_tests::process::{expect, reinstate};
use serde_json::Value;

#[test]
fn servers_are_put_back_between_runs_and_every_site_returns() {
    let folder = tempfile::Builder::new().prefix("re-th-").tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = reinstate(env!("CARGO_BIN_EXE_reinstate-under-test"));
    command.args([
        "bench",
        "restore",
        "--backend",
        "postgres",
        "--json",
        "--lab-sites",
        "10",
        "--deleted",
        "6",
        "--shards",
        "2",
    ]);
    command.args(["--sites", "4", "--batches", "2", "--pools", "x1", "--double", "none", "--repeats", "1"]);
    command.arg("--dir").arg(folder.path()).arg("--out").arg(folder.path().join("out"));
    let output = expect(&mut command, 0);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let runs = json["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1, "{json}");
    for run in runs {
        assert_eq!((&run["returned"], &run["compared"]), (&Value::from(4), &Value::Bool(true)));
        assert!(run["rows"].as_u64().unwrap() > 0, "{run}");
    }
    let written = std::fs::read(folder.path().join("out/throughput.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), json);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "files were left behind");
}
