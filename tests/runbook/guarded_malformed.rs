//! Malformed approvals, gates, undos, `finally` and shared pools: each is an error at its place, with a hint.

use runbook::{Estate, Source};

use crate::{check::check, guarded};

/// What is changed, into what, the rule, and the text at which it is reported.
type Case = (&'static str, &'static str, &'static str, &'static str);

const APPROVALS: &[Case] = &[
    ("from: support, timeout: 72h, ", "timeout: 72h, ", "RB0605", "{ timeout: 72h"),
    ("from: support", "from: []", "RB0605", "{ from: []"),
    ("from: support", "from: 3", "RB0109", "3, timeout"),
    ("from: support", "from: [support, 3]", "RB0109", "3], timeout"),
    ("from: support", "from: 'the boss'", "RB0110", "'the boss'"),
    ("[dr-leads, support]", "[support, support]", "RB0608", "support], timeout: 30d"),
    ("min: 2", "min: 0", "RB0203", "0, timeout"),
    ("min: 2", "min: 101", "RB0203", "101, timeout"),
    ("min: 2", "min: two", "RB0109", "two, timeout"),
    (", timeout: 72h", "", "RB0108", "from: support"),
    ("timeout: 72h", "timeout: 0s", "RB0201", "0s"),
    ("timeout: 72h", "timeout: 72", "RB0201", "72, on_timeout"),
    ("timeout: 72h", "timeout: 31d", "RB0201", "31d"),
    ("on_timeout: reject", "on_timeout: approve", "RB0604", "approve }"),
    ("on_timeout: reject", "on_timeout: approved", "RB0604", "approved }"),
    ("on_timeout: reject", "on_timeout: pass", "RB0604", "pass }"),
    ("on_timeout: reject", "on_timeout: ask", "RB0111", "ask }"),
    ("on_timeout: reject", "on_lapse: reject", "RB0107", "on_lapse"),
    ("on_timeout: reject", "checklist: Log in", "RB0109", "Log in"),
    ("on_timeout: reject", "checklist: []", "RB0616", "[] }"),
    ("on_timeout: reject", "checklist: [Log in, 3]", "RB0109", "3] }"),
    ("on_timeout: reject", "checklist: [Log in, ' ']", "RB0616", "' '] }"),
    ("on_timeout: reject", "checklist: [Log in, Look, Log in]", "RB0616", "Log in] }"),
    ("on_timeout: reject", "checklist: [\"a\\nb\"]", "RB0616", "\"a\\nb\"] }"),
    (
        "approval: { from: support, timeout: 72h, on_timeout: reject }",
        "approval: support",
        "RB0109",
        "support, on_failure",
    ),
    ("on_failure: degrade, expect", "uses: noop@1, expect", "RB0310", "customer:"),
    ("on_failure: degrade, expect", "with: {}, expect", "RB0607", "with: {}"),
    ("on_failure: degrade, expect", "for_each: site.products, expect", "RB0607", "for_each: site"),
    ("on_failure: degrade, expect", "pool: identity_api, expect", "RB0607", "pool: identity"),
    ("on_failure: degrade, expect", "timeout: 1h, expect", "RB0607", "timeout: 1h, expect"),
    ("on_failure: degrade, expect", "retry: { attempts: 2 }, expect", "RB0607", "retry: { attempts: 2"),
    ("on_failure: degrade, expect", "undo: { uses: noop@1 }, expect", "RB0607", "undo: { uses: noop"),
    (
        "uses: identity/sync@1, pool",
        "with: { a: \"${{ steps.customer.outputs.by }}\" }, uses: identity/sync@1, pool",
        "RB0406",
        "steps.customer",
    ),
];

const GATES: &[Case] = &[
    ("gate: { approval: { from: [dr-leads], min: 2, timeout: 4h } }", "gate: {}", "RB0108", "{}"),
    ("gate: { approval:", "gate: { approve:", "RB0107", "approve:"),
    ("gate: { approval: { from: [dr-leads], min: 2, timeout: 4h } }", "gate: dr-leads", "RB0109", "dr-leads"),
    ("min: 2, timeout: 4h }", "min: 2 }", "RB0108", "from: [dr-leads], min"),
    ("timeout: 4h } }", "timeout: 4h, on_timeout: approve } }", "RB0604", "approve } }"),
    ("timeout: 4h } }", "timeout: 4h }, on_timeout: reject }", "RB0107", "on_timeout: reject }\n"),
];

const UNDOS: &[Case] = &[
    ("undo: { uses: objects/copy@1, with", "undo: { with", "RB0108", "with: { product"),
    ("undo: { uses: objects/copy@1", "undo: { uses: objects/coppy@1", "RB0501", "objects/coppy@1"),
    ("undo: { uses: objects/copy@1", "undo: { retry: 3, uses: objects/copy@1", "RB0107", "retry: 3"),
    ("undo: { uses: objects/copy@1, with", "undo: { uses: postgres/recover@1, with", "RB0502", "product:"),
    ("undo: { uses: objects/copy@1, with", "undo: { uses: postgres/recover@1, with", "RB0503", "{ product"),
    ("method: DELETE", "method: REMOVE", "RB0504", "REMOVE"),
    ("        idempotent: true\n", "        idempotent: 'yes'\n", "RB0504", "'yes'"),
    ("steps.catalogue.outputs.status", "steps.catalogue.outputs.state", "RB0406", "steps.catalogue.outputs.state"),
    ("steps.catalogue.outputs.status", "steps.catalogue.output.status", "RB0402", "steps.catalogue.output.status"),
    ("steps.catalogue.outputs.status", "outputs.status", "RB0402", "outputs.status"),
    ("steps.catalogue.outputs.status", "steps.databases.outputs", "RB0404", "steps.databases.outputs"),
    ("steps.catalogue.outputs.status", "item", "RB0412", "item }}"),
    ("secrets.api", "secret.api", "RB0402", "secret.api"),
    ("Bearer ${{ secrets.api }}", "Bearer 1234", "RB0603", "\"Bearer 1234"),
    ("for_each: site.products", "for_each: steps.catalogue.outputs.body", "RB0406", "steps.databases.outputs.rows"),
    (
        "to: b, tenant",
        "to: \"${{ steps.databases.outputs }}\", tenant",
        "RB0404",
        "steps.databases.outputs }}\", tenant",
    ),
    (
        "needs: recover, uses: catalogue/lookup@1",
        "needs: recover, undo: { uses: noop@1 }, uses: catalogue/lookup@1",
        "RB0609",
        "undo: { uses: noop",
    ),
    ("undo: { uses: objects/copy@1", "runs_on: []\n    undo: { uses: objects/copy@1", "RB0314", "[]"),
    ("undo: { uses: objects/copy@1", "runs_on: 'a b'\n    undo: { uses: objects/copy@1", "RB0314", "'a b'"),
    ("undo: { uses: objects/copy@1", "runs_on: ':a'\n    undo: { uses: objects/copy@1", "RB0314", "':a'"),
    ("undo: { uses: objects/copy@1", "runs_on: [a, a]\n    undo: { uses: objects/copy@1", "RB0314", "a]\n"),
    ("undo: { uses: objects/copy@1", "runs_on: { a: b }\n    undo: { uses: objects/copy@1", "RB0109", "{ a: b }"),
    (
        "undo: { uses: objects/copy@1",
        "runs_on: \"${{ secrets.api }}\"\n    undo: { uses: objects/copy@1",
        "RB0410",
        "secrets.api }}\"\n",
    ),
    (
        "undo: { uses: objects/copy@1",
        "runs_on: \"${{ site.products }}\"\n    undo: { uses: objects/copy@1",
        "RB0405",
        "\"${{ site.products",
    ),
    ("undo: { uses: objects/copy@1", "undone: { uses: objects/copy@1", "RB0107", "undone"),
];

const FINALLY: &[Case] = &[
    ("needs: drop, uses", "needs: after, uses", "RB0311", "after, uses"),
    ("needs: customer, uses", "needs: [customer, announce], uses", "RB0311", "announce], uses"),
    ("needs: drop, uses", "needs: dorp, uses", "RB0301", "dorp"),
    ("if: steps.recover.outputs.url is defined, uses", "needs: announce, uses", "RB0303", "announce, uses"),
    ("uses: noop@1, on_failure: degrade", "uses: noop@1, on_failure: undo", "RB0312", "undo }"),
    ("uses: noop@1, on_failure: degrade", "uses: noop@1, on_failure: pause", "RB0312", "pause }"),
    ("uses: noop@1, on_failure: degrade", "uses: noop@1, on_failure: abort", "RB0312", "abort }"),
    ("uses: noop@1, on_failure: degrade", "uses: noop@1, front_load: true", "RB0312", "front_load: true }"),
    ("uses: noop@1, on_failure: degrade", "uses: noop@1, undo: { uses: noop@1 }", "RB0312", "undo: { uses: noop@1 } }"),
    (
        "uses: noop@1, on_failure: degrade",
        "approval: { from: [support], timeout: 1h }",
        "RB0312",
        "approval: { from: [support], timeout: 1h }",
    ),
    ("  announce:", "  after:", "RB0106", "after:  { scope: run"),
    ("  announce:", "  verified:", "RB0606", "verified:"),
    ("scope: shard, if: steps", "scope: run, if: steps", "RB0403", "steps.recover.outputs.url is"),
    ("steps.recover.outputs.url is defined", "steps.announce.outputs is defined", "RB0404", "steps.announce"),
    ("finally:\n", "finally: [a]\nend:\n", "RB0109", "[a]"),
    ("finally:\n", "finaly:\n", "RB0107", "finaly"),
];

const POOLS: &[Case] = &[
    ("per: shard, slots: 4, shared", "per: site, slots: 4, shared", "RB0313", "shared: true }"),
    ("per: shard, slots: 4, shared", "per: batch, slots: 4, shared", "RB0313", "shared: true }"),
    ("slots: 4, shared: true", "slots: 4, shared: all", "RB0109", "all }"),
    ("{ rate: 20/s, shared: true }", "{ shared: true }", "RB0207", "identity_api"),
];

#[test]
fn every_malformed_one_is_found_at_its_place() {
    let cases: Vec<&Case> = [APPROVALS, GATES, UNDOS, FINALLY, POOLS].into_iter().flatten().collect();
    assert!(cases.len() >= 60, "{}", cases.len());
    let mut failures = Vec::new();
    for (from, to, code, piece) in cases {
        let tried = std::panic::catch_unwind(|| {
            assert!(guarded::RUNBOOK.contains(from), "{from}");
            check(&guarded::RUNBOOK.replacen(from, to, 1), (*code, *piece));
        });
        if let Err(wrong) = tried {
            let wrong = wrong.downcast_ref::<String>().cloned().unwrap_or_default();
            failures.push(format!("{from} -> {to}: {wrong}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn malformed_guards_and_approvers_of_an_estate_are_found() {
    for (from, to, code, piece) in [
        ("sites: 2", "site: 2", "RB0107", "site: 2"),
        ("sites: 2, ", "", "RB0108", "approval"),
        ("sites: 2", "sites: -1", "RB0203", "-1"),
        ("sites: 2", "sites: many", "RB0109", "many"),
        ("guard: {", "guards: {", "RB0107", "guards"),
        ("from: [dr-leads]", "from: [dr-lead]", "RB0808", "dr-lead]"),
        ("from: [dr-leads]", "from: [dr-leads], min: 3", "RB0809", "approval"),
        ("on_timeout: reject", "on_timeout: approve", "RB0604", "approve"),
        (", timeout: 4h", "", "RB0108", "from"),
        ("[anna, ben]", "[anna, anna]", "RB0807", "anna], support"),
        ("[anna, ben]", "[]", "RB0807", "dr-leads: []"),
        ("[anna, ben]", "[anna, '']", "RB0110", "''"),
        ("[anna, ben]", "{ anna: ben }", "RB0109", "{ anna"),
        ("support: carla", "'the support': carla", "RB0110", "'the support'"),
        ("support: carla", "dr-leads: carla", "RB0106", "dr-leads: carla"),
        ("sandbox: false", "sandbox: no", "RB0109", "no\n"),
    ] {
        assert!(guarded::ESTATE.contains(from), "{from}");
        let text = guarded::ESTATE.replacen(from, to, 1);
        let (estate, found) = Estate::parse(&Source::new("estate.yaml", text.as_str()));
        assert!(estate.is_none(), "{from} -> {to} was accepted");
        let hit = found.iter().find(|one| one.code == code && text[one.labels[0].span.start..].starts_with(piece));
        let hit = hit.unwrap_or_else(|| panic!("{from} -> {to}: {code} at `{piece}` not in {found:#?}"));
        assert!(hit.hint.as_ref().is_some_and(|hint| !hint.is_empty()));
    }
}
