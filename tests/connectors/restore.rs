//! `sqlite/restore`: the contract.

use runtime::engine::Advice;
use serde_json::json;

use crate::shard::{Shard, deletion, dump, open, run, scalar, tenant};
use crate::world::{World, call, done, keyed, refused};

#[tokio::test]
async fn rows_of_one_tenant_return_and_nobody_else_changes() {
    let (world, shard) = (World::new(), Shard::new().await);
    let before = dump(&shard.live).await;
    let outputs = done(&world.apply(call("sqlite/restore@1", shard.with(2))).await);
    // 1 site, 2 users, 1 project, 4 issues, 8 comments, 12 links
    assert_eq!(outputs["rows"], 28);
    assert_eq!(outputs["inserted"], 28);
    assert_eq!(outputs["already"], 0);
    assert_eq!(
        outputs["tables"],
        json!({ "comments": 8, "issues": 4, "links": 12, "projects": 1, "sites": 1, "users": 2 })
    );
    let mut expected = before.clone();
    expected.extend(dump(&shard.from).await.into_iter().filter(|row| !before.contains(row) || row.contains("'dup'")));
    // Rows without a key have no identity: compare them by number.
    let keep = |rows: Vec<String>| -> Vec<String> {
        let mut rows: Vec<String> = rows.into_iter().filter(|row| !row.starts_with("links: ")).collect();
        rows.sort();
        rows.dedup();
        rows
    };
    assert_eq!(keep(dump(&shard.live).await), keep(expected));
    assert_eq!(
        scalar(&shard.live, "select count(*) from links").await,
        scalar(&shard.from, "select count(*) from links").await
    );
    assert_eq!(scalar(&shard.live, "select seq from sqlite_sequence where name = 'projects'").await, "9000");
    assert_eq!(scalar(&shard.live, "select count(*) from pragma_foreign_key_check").await, "0");
    done(&world.apply(call("sqlite/verify@1", shard.with(2))).await);
    let stood = json!({ "live": shard.live, "root": { "table": "sites" } });
    let stood = done(&world.apply(call("sqlite/bystanders@1", stood)).await);
    assert_eq!(stood, json!({ "restored_sites": 1, "transactions": 1, "rows": 28, "foreign": 0, "changed_since": 0 }));
}

#[tokio::test]
async fn twice_is_once_and_a_stale_token_is_refused() {
    let (world, shard) = (World::new(), Shard::new().await);
    let attempt = |token| keyed("sqlite/restore@1", shard.with(2), "r/s/k/i", token);
    refused(&world.probe(attempt(1)).await, "sqlite.not_done", Advice::Retry);
    let first = world.apply(attempt(2)).await;
    done(&first);
    let after = dump(&shard.live).await;
    assert_eq!(world.apply(attempt(2)).await, first);
    assert_eq!(world.apply(attempt(3)).await, first);
    assert_eq!(world.probe(attempt(4)).await, first);
    let message = refused(&world.apply(attempt(2)).await, "sqlite.stale_token", Advice::Never).to_owned();
    assert!(message.contains("attempt 2 is stale"), "{message}");
    assert_eq!(dump(&shard.live).await, after);
    // Another unit finds all rows there and equal.
    let other = done(&world.apply(keyed("sqlite/restore@1", shard.with(2), "r/other/k/i", 1)).await);
    assert_eq!((&other["rows"], &other["inserted"], &other["already"]), (&json!(28), &json!(0), &json!(28)));
    // It stays done when the customer goes on and even deletes again.
    shard.on_live(&format!("begin; {} commit;", deletion(2))).await;
    assert_eq!(done(&world.apply(attempt(5)).await)["rows"], 28);
    assert_eq!(scalar(&shard.live, "select count(*) from sites").await, "2");
}

#[tokio::test]
async fn rows_there_and_equal_are_fine() {
    let (world, shard) = (World::new(), Shard::new().await);
    shard
        .on_live("insert into sites values ('site-2', 'h2.example', 1, null); insert into users values (2000, 'site-2', 'a@site-2'); update sites set owner_id = 2000 where id = 'site-2'")
        .await;
    let outputs = done(&world.apply(call("sqlite/restore@1", shard.with(2))).await);
    assert_eq!((&outputs["rows"], &outputs["inserted"], &outputs["already"]), (&json!(28), &json!(26), &json!(2)));
    done(&world.apply(call("sqlite/verify@1", shard.with(2))).await);
}

#[tokio::test]
async fn conflicts_are_named_before_the_first_write() {
    let cases = [
        (
            "insert into sites values ('site-2', 'other.example', 1, null)",
            &["sites(id='site-2') differs in host, owner_id"][..],
        ),
        (
            "insert into projects (id, site_id, name) values (2000, 'site-1', 'theirs')",
            &["projects(id=2000) is not this tenant's and differs in site_id, name, label"],
        ),
        (
            "insert into sites values ('new', 'h2.example', 1, null)",
            &["sites(host='h2.example') is taken by sites(id='new')"],
        ),
        (
            "insert into sites values ('site-2', 'h2.example', 1, null); insert into users values (2999, 'site-2', 'new')",
            &["users(id=2999) is not in the recovered file", "sites(id='site-2') differs in owner_id"],
        ),
    ];
    for (sql, expected) in cases {
        let (world, shard) = (World::new(), Shard::new().await);
        shard.on_live(sql).await;
        let before = dump(&shard.live).await;
        let outcome = world.apply(call("sqlite/restore@1", shard.with(2))).await;
        let message = refused(&outcome, "sqlite.conflict", Advice::Never);
        for expected in expected {
            assert!(message.contains(expected), "{expected}: {message}");
        }
        assert_eq!(dump(&shard.live).await, before);
        assert_eq!(
            scalar(&shard.live, "select count(*) from sqlite_schema where name = 'reinstate_ledger'").await,
            "0"
        );
    }
}

#[tokio::test]
async fn a_missing_shared_parent_is_named() {
    let (world, shard) = (World::new(), Shard::new().await);
    run(
        &mut open(&shard.from).await,
        "insert into plans values (2, 'gold'); update sites set plan_id = 2 where id = 'site-2'",
    )
    .await;
    let outcome = world.apply(call("sqlite/restore@1", shard.with(2))).await;
    let message = refused(&outcome, "sqlite.foreign_key", Advice::Never);
    assert!(message.contains("sites(plan_id=2) has no row in plans"), "{message}");
    let outcome = world.apply(call("sqlite/restore@1", shard.with_more(2, json!({ "tables": ["issues"] })))).await;
    let message = refused(&outcome, "sqlite.foreign_key", Advice::Never);
    assert!(message.contains("issues(project_id=2000) has no row in projects"), "{message}");
}

#[tokio::test]
async fn tables_can_be_restored_in_several_steps() {
    let (world, shard) = (World::new(), Shard::new().await);
    for (tables, key, rows) in [
        (json!(["sites", "users"]), "r/a/2/core", 3),
        (json!(["proj*", "issue?"]), "r/a/2/jira", 5),
        (json!(["comments", "links"]), "r/a/2/talk", 20),
    ] {
        let outcome =
            world.apply(keyed("sqlite/restore@1", shard.with_more(2, json!({ "tables": tables })), key, 1)).await;
        assert_eq!(done(&outcome)["rows"], rows, "{key}");
    }
    done(&world.apply(call("sqlite/verify@1", shard.with(2))).await);
    let outcome = world.apply(call("sqlite/restore@1", shard.with_more(2, json!({ "tables": ["nothing*"] })))).await;
    refused(&outcome, "sqlite.no_tables", Advice::Never);
}

#[tokio::test]
async fn a_tenant_that_is_not_there_is_refused() {
    let (world, shard) = (World::new(), Shard::new().await);
    refused(&world.apply(call("sqlite/restore@1", shard.with(7))).await, "sqlite.no_tenant", Advice::Never);
    let outcome = world.apply(call("sqlite/restore@1", shard.with_more(7, json!({ "allow_empty": true })))).await;
    assert_eq!(done(&outcome)["rows"], 0);
}

#[tokio::test]
async fn many_tenants_in_parallel_while_others_write() {
    let (world, shard) = (World::new(), Shard::new().await);
    let more: String = (10..40).map(|number| tenant(number, 3)).collect();
    run(&mut open(&shard.from).await, &format!("begin; {more} commit;")).await;
    let world = std::sync::Arc::new(world);
    let mut calls = tokio::task::JoinSet::new();
    for number in 10..40 {
        let (world, with) = (std::sync::Arc::clone(&world), shard.with(number));
        calls.spawn(async move { world.apply(keyed("sqlite/restore@1", with, &format!("r/s/{number}/"), 1)).await });
        if number % 5 == 0 {
            shard.on_live(&format!("insert into issues values ({}, 1000, null, 'live', 0, null)", 1600 + number)).await;
        }
    }
    while let Some(outcome) = calls.join_next().await {
        done(&outcome.unwrap());
    }
    for number in 10..40 {
        done(&world.apply(call("sqlite/verify@1", shard.with(number))).await);
    }
    let stood = done(&world.apply(call("sqlite/bystanders@1", json!({ "live": shard.live, "run": "r" }))).await);
    assert_eq!(stood, json!({ "restored_sites": 30, "transactions": 30, "rows": 30 * 22, "foreign": 0 }));
}
