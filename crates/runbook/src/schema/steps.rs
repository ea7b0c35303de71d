//! What a step of each kind may have: an action or an approval, in `steps` or in `finally`.

use serde_json::{Map, Value as Json, json};

use crate::lower::{NOT_IN_APPROVAL, NOT_IN_FINALLY};

/// Completes the schema of a step: one of action and approval, and `finally`, or `clean_up` of a drill,
/// with a kind of step of its own.
pub(super) fn kinds(schema: &mut Json) {
    let Some(definitions) = schema.get_mut("$defs").and_then(Json::as_object_mut) else { return };
    let Some(step) = definitions.get("Step").cloned() else { return };
    definitions.insert("FinallyStep".into(), of_finally(step));
    if let Some(step) = definitions.get_mut("Step") {
        let never: Map<String, Json> =
            NOT_IN_APPROVAL.iter().map(|(word, _)| ((*word).to_owned(), Json::Bool(false))).collect();
        step["if"] = json!({ "required": ["approval"] });
        step["then"] = json!({ "properties": never });
        step["oneOf"] = json!([{ "required": ["uses"] }, { "required": ["approval"] }]);
    }
    for list in ["finally", "clean_up"] {
        if let Some(steps) = schema.pointer_mut(&format!("/properties/{list}/additionalProperties")) {
            *steps = json!({ "$ref": "#/$defs/FinallyStep" });
        }
    }
}

fn of_finally(mut step: Json) -> Json {
    step["description"] = "A step that runs when all others have settled.".into();
    step["required"] = json!(["uses"]);
    if let Some(fields) = step.get_mut("properties").and_then(Json::as_object_mut) {
        for (word, _) in NOT_IN_FINALLY {
            fields.remove(*word);
        }
        fields.insert(
            "on_failure".into(),
            json!({
                "description": "What a final failure is shown as; the run then ends with an exception.",
                "enum": ["quarantine", "degrade"],
            }),
        );
    }
    step
}
