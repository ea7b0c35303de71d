//! A restore point by transaction, position or name: nothing is lost that was committed before the damage.

use runtime::engine::Advice;
use serde_json::{Value, json};

use crate::stage::{Stage, apply, drop_it, kill, path, recover, refused, rows, servers};

/// A stage on which a script deletes rows 1 and 2 between two inserts, and what is known of it.
struct Damage {
    stage: Stage,
    xid: u64,
    before: String,
    after: String,
}

impl Damage {
    fn new() -> Self {
        let stage = Stage::new();
        let before = stage.mark(1);
        let script = "INSERT INTO t VALUES (2); SELECT FROM pg_create_restore_point('before the script'); \
            BEGIN; SELECT pg_current_xact_id(); DELETE FROM t WHERE n IN (1, 2); COMMIT; INSERT INTO t VALUES (3)";
        let xid = stage.live.sql("shop", script).trim().parse().unwrap();
        let after = stage.mark(4);
        stage.archive();
        Self { stage, xid, before, after }
    }

    fn at(&self, at: Value) -> Value {
        let mut with = self.stage.with_at("");
        with["at"] = at;
        with
    }
}

#[tokio::test]
async fn an_instance_stands_just_before_the_transaction_that_did_the_damage() {
    let damage = Damage::new();
    let by_xid = damage.at(json!({ "before_xid": damage.xid }));
    let outputs = recover(&by_xid).await;
    assert_eq!(rows(&outputs).await, "0,1,2", "what was committed a moment before is there");
    assert_eq!(outputs["asked"], format!("before_xid {}", damage.xid));
    let stopped = outputs["stopped_by"].as_str().unwrap();
    assert!(stopped.starts_with(&format!("before commit of transaction {}, time ", damage.xid)), "{stopped}");
    let point = &outputs["restore_point"];
    assert!(point["reached"].as_str().unwrap() > damage.before.as_str(), "{outputs}");
    assert!(point["until"].as_str().unwrap() < damage.after.as_str(), "{outputs}");
    assert_eq!(outputs["prepared"], json!([]));

    // The same inputs find the same instance, also after its server died.
    servers(&path(&outputs).join("data")).into_iter().for_each(kill);
    let again = recover(&by_xid).await;
    assert_eq!((&again["url"], &again["replay_lsn"]), (&outputs["url"], &outputs["replay_lsn"]));

    // Another server goes to where this one stands, and to the name that was given to the moment.
    let by_lsn = damage.at(json!({ "lsn": outputs["replay_lsn"] }));
    let other = recover(&by_lsn).await;
    assert_ne!(other["url"], outputs["url"]);
    assert_eq!((&other["replay_lsn"], rows(&other).await.as_str()), (&outputs["replay_lsn"], "0,1,2"));
    let stopped = other["stopped_by"].as_str().unwrap();
    assert!(stopped.starts_with("before WAL location (LSN) "), "{stopped}");
    let by_name = damage.at(json!({ "name": "before the script" }));
    let named = recover(&by_name).await;
    assert_eq!(rows(&named).await, "0,1,2");
    assert!(named["stopped_by"].as_str().unwrap().starts_with("at restore point \"before the script\""), "{named}");
    for with in [by_xid, by_lsn, by_name] {
        assert!(drop_it(&with).await);
    }
}

#[tokio::test]
async fn a_place_that_the_wal_does_not_hold_is_refused_and_so_is_one_that_is_none() {
    let damage = Damage::new();
    for at in [json!({ "before_xid": damage.xid + 1000 }), json!({ "lsn": "7/0" }), json!({ "name": "never made" })] {
        let with = damage.at(at);
        let said = refused(&apply("postgres/recover@1", &with).await, "postgres.wal_too_short", Advice::Retry);
        assert!(said.starts_with("the WAL does not reach "), "{said}");
        drop_it(&with).await;
    }
    for at in [json!({}), json!({ "before_xid": 741, "name": "a" }), json!({ "xid": 741 }), json!({ "lsn": "here" })] {
        refused(&apply("postgres/recover@1", &damage.at(at)).await, "inputs", Advice::Never);
    }
    assert!(!damage.stage.instances().exists() || std::fs::read_dir(damage.stage.instances()).unwrap().count() == 0);
}

#[tokio::test]
async fn an_instance_moves_on_from_time_to_time_only() {
    let damage = Damage::new();
    let named = |at: Value| {
        let mut with = damage.at(at);
        with["name"] = "shard".into();
        with
    };
    assert_eq!(rows(&recover(&named(json!(damage.before))).await).await, "0,1");
    let to_xid = named(json!({ "before_xid": damage.xid }));
    let said = refused(&apply("postgres/recover@1", &to_xid).await, "postgres.cannot_advance", Advice::Never);
    assert!(said.contains(&format!("to go to before_xid {}", damage.xid)), "{said}");
    assert!(drop_it(&to_xid).await, "its name is enough");
    assert_eq!(rows(&recover(&to_xid).await).await, "0,1,2");
    let back = named(json!(damage.after));
    refused(&apply("postgres/recover@1", &back).await, "postgres.cannot_advance", Advice::Never);
    drop_it(&to_xid).await;
}

#[tokio::test]
async fn of_several_backups_the_one_before_a_place_is_chosen_by_a_time() {
    let mut damage = Damage::new();
    let later = damage.stage.live.base_backup("later");
    // What was written since is in the archive, too.
    damage.stage.archive();
    let mut with = damage.at(json!({ "before_xid": damage.xid }));
    with["backup"] = json!({ "bases": [damage.stage.base, later], "wal": damage.stage.live.archive() });
    let said = refused(&apply("postgres/recover@1", &with).await, "inputs", Advice::Never);
    assert!(said.contains("which of several base backups"), "{said}");
    with["at"]["since"] = damage.before.clone().into();
    let outputs = recover(&with).await;
    assert_eq!((rows(&outputs).await.as_str(), &outputs["backup"]["path"]), ("0,1,2", &json!(damage.stage.base)));
    drop_it(&with).await;
    damage.stage.live.stop();
}
