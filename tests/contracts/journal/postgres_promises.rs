//! What is promised whatever a server, a role or a pooler has set, and whoever else is at work in the same moment.

use std::sync::Arc;

use reinstate_tests::postgres::{Cluster, shared};
use runtime::{AttemptLogs, Holder, Journal, JournalError, LogLine, LogPiece, LogTally, Mailbox, Retention, Voice};
use sqlx::{Connection, PgConnection};
use store::PostgresStore;

use crate::fixture::{Fixture, driven, head, holder};
use crate::hand::{Hand, query};
use crate::pattern;
use crate::postgres_rights::address_as;
use crate::postgres_schema::{open, with_groups};
use crate::schema::{Schema, postgres_address};

#[tokio::test]
async fn what_is_acknowledged_is_durable_where_the_server_does_not_wait_for_commits() {
    // Nothing but a commit that is waited for writes the log within ten seconds.
    let lazy = Cluster::with().set("synchronous_commit", "off").set("wal_writer_delay", "10s");
    let mut cluster = lazy.start();
    let store = PostgresStore::open(&postgres_address(&cluster.url("postgres"))).await.unwrap();
    let lease = driven(&store, "a", u64::MAX).await;
    for seq in 0..5 {
        store.append(&lease, seq, &pattern::group(seq)).await.unwrap();
    }
    cluster.kill();
    cluster.start_again();
    assert_eq!(store.load("a", 0, 9).await.unwrap().len(), 5);
    assert!(matches!(store.acquire("a", &holder("two"), 1).await, Err(JournalError::Held { .. })));
    store.append(&lease, 5, b"goes on").await.unwrap();
}

#[tokio::test]
async fn a_group_in_doubt_that_no_standby_has_is_not_acknowledged() {
    let cluster = Cluster::start();
    let store = PostgresStore::open(&postgres_address(&cluster.url("postgres"))).await.unwrap();
    let lease = driven(&store, "a", u64::MAX).await;
    let demand = |standby: &str| {
        let _ = cluster.sql("postgres", &format!("ALTER SYSTEM SET synchronous_standby_names = '{standby}'"));
        let _ = cluster.sql("postgres", "SELECT pg_reload_conf()");
    };
    demand("nobody");
    let mut looks = PgConnection::connect(&cluster.url("postgres")).await.unwrap();
    let append = tokio::spawn(async move { store.append(&lease, 0, b"group").await });
    let waiting = "SELECT coalesce(max(pid), 0)::bigint FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let mut waits = async |other: i64| loop {
        assert!(!append.is_finished(), "it was acknowledged");
        match query(&mut looks, waiting).await {
            pid if pid > 0 && pid != other => return pid,
            _ => {}
        }
    };
    let first = waits(0).await;
    // The group is in the journal from here on, and may be seen, but no standby has it.
    let _ = cluster.sql("postgres", &format!("SELECT pg_terminate_backend({first})"));
    waits(first).await;
    demand("");
    assert_eq!(append.await.unwrap().unwrap().next, 1);
}

#[tokio::test]
async fn other_isolation_by_default_changes_nothing() {
    for isolation in ["repeatable read", "serializable"] {
        let fixture = async || {
            let schema = Schema::new();
            let grants =
                "CREATE SCHEMA {s} AUTHORIZATION {role}; ALTER ROLE {role} SET default_transaction_isolation = ";
            let address = address_as(&schema, "strict", &format!("{grants} '{isolation}'"));
            let store = PostgresStore::open(&postgres_address(&address)).await.unwrap();
            Fixture::postgres(store, schema)
        };
        crate::suite::one_of_two_rivals_wins_each_number(fixture().await).await;
        crate::suite::many_appenders_to_many_runs(fixture().await).await;
        crate::claims::one_of_many_who_ask_in_the_same_moment_has_it(fixture().await).await;
        crate::drills::one_of_many_claimants_wins(fixture().await).await;
        crate::retention::a_name_is_taken_or_spent_whoever_comes_first(fixture().await).await;
        let schema = fixture().await;
        // Who held sites while it was about to be given up is not given up: what counts is how it stands after the wait.
        let journal = &*schema.journal;
        for round in 0..20 {
            let (run, site) = (format!("b{round}"), [format!("s{round}")]);
            let lease = driven(journal, &run, 1_000).await;
            // Both have a connection before they want the row.
            let _ = tokio::join!(journal.list(), journal.list());
            let (held, gone) = tokio::join!(journal.hold_sites(&run, "prod", &site), journal.discard(&lease));
            match (&held, &gone) {
                (Ok(()), Err(JournalError::SiteHeld { .. })) | (Err(JournalError::NoSuchRun(_)), Ok(())) => {}
                both => panic!("{isolation}: {both:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_name_is_spent_for_who_waited_for_the_end_of_its_run() {
    for (end, code) in [("COMMIT", "journal-name-spent"), ("ROLLBACK", "journal-exists")] {
        let schema = Schema::new();
        let (store, _) = with_groups(&schema, 1).await;
        let give_up =
            "INSERT INTO {s}.spent SELECT name FROM {s}.runs; DELETE FROM {s}.positions; DELETE FROM {s}.runs";
        let mut hand = Hand::holding(&schema, give_up).await;
        let create = tokio::spawn(async move { store.create(&head("a"), b"another").await });
        hand.until_waiting(1, &[&create]).await;
        hand.say(end).await;
        assert_eq!(create.await.unwrap().unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn a_plan_is_whole_or_its_run_is_not_there() {
    let schema = Schema::new();
    let (store, lease) = with_groups(&schema, 1).await;
    let store = Arc::new(store);
    let mut hand = Hand::holding(&schema, "LOCK TABLE {s}.plans IN ACCESS EXCLUSIVE MODE").await;
    let reader = Arc::clone(&store);
    let plan = tokio::spawn(async move { reader.plan("a").await });
    hand.until_waiting(1, &[&plan]).await;
    store.discard(&lease).await.unwrap();
    hand.say("DELETE FROM {s}.plans; COMMIT".replace("{s}", &schema.name).as_str()).await;
    let plan = plan.await.unwrap();
    assert!(matches!(plan, Err(JournalError::NoSuchRun(_))), "{plan:?}");
}

#[tokio::test]
async fn no_line_is_left_of_a_run_that_is_given_up_while_it_writes() {
    let schema = Schema::new();
    let (store, lease) = with_groups(&schema, 1).await;
    let store = Arc::new(store);
    let line = LogLine { number: 0, at: 0, voice: Voice::Stdout, text: "line".to_owned() };
    let piece =
        LogPiece { unit: "u".to_owned(), attempt: 1, lines: vec![line], forget: None, tally: LogTally::default() };
    let mut hand = Hand::holding(&schema, "LOCK TABLE {s}.lines IN EXCLUSIVE MODE").await;
    let writer = Arc::clone(&store);
    let writes = tokio::spawn(async move { writer.keep_logs("a", &[piece]).await.map(drop) });
    hand.until_waiting(1, &[&writes]).await;
    let pruner = Arc::clone(&store);
    let gives_up = tokio::spawn(async move { pruner.discard(&lease).await });
    hand.until_waiting(2, &[&writes, &gives_up]).await;
    hand.say("COMMIT").await;
    writes.await.unwrap().unwrap();
    gives_up.await.unwrap().unwrap();
    while store.free().await.unwrap().is_some() {}
    let left = "SELECT (SELECT count(*) FROM {s}.logs) + (SELECT count(*) FROM {s}.lines)".replace("{s}", &schema.name);
    assert_eq!(shared().sql("postgres", &left), "0");
}

#[tokio::test]
async fn numbers_of_requests_ascend_whoever_posts() {
    let schema = Schema::new();
    let (one, _) = with_groups(&schema, 0).await;
    let two = open(&schema).await;
    // What distributed databases do by themselves: each session keeps numbers of its own.
    let kept = "DO $$ DECLARE s text; BEGIN FOR s IN SELECT format('%I.%I', schemaname, sequencename) FROM pg_sequences \
                WHERE schemaname = '{s}' LOOP EXECUTE 'ALTER SEQUENCE ' || s || ' CACHE 100'; END LOOP; END $$";
    schema.sql(kept);
    let mut last = 0;
    for round in 0..8_u8 {
        let id = if round % 2 == 0 { &one } else { &two }.post("a", &[round], 1_000).await.unwrap();
        assert!(id > last, "{id} after {last}");
        last = id;
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("postgres://u:pa55word@{}/runs", listener.local_addr().unwrap());
    let refused = PostgresStore::open(&postgres_address(&address)).await.err().unwrap();
    assert_eq!(refused.code(), "journal-unavailable");
    assert!(refused.to_string().contains("no answer in time"), "{refused}");
    assert!(!format!("{refused:?} {}", refused.hint()).contains("pa55word"));
}

#[tokio::test]
async fn rows_that_every_append_writes_stay_where_they_are() {
    let schema = Schema::new();
    let (store, lease) = with_groups(&schema, 0).await;
    let me = Holder { name: "one".to_owned(), pid: 1, host: "here".to_owned() };
    for seq in 0..400 {
        store.append(&lease, seq, b"group").await.unwrap();
        store.renew(&lease, 10_000).await.unwrap();
    }
    assert!(matches!(store.acquire("a", &me, 1).await, Err(JournalError::Held { .. })));
    let pages = format!("SELECT pg_relation_size('{}.positions') / 8192", schema.name);
    assert_eq!(shared().sql("postgres", &pages), "1", "versions that are dead make room for new ones");
}
