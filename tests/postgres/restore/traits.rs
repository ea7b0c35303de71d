//! A schema with every trait that real ones have: what comes back is what was, and nothing else moves.

use connectors::postgres::RestoreError;

use super::world::World;

const TRAITS: &str = include_str!("../schemas/traits.sql");
const ROWS: &str = include_str!("../schemas/traits_rows.sql");

fn world() -> World {
    let mut world = World::new(&format!("{TRAITS}{ROWS}"), "tenants");
    world.declare(&[
        "votes(subject_id)->issues(id) when subject_type=Issue",
        "votes(subject_id)->pages(id) when subject_type=Page",
        "imports=ephemeral",
        "inbox_raw=shared",
    ]);
    world
}

#[tokio::test]
async fn a_deleted_tenant_is_again_what_it_was_and_nobody_else_is_touched() {
    let mut world = world();
    world.job.scope.allow_triggers = false;
    for database in ["copy", "live"] {
        let _ = world.cluster.sql(database, "ALTER TABLE pages DISABLE TRIGGER keep");
    }
    let before = world.rows("copy");
    world.delete(&["2"]).await;
    let damaged = world.rows("live");
    assert!(damaged.len() + 25 < before.len(), "{} of {} rows", damaged.len(), before.len());
    let looked = world.look("2").await;
    assert_eq!((looked.conflicts, looked.missing, looked.already), (vec![], vec![], 0));
    assert_eq!(world.rows("live"), damaged, "a look changes nothing");

    let restored = world.restore("2").await.unwrap();
    assert_eq!((restored.rows, restored.inserted), (looked.rows, looked.rows));
    assert_eq!(restored.tables, looked.tables);
    assert_eq!(restored.tables["reactions"].rows, 2, "equal rows without a key are both there");
    assert_eq!(world.rows("live"), before);
    let ledger = world.live("SELECT tenant, rows, inserted, xid > '0'::xid8 FROM reinstate.ledger");
    assert_eq!(ledger, format!("2|{0}|{0}|t", restored.rows));

    // The same key again finds the ledger's row, another key finds the rows.
    let again = world.restore("2").await.unwrap();
    assert!(again.before);
    let again = {
        world.job.key = "another".into();
        world.restore("2").await.unwrap()
    };
    assert_eq!((again.inserted, again.already, again.before), (0, restored.rows, false));
    assert_eq!(world.rows("live"), before);
}

#[tokio::test]
async fn every_trait_comes_back_in_several_transactions_too() {
    let mut world = world();
    for database in ["copy", "live"] {
        let _ = world.cluster.sql(database, "ALTER TABLE pages DISABLE TRIGGER keep");
    }
    let before = world.rows("copy");
    for chunk_rows in [1, 4] {
        world.job.chunk_rows = chunk_rows;
        world.job.key = format!("by {chunk_rows}");
        world.delete(&["2"]).await;
        let restored = world.restore("2").await.unwrap();
        let chunks = restored.chunks.clone().unwrap();
        assert!(chunks.transactions >= restored.rows / (chunk_rows + 1), "{restored:?}");
        assert_eq!((restored.inserted, restored.already), (restored.rows, 0));
        assert_eq!(world.rows("live"), before);
        let again = world.restore("2").await.unwrap();
        assert_eq!((again.before, again.inserted, again.chunks), (true, restored.inserted, restored.chunks));
    }
}

#[tokio::test]
async fn a_trigger_that_cannot_be_kept_quiet_stops_the_restore_unless_it_may_fire() {
    let mut world = world();
    world.delete(&["1"]).await;
    let damaged = world.rows("live");
    match world.try_restore(&["1"]).await {
        Err(RestoreError::Triggers(names)) => assert_eq!(names, ["keep on pages"]),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.rows("live"), damaged);
    world.job.scope.allow_triggers = true;
    // It writes a row of the tenant beside those of the backup: that is no restore of what was.
    let refused = world.restore("1").await.unwrap_err();
    assert!(
        matches!(&refused, RestoreError::Mismatch { differences, .. } if differences[0].starts_with("audit")),
        "{refused}"
    );
    assert_eq!(world.rows("live"), damaged);
}

#[tokio::test]
async fn a_table_that_nobody_can_class_stops_the_restore() {
    let mut world = world();
    world.declare(&[]);
    match world.try_restore(&["1"]).await {
        Err(RestoreError::Unclassed(tables)) => assert_eq!(tables, ["imports", "inbox_raw", "votes"]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn of_many_tenants_each_stands_for_itself() {
    let script = "CREATE TABLE tenants (id int PRIMARY KEY, name text UNIQUE); \
        CREATE TABLE things (id bigserial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, parent_id bigint REFERENCES things, body text); \
        CREATE INDEX ON things (tenant_id); CREATE TABLE parts (thing_id bigint NOT NULL REFERENCES things, n int, PRIMARY KEY (thing_id, n)); \
        INSERT INTO tenants SELECT n, 'name ' || n FROM generate_series(1, 300) AS n; \
        INSERT INTO things (tenant_id, parent_id, body) SELECT 1 + n % 300, nullif(greatest(n - 300, 0), 0), repeat('x', n % 700) FROM generate_series(1, 3000) AS n; \
        INSERT INTO things (tenant_id, body) SELECT 7, 'of a large one' FROM generate_series(1, 30000); \
        INSERT INTO parts SELECT id, k FROM things, generate_series(1, 2) AS k WHERE id % 3 = 0";
    let world = World::new(script, "tenants");
    let before = world.rows("copy");
    let ids: Vec<String> = (1..=300).filter(|n| n % 2 == 1).map(|n| n.to_string()).collect();
    let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    world.delete(&ids).await;
    // One of them cannot come back, and one never was.
    let _ = world.live("INSERT INTO tenants VALUES (1000, 'name 9')");
    ids.push("5000");
    let done = world.try_restore(&ids).await.unwrap();
    assert_eq!(done.tenants.len(), 151);
    let refused: Vec<String> = done
        .tenants
        .iter()
        .filter_map(|tenant| Some(format!("{} {}", tenant.tenant, tenant.result.as_ref().err()?.code())))
        .collect();
    assert_eq!(refused, ["5000 postgres.no_tenant", "9 postgres.conflict"]);
    assert_eq!(world.live("SELECT count(*) FROM reinstate.ledger"), "149");
    let _ = world.live("DELETE FROM tenants WHERE id = 1000");
    assert!(world.restore("9").await.is_ok());
    assert_eq!(world.rows("live"), before);
}

#[tokio::test]
async fn a_guard_that_hears_nothing_for_a_while_slows_down_and_hides_no_commit() {
    let script = "CREATE TABLE tenants (id int PRIMARY KEY); INSERT INTO tenants VALUES (1), (2); \
        CREATE TABLE things (id bigserial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, body text); \
        INSERT INTO things (tenant_id, body) SELECT t, repeat('x', 100) FROM generate_series(1, 2) AS t, generate_series(1, 20000)";
    let mut world = World::new(script, "tenants");
    let before = world.rows("copy");
    world.delete(&["1", "2"]).await;
    world.job.guard.latency = Some(std::time::Duration::from_secs(5));
    let mut other = connectors::postgres::connect(&world.cluster.url("live")).await.unwrap();
    let deafen = async {
        const DEAFEN: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                              WHERE query LIKE 'INSERT INTO reinstate.pulse%' AND pid <> pg_backend_pid()";
        while sqlx::query_as::<_, (i64,)>(DEAFEN).fetch_one(&mut other).await.unwrap().0 == 0 {}
    };
    let (done, ()) = tokio::join!(world.try_restore(&["1", "2"]), deafen);
    let done = done.unwrap();
    assert!(done.tenants.iter().all(|tenant| tenant.result.is_ok()), "{:?}", done.tenants);
    let heard = done.heard.unwrap();
    assert!(heard.breaches >= 1 && heard.beats >= 1, "{heard:?}");
    assert_eq!(world.rows("live"), before);
}
