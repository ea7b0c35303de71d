//! `postgres/restore` into a database whose volume runs full: a real file system of some megabytes.

use reinstate_tests::postgres::{Cluster, namespace};
use runtime::engine::Advice;
use serde_json::json;

use crate::stage::{apply, done, refused};

const SHOP: &str = "CREATE TABLE tenants (id int PRIMARY KEY); INSERT INTO tenants VALUES (1), (2); \
    CREATE TABLE notes (id bigserial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, body text);";

#[tokio::test]
async fn a_full_volume_leaves_nothing_half_done_and_the_next_attempt_restores() {
    if namespace().is_none() {
        return;
    }
    let backup = Cluster::start();
    backup.create("shop");
    // Some 30 MB, which do not compress.
    let rows = "INSERT INTO notes (tenant_id, body) SELECT 2, string_agg(md5(n || '.' || k), '') \
        FROM generate_series(1, 15000) AS n, generate_series(1, 60) AS k GROUP BY n";
    let _ = backup.sql("shop", &format!("{SHOP}{rows}"));
    let live = Cluster::with().volume(100).set("autovacuum", "off").start();
    let small = format!("CREATE TABLESPACE small LOCATION '{}'", live.volume().display());
    let _ = live.sql("postgres", &small);
    let _ = live.sql("postgres", "CREATE DATABASE shop TABLESPACE small");
    let _ = live.sql("shop", &format!("{SHOP} DELETE FROM tenants WHERE id = 2; CREATE INDEX ON notes (tenant_id)"));
    let _ = backup.sql("shop", "CREATE INDEX ON notes (tenant_id)");
    let on_volume =
        |command: &str| live.sql("shop", &format!("COPY (SELECT) TO PROGRAM '{command}'", command = command));
    let filler = live.volume().join("filler").display().to_string();
    let _ = on_volume(&format!("fallocate -l 75M {filler}"));

    let with =
        json!({ "from": backup.url("shop"), "to": live.url("shop"), "root": { "table": "tenants" }, "tenant": 2 });
    let said = refused(&apply("postgres/restore@1", &with).await, "postgres.failed", Advice::RetryAfter(5_000));
    assert!(said.contains("No space left on device"), "{said}");
    let counts =
        "SELECT (SELECT count(*) FROM tenants), (SELECT count(*) FROM notes), (SELECT count(*) FROM reinstate.ledger)";
    assert_eq!(live.sql("shop", counts), "1|0|0");
    let _ = live.sql("shop", "INSERT INTO notes (tenant_id, body) VALUES (1, 'others go on')");

    let _ = on_volume(&format!("rm {filler}"));
    let outputs = done(&apply("postgres/restore@1", &with).await);
    assert_eq!((&outputs["rows"], &outputs["inserted"]), (&json!(15_001), &json!(15_001)));
    assert_eq!(live.sql("shop", counts), "2|15001|1");
}
