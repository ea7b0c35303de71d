//! The pages in a real browser: what people see and do, without an error and within reach of everybody.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use reinstate_tests::provider::SECRET;
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
    with: {{ command: [ls, '{}'], failure_means: refused }}
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
        "changed": crate::daemon::paced(50) + "  told: { needs: extra, uses: noop@1 }\n",
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/pages.mjs");
    let done = Command::new("node").arg(script).arg(asked.to_string()).output().expect("node starts");
    let log = crate::daemon::log_of(&home.path(""));
    assert!(done.status.success(), "{}\n{log}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_page_keeps_what_is_in_hand_while_somebody_is_there_and_says_when_it_cannot() {
    let home = crate::desk::home(1, "val, mia");
    let otto = home.token("otto", "operator");
    let (val, mia) = (home.token("val", "validator"), home.token("mia", "validator"));
    let daemon = Daemon::start(&home);
    crate::desk::launched(&daemon, &otto, 1);
    let asked = json!({
        "url": format!("http://{}", daemon.address), "tools": tools(), "browser": browser(), "validator": val,
        "other": mia,
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/kept.mjs");
    let done = Command::new("node").arg(script).arg(asked.to_string()).output().expect("node starts");
    let log = crate::daemon::log_of(&home.path(""));
    assert!(done.status.success(), "{}\n{log}", String::from_utf8_lossy(&done.stderr));
}

/// Batches that grow; a site fails, some wait for people, and the rest goes on for a while.
fn toured(cause: &Path, sites: u32) -> String {
    let (rate, last) = (sites / 20, sites / 10 + 20);
    format!(
        "schema: runbook/v1
name: toured
targets: {{ id: '^s[0-9]+$', attributes: {{ shard: string }}, scopes: {{ shard: site.shard }} }}
pools: {{ pace: {{ slots: 50, rate: {rate}/s }} }}
batches: {{ sizes: [1, 10, 10%, rest], max_failures: [100%, 100%, 100%, 100%] }}
defaults: {{ timeout: 1m, retry: {{ attempts: 1 }} }}
steps:
  recover: {{ scope: shard, uses: noop@1 }}
  catalogue: {{ needs: recover, uses: noop@1 }}
  look: {{ needs: catalogue, if: site.id == 's3', uses: exec/run@1, with: {{ command: [ls, '{}'], failure_means: refused }} }}
  databases: {{ needs: look, pool: pace, uses: noop@1 }}
  media: {{ needs: catalogue, uses: noop@1 }}
  validate:
    needs: [databases, media]
    if: site.id in ['s{last}', 's{}', 's{}']
    approval: {{ from: [leads], timeout: 4h, checklist: [Log in as the customer, Open the newest page] }}
",
        cause.display(),
        last + 1,
        last + 2,
    )
}

/// `REINSTATE_SITES=100000` and `REINSTATE_SHOTS=FOLDER` look at a larger run, and keep what was seen.
#[test]
fn every_page_of_a_run_of_many_sites_shows_it_to_everybody() {
    let sites = std::env::var("REINSTATE_SITES").ok().and_then(|text| text.parse().ok()).unwrap_or(883);
    let home = Home::new(sites);
    home.write("runbooks/toured.yaml", &toured(&home.path("cause"), sites));
    let admin = home.token("ada", "admin");
    let daemon = Daemon::start(&home);
    daemon.launch(&admin, "toured.yaml", "r");
    let _ = daemon.until(&admin, "r", |run| run["sites"]["returned"].as_u64() > Some(u64::from(sites) / 4));
    let asked = json!({
        "url": format!("http://{}", daemon.address), "tools": tools(), "browser": browser(), "admin": admin,
        "sites": sites, "shots": std::env::var("REINSTATE_SHOTS").ok(), "timed": std::env::var_os("REINSTATE_SITES").is_some(),
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/tour.mjs");
    let done = Command::new("node").arg(script).arg(asked.to_string()).output().expect("node starts");
    eprintln!("{}", String::from_utf8_lossy(&done.stdout));
    let log = crate::daemon::log_of(&home.path(""));
    assert!(done.status.success(), "{}\n{log}", String::from_utf8_lossy(&done.stderr));
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// The certified provider, as a process of its own until dropped.
struct Certified {
    child: Child,
    /// It would end if nobody could hear it any more.
    _said: BufReader<ChildStdout>,
}

impl Certified {
    fn start(port: u16, back: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/provider.mjs");
        let asked = json!({ "tools": tools(), "port": port, "client": "reinstate", "secret": SECRET, "back": back });
        let mut node = Command::new("node");
        node.arg(script).arg(asked.to_string()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = node.spawn().expect("node starts");
        let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
        let told = said.by_ref().lines().any(|line| line.is_ok_and(|line| line == "listening"));
        assert!(told, "the provider does not start");
        Self { child, _said: said }
    }
}

impl Drop for Certified {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn people_sign_in_by_a_certified_provider() {
    let (ours, theirs) = (free_port(), free_port());
    let url = format!("http://localhost:{ours}");
    let _provider = Certified::start(theirs, &format!("{url}/sign-in/oidc/back"));
    let home = Home::new(1);
    home.write(
        "oidc.yaml",
        &format!(
            "schema: oidc/v1\nissuer: http://127.0.0.1:{theirs}\nclient_id: reinstate\nclient_secret: env:OIDC_SECRET\n\
             public_url: {url}\nscopes: [profile, groups]\nroles: {{ dr-engineers: operator }}\n"
        ),
    );
    let listen = format!("127.0.0.1:{ours}");
    let _daemon = Daemon::start_with(&home, &["--listen", &listen], &[("OIDC_SECRET", SECRET)]);
    let shots = std::env::var("REINSTATE_SHOTS").ok();
    let asked = json!({ "url": url, "tools": tools(), "browser": browser(), "shots": shots });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/sign_in.mjs");
    let done = Command::new("node").arg(script).arg(asked.to_string()).output().expect("node starts");
    let log = crate::daemon::log_of(&home.path(""));
    assert!(done.status.success(), "{}\n{log}", String::from_utf8_lossy(&done.stderr));
}
