//! One store of one site is brought back to another point than the rest, as the databases of 57 customers were in 2022.

use reinstate_tests::process::{ServedLab, expect, reinstate, shipped};
use serde_json::Value;

use crate::place::{BINARY, holds};

#[test]
fn a_store_that_lies_at_another_point_is_named_with_its_site() {
    let lab = ServedLab::damaged(BINARY, 30, 12, 2, 11);
    let list = std::fs::read_to_string(lab.dir().join("sites.csv")).unwrap();
    let id = list.lines().nth(4).unwrap().split(',').next().unwrap().to_owned();
    // A mistake of the kind that nobody sees: for one site one step asks for another time, and everything succeeds.
    let book = std::fs::read_to_string(shipped("restoration-2.yaml")).unwrap();
    let (before, flags) = book.split_at(book.find("\n  flags:\n").unwrap());
    let wrong = format!("\"${{{{ '2022-04-05T06:40:00.000Z' if site.id == '{id}' else site.restore_point }}}}\"");
    let flags = flags.replacen("\"${{ site.restore_point }}\"", &wrong, 1);
    let file = lab.beside("book.yaml");
    std::fs::write(&file, format!("{before}{flags}")).unwrap();
    let store = format!("sqlite:{}", lab.beside("runs.db").display());
    let mut run = reinstate(BINARY);
    run.arg("run").args(lab.planned(&file)).args(["--run", "r", "--yes", "--store", &store]);
    // Every step succeeded; the exit code and the last line say that it is not all well.
    let said = String::from_utf8(expect(&mut run, 3).stdout).unwrap();
    holds(&said, &["12 of 12 sites returned", "1 site with stores that DISAGREE", "next: reinstate report"]);
    let report = |more: &[&str]| {
        let mut command = reinstate(BINARY);
        let output = expect(command.args(["report", "r", "--store", &store]).args(more), 0);
        String::from_utf8(output.stdout).unwrap()
    };
    let json: Value = serde_json::from_str(&report(&["--json"])).unwrap();
    let audit = &json["audit"];
    assert_eq!(
        (&audit["sites"], &audit["agreeing"], &audit["differing"]),
        (&12.into(), &11.into(), &1.into()),
        "{audit:#}"
    );
    assert!(audit["stores"].as_array().unwrap().iter().all(|store| store["silent"] == false), "{audit:#}");
    let shard = audit["stores"].as_array().unwrap().iter().find(|store| store["step"] == "recover").unwrap();
    assert!(shard["evidence"].as_str().unwrap().contains("transactions after the base of"), "{shard}");
    let [site] = audit["differences"].as_array().unwrap().as_slice() else { panic!("{audit:#}") };
    assert_eq!(site["site"], id.as_str());
    let of = |verdict: &str| -> Vec<(&str, &str)> {
        let all = site["stores"].as_array().unwrap().iter().filter(|store| store["verdict"] == verdict);
        all.map(|store| (store["store"].as_str().unwrap(), store["reached"].as_str().unwrap())).collect()
    };
    assert_eq!(of("elsewhere"), [("flags", "2022-04-05T06:40:00.000Z")]);
    let agree: Vec<&str> = of("agrees").into_iter().map(|(store, _)| store).collect();
    for store in ["catalogue", "commerce", "metadata", "region", "identity", "media", "events", "edge"] {
        assert!(agree.contains(&store), "{store} not in {agree:?}");
    }
    assert!(agree.iter().any(|store| store.starts_with("shard-0")), "{agree:?}");
    let [exception] = json["exceptions"].as_array().unwrap().as_slice() else { panic!("{json:#}") };
    assert_eq!((&exception["site"], &exception["code"]), (&id.as_str().into(), &"restore_point.elsewhere".into()));
    assert_eq!((&exception["step"], &json["verdict"]), (&"check_flags".into(), &"succeeded_with_exceptions".into()));
    holds(&report(&[]), &[&id, "flags stands at 2022-04-05T06:40:00.000Z", "Restore points", "11 proved to stand"]);
    let page = report(&["--format", "html"]);
    holds(&page, &[&id, "Sites whose stores disagree (1)"]);
}
