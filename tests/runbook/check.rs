//! One input for each rule: what is found, and where.

use runbook::{Source, init_template, json_schema, render_github, render_json, render_text};

use crate::fixture;

/// Checks a text and expects an error with a code at a piece of the text.
pub fn check(text: &str, expected: (&str, &str)) {
    let (code, piece) = expected;
    let source = Source::new("a.yaml", text);
    let checked = runbook::check(&source, &fixture::catalogue());
    let shown = render_text(&checked.diagnostics, &source, false);
    assert!(checked.runbook.is_none(), "accepted although {code} was expected at `{piece}`");
    let hit = checked
        .diagnostics
        .iter()
        .find(|found| found.code == code && text[found.labels[0].span.start..].starts_with(piece));
    let hit = hit.unwrap_or_else(|| panic!("{code} at `{piece}` not in\n{shown}"));
    assert!(hit.hint.as_ref().is_some_and(|hint| !hint.is_empty()), "{hit:?}");
    let place = hit.place();
    let line = text.lines().nth(place.line as usize - 1).unwrap();
    let rest: String = line.chars().skip(place.column as usize - 1).collect();
    assert!(
        rest.starts_with(piece.lines().next().unwrap()),
        "line {} column {} is not `{piece}`",
        place.line,
        place.column
    );
    assert!(shown.contains(&format!("a.yaml:{}:{}", place.line, place.column)), "{shown}");
    assert!(shown.contains("hint: "));
}

/// Checks the fixture with one change.
fn changed(from: &str, to: &str, expected: (&str, &str)) {
    assert!(fixture::RUNBOOK.contains(from), "{from}");
    check(&fixture::RUNBOOK.replacen(from, to, 1), expected);
}

#[test]
fn every_rule_of_the_language() {
    let mut failures = Vec::new();
    for (from, to, code, piece) in [
        ("runbook/v1\n", "runbook/v2\n", "RB0112", "runbook/v2"),
        ("objectives:", "objective:", "RB0107", "objective:"),
        ("ids: original", "ids: original\nids: original", "RB0106", "ids"),
        ("name: restoration-2\n", "", "RB0108", "schema"),
        ("kind: site\n", "kind: 3\n", "RB0109", "3"),
        ("shard_writes: { per", "'shard writes': { per", "RB0110", "'shard writes'"),
        ("shard: string", "sh-ard: string", "RB0110", "sh-ard"),
        ("on_exceeded: pause", "on_exceeded: stop", "RB0111", "stop"),
        ("timeout: 30m", "timeout: 30", "RB0201", "30"),
        ("rto: 6h", "rto: 0s", "RB0201", "0s"),
        ("rto: 6h", "rto: 9999d", "RB0201", "9999d"),
        ("200/s", "200/d", "RB0202", "200/d"),
        ("attempts: 3", "attempts: 0", "RB0203", "0"),
        ("^site-", "^(site-", "RB0204", "^(site-"),
        ("[1, 10, 10%, rest]", "[1, rest, 10%, 1]", "RB0205", "rest, 10%"),
        ("[0, 0, 2%, 2%]", "[0, 0]", "RB0206", "[0, 0]"),
        ("{ per: shard, slots: 4 }", "{ per: shard }", "RB0207", "shard_writes"),
        ("default: 5m", "default: soon", "RB0208", "soon"),
        ("before: site.deleted_at", "before: site.users", "RB0209", "site.users"),
        ("needs: catalogue, pool", "needs: catalog, pool", "RB0301", "catalog,"),
        ("[apps, media,", "[apps, media, media,", "RB0302", "media, { step"),
        ("needs: media, if", "needs: validate, if", "RB0303", "validate, if"),
        ("scope: shard, front_load", "scope: shards, front_load", "RB0304", "shards"),
        ("pool: identity_api", "pool: identity_app", "RB0305", "identity_app"),
        ("pool: identity_api", "pool: { identity_api: 33 }", "RB0306", "identity_api: 33"),
        (
            "scope: shard, needs: databases",
            "scope: batch, pool: shard_writes, needs: databases",
            "RB0307",
            "shard_writes, needs",
        ),
        ("-site.users", "-site.user", "RB0308", "-site.user"),
        ("needs: media, if", "needs: bystanders, if", "RB0309", "bystanders, if"),
        ("uses: identity/sync@1", "description: nothing", "RB0310", "identity"),
        ("if: site.apps", "if: 'site.apps and'", "RB0401", "and'"),
        ("secrets.api", "secret.api", "RB0402", "secret.api"),
        ("estate.backups[shard]", "estate.backups[site.shard]", "RB0403", "site.shard]"),
        (
            "scope: shard, needs: databases, uses: check/site@1",
            "scope: shard, needs: databases, uses: check/site@1, with: { a: \"${{ region }}\" }",
            "RB0403",
            "region }}",
        ),
        (
            "needs: databases, uses: check/site@1",
            "needs: databases, uses: check/site@1, with: { a: \"${{ steps.databases.outputs }}\" }",
            "RB0403",
            "steps.databases.outputs",
        ),
        ("steps.recover.outputs.url", "steps.media.outputs.url", "RB0404", "steps.media"),
        ("if: site.apps", "if: site.users", "RB0405", "site.users"),
        ("if: site.apps", "if: site.apps > 'x'", "RB0405", "site.apps > 'x'"),
        ("for_each: site.products", "for_each: site.users", "RB0405", "site.users"),
        ("steps.recover.outputs.url", "steps.recover.outputs.uri", "RB0406", "steps.recover.outputs.uri"),
        ("inputs.margin }}", "inputs.margn }}", "RB0407", "inputs.margn"),
        ("site.id }}/undelete", "site.idd }}/undelete", "RB0408", "site.idd"),
        ("if: site.apps", "if: site.apps | uppr", "RB0409", "uppr"),
        ("if: site.apps", "if: secrets.api == ''", "RB0410", "secrets.api"),
        ("    for_each: site.products\n", "", "RB0412", "item }}"),
        ("restore_point }}\" }, expect", "restore_point\" }, expect", "RB0413", "${{ restore_point"),
        ("identity/sync@1", "identity/sink@1", "RB0501", "identity/sink@1"),
        ("backup:", "backups:", "RB0502", "backups"),
        ("method: POST, ", "", "RB0503", "{ url"),
        ("method: POST", "method: SEND", "RB0504", "SEND"),
        ("idempotent: true", "retries: '3', idempotent: true", "RB0504", "'3'"),
        ("idempotent: true", "retries: 12, idempotent: true", "RB0504", "12"),
        ("idempotent: true", "poll: { every: 3 }, idempotent: true", "RB0504", "3 }"),
        ("idempotent: true", "retries: \"${{ site.id }}\", idempotent: true", "RB0504", "\"${{ site.id"),
        ("state: deleted", "status: deleted", "RB0505", "status"),
        ("timeout: 30m, ", "", "RB0601", "recover:"),
        (", idempotent: true", "", "RB0602", "catalogue:"),
        ("Bearer ${{ secrets.api }}", "Bearer 123", "RB0603", "\"Bearer 123\""),
        ("${{ estate.catalogue }}/sites", "http://me:pw@host/sites", "RB0603", "\"http://me"),
        ("uses: identity/sync@1", "approval: { from: [a], timeout: 1h, on_timeout: approve }", "RB0604", "approve }"),
        ("uses: identity/sync@1", "approval: { timeout: 1h }", "RB0605", "{ timeout: 1h }"),
        ("  identity:    {", "  verify:    {", "RB0606", "verify:    {"),
        ("on_failure: degrade", "on_failure: undo", "RB0611", "undo"),
        (
            "scope: shard, needs: databases, uses",
            "scope: shard, undo: { uses: noop@1 }, on_failure: undo, needs: databases, uses",
            "RB0611",
            "undo, needs",
        ),
        ("uses: objects/copy@1", "uses: objects/copy@1, with: { remap: { tenant: new } }", "RB0614", "remap: { tenant"),
    ] {
        if let Err(wrong) = std::panic::catch_unwind(|| changed(from, to, (code, piece))) {
            let wrong = wrong.downcast_ref::<String>().cloned().unwrap_or_default();
            failures.push(format!("{from} -> {to}: {wrong}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn all_errors_come_in_one_pass() {
    let text = fixture::RUNBOOK
        .replacen("objectives:", "objective:", 1)
        .replacen("needs: catalogue, pool", "needs: catalog, pool", 1)
        .replacen("site.id }}/undelete", "site.idd }}/undelete", 1)
        .replacen("200/s", "200/d", 1);
    let source = Source::new("a.yaml", text);
    let found = runbook::check(&source, &fixture::catalogue()).diagnostics;
    let codes: Vec<&str> = found.iter().map(|found| found.code).collect();
    assert_eq!(codes, ["RB0107", "RB0202", "RB0408", "RB0301"]);
    let hint = found[0].hint.as_deref().unwrap();
    assert!(hint.starts_with("did you mean `objectives`? allowed keys: "), "{hint}");
    let json: serde_json::Value = serde_json::from_str(&render_json(&found, &source)).unwrap();
    assert_eq!(json["errors"], 4);
    assert_eq!(json["diagnostics"][0]["code"], "RB0107");
    let github = render_github(&found, &source);
    assert!(github.starts_with("::error file=a.yaml,line="), "{github}");
    assert_eq!(github.lines().count(), 4);
}

#[test]
fn new_ids_that_no_step_writes_or_tells_are_warned_of() {
    let warned = |text: &str| -> Vec<String> {
        let checked = runbook::check(&Source::new("a.yaml", text), &fixture::catalogue());
        assert!(checked.runbook.is_some(), "{:?}", checked.diagnostics);
        checked.diagnostics.into_iter().filter(|found| found.code == "RB0615").map(|found| found.message).collect()
    };
    let remap = fixture::RUNBOOK.replacen("ids: original", "ids: remap", 1);
    let said = warned(&remap);
    assert_eq!(said.len(), 1, "what an open action answers may tell: {said:?}");
    assert!(said[0].contains("no step has an input `remap`"), "{said:?}");
    // Actions that say what they answer, and none of it is a new ID.
    let known = |text: String, action: &&str| text.replace(action, "catalogue/lookup@1");
    let silent = ["identity/sync@1", "exec/run@1", "check/site@1"].iter().fold(remap.clone(), known);
    let silent = silent.replace(", with: { command: [\"./apps.sh\", \"${{ site.id }}\"] }", "");
    let silent = silent.replace(", with: { name: \"${{ item }}\", batch: \"${{ batch.number }}\" }", "");
    assert_eq!(warned(&silent).len(), 2);
    let whole = remap.replacen("uses: objects/copy@1", "uses: objects/copy@1, with: { remap: { tenant: new } }", 1);
    assert_eq!(warned(&whole), Vec::<String>::new());
}

#[test]
fn the_cycle_is_printed() {
    let text = fixture::RUNBOOK.replacen("needs: media, if", "needs: validate, if", 1);
    let found = runbook::check(&Source::new("a.yaml", text), &fixture::catalogue()).diagnostics;
    let cycle = found.iter().find(|found| found.code == "RB0303").unwrap();
    assert!(cycle.message.contains("indexed -> validate -> indexed"), "{}", cycle.message);
}

#[test]
fn the_template_is_a_good_runbook() {
    let text = init_template("my restore!");
    let source = Source::new("new.yaml", text);
    let checked = runbook::check(&source, &fixture::catalogue());
    assert!(checked.runbook.is_some(), "{}", render_text(&checked.diagnostics, &source, false));
    assert_eq!(checked.runbook.unwrap().name(), "my-restore-");
    assert!(source.text.starts_with("# yaml-language-server: $schema=./runbook-v1.schema.json\n"));
}

#[test]
fn the_schema_types_the_inputs_of_each_action() {
    let schema = json_schema(&fixture::catalogue());
    let branches = schema["$defs"]["Step"]["allOf"].as_array().unwrap();
    assert_eq!(branches.len(), fixture::catalogue().len());
    let request =
        branches.iter().find(|branch| branch["if"]["properties"]["uses"]["const"] == "http/request@1").unwrap();
    assert_eq!(request["then"]["required"][0], "with");
    assert!(request["then"]["properties"]["with"]["properties"]["method"]["anyOf"].is_array());
    for name in ["Undo", "FinallyStep"] {
        assert_eq!(schema["$defs"][name]["allOf"], schema["$defs"]["Step"]["allOf"], "{name}");
    }
    let step = &schema["$defs"]["Step"];
    assert_eq!(step["oneOf"][1]["required"][0], "approval", "one of an action and an approval");
    assert_eq!((&step["if"]["required"][0], &step["then"]["properties"]["pool"]), (&"approval".into(), &false.into()));
    assert_eq!(schema["$defs"]["FinallyStep"]["properties"]["on_failure"]["enum"].as_array().unwrap().len(), 2);
    assert_eq!(schema["$defs"]["OnTimeout"]["enum"], serde_json::json!(["reject", "pause"]));
    assert!(!schema.to_string().contains("#/$defs/Poll"), "references into an action's own schema are resolved");
}
