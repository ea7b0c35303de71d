//! Runs of every released format, in the hands of the present binary: looked at, reported on, and gone on with.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::process::Command;

use reinstate_tests::process::{expect, reinstate};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection};

const BINARY: &str = env!("CARGO_BIN_EXE_reinstate-under-test");

/// Writes a store as an older version left it; with `more`, as it left it when it was killed.
fn written(store: &Path, sample: &'static str, more: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(store).create_if_missing(true);
        // The journal's mode stands in the file, and in no statement of the sample.
        let options = options.journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("{sample}{more}"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

fn typed(store: &Path, args: &[&str]) -> Command {
    let mut command = reinstate(BINARY);
    command.args(args).args(["--json", "--store", &format!("sqlite:{}", store.display())]);
    command
}

fn said(store: &Path, args: &[&str], code: i32) -> Value {
    let output = expect(&mut typed(store, args), code);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What the old run came to, by whomever it was ended.
fn is_whole(store: &Path) {
    let report = said(store, &["report", "sample"], 0);
    let tally = &report["sites_by_state"];
    assert_eq!(
        (&tally["given"], &tally["returned"], &tally["quarantined"]),
        (&4.into(), &3.into(), &1.into()),
        "{report:#}"
    );
    assert_eq!(report["exceptions"][0]["site"], "site-3", "{report:#}");
    let sites = expect(&mut typed(store, &["sites", "sample"]), 0);
    assert_eq!(String::from_utf8_lossy(&sites.stdout).matches("\"returned\"").count(), 3);
    let logs = expect(&mut typed(store, &["logs", "sample"]), 0);
    assert!(String::from_utf8_lossy(&logs.stdout).contains("\"ended\""));
}

#[test]
fn a_run_that_format_1_ended_is_told_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("runs.db");
    written(&store, include_str!("format-1.sql"), "");
    let before = std::fs::read(&store).unwrap();
    let _ = said(&store, &["status", "sample"], 3);
    is_whole(&store);
    assert_eq!(std::fs::read(&store).unwrap(), before, "a look changes nothing");
    let _ = expect(&mut typed(&store, &["resume", "sample"]), 3);
    is_whole(&store);
}

#[test]
fn a_run_that_format_1_was_killed_in_is_gone_on_with_wherever_that_was() {
    for last in (0..14).step_by(3) {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("runs.db");
        let kept = format!("DELETE FROM groups WHERE id & 0xffffffffff > {last};");
        written(&store, include_str!("format-1.sql"), &kept);
        let _ = expect(&mut typed(&store, &["resume", "sample"]), 3);
        is_whole(&store);
    }
}
