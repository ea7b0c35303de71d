//! A schema that is made, found, refused and damaged.

use reinstate_tests::postgres::shared;
use runtime::{Drills, Journal, JournalError, Lease};
use store::{POSTGRES_FORMAT, PostgresStore};

use crate::fixture::{head, holder};
use crate::pattern;
use crate::schema::{Schema, postgres_address};

pub(crate) async fn open(schema: &Schema) -> PostgresStore {
    PostgresStore::open(&schema.address()).await.unwrap()
}

/// Opens a new schema with one run, `a`, of so many groups.
pub(crate) async fn with_groups(schema: &Schema, groups: u64) -> (PostgresStore, Lease) {
    let store = open(schema).await;
    store.create(&head("a"), b"the plan").await.unwrap();
    let lease = store.acquire("a", &holder("one"), 10_000).await.unwrap();
    for seq in 0..groups {
        store.append(&lease, seq, &pattern::group(seq)).await.unwrap();
    }
    (store, lease)
}

async fn refused(address: &str) -> JournalError {
    PostgresStore::open(&postgres_address(address)).await.err().unwrap()
}

#[tokio::test]
async fn many_at_once_make_one_store() {
    let schema = Schema::new();
    let opened: Vec<_> = (0..8)
        .map(|_| {
            let address = schema.address();
            tokio::spawn(async move { PostgresStore::open(&address).await.unwrap() })
        })
        .collect();
    let mut stores = Vec::new();
    for store in opened {
        stores.push(store.await.unwrap());
    }
    stores[0].create(&head("a"), b"plan").await.unwrap();
    for store in stores {
        assert_eq!(store.list().await.unwrap().len(), 1);
        store.close().await;
    }
}

#[tokio::test]
async fn all_that_was_acknowledged_is_there_again_and_two_see_each_other() {
    let schema = Schema::new();
    let (store, lease) = with_groups(&schema, 40).await;
    let again = open(&schema).await;
    store.close().await;
    let groups = again.load("a", 0, 100).await.unwrap();
    assert!(groups.len() == 40 && groups.iter().all(|group| group.bytes == pattern::group(group.seq)));
    assert_eq!(again.plan("a").await.unwrap(), (head("a"), b"the plan".to_vec()));
    assert!(
        matches!(again.acquire("a", &holder("two"), 1).await, Err(JournalError::Held { holder, .. }) if holder == "one")
    );
    again.append(&lease, 40, b"goes on").await.unwrap();
}

#[tokio::test]
async fn a_newer_format_is_refused_by_its_number() {
    let schema = Schema::new();
    with_groups(&schema, 3).await.0.close().await;
    schema.sql("UPDATE {s}.store SET format = 9");
    let newer = refused(&schema.text()).await;
    assert!(matches!(newer, JournalError::NewerFormat { found: 9, known: POSTGRES_FORMAT }), "{newer}");
}

#[tokio::test]
async fn the_schema_of_another_program_is_refused_and_not_touched() {
    for theirs in [
        "CREATE TABLE {s}.customers (id int)",
        "CREATE TABLE {s}.store (id int)",
        "CREATE TABLE {s}.store (program text, format bigint); INSERT INTO {s}.store VALUES ('another', 1)",
    ] {
        let schema = Schema::new();
        schema.sql(&format!("CREATE SCHEMA {{s}}; {theirs}"));
        let foreign = refused(&schema.text()).await;
        assert!(matches!(&foreign, JournalError::Corrupt(what) if what.contains("another program")), "{foreign}");
        let tables = format!("SELECT count(*) FROM pg_tables WHERE schemaname = '{}'", schema.name);
        assert_eq!(shared().sql("postgres", &tables), "1");
    }
}

#[tokio::test]
async fn what_is_missing_or_changed_is_found() {
    let schema = Schema::new();
    let (store, _) = with_groups(&schema, 6).await;
    let corrupt = |error: JournalError, word: &str| {
        assert!(matches!(&error, JournalError::Corrupt(what) if what.contains(word)), "{error}");
    };
    schema.sql("DELETE FROM {s}.groups WHERE seq = 5");
    assert_eq!(store.load("a", 0, 5).await.unwrap().len(), 5, "what is there is whole");
    for (from, limit) in [(0, 10), (5, 1)] {
        corrupt(store.load("a", from, limit).await.unwrap_err(), "5 groups, and had 6");
    }
    schema.sql("DELETE FROM {s}.groups WHERE seq = 2");
    corrupt(store.load("a", 0, 5).await.unwrap_err(), "group 2");
    schema.sql("UPDATE {s}.groups SET seq = 2 WHERE seq = 3");
    corrupt(store.load("a", 0, 3).await.unwrap_err(), "checksum");
    for damage in
        ["UPDATE {s}.plans SET bytes = '\\x00'", "UPDATE {s}.runs SET plan_hash = 'other'", "DELETE FROM {s}.plans"]
    {
        let schema = Schema::new();
        let (store, _) = with_groups(&schema, 1).await;
        schema.sql(damage);
        corrupt(store.plan("a").await.unwrap_err(), "plan of run a");
    }
}

#[tokio::test]
async fn ten_thousand_runs_are_listed_by_one_row_each() {
    let schema = Schema::new();
    let store = open(&schema).await;
    schema.sql(
        "INSERT INTO {s}.runs (name, plan_hash, created_at, plan_size, checksum) \
         SELECT convert_to('run ' || n, 'UTF8'), 'h', n, 0, 'c' FROM generate_series(1, 10000) n; \
         INSERT INTO {s}.positions SELECT id, 7, 1, 0, false, 'nobody' FROM {s}.runs",
    );
    let listed = store.list().await.unwrap();
    assert_eq!((listed.len(), listed[0].head.run.as_str(), listed[0].groups), (10_000, "run 10000", 7));
    let explained = format!("EXPLAIN SELECT * FROM {0}.runs r JOIN {0}.positions p ON p.run = r.id", schema.name);
    assert!(!shared().sql("postgres", &explained).contains("groups"));
}

#[tokio::test]
async fn what_proves_is_found_by_indexes_among_many_drills() {
    let schema = Schema::new();
    let store = open(&schema).await;
    schema.sql(
        "INSERT INTO {s}.drills SELECT convert_to('d' || n % 7, 'UTF8'), n, 'run', n, convert_to('h' || n % 11, 'UTF8'), n, \
         true, n % 100 = 0, 1, 'r' \
         FROM generate_series(1, 20000) n; ANALYZE {s}.drills",
    );
    assert_eq!(store.proofs(19_000).await.unwrap().len(), 10 + 11);
    store.close().await;
    // A session's numbers are there once it has ended.
    let read = |what: &str| {
        let asked = format!(
            "SELECT {what} FROM pg_stat_all_tables WHERE schemaname = '{}' AND relname = 'drills'",
            schema.name
        );
        shared().sql("postgres", &asked)
    };
    while read("idx_scan") == "0" {}
    assert_eq!(read("seq_tup_read"), "0", "rows that prove nothing are not read");
}
