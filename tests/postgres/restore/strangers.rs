//! Traits of schemas that others have made, each with rows that a first guess would leave out or give to the wrong tenant.

use connectors::postgres::{Job, RestoreError, preview, restore};

use super::world::{World, code};

const TENANTS: &str = "CREATE TABLE tenants (id int PRIMARY KEY); INSERT INTO tenants VALUES (1), (2), (3);";

fn world(rest: &str) -> World {
    World::new(&format!("{TENANTS}{rest}"), "tenants")
}

/// Deletes by a script of the test's own, as nothing in the product would.
fn without_keys(world: &World, script: &str) {
    let _ = world.live(&format!("SET session_replication_role = replica; {script}"));
}

/// All rows of these tables in both databases are equal.
fn equal(world: &World, tables: &[&str]) {
    for table in tables {
        let rows = format!("SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM {table} AS t");
        assert_eq!(world.live(&rows), world.copy(&rows), "{table}");
    }
}

#[tokio::test]
async fn a_row_goes_with_what_it_is_part_of_and_not_with_its_author() {
    let world = world(
        "CREATE TABLE staff (id int PRIMARY KEY, tenant_id int REFERENCES tenants); \
         CREATE TABLE boards (id int PRIMARY KEY, tenant_id int REFERENCES tenants); \
         CREATE TABLE cards (id int PRIMARY KEY, author_id int REFERENCES staff, board_id int REFERENCES boards); \
         CREATE TABLE pins (author_id int NOT NULL REFERENCES staff, card_id int NOT NULL REFERENCES cards); \
         INSERT INTO staff VALUES (1, 1), (2, 2), (3, NULL); INSERT INTO boards VALUES (1, 1), (2, 2); \
         INSERT INTO cards VALUES (1, 2, 1), (2, 1, 2), (3, 1, NULL), (4, 3, 1), (5, NULL, NULL); \
         INSERT INTO pins VALUES (2, 1), (1, 2), (1, 3), (3, 4), (3, 5)",
    );
    without_keys(
        &world,
        "DELETE FROM pins WHERE card_id IN (1, 3, 4); DELETE FROM cards WHERE id IN (1, 3, 4); \
         DELETE FROM boards WHERE id = 1; DELETE FROM staff WHERE id = 1; DELETE FROM tenants WHERE id = 1; \
         UPDATE cards SET author_id = NULL WHERE id = 2; DELETE FROM pins WHERE card_id = 2",
    );
    assert_eq!(code(world.restore("1").await), "done");
    equal(&world, &["staff", "boards", "tenants", "(SELECT * FROM cards WHERE id <> 2)"]);
    assert_eq!(world.live("SELECT string_agg(card_id::text, ' ' ORDER BY card_id) FROM pins"), "1 3 4 5");
}

#[tokio::test]
async fn a_row_without_its_own_tenant_comes_back_with_its_parent() {
    let world = world(
        "CREATE TABLE boxes (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
         CREATE TABLE hooks (id int PRIMARY KEY, tenant_id int REFERENCES tenants, box_id int REFERENCES boxes); \
         CREATE TABLE calls (id int PRIMARY KEY, hook_id int NOT NULL REFERENCES hooks); \
         INSERT INTO boxes VALUES (1, 1), (2, 2); \
         INSERT INTO hooks VALUES (1, 1, NULL), (2, NULL, 1), (3, NULL, 2), (4, NULL, NULL); \
         INSERT INTO calls SELECT id, id FROM hooks",
    );
    without_keys(
        &world,
        "DELETE FROM calls WHERE id < 3; DELETE FROM hooks WHERE id < 3; DELETE FROM boxes WHERE id = 1; \
         DELETE FROM tenants WHERE id = 1",
    );
    let restored = world.restore("1").await.unwrap();
    assert_eq!(restored.inserted, 6);
    equal(&world, &["tenants", "boxes", "hooks", "calls"]);
}

#[tokio::test]
async fn what_only_a_name_keeps_may_have_led_nowhere_before() {
    let world = world(
        "CREATE TABLE boxes (id int PRIMARY KEY, tenant_id int NOT NULL); \
         CREATE TABLE hooks (id int PRIMARY KEY, tenant_id int, box_id int); \
         INSERT INTO boxes VALUES (1, 1), (2, 2), (3, 3); INSERT INTO hooks VALUES (1, 1, 99), (2, 1, 1), (3, 2, 98)",
    );
    without_keys(
        &world,
        "DELETE FROM hooks WHERE tenant_id = 1; DELETE FROM boxes WHERE id = 1; DELETE FROM tenants WHERE id = 1",
    );
    assert!(world.look("1").await.missing.is_empty());
    assert_eq!(code(world.restore("1").await), "done");
    equal(&world, &["tenants", "boxes", "hooks"]);

    // One that led to a row is missed all the same.
    without_keys(
        &world,
        "DELETE FROM hooks WHERE tenant_id = 2; DELETE FROM tenants WHERE id = 2; DELETE FROM boxes WHERE id = 3",
    );
    let _ = world.copy("UPDATE hooks SET box_id = 3 WHERE id = 3");
    assert!(matches!(world.restore("2").await, Err(RestoreError::References { .. })));
}

#[tokio::test]
async fn a_key_that_every_partition_has_for_itself_holds_for_the_table() {
    let world = world(
        "CREATE TABLE orders (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
         CREATE TABLE fees (id int, order_id int NOT NULL, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); \
         CREATE TABLE fees_1 PARTITION OF fees FOR VALUES FROM ('2020-01-01') TO ('2021-01-01'); \
         CREATE TABLE fees_2 PARTITION OF fees FOR VALUES FROM ('2021-01-01') TO ('2022-01-01'); \
         ALTER TABLE fees_1 ADD FOREIGN KEY (order_id) REFERENCES orders; \
         ALTER TABLE fees_2 ADD FOREIGN KEY (order_id) REFERENCES orders; \
         INSERT INTO orders VALUES (1, 1), (2, 2); \
         INSERT INTO fees VALUES (1, 1, '2020-05-05'), (2, 1, '2021-05-05'), (3, 2, '2021-05-05')",
    );
    let mut connection = connectors::postgres::connect(&world.cluster.url("copy")).await.unwrap();
    let catalog = connectors::postgres::Catalog::read(&mut connection).await.unwrap();
    let closure =
        connectors::postgres::Closure::of(&catalog, "tenants", &connectors::postgres::Options::default()).unwrap();
    let ways = &closure.tables[catalog.find("fees").unwrap()].ways;
    assert!(matches!(ways.as_slice(), [one] if one.strict), "{ways:?}");
    without_keys(
        &world,
        "DELETE FROM fees WHERE order_id = 1; DELETE FROM orders WHERE id = 1; DELETE FROM tenants WHERE id = 1",
    );
    assert_eq!(code(world.restore("1").await), "done");
    equal(&world, &["tenants", "orders", "fees"]);
}

#[tokio::test]
async fn tenants_that_use_one_anothers_rows_come_back_in_one_run() {
    let world = world(
        "CREATE TABLE notes (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, copy_of int REFERENCES notes); \
         INSERT INTO notes VALUES (3, 3, NULL), (2, 2, 3), (1, 1, 2)",
    );
    without_keys(&world, "DELETE FROM notes; DELETE FROM tenants");
    let tenants: Vec<String> = ["1", "2", "3"].map(str::to_owned).into();
    let all = Job { tenants, connections: 1, ..world.job.clone() };
    let looked = preview(&all).await.unwrap();
    assert!(looked.tenants.iter().all(|(_, looked)| looked.as_ref().is_ok_and(|looked| looked.missing.is_empty())));
    let done = world.try_restore(&["1", "2", "3"]).await.unwrap();
    let results: Vec<&str> = done.tenants.into_iter().map(|one| code(one.result)).collect();
    assert_eq!(results, ["done", "done", "done"]);
    equal(&world, &["tenants", "notes"]);

    // So do those of which a part is committed when they find that something is missing.
    without_keys(&world, "DELETE FROM notes; DELETE FROM tenants; DROP SCHEMA reinstate CASCADE");
    let parts = Job { chunk_rows: 1, key: "parts".into(), ..all };
    let done = restore(&parts).await.unwrap();
    let results: Vec<&str> = done.tenants.into_iter().map(|one| code(one.result)).collect();
    assert_eq!(results, ["done", "done", "done"]);
    equal(&world, &["tenants", "notes"]);

    // Alone, it still says what it lacks.
    without_keys(&world, "DELETE FROM notes; DELETE FROM tenants; DROP SCHEMA reinstate CASCADE");
    assert!(matches!(world.restore("1").await, Err(RestoreError::References { .. })));
}

const PEOPLE: &str = "CREATE TABLE people (id int PRIMARY KEY, name text, home_id int REFERENCES tenants ON DELETE SET NULL, \
    guide_id int REFERENCES people); \
    CREATE TABLE secrets (id int PRIMARY KEY, person_id int NOT NULL REFERENCES people, word text); \
    CREATE TABLE uses (secret_id int REFERENCES secrets ON DELETE CASCADE, at int, PRIMARY KEY (secret_id, at)); \
    CREATE TABLE seals (person_id int NOT NULL UNIQUE REFERENCES people, word text); \
    CREATE TABLE hints (person_id int NOT NULL REFERENCES people, word text); \
    CREATE TABLE likes (id int PRIMARY KEY, person_id int REFERENCES people); \
    CREATE TABLE sessions (id int PRIMARY KEY, person_id int NOT NULL REFERENCES people); \
    CREATE TABLE members (tenant_id int NOT NULL REFERENCES tenants, person_id int NOT NULL REFERENCES people, \
        PRIMARY KEY (tenant_id, person_id)); \
    INSERT INTO people VALUES (1, 'a', NULL, NULL), (2, 'b', NULL, NULL), (3, 'c', 1, 1); \
    INSERT INTO secrets VALUES (1, 1, 'x'), (2, 2, 'y'), (3, 3, 'z'); INSERT INTO uses VALUES (1, 5), (2, 6), (3, 7); \
    INSERT INTO seals VALUES (1, 'x'), (2, 'y'), (3, 'z'); INSERT INTO hints SELECT * FROM seals UNION ALL TABLE seals; \
    INSERT INTO likes VALUES (1, 1), (2, 2); INSERT INTO sessions VALUES (1, 1), (2, 2); \
    INSERT INTO members VALUES (1, 3), (1, 2), (2, 2);";

#[tokio::test]
async fn people_that_went_with_a_tenant_come_back_with_what_was_only_theirs() {
    let world = world(PEOPLE);
    without_keys(
        &world,
        "DELETE FROM members WHERE tenant_id = 1; DELETE FROM uses WHERE at IN (5, 7); DELETE FROM sessions WHERE id = 1; \
         DELETE FROM secrets WHERE person_id IN (1, 3); DELETE FROM seals WHERE person_id <> 2; \
         DELETE FROM hints WHERE person_id <> 2; UPDATE likes SET person_id = NULL WHERE id = 1; \
         DELETE FROM people WHERE id IN (1, 3); DELETE FROM tenants WHERE id = 1",
    );
    let restored = world.restore("1").await.unwrap();
    let shared: Vec<(&str, u64)> = restored.shared.iter().map(|(table, rows)| (table.as_str(), *rows)).collect();
    assert_eq!(shared, [("hints", 4), ("people", 2), ("seals", 2), ("secrets", 2), ("uses", 2)]);
    equal(&world, &["tenants", "people", "secrets", "uses", "seals", "hints", "members"]);
    assert_eq!(world.live("SELECT count(*) FROM sessions"), "1", "its time is over");
    assert_eq!(world.live("SELECT person_id IS NULL FROM likes WHERE id = 1"), "t", "it stayed, and is not ours");
}

#[tokio::test]
async fn nobodys_row_in_a_table_of_tenants_is_a_shared_row() {
    let world = world(
        "CREATE TABLE people (id int PRIMARY KEY); \
         CREATE TABLE keys (id int PRIMARY KEY, tenant_id int REFERENCES tenants, person_id int REFERENCES people ON DELETE CASCADE); \
         CREATE TABLE rooms (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, key_id int REFERENCES keys); \
         INSERT INTO people VALUES (1), (2); \
         INSERT INTO keys VALUES (1, 1, NULL), (2, NULL, 1), (3, NULL, 2), (4, NULL, 1), (5, 2, 1); \
         INSERT INTO rooms VALUES (1, 1, 1), (2, 1, 2), (3, 2, 3)",
    );
    without_keys(
        &world,
        "DELETE FROM rooms WHERE tenant_id = 1; DELETE FROM keys WHERE id IN (1, 2, 4); DELETE FROM people WHERE id = 1; \
         UPDATE keys SET person_id = NULL WHERE id = 5; DELETE FROM tenants WHERE id = 1",
    );
    assert!(world.look("1").await.missing.is_empty());
    let restored = world.restore("1").await.unwrap();
    let shared: Vec<(&str, u64)> = restored.shared.iter().map(|(table, rows)| (table.as_str(), *rows)).collect();
    assert_eq!((restored.inserted, shared), (4, vec![("keys", 2), ("people", 1)]));
    equal(&world, &["tenants", "people", "(SELECT * FROM keys WHERE id <> 5)", "rooms"]);
}

#[tokio::test]
async fn a_shared_row_is_not_made_with_a_reference_that_leads_nowhere() {
    let world = world(PEOPLE);
    let _ = world.copy("UPDATE people SET home_id = 3 WHERE id = 3");
    without_keys(
        &world,
        "DELETE FROM members WHERE tenant_id = 1; DELETE FROM uses WHERE at = 7; DELETE FROM secrets WHERE person_id = 3; \
         DELETE FROM people WHERE id = 3; DELETE FROM tenants WHERE id IN (1, 3)",
    );
    match world.restore("1").await {
        Err(RestoreError::References { missing, .. }) => {
            assert_eq!(missing, ["people (people_home_id_fkey) -> tenants (3)"]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.live("SELECT count(*) FROM people WHERE id = 3"), "0");
    assert_eq!(code(world.restore("3").await), "done");
    assert_eq!(code(world.restore("1").await), "done");
    equal(&world, &["tenants", "people", "secrets", "uses", "members"]);
}
