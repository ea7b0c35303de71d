//! Live rows in the way: found before anything is written, named, and settled by the policy or not at all.

use connectors::postgres::OnConflict;

use super::world::{World, code, conflicts, words};

const SHOP: &str = "CREATE TABLE tenants (id int PRIMARY KEY, hostname text NOT NULL UNIQUE); \
    CREATE TABLE items (id bigserial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, name text, price numeric); \
    CREATE TABLE seen (tenant_id int NOT NULL REFERENCES tenants, what text); \
    CREATE TABLE rooms (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, during tsrange, \
                        EXCLUDE USING gist (during WITH &&)); \
    CREATE TABLE codes (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, code text); \
    CREATE UNIQUE INDEX codes_once ON codes (lower(code)); \
    CREATE UNIQUE INDEX items_open ON items (name) WHERE price IS NULL; \
    INSERT INTO tenants VALUES (1, 'one'), (2, 'two'); \
    INSERT INTO items (tenant_id, name, price) VALUES (1, 'a', 1.0), (1, 'b', 2), (2, 'c', 3), (1, 'open', NULL); \
    INSERT INTO seen VALUES (1, 'x'), (1, 'x'), (2, 'x'); \
    INSERT INTO rooms (tenant_id, during) VALUES (1, '[2022-01-01,2022-01-02)'); \
    INSERT INTO codes (tenant_id, code) VALUES (1, 'Ab')";

async fn refused(world: &World, expected: &[&str]) {
    let before = world.rows("live");
    assert_eq!(words(&world.look("1").await.conflicts), expected);
    assert_eq!(conflicts(world.restore("1").await), expected);
    assert_eq!(world.rows("live"), before, "nothing was written");
}

#[tokio::test]
async fn a_name_that_a_newcomer_has_taken_is_named_with_its_owner() {
    let world = World::new(SHOP, "tenants");
    world.delete(&["1"]).await;
    let _ = world.live("INSERT INTO tenants VALUES (3, 'one')");
    refused(&world, &["unique tenants (hostname)=(one) of 3"]).await;
}

#[tokio::test]
async fn an_id_that_is_anothers_now_is_named_with_its_owner() {
    let world = World::new(SHOP, "tenants");
    world.delete(&["1"]).await;
    let _ = world.live("INSERT INTO items VALUES (1, 2, 'a', 1.0)");
    refused(&world, &["foreign items (id)=(1) of 2"]).await;
    let mut world = world;
    for policy in [OnConflict::KeepLive, OnConflict::Replace] {
        world.job.on_conflict = policy;
        assert_eq!(conflicts(world.restore("1").await), ["foreign items (id)=(1) of 2"], "{policy:?}");
    }
}

#[tokio::test]
async fn a_value_of_a_partial_index_is_taken_only_by_rows_of_that_index() {
    let world = World::new(SHOP, "tenants");
    world.delete(&["1"]).await;
    let _ = world.live("INSERT INTO items VALUES (90, 2, 'open', 5), (91, 2, 'open', NULL)");
    refused(&world, &["unique items (name)=(open) of 2"]).await;
}

#[tokio::test]
async fn what_only_the_server_can_judge_is_told_too() {
    let world = World::new(SHOP, "tenants");
    world.delete(&["1"]).await;
    let _ = world.live("INSERT INTO rooms VALUES (90, 2, '[2022-01-01 12:00,2022-01-05)')");
    assert_eq!(conflicts(world.restore("1").await), ["exclusion rooms a row"]);
    let _ = world.live("DELETE FROM rooms; INSERT INTO codes VALUES (90, 2, 'aB')");
    assert_eq!(conflicts(world.restore("1").await), ["unique codes a row"]);
    assert_eq!(world.live("SELECT count(*) FROM tenants"), "1");
}

#[tokio::test]
async fn rows_that_are_there_and_equal_are_counted_and_the_rest_comes() {
    let world = World::new(SHOP, "tenants");
    let before = world.rows("copy");
    let _ = world.live("DELETE FROM items WHERE id = 2; DELETE FROM seen WHERE ctid = (SELECT min(ctid) FROM seen WHERE tenant_id = 1)");
    let restored = world.restore("1").await.unwrap();
    assert_eq!((restored.rows, restored.inserted, restored.already), (8, 2, 6));
    assert_eq!(world.rows("live"), before);
}

#[tokio::test]
async fn rows_that_differ_stop_it_or_stay_or_are_replaced_as_the_policy_says() {
    let mut world = World::new(SHOP, "tenants");
    // The same number with another scale is another row.
    let _ = world.live("UPDATE items SET price = 1.00 WHERE id = 1; DELETE FROM items WHERE id = 2; INSERT INTO items VALUES (50, 1, 'new', 9)");
    refused(&world, &["differs items (id)=(1)", "extra items (id)=(50)"]).await;
    let before = world.rows("live");

    world.job.on_conflict = OnConflict::KeepLive;
    let kept = world.restore("1").await.unwrap();
    assert_eq!((kept.inserted, kept.kept, kept.replaced), (1, 1, 0));
    assert_eq!(world.live("SELECT id, price FROM items WHERE tenant_id = 1 ORDER BY id"), "1|1.00\n2|2\n4|\n50|9");

    let _ = world.live("DELETE FROM items WHERE id = 2; DELETE FROM reinstate.ledger");
    assert_eq!(world.rows("live"), before);
    world.job.on_conflict = OnConflict::Replace;
    let replaced = world.restore("1").await.unwrap();
    assert_eq!((replaced.inserted, replaced.kept, replaced.replaced), (1, 0, 1));
    // What came since stays: the backup cannot know of it.
    assert_eq!(world.live("SELECT id, price FROM items WHERE tenant_id = 1 ORDER BY id"), "1|1.0\n2|2\n4|\n50|9");
}

#[tokio::test]
async fn an_older_attempt_is_refused_and_so_is_one_that_was_taken_back() {
    let mut world = World::new(SHOP, "tenants");
    world.delete(&["1"]).await;
    world.job.token = 5;
    assert!(!world.restore("1").await.unwrap().before);
    world.job.token = 4;
    assert_eq!(code(world.restore("1").await), "postgres.stale_token");
    world.job.token = 6;
    assert!(world.restore("1").await.unwrap().before);
    let _ = world.live("UPDATE reinstate.ledger SET undone_by = 'somebody'");
    assert_eq!(code(world.restore("1").await), "postgres.undone");
}

#[tokio::test]
async fn a_large_tenant_that_is_refused_half_way_leaves_the_next_one_unharmed() {
    let large = "INSERT INTO items (tenant_id, name, price) SELECT t, repeat('long ', 20), n FROM generate_series(1, 2) AS t, generate_series(1, 30000) AS n";
    let mut world = World::new(&format!("{SHOP}; {large}"), "tenants");
    world.job.connections = 1;
    let before = world.rows("copy");
    world.delete(&["1", "2"]).await;
    // In the way of a row of the first chunk, with many to come.
    let _ = world.live("INSERT INTO tenants VALUES (3, 'three'); INSERT INTO items VALUES (5, 3, 'in the way', 1)");
    let done = world.try_restore(&["1", "2"]).await.unwrap();
    let codes: Vec<String> = done
        .tenants
        .into_iter()
        .map(|tenant| match tenant.result {
            Ok(restored) => format!("{} rows", restored.rows),
            Err(error) => format!("{} {}", error.code(), error.to_string().contains("(id)=(5) (items_pkey) of 3")),
        })
        .collect();
    assert_eq!(codes, ["postgres.conflict true", "30003 rows"]);
    let _ = world.live("DELETE FROM items WHERE id = 5; DELETE FROM tenants WHERE id = 3");
    assert_eq!(code(world.restore("1").await), "done");
    assert_eq!(world.rows("live"), before);
}

#[tokio::test]
async fn an_index_of_a_column_and_an_expression_is_not_taken_for_one_of_the_column() {
    let index = "CREATE UNIQUE INDEX codes_per_tenant ON codes (tenant_id, lower(code)); \
                 INSERT INTO codes (tenant_id, code) VALUES (1, 'second')";
    let world = World::new(&format!("{SHOP}; {index}"), "tenants");
    let before = world.rows("copy");
    let _ = world.live("DELETE FROM codes WHERE code = 'second'; DELETE FROM items WHERE id = 1");
    assert_eq!(words(&world.look("1").await.conflicts), Vec::<String>::new());
    assert_eq!(world.restore("1").await.unwrap().inserted, 2);
    assert_eq!(world.rows("live"), before);
}
