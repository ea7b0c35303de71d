//! `reinstate bench tenant`, on a data set that says nothing about speed: who is measured must have restored.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use reinstate_tests::process::{expect, reinstate};
use serde_json::Value;

fn bench(dir: &std::path::Path) -> Command {
    let mut command = reinstate(env!("CARGO_BIN_EXE_reinstate-under-test"));
    command.args(["bench", "tenant", "--json", "--dir"]).arg(dir);
    command
}

/// A folder that the user of the servers may enter.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("re-be-").tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    folder
}

fn positive(value: &Value, key: &str) -> f64 {
    let number = value[key].as_f64().unwrap_or_else(|| panic!("{key} is no number in {value}"));
    assert!(number > 0.0 && number.is_finite(), "{key}: {number}");
    number
}

#[test]
fn every_contender_restores_everything_and_every_figure_is_there() {
    let folder = folder();
    let mut command = bench(folder.path());
    command.args(["--backend", "postgres", "--sites", "6", "--rows", "20000", "--flat", "3", "--load", "40"]);
    let output = expect(&mut command, 0);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["sites"], 6, "{answer}");
    let rows = positive(&answer, "rows");
    assert!((5_000.0..18_000.0).contains(&rows), "about half of the rows were deleted: {rows}");
    for key in ["vs_hand", "vs_plain_copy", "vs_ceiling", "verify_share", "rows_per_s", "live_p99_ms", "bytes"] {
        positive(&answer, key);
    }
    let share = answer["verify_share"].as_f64().unwrap();
    assert!(share < 1.0, "{share}");
    let contenders = answer["contenders"].as_object().unwrap();
    assert_eq!(contenders.keys().collect::<Vec<_>>(), ["ours", "hand", "plain", "ceiling"]);
    for timed in contenders.values() {
        let (wall, speed) = (positive(timed, "wall_s"), positive(timed, "rows_per_s"));
        assert!((wall * speed / rows - 1.0).abs() < 1e-6, "{timed} of {rows} rows");
        positive(timed, "live_cpu_s");
        // Rows do not get into a database without as many bytes of WAL; compressed pages are a half of them at least.
        assert!(positive(timed, "wal_bytes") > answer["bytes"].as_f64().unwrap() / 2.0, "{timed}");
    }
    let ratio = |other: &str| positive(&contenders["ours"], "rows_per_s") / positive(&contenders[other], "rows_per_s");
    for (key, other) in [("vs_hand", "hand"), ("vs_plain_copy", "plain"), ("vs_ceiling", "ceiling")] {
        assert!((answer[key].as_f64().unwrap() - ratio(other)).abs() < 1e-9, "{key}");
    }
    let small = answer["small_sites"].as_u64().unwrap();
    for key in ["small_site_ms", "small_site_hand_ms"] {
        assert_eq!(answer[key].is_number(), small > 1, "{key} with {small} small sites");
    }
    for phase in ["before", "unlimited", "limited"] {
        positive(&answer["live"][phase], "transactions");
    }
    assert_eq!(answer["live"]["limited"]["p99_ms"], answer["live_p99_ms"]);
    let flat = answer["cost_flat"].as_array().unwrap();
    assert_eq!((flat.len(), &flat[0]["sites"]), (1, &Value::from(3)));
    positive(&flat[0], "us_per_row");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "files were left behind");
}

#[test]
fn what_is_not_asked_for_is_not_measured() {
    let folder = folder();
    let output = expect(bench(folder.path()).args(["--sites", "2", "--rows", "2000", "--only", "ceiling,ours"]), 0);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["contenders"].as_object().unwrap().keys().collect::<Vec<_>>(), ["ours", "ceiling"]);
    positive(&answer, "vs_ceiling");
    for key in ["vs_hand", "vs_plain_copy", "small_site_ms", "live_p99_ms", "live"] {
        assert!(answer[key].is_null(), "{key}: {answer}");
    }
    assert_eq!(answer["cost_flat"], serde_json::json!([]));
}

#[test]
fn another_backend_is_refused() {
    let folder = folder();
    let output = expect(bench(folder.path()).args(["--backend", "sqlite"]), 2);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("bench-backend") && error.contains("--backend postgres"), "{error}");
}
