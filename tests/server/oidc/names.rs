//! Approvals go by names: nobody acts under one that is another's, and nobody has two.

use serde_json::json;

use crate::client::Request;
use crate::oidc::trip::{Trip, known, refused, served, session};

#[test]
fn a_name_belongs_to_one_person_by_token_or_by_provider() {
    let (provider, home) = known("");
    let ben = home.token("ben", "approver");
    let daemon = served(&home);
    let whole = |subject: &str, name: &str| {
        provider.inner().person = json!({ "sub": subject, "preferred_username": name, "groups": ["dr-ops"] });
        Trip::whole(&daemon, &provider, "10.0.0.1")
    };
    refused(&whole("u-9", "ben"), 403, "oidc-name-taken");
    refused(&whole("u-9", "Ben"), 403, "oidc-name-taken");
    let record = &daemon.seen(&home.token("ada", "admin"), "/api/v1/audit")[0];
    assert_eq!(
        (&record["who"], &record["role"], &record["outcome"]),
        (&json!("Ben"), &json!("none"), &json!("oidc-name-taken"))
    );
    let mia = session(&whole("u-1", "mia")).expect("a session");
    refused(&whole("u-2", "mia"), 403, "oidc-name-taken");
    // She launches as mia, calls herself eve at the provider, and would approve.
    refused(&whole("u-1", "eve"), 403, "oidc-renamed");
    assert!(session(&whole("u-1", "mia")).is_some());
    // A token of her name is made: it is the token's from then on.
    let me = |cookie: &str| daemon.ask(&Request::new("GET", "/api/v1/me").with("Cookie", cookie)).status;
    assert_eq!(me(&mia), 200);
    let token = home.token("mia", "viewer");
    assert_eq!(me(&mia), 401);
    refused(&whole("u-1", "mia"), 403, "oidc-name-taken");
    let id = token.split('_').nth(1).expect("its ID").to_owned();
    let _ = reinstate_tests::process::expect(&mut home.command(&["token", "revoke", &id]), 0);
    assert_eq!(me(&mia), 401, "her session is over, and does not live again");
    assert!(session(&whole("u-1", "mia")).is_some(), "she signs in again");
    assert_eq!(daemon.seen(&ben, "/api/v1/me")["name"], "ben");
}

#[test]
fn a_session_with_which_nothing_can_be_done_can_be_signed_out() {
    let (provider, home) = known("");
    let admin = home.token("ada", "admin");
    let daemon = served(&home);
    provider.inner().person = json!({ "sub": "u-1", "preferred_username": "mia", "groups": ["dr-ops"] });
    let cookie = session(&Trip::whole(&daemon, &provider, "10.0.0.1")).expect("a session");
    let _ = home.token("mia", "viewer");
    let own = format!("http://{}", daemon.address);
    let out = || daemon.ask(&Request::new("POST", "/sign-out").with("Cookie", &cookie).with("Origin", &own));
    assert_eq!((out().status, out().status), (303, 303));
    let records = daemon.seen(&admin, "/api/v1/audit");
    assert_eq!([&records[0]["who"], &records[0]["action"]], ["mia", "POST /sign-out"], "{records:#}");
    assert_eq!(records[1]["action"], "GET /sign-in/oidc/back", "once: {records:#}");
}

#[test]
fn nobody_is_their_own_second_person_in_other_capitals() {
    let (provider, home) = known("");
    home.write(
        "estates/e.yaml",
        "schema: estate/v1\nname: e\nsandbox: true\napprovers: { leads: [Ben, mia, Mia, sam] }\n\
         guard: { sites: 3, approval: { from: [leads], min: 2, timeout: 1h, on_timeout: pause } }\n",
    );
    let ben = home.token("ben", "operator");
    let leads = ["mia", "Mia", "sam"].map(|name| home.token(name, "approver"));
    let daemon = served(&home);
    daemon.launch(&ben, "paced.yaml", "r");
    let id = ben.split('_').nth(1).expect("its ID").to_owned();
    let _ = reinstate_tests::process::expect(&mut home.command(&["token", "revoke", &id]), 0);
    provider.inner().person = json!({ "sub": "u-1", "preferred_username": "Ben", "groups": ["dr-leads"] });
    let cookie = session(&Trip::whole(&daemon, &provider, "10.0.0.1")).expect("nobody has the name any more");
    let own = format!("http://{}", daemon.address);
    let (path, looked) = ("/api/v1/runs/r/approve", json!({ "gate": "start", "reason": "looked" }));
    let by_ben = Request::new("POST", path).json(&looked).with("Cookie", &cookie).with("Origin", &own);
    let refused = daemon.ask(&by_ben);
    assert!(refused.code() == "verb-refused" && refused.body.contains("asked for this run"), "{refused:?}");
    daemon.done(&leads[0], path, &looked);
    let again = daemon.post(&leads[1], path, &looked);
    assert!(again.code() == "verb-refused" && again.body.contains("approved this already"), "{again:?}");
    daemon.done(&leads[2], path, &looked);
    let over = daemon.until(&leads[2], "r", |run| run["state"]["over"] == true);
    assert_eq!(over["sites"]["returned"], 5);
}

#[test]
fn whoever_follows_a_run_is_cut_off_when_their_session_ends() {
    let (provider, home) = known("");
    let admin = home.token("ada", "admin");
    let daemon = served(&home);
    home.write(
        "estates/e.yaml",
        "schema: estate/v1\nname: e\nsandbox: true\napprovers: { leads: [ben, mia] }\n\
         guard: { sites: 3, approval: { from: [leads], timeout: 1h, on_timeout: pause } }\n",
    );
    daemon.launch(&admin, "paced.yaml", "r");
    provider.inner().person = json!({ "sub": "u-1", "preferred_username": "mia", "groups": ["dr-ops"] });
    let cookie = session(&Trip::whole(&daemon, &provider, "10.0.0.1")).expect("a session");
    let mut events = Request::new("GET", "/api/v1/runs/r/events").with("Cookie", &cookie).follow(&daemon.address);
    assert!(events.next().is_some());
    let own = format!("http://{}", daemon.address);
    let out = Request::new("DELETE", "/session").with("Cookie", &cookie).with("Origin", &own);
    assert_eq!(daemon.ask(&out).status, 204);
    let record = &daemon.seen(&admin, "/api/v1/audit")[0];
    assert_eq!([&record["who"], &record["action"], &record["outcome"]], ["mia", "DELETE /session", "ok"], "{record}");
    // It ends although the run waits for people, and would be followed for ever.
    let last = events.last();
    assert!(last.is_none_or(|(_, data)| data["state"]["over"] != true));
    assert_eq!(daemon.seen(&admin, "/api/v1/runs/r/approvals")[0]["gate"], "start");
}
