//! `with` against the action's own schema, and what an action's nature allows.

use engine::{ActionSpec, Holds};
use serde_json::Value as Json;

use crate::check::schema;
use crate::codes;
use crate::fields::Sink;
use crate::model::{Action, Runbook, Step};
use crate::source::Span;
use crate::template;
use crate::words;
use crate::yaml::{Entry, Node, Value};

pub(crate) fn check(sink: &mut Sink<'_>, runbook: &Runbook) {
    for step in &runbook.steps {
        if step.synthesised && step.action.as_ref().is_some_and(|action| action.spec.uses == "noop@1") {
            continue;
        }
        if let Some(action) = &step.action {
            with(sink, action, step.with.as_ref(), step.span);
            retry(sink, step, action);
        }
        if let Some(undo) = &step.undo {
            with(sink, &undo.action, undo.with.as_ref(), undo.span);
        }
    }
}

/// Says whether a step changes nothing in the estate; a look-up of IDs never does, whatever action it uses.
pub(crate) fn read_only(step: &Step) -> bool {
    step.synthesised || step.action.as_ref().is_none_or(|action| action.spec.read_only)
}

/// Says whether applying an action twice with these inputs has the effect once.
pub(crate) fn idempotent(action: &ActionSpec, with: Option<&Node>) -> bool {
    action.read_only || holds(&action.idempotent, with)
}

/// Says whether a property of an action holds for these inputs.
pub(crate) fn holds(property: &Holds, with: Option<&Node>) -> bool {
    match (property, with.map(|node| &node.value)) {
        (Holds::Always, _) => true,
        (Holds::WhenInput(name), Some(Value::Map(entries))) => entries
            .iter()
            .any(|entry| entry.key == *name && !matches!(entry.value.value, Value::Bool(false) | Value::Null)),
        (Holds::WhenInput(_) | Holds::Never, _) => false,
    }
}

/// How an action becomes safe to apply twice, if its inputs can say so.
pub(super) fn how_to_be_safe(action: &ActionSpec) -> Option<String> {
    match &action.idempotent {
        Holds::WhenInput(name) => {
            let flag = schema::property(&action.input, name)
                .is_some_and(|property| schema::allows(&action.input, property, "boolean"));
            Some(match flag {
                true => format!("set `with.{name}: true` if applying it twice is safe"),
                false => format!("give `with.{name}`, which sees to it that it acts once"),
            })
        }
        Holds::Always | Holds::Never => None,
    }
}

fn retry(sink: &mut Sink<'_>, step: &Step, action: &Action) {
    if step.retry.attempts <= 1 || idempotent(&action.spec, step.with.as_ref()) {
        return;
    }
    let once = "set `retry: { attempts: 1 }` on this step";
    let hint = how_to_be_safe(&action.spec).map_or_else(|| once.to_owned(), |safe| format!("{safe}, or {once}"));
    sink.error(
        codes::RETRY_UNSAFE,
        step.span,
        format!("`{}` retries {}, which may then act twice", step.name, action.words()),
        hint,
    );
}

fn with(sink: &mut Sink<'_>, action: &Action, node: Option<&Node>, place: Span) {
    let none = Node { span: place, value: Value::Map(Vec::new()) };
    inputs(sink, &action.words(), &action.spec.input, node.unwrap_or(&none));
}

/// Holds inputs against the schema of an action.
pub(crate) fn inputs(sink: &mut Sink<'_>, what: &str, schema: &Json, node: &Node) {
    if !matches!(node.value, Value::Map(_)) {
        sink.wrong(node, "`with`", "a map", "write one line `input: value` for each input");
        return;
    }
    sink.unique(node, "`with`");
    value(sink, what, (schema, schema), node, 0);
}

fn kind_of(node: &Node) -> &'static str {
    match &node.value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Integer(_) => "integer",
        Value::Number(_) => "number",
        Value::Text(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
    }
}

fn value(sink: &mut Sink<'_>, what: &str, (root, schema): (&Json, &Json), node: &Node, depth: usize) {
    if depth > 64 {
        return;
    }
    if let Value::Text(text) = &node.value
        && template::has_hole(text)
    {
        // The type of a hole is known where its expression is checked.
        return;
    }
    let kind = kind_of(node);
    if !schema::allows(root, schema, kind) {
        sink.error(
            codes::INPUT_TYPE,
            node.span,
            format!("{what} must be {}, but this is {}", schema::wanted(root, schema), node.kind()),
            "write a value of that type",
        );
        return;
    }
    let fitting: Vec<&Json> = schema::branches(root, schema)
        .into_iter()
        .filter(|branch| {
            let types = schema::types(branch);
            types.is_empty() || types.contains(&kind) || (kind == "integer" && types.contains(&"number"))
        })
        .collect();
    if let Value::Text(text) = &node.value {
        words_allowed(sink, what, &fitting, text, node.span);
    }
    // With several alternatives left it is not known which one is meant.
    let [schema] = fitting.as_slice() else { return };
    match &node.value {
        Value::Map(entries) => map(sink, what, (root, schema), entries, node.span, depth),
        Value::List(items) => {
            if let Some(inner) = schema.get("items") {
                for item in items {
                    value(sink, &format!("an item of {what}"), (root, inner), item, depth + 1);
                }
            }
        }
        Value::Integer(_) | Value::Number(_) => range(sink, what, schema, node),
        _ => {}
    }
}

fn words_allowed(sink: &mut Sink<'_>, what: &str, fitting: &[&Json], text: &str, span: Span) {
    let mut known: Vec<&str> = Vec::new();
    for branch in fitting {
        match (branch.get("enum").and_then(Json::as_array), branch.get("const").and_then(Json::as_str)) {
            (Some(words), _) => known.extend(words.iter().filter_map(Json::as_str)),
            (None, Some(word)) => known.push(word),
            (None, None) => return,
        }
    }
    if !known.is_empty() && !known.contains(&text) {
        sink.error(
            codes::INPUT_TYPE,
            span,
            format!("{what} cannot be `{}`", words::short(text)),
            words::suggest(text, "allowed", known),
        );
    }
}

fn range(sink: &mut Sink<'_>, what: &str, schema: &Json, node: &Node) {
    let number = match node.value {
        Value::Integer(number) => number as f64,
        Value::Number(number) => number,
        _ => return,
    };
    let low = schema.get("minimum").and_then(Json::as_f64);
    let high = schema.get("maximum").and_then(Json::as_f64);
    if low.is_some_and(|low| number < low) || high.is_some_and(|high| number > high) {
        let show = |bound: Option<f64>| bound.map_or_else(|| "any".to_owned(), |bound| bound.to_string());
        sink.error(
            codes::INPUT_TYPE,
            node.span,
            format!("{what} is {number}, outside {} to {}", show(low), show(high)),
            "write a number within the range",
        );
    }
}

fn map(sink: &mut Sink<'_>, what: &str, (root, schema): (&Json, &Json), entries: &[Entry], span: Span, depth: usize) {
    let empty = serde_json::Map::new();
    let properties = schema.get("properties").and_then(Json::as_object).unwrap_or(&empty);
    let more = schema.get("additionalProperties");
    for entry in entries {
        match (properties.get(&entry.key), more) {
            (Some(inner), _) => {
                value(sink, &format!("`{}` of {what}", entry.key), (root, inner), &entry.value, depth + 1)
            }
            (None, Some(inner @ Json::Object(_))) => {
                value(
                    sink,
                    &format!("`{}` of {what}", words::short(&entry.key)),
                    (root, inner),
                    &entry.value,
                    depth + 1,
                );
            }
            (None, Some(Json::Bool(true))) => {}
            (None, None) if properties.is_empty() => {}
            (None, _) => sink.error(
                codes::UNKNOWN_INPUT,
                entry.key_span,
                format!("{what} has no input `{}`", words::short(&entry.key)),
                words::suggest(&entry.key, "inputs", properties.keys().map(String::as_str)),
            ),
        }
    }
    for name in schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str) {
        if !entries.iter().any(|entry| entry.key == name) {
            let about = properties.get(name).and_then(|schema| schema.get("description")).and_then(Json::as_str);
            let hint = match about {
                Some(about) => format!("add `{name}: ...`: {about}"),
                None => format!("add `{name}: ...`"),
            };
            sink.error(
                codes::MISSING_INPUT,
                Span::new(span.start, span.start),
                format!("{what} needs the input `{name}`"),
                hint,
            );
        }
    }
}
