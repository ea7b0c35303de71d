//! `postgres/restore`, `verify`, `bystanders` and `remove` with `remap`, as the driver calls them.

use std::sync::Arc;
use std::time::Duration;

use runtime::engine::{Advice, Outcome};
use runtime::{Call, Connector, SecretText};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::world::{DECLARED, JSON, NEW, OLD, TEXT, world};
use crate::restore::world::World;
use crate::stage::{connector, done, refused};

const KEY: &str = "run1/restore/1";

struct Driver {
    world: World,
    connector: Arc<dyn Connector>,
}

impl Driver {
    async fn new() -> Self {
        Self { world: world().await, connector: connector() }
    }

    fn call(&self, action: &str, key: &str, token: u64, more: Value) -> Call {
        let live = if action == "bystanders" { "live" } else { "to" };
        let mut with = json!({ "root": { "table": "sites", "declare": DECLARED } });
        with[live] = self.world.cluster.url("live").into();
        if matches!(action, "restore" | "verify") {
            with["from"] = self.world.cluster.url("copy").into();
            with["tenant"] = OLD.into();
            with["remap"] = json!({ "tenant": NEW, "json": JSON, "text": TEXT });
        }
        for (name, value) in more.as_object().unwrap() {
            with[name] = value.clone();
        }
        Call {
            uses: format!("postgres/{action}@1"),
            key: key.to_owned(),
            undoes: (action == "remove").then(|| KEY.to_owned()),
            token,
            with,
            secrets: SecretText::default(),
            timeout: Duration::from_secs(60),
            cancel: CancellationToken::new(),
            log: runtime::Log::default(),
        }
    }

    async fn done(&self, call: Call) -> Value {
        done(&self.connector.apply(call).await)
    }

    /// Refused for good under this code; returns what was said.
    async fn refused(&self, call: Call, code: &str) -> String {
        refused(&self.connector.apply(call).await, code, Advice::Never)
    }

    fn live(&self, sql: &str) -> String {
        self.world.live(sql)
    }
}

#[tokio::test]
async fn a_site_goes_there_and_back_and_there_again_under_a_new_id() {
    let driver = Driver::new().await;
    let damaged = driver.world.rows("live");
    let restore = |token| driver.call("restore", KEY, token, json!({}));
    let verify = || driver.call("verify", "run1/verify", 1, json!({}));
    let _ = driver.refused(verify(), "remap.no_map").await;
    let restored = driver.done(restore(1)).await;
    assert_eq!((&restored["tenant"], &restored["ids"]["users"]), (&json!(NEW), &json!(2)));
    assert_eq!(restored.get("dangling"), None);
    let Outcome::Done { outputs } = driver.connector.probe(restore(2)).await else { panic!("it is done") };
    assert_eq!(serde_json::from_str::<Value>(&outputs.unwrap()).unwrap(), restored, "the ledger says the same");
    assert_eq!(driver.done(restore(2)).await, restored);
    let rows = driver.world.rows("live");

    let verified = driver.done(verify()).await;
    assert_eq!(verified["rows"], restored["rows"]);
    let stood = driver.done(driver.call("bystanders", "run1/bystanders", 1, json!({}))).await;
    assert_eq!(
        (&stood["restored_sites"], &stood["rows"], &stood["rows_seen"], &stood["foreign"]),
        (&json!(1), &restored["rows"], &restored["rows"], &json!(0))
    );
    assert_eq!(stood["wal"]["inserted"], restored["rows"], "{stood}");

    // Taken back by either ID, twice, and nothing is left of it; a late attempt comes too late.
    let remove = |tenant: &str, token| driver.call("remove", "run1/restore/1/undo", token, json!({ "tenant": tenant }));
    assert_eq!(driver.done(remove(NEW, 1)).await["rows"], restored["rows"]);
    assert_eq!(driver.done(remove(NEW, 2)).await["rows"], restored["rows"]);
    assert_eq!(driver.world.rows("live"), damaged);
    assert_eq!(driver.live("SELECT count(*) FROM reinstate.id_map"), "0");
    let _ = driver.refused(restore(3), "postgres.undone").await;
    let _ = driver.refused(verify(), "remap.no_map").await;
    let again = driver.done(driver.call("restore", "run2/restore/1", 1, json!({}))).await;
    assert_eq!((&again["ids"], &again["hash"]), (&restored["ids"], &restored["hash"]));
    assert_eq!(driver.world.rows("live").len(), rows.len());
    let stood = driver.done(driver.call("bystanders", "run2/bystanders", 1, json!({}))).await;
    assert_eq!((&stood["restored_sites"], &stood["transactions"]), (&json!(1), &json!(3)));
}

#[tokio::test]
async fn the_old_id_takes_it_back_too_and_rows_that_changed_since_stay() {
    let driver = Driver::new().await;
    let damaged = driver.world.rows("live");
    let _ = driver.done(driver.call("restore", KEY, 1, json!({}))).await;
    let remove = |more: Value| driver.call("remove", "run1/restore/1/undo", 1, more);
    let _ = driver.live(&format!("UPDATE pages SET title = 'changed' WHERE site_id = '{NEW}'"));
    let said = driver.refused(remove(json!({ "tenant": OLD })), "postgres.changed_since").await;
    assert!(said.contains(NEW) && said.contains("pages"), "{said}");
    let _ = driver.done(remove(json!({ "tenant": OLD, "if_changed": "remove" }))).await;
    assert_eq!(driver.world.rows("live"), damaged);
    assert_eq!(driver.live("SELECT count(*) FROM reinstate.id_map"), "0");
}

#[tokio::test]
async fn an_undo_that_comes_first_keeps_a_late_attempt_out_by_either_id() {
    for tenant in [OLD, NEW] {
        let driver = Driver::new().await;
        let undo = driver.call("remove", "run1/restore/1/undo", 1, json!({ "tenant": tenant }));
        assert_eq!(driver.done(undo).await["rows"], 0);
        let _ = driver.refused(driver.call("restore", KEY, 1, json!({})), "postgres.undone").await;
    }
}

#[tokio::test]
async fn a_difference_of_one_value_is_found_under_new_ids_and_so_is_an_old_one() {
    let driver = Driver::new().await;
    let _ = driver.done(driver.call("restore", KEY, 1, json!({}))).await;
    let verify = || driver.call("verify", "run1/verify", 1, json!({}));
    for (damage, repair, said) in [
        ("UPDATE pages SET title = 'other'", "UPDATE pages SET title = 'page'", "pages: 1 rows, with other contents"),
        // A reference to the wrong row of the same site.
        (
            "UPDATE comments SET parent_id = id WHERE parent_id IS NOT NULL",
            "UPDATE comments SET parent_id = (SELECT min(c.id) FROM comments c JOIN issues i ON i.id = c.issue_id WHERE i.site_id = SITE) WHERE parent_id IS NOT NULL",
            "comments: 2 rows, with other contents",
        ),
    ] {
        let own = |sql: &str, table: &str| {
            let sql = sql.replace("SITE", &format!("'{NEW}'"));
            let and = if sql.contains("WHERE parent_id") { "AND" } else { "WHERE" };
            let own = match table {
                "pages" => format!("site_id = '{NEW}'"),
                _ => format!("issue_id IN (SELECT id FROM issues WHERE site_id = '{NEW}')"),
            };
            format!("{sql} {and} {own}")
        };
        let table = if damage.contains("pages") { "pages" } else { "comments" };
        let _ = driver.live(&own(damage, table));
        let message = driver.refused(verify(), "postgres.differ").await;
        assert!(message.contains(said), "{message}");
        let _ = driver.live(&own(repair, table));
        assert!(driver.done(verify()).await["rows"].as_u64().unwrap() > 20);
    }
    let _ = driver.live(&format!("UPDATE hooks SET url = 'https://x/{OLD}' WHERE site_id = '{NEW}'"));
    let said = driver.refused(verify(), "remap.dangling").await;
    assert!(said.contains("hooks.url in 1 row"), "{said}");
}

#[tokio::test]
async fn a_declaration_that_cannot_be_read_is_told_with_its_place() {
    let driver = Driver::new().await;
    let remap = json!({ "tenant": NEW, "json": [JSON[0], "issues(payload .x)->issues(id)"] });
    let call = driver.call("restore", KEY, 1, json!({ "remap": remap }));
    let said = driver.refused(call, "remap.declaration").await;
    assert!(said.starts_with("remap.json[1]: ") && said.contains("it has no path"), "{said}");
    let _ = driver.refused(driver.call("restore", KEY, 1, json!({ "remap": { "tenants": [NEW] } })), "inputs").await;
}

#[tokio::test]
async fn an_attempt_that_is_cut_off_leaves_nothing_and_the_next_one_does_it_all() {
    let driver = Driver::new().await;
    let damaged = driver.world.rows("live");
    // Somebody holds a table that comes late, so that rows are written when the server ends the session.
    let mut other = connectors::postgres::connect(&driver.world.cluster.url("live")).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE reactions IN SHARE MODE").execute(&mut other).await.unwrap();
    let call = driver.call("restore", KEY, 1, json!({ "lock_timeout": "60s" }));
    let attempt = driver.connector.apply(call);
    let mut watcher = connectors::postgres::connect(&driver.world.cluster.url("postgres")).await.unwrap();
    let cut = async {
        const CUT: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                           AND query LIKE 'INSERT INTO \"public\".\"reactions\"%'";
        while sqlx::query_as::<_, (i64,)>(CUT).fetch_one(&mut watcher).await.unwrap().0 == 0 {}
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    };
    let (outcome, ()) = tokio::join!(attempt, cut);
    assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
    assert_eq!(driver.world.rows("live"), damaged);
    assert_eq!(
        driver.live("SELECT (SELECT count(*) FROM reinstate.ledger), (SELECT count(*) FROM reinstate.id_map)"),
        "0|0"
    );
    let restored = driver.done(driver.call("restore", KEY, 2, json!({}))).await;
    assert_eq!(restored["inserted"], restored["rows"]);
    assert!(driver.done(driver.call("verify", "run1/verify", 1, json!({}))).await["rows"].is_u64());
}
