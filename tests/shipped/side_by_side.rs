//! Both restorations at once on different sites of the same shards, as in April 2022, and people who agree to a site.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use reinstate_tests::opened::{me, opened_by_anna};
use reinstate_tests::process::{ServedLab, expect, reinstate, shipped, strike};

const BINARY: &str = env!("CARGO_BIN_EXE_reinstate-under-test");

struct Shared {
    lab: ServedLab,
    head: String,
    rows: Vec<String>,
}

impl Shared {
    /// A lab on servers whose tenants go on writing.
    fn new(sites: u32, damaged: u32, seed: u64) -> Self {
        let lab = ServedLab::on_postgres(BINARY, sites, damaged, 2, seed);
        let list = std::fs::read_to_string(lab.dir().join("sites.csv")).unwrap();
        let mut lines = list.lines().map(str::to_owned);
        Self { head: lines.next().unwrap(), rows: lines.collect(), lab }
    }

    fn list(&self, name: &str, rows: &[String]) -> PathBuf {
        let path = self.lab.beside(&format!("{name}.csv"));
        std::fs::write(&path, format!("{}\n{}\n", self.head, rows.join("\n"))).unwrap();
        path
    }

    /// The command that runs a shipped runbook for some of the sites.
    fn run(&self, book: &str, run: &str, rows: &[String], inputs: &[&str]) -> Command {
        let mut command = reinstate(BINARY);
        let book = shipped(&format!("{book}.yaml"));
        command.arg("run").args(self.lab.planned_for(&book, &self.list(run, rows)));
        for input in inputs.iter().chain(&["margin=5s"]) {
            command.args(["--input", input]);
        }
        command.args(["--run", run, "--yes", "--json", "--store", &self.store(run)]);
        command
    }

    /// Each run has a store of its own.
    fn store(&self, run: &str) -> String {
        format!("sqlite:{}", self.lab.beside(&format!("{run}.db")).display())
    }

    /// `VERB RUN ...`
    fn verb(&self, run: &str, verb: &str, more: &[&str]) -> Command {
        let mut command = reinstate(BINARY);
        command.args([verb, run]).args(more).args(["--store", &self.store(run)]).env_remove("SUDO_USER");
        command
    }

    fn resume(&self, run: &str, code: i32) {
        let _ = expect(&mut self.verb(run, "resume", &["--json"]), code);
    }

    fn report(&self, run: &str) -> serde_json::Value {
        let output = expect(&mut self.verb(run, "report", &["--format", "json"]), 0);
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// A command at work; ended with the test.
struct Background(Child);

impl Background {
    fn start(command: &mut Command, log: &Path) -> Self {
        let log = std::fs::File::create(log).unwrap();
        Self(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn both_restorations_side_by_side_and_one_of_them_killed_end_clean() {
    let world = Shared::new(20, 8, 22);
    let (first, second) = world.rows.split_at(4);
    let log = world.lab.beside("second.log");
    let mut other = Background::start(&mut world.run("restoration-2", "second", second, &[]), &log);
    // Past the canary, in the middle of the second batch.
    let mut one = world.run("restoration-1", "first", first, &["sign_off=false"]);
    let (_, ended) = strike(&mut one, 220, "-KILL");
    assert!(!ended, "it was over before the kill");
    world.resume("first", 0);
    assert!(other.0.wait().unwrap().success(), "{}", std::fs::read_to_string(&log).unwrap());
    world.lab.insist(8, 4, "after both");
    assert_eq!(world.lab.diff()["clean"], true);

    // The report has old and new ID side by side; the other way has no new ones.
    let sites = world.report("first")["sites"].as_array().unwrap().clone();
    let ids: BTreeSet<&str> =
        sites.iter().flat_map(|site| [site["id"].as_str().unwrap(), site["new_id"].as_str().unwrap()]).collect();
    assert_eq!(ids.len(), 8, "{ids:?}");
    assert!(world.report("second")["sites"].as_array().unwrap().iter().all(|site| site["new_id"].is_null()));
    // A site that is back under a new ID is not brought back under its old one as well.
    let again = expect(&mut world.run("restoration-2", "again", &first[..1], &[]), 5);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains("stands in for"), "{said}");
    world.lab.insist(8, 4, "after a third run");
}

#[test]
fn nothing_is_open_before_support_agrees_and_nothing_is_back_before_the_customer_does() {
    let world = Shared::new(12, 1, 5);
    let estate = world.lab.dir().join("estate.yaml");
    let text = std::fs::read_to_string(&estate).unwrap();
    let site = world.rows[0].split(',').next().unwrap();
    let decide = |run: &str, step: &str| world.verb(run, "approve", &[&format!("{step}/{site}"), "--reason", "a test"]);
    let stands = |run: &str, state: &str| {
        let report = world.report(run);
        let new = report["sites"][0]["new_id"].as_str().unwrap().to_owned();
        assert_eq!(world.lab.get(&format!("/edge/sites/{new}"))["state"], state);
        assert_eq!(report["sites_by_state"]["returned"], 0);
    };

    // Neither sam nor casey, we may look, and take it back.
    let _ = expect(&mut world.run("restoration-1", "alone", &world.rows, &[]), 5);
    stands("alone", "closed");
    assert_ne!(decide("alone", "agreed").output().unwrap().status.code(), Some(0));
    let _ = expect(&mut world.verb("alone", "cancel", &["--undo", "--reason", "nobody agrees"]), 0);
    world.resume("alone", 4);
    world.lab.insist(0, 0, "after the way back");

    let ours = format!("[{}]", me());
    std::fs::write(&estate, text.replace("[sam]", &ours).replace("[casey]", &ours)).unwrap();
    let asked = (&*shipped("restoration-1.yaml"), &*world.list("agreed", &world.rows), &*estate);
    opened_by_anna(&world.store("agreed"), "agreed", asked, &[("margin", "5s")]);
    world.resume("agreed", 5);
    stands("agreed", "closed");
    let _ = expect(&mut decide("agreed", "agreed"), 0);
    world.resume("agreed", 5);
    stands("agreed", "open");
    let _ = expect(&mut decide("agreed", "customer"), 0);
    world.resume("agreed", 0);
    world.lab.insist(1, 1, "after both agreed");
}
