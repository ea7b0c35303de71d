//! Drills of parts that fail, in an estate without services.

use std::path::PathBuf;

use reinstate_tests::process::{expect, reinstate, strike_when};
use runtime::{Clock as _, DrillClaim, SystemClock};
use serde_json::Value;

pub const BINARY: &str = env!("CARGO_BIN_EXE_reinstate-under-test");

const DRILL: &str = r#"schema: drill/v1
name: small
runbook: book.yaml
estate: estate.yaml
sites: sites.csv
objectives: { exceptions: 0 }
alarm_after: 8d
defaults: { timeout: 1m, scope: run }
set_up: { ready: { uses: exec/run@1, with: { command: [SETUP] } } }
clean_up:
  first: { uses: exec/run@1, with: { command: [CLEAN] } }
  second: { uses: exec/run@1, with: { command: [touch, "${{ estate.place }}/cleaned"] } }
"#;

const BOOK: &str = r#"schema: runbook/v1
name: book
targets: { kind: site, attributes: { shard: string } }
defaults: { timeout: 1m }
steps:
  work: { uses: exec/run@1, with: { command: [WORK] } }
"#;

pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A drill whose set-up, run and first clean-up are these commands.
    pub fn new(set_up: &str, work: &str, clean: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        let at = place.folder.path().display();
        place.write(
            "estate.yaml",
            &format!("schema: estate/v1\nname: small\nsandbox: true\nvariables: {{ place: \"{at}\" }}\n"),
        );
        place.write("sites.csv", "id,shard\ns1,a\ns2,a\ns3,b\n");
        place.write("book.yaml", &BOOK.replace("WORK", work));
        place.write("drill.yaml", &DRILL.replace("SETUP", set_up).replace("CLEAN", clean));
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn change(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from));
        self.write(name, &text.replace(from, to));
    }

    fn drill(&self, args: &[&str], code: i32) -> std::process::Output {
        let store = format!("sqlite:{}", self.path("runs.db").display());
        let mut command = reinstate(BINARY);
        command.arg("drill").args(args).arg(self.path("drill.yaml")).args(["--json", "--store", &store]);
        expect(&mut command, code)
    }

    pub fn said(&self, verb: &str, code: i32) -> Value {
        serde_json::from_slice(&self.drill(&[verb], code).stdout).unwrap()
    }

    pub fn said_with(&self, args: &[&str], code: i32) -> Value {
        serde_json::from_slice(&self.drill(args, code).stdout).unwrap()
    }

    fn cleaned(&self) -> bool {
        self.path("cleaned").exists()
    }
}

#[test]
fn a_drill_whose_set_up_fails_is_called_off_and_cleaned_up() {
    let place = Place::new("'false'", "touch, \"${{ estate.place }}/worked\"", "'true'");
    let told = place.said("run", 9);
    assert!(place.cleaned() && !place.path("worked").exists());
    assert!(told["troubles"].to_string().contains("its set-up did not succeed"), "{told:#}");
    assert_eq!((&told["leftovers"], &told["sites"]), (&Value::Array(vec![]), &3.into()), "{told:#}");
}

#[test]
fn a_run_that_fails_is_cleaned_up_after_and_misses_what_was_asked() {
    let place = Place::new("'true'", "'false'", "'true'");
    let told = place.said("run", 9);
    assert!(place.cleaned());
    assert_eq!((&told["objectives"][0]["measured"], &told["objectives"][0]["passed"]), (&3.0.into(), &false.into()));
    assert_eq!((&told["steps"][0]["name"], &told["steps"][0]["failed"]), (&"work".into(), &3.into()), "{told:#}");
}

#[test]
fn a_clean_up_that_fails_is_a_leftover_and_keeps_no_other_from_being_done() {
    let place = Place::new("'true'", "'true'", "'false'");
    let told = place.said("run", 9);
    assert!(place.cleaned());
    assert_eq!((&told["exceptions"], &told["good"]), (&0.into(), &false.into()), "{told:#}");
    assert_eq!(told["leftovers"][0]["unit"], "first/run", "{told:#}");
    assert_eq!(told["troubles"], Value::Array(vec![]), "what was given up was brought to its end: {told:#}");
}

#[test]
fn a_drill_that_waits_for_people_is_called_off() {
    let place = Place::new("'true'", "'true'", "'true'");
    place.change("estate.yaml", "sandbox", "approvers: { leads: [anna] }\nsandbox");
    place.change("book.yaml", "steps:", "steps:\n  asked: { scope: run, approval: { from: [leads], timeout: 1h } }");
    place.change("book.yaml", "  work: { ", "  work: { needs: asked, ");
    let told = place.said("run", 9);
    assert!(place.cleaned());
    assert!(told["troubles"].to_string().contains("waited for people"), "{told:#}");
}

#[test]
fn an_estate_that_is_no_sandbox_is_refused_before_anything_is_done() {
    let place = Place::new("touch, \"${{ estate.place }}/begun\"", "'true'", "'true'");
    place.change("estate.yaml", "sandbox: true\n", "");
    for verb in ["check", "run", "verify"] {
        let mut command = reinstate(BINARY);
        command.args(["drill", verb]).arg(place.path("drill.yaml")).arg("--json").current_dir(place.folder.path());
        let found = expect(&mut command, 2);
        assert!(String::from_utf8_lossy(&found.stdout).contains("RB0914"), "{found:?}");
    }
    assert!(!place.path("begun").exists() && !place.cleaned());
}

#[test]
fn sites_that_another_run_holds_are_not_drilled_and_the_history_says_so() {
    let place = Place::new("'true'", "'true'", "'true'");
    place.change("book.yaml", "steps:", "steps:\n  asked: { scope: run, approval: { from: [leads], timeout: 1h } }");
    place.change("estate.yaml", "sandbox", "approvers: { leads: [anna] }\nsandbox");
    let store = format!("sqlite:{}", place.path("runs.db").display());
    let (book, sites, estate) = (place.path("book.yaml"), place.path("sites.csv"), place.path("estate.yaml"));
    let mut command = reinstate(BINARY);
    command.arg("run").arg(book).arg("--sites").arg(sites).arg("--estate").arg(estate);
    let _ = expect(command.args(["--run", "other", "--yes", "--store", &store]), 5);
    let refused = place.drill(&["run"], 7);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("held by run other"), "{refused:?}");
    let history = place.said("history", 0);
    assert!(history["drills"][0]["troubles"].to_string().contains("held by run other"), "{history:#}");
}

#[test]
fn the_alarm_is_raised_by_the_history_alone() {
    let place = Place::new("'true'", "'true'", "'true'");
    let never = place.said("verify", 9);
    assert_eq!(never[0]["last_good"], Value::Null, "{never:#}");
    let _ = place.said("run", 0);
    let _ = place.said("verify", 0);
    place.change("drill.yaml", "alarm_after: 8d", "alarm_after: 1ms");
    let late = place.said("verify", 9);
    assert!(late[0]["alarm_since"].is_string() && late[0]["last"]["result"] == "good", "{late:#}");
}

#[tokio::test]
async fn a_drill_that_another_process_conducts_is_no_fault_to_verify_and_in_the_way_of_another() {
    let place = Place::new("'true'", "'true'", "'true'");
    let _ = place.said("run", 0);
    let now = SystemClock.now();
    let store = store::open(&format!("sqlite:{}", place.path("runs.db").display())).await.unwrap();
    let (drill, run, runbook_hash) = ("small".to_owned(), "small-now".to_owned(), "abc".to_owned());
    assert!(store.claim_drill(&DrillClaim { drill, slot: now, run, at: now, runbook_hash }).await.unwrap());
    let verified = place.said("verify", 0);
    assert_eq!(verified[0]["last"]["result"], "not ended", "{verified:#}");
    let refused = place.drill(&["run"], 7);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("drill-held"), "{refused:?}");
}

#[test]
fn a_drill_of_another_name_that_was_lost_in_the_sandbox_is_cleaned_up_first() {
    let place = Place::new("'true'", "sleep, '600'", "'true'");
    let (lost, other) = (place.path("drill.yaml"), place.path("other.yaml"));
    let text = std::fs::read_to_string(&lost).unwrap();
    std::fs::write(&other, text.replace("name: small", "name: other").replace("book.yaml", "quick.yaml")).unwrap();
    std::fs::write(place.path("quick.yaml"), BOOK.replace("WORK", "'true'")).unwrap();
    let command = |verb: &str, file: &PathBuf| {
        let mut command = reinstate(BINARY);
        let store = format!("sqlite:{}", place.path("runs.db").display());
        command.args(["drill", verb]).arg(file).args(["--json", "--store", &store]);
        command
    };
    let (_, ended) = strike_when(&mut command("run", &lost), "-KILL", |line| line.contains("\"work/"));
    assert!(!ended && !place.cleaned());
    let _ = expect(&mut command("run", &other), 0);
    let listed: Value = serde_json::from_slice(&expect(&mut command("list", &lost), 0).stdout).unwrap();
    assert_eq!(listed[0]["last"]["result"], "not good", "{listed:#}");
}

#[test]
fn a_changed_runbook_is_no_longer_what_the_last_good_drill_proved() {
    let place = Place::new("'true'", "'true'", "'true'");
    let _ = place.said("run", 0);
    assert_eq!(place.said("history", 0)["readiness"]["unchanged"], true);
    place.change("book.yaml", "steps:", "steps:\n  more: { uses: noop@1 }");
    let ready = &place.said("history", 0)["readiness"];
    assert_eq!((&ready["unchanged"], &ready["never_run"][0]), (&false.into(), &"more".into()), "{ready:#}");
}
