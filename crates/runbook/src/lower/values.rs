//! Inputs, their types and their defaults.

use serde_json::Value as Json;

use crate::codes;
use crate::fields::Sink;
use crate::lower::keys;
use crate::model::{Input, Type};
use crate::words;
use crate::yaml::Node;

const TYPES: &[(&str, Type)] = &[
    ("string", Type::Text),
    ("integer", Type::Integer),
    ("number", Type::Number),
    ("boolean", Type::Boolean),
    ("timestamp", Type::Timestamp),
    ("list<string>", Type::Texts),
    ("duration", Type::Duration),
];

/// Words that cannot name a group, because expressions already use them.
pub(crate) const RESERVED: &[&str] = &[
    "run",
    "batch",
    "site",
    "item",
    "inputs",
    "estate",
    "steps",
    "secrets",
    "restore_point",
    "restore_points",
    "true",
    "false",
    "none",
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
    "True",
    "False",
    "None",
    "range",
];

/// Reads a type; attributes may not be durations.
pub(crate) fn type_word(sink: &mut Sink<'_>, node: &Node, what: &str, durations: bool) -> Option<Type> {
    let known = if durations { TYPES } else { &TYPES[..TYPES.len() - 1] };
    sink.word(node, what, known)
}

pub(crate) fn inputs(sink: &mut Sink<'_>, node: &Node) -> Vec<Input> {
    let mut all = Vec::new();
    for entry in sink.entries(node, "`inputs`") {
        variable_name(sink, &entry.key, entry.key_span, "an input");
        let fields = sink.fields(&entry.value, "an input", keys::INPUT);
        if let Some(node) = fields.get("description") {
            sink.text(node, "`description`");
        }
        let ty = fields
            .need(
                sink,
                "type",
                "give it a type: `string`, `integer`, `number`, `boolean`, `timestamp`, `duration` or `list<string>`",
            )
            .and_then(|node| type_word(sink, node, "`type`", true));
        let Some(ty) = ty else { continue };
        let default = fields.get("default").and_then(|node| {
            let value = accept(ty, &node.to_json());
            if let Err(fact) = &value {
                sink.error(
                    codes::BAD_DEFAULT,
                    node.span,
                    format!("the default of `{}` is no {}: {fact}", entry.key, ty.word()),
                    format!("write a {} or change the type", ty.word()),
                );
            }
            value.ok()
        });
        all.push(Input { name: entry.key.clone(), span: entry.key_span, ty, default });
    }
    all
}

/// Checks a name that expressions use as a variable or after a dot: no `-`.
pub(crate) fn variable_name(sink: &mut Sink<'_>, name: &str, span: crate::source::Span, what: &str) {
    if words::is_name(name) && name.contains('-') {
        sink.error(
            codes::BAD_NAME,
            span,
            format!("`{name}` is not a name for {what}: `-` means minus in expressions"),
            format!("call it `{}`", name.replace('-', "_")),
        );
    } else {
        sink.name(name, span, what, &[]);
    }
}

/// Takes a JSON value as a type, in the form that expressions see: times and durations as text.
pub(crate) fn accept(ty: Type, value: &Json) -> Result<Json, String> {
    match (ty, value) {
        (Type::Text, Json::String(_)) | (Type::Boolean, Json::Bool(_)) => Ok(value.clone()),
        (Type::Integer, Json::Number(number)) if number.is_i64() => Ok(value.clone()),
        (Type::Number, Json::Number(_)) => Ok(value.clone()),
        (Type::Duration, Json::String(text)) => words::duration_ms(text).map(|_| value.clone()),
        (Type::Timestamp, Json::String(text)) => Ok(crate::time::show(crate::time::read(text)?).into()),
        (Type::Texts, Json::Array(items)) if items.iter().all(Json::is_string) => Ok(value.clone()),
        _ => Err(format!("`{}` has another type", words::short(&value.to_string()))),
    }
}

/// Reads the text of a command-line override as a type.
pub(crate) fn from_text(ty: Type, text: &str) -> Result<Json, String> {
    let wrong = || format!("`{}` is no {}", words::short(text), ty.word());
    match ty {
        Type::Text | Type::Duration | Type::Timestamp => accept(ty, &Json::String(text.to_owned())),
        Type::Integer => text.parse::<i64>().map(Json::from).map_err(|_| wrong()),
        Type::Number => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Json::from).ok_or_else(wrong),
        Type::Boolean => text.parse::<bool>().map(Json::from).map_err(|_| wrong()),
        Type::Texts => Ok(text.split(';').map(str::trim).filter(|item| !item.is_empty()).collect()),
    }
}
