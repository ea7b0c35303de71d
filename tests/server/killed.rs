//! kill -9 of the daemon in the middle of runs; the next one takes them up by itself.

use crate::daemon::{Daemon, Home, paced};

#[test]
fn interrupted_runs_are_taken_up_at_the_next_start() {
    let home = Home::new(500);
    home.write("runbooks/slow.yaml", &paced(100));
    let daemon = Daemon::start(&home);
    daemon.launch("", "slow.yaml", "one");
    let _ = daemon.until("", "one", |run| run["sites"]["returned"].as_u64() > Some(20));
    let _ = daemon.end("-KILL");
    let idle = Daemon::start_with(&home, &["--no-take-up"], &[]);
    let left = idle.seen("", "/api/v1/runs/one");
    assert_eq!(left["driver"]["kind"], "nobody", "{left:#}");
    let _ = idle.end("-KILL");
    let again = Daemon::start(&home);
    let over = again.until("", "one", |run| run["state"]["over"] == true);
    assert_eq!(over["sites"]["returned"], 500, "{over:#}");
    let log = again.seen("", "/api/v1/runs/one/log?tail=2000");
    let adopted = log.as_array().expect("events").iter().filter(|event| event["event"] == "adopted").count();
    assert!(adopted <= 2, "{adopted}");
    let rows = again.seen("", "/api/v1/runs");
    assert_eq!(rows[0]["driven_by"], serde_json::Value::Null, "it is over, and nobody holds it: {rows:#}");
}
