//! Small tenants in one transaction: each is proven, told of and taken back by itself.

use connectors::postgres::TenantOutcome;

use super::world::World;

/// 40 tenants of 3 rows each; every one refers to a plan, and one to what is not its own.
const SMALL: &str = "CREATE TABLE plans (id int PRIMARY KEY, name text); INSERT INTO plans VALUES (1, 'free'), (2, 'paid'); \
    CREATE TABLE tenants (id int PRIMARY KEY, plan_id int NOT NULL REFERENCES plans, name text UNIQUE); \
    CREATE TABLE items (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, next_to int REFERENCES items); \
    CREATE INDEX ON items (tenant_id); INSERT INTO tenants SELECT n, 1, 'name ' || n FROM generate_series(1, 40) AS n; \
    INSERT INTO items SELECT n, 1 + n % 40 FROM generate_series(1, 80) AS n";

fn ids(all: impl Iterator<Item = u32>) -> Vec<String> {
    all.map(|n| n.to_string()).collect()
}

async fn restore(world: &World, tenants: &[String]) -> Vec<TenantOutcome> {
    let tenants: Vec<&str> = tenants.iter().map(String::as_str).collect();
    world.try_restore(&tenants).await.unwrap().tenants
}

async fn deleted(script: &str) -> (World, Vec<String>) {
    let mut world = World::new(script, "tenants");
    world.job.connections = 1;
    let all = ids(1..=30);
    world.delete(&all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    (world, all)
}

fn told(outcomes: &[TenantOutcome]) -> Vec<String> {
    let word = |one: &TenantOutcome| Some(format!("{} {}", one.tenant, one.result.as_ref().err()?.code()));
    outcomes.iter().filter_map(word).collect()
}

#[tokio::test]
async fn they_share_a_transaction_and_each_has_its_own_ledger_row() {
    let (world, all) = deleted(SMALL).await;
    let done = restore(&world, &all).await;
    assert_eq!(told(&done), [""; 0]);
    assert_eq!(world.rows("live"), world.rows("copy"));
    assert_eq!(
        world.live("SELECT count(*), count(DISTINCT xid), min(rows), max(inserted) FROM reinstate.ledger"),
        "30|1|3|3"
    );
    let one = done[7].result.as_ref().unwrap();
    assert_eq!((one.rows, one.inserted, one.tables["items"].rows, one.tables["tenants"].rows), (3, 3, 2, 1));
}

#[tokio::test]
async fn those_that_are_back_already_are_told_as_before_and_the_rest_goes_on_together() {
    let (world, all) = deleted(SMALL).await;
    assert_eq!(told(&restore(&world, &all[..9]).await), [""; 0]);
    let done = restore(&world, &all).await;
    let before: Vec<&str> =
        done.iter().filter(|one| one.result.as_ref().unwrap().before).map(|one| one.tenant.as_str()).collect();
    let mut expected = all[..9].to_vec();
    expected.sort();
    assert_eq!(before, expected);
    assert!(done.iter().all(|one| one.result.as_ref().unwrap().inserted == 3));
    assert_eq!(world.live("SELECT count(*), count(DISTINCT xid) FROM reinstate.ledger"), "30|2");
    assert_eq!(world.rows("live"), world.rows("copy"));
}

#[tokio::test]
async fn what_is_wrong_with_one_is_told_of_it_alone_and_the_others_come_back() {
    // Tenant 5 refers to an item of tenant 39, which is gone; another has taken the name of tenant 9.
    let script = format!("{SMALL}; UPDATE items SET next_to = 38 WHERE id = 4");
    let (world, all) = deleted(&script).await;
    let _ = world.live("DELETE FROM items WHERE id = 38; INSERT INTO tenants VALUES (99, 2, 'name 9')");
    assert_eq!(told(&restore(&world, &all).await), ["5 postgres.references", "9 postgres.conflict"]);
    assert_eq!(world.live("SELECT count(*) FROM tenants WHERE id <= 30"), "28");
    assert_eq!(world.live("SELECT count(*) FROM reinstate.ledger"), "28");
}

#[tokio::test]
async fn a_shared_row_that_is_gone_comes_back_once_and_in_one_ledger_row() {
    let (world, all) = deleted(SMALL).await;
    let _ = world.live("UPDATE tenants SET plan_id = 2; DELETE FROM plans WHERE id = 1");
    assert_eq!(told(&restore(&world, &all).await), [""; 0]);
    assert_eq!(world.live("SELECT id, name FROM plans ORDER BY 1"), "1|free\n2|paid");
    assert_eq!(world.live("SELECT count(*) FROM reinstate.ledger WHERE detail ? 'shared'"), "1");
}

#[tokio::test]
async fn a_deferred_constraint_that_one_breaks_at_commit_holds_nobody_else_back() {
    let (world, all) = deleted(SMALL).await;
    // Whatever keeps quiet otherwise, this does not; it fires when everything seems done.
    let _ = world.live(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$; \
         CREATE CONSTRAINT TRIGGER late AFTER INSERT ON tenants DEFERRABLE INITIALLY DEFERRED FOR EACH ROW \
           WHEN (new.id = 3) EXECUTE FUNCTION refuse(); ALTER TABLE tenants ENABLE ALWAYS TRIGGER late",
    );
    let mut world = world;
    world.job.scope.allow_triggers = true;
    assert_eq!(told(&restore(&world, &all).await), ["3 postgres.failed"]);
    assert_eq!(world.live("SELECT count(*) FROM tenants WHERE id <= 30"), "29");
}
