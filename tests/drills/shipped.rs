//! Chaos drills of the shipped runbooks: each bears it that its attempts are failed, cut off, delivered twice and delayed.

use reinstate_tests::process::{ServedLab, expect, reinstate, shipped};
use serde_json::Value;

use crate::files::BINARY;
use crate::lab;

/// Has a drill file beside a lab take place under chaos, and insists that nothing was found.
fn bears(lab: &ServedLab) -> Value {
    let store = format!("sqlite:{}", lab.beside("runs.db").display());
    let mut command = reinstate(BINARY);
    command.args(["drill", "run", "--chaos", "--seed", "11"]).arg(lab.beside("weekly.yaml"));
    let told: Value = serde_json::from_slice(&expect(command.args(["--json", "--store", &store]), 0).stdout).unwrap();
    let chaos = told["chaos"].clone();
    eprintln!("{chaos:#}");
    assert_eq!(
        (&told["good"], &chaos["findings"], &chaos["compared"]),
        (&true.into(), &Value::Array(vec![]), &true.into())
    );
    let count = |name: &str| chaos[name].as_u64().unwrap();
    assert!(count("failed") > 0 && count("cut") > 0 && count("twice") > 0, "{chaos:#}");
    chaos
}

/// Makes the shipped drill one of another runbook.
fn drill_of(lab: &ServedLab, runbook: &str, change: &[(&str, &str)]) {
    let file = lab.beside("weekly.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let path = |name: &str| shipped(name).canonicalize().unwrap().display().to_string();
    let mut text = text.replacen(&path("restoration-2.yaml"), &path(runbook), 1);
    for (from, to) in change {
        assert!(text.contains(from), "{from} in {text}");
        text = text.replacen(from, to, 1);
    }
    std::fs::write(file, text).unwrap();
}

#[test]
fn restoration_2_bears_it() {
    let lab = lab::lab(6);
    let before = lab.fingerprint();
    let chaos = bears(&lab);
    assert!(chaos["delayed"].as_u64().unwrap() > 0, "{chaos:#}");
    assert!(chaos["answers"].to_string().contains("objects"), "it says how much it copied this time: {chaos:#}");
    assert_eq!(lab.fingerprint().hash, before.hash, "taken back as ever");
}

#[test]
fn a_sandbox_that_could_not_be_looked_at_is_not_as_it_was() {
    let lab = lab::lab(10);
    let file = lab.beside("weekly.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let looks = format!("$({BINARY} lab diff");
    assert!(text.contains(&looks), "{text}");
    std::fs::write(&file, text.replace(&looks, "$(/nowhere/reinstate lab diff")).unwrap();
    let store = format!("sqlite:{}", lab.beside("runs.db").display());
    let mut command = reinstate(BINARY);
    command.args(["drill", "run", "--chaos", "--seed", "11", "--json", "--store", &store]).arg(&file);
    let told: Value = serde_json::from_slice(&expect(&mut command, 9).stdout).unwrap();
    assert!(told["troubles"].to_string().contains("could not be compared"), "{told:#}");
}

#[test]
fn the_smallest_one_bears_it() {
    let lab = lab::lab(7);
    let before = lab.fingerprint();
    // It knows when a site was deleted, and nothing else of it.
    let list = std::fs::read_to_string(lab.dir().join("sites.csv")).unwrap();
    let row = |line: &str| format!("{},{}\n", line.split(',').next().unwrap(), line.rsplit(',').next().unwrap());
    std::fs::write(lab.beside("few.csv"), list.lines().map(row).collect::<String>()).unwrap();
    drill_of(&lab, "minimal.yaml", &[("lab/sites.csv", "few.csv"), ("stratify_by: [region], ", "")]);
    let _ = bears(&lab);
    assert_eq!(lab.fingerprint().hash, before.hash);
}

#[test]
fn retiring_an_app_bears_it() {
    let lab = ServedLab::quiet(BINARY, 30, 0, 2, 8);
    lab::put_drill(&lab);
    let before = lab.fingerprint();
    drill_of(
        &lab,
        "retire-app.yaml",
        &[
            ("sites.csv", "apps.csv"),
            ("restore_point: { random: 1m }\n", ""),
            ("rpo_max: 1h, ", ""),
            ("kind: site, state: deleted", "kind: app, state: active"),
            ("kind: site, state: deleted", "kind: app, state: active"),
            ("deleted:", "in_use:"),
            ("deleted_again:", "in_use_again:"),
        ],
    );
    let _ = bears(&lab);
    assert_eq!(lab.fingerprint().hash, before.hash);
}

#[test]
fn restoration_1_bears_it() {
    let lab = ServedLab::quiet_on(BINARY, (16, 8, 2, 9), "postgres");
    lab::put_drill(&lab);
    drill_of(
        &lab,
        "restoration-1.yaml",
        &[
            ("schedule:", "inputs: { margin: 5s, sign_off: 'false' }\nschedule:"),
            ("restore_point: { random: 1m }\n", ""),
        ],
    );
    let _ = bears(&lab);
}
