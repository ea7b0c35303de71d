//! Decisions that take somebody else: the second person of a guarded estate, approval steps, sessions of browsers.

use serde_json::json;

use crate::client::Request;
use crate::daemon::{Daemon, Home};
use crate::pages::Visitor;

const GUARDED: &str = "schema: estate/v1
name: e
sandbox: true
approvers: { leads: [ben, mia] }
guard: { sites: 3, approval: { from: [leads], timeout: 1h, on_timeout: pause } }
";

#[test]
fn who_launches_a_guarded_run_cannot_approve_it_and_another_can() {
    let home = Home::new(10);
    home.write("estates/e.yaml", GUARDED);
    let (mia, ben, eve) = (home.token("mia", "admin"), home.token("ben", "approver"), home.token("eve", "approver"));
    let daemon = Daemon::start(&home);
    let launched = daemon.launch(&mia, "paced.yaml", "r");
    assert_eq!(launched["waits_for_approval"], true);
    let waits = daemon.seen(&ben, "/api/v1/runs/r/approvals");
    assert_eq!((&waits[0]["gate"], &waits[0]["asked_by"]), (&json!("start"), &json!("mia")), "{waits:#}");
    let approve = |token: &str| {
        daemon.post(token, "/api/v1/runs/r/approve", &json!({ "gate": "start", "reason": "looked at it" }))
    };
    let own = approve(&mia);
    assert_eq!((own.status, own.code().as_str()), (409, "verb-refused"), "{own:?}");
    let stranger = approve(&eve);
    assert_eq!((stranger.status, stranger.code().as_str()), (409, "verb-refused"), "in no group: {stranger:?}");
    let val = home.token("val", "validator");
    let pass = json!({ "unit": "start", "pass": true, "note": "opened it" });
    let validated = daemon.post(&val, "/api/v1/runs/r/validate", &pass);
    assert_eq!(validated.code(), "validate-unit", "a start is for approvers: {validated:?}");
    let page = Visitor::of(&daemon, &val).post(&daemon, "/runs/r/act/pass", "subject=start&reason=opened");
    assert!(page.status == 422 && page.body.contains("validate-unit"), "{page:?}");
    assert_eq!(approve(&ben).status, 200);
    let over = daemon.until(&ben, "r", |run| run["state"]["over"] == true);
    assert_eq!(over["sites"]["returned"], 10);
}

#[test]
fn an_estate_is_brought_along_by_admins_only() {
    let home = Home::new(10);
    let (operator, admin) = (home.token("otto", "operator"), home.token("ada", "admin"));
    let daemon = Daemon::start(&home);
    let mut asked = crate::daemon::planning("paced.yaml");
    asked["estate"] = json!({ "text": "schema: estate/v1\nname: e\nsandbox: true\n" });
    let refused = daemon.post(&operator, "/api/v1/plans", &asked);
    assert_eq!((refused.status, refused.code().as_str()), (403, "role-missing"));
    assert_eq!(daemon.post(&admin, "/api/v1/plans", &asked).status, 200);
}

#[test]
fn a_validator_passes_an_approval_step_and_nothing_else() {
    let home = Home::new(2);
    let book = crate::daemon::paced(1_000).replace(
        "  extra:",
        "  customer: { needs: work, approval: { from: [support], timeout: 1h, on_timeout: reject } }\n  extra:",
    );
    home.write("runbooks/signed.yaml", &book);
    home.write("estates/e.yaml", "schema: estate/v1\nname: e\nsandbox: true\napprovers: { support: [val] }\n");
    let (operator, val) = (home.token("otto", "operator"), home.token("val", "validator"));
    let daemon = Daemon::start(&home);
    daemon.launch(&operator, "signed.yaml", "r");
    let both = |run: &serde_json::Value| run["waits"].as_array().is_some_and(|waits| waits.len() == 2);
    let waits = daemon.until(&val, "r", both);
    assert_eq!(waits["waits"][0]["subject"], "customer/s0", "{waits:#}");
    let validate = |token: &str, unit: &str, pass: bool| {
        daemon.post(token, "/api/v1/runs/r/validate", &json!({ "unit": unit, "pass": pass, "note": "opened it" }))
    };
    assert_eq!(validate(&operator, "customer/s0", true).status, 403);
    assert_eq!(validate(&val, "start", true).code(), "gate-unknown", "this plan has no such gate");
    assert_eq!(validate(&val, "customer/s0", true).status, 200);
    assert_eq!(validate(&val, "customer/s1", false).status, 200);
    let over = daemon.until(&val, "r", |run| run["state"]["over"] == true);
    assert_eq!((&over["sites"]["returned"], &over["sites"]["quarantined"]), (&json!(1), &json!(1)));
}

#[test]
fn a_session_is_a_cookie_that_only_our_own_pages_can_use_and_that_ends() {
    let home = Home::new(1);
    let admin = home.token("ada", "admin");
    let daemon = Daemon::start(&home);
    let opened = daemon.ask(&Request::new("POST", "/session").json(&json!({ "token": admin })));
    assert_eq!(opened.status, 200, "{opened:?}");
    let set = opened.header("set-cookie").expect("a cookie").to_owned();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict") && set.contains("Path=/"), "{set}");
    assert!(!set.contains(&admin), "the token is not in it");
    let cookie = set.split(';').next().expect("its value").to_owned();
    let own = format!("http://{}", daemon.address);
    let me = || daemon.ask(&Request::new("GET", "/api/v1/me").with("Cookie", &cookie));
    assert_eq!(me().json()["name"], "ada");
    let pause = Request::new("POST", "/api/v1/runs/r/pause").json(&json!({ "reason": "x" })).with("Cookie", &cookie);
    let silent = daemon.ask(&pause);
    assert_eq!((silent.status, silent.code().as_str()), (403, "origin-foreign"), "a browser says where it comes from");
    let foreign = daemon.ask(&pause.clone().with("Origin", "https://evil.example"));
    assert_eq!(foreign.code(), "origin-foreign");
    assert_eq!(daemon.ask(&pause.clone().with("Origin", &own)).status, 404, "there is no such run");
    let closed = daemon.ask(&Request::new("DELETE", "/session").with("Cookie", &cookie).with("Origin", &own));
    assert_eq!(closed.status, 204);
    assert_eq!(me().status, 401);
    let wrong = || daemon.ask(&Request::new("POST", "/session").json(&json!({ "token": "rst_x_y" }))).status;
    let answers: Vec<u16> = (0..12).map(|_| wrong()).collect();
    assert!(answers.starts_with(&[401]) && answers.ends_with(&[429]), "guessing gets slow: {answers:?}");
    let right = daemon.ask(&Request::new("POST", "/session").json(&json!({ "token": admin })));
    assert_eq!(right.status, 200, "who guesses shuts nobody else out: {right:?}");
}
