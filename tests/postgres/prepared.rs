//! Transactions that were prepared at a restore point and had not ended: no recovered server shows them, so they are told.

use reinstate_tests::postgres::Cluster;
use runtime::engine::Advice;
use serde_json::{Value, json};

use crate::stage::{Stage, apply, ask, done, drop_it, kill, recover, refused, servers};

fn stage() -> Stage {
    let stage = Stage::with(Cluster::with().set("max_prepared_transactions", "300"));
    let _ = stage.live.sql("shop", "CREATE ROLE app SUPERUSER LOGIN");
    stage
}

fn prepare(stage: &Stage, gid: &str, work: &str) {
    let _ = stage.live.sql("shop", &format!("SET ROLE app; BEGIN; {work}; PREPARE TRANSACTION '{gid}'"));
}

fn gids(outputs: &Value) -> Vec<&str> {
    outputs["prepared"].as_array().unwrap().iter().map(|it| it["gid"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn transactions_that_were_prepared_at_the_point_are_listed() {
    let stage = stage();
    // One in the backup's files, the others in the WAL; so many that their records go over the ends of pages.
    prepare(&stage, "before: the backup", "INSERT INTO t VALUES (100)");
    let base = stage.live.base_backup("later");
    let named: Vec<String> = (101..280).map(|n| format!("txn {n}: it is ''{n}''")).collect();
    for (n, gid) in (101..).zip(&named) {
        let ddl = if n % 20 == 0 { format!("; CREATE TABLE of_{n} (a int)") } else { String::new() };
        let _ = stage.live.sql(
            "shop",
            &format!("BEGIN; INSERT INTO t VALUES ({n}); SAVEPOINT s; INSERT INTO t VALUES (-{n}){ddl}; PREPARE TRANSACTION '{gid}'"),
        );
    }
    let _ = stage.live.sql("shop", &format!("COMMIT PREPARED '{}'", named[0]));
    let _ = stage.live.sql("shop", &format!("ROLLBACK PREPARED '{}'", named[1]));
    let expected = stage.live.sql("shop", "SELECT gid FROM pg_prepared_xacts ORDER BY prepared");
    let first = stage.mark(1);
    let all =
        "SELECT 'COMMIT PREPARED ' || quote_literal(gid) FROM pg_prepared_xacts WHERE gid <> 'before: the backup'";
    for commit in stage.live.sql("shop", all).lines() {
        let _ = stage.live.sql("shop", commit);
    }
    let second = stage.mark(2);
    let _ = stage.live.sql("shop", "COMMIT PREPARED 'before: the backup'");
    let third = stage.mark(3);
    stage.mark(4);
    stage.archive();

    let at = |point: &str| {
        let mut with = stage.with_at(point);
        with["backup"]["base"] = json!(base);
        with["name"] = "shard".into();
        with
    };
    let outputs = recover(&at(&first)).await;
    // What a standby itself says of them.
    assert_eq!(ask(&outputs, "SELECT count(*)::text FROM pg_prepared_xacts").await, "0");
    assert_eq!(gids(&outputs), expected.lines().collect::<Vec<_>>());
    let one = &outputs["prepared"][0];
    assert_eq!((&one["owner"], &one["database"]), (&json!("app"), &json!("shop")));
    assert!(one["prepared_at"].as_str().unwrap() < outputs["prepared"][1]["prepared_at"].as_str().unwrap());
    assert_eq!(outputs["prepared"][1]["owner"], "postgres");
    let evidence = outputs["restore_point"]["evidence"].as_str().unwrap();
    let warning = "WARNING: 178 prepared transactions are not in it: \"before: the backup\" of app in shop, prepared ";
    assert!(evidence.contains(warning) && evidence.contains("; and 170 more"), "{evidence}");

    // Found again, also by a server that replays from its last restartpoint.
    let again = recover(&at(&first)).await;
    assert_eq!(again, outputs);
    ask(&again, "CHECKPOINT").await;
    let data = std::path::PathBuf::from(again["path"].as_str().unwrap()).join("data");
    servers(&data).into_iter().for_each(kill);
    assert_eq!(recover(&at(&first)).await["prepared"], outputs["prepared"]);
    // Each point on the way has its own.
    assert_eq!(gids(&recover(&at(&second)).await), ["before: the backup"]);
    assert_eq!(gids(&recover(&at(&third)).await), Vec::<&str>::new());
    drop_it(&at(&third)).await;
}

#[tokio::test]
async fn a_point_with_prepared_transactions_is_refused_where_it_shall_be() {
    let stage = stage();
    prepare(&stage, "open", "INSERT INTO t VALUES (100)");
    let at = stage.mark(1);
    let _ = stage.live.sql("shop", "ROLLBACK PREPARED 'open'");
    let later = stage.mark(2);
    stage.mark(3);
    stage.archive();
    let mut with = stage.with_at(&at);
    with["on_prepared"] = "refuse".into();
    let said = refused(&apply("postgres/recover@1", &with).await, "postgres.prepared", Advice::Never);
    assert!(said.contains("1 prepared transactions had not ended at the point: \"open\" of app in shop"), "{said}");
    drop_it(&with).await;
    with["at"] = later.into();
    assert_eq!(recover(&with).await["prepared"], json!([]));
    drop_it(&with).await;
}

#[tokio::test]
async fn each_site_of_an_extract_tells_of_transactions_prepared_at_its_point() {
    let stage = stage();
    let one = stage.mark(1);
    prepare(&stage, "between", "INSERT INTO t VALUES (100)");
    let two = stage.mark(2);
    let _ = stage.live.sql("shop", "COMMIT PREPARED 'between'");
    stage.archive();
    let mut with = stage.with_at(&one);
    let with = json!({
        "backup": with["backup"].take(), "points": { "1": one, "2": two }, "root": { "table": "t" },
        "into": stage.instances().join("taken"), "server_into": stage.instances(),
    });
    let mut with = with;
    with["backup"]["database"] = "shop".into();
    let outputs = done(&apply("postgres/extract@1", &with).await);
    let evidence = |at: usize| outputs["restore_point"][at]["evidence"].as_str().unwrap();
    assert!(!evidence(0).contains("prepared"), "{outputs}");
    assert!(evidence(1).contains("1 prepared transactions are not in it: \"between\" of app in shop"), "{outputs}");
}
