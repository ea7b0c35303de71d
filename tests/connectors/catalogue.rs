//! The catalogue as data, and `noop`.

use std::collections::BTreeSet;

use runtime::engine::Holds;
use serde_json::{Value, json};

use crate::world::{World, call, done};

#[test]
fn every_action_is_listed_once_with_schemas() {
    let catalogue = connectors::catalogue();
    let names: BTreeSet<&str> = catalogue.iter().map(|action| action.uses.as_str()).collect();
    assert_eq!(names.len(), catalogue.len());
    for name in [
        "noop@1",
        "http/request@1",
        "check/http@1",
        "check/sql@1",
        "exec/run@1",
        "objects/copy@1",
        "objects/verify@1",
        "objects/remove@1",
        "sqlite/recover@1",
        "sqlite/remove@1",
        "sqlite/drop-recovered@1",
        "sqlite/restore@1",
        "sqlite/verify@1",
        "sqlite/bystanders@1",
        "postgres/recover@1",
        "postgres/drop-recovered@1",
        "notify/webhook@1",
        "notify/slack@1",
        "notify/email@1",
        "notify/contacts@1",
    ] {
        assert!(names.contains(name), "{name}");
    }
    for action in &catalogue {
        assert!(!action.summary.is_empty());
        if action.uses != "noop@1" {
            assert_eq!(action.input["additionalProperties"], false, "{}: unknown keys must be refused", action.uses);
            assert!(action.output["properties"].is_object(), "{}", action.uses);
        }
    }
    let exec = catalogue.iter().find(|action| action.uses == "exec/run@1").unwrap();
    assert_eq!(exec.idempotent, Holds::WhenInput("idempotent".to_owned()));
    assert_eq!(exec.input["properties"]["idempotent"]["type"], "boolean");
    let request = catalogue.iter().find(|action| action.uses == "http/request@1").unwrap();
    assert_eq!(request.has_probe, Holds::WhenInput("probe".to_owned()));
    assert!(request.input["properties"]["probe"].is_object());
    // Mail is at least once: only who keeps a ledger may apply it twice.
    for uses in ["notify/email@1", "notify/slack@1"] {
        let spec = catalogue.iter().find(|action| action.uses == uses).unwrap();
        let kept = Holds::WhenInput("once".to_owned());
        assert_eq!((&spec.idempotent, &spec.has_probe), (&kept, &kept));
        assert!(spec.input["properties"]["once"].is_object());
    }
}

#[tokio::test]
async fn noop_echoes_its_outputs() {
    let world = World::new();
    let outputs = json!({ "a": 1, "b": [true] });
    assert_eq!(done(&world.apply(call("noop@1", json!({ "outputs": outputs }))).await), outputs);
    assert_eq!(done(&world.apply(call("noop@1", json!(7))).await), Value::Null);
}

#[tokio::test]
async fn unknown_inputs_are_refused() {
    let world = World::new();
    for uses in
        ["http/request@1", "exec/run@1", "objects/copy@1", "sqlite/restore@1", "sqlite/recover@1", "check/sql@1"]
    {
        let outcome = world.apply(call(uses, json!({ "no_such_input": "⟦secret:canary⟧" }))).await;
        crate::world::refused(&outcome, "inputs", runtime::engine::Advice::Never);
    }
}
