//! A run that is told to go by another plan in what it has not begun: shown first, then asked for by its hash.

use serde_json::json;

use crate::client::Request;
use crate::daemon::{Daemon, Home, paced, planning};

#[test]
fn a_run_goes_by_the_plan_whose_difference_was_shown() {
    let home = Home::new(300);
    home.write("runbooks/slow.yaml", &paced(60));
    let daemon = Daemon::start(&home);
    daemon.launch("", "slow.yaml", "r");
    let run = |path: &str| format!("/api/v1/runs/r/{path}");
    daemon.done("", &run("pause"), &json!({ "reason": "a step is missing" }));
    home.write("runbooks/slow.yaml", &(paced(10_000) + "  told: { needs: extra, uses: noop@1 }\n"));
    let shown = daemon.done("", "/api/v1/plans", &planning("slow.yaml"));
    let hash = shown["plan"]["hash"].as_str().expect("a hash").to_owned();

    let seen = daemon.seen("", &run(&format!("amendment?plan={}", &hash[..12])));
    assert_eq!(seen["plan"], json!(hash));
    let told = seen["change"]["steps"].as_array().expect("steps").iter().find(|step| step["step"] == "told");
    assert_eq!(told.map(|step| &step["change"]), Some(&json!("added")), "{seen:#}");
    assert!(seen["lines"].to_string().contains("+ told: runs"), "{seen:#}");
    assert_eq!(daemon.seen("", &run("steps")).as_array().map(Vec::len), Some(3), "to look changes nothing");

    let from = seen["from"].as_str().expect("a hash").to_owned();
    let asked = |plan: &str, from: &str, reason: &str| {
        daemon.post("", &run("amend"), &json!({ "plan": plan, "from": from, "reason": reason }))
    };
    let amend = |plan: &str, reason: &str| asked(plan, &from, reason);
    let refused = [amend("0123456789abcdef", "x"), amend(&hash, " "), amend(&hash[..7], "x")];
    assert_eq!(refused.map(|answer| answer.code()), ["plan-unknown", "reason-missing", "plan-unknown"]);
    let other = [asked(&hash, &hash, "x"), asked(&hash, &from[..7], "x"), asked(&hash, "", "x")];
    assert!(other.iter().all(|answer| (answer.status, &*answer.code()) == (409, "run-plan-changed")), "{other:?}");
    let graphs = Request::new("GET", "/runs/r/live").with("Accept", "text/html").follow(&daemon.address);
    let done = asked(&hash, &from[..8], "tell the customers");
    assert_eq!((done.status, &done.json()["driven"]), (200, &json!(true)), "{done:?}");
    // Whoever looked all the time sees the steps of the new plan.
    let drawn = |(_, part): (String, serde_json::Value)| {
        part["id"] == "part-graph" && part["html"].as_str().is_some_and(|html| html.contains(">told<"))
    };
    assert!({ graphs }.any(drawn), "the graph is that of the new plan");
    // The difference that was looked at is not the one that would be applied any more.
    home.write("runbooks/slow.yaml", &(paced(10_000) + "  noted: { needs: extra, uses: noop@1 }\n"));
    let third = daemon.done("", "/api/v1/plans", &planning("slow.yaml"))["plan"]["hash"].clone();
    let late = amend(third.as_str().expect("a hash"), "what was looked at adds a step");
    assert_eq!((late.status, late.code().as_str()), (409, "run-plan-changed"), "{late:?}");
    daemon.done("", &run("continue"), &json!({ "reason": "go" }));
    let over = daemon.until("", "r", |run| run["state"]["over"] == true);
    assert_eq!(over["sites"]["returned"], 300);
    let steps = daemon.seen("", &run("steps"));
    let told = steps.as_array().expect("steps").iter().find(|step| step["name"] == "told").expect("the new step");
    assert!(told["done"].as_u64() > Some(0), "{steps:#}");
    assert!(daemon.get("", &run("report")).body.contains("tell the customers"));

    // Another list is another run.
    home.list(20);
    let other = daemon.done("", "/api/v1/plans", &planning("slow.yaml"));
    let refused = daemon.get("", &run(&format!("amendment?plan={}", other["plan"]["hash"].as_str().expect("a hash"))));
    assert_eq!((refused.status, refused.code().as_str()), (409, "not-amendable"), "{refused:?}");
}
