//! What a page must not leave out: keys, words, actions, verbs.

use serde_json::Value;

fn page(name: &str) -> &'static str {
    server::guide::topic(name).unwrap().text
}

/// Whether a text names something in code.
fn names(text: &str, word: &str) -> bool {
    text.contains(&format!("`{word}`")) || text.contains(&format!("`{word}:"))
}

/// Where each map of the language is told of: its definition in the schema, and the heading.
const MAPS: &[(&str, &str)] = &[
    ("", "## The file"),
    ("/$defs/Input", "## `inputs`"),
    ("/$defs/Targets", "## `targets`"),
    ("/$defs/Verify", "## `targets`"),
    ("/$defs/RestorePoint", "## `restore_point`"),
    ("/$defs/Objectives", "## `objectives`"),
    ("/$defs/Pool", "## `pools`"),
    ("/$defs/Batches", "## `batches`"),
    ("/$defs/Gate", "## `batches`"),
    ("/$defs/Approval", "## Approvals"),
    ("/$defs/Defaults", "## `defaults`"),
    ("/$defs/Retry", "## `retry`"),
    ("/$defs/Step", "## Steps"),
    ("/$defs/NeedMap", "## Steps"),
    ("/$defs/Undo", "## Steps"),
    ("/$defs/FinallyStep", "## `finally`"),
];

#[test]
fn every_key_of_the_language_is_on_the_page_of_the_runbook() {
    let schema = runbook::json_schema(&[]);
    let text = page("runbook");
    let mut missing = Vec::new();
    for (pointer, heading) in MAPS {
        let map = schema.pointer(pointer).unwrap_or_else(|| panic!("the schema has no {pointer}"));
        let section = reinstate_tests::typed::section(text, heading);
        // What a step of `finally` has is told of with the others.
        let section = if *heading == "## `finally`" { text } else { section };
        for (key, value) in map["properties"].as_object().unwrap() {
            if !names(section, key) {
                missing.push(format!("{heading}: {key}"));
            }
            missing.extend(
                words(value).into_iter().filter(|word| !names(text, word)).map(|word| format!("{key}: {word}")),
            );
        }
    }
    assert!(missing.is_empty(), "not on the page of the runbook:\n{}", missing.join("\n"));
    let known: Vec<&str> = MAPS.iter().map(|(pointer, _)| *pointer).collect();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        let told = known.contains(&format!("/$defs/{name}").as_str());
        assert!(told || definition.get("properties").is_none(), "the map {name} belongs to no heading");
        for word in words(definition) {
            assert!(names(text, &word), "the word {word} of {name} is not on the page of the runbook");
        }
    }
}

/// Words of which a value is one.
fn words(schema: &Value) -> Vec<String> {
    let one = schema["const"].as_str().map(str::to_owned);
    let listed = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    let inner = ["oneOf", "anyOf"].iter().filter_map(|word| schema[word].as_array()).flatten().flat_map(words);
    one.into_iter().chain(listed).chain(inner).collect()
}

#[test]
fn every_key_of_an_estate_is_on_its_page() {
    let schema = runbook::estate_schema(&[]);
    let text = page("estates");
    let maps = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    for key in maps.filter_map(|map| map["properties"].as_object()).flat_map(|keys| keys.keys()) {
        assert!(names(text, key), "{key} is not on the page of the estates");
    }
}

#[test]
fn every_key_of_a_drill_is_on_its_page() {
    let schema = runbook::drill_schema(&[]);
    let text = page("drills");
    // What steps have is on the page of the runbook.
    let others = runbook::json_schema(&[]);
    let own = schema["$defs"].as_object().unwrap().iter().filter(|(name, _)| others["$defs"].get(name).is_none());
    let maps: Vec<&Value> = own.map(|(_, map)| map).chain([&schema]).collect();
    for key in maps.iter().filter_map(|map| map["properties"].as_object()).flat_map(|keys| keys.keys()) {
        assert!(names(text, key) || text.contains(&format!("`{{ {key}: ")), "{key} is not on the page of the drills");
    }
    for word in maps.iter().flat_map(|map| words(map)) {
        assert!(names(text, &word), "the word {word} is not on the page of the drills");
    }
}

#[test]
fn every_key_of_the_sign_in_is_on_the_page_of_the_daemon() {
    let schema = runbook::oidc_schema(&[]);
    for key in schema["properties"].as_object().unwrap().keys().filter(|key| *key != "schema") {
        assert!(names(page("serve"), key), "{key} is not on the page of the daemon");
    }
}

#[test]
fn every_action_is_on_the_page_of_the_connectors_with_its_inputs() {
    let text = page("connectors");
    for action in connectors::catalogue() {
        let heading = format!("### `{}`", action.uses);
        assert!(text.contains(&format!("{heading}\n")), "{} has no heading on the page of the connectors", action.uses);
        let section = text.split_once(&format!("{heading}\n")).unwrap().1;
        let section = section.split("\n### ").next().unwrap_or_default();
        for input in action.input["properties"].as_object().into_iter().flatten().map(|(name, _)| name) {
            assert!(names(section, input), "the input {input} of {} is not told of", action.uses);
        }
    }
}

#[test]
fn every_command_of_a_run_is_on_the_page_of_operating() {
    let text = page("operating");
    for verb in [
        "status",
        "why",
        "watch",
        "logs",
        "sites",
        "runs",
        "report",
        "approvals",
        "approve",
        "reject",
        "pause",
        "continue",
        "cancel",
        "retry",
        "skip",
        "mark-done",
        "resolve",
        "quarantine",
        "exclude",
        "release",
        "adopt",
        "undo",
        "pool set",
        "amend",
        "resume",
    ] {
        assert!(
            text.contains(&format!("reinstate {verb}")) || names(text, verb),
            "{verb} is not on the page of operating"
        );
    }
}

#[test]
fn every_role_is_on_the_page_of_the_daemon() {
    for role in server::access::Role::ALL {
        assert!(names(page("serve"), role.word()), "{}", role.word());
    }
}
