//! `notify/webhook` against a service on loopback.

use base64::Engine;
use runtime::engine::Advice;
use serde_json::{Value, json};

use crate::http::Service;
use crate::world::{CANARY, World, call, done, keyed, refused, unknown};

const WEBHOOK: &str = "notify/webhook@1";

fn with(service: &Service, path: &str) -> Value {
    json!({ "url": format!("{}/{path}", service.url), "body": { "sites": 883, "token": "⟦secret:canary⟧" } })
}

#[tokio::test]
async fn the_body_is_signed_and_the_key_stays_the_same() {
    let (world, service) = (World::new(), Service::start().await);
    let mut signed = with(&service, "effect");
    signed["key"] = json!("⟦secret:canary⟧");
    signed["headers"] = json!({ "X-Team": "desk" });
    for token in [1, 2] {
        let outputs = done(&world.apply(keyed(WEBHOOK, signed.clone(), "r1/tell/s1/", token)).await);
        assert_eq!(outputs, json!({ "status": 200 }));
    }
    for (headers, body) in service.posts() {
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("idempotency-key"), "r1/tell/s1/");
        assert_eq!((header("webhook-id"), header("x-team")), ("r1/tell/s1/".to_owned(), "desk".to_owned()));
        assert_eq!(header("content-type"), "application/json");
        let value: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(value, json!({ "sites": 883, "token": CANARY }), "the service itself gets the secret");
        // As a receiver checks it.
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, CANARY.as_bytes());
        let signed = format!("{}.{}.{body}", header("webhook-id"), header("webhook-timestamp"));
        let signature = header("webhook-signature");
        let tag = base64::engine::general_purpose::STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
        ring::hmac::verify(&key, signed.as_bytes(), &tag).unwrap();
    }
    assert_eq!(service.effects("r1/tell/s1/"), 1);
    done(&world.apply(call(WEBHOOK, with(&service, "effect"))).await);
    assert!(!service.posts()[2].0.contains_key("webhook-signature"), "without a key nothing is signed");
}

#[tokio::test]
async fn answers_mean_what_they_mean_elsewhere() {
    let (world, service) = (World::new(), Service::start().await);
    let ask = async |path: &str| world.apply(call(WEBHOOK, with(&service, path))).await;
    refused(&ask("status/404").await, "http.status", Advice::Never);
    unknown(&ask("status/500").await, "http.status");
    refused(&ask("busy/429/7").await, "http.busy", Advice::RetryAfter(7_000));
    refused(&ask("moved").await, "http.redirect", Advice::Never);
    let mut bad = with(&service, "effect");
    bad["key"] = json!("whsec_???");
    refused(&world.apply(call(WEBHOOK, bad.clone())).await, "notify.key", Advice::Never);
    bad["url"] = json!("nowhere");
    bad["key"] = json!(null);
    refused(&world.apply(call(WEBHOOK, bad)).await, "http.invalid", Advice::Never);
}
