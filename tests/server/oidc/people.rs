//! Who is let in, as what, and that it is a session like any other.

use serde_json::json;

use crate::client::Request;
use crate::daemon::Daemon;
use crate::oidc::trip::{Trip, known, refused, served, session};

fn me(daemon: &Daemon<'_>, cookie: &str) -> crate::client::Answer {
    daemon.ask(&Request::new("GET", "/api/v1/me").with("Cookie", cookie))
}

#[test]
fn whoever_signs_in_has_a_session_that_acts_in_their_name_and_ends() {
    let (provider, home) = known("");
    let admin = home.token("ada", "admin");
    let daemon = served(&home);
    let page = daemon.ask(&Request::new("GET", "/sign-in?to=%2Fruns%2Fa"));
    assert!(page.body.contains("/sign-in/oidc?to=%2Fruns%2Fa"), "{}", page.body);
    assert!(page.body.contains(&format!("Sign in with {}", provider.address())) && page.body.contains("id=\"token\""));
    provider.inner().person = json!({ "sub": "u-1", "preferred_username": "mia", "groups": ["all", "dr-ops"] });
    let answer = Trip::whole(&daemon, &provider, "10.0.0.1");
    assert!(answer.status == 200 && answer.body.contains("Signed in as mia"), "{answer:?}");
    assert!(answer.body.contains("content=\"0; url=/queue?a=1\""), "it leads where she wanted to go: {}", answer.body);
    let set = answer.head.lines().find(|line| line.contains("reinstate_session=")).expect("a session");
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict") && set.contains("Max-Age=43200"), "{set}");
    let cookie = session(&answer).expect("a session");
    assert_eq!(
        (me(&daemon, &cookie).json()["name"].clone(), me(&daemon, &cookie).json()["role"].clone()),
        (json!("mia"), json!("operator"))
    );
    let own = format!("https://{}", daemon.address);
    let post = |path: &'static str, body: &serde_json::Value| {
        let request = Request::new("POST", path).json(body).with("Cookie", &cookie).with("Origin", &own);
        daemon.ask(&request.with("Sec-Fetch-Site", "same-origin"))
    };
    let planned = post("/api/v1/plans", &crate::daemon::planning("paced.yaml")).json();
    let launch = json!({ "plan": planned["plan"]["hash"], "count": 5, "name": "r" });
    assert_eq!(post("/api/v1/runs", &launch).status, 200);
    let denied = post("/api/v1/runs/r/approve", &json!({ "gate": "start", "reason": "x" }));
    assert_eq!(denied.code(), "role-missing", "{denied:?}");
    let log = daemon.seen(&admin, "/api/v1/runs/r/log");
    assert!(log[0]["detail"].as_str().expect("text").starts_with("by mia,"), "{}", log[0]);
    let records = daemon.seen(&admin, "/api/v1/audit");
    let record = |action: &str| {
        let found = records.as_array().expect("records").iter().find(|record| record["action"] == action);
        found.unwrap_or_else(|| panic!("{action}: {records:#}")).clone()
    };
    let signed_in = record("GET /sign-in/oidc/back");
    assert_eq!(
        (&signed_in["who"], &signed_in["role"], &signed_in["outcome"]),
        (&json!("mia"), &json!("operator"), &json!("ok"))
    );
    assert_eq!(signed_in["what"], json!({ "provider": provider.issuer(), "subject": "u-1" }));
    let how = format!("session of u-1 at {}", provider.issuer());
    assert!(signed_in["from"].as_str().expect("text") == format!("10.0.0.1, {how}"), "{signed_in}");
    assert!(record("POST /api/v1/runs")["from"].as_str().expect("text").ends_with(&how));
    let out = daemon.ask(
        &Request::new("POST", "/sign-out")
            .with("Cookie", &cookie)
            .with("Origin", &own)
            .with("Sec-Fetch-Site", "same-origin"),
    );
    assert_eq!(out.status, 303, "{out:?}");
    assert_eq!(me(&daemon, &cookie).status, 401);
}

#[test]
fn the_second_person_may_come_by_the_provider_and_is_not_the_first() {
    let (provider, home) = known("");
    home.write(
        "estates/e.yaml",
        "schema: estate/v1\nname: e\nsandbox: true\napprovers: { leads: [ben, mia] }\n\
         guard: { sites: 3, approval: { from: [leads], timeout: 1h, on_timeout: pause } }\n",
    );
    home.write(
        "oidc.yaml",
        &crate::oidc::trip::file(&provider.issuer(), "").replace("dr-ops: operator", "dr-ops: admin"),
    );
    let viewer = home.token("vera", "viewer");
    let daemon = served(&home);
    let sign_in = |subject: &str, name: &str, group: &str| {
        provider.inner().person = json!({ "sub": subject, "preferred_username": name, "groups": [group] });
        session(&Trip::whole(&daemon, &provider, "10.0.0.1")).expect("a session")
    };
    let post = |cookie: &str, path: &str, body: &serde_json::Value| {
        let own = format!("http://{}", daemon.address);
        daemon.ask(&Request::new("POST", path).json(body).with("Cookie", cookie).with("Origin", &own))
    };
    let mia = sign_in("u-1", "mia", "dr-ops");
    let planned = post(&mia, "/api/v1/plans", &crate::daemon::planning("paced.yaml")).json();
    let launch = json!({ "plan": planned["plan"]["hash"], "count": 5, "name": "r" });
    assert_eq!(post(&mia, "/api/v1/runs", &launch).status, 200);
    let approve =
        |cookie: &str| post(cookie, "/api/v1/runs/r/approve", &json!({ "gate": "start", "reason": "looked" }));
    assert_eq!(approve(&mia).code(), "verb-refused", "her own");
    assert_eq!(approve(&sign_in("u-3", "eve", "dr-leads")).code(), "verb-refused", "in no group of the estate");
    assert_eq!(approve(&sign_in("u-2", "ben", "dr-leads")).status, 200);
    let over = daemon.until(&viewer, "r", |run| run["state"]["over"] == true);
    assert_eq!(over["sites"]["returned"], 5);
}

#[test]
fn whoever_has_no_group_and_no_verified_name_is_refused_and_recorded() {
    let (provider, home) = known("name_claim: email\ngroups_claim: realm_access.roles\nsession: 1m\n");
    let admin = home.token("ada", "admin");
    let daemon = served(&home);
    let roles = json!({ "roles": ["dr-leads"] });
    for (person, code) in [
        (json!({ "email": "a@b.example", "email_verified": true }), "oidc-group"),
        (json!({ "email": "a@b.example", "email_verified": true, "groups": ["dr-leads"] }), "oidc-group"),
        (json!({ "email": "a@b.example", "email_verified": true, "realm_access": { "roles": ["x"] } }), "oidc-group"),
        (json!({ "email": "a@b.example", "email_verified": false, "realm_access": roles }), "oidc-name"),
        (json!({ "email": "a@b.example", "realm_access": roles }), "oidc-name"),
        (json!({ "preferred_username": "ben", "realm_access": roles }), "oidc-name"),
    ] {
        let mut person = person;
        person["sub"] = json!("u-1");
        let mut inner = provider.inner();
        (inner.person, inner.more) = (person, json!({ "sub": "u-1" }));
        drop(inner);
        refused(&Trip::whole(&daemon, &provider, "10.0.0.1"), 403, code);
        let record = &daemon.seen(&admin, "/api/v1/audit")[0];
        let told = [&record["action"], &record["outcome"], &record["role"], &record["what"]["subject"]];
        assert_eq!(told, [&json!("GET /sign-in/oidc/back"), &json!(code), &json!("none"), &json!("u-1")], "{record}");
    }
    // What is not in the ID token is asked for; an address and its verification come from one place.
    let mut inner = provider.inner();
    inner.person = json!({ "sub": "u-1", "email": "boss@b.example", "realm_access": roles });
    inner.more = json!({ "sub": "u-1", "email": "a@b.example", "email_verified": "true" });
    drop(inner);
    let answer = Trip::whole(&daemon, &provider, "10.0.0.1");
    assert!(answer.body.contains("Signed in as a@b.example"), "{answer:?}");
    assert!(answer.head.contains("Max-Age=60;"), "as long as the file says: {answer:?}");
    provider.inner().more["sub"] = json!("u-2");
    refused(&Trip::whole(&daemon, &provider, "10.0.0.1"), 502, "oidc-token");
}
