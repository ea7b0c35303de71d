//! Drills of the daemon: asked for over HTTP, judged, told, cleaned up after kill -9; and what they certify.

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::daemon::{Daemon, Home, log_of, planning};

const PATIENCE: Duration = Duration::from_secs(120);

const DRILL: &str = r#"schema: drill/v1
name: small
description: What there is.
runbook: ../runbooks/work.yaml
estate: ../estates/e.yaml
sites: ../sites/s.csv
schedule: { cron: "30 3 * * 1", time_zone: Europe/Berlin }
sample: { count: 2 }
objectives: { exceptions: 0 }
alarm_after: 8d
defaults: { timeout: 1m, scope: run }
set_up: { ready: { uses: noop@1 } }
clean_up: { clean: { uses: exec/run@1, with: { command: [touch, "${{ estate.place }}/cleaned"] } } }
"#;

const BOOK: &str = "schema: runbook/v1
name: work
targets: { id: '^s[0-9]+$', attributes: { shard: string } }
defaults: { timeout: 1m }
steps: { work: { uses: WORK } }
";

fn home(work: &str) -> Home {
    let home = Home::new(4);
    std::fs::create_dir(home.path("drills")).expect("our own folder");
    let estate = std::fs::read_to_string(home.path("estates/e.yaml")).expect("our own file");
    let place = home.path("").display().to_string();
    home.write("estates/e.yaml", &format!("{estate}variables: {{ place: \"{place}\" }}\n"));
    home.write("runbooks/work.yaml", &BOOK.replace("WORK", work));
    home.write("drills/small.yaml", DRILL);
    home
}

/// Between two looks: the daemon refuses those who ask too often, and has no stream of its drills.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Asks until the answer is as wanted.
fn until(daemon: &Daemon<'_>, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let answer = daemon.get("", path);
        if answer.status == 200 && wanted(&answer.json()) {
            return answer.json();
        }
        let log = || log_of(&daemon.home.path(""));
        assert!(begun.elapsed() < PATIENCE, "it did not come about: {answer:?}\n{}", log());
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

fn ended(drill: &Value) -> bool {
    drill["last"]["ended"].is_string() && drill["going"].is_null()
}

#[test]
fn a_drill_is_asked_for_judged_and_told() {
    let home = home("noop@1");
    let daemon = Daemon::start(&home);
    let drills = until(&daemon, "/api/v1/drills", |drills| drills[0]["drill"] == "small");
    let drill = &drills[0];
    assert_eq!(
        (&drill["file"], &drill["runbook"], &drill["estate"]),
        (&json!("small.yaml"), &json!("work"), &json!("e"))
    );
    assert!(drill["next"][0]["there"].as_str().is_some_and(|there| there.contains("03:30")), "{drill:#}");
    assert_eq!(daemon.get("", "/api/v1/drills/none").code(), "drill-unknown");
    let began = daemon.done("", "/api/v1/drills/small/run", &json!({ "seed": 7 }));
    let told = until(&daemon, "/api/v1/drills/small", ended);
    assert_eq!((&told["last"]["run"], &told["last"]["result"]), (&began["run"], &json!("good")), "{told:#}");
    assert_eq!((&told["history"][0]["seed"], &told["trend"]["good"]), (&json!(7), &json!(1)));
    assert_eq!((&told["readiness"]["unchanged"], &told["readiness"]["never_run"]), (&json!(true), &json!([])));
    assert!(home.path("cleaned").exists());
    let metrics = daemon.get("", "/metrics").body;
    for line in ["reinstate_drill_alarm{drill=\"small\"} 0", "reinstate_drill_last_good{drill=\"small\"} 1"] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    // What is wrong with a file is told with its place.
    home.write("drills/wrong.yaml", &DRILL.replace("name: small", "name: wrong").replace("sample", "smaple"));
    let _ = daemon.end("-TERM");
    let daemon = Daemon::start(&home);
    let drills = until(&daemon, "/api/v1/drills", |drills| drills.as_array().is_some_and(|all| all.len() == 2));
    let wrong = drills.as_array().and_then(|all| all.iter().find(|drill| drill["file"] == "wrong.yaml"));
    let wrong = wrong.unwrap_or_else(|| panic!("{drills:#}"));
    assert!(wrong["trouble"].as_str().is_some_and(|why| why.contains("smaple")), "{wrong:#}");
    let name = wrong["drill"].as_str().expect("a name");
    let refused = daemon.post("", &format!("/api/v1/drills/{name}/run"), &json!({}));
    assert_eq!((refused.status, refused.code().as_str()), (409, "drill-unsound"));
}

#[test]
fn a_daemon_killed_in_a_drill_cleans_up_when_it_is_started_again() {
    let home = home("exec/run@1, scope: run, with: { command: [cat, \"${{ estate.place }}/gate\"] }");
    let made = std::process::Command::new("mkfifo").arg(home.path("gate")).status().expect("mkfifo starts");
    assert!(made.success());
    let daemon = Daemon::start(&home);
    let _ = until(&daemon, "/api/v1/drills", |drills| drills[0]["drill"] == "small");
    let run = daemon.done("", "/api/v1/drills/small/run", &json!({}))["run"].as_str().expect("a name").to_owned();
    let again = daemon.post("", "/api/v1/drills/small/run", &json!({}));
    assert_eq!((again.status, again.code().as_str()), (409, "drill-goes-on"));
    // The gate opens for writing when the step is at it.
    let gate = std::fs::OpenOptions::new().write(true).open(home.path("gate")).expect("the step waits");
    let _ = daemon.end("-KILL");
    assert!(!home.path("cleaned").exists());
    drop(gate);
    let daemon = Daemon::start(&home);
    let told = until(&daemon, "/api/v1/drills/small", ended);
    assert!(home.path("cleaned").exists(), "{told:#}");
    assert_eq!((&told["last"]["run"], &told["last"]["result"]), (&json!(run), &json!("not good")), "{told:#}");
    assert!(told["history"][0]["troubles"].to_string().contains("its process was lost"), "{told:#}");
    // Its runs were called off by the scheduler, not gone on with, and it can take place again.
    let second = daemon.done("", "/api/v1/drills/small/run", &json!({}));
    let mut gate = std::fs::OpenOptions::new().write(true).open(home.path("gate")).expect("the step waits");
    gate.write_all(b"go").expect("it reads");
    drop(gate);
    let good = until(&daemon, "/api/v1/drills/small", |drill| drill["last"]["run"] == second["run"] && ended(drill));
    assert_eq!(good["last"]["result"], "good", "{good:#}");
}

#[test]
fn a_launch_needs_the_passed_drill_that_the_estate_demands() {
    let home = home("noop@1");
    let estate = std::fs::read_to_string(home.path("estates/e.yaml")).expect("our own file");
    let guard =
        "guard: { sites: 100, approval: { from: [leads], timeout: 1h }, certificate: { max_age: 30d, above: 2 } }";
    home.write("estates/e.yaml", &format!("{estate}{guard}\n"));
    let daemon = Daemon::start(&home);
    let launch = |planning: &Value, name: &str| {
        let planned = daemon.done("", "/api/v1/plans", planning);
        assert_eq!(planned["findings"], json!([]), "{planned:#}");
        let (hash, sites) = (planned["plan"]["hash"].clone(), planned["plan"]["sites"].clone());
        daemon.post("", "/api/v1/runs", &json!({ "plan": hash, "count": sites, "name": name }))
    };
    let refused = launch(&planning("work.yaml"), "one");
    assert_eq!((refused.status, refused.code().as_str()), (409, "runbook-uncertified"), "{refused:?}");
    // Going without waits for a second person.
    let mut without = planning("work.yaml");
    without["uncertified"] = json!("customers are down");
    let waiting = launch(&without, "two");
    assert_eq!((waiting.status, &waiting.json()["waits_for_approval"]), (200, &json!(true)), "{waiting:?}");
    let _ = daemon.done("", "/api/v1/runs/two/cancel", &json!({ "reason": "seen" }));
    let _ = daemon.until("", "two", |run| run["state"]["over"] == true);
    let _ = until(&daemon, "/api/v1/drills", |drills| drills[0]["drill"] == "small");
    let _ = daemon.done("", "/api/v1/drills/small/run", &json!({}));
    let told = until(&daemon, "/api/v1/drills/small", ended);
    assert_eq!(told["last"]["result"], "good", "{told:#}");
    let launched = launch(&planning("work.yaml"), "three");
    assert_eq!((launched.status, &launched.json()["waits_for_approval"]), (200, &json!(false)), "{launched:?}");
}
