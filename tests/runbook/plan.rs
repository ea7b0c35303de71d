//! From texts to a plan, and the plan's expressions.

use std::collections::BTreeMap;

use engine::{
    EvalError, Evaluator, ForEach, KeyIx, NO_KEY, Outputs, Plan, PlanSpec, Scope, StepIx, Target, UnitIx, When,
};
use runbook::{Diagnostic, Estate, Format, PlanEvaluator, Runbook, SiteList, Source};
use serde_json::json;

use crate::fixture;

fn checked(text: &str) -> Runbook {
    let source = Source::new("restore.yaml", text);
    let checked = runbook::check(&source, &fixture::catalogue());
    checked.runbook.unwrap_or_else(|| panic!("{}", runbook::render_text(&checked.diagnostics, &source, false)))
}

pub fn planned(text: &str, estate: &str, sites: &str, inputs: &[(&str, &str)]) -> Result<PlanSpec, Vec<Diagnostic>> {
    let runbook = checked(text);
    let (estate, found) = Estate::parse(&Source::new("estate.yaml", estate));
    let estate = estate.unwrap_or_else(|| panic!("{found:?}"));
    let (list, found) = SiteList::parse(&Source::new("sites.csv", sites), Format::guess(sites), &runbook);
    let list = list.unwrap_or_else(|| panic!("{found:?}"));
    let inputs: BTreeMap<String, String> =
        inputs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    runbook::plan(&runbook, &estate, &list, &inputs, &BTreeMap::new())
}

fn step<'a>(spec: &'a PlanSpec, name: &str) -> (StepIx, &'a engine::StepSpec) {
    let ix = spec.steps.iter().position(|step| step.name == name).unwrap();
    (StepIx::from(ix), &spec.steps[ix])
}

#[test]
fn the_fixture_becomes_a_plan() {
    let spec = planned(fixture::RUNBOOK, fixture::ESTATE, fixture::SITES, &[]).unwrap();
    let ids: Vec<&str> = spec.sites.ids.iter().collect();
    assert_eq!(ids, ["site-000002", "site-000003", "site-000001"], "largest first");
    assert_eq!(spec.sites.source_rows, [3, 4, 2]);
    assert_eq!(spec.batches.ends, [1, 3]);
    assert_eq!(spec.batches.max_failures, [0, 0]);
    assert_eq!(spec.groups[0].keys.dictionary, ["b", "a"]);
    assert_eq!(spec.groups[0].keys.rows, [0, 1, 1]);
    assert!(!spec.groups[0].keys.rows.contains(&NO_KEY));
    // 5m before the earliest deletion of each shard.
    let time = |text: &str| chrono_millis(text);
    assert_eq!(spec.sites.restore_points, [time("07:45"), time("07:33"), time("07:33")]);
    assert_eq!(spec.groups[0].restore_points, [time("07:45"), time("07:33")]);
    let (_, verify) = step(&spec, "verify");
    assert_eq!((verify.scope, verify.front_load), (Scope::Site, true));
    let (verified_ix, verified) = step(&spec, "verified");
    assert!(verified.needs[0].require_all);
    assert_eq!(step(&spec, "recover").1.needs[0].step, verified_ix);
    assert_eq!(step(&spec, "apps").1.when, When::Planned(vec![false, true, true]));
    let ForEach::Planned { offsets, items } = &step(&spec, "databases").1.for_each else { panic!("not planned") };
    assert_eq!(offsets, &[0, 1, 1, 3]);
    let names: Vec<&str> = items.iter().map(|&ix| spec.items[ix as usize].as_str()).collect();
    assert_eq!(names, ["\"jira\"", "\"jira\"", "\"wiki\""]);
    assert_eq!(step(&spec, "indexed").1.when, When::Later("steps.media.outputs.moved".into()));
    assert!(step(&spec, "recover").1.keeps_outputs);
    assert!(!step(&spec, "catalogue").1.keeps_outputs);
    let place = step(&spec, "databases").1.place;
    assert_eq!(fixture::RUNBOOK.lines().nth(place.line as usize - 1), Some("  databases:"));
    assert_eq!(place.column, 3);
    Plan::new(spec).unwrap();
}

fn chrono_millis(time: &str) -> i64 {
    let (hours, minutes) = time.split_once(':').unwrap();
    let day = 1_649_116_800_000_i64; // 2022-04-05T00:00:00Z
    day + (hours.parse::<i64>().unwrap() * 60 + minutes.parse::<i64>().unwrap()) * 60_000
}

/// Outputs as a table.
struct Table(Vec<(StepIx, u32, &'static str)>);

impl Outputs for Table {
    fn of(&self, step: StepIx, key: KeyIx) -> Vec<Option<&str>> {
        self.0.iter().filter(|(ix, at, _)| *ix == step && *at == key.0).map(|(_, _, text)| Some(*text)).collect()
    }
}

fn with(
    plan: &Plan,
    name: &str,
    key: u32,
    item: Option<&str>,
    outputs: &Table,
) -> Result<serde_json::Value, EvalError> {
    let evaluator = PlanEvaluator::new(plan).unwrap();
    let target = Target { step: step(plan.spec(), name).0, key: KeyIx(key), unit: UnitIx(0), item, undo: false };
    evaluator.with(plan, target, outputs)
}

#[test]
fn inputs_are_resolved_from_the_stored_plan() {
    let plan =
        Plan::new(planned(fixture::RUNBOOK, fixture::ESTATE, fixture::SITES, &[("margin", "1m")]).unwrap()).unwrap();
    let recover = step(plan.spec(), "recover").0;
    let outputs = Table(vec![(recover, 1, r#"{"url": "pg://a"}"#)]);
    assert_eq!(
        with(&plan, "recover", 1, None, &outputs).unwrap(),
        json!({"backup": "/backups/a", "at": "2022-04-05T07:37:00.000Z"})
    );
    assert_eq!(
        with(&plan, "databases", 2, Some("\"jira\""), &outputs).unwrap(),
        json!({"from": "pg://a", "to": "db-a", "schema": "jira", "tenant": "site-000001"})
    );
    let request = with(&plan, "catalogue", 0, None, &outputs).unwrap();
    assert_eq!(request["headers"]["Authorization"], json!(format!("Bearer {}", runbook::secret_marker("api"))));
    assert_eq!(request["url"], json!("http://localhost:1/sites/site-000002/undelete"));
    assert_eq!(with(&plan, "indexed", 2, Some("\"x\""), &outputs).unwrap(), json!({"name": "x", "batch": 2}));
    assert_eq!(with(&plan, "identity", 2, None, &outputs).unwrap(), json!({}));
}

#[test]
fn what_needs_outputs_is_decided_later() {
    let plan = Plan::new(planned(fixture::RUNBOOK, fixture::ESTATE, fixture::SITES, &[]).unwrap()).unwrap();
    let evaluator = PlanEvaluator::new(&plan).unwrap();
    let media = step(plan.spec(), "media").0;
    let indexed = step(plan.spec(), "indexed").0;
    let outputs =
        Table(vec![(media, 0, r#"{"moved": true, "names": ["a", "b"]}"#), (media, 1, r#"{"moved": 1, "names": {}}"#)]);
    assert!(evaluator.condition(&plan, indexed, KeyIx(0), &outputs).unwrap());
    assert_eq!(evaluator.items(&plan, indexed, KeyIx(0), &outputs).unwrap(), ["\"a\"", "\"b\""]);
    let wrong = evaluator.condition(&plan, indexed, KeyIx(1), &outputs).unwrap_err();
    assert!(wrong.message.starts_with("restore.yaml:45:"), "{}", wrong.message);
    for word in ["step `indexed`", "site-000003", "row 4 of sites.csv", "not a boolean"] {
        assert!(wrong.message.contains(word), "{word} in {}", wrong.message);
    }
    assert!(evaluator.items(&plan, indexed, KeyIx(1), &outputs).is_err());
    let missing = evaluator.condition(&plan, indexed, KeyIx(2), &outputs).unwrap_err();
    assert!(missing.message.contains("not there"), "{}", missing.message);
    assert!(!missing.hint.is_empty());
}

/// Plans a changed fixture and expects an error with a code and some words.
#[test]
fn labels_of_workers_are_resolved_for_each_unit_and_must_be_labels() {
    let on = |labels: &str| {
        let text =
            fixture::RUNBOOK.replacen("uses: identity/sync@1", &format!("runs_on: {labels}, uses: identity/sync@1"), 1);
        Plan::new(planned(&text, fixture::ESTATE, fixture::SITES, &[]).unwrap()).unwrap()
    };
    let labels = |plan: &Plan, name: &str| {
        let target =
            Target { step: step(plan.spec(), name).0, key: KeyIx(0), unit: UnitIx(0), item: None, undo: false };
        PlanEvaluator::new(plan).unwrap().labels(plan, target, &Table(vec![]))
    };
    let plan = on("[\"site=${{ site.id }}\", ssd]");
    assert_eq!(labels(&plan, "identity").unwrap(), ["site=site-000002", "ssd"]);
    assert!(labels(&plan, "catalogue").unwrap().is_empty(), "it is done where the driver is");
    assert!(
        Plan::decode(&plan.encode().unwrap()).unwrap().spec().extras.runs_on(step(plan.spec(), "identity").0).is_some()
    );
    let wrong = labels(&on("\"${{ site.id }} ${{ site.id }}\""), "identity").unwrap_err();
    assert!(wrong.message.contains("site-000002") && wrong.message.contains("`runs_on`"), "{}", wrong.message);
}

fn refused(change: (&str, &str), estate: &str, sites: &str, inputs: &[(&str, &str)], code: &str, words: &[&str]) {
    let text = fixture::RUNBOOK.replace(change.0, change.1);
    let found = planned(&text, estate, sites, inputs).map(|_| ()).unwrap_err();
    let hit = found.iter().find(|found| found.code == code).unwrap_or_else(|| panic!("{code} not in {found:#?}"));
    for word in words {
        assert!(hit.message.contains(word), "`{word}` not in `{}`", hit.message);
    }
    assert!(hit.place().line >= 1 && hit.hint.as_ref().is_some_and(|hint| !hint.is_empty()));
}

#[test]
fn a_plan_that_would_fail_is_refused_with_step_and_site() {
    let none = ("", "");
    let (estate, sites) = (fixture::ESTATE, fixture::SITES);
    refused(none, estate, sites, &[("margn", "1m")], "RB0803", &["margn"]);
    refused(none, estate, sites, &[("margin", "soon")], "RB0803", &["margin", "soon"]);
    refused(("default: eu", "description: x"), estate, sites, &[], "RB0803", &["region", "no default"]);
    let late = sites.replace("07:45:00Z", "09:45:00Z");
    refused(none, estate, &late, &[], "RB0805", &["site-000003", "row 4", "2h 12m"]);
    let shardless = estate.replace("backups: { a: /backups/a, b: /backups/b }", "backups: { a: /backups/a }");
    refused(none, &shardless, sites, &[], "RB0804", &["recover", "shard `b`", "backups"]);
    let elsewhere = estate.replace("shards: { a: db-a, b: db-b }", "shards: { b: db-b }");
    refused(none, &elsewhere, sites, &[], "RB0804", &["databases", "site-000003"]);
    refused(
        none,
        &estate.replace("api: env:API_TOKEN", "other: env:X"),
        sites,
        &[],
        "RB0804",
        &["catalogue", "no secret `api`"],
    );
    refused(
        ("if: site.apps", "if: 'estate.flags[site.region]'"),
        estate,
        sites,
        &[],
        "RB0804",
        &["apps", "site-000002"],
    );
    refused(("if: site.apps", "if: estate.catalogue"), estate, sites, &[], "RB0804", &["apps", "not a boolean"]);
    refused(
        ("for_each: site.products", "for_each: estate.catalogue"),
        estate,
        sites,
        &[],
        "RB0804",
        &["databases", "not a list"],
    );
    refused(
        none,
        estate,
        &sites.replace("site-000001,a,", "site-000001,,"),
        &[],
        "RB0804",
        &["shard", "site-000001", "row 2"],
    );
}

/// The fixture with each site at its own point, and steps that read all points of what they cover.
fn by_site() -> String {
    let read = "tenants: \"${{ restore_points }}\"";
    let text = fixture::RUNBOOK.replace("align: shard", "align: site").replace(
        "  catalogue:   {",
        &format!(
            "  advance:     {{ scope: shard, uses: identity/sync@1, with: {{ {read}, from: \"${{{{ restore_point }}}}\" }} }}\n  \
             counted:     {{ scope: region, uses: identity/sync@1, with: {{ n: \"${{{{ restore_points | length }}}}\" }} }}\n  \
             each_batch:  {{ scope: batch, needs: advance, uses: identity/sync@1, with: {{ {read} }} }}\n  \
             once:        {{ scope: run, needs: advance, uses: identity/sync@1, with: {{ {read}, of: \"${{{{ restore_points['site-000002'] }}}}\" }} }}\n  \
             catalogue:   {{"
        ),
    );
    assert!(text.contains("once:"));
    text
}

#[test]
fn a_step_of_a_wider_scope_sees_the_restore_point_of_every_site() {
    let plan = Plan::new(planned(&by_site(), fixture::ESTATE, fixture::SITES, &[]).unwrap()).unwrap();
    let none = Table(Vec::new());
    let at = |time: &str| format!("2022-04-05T{time}:00.000Z");
    let (first, second, third) = (at("07:33"), at("07:45"), at("07:40"));
    // Shards b and a; the largest site is the first batch.
    let b = json!({ "site-000002": second });
    let a = json!({ "site-000003": third, "site-000001": first });
    assert_eq!(with(&plan, "advance", 0, None, &none).unwrap(), json!({ "tenants": b, "from": second }));
    assert_eq!(with(&plan, "advance", 1, None, &none).unwrap(), json!({ "tenants": a, "from": first }));
    assert_eq!(with(&plan, "counted", 1, None, &none).unwrap(), json!({ "n": 2 }));
    assert_eq!(with(&plan, "each_batch", 1, None, &none).unwrap(), json!({ "tenants": a }));
    let all = json!({ "site-000002": second, "site-000003": third, "site-000001": first });
    assert_eq!(with(&plan, "once", 0, None, &none).unwrap(), json!({ "tenants": all, "of": second }));
}

#[test]
fn outputs_that_may_tell_a_restore_point_are_recorded() {
    let kept = |change: (&str, &str), name: &str| {
        let text = fixture::RUNBOOK.replace(change.0, change.1);
        assert_ne!(text, fixture::RUNBOOK, "{}", change.0);
        step(&planned(&text, fixture::ESTATE, fixture::SITES, &[]).unwrap(), name).1.keeps_outputs
    };
    // An action whose outputs are what it answers, if it is asked for a point.
    assert!(kept(
        ("uses: identity/sync@1 }", "uses: identity/sync@1, with: { at: \"${{ site.restore_point }}\" } }"),
        "identity"
    ));
    assert!(!kept(
        ("uses: identity/sync@1 }", "uses: identity/sync@1, with: { at: \"${{ site.deleted_at }}\" } }"),
        "identity"
    ));
    // One whose outputs are known and have no point.
    let body = "idempotent: true, body: { at: \"${{ site.restore_point }}\" } }";
    assert!(!kept(("idempotent: true }", body), "catalogue"));
    // One that is told where its answer says it.
    let check = "validate:    { needs: [apps, media, { step: indexed, require: all }], uses: check/site@1";
    assert!(kept((check, &format!("{check}, with: {{ restore_point: {{ reached: /at }} }}")), "validate"));
    assert!(kept((check, &format!("{check}, with: {{ outputs: {{ restore_point: /at }} }}")), "validate"));
}

#[test]
fn restore_points_have_a_scope_and_a_type() {
    let of = |text: &str, code: &str, words: &[&str]| {
        let checked = runbook::check(&Source::new("restore.yaml", text), &fixture::catalogue());
        let hit = checked.diagnostics.iter().find(|found| found.code == code);
        let hit = hit.unwrap_or_else(|| panic!("{code} not in {:#?}", checked.diagnostics));
        let said = format!("{} {}", hit.message, hit.hint.as_deref().unwrap_or_default());
        words.iter().for_each(|word| assert!(said.contains(word), "{word} not in {said}"));
    };
    let site = by_site().replace("scope: region, uses", "uses");
    of(&site, "RB0403", &["one restore point", "`restore_point`"]);
    let text = fixture::RUNBOOK.replace("${{ restore_point }}", "${{ restore_points }}");
    of(&text, "RB0504", &["a text", "a map of texts"]);
    // Headers are a map of texts; a number of them would not be.
    let headers = "uses: http/request@1, with: { method: GET, url: u, headers: \"${{ restore_points }}\" }, retry: { attempts: 1 }";
    let fits = by_site().replace("uses: identity/sync@1, with: { n: \"${{ restore_points | length }}\" }", headers);
    assert!(runbook::check(&Source::new("r.yaml", fits.as_str()), &fixture::catalogue()).runbook.is_some());
    of(&fits.replace("headers:", "poll:"), "RB0504", &["a map of texts"]);
    of(&by_site().replace("restore_points | length", "restore_points[3]"), "RB0405", &["indexed by a text"]);
    of(&by_site().replace("restore_points | length", "restore_points < {}"), "RB0405", &["compared"]);
    let none = by_site().replace("restore_point: { before", "# restore_point: { before");
    of(&none, "RB0402", &["declares no restore point"]);
    let run = by_site().replace("restore_points['site-000002']", "restore_point");
    of(&run, "RB0403", &["`restore_points`"]);
    of(
        &by_site().replace("scopes: { shard", "scopes: { restore_points: site.shard, shard"),
        "RB0110",
        &["word of the language"],
    );
}
