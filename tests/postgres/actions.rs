//! `postgres/restore`, `verify`, `bystanders` and `remove` as the driver calls them.

use std::sync::Arc;
use std::time::Duration;

use connectors::Settings;
use reinstate_tests::postgres::Cluster;
use runtime::engine::{Advice, Outcome};
use runtime::{Call, Connector, SecretText};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const SHOP: &str = "CREATE TABLE plans (id int PRIMARY KEY); \
    CREATE TABLE tenants (id int PRIMARY KEY, plan_id int NOT NULL REFERENCES plans); \
    CREATE TABLE items (id bigserial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, name text NOT NULL); \
    CREATE TABLE parts (item_id bigint NOT NULL REFERENCES items, n int, PRIMARY KEY (item_id, n)); \
    CREATE TABLE uses (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, item_id bigint REFERENCES items); \
    CREATE INDEX ON items (tenant_id); INSERT INTO plans VALUES (1); \
    INSERT INTO tenants SELECT n, 1 FROM generate_series(1, 4) AS n; \
    INSERT INTO items (tenant_id, name) SELECT 1 + n % 4, 'item ' || n FROM generate_series(1, 4000) AS n; \
    INSERT INTO parts SELECT id, k FROM items, generate_series(1, 2) AS k;";

/// Deletes tenant 1: 1,000 items, 2,000 parts and its own row.
const DELETE: &str = "DELETE FROM parts USING items WHERE item_id = id AND tenant_id = 1; \
    DELETE FROM items WHERE tenant_id = 1; DELETE FROM tenants WHERE id = 1";

struct World {
    cluster: Cluster,
    connector: Arc<dyn Connector>,
}

impl World {
    fn new() -> Self {
        let cluster = Cluster::start();
        cluster.create("copy");
        let _ = cluster.sql("copy", SHOP);
        let _ = cluster.sql("postgres", "CREATE DATABASE live TEMPLATE copy");
        let _ = cluster.sql("live", DELETE);
        let all = connectors::all(&Settings::default());
        let its = |it: &&Arc<dyn Connector>| it.actions().iter().any(|action| action.uses == "postgres/restore@1");
        let connector = Arc::clone(all.iter().find(its).unwrap());
        Self { cluster, connector }
    }

    fn call(&self, action: &str, more: Value, key: &str, token: u64) -> Call {
        let mut with = json!({ "root": { "table": "tenants" } });
        let live = if action == "bystanders" { "live" } else { "to" };
        with[live] = self.cluster.url("live").into();
        if matches!(action, "restore" | "verify") {
            with["from"] = self.cluster.url("copy").into();
        }
        for (name, value) in more.as_object().unwrap() {
            with[name] = value.clone();
        }
        Call {
            uses: format!("postgres/{action}@1"),
            key: key.to_owned(),
            undoes: (action == "remove").then(|| "run1/restore/1".to_owned()),
            token,
            with,
            secrets: SecretText::default(),
            timeout: Duration::from_secs(60),
            cancel: CancellationToken::new(),
            log: runtime::Log::default(),
        }
    }

    async fn done(&self, call: Call) -> Value {
        match self.connector.apply(call).await {
            Outcome::Done { outputs } => serde_json::from_str(&outputs.unwrap()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    async fn refused(&self, call: Call) -> (String, String, Advice) {
        match self.connector.apply(call).await {
            Outcome::Refused { failure, retry } => (failure.code.to_string(), failure.message.to_string(), retry),
            other => panic!("{other:?}"),
        }
    }

    fn live(&self, sql: &str) -> String {
        self.cluster.sql("live", sql)
    }
}

fn one() -> Value {
    json!({ "tenant": 1 })
}

#[tokio::test]
async fn a_tenant_goes_there_and_back_and_there_again() {
    let world = World::new();
    let restore = |token| world.call("restore", one(), "run1/restore/1", token);
    let probed = world.connector.probe(restore(1)).await;
    assert!(matches!(&probed, Outcome::Refused { failure, .. } if &*failure.code == "postgres.not_done"), "{probed:?}");
    let restored = world.done(restore(1)).await;
    assert_eq!(
        (&restored["rows"], &restored["inserted"], &restored["already"]),
        (&json!(3001), &json!(3001), &json!(0))
    );
    assert_eq!(restored["tables"], json!({ "items": 1000, "parts": 2000, "tenants": 1 }));
    // What the ledger says is what the attempt said.
    let Outcome::Done { outputs } = world.connector.probe(restore(2)).await else { panic!("it is done") };
    let probed: Value = serde_json::from_str(&outputs.unwrap()).unwrap();
    assert_eq!(probed, restored);
    assert_eq!(world.done(restore(2)).await, restored);

    let verified = world.done(world.call("verify", json!({ "tenants": [1, 2, 3] }), "run1/verify", 1)).await;
    assert_eq!(verified["rows"], 9003);

    let removed = world.done(world.call("remove", one(), "run1/restore/1/undo", 1)).await;
    assert_eq!(removed["rows"], 3001);
    assert_eq!(world.live("SELECT count(*) FROM tenants"), "3");
    // Taken back twice is taken back once; an attempt that arrives late finds that it is too late.
    assert_eq!(world.done(world.call("remove", one(), "run1/restore/1/undo", 2)).await["rows"], 3001);
    assert_eq!(world.refused(restore(3)).await.0, "postgres.undone");
    let again = world.done(world.call("restore", one(), "run2/restore/1", 1)).await;
    assert_eq!(again["inserted"], 3001);
    let stood = world.done(world.call("bystanders", json!({}), "run2/bystanders", 1)).await;
    assert_eq!(
        (&stood["restored_sites"], &stood["transactions"], &stood["foreign"]),
        (&json!(1), &json!(3), &json!(0))
    );
}

#[tokio::test]
async fn what_never_was_cannot_come_after_it_was_taken_back() {
    let world = World::new();
    assert_eq!(world.done(world.call("remove", one(), "run1/restore/1/undo", 1)).await["rows"], 0);
    let late = world.refused(world.call("restore", one(), "run1/restore/1", 1)).await;
    assert_eq!((late.0.as_str(), late.2), ("postgres.undone", Advice::Never));
    assert_eq!(world.live("SELECT count(*) FROM tenants"), "3");
}

#[tokio::test]
async fn what_changed_since_is_not_taken_back_unless_it_may_be() {
    let world = World::new();
    let _ = world.done(world.call("restore", one(), "run1/restore/1", 1)).await;
    let _ =
        world.live("INSERT INTO items (tenant_id, name) VALUES (1, 'new'); UPDATE items SET name = 'x' WHERE id = 4");
    let (code, message, _) = world.refused(world.call("remove", one(), "run1/restore/1/undo", 1)).await;
    assert_eq!(code, "postgres.changed_since");
    assert!(message.contains("items: 1000 rows were restored, 1001 are there"), "{message}");
    assert_eq!(world.live("SELECT count(*) FROM items WHERE tenant_id = 1"), "1001");
    let whatever = json!({ "tenant": 1, "if_changed": "remove" });
    // A row of another tenant has come to refer to one of them.
    let _ = world.live("INSERT INTO uses (tenant_id, item_id) VALUES (2, 4)");
    let (code, message, _) = world.refused(world.call("remove", whatever.clone(), "run1/restore/1/undo", 1)).await;
    assert!(code == "postgres.references" && message.contains("uses"), "{code} {message}");
    let _ = world.live("DELETE FROM uses");
    assert_eq!(world.done(world.call("remove", whatever, "run1/restore/1/undo", 1)).await["rows"], 3002);
}

#[tokio::test]
async fn a_difference_of_one_row_is_found_and_so_is_a_reference_to_nothing() {
    let world = World::new();
    let _ = world.done(world.call("restore", one(), "run1/restore/1", 1)).await;
    let verify = || world.call("verify", json!({ "tenants": [1, 2] }), "run1/verify", 1);
    for (damage, repair, said) in [
        (
            "UPDATE items SET name = name || ' ' WHERE id = 4",
            "UPDATE items SET name = rtrim(name) WHERE id = 4",
            "1: items: 1000 rows, with other contents",
        ),
        (
            "DELETE FROM parts WHERE item_id = 5 AND n = 1",
            "INSERT INTO parts VALUES (5, 1)",
            "2: parts: 2000 rows in the backup, 1999 live",
        ),
    ] {
        let _ = world.live(damage);
        let (code, message, _) = world.refused(verify()).await;
        assert!(code == "postgres.differ" && message.contains(said), "{code} {message}");
        let _ = world.live(repair);
        assert_eq!(world.done(verify()).await["rows"], 6002);
    }
    let _ = world.live("SET session_replication_role = replica; DELETE FROM plans");
    let (code, message, _) = world.refused(verify()).await;
    assert!(code == "postgres.references" && message.contains("plans (1)"), "{code} {message}");
}

#[tokio::test]
async fn bystanders_are_proven_from_counters_rows_and_wal_while_others_write() {
    let mut world = World::new();
    // The archive, or the server's own folder as here.
    let wal = world.cluster.data().join("pg_wal");
    for tenant in ["2", "3"] {
        let _ = world.live(&format!("DELETE FROM parts USING items WHERE item_id = id AND tenant_id = {tenant}; DELETE FROM items WHERE tenant_id = {tenant}; DELETE FROM tenants WHERE id = {tenant}"));
    }
    let _ = world.done(world.call("restore", json!({ "tenants": [1, 2, 3] }), "run1/restore/all", 1)).await;
    let _ = world.live(
        "UPDATE items SET name = 'touched' WHERE id IN (1, 3); INSERT INTO items (tenant_id, name) VALUES (4, 'own')",
    );
    let look = |world: &World| world.call("bystanders", json!({ "wal": wal }), "run1/bystanders", 1);
    let stood = world.done(look(&world)).await;
    assert_eq!((&stood["restored_sites"], &stood["rows"], &stood["foreign"]), (&json!(3), &json!(9003), &json!(0)));
    assert_eq!(stood["wal"]["inserted"], 9003);
    assert!(stood["wal"]["others"].as_u64().unwrap() >= 3, "{stood}");
    // Rows that their owner changed since are his.
    assert!((9001..=9003).contains(&stood["rows_seen"].as_u64().unwrap()), "{stood}");

    // A trigger that no role keeps quiet writes for another tenant.
    let _ = world.live(
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
        INSERT INTO uses (tenant_id) VALUES (4); RETURN NULL; END $$; \
        CREATE TRIGGER meddle AFTER INSERT ON tenants FOR EACH ROW EXECUTE FUNCTION meddle(); \
        ALTER TABLE tenants ENABLE ALWAYS TRIGGER meddle",
    );
    let _ = world.live(DELETE);
    let allowed = json!({ "tenant": 1, "triggers": "fire" });
    let _ = world.done(world.call("restore", allowed, "run2/restore/1", 1)).await;
    let (code, message, _) = world.refused(look(&world)).await;
    assert_eq!(code, "postgres.bystanders");
    assert!(message.contains("1 rows of 4 in uses were written by the restore of 1"), "{message}");
    assert!(message.contains("by the WAL"), "{message}");
    world.cluster.stop();
}

#[tokio::test]
async fn bystanders_tell_tenants_of_one_transaction_apart() {
    let mut world = World::new();
    let wal = world.cluster.data().join("pg_wal");
    // 20 tenants of 4 rows that only the backup has.
    let _ = world.cluster.sql(
        "copy",
        "INSERT INTO tenants SELECT n, 1 FROM generate_series(10, 29) AS n; \
         INSERT INTO items SELECT 10000 + n, 10 + n % 20, 'small' FROM generate_series(1, 60) AS n",
    );
    let small: Vec<u32> = (10..30).collect();
    let with = json!({ "tenants": small, "connections": 1 });
    let _ = world.done(world.call("restore", with, "run1/restore/small", 1)).await;
    let look = |world: &World| world.call("bystanders", json!({ "wal": wal }), "run1/bystanders", 1);
    let stood = world.done(look(&world)).await;
    let figures =
        ["transactions", "restored_sites", "rows", "rows_seen", "foreign"].map(|name| stood[name].as_u64().unwrap());
    assert_eq!(figures, [1, 20, 80, 80, 0]);
    assert_eq!(stood["wal"]["inserted"], 80);

    // A row that went to another of them: the sum of the transaction is right.
    let _ = world.live(
        "UPDATE reinstate.ledger SET inserted = inserted + CASE tenant WHEN '10' THEN -1 ELSE 1 END WHERE tenant IN ('10', '11')",
    );
    let (code, message, _) = world.refused(look(&world)).await;
    assert_eq!(code, "postgres.bystanders");
    assert!(message.contains("the restore of 10 meant to write 3 rows, and 4 are there"), "{message}");
    world.cluster.stop();
}

#[tokio::test]
async fn an_attempt_that_is_cancelled_is_in_doubt_and_the_ledger_decides() {
    let world = World::new();
    // Somebody holds the table, so that the attempt waits for it.
    let call = world.call("restore", json!({ "tenant": 1, "lock_timeout": "200ms" }), "run1/restore/1", 1);
    let mut other = connectors::postgres::connect(&world.cluster.url("live")).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE items IN SHARE MODE").execute(&mut other).await.unwrap();
    let (code, _, advice) = world.refused(call.clone()).await;
    assert_eq!((code.as_str(), advice), ("postgres.failed", Advice::Retry), "a lock is not waited for without end");
    let waiting = Call {
        with: {
            let mut with = call.with.clone();
            with["lock_timeout"] = "60s".into();
            with
        },
        ..call
    };
    let cancel = waiting.cancel.clone();
    let attempt = world.connector.apply(waiting.clone());
    tokio::pin!(attempt);
    // It waits for the lock; only then it is cancelled.
    let mut watcher = connectors::postgres::connect(&world.cluster.url("postgres")).await.unwrap();
    let outcome = loop {
        tokio::select! {
            outcome = &mut attempt => break outcome,
            waits = waits(&mut watcher) => if waits { cancel.cancel() },
        }
    };
    assert!(matches!(&outcome, Outcome::Unknown { failure } if &*failure.code == "postgres.cancelled"), "{outcome:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    let probed = world.connector.probe(Call { cancel: CancellationToken::new(), ..waiting }).await;
    assert!(matches!(&probed, Outcome::Refused { failure, .. } if &*failure.code == "postgres.not_done"), "{probed:?}");
    assert_eq!(world.live("SELECT count(*) FROM tenants"), "3");
}

async fn waits(watcher: &mut sqlx::PgConnection) -> bool {
    const WAITING: &str = "SELECT count(*) FROM pg_locks WHERE NOT granted";
    sqlx::query_as::<_, (i64,)>(WAITING).fetch_one(watcher).await.unwrap().0 > 0
}
