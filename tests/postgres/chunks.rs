//! A tenant too large for one transaction: killed between its parts, gone on with, proven as a whole, and taken back.

use reinstate_tests::postgres::Cluster;
use runtime::Call;
use runtime::engine::{Advice, Outcome};
use serde_json::{Value, json};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::stage::{call, connector, done, refused};

const SHOP: &str = "CREATE TABLE tenants (id int PRIMARY KEY, host text UNIQUE); INSERT INTO tenants VALUES (1, 'one'), (2, 'two'); \
    CREATE TABLE kinds (id int PRIMARY KEY, name text); INSERT INTO kinds VALUES (1, 'soon'), (2, 'late'), (3, 'gone'); \
    CREATE TABLE items (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, kind_id int REFERENCES kinds, name text UNIQUE); \
    CREATE TABLE seen (tenant_id int NOT NULL REFERENCES tenants, what text); \
    CREATE TABLE parts (item_id int NOT NULL REFERENCES items, n int, PRIMARY KEY (item_id, n)); \
    CREATE INDEX ON items (tenant_id); \
    INSERT INTO items SELECT n, 1 + n % 2, CASE WHEN n < 1100 THEN 1 ELSE 2 END, 'item ' || lpad((7 * n % 4001)::text, 4, '0') FROM generate_series(1, 2000) AS n; \
    UPDATE items SET kind_id = 3 WHERE id = 1990; \
    INSERT INTO seen SELECT 1 + n % 2, 'equal ' || n % 3 FROM generate_series(1, 700) AS n; \
    INSERT INTO parts SELECT id, 1 FROM items";

/// Rows of tenant 1: 1,000 items, 350 of `seen`, 1,000 parts and its own.
const ROWS: u64 = 2351;

struct World {
    cluster: Cluster,
}

impl World {
    fn new() -> Self {
        Self::with("")
    }

    /// With more tables.
    fn with(more: &str) -> Self {
        let cluster = Cluster::start();
        cluster.create("copy");
        let _ = cluster.sql("copy", &format!("{SHOP}; {more}"));
        let _ = cluster.sql("postgres", "CREATE DATABASE live TEMPLATE copy");
        let world = Self { cluster };
        world.delete();
        world
    }

    /// Deletes tenant 1, and a shared row that it needs.
    fn delete(&self) {
        let _ = self.live(
            "DELETE FROM parts USING items WHERE item_id = id AND tenant_id = 1; DELETE FROM items WHERE tenant_id = 1; \
             DELETE FROM seen WHERE tenant_id = 1; DELETE FROM tenants WHERE id = 1; DELETE FROM kinds WHERE id = 3",
        );
    }

    fn live(&self, sql: &str) -> String {
        self.cluster.sql("live", sql)
    }

    fn count(&self, sql: &str) -> u64 {
        self.live(sql).parse().unwrap()
    }

    fn of(&self, action: &str, key: &str, token: u64, more: &Value) -> Call {
        let mut with = json!({ "root": { "table": "tenants" } });
        with[if action == "bystanders" { "live" } else { "to" }] = self.cluster.url("live").into();
        if matches!(action, "restore" | "verify") {
            with["from"] = self.cluster.url("copy").into();
        }
        if action != "bystanders" {
            with["tenant"] = 1.into();
        }
        for (name, value) in more.as_object().unwrap() {
            with[name] = value.clone();
        }
        Call {
            key: key.to_owned(),
            undoes: (action == "remove").then(|| "run1/restore/1".to_owned()),
            token,
            ..call(&format!("postgres/{action}@1"), &with)
        }
    }

    fn restore(&self, token: u64) -> Call {
        self.of("restore", "run1/restore/1", token, &json!({ "chunk_rows": 100, "lock_timeout": "60s" }))
    }

    async fn apply(&self, call: Call) -> Outcome {
        connector().apply(call).await
    }

    /// Every row of both databases, in order.
    fn rows(&self, database: &str) -> String {
        self.cluster.sql(
            database,
            "SELECT * FROM tenants ORDER BY 1; SELECT * FROM kinds ORDER BY 1; SELECT * FROM items ORDER BY 1; \
             SELECT * FROM seen ORDER BY 1, 2; SELECT * FROM parts ORDER BY 1, 2",
        )
    }

    /// Begins a restore that somebody's lock stops on its way, and kills its server process when it waits.
    async fn killed(&self, token: u64, lock: &str) -> Outcome {
        let mut other = connect(self, "live").await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("BEGIN; {lock}"))).execute(&mut other).await.unwrap();
        let mut watcher = connect(self, "postgres").await;
        let attempt = self.apply(self.restore(token));
        tokio::pin!(attempt);
        loop {
            tokio::select! {
                outcome = &mut attempt => return outcome,
                () = kill(&mut watcher) => {}
            }
        }
    }

    fn is_accounted_for(&self, stood: &Value) {
        let transactions =
            self.count("SELECT count(DISTINCT xid) FROM reinstate.ledger WHERE token > 0 OR detail ? 'removes'");
        assert_eq!((&stood["transactions"], &stood["foreign"]), (&json!(transactions), &json!(0)), "{stood}");
    }

    async fn stood(&self) -> Value {
        let wal = json!({ "wal": self.cluster.data().join("pg_wal") });
        done(&self.apply(self.of("bystanders", "run1/bystanders", 1, &wal)).await)
    }
}

async fn connect(world: &World, database: &str) -> PgConnection {
    connectors::postgres::connect(&world.cluster.url(database)).await.unwrap()
}

/// Ends a server process that waits for a lock.
async fn kill(watcher: &mut PgConnection) {
    const KILL: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    sqlx::raw_sql(KILL).execute(watcher).await.unwrap();
}

fn partly(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Unknown { failure } => {
            assert!(failure.hint.contains("goes on from there"), "{failure:?}");
            failure.message.to_string()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_tenant_that_was_killed_between_its_transactions_goes_on_and_is_proven_as_a_whole() {
    let world = World::new();
    // In the middle of a table: whoever refers to the second kind waits.
    let outcome = world.killed(1, "SELECT FROM kinds WHERE id = 2 FOR UPDATE").await;
    let said = partly(&outcome);
    let committed = world.count("SELECT count(*) FROM reinstate.ledger");
    assert!((2..9).contains(&committed), "{committed}");
    assert!(said.starts_with(&format!("{committed} transactions with a part of it are committed")), "{said}");
    assert_eq!(world.count("SELECT count(*) FROM items WHERE tenant_id = 1"), committed * 100);
    assert_eq!(world.live("SELECT count(*) FROM tenants WHERE id = 1"), "0", "there is no tenant yet");
    let probed = connector().probe(world.restore(2)).await;
    assert!(matches!(&probed, Outcome::Refused { failure, .. } if &*failure.code == "postgres.not_done"), "{probed:?}");
    world.is_accounted_for(&world.stood().await);

    // The backup may give its rows in another order the next time.
    let _ = world.cluster.sql("copy", "CLUSTER items USING items_name_key");
    // Then between tables: the items are there, and nothing of the next one.
    partly(&world.killed(2, "LOCK TABLE parts IN SHARE MODE").await);
    assert_eq!(world.count("SELECT count(*) FROM items WHERE tenant_id = 1"), 1_000);
    // An attempt that was overtaken writes nothing.
    refused(&world.apply(world.restore(1)).await, "postgres.stale_token", Advice::Never);

    let restored = done(&world.apply(world.restore(3)).await);
    assert_eq!(
        (&restored["rows"], &restored["inserted"], &restored["already"]),
        (&json!(ROWS), &json!(ROWS), &json!(0))
    );
    assert_eq!(restored["shared"], json!({ "kinds": 1 }));
    assert_eq!(world.rows("live"), world.rows("copy"));
    let transactions = world.count("SELECT count(*) FROM reinstate.ledger");
    assert_eq!(restored["chunks"], json!(transactions - 1));
    assert!(transactions >= 23, "{transactions}");
    assert_eq!(world.count("SELECT sum(inserted) FROM reinstate.ledger"), ROWS);
    assert_eq!(world.count("SELECT max(inserted) FROM reinstate.ledger"), 100);
    assert_eq!(world.live("SELECT count(*) FROM tenants AS t JOIN reinstate.ledger AS l ON t.xmin::text = l.xid::text WHERE l.key = 'run1/restore/1/1'"), "1", "the tenant came last");

    // What the ledger says is what the attempt said.
    let probed = connector().probe(world.restore(4)).await;
    assert_eq!(done(&probed), restored);
    assert_eq!(done(&world.apply(world.restore(4)).await), restored);
    let _ = done(&world.apply(world.of("verify", "run1/verify", 1, &json!({}))).await);
    let stood = world.stood().await;
    world.is_accounted_for(&stood);
    assert_eq!((&stood["restored_sites"], &stood["rows"]), (&json!(1), &json!(ROWS + 1)), "{stood}");
    assert_eq!(stood["wal"]["inserted"], json!(ROWS + 1));

    let removed = done(&world.apply(world.of("remove", "run1/restore/1/undo", 1, &json!({}))).await);
    assert_eq!(removed["rows"], json!(ROWS));
    assert_eq!(world.live("SELECT count(*) FROM items WHERE tenant_id = 1"), "0");
    refused(&world.apply(world.restore(5)).await, "postgres.undone", Advice::Never);
    world.is_accounted_for(&world.stood().await);
}

#[tokio::test]
async fn a_tenant_of_which_only_a_part_came_is_taken_back_and_stays_away() {
    let world = World::new();
    let damaged = world.rows("live");
    partly(&world.killed(1, "LOCK TABLE parts IN SHARE MODE").await);
    let there = world.count("SELECT sum(inserted) FROM reinstate.ledger");
    assert_eq!(there, 1_000, "the items, and nothing after them");
    assert_eq!(world.stood().await["restored_sites"], 0, "a part is no tenant");
    let remove = |token| world.of("remove", "run1/restore/1/undo", token, &json!({}));
    // Somebody has written to it meanwhile.
    let _ = world.live("UPDATE items SET name = 'x' WHERE id = 2");
    refused(&world.apply(remove(1)).await, "postgres.changed_since", Advice::Never);
    let _ = world.live("UPDATE items SET name = 'item 0014' WHERE id = 2");
    assert_eq!(done(&world.apply(remove(1)).await)["rows"], json!(there));
    assert_eq!(done(&world.apply(remove(2)).await)["rows"], json!(there));
    let _ = world.live("DELETE FROM kinds WHERE id = 3");
    assert_eq!(world.rows("live"), damaged);
    assert_eq!(world.live("SELECT count(*) FROM reinstate.ledger WHERE undone_by IS NULL"), "1", "the undo's own");
    refused(&world.apply(world.restore(2)).await, "postgres.undone", Advice::Never);
    assert_eq!(world.rows("live"), damaged);
}

#[tokio::test]
async fn a_live_row_in_the_way_of_a_later_transaction_is_named_and_the_rest_comes_when_it_has_gone() {
    let world = World::new();
    let _ = world.live("INSERT INTO items VALUES (5000, 2, 1, 'item 0597')");
    let outcome = world.apply(world.restore(1)).await;
    let said = partly(&outcome);
    assert!(said.contains("items has taken (name)=(item 0597) (items_name_key) of 2"), "{said}");
    let committed = world.count("SELECT count(*) FROM reinstate.ledger");
    assert!(committed >= 1 && said.starts_with(&format!("{committed} transactions")), "{said}");
    let _ = world.live("DELETE FROM items WHERE id = 5000");
    let restored = done(&world.apply(world.restore(2)).await);
    assert_eq!((&restored["inserted"], &restored["already"]), (&json!(ROWS), &json!(0)));
    assert_eq!(world.rows("live"), world.rows("copy"));
}

#[tokio::test]
async fn a_tenant_goes_in_one_transaction_where_it_is_small_enough_or_shall() {
    for more in [json!({ "chunk_rows": ROWS }), json!({ "chunk_rows": 0 }), json!({})] {
        let world = World::new();
        let call = world.of("restore", "run1/restore/1", 1, &more);
        let restored = done(&world.apply(Call { cancel: CancellationToken::new(), ..call }).await);
        assert_eq!((&restored["rows"], restored.get("chunks")), (&json!(ROWS), None));
        assert_eq!(world.live("SELECT count(*) FROM reinstate.ledger"), "1");
    }
}

#[tokio::test]
async fn rows_that_only_later_ones_lead_to_come_with_the_last_part() {
    // Of no use to anybody but the item that points at them: without it they are nobody's.
    let world = World::with(
        "CREATE TABLE labels (id int PRIMARY KEY, what text); INSERT INTO labels SELECT id, 'of ' || id FROM items; \
         ALTER TABLE items ADD label_id int UNIQUE REFERENCES labels; UPDATE items SET label_id = id",
    );
    let _ = world.live("DELETE FROM labels AS l WHERE NOT EXISTS (SELECT FROM items WHERE label_id = l.id)");
    let labels = "SELECT count(*) FROM labels AS l WHERE NOT EXISTS (SELECT FROM items WHERE label_id = l.id)";
    let damaged = (world.rows("live"), world.live("SELECT count(*) FROM labels"));
    partly(&world.killed(1, "LOCK TABLE parts IN SHARE MODE").await);
    assert_eq!(world.count("SELECT count(*) FROM items WHERE tenant_id = 1"), 1_000);
    assert_eq!(world.count(labels), 0, "no label of a part without its item");
    let _ = done(&world.apply(world.of("remove", "run1/restore/1/undo", 1, &json!({}))).await);
    let _ = world.live("DELETE FROM kinds WHERE id = 3");
    assert_eq!((world.rows("live"), world.live("SELECT count(*) FROM labels")), damaged);

    let again = Call { key: "run2/restore/1".into(), ..world.restore(1) };
    let restored = done(&world.apply(again).await);
    assert_eq!((&restored["rows"], &restored["inserted"]), (&json!(ROWS + 1_000), &json!(ROWS + 1_000)));
    assert!(restored["chunks"].as_u64().unwrap() > 10, "{restored}");
    let all = "SELECT * FROM labels ORDER BY 1";
    assert_eq!(world.live(all), world.cluster.sql("copy", all));
    assert_eq!(world.rows("live"), world.rows("copy"));
}

#[tokio::test]
async fn what_somebody_has_deleted_of_a_part_comes_again_and_is_taken_back_as_the_rest() {
    let world = World::new();
    partly(&world.killed(1, "LOCK TABLE parts IN SHARE MODE").await);
    // An application that cleans up after tenants that are no more.
    let _ = world.live("DELETE FROM items WHERE id = 2");
    let restored = done(&world.apply(world.restore(2)).await);
    assert_eq!(restored["rows"], json!(ROWS));
    assert_eq!(world.rows("live"), world.rows("copy"));
    let removed = done(&world.apply(world.of("remove", "run1/restore/1/undo", 1, &json!({}))).await);
    assert_eq!(removed["rows"], json!(ROWS));
}
