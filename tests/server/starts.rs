//! What it refuses to start with, and how it ends.

use reinstate_tests::process::expect;
use serde_json::json;

use crate::client::Request;
use crate::daemon::{Daemon, Home, paced};

#[test]
fn elsewhere_than_on_loopback_it_wants_a_token_and_tls() {
    let home = Home::new(1);
    let refused = |args: &[&str]| {
        let output = expect(home.command(&["serve", "--json"]).args(args), 2);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused(&["--listen", "0.0.0.0:0"]).contains("serve-no-token"));
    assert!(refused(&["--listen", "127.0.0.1:0", "--behind-proxy"]).contains("serve-no-token"));
    let token = home.token("mia", "admin");
    assert!(refused(&["--listen", "0.0.0.0:0"]).contains("serve-no-tls"));
    let id = token.split('_').nth(1).expect("its ID").to_owned();
    let _ = expect(&mut home.command(&["token", "revoke", &id]), 0);
    assert!(refused(&["--listen", "0.0.0.0:0"]).contains("serve-no-token"), "a revoked one lets nobody in");
}

#[test]
fn on_loopback_without_tokens_only_this_machine_is_let_in_and_only_by_its_name() {
    let home = Home::new(1);
    let daemon = Daemon::start(&home);
    let me = daemon.seen("", "/api/v1/me");
    assert_eq!(me["role"], "admin");
    let asks = |request: Request<'_>| daemon.ask(&request);
    let foreign = asks(Request::new("GET", "/api/v1/me").with("Host", "evil.example"));
    assert_eq!((foreign.status, foreign.code().as_str()), (403, "host-foreign"));
    let post = Request::new("POST", "/api/v1/runs/r/pause").json(&json!({ "reason": "x" }));
    let foreign = asks(post.clone().with("Origin", "https://evil.example"));
    assert_eq!((foreign.status, foreign.code().as_str()), (403, "origin-foreign"));
    assert_eq!(daemon.seen("", "/api/v1/audit"), json!([]), "a page of another site fills no log");
    let own = asks(post.with("Origin", &format!("http://{}", daemon.address)));
    assert_eq!(own.status, 404, "there is no such run: {own:?}");
    // The first token shuts the door, with the next request.
    let token = home.token("mia", "viewer");
    assert_eq!(daemon.get("", "/api/v1/me").status, 401);
    assert_eq!(daemon.seen(&token, "/api/v1/me")["name"], "mia");
}

#[test]
fn every_answer_is_dressed() {
    let home = Home::new(1);
    let daemon = Daemon::start(&home);
    for path in ["/healthz", "/api/v1/runs", "/metrics", "/nothing", "/api/v1/runs/none"] {
        let answer = daemon.get("", path);
        let header = |name: &str| answer.header(name).unwrap_or_else(|| panic!("{path} has no {name}"));
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("cache-control"), "no-store");
        let policy = header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("script-src 'self'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}

#[test]
fn a_stop_ends_streams_and_leaves_runs_to_be_taken_up() {
    let home = Home::new(400);
    home.write("runbooks/slow.yaml", &paced(40));
    let daemon = Daemon::start(&home);
    daemon.launch("", "slow.yaml", "r");
    let mut events = daemon.follow("", "r");
    let _ = daemon.until("", "r", |run| run["sites"]["returned"].as_u64() > Some(5));
    assert!(events.next().is_some());
    let status = daemon.end("-TERM");
    assert!(status.success(), "{status}");
    assert!(events.by_ref().count() < 1_000, "the stream is over");
    let again = Daemon::start(&home);
    let run = again.until("", "r", |run| run["state"]["over"] == true);
    assert_eq!(run["sites"]["returned"], 400, "{run:#}");
}
