//! The shipped drill in a lab: whatever becomes of it, the sandbox is afterwards as it was before.

use std::process::Command;

use reinstate_tests::process::{ServedLab, expect, reinstate, shipped, strike, strike_when};
use reinstate_tests::random::Random;
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_reinstate-under-test");

/// A quiet lab with the shipped drill beside it.
pub fn lab(seed: u64) -> ServedLab {
    let lab = ServedLab::quiet(BINARY, 32, 16, 2, seed);
    put_drill(&lab);
    lab
}

/// Puts the shipped drill beside a lab, over fewer sites.
pub fn put_drill(lab: &ServedLab) {
    let text = std::fs::read_to_string(shipped("drills/weekly.yaml")).unwrap();
    let runbook = shipped("restoration-2.yaml").canonicalize().unwrap();
    let text = text.replace("../restoration-2.yaml", &runbook.display().to_string()).replace("count: 12", "count: 6");
    std::fs::write(lab.beside("weekly.yaml"), text.replace("$(reinstate ", &format!("$({BINARY} "))).unwrap();
}

fn drill(lab: &ServedLab, verb: &str) -> Command {
    let mut command = reinstate(BINARY);
    let store = format!("sqlite:{}", lab.beside("runs.db").display());
    command.args(["drill", verb]).arg(lab.beside("weekly.yaml")).args(["--json", "--store", &store]);
    command
}

fn said(command: &mut Command, code: i32) -> Value {
    serde_json::from_slice(&expect(command, code).stdout).unwrap()
}

#[test]
fn the_shipped_drill_is_good_twice_and_leaves_the_sandbox_as_it_was() {
    let lab = lab(3);
    let before = lab.fingerprint();
    assert_eq!(said(&mut drill(&lab, "verify"), 9)[0]["last_good"], Value::Null, "none has passed");
    let junit = lab.beside("drill.xml");
    let first = said(drill(&lab, "run").args(["--seed", "11", "--junit"]).arg(&junit), 0);
    assert_eq!((&first["good"], &first["sites"], &first["listed"]), (&true.into(), &6.into(), &16.into()), "{first:#}");
    assert!(first["steps"].as_array().unwrap().iter().all(|step| step["attempts"].as_u64() > Some(0)), "{first:#}");
    assert_eq!(lab.fingerprint().hash, before.hash);
    let xml = std::fs::read_to_string(junit).unwrap();
    assert!(xml.contains("tests=\"6\" failures=\"0\"") && xml.contains("name=\"rto_p95\"/>"), "{xml}");

    let second = said(drill(&lab, "run").args(["--seed", "11"]), 0);
    assert_eq!((&second["earlier_s"], &second["against"]), (&first["earlier_s"], &first["slot"]), "{second:#}");
    assert_eq!(lab.fingerprint().hash, before.hash);

    let listed = said(&mut drill(&lab, "list"), 0);
    assert_eq!((&listed[0]["last"]["result"], &listed[0]["alarm_since"]), (&"good".into(), &Value::Null), "{listed:#}");
    assert!(listed[0]["next"].as_str().unwrap() > second["ended"].as_str().unwrap());
    let _ = said(&mut drill(&lab, "verify"), 0);
    let history = said(&mut drill(&lab, "history"), 0);
    assert_eq!(history["trend"]["good"], 2, "{history:#}");
    let ready = &history["readiness"];
    assert_eq!((&ready["never_run"], &ready["unchanged"]), (&Value::Array(vec![]), &true.into()), "{ready:#}");
    assert_eq!(ready["never_undone"], Value::Array(vec![]), "what is taken back proves the undo steps too");
}

#[test]
fn a_drill_killed_anywhere_is_cleaned_up_by_the_next_call() {
    let (lab, seed) = (lab(4), 17);
    let before = lab.fingerprint();
    let mut random = Random::new(seed);
    let mut struck = 0;
    // Set-up, run, taking back and clean-up are some 1,200 events for six sites.
    for strike_after in [5, 40, 150, random.between(200, 500), random.between(500, 800), random.between(800, 1_150)] {
        let (status, ended) = strike(&mut drill(&lab, "run"), strike_after, "-KILL");
        eprintln!("seed {seed}: killed after {strike_after} events: {status}, ended {ended}");
        if ended {
            continue;
        }
        struck += 1;
        let listed = said(&mut drill(&lab, "list"), 0);
        assert_eq!(listed[0]["last"]["result"], "not ended", "{listed:#}");
        // No drill may have passed yet; one that was killed after its run has ended is judged as if nothing had been.
        let verified = drill(&lab, "verify").output().unwrap();
        assert!([Some(0), Some(9)].contains(&verified.status.code()), "{verified:?}");
        assert_eq!(lab.fingerprint().hash, before.hash, "killed after {strike_after} events");
        let listed = said(&mut drill(&lab, "list"), 0);
        assert_ne!(listed[0]["last"]["result"], "not ended", "{listed:#}");
    }
    assert!(struck >= 3, "only {struck} strikes met a running drill");
    // Sites are free again, and so is the drill.
    let good = said(&mut drill(&lab, "run"), 0);
    assert_eq!(good["good"], true, "{good:#}");
    assert_eq!(lab.fingerprint().hash, before.hash);
}

#[test]
fn a_drill_that_is_told_to_stop_cleans_up_before_it_goes() {
    let lab = lab(5);
    let before = lab.fingerprint();
    // A record of the runbook's own: the set-up is over then.
    let (status, ended) = strike_when(&mut drill(&lab, "run"), "-TERM", |line| line.contains("permissions/"));
    assert_eq!((status.code(), ended), (Some(6), false));
    assert_eq!(lab.fingerprint().hash, before.hash);
    let history = said(&mut drill(&lab, "history"), 0);
    let told = &history["drills"][0];
    assert_eq!((&told["good"], &told["leftovers"]), (&false.into(), &Value::Array(vec![])), "{told:#}");
    assert!(told["troubles"].to_string().contains("it was stopped"), "{told:#}");
}
