//! `notify/slack` against a service on loopback.

use runtime::engine::Advice;
use serde_json::{Value, json};

use crate::http::Service;
use crate::world::{World, call, done, keyed, refused, unknown};

const SLACK: &str = "notify/slack@1";

fn with(service: &Service, path: &str) -> Value {
    json!({ "url": format!("{}/{path}", service.url), "text": "120 of 883 <sites> & more", "title": "Restore", "fields": { "batch": 3 } })
}

#[tokio::test]
async fn a_message_is_escaped_and_has_its_parts() {
    let (world, service) = (World::new(), Service::start().await);
    done(&world.apply(call(SLACK, with(&service, "effect"))).await);
    let body: Value = serde_json::from_str(&service.posts()[0].1).unwrap();
    assert_eq!(
        body,
        json!({
            "text": "120 of 883 &lt;sites&gt; &amp; more",
            "blocks": [
                { "type": "header", "text": { "type": "plain_text", "text": "Restore" } },
                { "type": "section", "text": { "type": "mrkdwn", "text": "120 of 883 &lt;sites&gt; &amp; more" } },
                { "type": "section", "fields": [{ "type": "mrkdwn", "text": "batch: 3" }] },
            ],
        })
    );
}

#[tokio::test]
async fn a_chat_knows_no_keys_so_a_ledger_keeps_it_to_one() {
    let folder = tempfile::tempdir().unwrap();
    let (world, service) = (World::new(), Service::start().await);
    let posts = || service.posts().len();
    let mut kept = with(&service, "effect");
    kept["once"] = json!({ "ledger": folder.path().join("sent.db"), "name": "april/started" });
    done(&world.apply(keyed(SLACK, kept.clone(), "r1/tell/run/", 1)).await);
    assert_eq!(done(&world.apply(keyed(SLACK, kept.clone(), "r2/tell/run/", 1)).await)["already"], true);
    assert_eq!(posts(), 1);
    kept["once"]["name"] = json!("april/ended");
    kept["url"] = json!(format!("{}/status/500", service.url));
    unknown(&world.apply(keyed(SLACK, kept.clone(), "r1/end/run/", 1)).await, "http.status");
    kept["url"] = json!(format!("{}/effect", service.url));
    unknown(&world.apply(keyed(SLACK, kept.clone(), "r1/end/run/", 2)).await, "notify.in_doubt");
    assert_eq!(posts(), 2);
    kept["once"]["in_doubt"] = json!("send");
    done(&world.apply(keyed(SLACK, kept, "r1/end/run/", 3)).await);
    assert_eq!(posts(), 3);
}

#[tokio::test]
async fn the_address_that_may_post_is_not_shown() {
    let (world, service) = (World::new(), Service::start().await);
    let mut plain = with(&service, "status/404");
    plain["url"] = json!(format!("{}/status/404?T0/B0/canary-7d1f", service.url));
    let said = world.apply(call(SLACK, plain)).await;
    let message = refused(&said, "http.status", Advice::Never);
    assert!(message.starts_with(&format!("POST {} answered 404", service.url)), "{message}");
    let mut secret = with(&service, "x");
    secret["url"] = json!("⟦secret:canary⟧");
    // `apply` of the world looks for the canary.
    refused(&world.apply(call(SLACK, secret)).await, "http.invalid", Advice::Never);
}
