use std::path::PathBuf;

use super::*;
use crate::audit::{AuditLog, Entry};

struct Home(PathBuf);

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn entry(what: serde_json::Value) -> Entry {
    Entry {
        at: "2022-04-05T07:38:00Z".into(),
        who: "mia".into(),
        role: "operator".into(),
        from: "127.0.0.1, token 7".into(),
        action: "POST /api/v1/runs/april/pause".into(),
        what,
        outcome: "ok".into(),
    }
}

fn home(records: u64) -> Home {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).expect("random bits");
    let path = std::env::temp_dir().join(format!("reinstate-audit-{:x}", u64::from_ne_bytes(bytes)));
    std::fs::create_dir_all(&path).expect("a folder");
    let log = AuditLog::of(&path);
    for _ in 0..records {
        log.append(entry(serde_json::json!({ "reason": "look \"here\"\n" }))).expect("written");
    }
    Home(path)
}

fn edited(home: &Home, edit: impl FnOnce(Vec<String>) -> Vec<String>) -> Option<Fault> {
    let path = home.0.join("audit.jsonl");
    let lines = std::fs::read_to_string(&path).expect("the log").lines().map(str::to_owned).collect();
    let lines: String = edit(lines).into_iter().map(|line| line + "\n").collect();
    std::fs::write(&path, lines).expect("our own file");
    verify(&home.0).expect("it can be read").fault
}

#[test]
fn what_was_written_is_whole_and_goes_on_after_a_restart() {
    let home = home(5);
    let entry = crate::audit::read_last(&home.0, 1).expect("read").remove(0).entry;
    let again = AuditLog::of(&home.0).append(entry).expect("written");
    assert_eq!(again.number, 6);
    let verified = verify(&home.0).expect("it can be read");
    assert_eq!((verified.records, verified.fault, verified.head), (6, None, again.hash));
}

#[test]
fn a_changed_record_is_found() {
    let found = edited(&home(5), |mut lines| {
        lines[2] = lines[2].replace("mia", "ben");
        lines
    });
    assert_eq!(found, Some(Fault::Changed { line: 3 }));
}

#[test]
fn a_missing_record_is_found_wherever_it_was() {
    for at in 0..4 {
        let found = edited(&home(5), |mut lines| {
            lines.remove(at);
            lines
        });
        let (line, number) = (at as u64 + 1, at as u64 + 1);
        assert_eq!(found, Some(Fault::OutOfPlace { line, expected: number, found: number + 1 }));
    }
    let last = edited(&home(5), |mut lines| {
        lines.pop();
        lines
    });
    assert_eq!(last, Some(Fault::CutOff { written: 5, found: 4 }));
}

#[test]
fn records_in_another_order_are_found() {
    let found = edited(&home(5), |mut lines| {
        lines.swap(1, 2);
        lines
    });
    assert_eq!(found, Some(Fault::OutOfPlace { line: 2, expected: 2, found: 3 }));
}

#[test]
fn a_chain_that_was_written_anew_is_found_by_its_end() {
    let (one, other) = (home(3), home(2));
    std::fs::copy(other.0.join("audit.jsonl"), one.0.join("audit.jsonl")).expect("our own files");
    let found = verify(&one.0).expect("it can be read").fault;
    assert_eq!(found, Some(Fault::CutOff { written: 3, found: 2 }));
}

#[test]
fn a_line_that_a_crash_tore_was_never_acknowledged_and_is_cut_off() {
    let home = home(3);
    let path = home.0.join("audit.jsonl");
    let mut text = std::fs::read_to_string(&path).expect("the log");
    text.push_str("{\"number\":4,\"bef");
    std::fs::write(&path, text).expect("our own file");
    let entry = crate::audit::read_last(&home.0, 1).expect("read").remove(0).entry;
    assert_eq!(AuditLog::of(&home.0).append(entry).expect("written").number, 4);
    assert_eq!(verify(&home.0).expect("it can be read").fault, None);
}

#[test]
fn a_record_is_never_longer_than_what_finds_the_end_again() {
    let home = home(1);
    let long = "x\n".repeat(200_000);
    let nested = serde_json::json!({ "runbook": { "name": long }, "sites": vec![long.clone(); 40] });
    let mut asked = entry(nested);
    (asked.action, asked.who) = (long.clone(), long);
    let written = AuditLog::of(&home.0).append(asked).expect("written");
    assert!(serde_json::to_string(&written).expect("JSON").len() < 100_000);
    AuditLog::of(&home.0).ready().expect("a daemon starts with it");
    assert_eq!(AuditLog::of(&home.0).append(entry("next".into())).expect("written").number, 3);
    assert_eq!(verify(&home.0).expect("it can be read").fault, None);
}

#[test]
fn a_log_that_ends_with_a_longer_record_of_an_older_release_goes_on() {
    let home = home(2);
    let last = crate::audit::read_last(&home.0, 1).expect("read").remove(0);
    let long = Record::after(3, &last.hash, entry("x".repeat(700_000).into()));
    let path = home.0.join("audit.jsonl");
    let text = std::fs::read_to_string(&path).expect("the log") + &serde_json::to_string(&long).expect("JSON") + "\n";
    std::fs::write(&path, text).expect("our own file");
    assert_eq!(AuditLog::of(&home.0).append(entry("next".into())).expect("written").number, 4);
    assert_eq!(verify(&home.0).expect("it can be read").fault, None);
}

#[test]
fn a_line_torn_within_a_letter_takes_nothing_of_the_line_before_with_it() {
    let home = home(3);
    let path = home.0.join("audit.jsonl");
    let mut bytes = std::fs::read(&path).expect("the log");
    bytes.extend_from_slice(b"{\"who\":\"\xf0\x9f");
    std::fs::write(&path, bytes).expect("our own file");
    assert_eq!(AuditLog::of(&home.0).append(entry("next".into())).expect("written").number, 4);
    assert_eq!(verify(&home.0).expect("it can be read").fault, None);
}
