//! The part of JSON Schema that actions use to describe their inputs and outputs.

use serde_json::Value as Json;

use crate::expr::Ty;

/// Follows local references, a bounded number of times.
pub(crate) fn follow<'a>(root: &'a Json, mut schema: &'a Json) -> &'a Json {
    for _ in 0..16 {
        let Some(path) = schema.get("$ref").and_then(Json::as_str).and_then(|path| path.strip_prefix('#')) else {
            return schema;
        };
        match root.pointer(path) {
            Some(found) => schema = found,
            None => return schema,
        }
    }
    schema
}

/// Returns the names of the properties if no others are allowed.
pub(crate) fn known_properties(schema: &Json) -> Option<Vec<&str>> {
    let schema = follow(schema, schema);
    let properties = schema.get("properties")?.as_object()?;
    match schema.get("additionalProperties") {
        None | Some(Json::Bool(false)) => Some(properties.keys().map(String::as_str).collect()),
        Some(_) => None,
    }
}

/// Returns the schema of a property of the root.
pub(crate) fn property<'a>(root: &'a Json, name: &str) -> Option<&'a Json> {
    nested(root, root, name)
}

/// Returns the schema of a property of a schema; also what `additionalProperties` says.
pub(crate) fn nested<'a>(root: &'a Json, schema: &'a Json, name: &str) -> Option<&'a Json> {
    branches(root, schema).into_iter().find_map(|schema| {
        schema
            .get("properties")
            .and_then(|all| all.get(name))
            .or_else(|| schema.get("additionalProperties").filter(|more| more.is_object()))
    })
}

/// Returns the schema of the items of a list.
pub(crate) fn items<'a>(root: &'a Json, schema: &'a Json) -> Option<&'a Json> {
    branches(root, schema).into_iter().find_map(|schema| schema.get("items").filter(|items| items.is_object()))
}

/// The alternatives of a schema, references followed; itself if it has none.
pub(crate) fn branches<'a>(root: &'a Json, schema: &'a Json) -> Vec<&'a Json> {
    let mut found = Vec::new();
    collect(root, schema, 0, &mut found);
    found
}

fn collect<'a>(root: &'a Json, schema: &'a Json, depth: usize, found: &mut Vec<&'a Json>) {
    let schema = follow(root, schema);
    let inner = ["anyOf", "oneOf", "allOf"].into_iter().find_map(|word| schema.get(word)?.as_array());
    match inner {
        Some(inner) if depth < 8 && schema.get("type").is_none() => {
            for branch in inner {
                collect(root, branch, depth + 1, found);
            }
        }
        _ => found.push(schema),
    }
}

/// The JSON types that one branch allows; empty for all.
pub(crate) fn types(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).collect(),
        _ => match schema
            .get("enum")
            .and_then(Json::as_array)
            .or(schema.get("const").map(std::slice::from_ref).map(|_| EMPTY))
        {
            Some(values) if !values.is_empty() && values.iter().all(Json::is_string) => vec!["string"],
            _ if schema.get("const").is_some_and(Json::is_string) => vec!["string"],
            _ => Vec::new(),
        },
    }
}

const EMPTY: &Vec<Json> = &Vec::new();

/// Says whether a schema allows a JSON type.
pub(crate) fn allows(root: &Json, schema: &Json, kind: &str) -> bool {
    branches(root, schema).into_iter().any(|branch| {
        let types = types(branch);
        types.is_empty() || types.contains(&kind) || (kind == "integer" && types.contains(&"number"))
    })
}

/// Says whether a schema may take a value of a type.
pub(crate) fn accepts_type(root: &Json, schema: &Json, ty: &Ty) -> bool {
    match ty {
        Ty::Any => true,
        Ty::Null => allows(root, schema, "null"),
        Ty::Boolean => allows(root, schema, "boolean"),
        Ty::Integer => allows(root, schema, "integer"),
        Ty::Number => allows(root, schema, "number"),
        Ty::Text => allows(root, schema, "string"),
        Ty::List(_) => allows(root, schema, "array"),
        Ty::Map => allows(root, schema, "object"),
        Ty::MapOf(item) => branches(root, schema).into_iter().any(|branch| takes_map(root, branch, item)),
    }
}

/// Says whether one branch of a schema takes a map with keys of any name and values of a type.
fn takes_map(root: &Json, branch: &Json, item: &Ty) -> bool {
    let types = types(branch);
    let named = branch.get("properties").and_then(Json::as_object).is_some_and(|names| !names.is_empty());
    (types.is_empty() || types.contains(&"object"))
        && match branch.get("additionalProperties") {
            Some(Json::Bool(open)) => *open,
            Some(inner) => accepts_type(root, inner, item),
            None => !named,
        }
}

/// Names what a schema wants, for people.
pub(crate) fn wanted(root: &Json, schema: &Json) -> String {
    let mut words: Vec<&str> = Vec::new();
    for kind in branches(root, schema).into_iter().flat_map(types) {
        let word = match kind {
            "string" => "a text",
            "integer" => "an integer",
            "number" => "a number",
            "boolean" => "a boolean",
            "array" => "a list",
            "object" => "a map",
            _ => continue,
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    if words.is_empty() { "another value".into() } else { words.join(" or ") }
}

/// The type of an output.
pub(crate) fn property_type(root: &Json, name: &str) -> Ty {
    let Some(schema) = property(root, name) else { return Ty::Any };
    let branches = branches(root, schema);
    let [only] = branches.as_slice() else { return Ty::Any };
    match types(only).as_slice() {
        ["string"] => Ty::Text,
        ["integer"] => Ty::Integer,
        ["number"] => Ty::Number,
        ["boolean"] => Ty::Boolean,
        ["array"] => Ty::List(Box::new(Ty::Any)),
        ["object"] => Ty::Map,
        _ => Ty::Any,
    }
}
