//! The inputs of an action inside the schema of a step: any value may also be a text with a hole.

use engine::ActionSpec;
use serde_json::{Map, Value as Json, json};

use crate::check::schema::follow;

/// `if uses is this action, then with is its input`.
pub(super) fn branch(action: &ActionSpec) -> Json {
    let input = open(&action.input, &action.input, 0);
    let mut then = json!({ "properties": { "with": input } });
    let needs = action.input.get("required").and_then(Json::as_array).is_some_and(|names| !names.is_empty());
    if needs {
        then["required"] = json!(["with"]);
    }
    json!({
        "if": { "properties": { "uses": { "const": action.uses } }, "required": ["uses"] },
        "then": then,
    })
}

/// Copies a schema with its local references put in place and holes allowed for every value inside.
fn open(root: &Json, schema: &Json, depth: usize) -> Json {
    let Json::Object(found) = follow(root, schema) else { return schema.clone() };
    if depth > 12 {
        return json!({});
    }
    let mut copy = Map::new();
    for (key, value) in found {
        let value = match (key.as_str(), value) {
            ("$defs" | "definitions" | "$schema" | "title" | "$id", _) => continue,
            ("properties", Json::Object(all)) => Json::Object(
                all.iter().map(|(name, inner)| (name.clone(), or_hole(open(root, inner, depth + 1)))).collect(),
            ),
            ("items" | "additionalProperties", Json::Object(_)) => or_hole(open(root, value, depth + 1)),
            ("anyOf" | "oneOf" | "allOf", Json::Array(all)) => {
                all.iter().map(|inner| open(root, inner, depth + 1)).collect()
            }
            _ => value.clone(),
        };
        copy.insert(key.clone(), value);
    }
    Json::Object(copy)
}

fn or_hole(schema: Json) -> Json {
    let plain_text = schema.get("type").is_some_and(|kind| kind == "string")
        && ["enum", "pattern", "format", "const"].iter().all(|word| schema.get(word).is_none());
    if plain_text || schema.as_object().is_some_and(Map::is_empty) {
        return schema;
    }
    json!({ "anyOf": [schema, { "type": "string", "pattern": r"\$\{\{" }] })
}
