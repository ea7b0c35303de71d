//! `actions` of an estate: other implementations of what a runbook uses.

use std::collections::BTreeMap;

use engine::{ActionSpec, Plan, PlanSpec, Work};
use runbook::{Checked, Diagnostic, Estate, Format, SiteList, Source, render_text};
use serde_json::json;

use crate::fixture;

/// The fixture's actions and two of another backend.
fn catalogue() -> Vec<ActionSpec> {
    let mut all = fixture::catalogue();
    let of = |uses: &str| all.iter().find(|action| action.uses == uses).unwrap().clone();
    let recover = ActionSpec { uses: "files/recover@1".into(), ..of("postgres/recover@1") };
    let restore = ActionSpec {
        uses: "files/restore@1".into(),
        input: json!({"type": "object", "properties": {"from": {"type": "string"}, "to": {"type": "string"}, "tenant": {"type": "string"}}, "required": ["from", "to", "tenant"], "additionalProperties": false}),
        ..of("postgres/restore@1")
    };
    let once = ActionSpec { uses: "exec/once@1".into(), ..of("exec/run@1") };
    all.extend([recover, restore, once]);
    all
}

fn estate(actions: &str) -> (Option<Estate>, Vec<Diagnostic>, Source) {
    let text = format!("{}actions:\n{actions}", fixture::ESTATE);
    let source = Source::new("estate.yaml", text.as_str());
    let (estate, found) = Estate::parse_for(&source, &catalogue());
    (estate, found, source)
}

fn checked(text: &str, actions: &str) -> (Checked, Estate) {
    let (estate, found, source) = estate(actions);
    let estate = estate.unwrap_or_else(|| panic!("{}", render_text(&found, &source, false)));
    (runbook::check_for(&Source::new("restore.yaml", text), &catalogue(), &estate), estate)
}

fn planned(text: &str, actions: &str) -> PlanSpec {
    let (checked, estate) = checked(text, actions);
    let runbook = checked.runbook.unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
    let (list, _) = SiteList::parse(&Source::new("sites.csv", fixture::SITES), Format::Csv, &runbook);
    runbook::plan(&runbook, &estate, &list.unwrap(), &BTreeMap::new(), &BTreeMap::new()).unwrap()
}

fn used(spec: &PlanSpec, step: &str) -> (String, Option<String>) {
    let step = spec.steps.iter().find(|found| found.name == step).unwrap();
    let Work::Action(action) = &step.work else { panic!("no action") };
    (action.uses.clone(), step.undo.as_ref().map(|undo| undo.uses.clone()))
}

/// The fixture without `schema: item`, which the other backend does not take, and with an undo and a last step.
fn portable() -> String {
    let undo = "undo: { uses: postgres/restore@1, with: { from: a, to: b, tenant: \"${{ site.id }}\" } }\n";
    let text = fixture::RUNBOOK
        .replace(", schema: \"${{ item }}\"", "")
        .replace("    pool: shard_writes\n", &format!("    pool: shard_writes\n    {undo}"));
    format!("{text}finally:\n  last: {{ scope: run, uses: identity/sync@1 }}\n")
}

#[test]
fn what_the_estate_names_is_what_the_plan_holds() {
    let actions = "  postgres/recover@1: files/recover@1\n  postgres/restore@1: files/restore@1\n  \
                   catalogue/lookup@1: objects/copy@1\n  identity/sync@1: check/site@1\n";
    let text = portable().replace("expect: { kind: site, state: deleted }", "expect: { objects: 0 }");
    let spec = planned(&text, actions);
    assert_eq!(used(&spec, "recover"), ("files/recover@1".into(), None));
    assert_eq!(used(&spec, "databases"), ("files/restore@1".into(), Some("files/restore@1".into())));
    assert_eq!(used(&spec, "verify").0, "objects/copy@1");
    assert_eq!(used(&spec, "last").0, "check/site@1");
    assert_eq!(used(&spec, "catalogue").0, "http/request@1", "what is not named stays");
    let estate: serde_json::Value = serde_json::from_str(&spec.estate).unwrap();
    assert_eq!(estate["actions"]["postgres/restore@1"], "files/restore@1");
    let hash = |spec: PlanSpec| Plan::new(spec).unwrap().hash().to_owned();
    let fewer = planned(&portable(), "  postgres/restore@1: files/restore@1\n");
    let own = planned(&portable(), "  exec/run@1: exec/once@1\n");
    assert_ne!(hash(fewer), hash(own), "another action is another plan");
}

#[test]
fn inputs_and_outputs_are_those_of_the_stand_in() {
    let restore = "  postgres/restore@1: files/restore@1\n";
    let of = |text: &str, actions: &str, code: &str| {
        let (checked, _) = checked(text, actions);
        let source = Source::new("restore.yaml", text);
        let shown = render_text(&checked.diagnostics, &source, false);
        let found = checked.diagnostics.into_iter().find(|found| found.code == code);
        found.unwrap_or_else(|| panic!("{code} not in\n{shown}")).message
    };
    // The runbook alone is right; the stand-in has no `schema`.
    assert!(runbook::check(&Source::new("a.yaml", fixture::RUNBOOK), &catalogue()).runbook.is_some());
    let both = "`files/restore@1` (in this estate for `postgres/restore@1`)";
    assert_eq!(of(fixture::RUNBOOK, restore, "RB0502"), format!("{both} has no input `schema`"));
    let undone = portable().replace("from: a, to: b, tenant", "from: a, too: b, tenant");
    assert_eq!(of(&undone, restore, "RB0503"), format!("{both} needs the input `to`"), "also of an undo");
    let typed = portable().replace("from: a, to: b", "from: \"${{ site.users }}\", to: b");
    assert_eq!(of(&typed, restore, "RB0504"), format!("{both} wants a text, but this is an integer"));
    let recovered = "  postgres/recover@1: objects/copy@1\n";
    assert_eq!(
        of(fixture::RUNBOOK, recovered, "RB0406"),
        "`objects/copy@1` (in this estate for `postgres/recover@1`) has no output `url`"
    );
    let looked_up = "  catalogue/lookup@1: objects/copy@1\n";
    assert_eq!(
        of(fixture::RUNBOOK, looked_up, "RB0505"),
        "`objects/copy@1` (in this estate for `catalogue/lookup@1`) has no output `kind`"
    );
    let retried = fixture::RUNBOOK.replace("retry: { attempts: 1 }, uses: exec", "uses: exec");
    assert_eq!(
        of(&retried, "  exec/run@1: exec/once@1\n", "RB0602"),
        "`apps` retries `exec/once@1` (in this estate for `exec/run@1`), which may then act twice"
    );
}

#[test]
fn what_means_nothing_is_refused_at_its_place() {
    for (actions, code, piece, fact, hint) in [
        ("  postgres/resotre@1: files/restore@1\n", "RB0501", "postgres/resotre@1", "no action", "postgres/restore@1"),
        ("  postgres/restore@1: files/resotre@1\n", "RB0501", "files/resotre@1", "no action", "files/restore@1"),
        ("  postgres/restore@1: postgres/restore@1\n", "RB0811", "postgres/restore@1\n", "for itself", "remove"),
        (
            "  postgres/restore@1: files/restore@1\n  files/restore@1: noop@1\n",
            "RB0811",
            "files/restore@1\n",
            "has a stand-in itself",
            "`postgres/restore@1: noop@1`",
        ),
        (
            "  files/restore@1: noop@1\n  noop@1: files/restore@1\n",
            "RB0811",
            "noop@1\n",
            "has a stand-in itself",
            "for each other",
        ),
        ("  noop@1: [exec/run@1]\n", "RB0109", "[exec", "must be", "quotes"),
        ("  noop@1: exec/run@1\n  noop@1: exec/once@1\n", "RB0106", "noop@1: exec/once", "twice", ""),
    ] {
        let (read, found, source) = estate(actions);
        let shown = render_text(&found, &source, false);
        assert!(read.is_none(), "accepted: {actions}");
        let at = |one: &&Diagnostic| one.code == code && source.text[one.labels[0].span.start..].starts_with(piece);
        let hit = found.iter().find(at).unwrap_or_else(|| panic!("{code} at `{piece}` not in\n{shown}"));
        assert!(hit.message.contains(fact), "{shown}");
        assert!(hit.hint.as_ref().is_some_and(|found| found.contains(hint)), "{shown}");
    }
}

#[test]
fn a_runbook_is_planned_only_for_the_actions_it_was_checked_for() {
    let (_, estate) = checked(&portable(), "  postgres/restore@1: files/restore@1\n");
    let alone = runbook::check(&Source::new("restore.yaml", portable()), &catalogue()).runbook.unwrap();
    let (list, _) = SiteList::parse(&Source::new("sites.csv", fixture::SITES), Format::Csv, &alone);
    let found = runbook::plan(&alone, &estate, &list.unwrap(), &BTreeMap::new(), &BTreeMap::new()).unwrap_err();
    assert_eq!(found[0].code, "RB0811", "{found:?}");
}

#[test]
fn the_schema_of_an_estate_knows_the_actions() {
    let schema = runbook::estate_schema(&catalogue());
    let actions = &schema["properties"]["actions"];
    for names in [&actions["propertyNames"]["enum"], &actions["additionalProperties"]["enum"]] {
        assert!(names.as_array().unwrap().contains(&"files/restore@1".into()), "{actions}");
    }
    assert_eq!(schema["required"], json!(["schema", "name"]));
}
