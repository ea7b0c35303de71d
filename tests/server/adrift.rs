//! Runs that nobody drives, and what waits in runs that nobody looks at: both are said, and never taken for nothing.

use sqlx::Connection as _;

use crate::client::{Answer, Request};
use crate::daemon::{Daemon, Home, paced};

fn page(daemon: &Daemon<'_>, path: &str) -> Answer {
    daemon.ask(&Request::new("GET", path).with("Accept", "text/html"))
}

/// A home whose daemon was killed in the middle of a run.
fn left_in_the_middle() -> Home {
    let home = Home::new(400);
    home.write("runbooks/slow.yaml", &paced(50));
    let daemon = Daemon::start(&home);
    daemon.launch("", "slow.yaml", "r");
    let _ = daemon.until("", "r", |run| run["sites"]["returned"].as_u64() > Some(2));
    let _ = daemon.end("-KILL");
    home
}

/// Damages the store of a home.
fn damage(home: &Home, statement: &'static str) {
    let url = format!("sqlite:{}", home.path("runs.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut store = sqlx::SqliteConnection::connect(&url).await.expect("the store");
        let _ = sqlx::query(statement).execute(&mut store).await.expect("it is ours");
    });
}

#[test]
fn the_queue_shows_what_waits_in_runs_that_nobody_has_looked_at() {
    let home = Home::new(10);
    let guard = "guard: { sites: 3, approval: { from: [leads], timeout: 1h, on_timeout: pause } }";
    let estate = format!("schema: estate/v1\nname: e\nsandbox: true\napprovers: {{ leads: [ben] }}\n{guard}\n");
    home.write("estates/e.yaml", &estate);
    let daemon = Daemon::start(&home);
    let nothing = page(&daemon, "/queue").body;
    assert!(nothing.contains("Nothing waits for anybody."), "{nothing}");
    daemon.launch("", "paced.yaml", "r");
    let _ = daemon.end("-KILL");
    let idle = Daemon::start_with(&home, &["--no-take-up"], &[]);
    let queue = page(&idle, "/queue").body;
    for said in ["APPROVAL", "/runs/r/act?verb=approve", "NOBODY DRIVES IT", "/runs/r/act?verb=resume"] {
        assert!(queue.contains(said), "{said}: {queue}");
    }
    assert!(!queue.contains("Nothing waits for anybody."), "{queue}");
}

#[test]
fn the_queue_names_runs_that_cannot_be_read_and_does_not_say_that_nothing_waits() {
    let home = left_in_the_middle();
    damage(&home, "UPDATE plans SET bytes = x'00'");
    let idle = Daemon::start_with(&home, &["--no-take-up"], &[]);
    let queue = page(&idle, "/queue").body;
    assert!(queue.contains("NOT READ") && queue.contains("/runs/r") && !queue.contains("Nothing waits"), "{queue}");
}

#[test]
fn a_run_that_nobody_drives_is_bad_and_says_why() {
    let home = left_in_the_middle();
    let idle = Daemon::start_with(&home, &["--no-take-up"], &[]);
    let left = page(&idle, "/runs/r").body;
    assert!(left.contains("<span class=\"state bad\">NOBODY DRIVES IT</span>"), "{left}");
    assert!(page(&idle, "/runs").body.contains("<span class=\"state bad\">NOBODY DRIVES IT</span>"));
    // It was read, and cannot be read again: nor can it be driven.
    damage(&home, "UPDATE groups SET bytes = x'00' WHERE id = (SELECT min(id) FROM groups)");
    let mut resume = Request::new("POST", "/runs/r/act/resume").with("Accept", "text/html");
    resume = resume.with("Content-Type", "application/x-www-form-urlencoded");
    resume.body = b"reason=go+on".to_vec();
    assert_eq!(idle.ask(&resume).status, 303);
    let mut parts = Request::new("GET", "/runs/r/live").follow(&idle.address);
    let why =
        |(_, part): (String, serde_json::Value)| part["html"].to_string().contains("could not drive it any further");
    assert!(parts.any(why), "whoever looks is told");
    let said = page(&idle, "/runs/r").body;
    assert!(said.contains("could not drive it any further") && said.contains("It is being taken up."), "{said}");
    assert!(idle.get("", "/metrics").body.contains("reinstate_drive_trouble{run=\"r\"} 1"), "it is measured");
}
