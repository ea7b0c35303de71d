//! Writing runbooks: `init`, `schema`, `check`, `graph`.

use crate::place::{Place, fed, holds, runbook};
use reinstate_tests::process::shipped;

#[test]
fn what_init_writes_is_clean_and_never_overwrites() {
    let place = Place::new();
    holds(&place.said(&["init", "restore.yaml"], 0).out, &["restore.yaml", "reinstate check"]);
    let written = std::fs::read_to_string(place.path("restore.yaml")).unwrap();
    holds(&written, &["yaml-language-server: $schema=", "schema: runbook/v1"]);
    let checked = place.said(&["check", "restore.yaml"], 0);
    holds(&checked.out, &["no errors"]);
    assert_eq!(checked.err, "", "nothing at all to say");
    let schema = std::fs::read_to_string(place.path("runbook-v1.schema.json")).unwrap();
    assert_eq!(schema.trim(), place.said(&["schema"], 0).out.trim());
    holds(&place.said(&["init", "restore.yaml"], 2).err, &["restore.yaml", "hint:"]);
    assert_eq!(written, std::fs::read_to_string(place.path("restore.yaml")).unwrap());
    holds(&place.said(&["init", "no/folder/r.yaml"], 2).err, &["no/folder/r.yaml", "hint:"]);
    let _ = place.said(&["graph", "restore.yaml"], 0);
}

#[test]
fn the_schema_is_a_schema_that_knows_the_language() {
    let schema = Place::new().said(&["schema"], 0).json();
    assert!(schema["$schema"].is_string(), "{schema}");
    let properties = schema["properties"].as_object().unwrap();
    for key in ["schema", "name", "targets", "pools", "batches", "defaults", "steps", "restore_point", "objectives"] {
        assert!(properties.contains_key(key), "{key}");
    }
}

#[test]
fn an_estate_has_a_schema_and_its_own_actions() {
    let place = Place::new();
    let schema = place.said(&["schema", "estate"], 0).json();
    let known = schema["properties"]["actions"]["additionalProperties"]["enum"].as_array().unwrap().clone();
    assert!(known.contains(&"sqlite/restore@1".into()), "{schema}");
    place.write("book.yaml", runbook("book", "", "  a: { uses: check/http@1, with: { url: 'http://localhost:1' } }\n"));
    let told = |actions: &str, code: i32, words: &[&str]| {
        place.write("estate.yaml", format!("schema: estate/v1\nname: lab\nactions: {{ {actions} }}\n"));
        holds(&place.said(&["check", "book.yaml", "--estate", "estate.yaml"], code).err, words);
    };
    let _ = place.said(&["check", "book.yaml"], 0);
    told("check/http@1: http/request@1", 0, &[]);
    told("check/http@1: exec/run@1", 2, &["book.yaml:", "`exec/run@1` (in this estate for `check/http@1`)", "hint:"]);
    told("check/htp@1: exec/run@1", 2, &["estate.yaml:3:", "there is no action `check/htp@1`", "check/http@1"]);
}

#[test]
fn graphs_come_in_four_forms() {
    let place = Place::new();
    let runbook = shipped("restoration-2.yaml").display().to_string();
    for (form, starts) in [("text", ""), ("mermaid", "flowchart"), ("dot", "digraph"), ("svg", "<svg")] {
        let drawn = place.said(&["graph", &runbook, "--format", form], 0).out;
        assert!(drawn.contains(starts), "{form}: {drawn}");
        for step in ["recover", "catalogue", "check_edge", "bystanders"] {
            assert!(drawn.contains(step), "{form} lacks {step}");
        }
    }
    place.write("bad.yaml", "schema: runbook/v1\nnom: x\n");
    holds(&place.said(&["graph", "bad.yaml"], 2).err, &["bad.yaml:2:1", "hint:"]);
}

#[test]
fn check_tells_everything_at_once_in_the_form_asked_for() {
    let place = Place::new();
    place.write("bad.yaml", runbook("bad", "pols: {}\n", "  a: { uses: noop@1, needs: b }\n  c: { uses: nop@1 }\n"));
    let text = place.said(&["check", "bad.yaml"], 2);
    holds(
        &text.err,
        &["bad.yaml:4:1", "bad.yaml:7:", "bad.yaml:8:", "hint:", "pools", "noop@1", "nothing was changed"],
    );
    assert_eq!(text.out, "");
    let json = place.said(&["check", "bad.yaml", "--format", "json"], 2).json();
    assert_eq!((&json[0]["file"], &json[0]["errors"]), (&"bad.yaml".into(), &3.into()), "{json}");
    assert_eq!(json[0]["diagnostics"].as_array().unwrap().len(), 3);
    assert_eq!(json, place.said(&["check", "bad.yaml", "--json"], 2).json());
    let github = place.said(&["check", "bad.yaml", "--format", "github"], 2).out;
    holds(&github, &["::error file=bad.yaml,line=4"]);

    place.write("good.yaml", runbook("good", "", "  a: { uses: noop@1 }\n"));
    let all = ["check", "good.yaml", "--sites", "sites.csv", "--estate", "estate.yaml"];
    holds(&place.said(&all, 0).out, &["good.yaml: no errors for 4 sites"]);
    assert_eq!(place.said(&["check", "good.yaml", "--json"], 0).json(), serde_json::json!([]));
    let stdin = fed(&mut place.command(&["check", "good.yaml", "--sites", "-"]), b"id,shard\ns1,a\nx2,b\n");
    assert_eq!(stdin.status.code(), Some(2));
    holds(&stdin.err, &["<stdin>:3:1", "hint:"]);
    let json = fed(&mut place.command(&["check", "good.yaml", "--sites", "-"]), br#"[{"id": "s1", "shard": "a"}]"#);
    assert_eq!(json.status.code(), Some(0), "{json:?}");
}

#[test]
fn what_cannot_be_done_is_refused_by_name() {
    let place = Place::new();
    let step = "  a: { uses: noop@1 }\n";
    for (name, text) in [
        ("`ids` cannot be `renamed`", runbook("r", "ids: renamed\n", step)),
        // Nobody in the estate could give it.
        (
            "no group of approvers `x`",
            runbook("r", "", &format!("{step}  b: {{ needs: a, approval: {{ from: [x], timeout: 1h }} }}\n")),
        ),
        ("undo", runbook("r", "", "  a: { uses: noop@1, undo: { uses: noop@1 } }\n")),
    ] {
        place.write("r.yaml", text);
        let said = place.said(&["plan", "r.yaml", "--sites", "sites.csv", "--estate", "estate.yaml"], 2);
        holds(&said.err, &["r.yaml:", name, "hint:"]);
    }
}
