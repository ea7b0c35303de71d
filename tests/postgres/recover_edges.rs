//! `postgres/recover` where the live cluster has places, settings and tools of its own.

use std::time::Duration;

use reinstate_tests::postgres::{Cluster, as_server, give};
use runtime::engine::Advice;
use serde_json::json;

use crate::stage::{
    Stage, apply, ask, call, connector, done, drop_it, fingerprint, path, postmaster, recover, refused, rows, servers,
};

#[tokio::test]
async fn tablespaces_are_copied_and_the_live_ones_left_alone() {
    let stage = Stage::new();
    let home = stage.live.data().parent().unwrap().to_owned();
    for name in ["space", "mapped"] {
        std::fs::create_dir(home.join(name)).unwrap();
        give(&home.join(name));
    }
    let _ = stage.live.sql("shop", &format!("CREATE TABLESPACE far LOCATION '{}'", home.join("space").display()));
    let _ = stage.live.sql("shop", "CREATE TABLE s (n int) TABLESPACE far; INSERT INTO s VALUES (1); CHECKPOINT");
    let mut backup = as_server(&reinstate_tests::postgres::tool("pg_basebackup"));
    backup.args(["--no-sync", "--checkpoint=fast", "--dbname"]).arg(stage.live.url("postgres"));
    let map = format!("{}={}", home.join("space").display(), home.join("mapped").display());
    let taken = backup.arg("--tablespace-mapping").arg(map).arg("--pgdata").arg(home.join("wide")).status().unwrap();
    assert!(taken.success());
    let _ = stage.live.sql("shop", "INSERT INTO s VALUES (2)");
    let at = stage.mark(1);
    let _ = stage.live.sql("shop", "INSERT INTO s VALUES (3)");
    stage.archive();
    stage.live.archive_now();
    let mut with = stage.with_at(&at);
    with["backup"] = json!({ "base": home.join("wide"), "wal": stage.live.archive() });
    let mapped = fingerprint(&home.join("mapped"));
    let outputs = recover(&with).await;
    assert_eq!(ask(&outputs, "SELECT string_agg(n::text, ',') FROM s").await, "1,2");
    let place = ask(&outputs, "SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'far'").await;
    assert!(place.starts_with(&path(&outputs).display().to_string()), "{place}");
    drop_it(&with).await;
    assert_eq!(fingerprint(&home.join("mapped")), mapped);
    assert_eq!(stage.live.sql("shop", "SELECT string_agg(n::text, ',') FROM s"), "1,2,3");

    // A command that brings data which still points at the live place is stopped before a server sees it.
    let script = format!("cp -a {}/. \"$1\"", home.join("wide").display());
    with["backup"] = json!({ "restore_command": ["sh", "-c", script, "sh", "{target}"], "wal": stage.live.archive() });
    let text = refused(&apply("postgres/recover@1", &with).await, "postgres.tablespace", Advice::Never);
    assert!(text.contains("outside of"), "{text}");
    assert!(drop_it(&with).await);
    assert_eq!(fingerprint(&home.join("mapped")), mapped);
}

#[tokio::test]
async fn settings_that_the_live_server_raised_since_are_followed() {
    let mut stage = Stage::with(Cluster::with().set("max_connections", "50"));
    let _ = stage.live.sql("postgres", "ALTER SYSTEM SET max_locks_per_transaction = 300");
    let _ = stage.live.sql("postgres", "ALTER SYSTEM SET max_worker_processes = 30");
    stage.live.stop();
    stage.live.start_again();
    let at = stage.mark(1);
    stage.mark(2);
    stage.archive();
    let outputs = recover(&stage.with_at(&at)).await;
    assert_eq!(rows(&outputs).await, "0,1");
    assert_eq!(ask(&outputs, "SHOW max_locks_per_transaction").await, "300");
    drop_it(&stage.with_at(&at)).await;
}

#[tokio::test]
async fn other_tools_fill_the_data_folder_by_a_command() {
    let stage = Stage::new();
    let at = stage.mark(1);
    let later = stage.mark(2);
    stage.mark(3);
    stage.archive();
    // As pgBackRest and its like do: their own settings and signals are in what they bring.
    let script = "test -n \"$REINSTATE_KEY\" && cp -a \"$1/.\" \"$2\" && touch \"$2/standby.signal\" && \
        echo \"archive_mode = on\" >> \"$2/postgresql.auto.conf\" && echo '{\"done\": true}'";
    let fetch = format!("cp '{}/%f' '%p'", stage.live.archive().display());
    let mut with = stage.with_at(&at);
    with["name"] = "tool".into();
    with["backup"] =
        json!({ "restore_command": ["sh", "-c", script, "sh", stage.base, "{target}"], "wal_command": fetch });
    let outputs = recover(&with).await;
    assert_eq!((rows(&outputs).await.as_str(), ask(&outputs, "SHOW archive_mode").await.as_str()), ("0,1", "off"));
    assert_eq!(outputs["backup"]["path"], json!(null));
    with["at"] = later.into();
    assert_eq!(rows(&recover(&with).await).await, "0,1,2");
    assert!(drop_it(&with).await);
    with["backup"]["restore_command"] = json!(["sh", "-c", "echo no repository >&2; exit 3"]);
    let text = refused(&apply("postgres/recover@1", &with).await, "exec.exit", Advice::Retry);
    assert!(text.contains("no repository"), "{text}");
    drop_it(&with).await;
}

#[tokio::test]
async fn a_service_makes_and_removes_a_managed_instance() {
    let stage = Stage::new();
    let folder = stage.live.data().parent().unwrap().join("service");
    std::fs::create_dir(&folder).unwrap();
    let at = stage.mark(1);
    // The service here: a file for each instance; all of them are the live server.
    let create = format!("touch {}/$1 && echo '{{\"endpoint\": \"{}\"}}'", folder.display(), stage.live.url("shop"));
    let drop = format!("rm -f {}/$1", folder.display());
    let with = json!({ "at": at, "backup": {
        "create": ["sh", "-c", create, "sh", "{name}"], "url_from": "endpoint",
        "drop": ["sh", "-c", drop, "sh", "{name}"] } });
    let outputs = recover(&with).await;
    assert_eq!(
        (outputs["url"].as_str().unwrap(), rows(&outputs).await.as_str()),
        (stage.live.url("shop").as_str(), "0,1")
    );
    assert_eq!(recover(&with).await, outputs);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "one instance for the same inputs");
    drop_it(&with).await;
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);

    let mut open = with.clone();
    open["backup"]["create"] = json!(["echo", "{\"endpoint\": \"postgres://me:hunter2@localhost/shop\"}"]);
    let text = refused(&apply("postgres/recover@1", &open).await, "postgres.answer", Advice::Never);
    assert!(text.contains("password") && !text.contains("hunter2"), "{text}");
    open["backup"]["create"] = json!(["echo", "done"]);
    refused(&apply("postgres/recover@1", &open).await, "postgres.answer", Advice::Retry);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_attempt_is_found_by_the_next() {
    let stage = Stage::new();
    let at = stage.mark(1);
    stage.mark(2);
    stage.archive();
    let mut with = stage.with_at(&at);
    // The server says when it first asks for WAL, and gets none before the gate is open.
    let home = stage.live.data().parent().unwrap().to_owned();
    let (gate, bell, rung) = (home.join("gate"), home.join("bell"), home.join("rung"));
    assert!(as_server("mkfifo").arg(&bell).status().unwrap().success());
    let fetch = format!(
        "if mkdir '{}'; then echo x > '{}'; fi; while [ ! -e '{}' ]; do sleep 0.01; done; cp '{}/%f' '%p'",
        rung.display(),
        bell.display(),
        gate.display(),
        stage.live.archive().display()
    );
    with["backup"] = json!({ "base": stage.base, "wal_command": fetch });
    let cancelled_when_asked = async || {
        let _ = std::fs::remove_dir(&rung);
        let call = call("postgres/recover@1", &with);
        let (cancel, bell) = (call.cancel.clone(), bell.clone());
        let attempt = tokio::spawn(async move { connector().apply(call).await });
        tokio::task::spawn_blocking(move || std::fs::read(bell)).await.unwrap().unwrap();
        cancel.cancel();
        refused(&attempt.await.unwrap(), "postgres.cancelled", Advice::Retry);
        let folders = std::fs::read_dir(stage.instances()).unwrap().flatten();
        let folder = folders.map(|entry| entry.path()).find(|path| path.is_dir()).unwrap();
        assert!(!servers(&folder).is_empty(), "it goes on");
        folder
    };
    let folder = cancelled_when_asked().await;
    let waiting = servers(&folder);
    let late = runtime::Call { timeout: Duration::from_millis(100), ..call("postgres/recover@1", &with) };
    let text = refused(&connector().apply(late).await, "postgres.timeout", Advice::Retry);
    assert!(text.contains("100ms"), "{text}");
    std::fs::write(&gate, "").unwrap();
    let outputs = done(&apply("postgres/recover@1", &with).await);
    assert_eq!(rows(&outputs).await, "0,1");
    assert!(waiting.contains(&postmaster(&outputs)), "the same server");

    // A drop ends also one that is on its way.
    assert!(drop_it(&with).await);
    std::fs::remove_file(&gate).unwrap();
    assert_eq!(cancelled_when_asked().await, folder);
    assert!(drop_it(&with).await);
    assert_eq!((servers(&folder), folder.exists()), (vec![], false));
}

#[tokio::test]
async fn a_deep_folder_has_its_socket_elsewhere() {
    let stage = Stage::new();
    let at = stage.mark(1);
    stage.archive();
    let mut with = stage.with_at(&at);
    with["into"] = stage.instances().join("deep-".repeat(30)).display().to_string().into();
    let outputs = recover(&with).await;
    assert_eq!(rows(&outputs).await, "0,1");
    let socket = std::path::PathBuf::from(ask(&outputs, "SHOW unix_socket_directories").await.trim_matches('"'));
    assert!(!socket.starts_with(path(&outputs)) && socket.exists());
    assert!(drop_it(&with).await);
    assert!(!socket.exists() && servers(&path(&outputs)).is_empty());
}
