//! A better order of the work: searched for, kept as a file, run as such, and refused once anything has changed.

use crate::place::{Place, Said, holds, runbook};

/// Site by site is the wrong order here: the last two sites have the long way.
const STEPS: &str = "  copy: { uses: noop@1, pool: api, expect: 10m }\n  index: { needs: copy, if: \"site.shard == 'b'\", \
                     uses: noop@1, expect: 1h }\n";
const POOLS: &str = "pools: { api: { slots: 1 } }\n";
const PLANNED: [&str; 5] = ["r.yaml", "--sites", "sites.csv", "--estate", "estate.yaml"];
const SEARCH: [&str; 4] = ["--optimise", "600", "--schedules", "200"];

fn place() -> Place {
    let place = Place::new();
    place.write("r.yaml", runbook("ordered", POOLS, STEPS));
    place
}

fn plan(place: &Place, more: &[&str]) -> Said {
    place.said(&[&["plan"], &PLANNED[..], more].concat(), 0)
}

fn hash(place: &Place, more: &[&str]) -> String {
    plan(place, &[more, &["--json"]].concat()).json()["hash"].as_str().unwrap().to_owned()
}

fn run(place: &Place, name: &str, more: &[&str], code: i32) -> Said {
    place.said(&[&["run"], &PLANNED[..], &["--run", name], more].concat(), code)
}

/// Sites in the order in which the journal has a step start for them.
fn started(place: &Place, run: &str, step: &str) -> Vec<String> {
    let logs = place.said(&["logs", run, "--step", step, "--json"], 0).out;
    let events = logs.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let starts = events.filter(|event| event["event"] == "started");
    starts.map(|event| event["subject"].as_str().unwrap().split_once('/').unwrap().1.to_owned()).collect()
}

#[test]
fn an_order_that_was_found_is_shown_kept_and_run() {
    let place = place();
    let before = plan(&place, &["--json"]).json();
    assert!(before["order"].is_null(), "{before}");
    let save = [&SEARCH[..], &["--output", "plan.bin"]].concat();
    let found = plan(&place, &[&save[..], &["--json"]].concat()).json();
    assert_eq!(found["order"]["kept"], true, "{found}");
    assert_eq!(found["order"]["own_s"], 100.0 * 60.0);
    assert_eq!(found["order"]["found_s"], 80.0 * 60.0);
    assert_eq!(before["forecast"]["makespan_s"], found["order"]["own_s"]);
    assert_eq!(found["forecast"]["makespan_s"], found["order"]["found_s"]);
    assert!(found["order"]["lower_bound_s"].as_f64() <= found["order"]["found_s"].as_f64(), "{found}");
    assert!(found["order"]["schedules"].as_u64() > Some(0), "{found}");
    assert_ne!(before["hash"], found["hash"]);
    let wanted = found["hash"].as_str().unwrap();
    let text = plan(&place, &save).out;
    holds(&text, &["order ", "1 h 20 min instead of 1 h 40 min", "20.0 % less", "at best ", "half is back ", wanted]);
    holds(&text, &[&format!("--plan-file plan.bin --plan {}", &wanted[..16])]);
    holds(&plan(&place, &SEARCH).out, &["--output FILE"]);

    let ran = run(&place, "found", &["--plan-file", "plan.bin", "--plan", wanted], 0);
    holds(&ran.out, &["run found succeeded: 4 of 4 sites returned"]);
    let order = started(&place, "found", "copy");
    assert_eq!(order.len(), 4);
    assert!(order[..2].iter().all(|site| ["s3", "s4"].contains(&site.as_str())), "{order:?}");
    let _ = run(&place, "own", &["--yes"], 0);
    assert_eq!(started(&place, "own", "copy"), ["s1", "s2", "s3", "s4"]);
}

#[test]
fn the_same_search_says_the_same() {
    let place = place();
    place.write(
        "r.yaml",
        runbook("ordered", POOLS, &STEPS.replace("expect: 10m", "expect: [5m, 15m]").replace("1h", "[30m, 90m]")),
    );
    let simulate = ["simulate", "r.yaml", "--sites", "sites.csv", "--seed", "5"];
    for form in [&[][..], &["--json"]] {
        let said = || place.said(&[&simulate[..], &SEARCH, form].concat(), 0).out;
        assert_eq!(said(), said());
        let planned = || plan(&place, &[&SEARCH[..], form].concat()).out;
        assert_eq!(planned(), planned());
    }
    let plain = place.said(&[&simulate[..], &["--json"]].concat(), 0).json();
    assert!(plain.get("order").is_none(), "{plain}");
    let ordered = place.said(&[&simulate[..], &SEARCH, &["--json"]].concat(), 0).json();
    assert_eq!(ordered["order"]["kept"], true, "{ordered}");
    assert!(ordered["makespan_s"].as_f64() < plain["makespan_s"].as_f64());
    holds(&place.said(&[&simulate[..], &SEARCH].concat(), 0).out, &["makespan", "order         found:", "% less"]);
}

#[test]
fn where_nothing_is_gained_the_plan_stays_as_it_is() {
    let place = place();
    place.write("r.yaml", runbook("even", POOLS, "  copy: { uses: noop@1, pool: api, expect: [1m, 9m] }\n"));
    assert_eq!(hash(&place, &[]), hash(&place, &SEARCH));
    let text = plan(&place, &SEARCH).out;
    holds(&text, &["order         the engine's own", "no gain beyond chance", "run it with   --plan "]);
    let json = plan(&place, &[&SEARCH[..], &["--json"]].concat()).json();
    assert_eq!(json["order"]["kept"], false, "{json}");
}

#[test]
fn without_any_times_there_is_nothing_to_search_by() {
    let place = place();
    place.write("r.yaml", runbook("blind", POOLS, "  copy: { uses: noop@1, pool: api }\n"));
    let refused = place.said(&[&["plan"], &PLANNED[..], &SEARCH].concat(), 2);
    holds(&refused.err, &["error[plan-unordered]", "`expect`", "--from-run"]);
    let simulate = ["simulate", "r.yaml", "--sites", "sites.csv"];
    holds(&place.said(&[&simulate[..], &SEARCH].concat(), 2).err, &["error[plan-unordered]"]);
}

#[test]
fn an_earlier_run_gives_the_times_of_a_search() {
    let place = place();
    let _ = run(&place, "before", &["--yes"], 0);
    let json = plan(&place, &[&SEARCH[..], &["--from-run", "before", "--json"]].concat()).json();
    assert!(json["order"]["own_s"].as_f64() < Some(60.0), "`noop` takes no minutes: {json}");
    holds(&json["forecast"]["assumptions"].to_string(), &["times of 2 of 2 steps as measured in before"]);
}

#[test]
fn a_kept_plan_is_refused_once_anything_has_changed() {
    let place = place();
    let wanted = hash(&place, &[&SEARCH[..], &["--output", "plan.bin"]].concat());
    let refused = |more: &[&str], wanted: &[&str]| {
        let said = run(&place, "refused", &[&["--plan-file", "plan.bin"], more].concat(), 2);
        holds(&said.err, wanted);
        holds(&said.err, &["hint:"]);
    };
    refused(&[], &["error[plan-not-agreed]", &wanted[..16]]);
    refused(&["--plan", "deadbeefdeadbeef"], &["error[plan-changed]", "plan.bin", &wanted]);
    let agreed = ["--plan", wanted.as_str()];
    let changed = |name: &str, text: &str, what: &str| {
        let before = std::fs::read(place.path(name)).unwrap();
        place.write(name, text);
        refused(&agreed, &["error[plan-changed]", what]);
        refused(&["--yes"], &["error[plan-changed]", what]);
        place.write(name, before);
    };
    changed("r.yaml", &runbook("ordered", POOLS, &STEPS.replace("1h", "2h")), "the runbook changed");
    changed("r.yaml", &runbook("ordered", POOLS, &STEPS.replace("needs: copy, ", "")), "the runbook changed");
    changed("sites.csv", &format!("{}s5,b\n", crate::place::SITES), "the site list");
    changed("sites.csv", "id,shard\ns1,b\ns2,a\ns3,b\ns4,b\n", "the site list");
    changed("estate.yaml", &format!("{}variables: {{ a: 1 }}\n", crate::place::ESTATE), "the estate changed");
    refused(&["--plan", &wanted, "--exclude", "s1=later"], &["error[plan-changed]", "what is excluded"]);
    // Without its file the plan cannot be made again.
    holds(&run(&place, "refused", &agreed, 2).err, &["error[plan-changed]", "--plan-file"]);
    assert_eq!(place.said(&["runs", "--json"], 0).json(), serde_json::json!([]), "nothing was recorded");
    let _ = run(&place, "agreed", &["--plan-file", "plan.bin", "--plan", &wanted[..16]], 0);
}

#[test]
fn a_list_that_is_to_be_confirmed_is_of_the_estate() {
    let place = place();
    let estate = |item: &str| {
        let approval = format!("approval: {{ from: [leads], timeout: 1h, checklist: [{item}] }}");
        let guard = format!("guard: {{ sites: 1, {approval} }}\napprovers: {{ leads: [anna] }}\n");
        place.write("estate.yaml", format!("{}{guard}", crate::place::ESTATE));
    };
    estate("Read the plan");
    let wanted = hash(&place, &["--output", "plan.bin"]);
    estate("Tell support");
    let refused = run(&place, "refused", &["--plan-file", "plan.bin", "--plan", &wanted], 2);
    holds(&refused.err, &["error[plan-changed]", "the estate changed"]);
}

#[test]
fn files_that_are_no_plans_are_refused_whatever_they_hold() {
    let place = place();
    let wanted = hash(&place, &[&SEARCH[..], &["--output", "plan.bin"]].concat());
    let whole = std::fs::read(place.path("plan.bin")).unwrap();
    let refused = |bytes: &[u8]| {
        place.write("bad.bin", bytes);
        let said = run(&place, "bad", &["--plan-file", "bad.bin", "--plan", &wanted], 2);
        assert!(["error[plan-file]", "error[plan-changed]"].iter().any(|code| said.err.contains(code)), "{said:?}");
    };
    for bytes in [&b""[..], b"\x00", b"\x63\x00\x00", &[0xff; 300], b"schema: runbook/v1\n"] {
        refused(bytes);
    }
    for len in (0..whole.len()).step_by(whole.len() / 7 + 1) {
        refused(&whole[..len]);
    }
    for at in (0..whole.len()).step_by(whole.len() / 23 + 1).chain(whole.len() - 5..whole.len()) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x81;
        refused(&flipped);
    }
    refused(&[&whole[..], b"more"].concat());
    let folder = run(&place, "bad", &["--plan-file", ".", "--plan", &wanted], 2);
    holds(&folder.err, &["error[file-unreadable]", "hint:"]);
    let missing = run(&place, "bad", &["--plan-file", "none.bin", "--yes"], 2);
    holds(&missing.err, &["error[file-unreadable]", "none.bin"]);
    let nowhere = place.said(&[&["plan"], &PLANNED[..], &["--output", "no/such/folder"]].concat(), 2);
    holds(&nowhere.err, &["error[file-unwritable]"]);
    for wrong in [&["--optimise", "0"][..], &["--optimise", "soon"], &["--schedules", "5"]] {
        assert_ne!(place.said(&[&["plan"], &PLANNED[..], wrong].concat(), 2).err, "");
    }
}
