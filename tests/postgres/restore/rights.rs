//! What a role may not do is said, never worked around.

use connectors::postgres::RestoreError;

use super::world::{World, code};

const SHOP: &str = "CREATE ROLE app LOGIN; CREATE TABLE tenants (id int PRIMARY KEY); \
    CREATE TABLE a (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, parent_id int REFERENCES a); \
    INSERT INTO tenants VALUES (1), (2); INSERT INTO a VALUES (1, 1, NULL), (2, 2, NULL), (3, 1, 1); \
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app; GRANT CREATE ON DATABASE copy TO app";

fn as_app(world: &mut World) {
    let _ = world.live("GRANT CREATE ON DATABASE live TO app");
    world.job.from = world.cluster.url_as("app", "copy");
    world.job.to = world.cluster.url_as("app", "live");
}

#[tokio::test]
async fn policies_that_hide_rows_make_an_error_and_no_partial_restore() {
    let mut world = World::new(
        &format!("{SHOP}; ALTER TABLE a ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON a USING (id = 1)"),
        "tenants",
    );
    world.delete(&["1"]).await;
    as_app(&mut world);
    match world.restore("1").await {
        Err(RestoreError::Database { state, why, .. }) => {
            assert_eq!(state.as_deref(), Some("42501"), "{why}");
            assert!(why.contains("row-level security"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.live("SELECT count(*) FROM a"), "1");
    let _ = world.live("ALTER ROLE app BYPASSRLS");
    assert_eq!(code(world.restore("1").await), "done");
    assert_eq!(world.live("SELECT count(*) FROM a"), "3");
}

#[tokio::test]
async fn without_the_right_to_keep_triggers_quiet_only_what_needs_it_is_refused() {
    let mut world = World::new(SHOP, "tenants");
    let before = world.rows("copy");
    world.delete(&["1"]).await;
    as_app(&mut world);
    assert_eq!(code(world.restore("1").await), "done");
    assert_eq!(world.rows("live"), before);

    let trigger = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
                   CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()";
    let mut world = World::new(&format!("{SHOP}; {trigger}"), "tenants");
    world.delete(&["1"]).await;
    as_app(&mut world);
    let refused = world.restore("1").await.unwrap_err();
    assert_eq!(refused.code(), "postgres.rights");
    assert!(refused.to_string().contains("the trigger t would fire"), "{refused}");
    let _ = world.live("GRANT SET ON PARAMETER session_replication_role TO app");
    assert_eq!(code(world.restore("1").await), "done");
}

#[tokio::test]
async fn ids_that_are_none_and_tenants_that_never_were_are_told_apart() {
    let world = World::new(SHOP, "tenants");
    assert_eq!(code(world.restore("app-17").await), "postgres.bad_id");
    assert_eq!(code(world.restore("77").await), "postgres.no_tenant");
    assert_eq!(world.live("SELECT count(*) FROM a"), "3");
}
