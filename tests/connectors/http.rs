//! `http/request` against a service on loopback.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use runtime::engine::{Advice, Outcome};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::world::{CANARY, World, call, done, keyed, refused, undoing, unknown};

/// What the service saw.
#[derive(Default)]
struct Seen {
    calls: Vec<(Method, String, HeaderMap, String)>,
    effects: HashMap<String, u32>,
    polls: u32,
}

type Shared = Arc<Mutex<Seen>>;

pub(crate) struct Service {
    pub(crate) url: String,
    seen: Shared,
}

impl Service {
    pub(crate) async fn start() -> Self {
        let seen = Shared::default();
        let app = Router::new().route("/{*path}", any(answer)).with_state(Arc::clone(&seen));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, seen }
    }

    /// Headers and bodies of all requests so far.
    pub(crate) fn posts(&self) -> Vec<(HeaderMap, String)> {
        let seen = self.seen.lock().unwrap();
        seen.calls.iter().map(|(_, _, headers, body)| (headers.clone(), body.clone())).collect()
    }

    /// How often the effect of a key took place.
    pub(crate) fn effects(&self, key: &str) -> u32 {
        self.seen.lock().unwrap().effects.get(key).copied().unwrap_or_default()
    }

    /// Number of requests so far.
    pub(crate) fn calls(&self) -> usize {
        self.seen.lock().unwrap().calls.len()
    }
}

async fn answer(
    State(seen): State<Shared>,
    method: Method,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut seen = seen.lock().unwrap();
    let key = headers.get("idempotency-key").map_or_else(String::new, |key| key.to_str().unwrap().to_owned());
    let body = String::from_utf8(body.to_vec()).unwrap();
    let auth = headers.get("authorization").map_or_else(String::new, |value| value.to_str().unwrap().to_owned());
    seen.calls.push((method, path.clone(), headers, body));
    let status = |code: u16| StatusCode::from_u16(code).unwrap();
    match path.split('/').collect::<Vec<_>>()[..] {
        ["effect"] => {
            seen.effects.entry(key).or_insert(1);
            ([("content-type", "application/json")], json!({ "id": 7, "tags": ["a"] }).to_string()).into_response()
        }
        ["status", code] => (status(code.parse().unwrap()), format!("you said {auth}")).into_response(),
        ["busy", code, after] => {
            (status(code.parse().unwrap()), [("retry-after", after.replace('_', " "))], "later").into_response()
        }
        ["job"] => (status(202), [("location", "/progress/1")], "").into_response(),
        ["elsewhere"] => (status(202), [("location", "http://127.0.0.1:1/x")], "").into_response(),
        ["moved"] => (status(308), [("location", "/effect")], "").into_response(),
        ["away"] => (status(307), [("location", "http://127.0.0.1:1/x")], "").into_response(),
        ["found"] => (status(302), [("location", "/effect")], "").into_response(),
        ["progress", _] => {
            seen.polls += 1;
            match seen.polls {
                1 => (status(202), "").into_response(),
                2 => (status(503), [("retry-after", "0")], "").into_response(),
                3 => (status(200), json!({ "state": "running" }).to_string()).into_response(),
                _ => (status(200), json!({ "state": "finished", "rows": 12 }).to_string()).into_response(),
            }
        }
        ["gone-job"] => (status(202), [("location", "/status/404")], "").into_response(),
        ["failed-job"] => (status(200), json!({ "state": "failed", "why": "disk" }).to_string()).into_response(),
        ["big"] => "x".repeat(200_000).into_response(),
        ["reflect"] => json!({ "auth": auth, auth.clone(): 1 }).to_string().into_response(),
        _ => status(404).into_response(),
    }
}

fn post(service: &Service, path: &str) -> Value {
    json!({ "method": "POST", "url": format!("{}/{path}", service.url), "poll": { "interval": "1ms", "max_interval": "2ms" } })
}

#[tokio::test]
async fn the_key_is_the_same_for_every_attempt() {
    let (world, service) = (World::new(), Service::start().await);
    let mut with = post(&service, "effect");
    with["body"] = json!({ "reason": "⟦secret:canary⟧" });
    for token in 1..=3 {
        let outputs = done(&world.apply(keyed("http/request@1", with.clone(), "r/catalogue/site-1/", token)).await);
        assert_eq!(outputs, json!({ "status": 200, "body": { "id": 7, "tags": ["a"] } }));
    }
    let seen = service.seen.lock().unwrap();
    assert_eq!(seen.effects, HashMap::from([("r/catalogue/site-1/".to_owned(), 1)]));
    let tokens: Vec<&str> =
        seen.calls.iter().map(|(_, _, headers, _)| headers["reinstate-token"].to_str().unwrap()).collect();
    assert_eq!(tokens, ["1", "2", "3"]);
    let body: Value = serde_json::from_str(&seen.calls[0].3).unwrap();
    assert_eq!(body["reason"], CANARY, "the service itself gets the secret");
}

#[tokio::test]
async fn outputs_are_selected_by_pointer() {
    let (world, service) = (World::new(), Service::start().await);
    let mut with = post(&service, "effect");
    with["outputs"] = json!({ "job": "/id", "tag": "/tags/0" });
    assert_eq!(
        done(&world.apply(call("http/request@1", with.clone())).await),
        json!({ "status": 200, "job": 7, "tag": "a" })
    );
    with["outputs"] = json!({ "job": "/no" });
    unknown(&world.apply(call("http/request@1", with.clone())).await, "http.output_missing");
    with["method"] = json!("GET");
    refused(&world.apply(call("http/request@1", with)).await, "http.output_missing", Advice::Retry);
}

#[tokio::test]
async fn statuses_say_what_is_known() {
    let (world, service) = (World::new(), Service::start().await);
    let ask = async |method: &str, status: &str| {
        let with = json!({ "method": method, "url": format!("{}/status/{status}", service.url), "headers": { "Authorization": "Bearer k" } });
        world.apply(call("http/request@1", with)).await
    };
    refused(&ask("POST", "404").await, "http.status", Advice::Never);
    refused(&ask("POST", "409").await, "http.status", Advice::Never);
    refused(&ask("POST", "408").await, "http.status", Advice::Retry);
    refused(&ask("POST", "425").await, "http.status", Advice::Retry);
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        unknown(&ask(method, "429").await, "http.busy");
        unknown(&ask(method, "503").await, "http.busy");
    }
    refused(&ask("GET", "429").await, "http.busy", Advice::Retry);
    refused(&ask("GET", "503").await, "http.busy", Advice::Retry);
    refused(&ask("GET", "500").await, "http.status", Advice::Retry);
    refused(&ask("HEAD", "502").await, "http.status", Advice::Retry);
    let outcome = ask("DELETE", "500").await;
    let message = unknown(&outcome, "http.status");
    assert!(
        message.starts_with("DELETE http://127.0.0.1:")
            && message.ends_with("/status/500 answered 500: you said Bearer k"),
        "{message}"
    );
}

#[tokio::test]
async fn a_probe_reads_the_effect_off_the_state() {
    let (world, service) = (World::new(), Service::start().await);
    let look = async |probe: Value| {
        let mut with = post(&service, "effect");
        with["headers"] = json!({ "Authorization": "⟦secret:canary⟧" });
        with["probe"] = probe;
        with["outputs"] = json!({ "job": "/id" });
        world.probe(call("http/request@1", with)).await
    };
    let page = |path: &str| format!("{}/{path}", service.url);
    let there = look(json!({ "url": page("effect"), "expect": { "tags": ["a"] } })).await;
    assert_eq!(done(&there), json!({ "status": 200, "job": 7 }), "outputs as the request would have given");
    assert!(service.seen.lock().unwrap().calls.iter().all(|(method, ..)| method == Method::GET));
    let outcome = look(json!({ "url": page("effect"), "expect": { "id": 8 } })).await;
    assert!(refused(&outcome, "http.not_done", Advice::Retry).ends_with("/id: expected 8, found 7"));
    refused(&look(json!({ "url": page("status/404"), "expect": {} })).await, "http.not_done", Advice::Retry);
    refused(&look(json!({ "url": page("effect"), "expect_status": [404] })).await, "http.not_done", Advice::Retry);
    // The state is what was wanted, but it does not hold the outputs: nobody may guess them.
    unknown(&look(json!({ "url": page("status/404"), "expect_status": [404] })).await, "http.output_missing");
    for status in ["202", "401", "409", "429", "500", "503"] {
        let outcome =
            look(json!({ "url": page(&format!("status/{status}")), "expect_status": [200], "expect": {} })).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{status}: {outcome:?}");
        assert!(!format!("{outcome:?}").contains("canary-7d1f"), "{outcome:?}");
    }
    unknown(&look(json!({ "url": page("effect") })).await, "inputs");
    unknown(&look(json!({ "url": "http://127.0.0.1:1/x", "expect": {} })).await, "http.probe");
    unknown(&world.probe(call("http/request@1", post(&service, "effect"))).await, "no_probe");
}

#[tokio::test]
async fn an_undo_says_which_key_it_takes_back() {
    let (world, service) = (World::new(), Service::start().await);
    done(&world.apply(undoing("http/request@1", post(&service, "effect"), "r/s/k/i", 1)).await);
    done(&world.apply(call("http/request@1", post(&service, "effect"))).await);
    let seen = service.seen.lock().unwrap();
    let header = |call: usize, name: &str| seen.calls[call].2.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header(0, "idempotency-key").as_deref(), Some("r/s/k/i/undo"));
    assert_eq!(header(0, "idempotency-undoes").as_deref(), Some("r/s/k/i"));
    assert_eq!(header(1, "idempotency-undoes"), None);
}

#[tokio::test]
async fn retry_after_is_seconds_or_a_date() {
    let (world, service) = (World::new(), Service::start().await);
    for status in ["429", "503"] {
        let outcome = world.apply(call("http/request@1", post(&service, &format!("busy/{status}/7")))).await;
        refused(&outcome, "http.busy", Advice::RetryAfter(7_000));
    }
    let outcome = world.apply(call("http/request@1", post(&service, "busy/503/Wed,_21_Oct_2015_07:28:00_GMT"))).await;
    refused(&outcome, "http.busy", Advice::RetryAfter(0));
    let date = (chrono::Utc::now() + chrono::Duration::hours(1)).format("%a,_%d_%b_%Y_%H:%M:%S_GMT").to_string();
    let outcome = world.apply(call("http/request@1", post(&service, &format!("busy/503/{date}")))).await;
    assert!(
        matches!(outcome, Outcome::Refused { retry: Advice::RetryAfter(millis), .. } if (3_500_000..=3_600_000).contains(&millis)),
        "{outcome:?}"
    );
    let outcome = world.apply(call("http/request@1", post(&service, "busy/503/soon"))).await;
    unknown(&outcome, "http.busy");
}

#[tokio::test]
async fn a_long_job_is_followed_to_its_end() {
    let (world, service) = (World::new(), Service::start().await);
    let mut with = post(&service, "job");
    with["poll"]["pending"] = json!({ "state": "running" });
    let outputs = done(&world.apply(call("http/request@1", with)).await);
    assert_eq!(outputs, json!({ "status": 200, "body": { "state": "finished", "rows": 12 } }));
    assert_eq!(service.seen.lock().unwrap().polls, 4);
    let outcome = world.apply(call("http/request@1", post(&service, "elsewhere"))).await;
    unknown(&outcome, "http.job_lost");
    let outcome = world.apply(call("http/request@1", post(&service, "gone-job"))).await;
    unknown(&outcome, "http.job_lost");
    let mut with = post(&service, "failed-job");
    with["poll"]["failed"] = json!({ "state": "failed" });
    let outcome = world.apply(call("http/request@1", with)).await;
    assert!(unknown(&outcome, "http.job_failed").contains("disk"));
}

#[tokio::test]
async fn redirects_stay_in_the_origin_and_keep_the_method() {
    let (world, service) = (World::new(), Service::start().await);
    done(&world.apply(call("http/request@1", post(&service, "moved"))).await);
    assert_eq!(service.seen.lock().unwrap().calls.last().unwrap().0, Method::POST);
    refused(&world.apply(call("http/request@1", post(&service, "away"))).await, "http.redirect", Advice::Never);
    refused(&world.apply(call("http/request@1", post(&service, "found"))).await, "http.redirect", Advice::Never);
}

#[tokio::test]
async fn no_connection_is_refused_and_a_lost_one_is_in_doubt() {
    let world = World::new();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let outcome = world.apply(call("http/request@1", json!({ "method": "POST", "url": url }))).await;
    refused(&outcome, "http.connect", Advice::Retry);
    let rude = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x?token=%25", rude.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = rude.accept().await.unwrap();
            tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1024]).await.unwrap();
        }
    });
    let outcome = world.apply(call("http/request@1", json!({ "method": "POST", "url": url }))).await;
    assert!(!unknown(&outcome, "http.lost").contains("token"));
    let outcome = world.apply(call("http/request@1", json!({ "url": url }))).await;
    refused(&outcome, "http.lost", Advice::Retry);
}

#[tokio::test]
async fn time_and_cancel_end_an_attempt() {
    let world = World::new();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let with = json!({ "method": "PUT", "url": format!("http://{}", silent.local_addr().unwrap()) });
    let mut attempt = call("http/request@1", with);
    attempt.timeout = Duration::from_millis(20);
    unknown(&world.apply(attempt.clone()).await, "http.timeout");
    attempt.timeout = Duration::from_secs(600);
    attempt.cancel.cancel();
    unknown(&world.apply(attempt).await, "http.cancelled");
}

#[tokio::test]
async fn expected_statuses_big_bodies_and_secrets() {
    let (world, service) = (World::new(), Service::start().await);
    let mut with = post(&service, "status/404");
    with["expect_status"] = json!(["200-204", 404]);
    with["headers"] = json!({ "Authorization": "Bearer ⟦secret:canary⟧" });
    let outputs = done(&world.apply(call("http/request@1", with.clone())).await);
    assert_eq!(outputs["body"], "you said Bearer ***");
    with["expect_status"] = json!(["5xx"]);
    let outcome = world.apply(call("http/request@1", with.clone())).await;
    assert!(refused(&outcome, "http.status", Advice::Never).ends_with("answered 404: you said Bearer ***"));
    with["expect_status"] = json!(["nonsense"]);
    refused(&world.apply(call("http/request@1", with.clone())).await, "http.invalid", Advice::Never);
    with["headers"] = json!({ "Authorization": "⟦secret:other⟧" });
    with["expect_status"] = json!([404]);
    refused(&world.apply(call("http/request@1", with.clone())).await, "secret", Advice::Never);
    let mut with = post(&service, "reflect");
    with["headers"] = json!({ "Authorization": "⟦secret:canary⟧" });
    assert_eq!(done(&world.apply(call("http/request@1", with)).await)["body"], json!({ "auth": "***", "***": 1 }));
    let outputs = done(&world.apply(call("http/request@1", post(&service, "big"))).await);
    assert_eq!(outputs["truncated"], true);
    assert_eq!(outputs["body"].as_str().unwrap().len(), 65_536);
}
