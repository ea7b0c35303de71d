//! `sqlite/restore`: edges, and being stopped anywhere.

use std::time::Duration;

use runtime::engine::{Advice, Outcome};
use serde_json::json;

use crate::shard::{Shard, dump, open, run, scalar};
use crate::world::{World, call, done, dropped_after, keyed, refused};

const TRIGGER: &str = "
create table audit (what text);
create trigger on_issue after insert on issues begin insert into audit values ('new ' || new.id); end;
create trigger on_plan after insert on plans begin insert into audit values ('plan'); end;";

#[tokio::test]
async fn dropped_anywhere_it_is_all_or_nothing() {
    let (mut whole, mut none) = (0, 0);
    let shard = Shard::new().await;
    let before = dump(&shard.live).await;
    for polls in (1..10).chain((10..120).step_by(4)).chain((120..400).step_by(40)) {
        let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
        let live = folder.path().join("live.db");
        run(&mut open(&shard.live).await, &format!("vacuum into '{}'", live.display())).await;
        let mut with = shard.with(2);
        with["to"] = json!(live);
        let attempt = |token| keyed("sqlite/restore@1", with.clone(), "r/s/k/", token);
        let ready = dropped_after(polls, world.apply(attempt(1))).await;
        // The probe waits for what was on its way.
        match world.probe(attempt(1)).await {
            Outcome::Done { .. } => {
                whole += 1;
                assert_eq!(scalar(&live, "select count(*) from issues where project_id = 2000").await, "4");
            }
            outcome => {
                refused(&outcome, "sqlite.not_done", Advice::Retry);
                assert!(!ready);
                none += 1;
                assert_eq!(dump(&live).await, before, "after {polls} polls");
            }
        }
        assert_eq!(done(&world.apply(attempt(2)).await)["rows"], 28);
        assert_eq!(scalar(&live, "select count(*) from reinstate_ledger").await, "1");
        done(&world.apply(call("sqlite/verify@1", with.clone())).await);
    }
    assert!(whole > 0 && none > 0, "{whole} whole, {none} none");
}

#[tokio::test]
async fn triggers_are_refused_suppressed_or_fired() {
    let (world, shard) = (World::new(), Shard::with_schema(TRIGGER).await);
    run(&mut open(&shard.live).await, "delete from audit").await;
    let outcome = world.apply(call("sqlite/restore@1", shard.with(2))).await;
    let message = refused(&outcome, "sqlite.triggers", Advice::Never);
    assert!(message.contains("on_issue on issues") && !message.contains("on_plan"), "{message}");
    done(&world.apply(call("sqlite/restore@1", shard.with_more(2, json!({ "triggers": "suppress" })))).await);
    assert_eq!(scalar(&shard.live, "select count(*) from audit").await, "0");
    assert_eq!(scalar(&shard.live, "select count(*) from sqlite_schema where type = 'trigger'").await, "2");
    run(&mut open(&shard.live).await, "insert into issues values (7777, 1000, null, null, null, null)").await;
    assert_eq!(scalar(&shard.live, "select count(*) from audit").await, "1", "they fire again");
    done(&world.apply(call("sqlite/bystanders@1", json!({ "live": shard.live }))).await);

    let (world, shard) = (World::new(), Shard::with_schema(TRIGGER).await);
    done(&world.apply(call("sqlite/restore@1", shard.with_more(2, json!({ "triggers": "fire" })))).await);
    assert_eq!(
        scalar(&shard.live, "select count(*) from audit where what >= 'new 2000' and what < 'new 2999'").await,
        "8"
    );
    let outcome = world.apply(call("sqlite/bystanders@1", json!({ "live": shard.live }))).await;
    let message = refused(&outcome, "sqlite.bystanders", Advice::Never);
    assert!(message.contains("28 rows inserted, 32 changes counted"), "{message}");
}

#[tokio::test]
async fn a_trigger_that_changes_restored_rows_rolls_all_back() {
    let trigger = "create trigger shout after insert on projects begin update projects set name = 'changed' where id = new.id; end;";
    let (world, shard) = (World::new(), Shard::with_schema("").await);
    shard.on_live(trigger).await;
    let before = dump(&shard.live).await;
    let outcome = world.apply(call("sqlite/restore@1", shard.with_more(2, json!({ "triggers": "fire" })))).await;
    assert!(refused(&outcome, "sqlite.mismatch", Advice::Never).contains("projects: content of 1 rows differs"));
    assert_eq!(dump(&shard.live).await, before);
}

#[tokio::test]
async fn schema_drift_stops() {
    for (sql, expected) in [
        ("alter table issues add column color text", "column issues.color is new"),
        ("alter table comments rename column body to text", "column comments.body is missing"),
        ("drop table links", "table links is missing"),
    ] {
        let (world, shard) = (World::new(), Shard::new().await);
        shard.on_live(sql).await;
        let outcome = world.apply(call("sqlite/restore@1", shard.with(2))).await;
        let message = refused(&outcome, "sqlite.schema_drift", Advice::Never);
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn a_schema_that_moves_between_two_restores_is_seen() {
    let (world, shard) = (World::new(), Shard::new().await);
    done(
        &world
            .apply(keyed("sqlite/restore@1", shard.with_more(2, json!({ "tables": ["sites", "users"] })), "a", 1))
            .await,
    );
    shard.on_live("create table further (id integer primary key); create index more on issues(title)").await;
    done(&world.apply(keyed("sqlite/restore@1", shard.with(2), "b", 1)).await);
    shard.on_live("alter table issues add column color text").await;
    let outcome = world.apply(keyed("sqlite/restore@1", shard.with(2), "c", 1)).await;
    refused(&outcome, "sqlite.schema_drift", Advice::Never);
}

#[tokio::test]
async fn a_replaced_file_is_not_read_through_an_old_handle() {
    let (world, shard) = (World::new(), Shard::new().await);
    let only = json!({ "tables": ["sites", "users"] });
    done(&world.apply(keyed("sqlite/restore@1", shard.with_more(2, only), "a", 1)).await);
    let newer = shard.folder.path().join("newer.db");
    std::fs::copy(&shard.from, &newer).unwrap();
    run(&mut open(&newer).await, "update projects set name = 'renamed' where id = 2000").await;
    std::fs::rename(&newer, &shard.from).unwrap();
    done(&world.apply(keyed("sqlite/restore@1", shard.with(2), "b", 1)).await);
    assert_eq!(scalar(&shard.live, "select name from projects where id = 2000").await, "renamed");
}

#[tokio::test]
async fn composite_keys_and_nullable_ways() {
    let schema = "
      create table boards (site_id text not null references sites(id), n integer not null, name text, primary key (site_id, n));
      create table cards (id text primary key, board_site text not null, board_n integer not null, page_id integer references pages(id),
        foreign key (board_site, board_n) references boards(site_id, n));
      create index cards_board on cards(board_site, board_n);
      create table pages (id integer primary key, site_id text references sites(id), parent integer references pages);
      create table marks (page_id integer references pages(id), issue_id integer references issues(id), text text, unique (text collate nocase));";
    let (world, shard) = (World::new(), Shard::with_schema(schema).await);
    let rows = "insert into boards values ('site-2', 1, 'b'); insert into cards values ('c', 'site-2', 1, 5);
      insert into pages values (5, 'site-2', null), (6, 'site-2', 5); insert into marks values (5, null, 'p'), (null, 2000, 'i'), (6, 2001, 'both');
      insert into boards values ('site-1', 1, 'theirs'); insert into marks values (null, 1000, 'Theirs')";
    run(&mut open(&shard.from).await, &format!("pragma foreign_keys = off; {rows}")).await;
    let outputs = done(&world.apply(call("sqlite/restore@1", shard.with(2))).await);
    let tables = json!({ "boards": 1, "cards": 1, "comments": 8, "issues": 4, "links": 12, "marks": 3, "pages": 2, "projects": 1, "sites": 1, "users": 2 });
    assert_eq!(outputs["tables"], tables);
    done(&world.apply(call("sqlite/verify@1", shard.with(2))).await);
}

#[tokio::test]
async fn a_locked_file_is_busy_and_a_missing_one_is_not_made() {
    let (world, shard) = (World::new(), Shard::new().await);
    let mut other = open(&shard.live).await;
    run(&mut other, "begin immediate").await;
    let mut attempt = call("sqlite/restore@1", shard.with(2));
    attempt.timeout = Duration::from_secs(60);
    refused(&world.apply(attempt.clone()).await, "sqlite.busy", Advice::Retry);
    run(&mut other, "rollback").await;
    done(&world.apply(attempt).await);
    let outcome = world.apply(call("sqlite/restore@1", shard.with_more(2, json!({ "to": "/no/such/file.db" })))).await;
    refused(&outcome, "sqlite.open", Advice::Retry);
    let text = shard.folder.path().join("text");
    std::fs::write(&text, "x".repeat(5000)).unwrap();
    let outcome = world.apply(call("sqlite/restore@1", shard.with_more(2, json!({ "from": text })))).await;
    refused(&outcome, "sqlite.damaged", Advice::Never);
}

#[tokio::test]
async fn verify_sees_every_difference() {
    let (world, shard) = (World::new(), Shard::new().await);
    done(&world.apply(call("sqlite/restore@1", shard.with(2))).await);
    for (sql, code, expected) in [
        ("update issues set weight = 1 where id = 2001", "sqlite.differ", "issues: content of 4 rows differs"),
        (
            "delete from links where rowid = (select max(rowid) from links where user_id = 2000)",
            "sqlite.differ",
            "links: 12 rows expected, 11 found",
        ),
    ] {
        shard.on_live(sql).await;
        let outcome = world.apply(call("sqlite/verify@1", shard.with(2))).await;
        assert!(refused(&outcome, code, Advice::Never).contains(expected), "{outcome:?}");
    }
    let (world, shard) = (World::new(), Shard::new().await);
    done(&world.apply(call("sqlite/restore@1", shard.with(2))).await);
    shard.on_live("pragma foreign_keys = off; delete from plans").await;
    let outcome = world.apply(call("sqlite/verify@1", shard.with(2))).await;
    assert!(refused(&outcome, "sqlite.foreign_key", Advice::Never).contains("sites(plan_id=1) has no row in plans"));
}
