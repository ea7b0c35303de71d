//! Servers that are away while a tenant is restored: the recovered one, which nobody but an attempt starts again, and the
//! live one.

use std::path::PathBuf;

use reinstate_tests::postgres::{Cluster, as_server, tool};
use runtime::Call;
use runtime::engine::{Advice, Outcome};
use serde_json::{Value, json};

use crate::stage::{Stage, call, connector, done, drop_it, kill, path, postmaster, recover, rows, servers};

/// A stage whose rows 1 and 3 are gone from the live database, and the server recovered to before that.
async fn damaged(long: bool) -> (Stage, Value, Value) {
    damaged_after(long, "SELECT 1").await
}

/// The same, with something done before that is still there after it.
async fn damaged_after(long: bool, first: &str) -> (Stage, Value, Value) {
    damaged_on(Stage::new(), long, first).await
}

/// The same on a stage of one's own.
async fn damaged_on(stage: Stage, long: bool, first: &str) -> (Stage, Value, Value) {
    let _ = stage.live.sql("shop", first);
    let _ = (stage.mark(1), stage.mark(2));
    let at = stage.mark(3);
    let _ = stage.live.sql("shop", "DELETE FROM t WHERE n IN (1, 3)");
    stage.archive();
    let mut with = stage.with_at(&at);
    if long {
        // Too long for a socket: it lies elsewhere.
        with["into"] = stage.instances().join("a-folder-with-a-name".repeat(4)).display().to_string().into();
    }
    let recovered = recover(&with).await;
    (stage, with, recovered)
}

fn on(stage: &Stage, recovered: &Value, action: &str, tenant: u32) -> Call {
    let with = json!({
        "from": recovered["url"], "to": stage.live.url("shop"), "root": { "table": "t" }, "tenant": tenant,
    });
    Call { key: format!("run1/{action}/{tenant}"), ..call(&format!("postgres/{action}@1"), &with) }
}

async fn apply(call: Call) -> Outcome {
    connector().apply(call).await
}

#[tokio::test]
async fn a_recovered_server_that_died_is_started_again_by_whoever_needs_it() {
    for long in [false, true] {
        let (stage, with, recovered) = damaged(long).await;
        let (data, before) = (path(&recovered).join("data"), postmaster(&recovered));
        servers(&data).into_iter().for_each(kill);
        // One attempt is enough: nothing is left to the retries of a runbook.
        assert_eq!(done(&apply(on(&stage, &recovered, "restore", 1)).await)["inserted"], 1);
        assert_eq!(rows(&recovered).await, "0,1,2,3", "it stands where it stood");
        assert_ne!(postmaster(&recovered), before);
        kill(postmaster(&recovered));
        assert_eq!(done(&apply(on(&stage, &recovered, "verify", 1)).await)["rows"], 1);
        // And what made it still knows it as its own.
        assert_eq!(recover(&with).await["replay_lsn"], recovered["replay_lsn"]);
        assert!(drop_it(&with).await);
        assert_eq!((path(&recovered).exists(), servers(&data).len()), (false, 0));
    }
}

#[tokio::test]
async fn a_recovered_server_that_ends_without_a_word_is_started_once_more_by_whoever_needs_it() {
    let (stage, with, recovered) = damaged(false).await;
    let data = path(&recovered).join("data");
    servers(&data).into_iter().for_each(kill);
    // Programs of which the server ends at once, the first time that it is started.
    let programs = tempfile::tempdir().unwrap();
    let (postgres, ended) = (programs.path().join("postgres"), programs.path().join("ended"));
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] || [ -e '{0}' ] || {{ : > '{0}'; exit 1; }}\nexec '{1}' \"$@\"\n",
        ended.display(),
        tool("postgres"),
    );
    std::fs::write(&postgres, script).unwrap();
    std::fs::set_permissions(&postgres, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink(tool("pg_controldata"), programs.path().join("pg_controldata")).unwrap();
    reinstate_tests::postgres::give(programs.path());
    let file = path(&recovered).join("reinstate-recovered.json");
    let mut state: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    state["bin"] = programs.path().display().to_string().into();
    std::fs::write(&file, state.to_string()).unwrap();
    assert_eq!(done(&apply(on(&stage, &recovered, "restore", 1)).await)["inserted"], 1);
    assert!(ended.exists(), "it was started, and ended");
    assert!(drop_it(&with).await);
}

#[tokio::test]
async fn two_who_need_a_dead_server_start_one() {
    let (stage, with, recovered) = damaged(false).await;
    let data = path(&recovered).join("data");
    servers(&data).into_iter().for_each(kill);
    let both = [on(&stage, &recovered, "restore", 1), on(&stage, &recovered, "restore", 3)].map(apply);
    for outcome in futures::future::join_all(both).await {
        assert_eq!(done(&outcome)["inserted"], 1);
    }
    assert_eq!(stage.live.sql("shop", "SELECT string_agg(n::text, ',' ORDER BY n) FROM t"), "0,1,2,3");
    assert!(drop_it(&with).await);
}

#[tokio::test]
async fn a_recovered_server_whose_connection_was_killed_is_read_at_its_point_only() {
    let (stage, with, recovered) = damaged(false).await;
    for tenant in [1, 3] {
        // Its other processes end, and it replays from its last restartpoint while it answers queries already.
        let url = recovered["url"].as_str().unwrap();
        let mut held = connectors::postgres::connect(url).await.unwrap();
        let (pid,): (i32,) = sqlx::query_as("SELECT pg_backend_pid()").fetch_one(&mut held).await.unwrap();
        kill(pid.try_into().unwrap());
        assert_eq!(done(&apply(on(&stage, &recovered, "restore", tenant)).await)["inserted"], 1);
    }
    assert!(drop_it(&with).await);
}

#[tokio::test]
async fn a_live_server_that_restarts_is_waited_for() {
    let (mut stage, with, recovered) = damaged(false).await;
    stage.live.kill();
    let restore = tokio::spawn(apply(on(&stage, &recovered, "restore", 1)));
    // It is away at least until the attempt has begun.
    tokio::task::yield_now().await;
    let stage = tokio::task::spawn_blocking(move || {
        stage.live.start_again();
        stage
    });
    let (outcome, stage) = (restore.await.unwrap(), stage.await.unwrap());
    assert_eq!(done(&outcome)["inserted"], 1);
    assert_eq!(stage.live.sql("shop", "SELECT count(*) FROM reinstate.ledger"), "1");
    assert!(drop_it(&with).await);
}

#[tokio::test]
async fn a_live_server_that_is_full_is_waited_for() {
    let options = Cluster::with().set("max_connections", "8").set("superuser_reserved_connections", "0");
    let (stage, with, recovered) = damaged_on(Stage::with(options), false, "SELECT 1").await;
    let mut others = Vec::new();
    let full = loop {
        match connectors::postgres::connect(&stage.live.url("shop")).await {
            Ok(other) => others.push(other),
            Err(full) => break full,
        }
    };
    assert_eq!(full.code(), "postgres.full", "{full}");
    let turned_away = || stage.live.log().matches("too many clients").count();
    let before = turned_away();
    let restore = tokio::spawn(apply(on(&stage, &recovered, "restore", 1)));
    while turned_away() == before {
        tokio::task::yield_now().await;
    }
    drop(others);
    assert_eq!(done(&restore.await.unwrap())["inserted"], 1);
    assert!(drop_it(&with).await);
}

#[tokio::test]
async fn what_was_committed_before_the_server_died_is_never_told_as_nothing() {
    let (mut stage, with, recovered) = damaged_after(false, "INSERT INTO t SELECT generate_series(10, 79)").await;
    let _ = stage.live.sql("shop", "DELETE FROM t WHERE n >= 10");
    // One of the last of 71 tenants waits for somebody who may or may not commit: others were committed before.
    let mut other = connectors::postgres::connect(&stage.live.url("shop")).await.unwrap();
    sqlx::raw_sql("BEGIN; INSERT INTO t VALUES (79)").execute(&mut other).await.unwrap();
    let mut call = on(&stage, &recovered, "restore", 1);
    call.with["tenants"] = (10..80).collect::<Vec<u32>>().into();
    call.with["connections"] = 1.into();
    call.with["lock_timeout"] = "5m".into();
    let restore = tokio::spawn(apply(call));
    while stage.live.sql("shop", "SELECT count(*) FROM pg_locks WHERE NOT granted") != "1" {
        tokio::task::yield_now().await;
    }
    stage.live.kill();
    match restore.await.unwrap() {
        Outcome::Unknown { failure } => {
            let done = failure.message.split_once(" of 71 are done").and_then(|(done, _)| done.parse::<u32>().ok());
            assert!(done.is_some_and(|done| (1..71).contains(&done)), "{failure:?}");
        }
        other => panic!("{other:?}"),
    }
    stage.live.start_again();
    let mut again = on(&stage, &recovered, "restore", 1);
    again.with["tenants"] = (10..80).collect::<Vec<u32>>().into();
    assert_eq!(done(&apply(again).await)["inserted"], 71);
    assert_eq!(stage.live.sql("shop", "SELECT count(*), max(n) FROM t"), "73|79");
    assert!(drop_it(&with).await);
}

#[tokio::test]
async fn a_standby_on_its_way_is_not_read() {
    let mut stage = Stage::new();
    let standby = Standby::of(&mut stage);
    let with = json!({
        "from": standby.url, "to": stage.live.url("shop"), "root": { "table": "t" }, "tenant": 0,
    });
    for action in ["postgres/restore@1", "postgres/verify@1"] {
        match apply(call(action, &with)).await {
            Outcome::Refused { failure, retry: Advice::Retry } => {
                assert_eq!((&*failure.code, failure.hint.is_empty()), ("postgres.moving", false));
            }
            other => panic!("{action}: {other:?}"),
        }
    }
    // The same one is fine once it is told to stand still.
    let mut connection = connectors::postgres::connect(&standby.url).await.unwrap();
    sqlx::query("SELECT pg_wal_replay_pause()").execute(&mut connection).await.unwrap();
    assert_eq!(done(&apply(call("postgres/verify@1", &with)).await)["rows"], 1);
}

/// A standby that waits for WAL for ever.
struct Standby {
    data: PathBuf,
    url: String,
    _socket: tempfile::TempDir,
}

impl Standby {
    fn of(stage: &mut Stage) -> Self {
        let (data, socket) = (stage.live.base_backup("standby"), tempfile::tempdir().unwrap());
        reinstate_tests::postgres::give(socket.path());
        std::fs::write(data.join("standby.signal"), "").unwrap();
        let options = format!("-k {} -c listen_addresses=''", socket.path().display());
        let mut start = as_server(&tool("pg_ctl"));
        let start = start.args(["start", "--silent", "--wait", "-o", &options, "-l"]).arg(data.join("log"));
        assert!(start.arg("-D").arg(&data).status().unwrap().success());
        let host = socket.path().display().to_string().replace('/', "%2F");
        Self { data, url: format!("postgres://postgres@localhost:5432/shop?host={host}"), _socket: socket }
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        let mut stop = as_server(&tool("pg_ctl"));
        let _ = stop.args(["stop", "--silent", "--mode=immediate", "-D"]).arg(&self.data).status();
    }
}

#[tokio::test]
async fn a_probe_that_cannot_ask_knows_nothing() {
    let stage = Stage::new();
    // The server is there and does not let us in: that it says so at once makes no difference.
    let url = stage.live.url("nowhere");
    for (action, undoes) in [("restore", None), ("remove", Some("run1/restore/1".to_owned()))] {
        let mut with = json!({ "to": url, "root": { "table": "t" }, "tenant": 1 });
        if action == "restore" {
            with["from"] = url.clone().into();
        }
        let probed = connector().probe(Call { undoes, ..call(&format!("postgres/{action}@1"), &with) }).await;
        assert!(matches!(probed, Outcome::Unknown { .. }), "{action}: {probed:?}");
    }
}
