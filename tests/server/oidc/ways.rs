//! The way there and back: whose it is, how often it counts, and what becomes of it while the provider is away.

use reinstate_tests::process::expect;
use reinstate_tests::provider::{Provider, SECRET};
use serde_json::json;

use crate::client::Request;
use crate::daemon::{Daemon, Home, log_of};
use crate::oidc::trip::{Trip, known, refused, served};

#[test]
fn a_sign_in_counts_once_and_in_the_browser_that_began_it() {
    let (provider, home) = known("");
    let daemon = served(&home);
    provider.inner().person = json!({ "sub": "u-1", "preferred_username": "mia", "groups": ["dr-ops"] });
    let (mine, other) = (Trip::begin(&daemon, "10.0.0.1"), Trip::begin(&daemon, "10.0.0.2"));
    let back = mine.through(&provider);
    // Somebody has another's browser end their own sign-in: it would act under their name.
    refused(&other.back(&daemon, &back), 400, "oidc-stale");
    let stranger = Trip { cookie: String::new(), from: "10.0.0.2".to_owned(), url: String::new() };
    refused(&stranger.back(&daemon, &back), 400, "oidc-stale");
    let renamed = other.cookie.split('=').nth(1).expect("a value");
    let name = mine.cookie.split('=').next().expect("a name");
    let forged = Trip { cookie: format!("{name}={renamed}"), from: "10.0.0.2".to_owned(), url: String::new() };
    refused(&forged.back(&daemon, &back), 400, "oidc-stale");
    let asked = provider.inner().asked.iter().filter(|path| *path == "token").count();
    assert_eq!(asked, 0, "the code was not used for any of them");
    assert_eq!(mine.back(&daemon, &back).status, 200, "nobody spoiled it");
    refused(&mine.back(&daemon, &back), 400, "oidc-stale");
    let made_up = mine.back(&daemon, "/sign-in/oidc/back?code=code-1&state=made-up");
    refused(&made_up, 400, "oidc-stale");
    // The answer of another provider, for a state of ours.
    let back = other.through(&provider);
    refused(&other.back(&daemon, &format!("{back}&iss=https%3A%2F%2Fevil.example")), 502, "oidc-token");
}

#[test]
fn whoever_makes_answers_up_has_to_wait_and_fills_no_log() {
    let (provider, home) = known("");
    let admin = home.token("ada", "admin");
    let daemon = served(&home);
    let eve = Trip { cookie: String::new(), from: "10.9.9.9".to_owned(), url: String::new() };
    let answers: Vec<u16> = (0..14).map(|_| eve.back(&daemon, "/sign-in/oidc/back?code=a&state=b").status).collect();
    assert!(answers.starts_with(&[400]) && answers.ends_with(&[429]), "{answers:?}");
    let records = daemon.seen(&admin, "/api/v1/audit");
    assert_eq!(records.as_array().expect("records").len(), answers.iter().filter(|status| **status == 400).count());
    // Somebody known who is refused from the same address is a record all the same.
    provider.inner().person = json!({ "sub": "u-1", "preferred_username": "mia", "groups": ["none"] });
    refused(&Trip::whole(&daemon, &provider, "10.9.9.9"), 403, "oidc-group");
    let record = &daemon.seen(&admin, "/api/v1/audit")[0];
    assert_eq!((&record["who"], &record["outcome"]), (&json!("mia"), &json!("oidc-group")), "{record}");
}

#[test]
fn whoever_begins_one_sign_in_after_another_has_to_wait_wherever_on_their_line_they_are() {
    let (provider, home) = known("");
    let daemon = served(&home);
    let begin = |from: &str| daemon.ask(&Request::new("GET", "/sign-in/oidc").with("X-Forwarded-For", from)).status;
    let answers: Vec<u16> = (0..500).map(|ix| begin(&format!("2001:db8:1:2::{ix:x}"))).collect();
    // A house full of people behind one address gets in.
    assert!(answers.starts_with(&[303; 300]) && answers.contains(&429), "{answers:?}");
    assert_eq!(begin("2001:db8:1:3::1"), 303, "somebody else's line");
    provider.inner().person = json!({ "sub": "u-1", "preferred_username": "mia", "groups": ["dr-ops"] });
    assert_eq!(Trip::whole(&daemon, &provider, "10.0.0.1").status, 200, "nobody is shut out by it");
}

#[test]
fn strangers_are_not_told_what_this_machine_has_where() {
    let (provider, home) = known("");
    provider.inner().person = json!({ "sub": "u-1", "preferred_username": "mia", "groups": ["dr-ops"] });
    let secret = home.path("no-such-secret").display().to_string();
    let whole = |code: &str, path: &str| {
        let daemon = served(&home);
        let answer = Trip::whole(&daemon, &provider, "10.0.0.1");
        refused(&answer, 502, code);
        assert!(!answer.body.contains(path), "{answer:?}");
        assert!(log_of(&home.path("")).contains(path), "whoever runs the daemon is told");
    };
    home.write("people.json", "{}");
    whole("oidc-people", &home.path("people.json").display().to_string());
    let file = crate::oidc::trip::file(&provider.issuer(), "").replace("env:OIDC_SECRET", &format!("file:{secret}"));
    home.write("oidc.yaml", &file);
    whole("oidc-secret", &secret);
}

#[test]
fn a_provider_that_is_away_keeps_neither_the_daemon_nor_tokens_and_is_found_again() {
    let back = "http://localhost:7400/sign-in/oidc/back";
    let address = Provider::start(back).address().to_owned();
    let home = Home::new(1);
    home.write("oidc.yaml", &crate::oidc::trip::file(&format!("http://{address}"), ""));
    let admin = home.token("ada", "admin");
    let daemon = served(&home);
    assert_eq!(daemon.seen(&admin, "/api/v1/me")["name"], "ada");
    let away = daemon.get("", "/sign-in/oidc?to=/runs");
    refused(&away, 502, "oidc-unreachable");
    assert!(away.body.contains("id=\"token\""), "a token does");
    let provider = Provider::start_at(&address, back);
    provider.inner().person = json!({ "sub": "u-1", "preferred_username": "mia", "groups": ["dr-ops"] });
    assert_eq!(Trip::whole(&daemon, &provider, "10.0.0.1").status, 200);
    let late = Trip::begin(&daemon, "10.0.0.1");
    let path = late.through(&provider);
    drop(provider);
    refused(&late.back(&daemon, &path), 502, "oidc-unreachable");
}

#[test]
fn it_starts_with_a_good_file_alone_and_says_what_is_wrong_with_another() {
    let (provider, home) = known("");
    let serve = |listen: &'static str| {
        let output = expect(home.command(&["serve", "--listen", listen]).env("OIDC_SECRET", SECRET), 2);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(serve("0.0.0.0:0").contains("serve-no-tls"), "everybody is asked who they are: it takes no token");
    home.write(
        "oidc.yaml",
        &crate::oidc::trip::file(&provider.issuer(), "scope: [groups]\n").replace("env:OIDC_SECRET", SECRET),
    );
    let said = serve("127.0.0.1:0");
    assert!(said.contains("serve-oidc") && !said.contains(SECRET), "{said}");
    assert!(said.contains("oidc.yaml:4:16:") && said.contains("oidc.yaml:7:1:") && said.contains("scopes"), "{said}");
}

#[test]
fn with_a_provider_being_on_this_machine_is_not_enough() {
    let (_provider, home) = known("");
    let daemon = Daemon::start_with(&home, &[], &[("OIDC_SECRET", SECRET)]);
    assert_eq!(daemon.get("", "/api/v1/me").status, 401);
    let plain = Home::new(1);
    let without = Daemon::start(&plain);
    refused(&without.get("", "/sign-in/oidc"), 404, "oidc-off");
    refused(&without.get("", "/sign-in/oidc/back?code=a&state=b"), 404, "oidc-off");
}
