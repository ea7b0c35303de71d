//! `simulate` as it is typed, and the numbers of `runbooks/README.md`.

use std::path::Path;
use std::process::Command;

use crate::place::{self, BINARY, Place, Said, holds, runbook};

const TABLE: &str = include_str!("../../runbooks/README.md");
const HOUR: f64 = 3_600.0;
const DAY: f64 = 24.0 * HOUR;

/// A row of the table: how long it takes, in seconds, and the command.
fn rows() -> Vec<(f64, String)> {
    TABLE
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
            let [_, time, command] = cells[..] else { return None };
            Some((seconds(time)?, command.strip_prefix('`')?.strip_suffix('`')?.to_owned()))
        })
        .collect()
}

/// Reads `4 d 4 h` or `17 d`.
fn seconds(text: &str) -> Option<f64> {
    let words: Vec<&str> = text.split(' ').collect();
    let mut sum = 0.0;
    for pair in words.chunks(2) {
        let [number, unit] = pair else { return None };
        sum += number.parse::<f64>().ok()? * if *unit == "d" { DAY } else { HOUR };
    }
    Some(sum)
}

/// Runs a command line as typed, in the root of the repository; `/tmp/` is a folder of its own.
fn typed(line: &str, scratch: &Path) -> Said {
    let bin = scratch.join("bin");
    if !bin.exists() {
        std::fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(BINARY, bin.join("reinstate")).unwrap();
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let line = line.replace("/tmp/", &format!("{}/", scratch.display()));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    place::expect(Command::new("sh").args(["-c", &line]).env("PATH", path).current_dir(root), 0)
}

#[test]
fn what_the_readme_says_of_the_fourteen_days_is_what_its_commands_print() {
    let scratch = tempfile::tempdir().unwrap();
    let rows = rows();
    assert_eq!(rows.len(), 10);
    for (said, line) in rows {
        let out = typed(&line, scratch.path()).out;
        let makespan = out.lines().find_map(|line| line.strip_prefix("makespan ")).expect("a makespan");
        let printed = makespan.split(" (").next().map(str::trim).and_then(seconds).expect("days and hours");
        // An hour is what rounding down to hours may hide.
        assert!((printed - said).abs() <= said * 0.03 + HOUR, "{line}: {makespan}, the README says {}", said / DAY);
    }
}

#[test]
fn the_models_of_the_two_restorations_give_what_is_known_of_them() {
    let scratch = tempfile::tempdir().unwrap();
    let of = |number: u8| {
        let files = "--sites runbooks/history/sites.csv --seeds 3 --json";
        typed(&format!("reinstate simulate runbooks/history/restoration-{number}.yaml {files}"), scratch.path()).json()
    };
    let within = |value: &serde_json::Value, low: f64, high: f64| {
        let value = value.as_f64().expect("a number");
        assert!((low..=high).contains(&value), "{value} is not within {low} to {high}");
    };
    // About 48 h per batch, three weeks for all.
    let first = of(1);
    within(&first["makespan_s"], 19.0 * DAY, 22.0 * DAY);
    for batch in first["batches"].as_array().unwrap() {
        let took = batch["settles_s"].as_f64().unwrap() - batch["opens_s"].as_f64().unwrap();
        within(&took.into(), 45.0 * HOUR, 51.0 * HOUR);
    }
    // About 12 h per site, 14 to 17 April.
    let second = of(2);
    within(&second["makespan_s"], 3.5 * DAY, 4.5 * DAY);
    within(&second["site_s"]["p50"], 11.0 * HOUR, 13.0 * HOUR);
    for forecast in [&first, &second] {
        assert_eq!(forecast["sites"], 883);
        assert_eq!(forecast["sites_returned"].as_array().unwrap().last().unwrap()["sites"], 883);
        assert!(forecast["lower_bound_s"].as_f64() <= forecast["makespan_s"].as_f64());
    }
}

const STEPS: &str = "  first: { uses: noop@1, pool: api, expect: [1m, 3m] }\n  second: { needs: first, uses: noop@1, \
                     pool: api, expect: 2m }\n";

fn place() -> Place {
    let place = Place::new();
    place.write("r.yaml", runbook("small", "pools: { api: { slots: 1 } }\n", STEPS));
    place
}

#[test]
fn the_same_seed_prints_the_same_bytes() {
    let place = place();
    let said = |more: &[&str]| place.said(&[&["simulate", "r.yaml", "--sites", "sites.csv"], more].concat(), 0).out;
    for form in [&["--seed", "7"][..], &["--seed", "7", "--json"]] {
        assert_eq!(said(form), said(form));
        assert_ne!(said(form), said(&[&["--seeds", "4"], form].concat()));
    }
    assert_ne!(said(&["--seed", "7"]), said(&["--seed", "8"]));
    let text = said(&[]);
    holds(
        &text,
        &["small: 4 sites, 8 units", "makespan", "bottleneck    pool api", "critical path", "no attempt fails"],
    );
    holds(&text, &["pool api with 2 slots instead of 1 would save"]);
}

#[test]
fn a_larger_pool_and_other_batches_change_the_forecast_as_they_would_the_run() {
    let place = place();
    let forecast = |more: &[&str]| {
        let args = [&["simulate", "r.yaml", "--sites", "sites.csv", "--seeds", "1", "--json"], more].concat();
        place.said(&args, 0).json()
    };
    let makespan = |forecast: &serde_json::Value| forecast["makespan_s"].as_f64().unwrap();
    let plain = forecast(&[]);
    // One slot: all work one after another, which is also the bound.
    assert_eq!(plain["makespan_s"], plain["lower_bound_s"]);
    assert!((12.0 * 60.0..=20.0 * 60.0).contains(&makespan(&plain)), "{plain}");
    assert_eq!(plain["bottleneck"]["pool"], "api");
    let wide = forecast(&["--pool", "api=8"]);
    assert!(makespan(&wide) <= 5.0 * 60.0 && wide["bottleneck"].is_null(), "{wide}");
    let saved = plain["bottleneck"]["saves_s"].as_f64().unwrap();
    assert!((makespan(&plain) - makespan(&forecast(&["--pool", "api=2"])) - saved).abs() < 1e-6, "{plain}");
    let single = forecast(&["--pool", "api=8", "--batches", "1,1,rest"]);
    assert_eq!(single["batches"].as_array().unwrap().len(), 3);
    assert!(makespan(&single) > makespan(&wide) * 2.0, "{single}");
}

#[test]
fn an_earlier_run_gives_the_times() {
    let place = place();
    let _ = place.run("r.yaml", "before", 0);
    let simulate = ["simulate", "r.yaml", "--sites", "sites.csv", "--json"];
    let measured = place.said(&[&simulate[..], &["--from-run", "before"]].concat(), 0).json();
    // `noop` takes no minutes.
    assert!(measured["makespan_s"].as_f64().unwrap() < 60.0, "{measured}");
    holds(&measured["assumptions"].to_string(), &["times of 2 of 2 steps as measured in before"]);
    // A step that the earlier run did not have goes by its `expect`.
    place.write(
        "r.yaml",
        runbook(
            "small",
            "pools: { api: { slots: 1 } }\n",
            &format!("{STEPS}  third: {{ needs: second, uses: noop@1, expect: 5m }}\n"),
        ),
    );
    let grown = place.said(&[&simulate[..], &["--from-run", "before"]].concat(), 0).json();
    assert!((300.0..360.0).contains(&grown["makespan_s"].as_f64().unwrap()), "{grown}");
    holds(&grown["assumptions"].to_string(), &["times of 2 of 3 steps as measured in before"]);
    let unknown = place.said(&[&simulate[..], &["--from-run", "nobody"]].concat(), 2);
    holds(&unknown.err, &["nobody"]);
}

#[test]
fn what_cannot_be_simulated_says_what_to_give() {
    let place = place();
    let wrong = |more: &[&str], wanted: &[&str]| {
        let args = [&["simulate", "r.yaml", "--sites", "sites.csv"], more].concat();
        holds(&place.said(&args, 2).err, wanted);
    };
    wrong(&["--pool", "apj=2"], &["simulate-pool", "no pool `apj`", "its pools: api"]);
    wrong(&["--pool", "api=0"], &["simulate-pool", "--pool NAME=N"]);
    wrong(&["--batches", "rest,1"], &["simulate-batches", "`rest` is not the last size"]);
    wrong(&["--batches", "1,0"], &["simulate-batches", "a batch of no sites"]);
    wrong(&["--seeds", "0"], &["--seeds"]);
    place.write(
        "r.yaml",
        runbook("reads", "", "  a: { uses: noop@1, with: { outputs: { x: \"${{ estate.missing }}\" } } }\n"),
    );
    wrong(&[], &["missing", "--estate FILE"]);
}

#[test]
fn a_plan_shows_its_forecast_or_says_why_there_is_none() {
    let place = place();
    let plan = ["plan", "r.yaml", "--sites", "sites.csv", "--estate", "estate.yaml"];
    holds(&place.said(&plan, 0).out, &["makespan ", "lower bound ", "longest path  first > second", "assumed "]);
    let json = place.said(&[&plan[..], &["--json"]].concat(), 0).json();
    assert!(json["forecast"]["makespan_s"].as_f64() >= json["forecast"]["lower_bound_s"].as_f64());
    place.write("r.yaml", runbook("blind", "", "  a: { uses: noop@1 }\n"));
    holds(&place.said(&plan, 0).out, &["forecast      none: no step says how long it takes"]);
    assert!(place.said(&[&plan[..], &["--json"]].concat(), 0).json()["forecast"].is_null());
}
