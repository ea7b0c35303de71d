//! The pages in a real browser: what people see and do, without an error and within reach of everybody.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::daemon::{Daemon, Home};

/// Where `cargo xtask test` puts what drives a browser.
fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project").join("target/browser")
}

/// The browser of the system.
fn browser() -> String {
    let found = Command::new("sh").args(["-c", "command -v chromium-headless-shell || command -v chromium"]).output();
    let found = String::from_utf8(found.expect("sh starts").stdout).expect("a path");
    assert!(!found.trim().is_empty(), "there is no Chromium; `cargo xtask test` installs one");
    found.trim().to_owned()
}

/// A second batch behind an approval; one site waits for a validator, one fails until its cause is gone.
fn watched(cause: &Path) -> String {
    format!(
        "schema: runbook/v1
name: watched
targets: {{ id: '^s[0-9]+$', attributes: {{ shard: string }} }}
batches:
  sizes: [1, rest]
  max_failures: [100%, 100%]
  gate: {{ approval: {{ from: [leads], timeout: 4h, on_timeout: reject }} }}
defaults: {{ timeout: 1m, retry: {{ attempts: 1 }} }}
steps:
  work: {{ uses: noop@1 }}
  look:
    needs: work
    if: site.id == 's3'
    uses: exec/run@1
    with: {{ command: [test, -e, '{}'], failure_means: refused }}
  validate:
    needs: look
    if: site.id == 's0'
    approval: {{ from: [leads], timeout: 4h, checklist: [Log in as the customer, Open the newest page] }}
",
        cause.display()
    )
}

#[test]
fn people_launch_approve_validate_pause_retry_and_drill_in_a_browser() {
    let home = Home::new(6);
    let cause = home.path("cause");
    home.write("runbooks/watched.yaml", &watched(&cause));
    home.write("runbooks/paced.yaml", &crate::daemon::paced(50));
    let rows: String = (0..2_000).map(|site| format!("s{site},shard-1\n")).collect();
    home.write("sites/many.csv", &format!("id,shard\n{rows}"));
    std::fs::create_dir(home.path("drills")).expect("our own folder");
    home.write(
        "drills/nightly.yaml",
        "schema: drill/v1\nname: nightly\nrunbook: ../runbooks/paced.yaml\nestate: ../estates/e.yaml\n\
         sites: ../sites/s.csv\nschedule: { cron: '0 3 * * *', time_zone: Europe/Berlin }\n\
         objectives: { exceptions: 0 }\nalarm_after: 8d\n",
    );
    let (operator, approver) = (home.token("otto", "operator"), home.token("ben", "approver"));
    let (validator, admin) = (home.token("mia", "validator"), home.token("ada", "admin"));
    let daemon = Daemon::start(&home);
    let shots = std::env::var("REINSTATE_SHOTS").ok();
    let asked = json!({
        "url": format!("http://{}", daemon.address), "tools": tools(), "browser": browser(), "cause": cause,
        "operator": operator, "approver": approver, "validator": validator, "admin": admin, "shots": shots,
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/pages.mjs");
    let done = Command::new("node").arg(script).arg(asked.to_string()).output().expect("node starts");
    let log = crate::daemon::log_of(&home.path(""));
    assert!(done.status.success(), "{}\n{log}", String::from_utf8_lossy(&done.stderr));
}
