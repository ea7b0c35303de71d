//! From the files of the home to the end of a run, as a program does it.

use serde_json::{Value, json};

use crate::daemon::{Daemon, Home, paced, planning};

#[test]
fn planned_launched_followed_and_reported() {
    let home = Home::new(60);
    let daemon = Daemon::start(&home);
    assert_eq!(daemon.seen("", "/api/v1/home")["runbooks"], json!(["paced.yaml"]));
    let planned = daemon.done("", "/api/v1/plans", &planning("paced.yaml"));
    let plan = &planned["plan"];
    assert_eq!((plan["sites"].as_u64(), plan["batches"].as_array().map(Vec::len)), (Some(60), Some(2)), "{planned:#}");
    let launch = |count: u32| {
        daemon.post("", "/api/v1/runs", &json!({ "plan": plan["hash"], "count": count, "name": "april-1" }))
    };
    let wrong = launch(59);
    assert_eq!((wrong.status, wrong.code().as_str()), (409, "count-not-typed"));
    assert_eq!(launch(60).status, 200);
    let again = launch(60);
    assert_eq!((again.status, again.code().as_str()), (409, "journal-exists"), "{again:?}");

    // Every site, as the stream tells it: the grid, and what changed since.
    let mut grid: Vec<char> = Vec::new();
    let mut last = Value::Null;
    for (kind, data) in daemon.follow("", "april-1") {
        match kind.as_str() {
            "grid" => grid = unpacked(data["grid"].as_str().expect("a grid")),
            "sites" => {
                for change in data["changes"].as_array().expect("changes") {
                    let at = change[0].as_u64().expect("a place") as usize;
                    for (ix, letter) in change[1].as_str().expect("letters").chars().enumerate() {
                        grid[at + ix] = letter;
                    }
                }
            }
            "run" => last = data,
            other => panic!("{other}"),
        }
        if last["state"]["over"] == true && !grid.is_empty() && grid.iter().all(|&letter| letter == 'o') {
            break;
        }
    }
    assert_eq!((grid.len(), &last["sites"]["returned"]), (60, &json!(60)));
    assert_eq!(last["state"]["word"], "ended: succeeded");

    let run = |path: &str| daemon.seen("", &format!("/api/v1/runs/april-1{path}"));
    let rows = daemon.seen("", "/api/v1/runs");
    assert_eq!((&rows[0]["run"], &rows[0]["returned"]), (&json!("april-1"), &json!(60)), "{rows:#}");
    assert_eq!(run("/steps")[1]["done"], 60);
    assert_eq!(run("/batches")[0]["ended"], 5);
    assert_eq!(run("/pools")[0]["name"], "pace");
    assert_eq!(run("/grid")["grid"], "o60");
    let page = run("/sites?state=returned&from=55&limit=3");
    assert_eq!((&page["total"], page["sites"].as_array().map(Vec::len)), (&json!(60), Some(3)), "{page:#}");
    assert_eq!(run("/sites?q=s17")["sites"][0]["id"], "s17");
    let site = run("/sites/s17");
    assert_eq!((&site["state"], &site["steps"][1]["units"][0]["attempts"]), (&json!("returned"), &json!(1)));
    assert_eq!(site["attributes"], json!([["shard", "shard-3"]]));
    assert_eq!(run("/log?site=s17&tail=1")[0]["event"], "site-ended");
    assert!(run("/why?subject=s17")[1].as_str().expect("a sentence").contains("has returned"));
    for (format, holds) in [("json", "\"verdict\""), ("text", "60"), ("html", "<title>"), ("junit", "<testsuite")] {
        let report = daemon.get("", &format!("/api/v1/runs/april-1/report?format={format}"));
        assert!(report.status == 200 && report.body.contains(holds), "{format}: {report:?}");
    }
    assert!(daemon.get("", "/metrics").body.contains("reinstate_sites{run=\"april-1\",state=\"returned\"} 60"));
}

fn unpacked(packed: &str) -> Vec<char> {
    let mut letters = Vec::new();
    let mut rest = packed;
    while let Some(letter) = rest.chars().next() {
        rest = &rest[1..];
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        letters.extend(std::iter::repeat_n(letter, rest[..digits].parse().unwrap_or(1)));
        rest = &rest[digits..];
    }
    letters
}

#[test]
fn mistakes_in_the_texts_are_findings_with_their_places() {
    let home = Home::new(3);
    let daemon = Daemon::start(&home);
    let text = paced(10).replace("needs: recover", "needs: recoverr");
    let mut asked = planning("paced.yaml");
    asked["runbook"] = json!({ "name": "mine.yaml", "text": text });
    let shown = daemon.done("", "/api/v1/plans", &asked);
    assert_eq!(shown["plan"], Value::Null);
    let found = &shown["findings"][0];
    assert_eq!(found["file"], "mine.yaml", "{shown:#}");
    assert_eq!(found["diagnostics"][0]["labels"][0]["line"], 9, "{shown:#}");
    assert!(found["diagnostics"][0]["hint"].as_str().expect("a hint").contains("recover"));
    asked["runbook"] = json!({ "name": "../../etc/passwd" });
    let refused = daemon.post("", "/api/v1/plans", &asked);
    assert_eq!((refused.status, refused.code().as_str()), (422, "home-name"));
}

#[test]
fn verbs_reach_a_run_that_goes_on_and_one_that_has_ended() {
    let home = Home::new(300);
    home.write("runbooks/slow.yaml", &paced(60));
    let daemon = Daemon::start(&home);
    daemon.launch("", "slow.yaml", "r");
    let verb = |verb: &str, body: Value| daemon.done("", &format!("/api/v1/runs/r/{verb}"), &body);
    let paused = verb("pause", json!({ "reason": "look first" }));
    assert_eq!((&paused["recorded"], &paused["driven"]), (&json!(true), &json!(true)));
    let seen = daemon.until("", "r", |run| run["state"]["paused"] == true);
    assert!(seen["state"]["detail"].as_str().expect("who and why").contains("look first"), "{seen:#}");
    verb("sites/s299/exclude", json!({ "reason": "not ours" }));
    verb("sites/s298/quarantine", json!({ "reason": "odd" }));
    verb("pool", json!({ "reason": "faster", "pool": "pace", "slots": 60 }));
    let bad = daemon.post("", "/api/v1/runs/r/skip", &json!({ "reason": "x", "unit": "work/nobody" }));
    assert_eq!((bad.status, bad.code().as_str()), (404, "unit-unknown"));
    let bad = daemon.post("", "/api/v1/runs/r/skip", &json!({ "reason": " ", "unit": "work/s1" }));
    assert_eq!((bad.status, bad.code().as_str()), (422, "reason-missing"));
    verb("continue", json!({ "reason": "go" }));
    let over = daemon.until("", "r", |run| run["state"]["over"] == true);
    let sites = &over["sites"];
    assert_eq!(
        (&sites["returned"], &sites["excluded"], &sites["quarantined"]),
        (&json!(298), &json!(1), &json!(1)),
        "{over:#}"
    );
    // The run is over: to try again it is opened anew, and driven here again.
    let again = verb("retry", json!({ "reason": "mended", "subject": "s298" }));
    assert_eq!(again["driven"], true);
    let over = daemon.until("", "r", |run| run["state"]["over"] == true && run["sites"]["returned"] == 299);
    assert_eq!(over["sites"]["quarantined"], 0);
}

#[test]
fn a_run_that_another_process_drives_is_followed_and_steered() {
    let home = Home::new(200);
    home.write("runbooks/slow.yaml", &paced(40));
    let daemon = Daemon::start(&home);
    let mut other = home
        .command(&["run"])
        .arg(home.path("runbooks/slow.yaml"))
        .args(["--sites", &home.path("sites/s.csv").display().to_string()])
        .args(["--estate", &home.path("estates/e.yaml").display().to_string()])
        .args(["--run", "theirs", "--yes", "--json"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    let known = || daemon.get("", "/api/v1/runs/theirs").status == 200;
    let begun = std::time::Instant::now();
    while !known() {
        assert!(begun.elapsed().as_secs() < 60, "the run is not there");
    }
    let _ = daemon
        .until("", "theirs", |run| run["sites"]["returned"].as_u64() > Some(3) && run["driver"]["kind"] == "process");
    let said = daemon.done("", "/api/v1/runs/theirs/cancel", &json!({ "reason": "enough" }));
    assert_eq!(said["driven"], true);
    let seen = daemon.until("", "theirs", |run| run["state"]["over"] == true);
    assert_eq!(seen["state"]["word"], "ended: CANCELLED");
    assert_eq!(other.wait().expect("it ends").code(), Some(4));
}

#[test]
fn two_runs_go_on_side_by_side_and_a_small_one_is_not_kept_waiting() {
    let home = Home::new(2_000);
    home.write("runbooks/slow.yaml", &paced(200));
    let daemon = Daemon::start(&home);
    daemon.launch("", "slow.yaml", "large");
    home.write("sites/s.csv", "id,shard\ns90001,shard-1\ns90002,shard-2\n");
    daemon.launch("", "paced.yaml", "small");
    let small = daemon.until("", "small", |run| run["state"]["over"] == true);
    assert_eq!(small["sites"]["returned"], 2);
    let large = daemon.seen("", "/api/v1/runs/large");
    assert_eq!(large["state"]["over"], false, "it still goes on: {large:#}");
}
