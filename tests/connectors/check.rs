//! `check/*`.

use runtime::engine::Advice;
use serde_json::json;

use crate::http::Service;
use crate::shard::Shard;
use crate::world::{World, call, done, refused};

#[tokio::test]
async fn a_page_holds_what_is_expected() {
    let (world, service) = (World::new(), Service::start().await);
    let url = format!("{}/effect", service.url);
    let outputs =
        done(&world.apply(call("check/http@1", json!({ "url": url, "expect": { "body": { "id": 7 } } }))).await);
    assert_eq!(outputs["body"]["tags"], json!(["a"]));
    let outcome = world
        .apply(call(
            "check/http@1",
            json!({ "url": url, "expect": { "status": 204, "body": { "id": 8, "tags": ["a"] } } }),
        ))
        .await;
    let message = refused(&outcome, "check.mismatch", Advice::Retry);
    assert!(message.ends_with("/effect: /status: expected 204, found 200; /body/id: expected 8, found 7"), "{message}");
    let outcome = world.apply(call("check/http@1", json!({ "url": format!("{}/busy/503/3", service.url) }))).await;
    refused(&outcome, "http.busy", Advice::RetryAfter(3_000));
    done(
        &world
            .apply(call(
                "check/http@1",
                json!({ "url": format!("{}/status/404", service.url), "expect": { "status": 404 } }),
            ))
            .await,
    );
    let secret = json!({ "url": url, "expect": { "body": { "id": "⟦secret:canary⟧" } } });
    assert!(
        refused(&world.apply(call("check/http@1", secret)).await, "check.mismatch", Advice::Retry).contains("found 7")
    );
}

#[tokio::test]
async fn a_page_says_at_which_point_its_system_stands() {
    let (world, service) = (World::new(), Service::start().await);
    let url = format!("{}/effect", service.url);
    let point = |reached: &str| json!({ "store": "catalogue", "reached": reached, "of": ["undelete"] });
    let look = async |with: serde_json::Value| {
        done(&world.apply(call("check/http@1", json!({ "url": url, "restore_point": with }))).await)
    };
    let outputs = look(point("/tags/0")).await;
    assert_eq!(
        outputs,
        json!({ "status": 200, "restore_point": { "store": "catalogue", "of": ["undelete"], "reached": "a" } }),
        "the body is no output then"
    );
    assert_eq!(look(point("/nowhere")).await["restore_point"]["reached"], json!(null), "nothing is proved");
    assert_eq!(look(json!({ "reached": "/id" })).await["restore_point"], json!({ "reached": 7 }));
}

#[tokio::test]
async fn a_query_answers_what_is_expected() {
    let (world, shard) = (World::new(), Shard::new().await);
    let ask = async |query: &str, expect: serde_json::Value| {
        let with = json!({ "url": shard.from, "query": query, "args": ["site-2"], "expect": expect });
        world.apply(call("check/sql@1", with)).await
    };
    done(&ask("select count(*) as n from users where site_id = ?1", json!(2)).await);
    done(&ask("select count(*) as n, 1 as m from users where site_id = ?1", json!({ "n": 2 })).await);
    let outputs = done(
        &ask("select id, mail from users where site_id = ?1 order by id", json!([{ "id": 2000 }, { "id": 2001 }]))
            .await,
    );
    assert_eq!(outputs["rows"][1], json!({ "id": 2001, "mail": "b@site-2" }));
    let outcome = ask("select count(*) as n from users where site_id = ?1", json!({ "n": 3 })).await;
    assert!(refused(&outcome, "check.mismatch", Advice::Retry).ends_with("/n: expected 3, found 2"));
    let outcome = ask("select id from users where site_id = ?1", json!(1)).await;
    assert!(refused(&outcome, "check.mismatch", Advice::Retry).ends_with("/rows: expected 1, found 2"));
    refused(&ask("select nonsense", json!(1)).await, "sqlite.failed", Advice::Retry);
    refused(&ask("delete from users where site_id = ?1", json!(1)).await, "sqlite.read_only", Advice::Never);
    done(
        &ask(
            "select 1.5, x'0a', null, 'x' where ?1 is not null",
            json!([{ "1.5": 1.5, "x'0a'": { "$blob": "0a" }, "null": null }]),
        )
        .await,
    );
}
