//! `sqlite/remove`: a restore is taken back, whole and once.

use runtime::engine::{Advice, Outcome};
use serde_json::{Value, json};

use crate::shard::{Shard, deletion, dump, open, run, scalar, tenant};
use crate::world::{World, call, done, dropped_after, keyed, refused, undoing};

const KEY: &str = "r/databases/site-2/";

/// The inputs of an undo: those of the restore without `from`.
fn without_from(mut with: Value) -> Value {
    with.as_object_mut().unwrap().remove("from");
    with
}

fn undo(shard: &Shard, token: u64) -> runtime::Call {
    undoing("sqlite/remove@1", without_from(shard.with(2)), KEY, token)
}

fn undo_with(shard: &Shard, more: Value) -> runtime::Call {
    undoing("sqlite/remove@1", without_from(shard.with_more(2, more)), KEY, 1)
}

#[tokio::test]
async fn a_restore_is_taken_back_once_and_can_be_done_again() {
    let (world, shard) = (World::new(), Shard::new().await);
    let before = dump(&shard.live).await;
    let restore = |key: &str, token| keyed("sqlite/restore@1", shard.with(2), key, token);
    done(&world.apply(restore(KEY, 1)).await);
    let restored = dump(&shard.live).await;
    refused(&world.probe(undo(&shard, 1)).await, "sqlite.not_done", Advice::Retry);
    let first = world.apply(undo(&shard, 2)).await;
    let tables = json!({ "comments": 8, "issues": 4, "links": 12, "projects": 1, "sites": 1, "users": 2 });
    assert_eq!(done(&first), json!({ "rows": 28, "tables": tables }));
    assert_eq!(dump(&shard.live).await, before);
    // Twice is once, an older attempt is stale, another undo finds nothing left.
    assert_eq!(world.apply(undo(&shard, 2)).await, first);
    assert_eq!(world.apply(undo(&shard, 3)).await, first);
    assert_eq!(world.probe(undo(&shard, 4)).await, first);
    refused(&world.apply(undo(&shard, 2)).await, "sqlite.stale_token", Advice::Never);
    let other = runtime::Call { key: "r/again".to_owned(), ..undo(&shard, 1) };
    assert_eq!(done(&world.apply(other).await), json!({ "rows": 0, "tables": {} }));
    let stood = json!({ "live": shard.live, "root": { "table": "sites" } });
    assert_eq!(
        done(&world.apply(call("sqlite/bystanders@1", stood.clone())).await),
        json!({ "restored_sites": 0, "transactions": 3, "rows": 28, "removed": 28, "foreign": 0, "changed_since": 0 })
    );
    // An attempt of the restore that arrives late finds that it is too late, whatever its number.
    refused(&world.apply(restore(KEY, 9)).await, "sqlite.undone", Advice::Never);
    refused(&world.probe(restore(KEY, 9)).await, "sqlite.undone", Advice::Never);
    assert_eq!(dump(&shard.live).await, before);
    // Under another key it is a restore of its own, which the old undo does not touch.
    assert_eq!(done(&world.apply(restore("r2/databases/site-2/", 1)).await)["inserted"], 28);
    assert_eq!(dump(&shard.live).await, restored);
    assert_eq!(world.apply(undo(&shard, 5)).await, first);
    assert_eq!(dump(&shard.live).await, restored);
    assert_eq!(
        done(&world.apply(call("sqlite/bystanders@1", stood)).await),
        json!({ "restored_sites": 1, "transactions": 4, "rows": 56, "removed": 28, "foreign": 0, "changed_since": 0 })
    );
    done(&world.apply(call("sqlite/verify@1", shard.with(2))).await);
}

#[tokio::test]
async fn a_restore_that_never_was_is_undone_and_cannot_come_late() {
    let (world, shard) = (World::new(), Shard::new().await);
    let before = dump(&shard.live).await;
    assert_eq!(done(&world.apply(undo(&shard, 1)).await), json!({ "rows": 0, "tables": {} }));
    let late = world.apply(keyed("sqlite/restore@1", shard.with(2), KEY, 7)).await;
    refused(&late, "sqlite.undone", Advice::Never);
    assert_eq!(dump(&shard.live).await, before);
    let stood = done(&world.apply(call("sqlite/bystanders@1", json!({ "live": shard.live, "run": "r" }))).await);
    assert_eq!(stood, json!({ "restored_sites": 0, "transactions": 1, "rows": 0, "removed": 0, "foreign": 0 }));
    refused(
        &world.apply(call("sqlite/remove@1", without_from(shard.with(2)))).await,
        "sqlite.no_restore",
        Advice::Never,
    );
}

#[tokio::test]
async fn what_changed_since_is_named_and_stays_unless_told() {
    for (sql, expected) in [
        ("insert into issues values (2900, 2000, null, 'new', 1, null)", "issues: 4 rows restored, 5 found"),
        ("update issues set title = 'edited' where id = 2001", "issues: content of 4 rows differs"),
        ("delete from comments where issue_id = 2000 and n = 1", "comments: 8 rows restored, 7 found"),
        (&deletion(2), "sites: 1 rows restored, 0 found"),
    ] {
        let (world, shard) = (World::new(), Shard::new().await);
        let gone = dump(&shard.live).await;
        done(&world.apply(keyed("sqlite/restore@1", shard.with(2), KEY, 1)).await);
        shard.on_live(&format!("begin; {sql}; commit")).await;
        let changed = dump(&shard.live).await;
        let outcome = world.apply(undo(&shard, 1)).await;
        let message = refused(&outcome, "sqlite.changed_since", Advice::Never);
        assert!(message.contains(expected), "{message}");
        assert_eq!(dump(&shard.live).await, changed);
        done(&world.apply(undo_with(&shard, json!({ "if_changed": "remove" }))).await);
        assert_eq!(dump(&shard.live).await, gone, "{sql}");
        done(&world.apply(call("sqlite/bystanders@1", json!({ "live": shard.live }))).await);
    }
}

#[tokio::test]
async fn rows_that_were_there_before_stay() {
    let (world, shard) = (World::new(), Shard::new().await);
    shard
        .on_live("insert into sites values ('site-2', 'h2.example', 1, null); insert into users values (2000, 'site-2', 'a@site-2'); update sites set owner_id = 2000 where id = 'site-2'; insert into links values (null, 2000, 'u'), (null, 2000, 'u'), (null, 2000, 'u'), (null, 2000, 'u')")
        .await;
    let before = dump(&shard.live).await;
    let restored = done(&world.apply(keyed("sqlite/restore@1", shard.with(2), KEY, 1)).await);
    assert_eq!((&restored["inserted"], &restored["already"]), (&json!(22), &json!(6)));
    assert_eq!(done(&world.apply(undo(&shard, 1)).await)["rows"], 22);
    assert_eq!(dump(&shard.live).await, before);
    // A restore that found everything there has nothing to give back.
    done(&world.apply(keyed("sqlite/restore@1", shard.with(2), "r/a/", 1)).await);
    let all = dump(&shard.live).await;
    assert_eq!(done(&world.apply(keyed("sqlite/restore@1", shard.with(2), "r/b/", 1)).await)["inserted"], 0);
    let nothing = undoing("sqlite/remove@1", without_from(shard.with(2)), "r/b/", 1);
    assert_eq!(done(&world.apply(nothing).await)["rows"], 0);
    assert_eq!(dump(&shard.live).await, all);
    let stood = json!({ "live": shard.live, "root": { "table": "sites" } });
    assert_eq!(done(&world.apply(call("sqlite/bystanders@1", stood)).await)["changed_since"], 0);
}

#[tokio::test]
async fn steps_are_taken_back_in_reverse_order_only() {
    let (world, shard) = (World::new(), Shard::new().await);
    let before = dump(&shard.live).await;
    let parts =
        [("r/core/2/", json!(["sites", "users"])), ("r/rest/2/", json!(["proj*", "issues", "comments", "links"]))];
    for (key, tables) in &parts {
        let with = shard.with_more(2, json!({ "tables": tables }));
        done(&world.apply(keyed("sqlite/restore@1", with, key, 1)).await);
    }
    let both = dump(&shard.live).await;
    let back = |part: usize, tables: &Value| {
        undoing("sqlite/remove@1", without_from(shard.with_more(2, json!({ "tables": tables }))), parts[part].0, 1)
    };
    let outcome = world.apply(back(0, &parts[0].1)).await;
    let message = refused(&outcome, "sqlite.foreign_key", Advice::Never);
    assert!(message.contains("projects(site_id='site-2') refers to a row of sites"), "{message}");
    assert_eq!(dump(&shard.live).await, both);
    // The inputs of another step are refused, too.
    refused(&world.apply(back(1, &parts[0].1)).await, "sqlite.undo_mismatch", Advice::Never);
    let mut other = back(1, &parts[1].1);
    other.with["tenant"] = json!("site-1");
    refused(&world.apply(other).await, "sqlite.undo_mismatch", Advice::Never);
    assert_eq!(dump(&shard.live).await, both);
    assert_eq!(done(&world.apply(back(1, &parts[1].1)).await)["rows"], 25);
    assert_eq!(done(&world.apply(back(0, &parts[0].1)).await)["rows"], 3);
    assert_eq!(dump(&shard.live).await, before);
}

#[tokio::test]
async fn actions_of_foreign_keys_write_nothing_and_a_reference_of_others_stops() {
    // Left to SQLite, deleting would empty columns of, or delete, rows that nobody asked for.
    let schema = "
      create table trees (id integer primary key, site_id text not null references sites(id),
        up integer references trees(id) on delete set null, first integer references leaves(id) on delete set null);
      create table leaves (id integer primary key, tree_id integer not null references trees(id) on delete cascade);
      create table notes (id integer primary key, leaf integer references leaves(id) on delete cascade);
      create table watchers (who text primary key, tree integer references trees(id) on delete set null);";
    let (world, shard) = (World::new(), Shard::with_schema(schema).await);
    let before = dump(&shard.live).await;
    let rows = "pragma foreign_keys = off; insert into trees values (1, 'site-2', null, 11), (2, 'site-2', 1, null), (3, 'site-1', null, null);
      insert into leaves values (11, 1), (12, 2); insert into notes values (5, 11)";
    run(&mut open(&shard.from).await, rows).await;
    let with = || {
        let mut with = shard.with(2);
        with["tables"] =
            json!(["sites", "users", "projects", "issues", "comments", "links", "trees", "leaves", "notes"]);
        with
    };
    let undo = |token| undoing("sqlite/remove@1", without_from(with()), KEY, token);
    done(&world.apply(keyed("sqlite/restore@1", with(), KEY, 1)).await);
    shard.on_live("insert into watchers values ('somebody', 2)").await;
    let watched = dump(&shard.live).await;
    let outcome = world.apply(undo(1)).await;
    let message = refused(&outcome, "sqlite.foreign_key", Advice::Never);
    assert!(message.contains("watchers(tree=2) refers to a row of trees"), "{message}");
    assert_eq!(dump(&shard.live).await, watched);
    shard.on_live("delete from watchers").await;
    assert_eq!(done(&world.apply(undo(1)).await)["rows"], 33);
    assert_eq!(dump(&shard.live).await, before);
    done(&world.apply(call("sqlite/bystanders@1", json!({ "live": shard.live }))).await);
}

#[tokio::test]
async fn triggers_are_refused_suppressed_or_fired() {
    let trigger = "create table audit (what text);
      create trigger off_issue after delete on issues begin insert into audit values ('gone ' || old.id); end;";
    for (triggers, written) in [("suppress", 0), ("fire", 4)] {
        let (world, shard) = (World::new(), Shard::with_schema(trigger).await);
        run(&mut open(&shard.live).await, "delete from audit").await;
        let with = shard.with_more(2, json!({ "triggers": "suppress" }));
        done(&world.apply(keyed("sqlite/restore@1", with, KEY, 1)).await);
        let restored = dump(&shard.live).await;
        let outcome = world.apply(undo(&shard, 1)).await;
        assert!(refused(&outcome, "sqlite.triggers", Advice::Never).contains("off_issue on issues"));
        assert_eq!(dump(&shard.live).await, restored);
        let removed = world.apply(undo_with(&shard, json!({ "triggers": triggers }))).await;
        assert_eq!(done(&removed)["rows"], 28);
        assert_eq!(scalar(&shard.live, "select count(*) from audit").await, written.to_string());
        assert_eq!(scalar(&shard.live, "select count(*) from sqlite_schema where type = 'trigger'").await, "1");
        let outcome = world.apply(call("sqlite/bystanders@1", json!({ "live": shard.live }))).await;
        if written == 0 {
            done(&outcome);
        } else {
            let message = refused(&outcome, "sqlite.bystanders", Advice::Never);
            assert!(message.contains("28 rows taken out, 32 changes counted"), "{message}");
        }
    }
}

#[tokio::test]
async fn dropped_anywhere_a_removal_is_all_or_nothing() {
    let (mut whole, mut none) = (0, 0);
    let shard = Shard::new().await;
    let before = dump(&shard.live).await;
    let setup = World::new();
    done(&setup.apply(keyed("sqlite/restore@1", shard.with(2), KEY, 1)).await);
    let restored = dump(&shard.live).await;
    for polls in (1..10).chain((10..120).step_by(4)).chain((120..400).step_by(40)) {
        let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
        let live = folder.path().join("live.db");
        run(&mut open(&shard.live).await, &format!("vacuum into '{}'", live.display())).await;
        let mut with = without_from(shard.with(2));
        with["to"] = json!(live);
        let attempt = |token| undoing("sqlite/remove@1", with.clone(), KEY, token);
        let ready = dropped_after(polls, world.apply(attempt(1))).await;
        // The probe waits for what was on its way.
        match world.probe(attempt(1)).await {
            Outcome::Done { .. } => {
                whole += 1;
                assert_eq!(dump(&live).await, before, "after {polls} polls");
            }
            outcome => {
                refused(&outcome, "sqlite.not_done", Advice::Retry);
                assert!(!ready);
                none += 1;
                assert_eq!(dump(&live).await, restored, "after {polls} polls");
            }
        }
        assert_eq!(done(&world.apply(attempt(2)).await)["rows"], 28);
        assert_eq!(dump(&live).await, before);
        assert_eq!(scalar(&live, "select count(*) from reinstate_ledger").await, "2");
    }
    assert!(whole > 0 && none > 0, "{whole} whole, {none} none");
}

#[tokio::test]
async fn many_tenants_go_in_parallel_while_others_write() {
    let (world, shard) = (World::new(), Shard::new().await);
    let more: String = (10..40).map(|number| tenant(number, 3)).collect();
    run(&mut open(&shard.from).await, &format!("begin; {more} commit;")).await;
    let world = std::sync::Arc::new(world);
    for number in 10..40 {
        done(&world.apply(keyed("sqlite/restore@1", shard.with(number), &format!("r/s/{number}/"), 1)).await);
    }
    let mut calls = tokio::task::JoinSet::new();
    for number in 10..40 {
        let (world, with) = (std::sync::Arc::clone(&world), without_from(shard.with(number)));
        let key = format!("r/s/{number}/");
        calls.spawn(async move { world.apply(undoing("sqlite/remove@1", with, &key, 1)).await });
        if number % 5 == 0 {
            shard.on_live(&format!("insert into issues values ({}, 1000, null, 'live', 0, null)", 1600 + number)).await;
        }
    }
    while let Some(outcome) = calls.join_next().await {
        assert_eq!(done(&outcome.unwrap())["rows"], 22);
    }
    assert_eq!(scalar(&shard.live, "select count(*) from sites").await, "2");
    assert_eq!(scalar(&shard.live, "select count(*) from issues where title = 'live'").await, "6");
    let stood = done(&world.apply(call("sqlite/bystanders@1", json!({ "live": shard.live, "run": "r" }))).await);
    let rows = 30 * 22;
    assert_eq!(stood, json!({ "restored_sites": 0, "transactions": 60, "rows": rows, "removed": rows, "foreign": 0 }));
}
