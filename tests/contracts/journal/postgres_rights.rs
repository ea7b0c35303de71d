//! Roles that may not, servers that only read, and servers that would lose what they acknowledge.

use std::sync::Arc;

use reinstate_tests::postgres::{Cluster, as_server, shared, tool};
use runtime::{Journal, JournalError, Lease, SiteLocks};
use store::PostgresStore;

use crate::fixture::{head, holder};
use crate::postgres_schema::with_groups;
use crate::schema::{Schema, postgres_address};

/// The address of a schema for a role that has just been made and may do what is granted.
pub(crate) fn address_as(schema: &Schema, role: &str, grants: &str) -> String {
    let role = format!("{role}_{}", schema.name);
    schema.sql(&format!("CREATE ROLE {role} LOGIN; {}", grants.replace("{role}", &role)));
    format!("{}&schema={}", shared().url_as(&role, "postgres"), schema.name)
}

async fn refused(address: &str) -> JournalError {
    PostgresStore::open(&postgres_address(address)).await.err().unwrap()
}

#[tokio::test]
async fn who_may_not_make_the_schema_is_told_what_is_missing() {
    let schema = Schema::new();
    let refused = refused(&address_as(&schema, "guest", "SELECT 1")).await;
    assert_eq!(refused.code(), "journal-read-only");
    assert!(refused.to_string().contains("permission denied for database postgres"), "{refused}");
    assert!(refused.hint().contains("grants"));
}

#[tokio::test]
async fn a_role_with_a_schema_of_its_own_needs_nothing_else() {
    let schema = Schema::new();
    let address = address_as(&schema, "owner", "CREATE SCHEMA {s} AUTHORIZATION {role}");
    let store = PostgresStore::open(&postgres_address(&address)).await.unwrap();
    store.create(&head("a"), b"plan").await.unwrap();
    store.acquire("a", &holder("one"), 1_000).await.unwrap();
}

#[tokio::test]
async fn a_role_that_only_reads_reads_and_one_with_the_grants_of_the_guide_writes() {
    let schema = Schema::new();
    let (_, lease) = with_groups(&schema, 3).await;
    let reads = "GRANT USAGE ON SCHEMA {s} TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA {s} TO {role}";
    let reader = PostgresStore::open(&postgres_address(&address_as(&schema, "reader", reads))).await.unwrap();
    assert_eq!(reader.load("a", 0, 9).await.unwrap().len(), 3);
    for denied in [
        reader.append(&lease, 3, b"x").await.map(drop).unwrap_err(),
        reader.create(&head("b"), b"").await.unwrap_err(),
        reader.hold_sites("a", "prod", &["s1".to_owned()]).await.unwrap_err(),
    ] {
        assert_eq!(denied.code(), "journal-read-only");
        assert!(denied.to_string().contains("permission denied for table"), "{denied}");
    }
    let writes = "GRANT USAGE ON SCHEMA {s} TO {role}; \
                  GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {s} TO {role}";
    let writer = PostgresStore::open(&postgres_address(&address_as(&schema, "writer", writes))).await.unwrap();
    writer.append(&lease, 3, b"x").await.unwrap();
    writer.create(&head("b"), b"").await.unwrap();
    writer.hold_sites("b", "prod", &["s1".to_owned()]).await.unwrap();
    let nothing = refused(&address_as(&schema, "stranger", "SELECT 1")).await;
    assert!(nothing.to_string().contains("permission denied for schema"), "{nothing}");
}

#[tokio::test]
async fn a_standby_is_read_and_not_written() {
    let mut primary = Cluster::start();
    let address = |cluster: &Cluster| format!("{}&schema=runs", cluster.url("postgres"));
    let store = PostgresStore::open(&postgres_address(&address(&primary))).await.unwrap();
    store.create(&head("a"), b"plan").await.unwrap();
    let lease = store.acquire("a", &holder("one"), 10_000).await.unwrap();
    store.append(&lease, 0, b"group").await.unwrap();
    store.close().await;
    primary.stop();
    let signal = primary.data().join("standby.signal");
    assert!(as_server("touch").arg(&signal).status().unwrap().success(), "{}", tool("postgres"));
    primary.start_again();
    let standby = PostgresStore::open(&postgres_address(&address(&primary))).await.unwrap();
    assert_eq!(standby.load("a", 0, 9).await.unwrap().len(), 1);
    assert_eq!(standby.list().await.unwrap()[0].held_by.as_deref(), Some("one"));
    for denied in [
        standby.append(&lease, 1, b"x").await.map(drop).unwrap_err(),
        standby.create(&head("b"), b"").await.unwrap_err(),
    ] {
        assert_eq!(denied.code(), "journal-read-only", "{denied}");
        assert!(denied.to_string().contains("read-only"), "{denied}");
    }
    let other = address(&primary).replace("schema=runs", "schema=other");
    assert!(refused(&other).await.to_string().contains("no store yet"));
}

#[tokio::test]
async fn a_standby_in_the_place_of_what_took_changes_is_waited_for() {
    let mut cluster = Cluster::start();
    let store = Arc::new(PostgresStore::open(&postgres_address(&cluster.url("postgres"))).await.unwrap());
    store.create(&head("a"), b"plan").await.unwrap();
    let lease = store.acquire("a", &holder("one"), 60_000).await.unwrap();
    cluster.stop();
    assert!(as_server("touch").arg(cluster.data().join("standby.signal")).status().unwrap().success());
    cluster.start_again();
    // By new connections from here on, so that nothing is lost with one.
    assert_eq!(store.list().await.unwrap().len(), 1);
    let change = |store: Arc<PostgresStore>, lease: Lease| async move {
        store.renew(&lease, 60_000).await?;
        store.create(&head("b"), b"").await?;
        store.append(&lease, 0, b"group").await
    };
    let changed = tokio::spawn(change(store.clone(), lease.clone()));
    while !cluster.log().contains("in a read-only transaction") {
        assert!(!changed.is_finished(), "{:?}", changed.await);
        tokio::task::yield_now().await;
    }
    cluster.promote();
    assert_eq!(changed.await.unwrap().unwrap().next, 1);
    cluster.stop();
    assert!(as_server("touch").arg(cluster.data().join("standby.signal")).status().unwrap().success());
    cluster.start_again();
    assert_eq!(store.list().await.unwrap().len(), 2);
    let away = store.renew(&lease, 60_000).await.unwrap_err();
    assert!(away.may_pass(), "{away}");
    assert!(away.to_string().contains("takes none now"), "{away}");
}

#[tokio::test]
async fn nobody_at_the_door_is_named_without_the_password() {
    let nobody = refused("postgres://me:hunter2@127.0.0.1:1/runs").await;
    assert_eq!(nobody.code(), "journal-unavailable");
    let text = format!("{nobody} {nobody:?}");
    assert!(text.contains("database runs at 127.0.0.1:1") && !text.contains("hunter2"), "{text}");
}
