//! `watch` on a pseudo-terminal: a person follows a run and steers it, and finds the terminal as it was.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Stdio};

use reinstate_tests::opened::{me, opened_by_anna};
use reinstate_tests::process::{ServedLab, reinstate, shipped};

use crate::place::{BINARY, Place, holds, runbook as small, signal};
use crate::pty::Terminal;
use crate::screens::matches;

/// A run that is driven in the background; ended with the test.
struct Driven(Child);

impl Driven {
    fn resume(folder: &Path, store: &str, name: &str) -> Self {
        let mut command = reinstate(BINARY);
        command.args(["resume", name, "--store", store, "--wait", "10m"]).current_dir(folder);
        Self(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Waits for its end; what it said with its exit code.
    fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.0.wait().unwrap().code(), said)
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The shipped runbook in three batches that people let go, with a sign-off that refuses one site while `fault` is there.
fn guarded_restoration(folder: &Path) -> String {
    let text = std::fs::read_to_string(shipped("restoration-2.yaml")).unwrap();
    let batches =
        "batches:\n  sizes: [1, 10, 10%, rest]\n  max_failures: [0, 0, 2%, 2%]\n  on_exceeded: pause\n  soak: 1s\n";
    let guarded = "batches:\n  sizes: [1, 3, rest]\n  max_failures: [0, 1, 0]\n  \
                   gate: { approval: { from: [leads], timeout: 2h, on_timeout: reject } }\n";
    let last = "      - check_root\n    pool: services\n";
    let signed = "      - check_root\n      - sign_off\n    pool: services\n";
    let folder = folder.display();
    let step = format!(
        "  sign_off:\n    needs: check_root\n    retry: {{ attempts: 1 }}\n    uses: exec/run@1\n    \
         with: {{ command: [sh, -c, \"rm {folder}/fault 2>&- && exit 3; exit 0\"], failure_means: refused, idempotent: true }}\n"
    );
    let before = "  # Only a site that passed is opened.\n";
    for part in [batches, last, before] {
        assert!(text.contains(part), "the shipped runbook has changed: {part}");
    }
    text.replace(batches, guarded).replace(last, signed).replace(before, &format!("{step}{before}"))
}

#[test]
fn a_person_steers_a_restoration_to_its_end_from_the_screen() {
    let lab = ServedLab::damaged(BINARY, 24, 8, 2, 7);
    let folder = lab.beside("").canonicalize().unwrap();
    let store = format!("sqlite:{}", lab.beside("runs.db").display());
    let book = lab.beside("guarded.yaml");
    std::fs::write(&book, guarded_restoration(&folder)).unwrap();
    let estate = lab.dir().join("estate.yaml");
    let text = std::fs::read_to_string(&estate).unwrap();
    let leads = format!("approvers:\n  leads: [anna, {}]\n", me());
    std::fs::write(&estate, text.replace("approvers:\n", &leads)).unwrap();
    opened_by_anna(&store, "april", (&book, &lab.dir().join("sites.csv"), &estate), &[]);

    let mut screen = Terminal::start(&folder, &["watch", "april"], &[("NO_COLOR", "1")], 24, 80);
    screen.shows(&["0 of 8 sites returned", "NOBODY DRIVES IT", "reinstate resume april", "q quit"]);
    let driven = Driven::resume(&folder, &store, "april");
    screen.shows(&[
        "WAITS FOR PEOPLE",
        "APPROVAL",
        "batch-2",
        "1 of 8 sites returned",
        "driven by",
        "batch 1 is settled",
    ]);
    matches(&screen, "gate-80x24", &me());

    // The batch goes, with a fault in it.
    std::fs::write(folder.join("fault"), "").unwrap();
    screen.keys("a");
    screen.shows(&["approve batch-2: 3 sites may start", "reason:"]);
    screen.keys("\r");
    screen.shows(&["reason:", "Enter sends"]);
    screen.keys("canary looks good\r");
    screen.shows(&["ok  approve batch-2: recorded by the process that drives the run"]);
    screen.shows(&["batch-3", "QUARANTINED", "sign_off: [exec", "3 of 8 sites returned"]);
    matches(&screen, "quarantined-80x24", &me());

    screen.keys("p");
    screen.shows(&["pause: nothing new starts, nothing is in flight"]);
    screen.keys("look first\r");
    screen.shows(&["ok  pause: recorded", "PAUSED by", "look first"]);
    screen.keys("pc");
    screen.shows(&["continue: 4 sites go on", "reason:"]);
    // Esc leaves a prompt, and nothing was sent.
    screen.keys("nothing\u{1b}");
    screen.shows(&["left: continue; nothing was sent", "PAUSED"]);
    screen.keys("c");
    screen.shows(&["continue: 4 sites go on"]);
    screen.keys("looked\r");
    screen.shows(&["ok  continue: recorded", "WAITS FOR PEOPLE"]);

    // The second item is the quarantined site.
    screen.keys("r");
    screen.shows(&["select a quarantined site"]);
    screen.keys("\u{1b}[B\r");
    screen.shows(&["[exec.exit] sh ended with 3", "sign_off/", "attempts", "r retry"]);
    screen.keys("r");
    screen.shows(&["1 site runs again where it failed"]);
    screen.keys("the fault is gone\r");
    screen.until("the site to be back", |text| text.contains("4 of 8 sites returned") && !text.contains("QUARANTINED"));
    screen.keys("a");
    screen.shows(&["approve batch-3: 4 sites may start"]);
    screen.keys("go\r");
    screen.shows(&["ended: succeeded", "8 of 8 sites returned (100 %)"]);
    matches(&screen, "ended-80x24", &me());
    screen.keys("q");
    let (code, left) = screen.end();
    assert_eq!(code, 0);
    holds(&left, &["succeeded: 8 of 8 sites returned"]);

    let (code, said) = driven.end();
    assert_eq!(code, Some(0), "{said}");
    let diff = lab.diff();
    assert_eq!((&diff["clean"], &diff["sites_equal"]), (&true.into(), &8.into()), "{diff:#}");
}

/// A run over four sites with a step that can neither be repeated nor probed.
fn in_flight() -> (Place, Child) {
    let place = Place::new();
    let steps = format!("  slow: {}\n  after: {{ needs: slow, uses: noop@1 }}\n", place.gated(""));
    place.write("r.yaml", small("gated", "batches: { sizes: [rest], max_failures: [4] }\n", &steps));
    let mut child = place.start("r.yaml", "r");
    for site in ["s1", "s2", "s3", "s4"] {
        place.await_file(&format!("began-{site}"), &mut child);
    }
    (place, child)
}

const STORE: &str = "sqlite:runs.db";

/// Sends a verb by its key, with a reason.
fn send(screen: &mut Terminal, key: &str, touches: &str) {
    screen.keys(key);
    screen.shows(&[touches, "reason:"]);
    screen.keys("seen in the system itself\r");
    screen.shows(&["ok", "recorded"]);
}

#[test]
fn a_driver_dies_and_whoever_watches_rules_on_what_it_left() {
    let (place, child) = in_flight();
    let first = format!("pid {}", child.id());
    let mut screen = Terminal::start(&place.path(""), &["watch", "r"], &[], 30, 110);
    screen.shows(&["running", "driven by", &first, "4 attempts in flight", "4 under way"]);
    signal(child.id(), "-KILL");
    // A driver that died here is known to be gone at once, not when its lease runs out.
    screen.shows(&["NOBODY DRIVES IT", "reinstate resume r --store sqlite:runs.db"]);
    place.go();
    drop(crate::place::wait(child));
    holds(&place.said(&["status", "r"], 0).out, &["nobody drives it"]);
    let driven = Driven::resume(&place.path(""), STORE, "r");
    let second = format!("pid {}", driven.0.id());
    screen.shows(&["driven by", &second, "IN DOUBT", "slow/s1", "slow/s4", "WAITS FOR PEOPLE", "taken up again"]);
    send(&mut screen, "d", "resolve slow/s1 done: its effect IS THERE; 1 site goes on");
    screen.until("one fewer in doubt", |text| text.contains("waits for people, 1 of 3"));
    send(&mut screen, "n", "resolve slow/s2 not-done: its effect IS NOT THERE; it runs again");
    screen.until("one fewer in doubt", |text| text.contains("waits for people, 1 of 2"));
    send(&mut screen, "g", "resolve slow/s3 give-up: not worth finding out; quarantines 1 site");
    screen.shows(&["QUARANTINED", "given up"]);
    send(&mut screen, "d", "resolve slow/s4 done");
    screen.shows(&["ended: SUCCEEDED WITH EXCEPTIONS", "3 of 4 sites returned (75 %), 1 QUARANTINED"]);
    assert_eq!(driven.end().0, Some(3));
    assert_eq!((place.began("s1"), place.began("s2"), place.began("s3")), (1, 2, 1), "done as ruled, no more");

    // A run that has ended goes on where somebody retries, once it is resumed.
    send(&mut screen, "r", "retry s3: 1 site runs again where it failed");
    screen.shows(&["nobody drives the run: `reinstate resume r --store sqlite:runs.db` goes on", "NOBODY DRIVES IT"]);
    let again = Driven::resume(&place.path(""), STORE, "r");
    let third = format!("pid {}", again.0.id());
    screen.shows(&["IN DOUBT", "slow/s3", "WAITS FOR PEOPLE", "driven by", &third]);
    send(&mut screen, "n", "resolve slow/s3 not-done: its effect IS NOT THERE");
    screen.shows(&["ended: succeeded", "4 of 4 sites returned (100 %)"]);
    assert_eq!(again.end().0, Some(0));
    signal(screen.process(), "-TERM");
    let (code, left) = screen.end();
    assert_eq!(code, 0);
    holds(&left, &["succeeded: 4 of 4 sites returned"]);
}

#[test]
fn refusals_are_shown_and_leaving_stops_nothing() {
    let (place, child) = in_flight();
    let mut screen = Terminal::start(&place.path(""), &["watch", "r"], &[], 24, 80);
    screen.shows(&["running", "4 open"]);
    screen.keys("a");
    screen.shows(&["select an approval to approve it"]);
    screen.keys("?");
    screen.shows(&["approve the selected approval", "leave; the run goes on"]);
    screen.keys("\u{1b}");
    screen.shows(&["slow", "q quit"]);
    screen.keys("p");
    screen.shows(&["pause: nothing new starts, 4 attempts in flight finish; 4 sites stay open"]);
    // Somebody else is first: the run refuses the second, and says so.
    let _ = place.said(&["pause", "r", "--reason", "mine"], 0);
    screen.keys("look\r");
    screen.shows(&["NO", "pause: REFUSED [verb-refused]", "hint:", "PAUSED by"]);
    // What is pasted is part of the reason; control characters do not get in.
    screen.keys("c\u{1b}[200~go\u{1b}[31m on\u{1b}[201~\r");
    screen.shows(&["ok", "continue: recorded", "running"]);
    // Pages, sizes, and a screen that is too small for all.
    screen.keys("\t");
    screen.shows(&["taken back", "retries", "typical"]);
    screen.resize(5, 20);
    screen.shows(&["running", "0/4 returned", "0 out, 4 open", "needs 60x16; q quits"]);
    screen.resize(40, 120);
    screen.shows(&["typical", "4 under way"]);
    screen.keys("\u{3}");
    assert_eq!(screen.end().0, 0);
    place.go();
    let said = crate::place::wait(child);
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    holds(&place.said(&["logs", "r"], 0).out, &["continued", "go [31m on"]);
}

#[test]
fn without_a_terminal_or_a_run_the_way_out_is_named() {
    let place = Place::new();
    place.write("r.yaml", small("r", "", "  work: { uses: noop@1 }\n"));
    let _ = place.run("r.yaml", "r", 0);
    for more in [&[][..], &["--json"]] {
        let said = place.said(&[&["watch", "r"], more].concat(), 2);
        holds(&said.err, &["watch-terminal", "reinstate status r", "reinstate logs r"]);
        assert_eq!(said.out, "");
    }
    let screen = Terminal::start(&place.path(""), &["watch", "nope"], &[], 24, 80);
    let (code, left) = screen.end();
    assert_eq!(code, 2);
    holds(&left, &["error[journal-no-such-run]", "nope", "hint:"]);
    let mut screen = Terminal::start(&place.path(""), &["watch", "r"], &[], 5, 20);
    screen.shows(&["ended: succeeded", "4/4 returned"]);
    screen.keys("q");
    assert_eq!(screen.end().0, 0);
}

#[test]
fn a_store_that_loses_the_run_ends_the_watch_and_gives_the_terminal_back() {
    let place = Place::new();
    place.write("r.yaml", small("r", "", "  work: { uses: noop@1 }\n"));
    let _ = place.run("r.yaml", "r", 0);
    let screen = Terminal::start(&place.path(""), &["watch", "r"], &[], 24, 80);
    screen.shows(&["ended: succeeded", "4 of 4 sites returned"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use sqlx::Connection as _;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path("runs.db")).foreign_keys(false);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query("DELETE FROM runs").execute(&mut connection).await.unwrap();
    });
    let (code, left) = screen.end();
    assert_eq!(code, 2, "{left}");
    holds(&left, &["error[journal-no-such-run]", "hint:"]);
}
