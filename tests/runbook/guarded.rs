//! What people decide and what is taken back: approvals, gates, undo, `finally`, shared pools, guards.

use std::collections::BTreeMap;

use engine::{
    Approval, ApprovalAt, Checklist, Evaluator, KeyIx, OnFailure, OnLapse, Outputs, Plan, PlanSpec, Scope, StepIx,
    StepSpec, Target, UnitIx, Work,
};
use runbook::{Diagnostic, Estate, Format, PlanEvaluator, Runbook, Severity, SiteList, Source};
use serde_json::json;

use crate::fixture;

/// A runbook that uses everything of it and has no finding.
pub const RUNBOOK: &str = r#"schema: runbook/v1
name: guarded
targets:
  attributes: { shard: string, products: list<string>, deleted_at: timestamp }
  scopes: { shard: site.shard }
  verify: { uses: catalogue/lookup@1, with: { id: "${{ site.id }}" }, expect: { state: deleted } }
pools:
  writes: { per: shard, slots: 4, shared: true }
  identity_api: { rate: 20/s, shared: true }
batches:
  sizes: [1, rest]
  gate: { approval: { from: [dr-leads], min: 2, timeout: 4h } }
defaults: { timeout: 10m, retry: { attempts: 3 } }
steps:
  begin:     { scope: run, approval: { from: [dr-leads, support], timeout: 30d, on_timeout: pause }, on_failure: abort }
  recover:   { scope: shard, needs: begin, uses: postgres/recover@1, with: { backup: "${{ estate.backups[shard] }}", at: now } }
  look:      { needs: recover, uses: catalogue/lookup@1 }
  catalogue:
    needs: look
    uses: http/request@1
    with: { method: POST, url: "${{ estate.catalogue }}/${{ site.id }}", idempotent: true }
    undo:
      uses: http/request@1
      with:
        method: DELETE
        url: "${{ estate.catalogue }}/${{ site.id }}/${{ steps.catalogue.outputs.status }}"
        headers: { Authorization: "Bearer ${{ secrets.api }}", Url: "${{ steps.recover.outputs.url | default('') }}" }
        idempotent: true
  databases:
    needs: [catalogue, recover]
    for_each: site.products
    pool: writes
    uses: postgres/restore@1
    with: { from: "${{ steps.recover.outputs.url }}", to: b, tenant: "${{ site.id }}" }
    undo: { uses: objects/copy@1, with: { product: "${{ item }}", rows: "${{ steps.databases.outputs.rows }}", of: "${{ site.shard }}" } }
  validate:  { needs: databases, uses: catalogue/lookup@1, on_failure: undo }
  customer:  { needs: validate, if: site.shard == 'a', approval: { from: support, timeout: 72h, on_timeout: reject }, on_failure: degrade, expect: 2h }
  after:     { needs: customer, uses: identity/sync@1, pool: identity_api }
finally:
  drop:      { scope: shard, if: steps.recover.outputs.url is defined, uses: exec/run@1, retry: { attempts: 1 }, with: { command: [drop, "${{ steps.recover.outputs.url }}"] } }
  announce:  { scope: run, needs: drop, uses: noop@1, on_failure: degrade }
"#;

/// The estate of the runbook.
pub const ESTATE: &str = r"schema: estate/v1
name: production
sandbox: false
approvers: { dr-leads: [anna, ben], support: carla }
guard: { sites: 2, approval: { from: [dr-leads], timeout: 4h, on_timeout: reject } }
variables: { catalogue: http://localhost:1, backups: { a: /a, b: /b } }
secrets: { api: env:API_TOKEN }
";

/// Three sites of the runbook.
pub const SITES: &str = "id,shard,products,deleted_at
s1,a,jira;wiki,2022-04-05T07:38:00Z
s2,b,jira,2022-04-05T07:38:00Z
s3,a,,2022-04-05T07:38:00Z
";

/// Checks a text; the runbook, if it has no error, and the findings.
pub fn checked(text: &str) -> (Option<Runbook>, Vec<Diagnostic>) {
    let checked = runbook::check(&Source::new("guarded.yaml", text), &fixture::catalogue());
    (checked.runbook, checked.diagnostics)
}

/// Plans a text with an estate, some sites left out.
pub fn planned(text: &str, estate: &str, exclude: &[(&str, &str)]) -> Result<PlanSpec, Vec<Diagnostic>> {
    let (runbook, found) = checked(text);
    let runbook = runbook.unwrap_or_else(|| panic!("{found:#?}"));
    let (estate, found) = Estate::parse(&Source::new("estate.yaml", estate));
    let estate = estate.unwrap_or_else(|| panic!("{found:#?}"));
    let (list, found) = SiteList::parse(&Source::new("sites.csv", SITES), Format::Csv, &runbook);
    let list = list.unwrap_or_else(|| panic!("{found:#?}"));
    let exclude: BTreeMap<String, String> =
        exclude.iter().map(|(id, reason)| ((*id).to_owned(), (*reason).to_owned())).collect();
    runbook::plan(&runbook, &estate, &list, &BTreeMap::new(), &exclude)
}

/// A step of a plan by name.
pub fn step<'a>(spec: &'a PlanSpec, name: &str) -> &'a StepSpec {
    spec.steps.iter().find(|step| step.name == name).unwrap()
}

const HOUR: u64 = 3_600_000;

#[test]
fn everything_of_it_is_in_the_plan() {
    let (_, found) = checked(RUNBOOK);
    assert_eq!(found, [], "no error, no warning");
    let spec = planned(RUNBOOK, ESTATE, &[]).unwrap();
    let leads = |min, hours: u64, on_timeout| Approval {
        from: vec!["dr-leads".into()],
        min,
        timeout_ms: hours * HOUR,
        on_timeout,
    };
    assert_eq!(spec.batches.gate, Some(leads(2, 4, OnLapse::Reject)));
    assert!(spec.extras.checklists.is_empty(), "nothing is to be confirmed");
    assert_eq!(spec.extras.start, Some(leads(1, 4, OnLapse::Reject)), "3 sites are more than 2");
    let groups: Vec<(&str, Vec<&str>)> = spec
        .extras
        .approvers
        .iter()
        .map(|group| (group.name.as_str(), group.members.iter().map(String::as_str).collect()))
        .collect();
    assert_eq!(groups, [("dr-leads", vec!["anna", "ben"]), ("support", vec!["carla"])]);

    let begin = step(&spec, "begin");
    let Work::Approval(approval) = &begin.work else { panic!("{begin:?}") };
    assert_eq!(approval.from, ["dr-leads", "support"]);
    assert_eq!((approval.timeout_ms, approval.on_timeout), (30 * 24 * HOUR, OnLapse::Pause));
    assert_eq!((begin.scope, begin.on_failure, begin.retry.attempts), (Scope::Run, OnFailure::Abort, 1));
    assert_eq!(begin.timeout_ms, approval.timeout_ms, "it has no attempt that could time out sooner");
    assert_eq!(spec.steps[begin.needs[0].step.ix()].name, "verified", "nobody is asked before every ID was looked at");

    let catalogue = step(&spec, "catalogue");
    let undo = catalogue.undo.as_ref().unwrap();
    assert_eq!((undo.uses.as_str(), undo.idempotent, undo.has_probe), ("http/request@1", true, false));
    assert!(undo.with.contains("\"DELETE\"") && catalogue.keeps_outputs, "its undo reads what it gave");
    let named =
        |step: &StepSpec| -> Vec<&str> { step.reads.iter().map(|ix| spec.steps[ix.ix()].name.as_str()).collect() };
    assert_eq!(named(step(&spec, "databases")), ["recover"]);
    assert_eq!(step(&spec, "validate").on_failure, OnFailure::Undo);
    assert!(!step(&spec, "validate").keeps_outputs);

    let (drop, announce) = (step(&spec, "drop"), step(&spec, "announce"));
    assert!(drop.finally && announce.finally && !step(&spec, "after").finally);
    assert_eq!(named(drop), ["recover"]);
    assert!(drop.needs.is_empty() && announce.needs.len() == 1);
    assert_eq!((drop.on_failure, announce.on_failure), (OnFailure::Quarantine, OnFailure::Degrade));

    assert!(spec.pools.iter().all(|pool| pool.shared));
    let harmless: Vec<&str> =
        spec.steps.iter().zip(&spec.extras.read_only).filter(|(_, only)| **only).map(|(step, _)| &*step.name).collect();
    assert_eq!(harmless, ["verify", "verified", "begin", "look", "validate", "customer"]);
    assert_eq!(spec.extras.read_only.len(), spec.steps.len());
}

/// Outputs of every step at every key.
struct Given;

impl Outputs for Given {
    fn of(&self, _: StepIx, _: KeyIx) -> Vec<Option<&str>> {
        vec![Some(r#"{"status": 201, "url": "pg://a", "rows": 1}"#), Some(r#"{"rows": 2}"#)]
    }
}

#[test]
fn an_undo_is_resolved_from_what_its_own_unit_gave() {
    let plan = Plan::new(planned(RUNBOOK, ESTATE, &[]).unwrap()).unwrap();
    let evaluator = PlanEvaluator::new(&plan).unwrap();
    let with = |name: &str, item: Option<&'static str>, unit: u32, undo: bool| {
        let step = plan.steps().find(|&ix| plan.step(ix).name == name).unwrap();
        let first = plan.planned_units(plan.node(step, KeyIx(0))).start;
        let target = Target { step, key: KeyIx(0), unit: UnitIx(first + unit), item, undo };
        evaluator.with(&plan, target, &Given).unwrap()
    };
    let undone = with("catalogue", None, 0, true);
    assert_eq!((&undone["method"], &undone["url"]), (&json!("DELETE"), &json!("http://localhost:1/s1/201")));
    let headers = json!({ "Authorization": format!("Bearer {}", runbook::secret_marker("api")), "Url": "pg://a" });
    assert_eq!(undone["headers"], headers, "secrets stay references in an undo too");
    assert_eq!(with("catalogue", None, 0, false)["method"], json!("POST"));
    let second = with("databases", Some("\"wiki\""), 1, true);
    assert_eq!(second, json!({ "product": "wiki", "rows": 2, "of": "a" }), "its second item gave 2 rows");
}

#[test]
fn an_undo_reads_no_step_that_need_not_have_run() {
    let early = RUNBOOK.replacen("steps.recover.outputs.url | default('')", "steps.databases.outputs[0].rows", 1);
    let found = checked(&early).1;
    assert!(found.iter().any(|one| one.code == "RB0404"), "{found:#?}");
}

#[test]
fn a_small_run_has_no_guard() {
    let spec = planned(RUNBOOK, &ESTATE.replacen("sites: 2", "sites: 3", 1), &[]).unwrap();
    assert_eq!(spec.extras.start, None);
    let without = ESTATE.replacen(", approval: { from: [dr-leads], timeout: 4h, on_timeout: reject }", "", 1);
    assert_eq!(
        planned(RUNBOOK, &without, &[]).unwrap().extras.start,
        None,
        "the number is typed back, nobody is asked"
    );
    let (estate, found) = Estate::parse(&Source::new("estate.yaml", without));
    let estate = estate.unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!(estate.guard_sites(), Some(2));
    let guard = estate.guard.unwrap();
    assert!(!guard.guards(2) && guard.guards(3));
}

#[test]
fn sites_left_out_are_listed_and_in_no_batch() {
    let whole = planned(RUNBOOK, ESTATE, &[]).unwrap();
    assert!(whole.extras.excluded.is_empty());
    let spec = planned(RUNBOOK, ESTATE, &[("s3", "not ours"), ("s1", "restored by hand")]).unwrap();
    assert_eq!(spec.sites.ids.iter().collect::<Vec<_>>(), ["s2"]);
    assert_eq!((&spec.sites.source_rows[..], &spec.batches.ends[..]), (&[3][..], &[1][..]));
    assert_eq!(spec.groups[0].keys.dictionary, ["b"]);
    let excluded: Vec<(&str, u32, &str)> =
        spec.extras.excluded.iter().map(|site| (site.id.as_str(), site.row, site.reason.as_str())).collect();
    assert_eq!(excluded, [("s1", 2, "restored by hand"), ("s3", 4, "not ours")], "in the order of the list");
    assert_eq!(spec.extras.start, None, "one site is no large run");

    for (exclude, words) in [
        (vec![("s9", "x"), ("s1", "y")], "`s9` is to be left out, but is not in sites.csv"),
        (vec![("s1", "x"), ("s2", "x"), ("s3", "x")], "every site of sites.csv is to be left out"),
    ] {
        let found = planned(RUNBOOK, ESTATE, &exclude).map(|_| ()).unwrap_err();
        assert!(found.iter().any(|one| one.code == "RB0810" && one.message.contains(words)), "{found:#?}");
    }
}

#[test]
fn an_approval_that_nobody_can_give_is_refused_at_its_place() {
    for (estate, code, piece, words) in [
        (
            "approvers: { leads: [anna, ben], support: carla }\n",
            "RB0808",
            "dr-leads], min",
            "no group of approvers `dr-leads`",
        ),
        (
            "approvers: { dr-leads: [anna], support: carla }\n",
            "RB0809",
            "gate: { approval",
            "2 people must approve, but the groups have 1",
        ),
        ("approvers: { dr-leads: [anna, ben] }\n", "RB0808", "support, timeout", "no group of approvers `support`"),
        ("", "RB0808", "dr-leads, support", "no group of approvers `dr-leads`"),
    ] {
        let whole = format!(
            "schema: estate/v1\nname: x\n{estate}variables: {{ catalogue: a, backups: {{ a: a, b: b }} }}\nsecrets: {{ api: env:A }}\n"
        );
        let found = planned(RUNBOOK, &whole, &[]).map(|_| ()).unwrap_err();
        let hit = found
            .iter()
            .find(|one| one.code == code && RUNBOOK[one.labels[0].span.start..].starts_with(piece))
            .unwrap_or_else(|| panic!("{code} at `{piece}` not in {found:#?}"));
        assert!(hit.message.contains(words), "{}", hit.message);
        assert!(hit.hint.as_ref().is_some_and(|hint| !hint.is_empty()));
    }
}

/// The warnings of the runbook with one change, as code, start of the place and message.
fn warned(from: &str, to: &str, code: &str, piece: &str, words: &[&str]) {
    assert!(RUNBOOK.contains(from), "{from}");
    let text = RUNBOOK.replacen(from, to, 1);
    let (runbook, found) = checked(&text);
    assert!(runbook.is_some(), "a warning stops nothing: {found:#?}");
    let hit = found
        .iter()
        .find(|one| one.code == code && text[one.labels[0].span.start..].starts_with(piece))
        .unwrap_or_else(|| panic!("{code} at `{piece}` not in {found:#?}"));
    assert_eq!(hit.severity, Severity::Warning);
    for word in words {
        assert!(hit.message.contains(word), "`{word}` not in `{}`", hit.message);
    }
    assert!(hit.hint.as_ref().is_some_and(|hint| !hint.is_empty()));
}

#[test]
fn what_is_allowed_but_likely_not_meant_is_said() {
    warned(
        "uses: catalogue/lookup@1, on_failure",
        "uses: check/site@1, on_failure",
        "RB0612",
        "undo }",
        &["`validate`"],
    );
    let undo = "    undo: { uses: objects/copy@1, with: { product: \"${{ item }}\", rows: \"${{ steps.databases.outputs.rows }}\", of: \"${{ site.shard }}\" } }\n";
    warned(undo, "", "RB0612", "undo }", &["`databases`"]);
    warned(
        undo,
        "    undo: { uses: exec/run@1, with: { command: [a] } }\n",
        "RB0610",
        "undo: { uses: exec",
        &["exec/run@1"],
    );
    warned(
        "steps.recover.outputs.url | default('') }}\" }\n        idempotent: true",
        "'x' }}\" }",
        "RB0610",
        "undo:\n",
        &["http/request@1"],
    );
    // A step beside the one that fails may have acted by then; one that waits for it has not.
    warned(
        "  after:  ",
        "  beside: { needs: look, uses: identity/sync@1 }\n  after:  ",
        "RB0612",
        "undo }",
        &["`beside`"],
    );
    warned("[1, rest]", "[rest]", "RB0613", "gate: { approval", &["only one batch"]);
    let alone = "alone: { scope: shard, uses: exec/run@1, retry: { attempts: 1 }, with: { command: [a] } }";
    warned("  after:  ", &format!("  {alone}\n  after:  "), "RB0617", "alone: {", &["before `alone` has run"]);
    let early =
        "early: { scope: shard, needs: catalogue, uses: exec/run@1, retry: { attempts: 1 }, with: { command: [a] } }";
    warned("  after:  ", &format!("  {early}\n  after:  "), "RB0617", "early: {", &["before `early` has run"]);
    let batch = alone.replace("scope: shard", "scope: batch");
    warned("  after:  ", &format!("  {batch}\n  after:  "), "RB0617", "alone: {", &["before `alone` has run"]);
    // In `defaults` it is said once, for all steps; a step beside others may fail after `after` has acted.
    let text = RUNBOOK.replacen("timeout: 10m,", "timeout: 10m, on_failure: undo,", 1).replacen(
        "  after:  ",
        "  beside: { needs: look, uses: identity/sync@1 }\n  after:  ",
        1,
    );
    let (_, found) = checked(&text);
    let remains: Vec<&Diagnostic> = found.iter().filter(|one| one.code == "RB0612").collect();
    assert_eq!(remains.len(), 2, "in `defaults` and in `validate`: {found:#?}");
    assert!(text[remains[0].labels[0].span.start..].starts_with("undo, retry"));
    assert!(remains[0].message.ends_with("by then: `beside`, `after`"), "{}", remains[0].message);
}

#[test]
fn checklists_of_steps_gates_and_guards_are_in_the_plan() {
    let asks = |text: &str, of: &str, items: &str| text.replacen(of, &format!("{of}, checklist: {items}"), 1);
    let text = asks(RUNBOOK, "timeout: 72h, on_timeout: reject", "[Log in as the customer, ' Open the newest page ']");
    let text = asks(&text, "min: 2, timeout: 4h", "[Read the report of the canary]");
    let estate = asks(ESTATE, "timeout: 4h, on_timeout: reject", "[Count the sites]");
    let plan = Plan::new(planned(&text, &estate, &[]).unwrap()).unwrap();
    let customer = plan.steps().find(|&ix| plan.step(ix).name == "customer").unwrap();
    assert_eq!(plan.checklist(ApprovalAt::Step(customer)), ["Log in as the customer", "Open the newest page"]);
    assert_eq!(plan.checklist(ApprovalAt::Batches), ["Read the report of the canary"]);
    assert_eq!(plan.checklist(ApprovalAt::Start), ["Count the sites"]);
    let again = Plan::decode(&plan.encode().unwrap()).unwrap();
    assert_eq!(again.spec(), plan.spec());
    assert_ne!(plan.hash(), Plan::new(planned(RUNBOOK, ESTATE, &[]).unwrap()).unwrap().hash());
}

#[test]
fn a_checklist_of_no_approval_is_no_plan() {
    let spec = planned(RUNBOOK, ESTATE, &[]).unwrap();
    let refused = |of, items: &[&str]| {
        let items = items.iter().map(|&item| item.to_owned()).collect();
        let mut spec = spec.clone();
        spec.extras.checklists.push(Checklist { of, items });
        Plan::new(spec).is_err()
    };
    let recover = spec.steps.iter().position(|step| step.name == "recover").unwrap();
    assert!(refused(ApprovalAt::Step(StepIx::from(recover)), &["look"]), "it calls an action");
    assert!(refused(ApprovalAt::Step(StepIx(u16::MAX)), &["look"]), "there is no such step");
    assert!(refused(ApprovalAt::Start, &[]) && refused(ApprovalAt::Start, &["look", "look"]));
    assert!(!refused(ApprovalAt::Start, &["look"]));
}
