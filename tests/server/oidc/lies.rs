//! What a provider, or whoever stands in for one, must not get away with.

use reinstate_tests::process::expect;
use reinstate_tests::provider::{SECRET, Signed};
use serde_json::{Value, json};

use crate::daemon::log_of;
use crate::oidc::trip::{Trip, known, refused, served};

#[test]
fn a_token_that_is_not_for_this_sign_in_or_not_signed_by_the_provider_lets_nobody_in() {
    let (provider, home) = known("");
    let admin = home.token("ada", "admin");
    let daemon = served(&home);
    provider.inner().person = json!({ "sub": "u-1", "preferred_username": "mia", "groups": ["dr-ops"] });
    let past = chrono::Utc::now().timestamp() - 1;
    let lies: [(&str, Value, Signed); 13] = [
        ("nonce mismatch", json!({ "nonce": "another" }), Signed::Well),
        ("missing nonce", json!({ "nonce": null }), Signed::Well),
        ("must contain `reinstate`", json!({ "aud": "another" }), Signed::Well),
        ("not a trusted audience", json!({ "aud": ["reinstate", "another"] }), Signed::Well),
        ("for another client", json!({ "azp": "another" }), Signed::Well),
        ("Invalid issuer", json!({ "iss": "http://127.0.0.1:1" }), Signed::Well),
        ("Expired", json!({ "exp": past }), Signed::Well),
        ("No signature", json!({}), Signed::Not),
        ("Disallowed signature", json!({}), Signed::WithPublicKey),
        ("HS256", json!({}), Signed::WithSecret),
        ("not the provider", json!({}), Signed::ByNobody),
        ("Crypto error", json!({}), Signed::Forged),
        ("cannot be read", json!({ "sub": null }), Signed::Well),
    ];
    for (ix, (why, lie, signed)) in lies.into_iter().enumerate() {
        let mut inner = provider.inner();
        (inner.lies, inner.signed) = (lie, signed);
        drop(inner);
        let answer = Trip::whole(&daemon, &provider, &format!("10.0.1.{ix}"));
        assert!(answer.status == 502 && answer.body.contains(why), "{why}: {answer:?}");
        refused(&answer, 502, "oidc-token");
        let record = &daemon.seen(&admin, "/api/v1/audit")[0];
        assert_eq!((&record["outcome"], &record["who"]), (&json!("oidc-token"), &json!("")), "{why}: {record}");
    }
    let mut inner = provider.inner();
    (inner.lies, inner.signed) = (json!({}), Signed::Well);
    drop(inner);
    assert_eq!(Trip::whole(&daemon, &provider, "10.0.1.1").status, 200, "it was the lies");
    let _ = expect(&mut home.command(&["audit", "verify"]), 0);
}

#[test]
fn keys_that_were_changed_are_asked_for_and_others_are_not_asked_twice() {
    let (provider, home) = known("");
    let daemon = served(&home);
    provider.inner().person = json!({ "sub": "u-1", "preferred_username": "mia", "groups": ["dr-ops"] });
    let asked = || provider.inner().asked.iter().filter(|path| *path == "keys").count();
    (0..3).for_each(|_| assert_eq!(Trip::whole(&daemon, &provider, "10.0.0.1").status, 200));
    assert_eq!(asked(), 1, "what it says of itself is kept");
    provider.rotate("second");
    (0..3).for_each(|_| assert_eq!(Trip::whole(&daemon, &provider, "10.0.0.1").status, 200));
    assert_eq!(asked(), 2, "once more, for the new key");
}

#[test]
fn the_secret_is_found_nowhere() {
    let (provider, home) = known("");
    let admin = home.token("ada", "admin");
    let daemon = served(&home);
    provider.inner().person = json!({ "sub": "u-1", "preferred_username": "mia", "groups": ["dr-ops"] });
    let mut pages = vec![Trip::whole(&daemon, &provider, "10.0.0.1")];
    // It repeats the secret when it refuses a code, or the person.
    let trip = Trip::begin(&daemon, "10.0.0.1");
    let back = trip.through(&provider).replace("code=code-", "code=another-");
    pages.push(trip.back(&daemon, &back));
    refused(&pages[1], 502, "oidc-code");
    provider.inner().denies = true;
    pages.push(Trip::whole(&daemon, &provider, "10.0.0.1"));
    refused(&pages[2], 403, "oidc-denied");
    provider.inner().denies = false;
    // Claims that are asked for go by another request.
    provider.inner().person = json!({ "sub": "u-2", "preferred_username": "ben" });
    provider.inner().more = json!({ "sub": "u-2", "groups": ["dr-leads"] });
    pages.push(Trip::whole(&daemon, &provider, "10.0.0.1"));
    assert!(pages[3].body.contains("Signed in as ben"), "{:?}", pages[3]);
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("reinstate:{SECRET}"));
    let mut texts: Vec<String> = pages.iter().map(|page| format!("{}{}", page.head, page.body)).collect();
    texts.push(daemon.get(&admin, "/api/v1/audit").body);
    texts.push(log_of(&home.path("")));
    for name in ["audit.jsonl", "people.json"] {
        texts.push(std::fs::read_to_string(home.path(name)).expect("it was written"));
    }
    for text in texts {
        for canary in [SECRET, &basic, "canary-access-token"] {
            assert!(!text.contains(canary), "{canary} is in {text}");
        }
    }
}
