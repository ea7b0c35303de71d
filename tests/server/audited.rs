//! What was done is written down, with who did it, before they are told; and a log that was tampered with is found out.

use reinstate_tests::process::expect;
use serde_json::json;

use crate::client::Request;
use crate::daemon::{Daemon, Home};
use crate::pages::Visitor;

#[test]
fn every_act_and_every_refusal_is_a_record_and_tampering_shows() {
    let home = Home::new(5);
    let (operator, viewer, admin) =
        (home.token("otto", "operator"), home.token("vera", "viewer"), home.token("ada", "admin"));
    let daemon = Daemon::start(&home);
    daemon.launch(&operator, "paced.yaml", "r");
    let pause = json!({ "reason": "to look" });
    assert_eq!(daemon.post(&viewer, "/api/v1/runs/r/pause", &pause).status, 403);
    assert_eq!(daemon.post(&operator, "/api/v1/runs/none/pause", &pause).status, 404);
    let records = daemon.seen(&admin, "/api/v1/audit");
    let rows: Vec<_> = records.as_array().expect("records").iter().collect();
    let short: Vec<_> = rows
        .iter()
        .map(|row| [&row["who"], &row["action"], &row["outcome"]].map(|text| text.as_str().expect("text")))
        .collect();
    assert_eq!(
        short,
        [
            ["otto", "POST /api/v1/runs/none/pause", "journal-no-such-run"],
            ["vera", "POST /api/v1/runs/r/pause", "role-missing"],
            ["otto", "POST /api/v1/runs", "ok"],
            ["otto", "POST /api/v1/plans", "ok"],
        ]
    );
    assert_eq!(rows[0]["what"]["reason"], "to look");
    assert!(rows[0]["from"].as_str().expect("text").starts_with("127.0.0.1, token "));
    let _ = expect(&mut home.command(&["audit", "verify"]), 0);
    let path = home.path("audit.jsonl");
    let text = std::fs::read_to_string(&path).expect("the log");
    home.write("audit.jsonl", &text.replace("vera", "otto"));
    let found = expect(&mut home.command(&["audit", "verify"]), 8);
    assert!(String::from_utf8_lossy(&found.stdout).contains("line 3 was changed"), "{found:?}");
    let lines: Vec<&str> = text.lines().collect();
    home.write("audit.jsonl", &format!("{}\n{}\n{}\n", lines[0], lines[2], lines[3]));
    let found = expect(&mut home.command(&["audit", "verify", "--json"]), 8);
    assert!(String::from_utf8_lossy(&found.stdout).contains("out-of-place"), "{found:?}");
}

#[test]
fn a_foreign_page_that_acts_with_a_session_is_a_record_of_its_owner() {
    let home = Home::new(1);
    let (operator, admin) = (home.token("otto", "operator"), home.token("ada", "admin"));
    let daemon = Daemon::start(&home);
    let opened = daemon.ask(&Request::new("POST", "/session").json(&json!({ "token": operator })));
    let cookie = opened.header("set-cookie").and_then(|set| set.split(';').next()).expect("a session").to_owned();
    let pause = Request::new("POST", "/api/v1/runs/r/pause").json(&json!({ "reason": "x" }));
    let foreign = daemon.ask(&pause.with("Cookie", &cookie).with("Origin", "https://evil.example"));
    assert_eq!(foreign.code(), "origin-foreign");
    let newest = &daemon.seen(&admin, "/api/v1/audit")[0];
    assert_eq!((&newest["who"], &newest["outcome"]), (&json!("otto"), &json!("origin-foreign")), "{newest}");
}

#[test]
fn acts_of_pages_are_recorded_with_all_that_was_answered() {
    let home = Home::new(5);
    let (operator, admin) = (home.token("otto", "operator"), home.token("ada", "admin"));
    let daemon = Daemon::start(&home);
    let visitor = Visitor::of(&daemon, &operator);
    let part =
        |name: &str, value: &str| format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let parts = [part("runbook", "paced.yaml"), part("estate", "e.yaml"), part("sites", "s.csv")].concat();
    let mut planning = Request::new("POST", "/launch")
        .with("Content-Type", "multipart/form-data; boundary=x")
        .with("Cookie", &visitor.cookie)
        .with("Origin", &format!("http://{}", daemon.address));
    planning.body = format!("{parts}--x--\r\n").into_bytes();
    assert_eq!(daemon.ask(&planning).status, 200);
    daemon.launch(&operator, "paced.yaml", "r");
    let cancel = "reason=enough&typed=r&undo=yes";
    assert_eq!(visitor.post(&daemon, "/runs/r/act/cancel", cancel).status, 303);
    let records = daemon.seen(&admin, "/api/v1/audit");
    let of = |action: &str| {
        let found = records.as_array().expect("records").iter().find(|record| record["action"] == action);
        found.unwrap_or_else(|| panic!("{action}: {records:#}"))
    };
    let cancelled = of("POST /runs/r/act/cancel");
    assert_eq!(cancelled["outcome"], "ok", "it led on to the run: {cancelled}");
    assert_eq!(cancelled["what"], json!({ "verb": "cancel", "reason": "enough", "undo": "yes" }));
    assert_eq!(of("POST /launch")["what"]["runbook"]["name"], "paced.yaml");
}

#[test]
fn a_launch_is_recorded_with_the_name_that_the_run_got_and_all_that_was_asked() {
    let home = Home::new(5);
    let (operator, admin) = (home.token("otto", "operator"), home.token("ada", "admin"));
    let daemon = Daemon::start(&home);
    let planned = daemon.done(&operator, "/api/v1/plans", &crate::daemon::planning("paced.yaml"));
    let hash = planned["plan"]["hash"].as_str().expect("a hash");
    let launched = daemon.done(&operator, "/api/v1/runs", &json!({ "plan": hash, "count": 5, "skip_held": true }));
    let what = daemon.seen(&admin, "/api/v1/audit")[0]["what"].clone();
    let told = json!({ "plan": hash, "count": 5, "run": launched["run"], "no_preflight": false, "skip_held": true });
    assert!(launched["run"].as_str().is_some_and(|run| run.starts_with("paced")), "{launched}");
    assert_eq!(what, told);
    let _ = daemon.until(&operator, launched["run"].as_str().expect("a name"), |run| run["state"]["over"] == true);
    // Two runs of one runbook in one second would have one name.
    home.write("runbooks/other.yaml", &crate::daemon::paced(10_000).replace("name: paced", "name: other"));
    let other = daemon.done(&operator, "/api/v1/plans", &crate::daemon::planning("other.yaml"));
    let hash = other["plan"]["hash"].as_str().expect("a hash");
    let visitor = Visitor::of(&daemon, &operator);
    let gone = visitor.post(&daemon, "/launch/run", &format!("plan={hash}&count=5&name="));
    let run = gone.header("location").and_then(|to| to.strip_prefix("/runs/")).unwrap_or_else(|| panic!("{gone:?}"));
    assert_eq!(daemon.seen(&admin, "/api/v1/audit")[0]["what"]["run"], run);
}

#[test]
fn a_run_that_is_over_is_given_up_by_keep_runs_and_that_is_a_record() {
    let home = Home::new(5);
    let admin = home.token("ada", "admin");
    let daemon = Daemon::start(&home);
    daemon.launch(&admin, "paced.yaml", "r");
    let _ = daemon.until(&admin, "r", |run| run["state"]["over"] == true);
    assert!(daemon.end("-TERM").success());
    let daemon = Daemon::start_with(&home, &["--keep-runs", "0s"], &[]);
    let begun = std::time::Instant::now();
    while daemon.get(&admin, "/api/v1/runs/r").status != 404 {
        assert!(begun.elapsed().as_secs() < 60, "the run is not given up");
        std::thread::park_timeout(std::time::Duration::from_millis(50));
    }
    let record = &daemon.seen(&admin, "/api/v1/audit")[0];
    assert_eq!([&record["action"], &record["outcome"], &record["what"]["run"]], ["prune", "ok", "r"], "{record}");
}

#[test]
fn the_journal_has_the_name_of_who_asked() {
    let home = Home::new(5);
    let operator = home.token("otto", "operator");
    let daemon = Daemon::start(&home);
    daemon.launch(&operator, "paced.yaml", "r");
    let _ = daemon.until(&operator, "r", |run| run["state"]["over"] == true);
    let log = daemon.seen(&operator, "/api/v1/runs/r/log");
    assert_eq!(log[0]["event"], "opened");
    assert!(log[0]["detail"].as_str().expect("text").starts_with("by otto,"), "{}", log[0]);
}
