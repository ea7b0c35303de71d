//! `sample`, `restore_point`, `objectives` and `inputs` of a drill file.

use std::collections::BTreeMap;

use engine::DrillObjectives;
use serde_json::Value as Json;

use crate::codes;
use crate::drill::keys;
use crate::drill::sample::{Sample, Size};
use crate::fields::Sink;
use crate::model::Runbook;
use crate::words;
use crate::yaml::{Node, Value};

pub(super) fn sample(sink: &mut Sink<'_>, node: &Node, runbook: Option<&Runbook>) -> Sample {
    let fields = sink.fields(node, "`sample`", keys::SAMPLE);
    let size = match (fields.get("count"), fields.entry("share")) {
        (Some(_), Some(share)) => {
            sink.error(
                codes::DRILL_SAMPLE,
                share.key_span,
                "the sample has both a `count` and a `share`",
                "keep one of them",
            );
            Size::All
        }
        (Some(count), None) => {
            let count = sink.integer(count, "`count`", 1..=10_000_000).and_then(|count| u32::try_from(count).ok());
            count.map_or(Size::All, Size::Count)
        }
        (None, Some(share)) => self::share(sink, &share.value),
        (None, None) => Size::All,
    };
    let mut stratify_by: Vec<String> = Vec::new();
    for (name, span) in fields.get("stratify_by").map(|node| sink.texts(node, "`stratify_by`")).unwrap_or_default() {
        let known: Vec<&str> =
            runbook.map(|runbook| runbook.attributes().map(|(name, _)| name).collect()).unwrap_or_default();
        if runbook.is_some() && !known.contains(&name) {
            sink.error(
                codes::UNKNOWN_ATTRIBUTE,
                span,
                format!("the runbook's sites have no attribute `{}`", words::short(name)),
                words::suggest(name, "attributes", known),
            );
        } else if stratify_by.iter().any(|other| other == name) {
            sink.error(
                codes::DRILL_SAMPLE,
                span,
                format!("`{}` is named twice", words::short(name)),
                "remove one of them",
            );
        } else {
            stratify_by.push(name.to_owned());
        }
    }
    let seed = fields.get("seed").and_then(|node| match &node.value {
        Value::Text(text) if text == "random" => None,
        Value::Integer(_) => sink.integer(node, "`seed`", 0..=i64::MAX).and_then(|seed| u64::try_from(seed).ok()),
        _ => {
            sink.wrong(
                node,
                "`seed`",
                "a whole number or `random`",
                "write `seed: random` for another sample each time",
            );
            None
        }
    });
    Sample { size, stratify_by, seed }
}

fn share(sink: &mut Sink<'_>, node: &Node) -> Size {
    let hint = "write a percentage, such as `share: 5%`";
    let Some(text) = sink.text(node, "`share`") else { return Size::All };
    match words::percent(text) {
        Ok(0) => sink.error(codes::BAD_NUMBER, node.span, "a share of nothing", hint),
        Ok(share) => return Size::Share(share),
        Err(fact) => sink.error(codes::BAD_NUMBER, node.span, fact, hint),
    }
    Size::All
}

/// Reads from how long before the runbook's points restore points are drawn; 0 for the runbook's own.
pub(super) fn window(sink: &mut Sink<'_>, node: &Node, runbook: Option<&Runbook>) -> u64 {
    let hint = "say from which time before the runbook's own point it is drawn: `restore_point: { random: 24h }`";
    let window = match &node.value {
        Value::Text(text) if text == "latest" => 0,
        Value::Text(text) if text == "random" => {
            sink.error(codes::DRILL_POINT, node.span, "`restore_point: random` has no bound", hint);
            0
        }
        Value::Map(_) => {
            let fields = sink.fields(node, "`restore_point`", keys::POINT);
            fields.need(sink, "random", hint).and_then(|node| sink.duration(node, "`random`", false)).unwrap_or(0)
        }
        _ => sink.word(node, "`restore_point`", &[("latest", 0)]).unwrap_or(0),
    };
    if window > 0 && runbook.is_some_and(|runbook| runbook.restore_point.is_none()) {
        sink.error(
            codes::DRILL_POINT,
            node.span,
            "the runbook has no restore point that another could be drawn from",
            "remove the line, or give the runbook a `restore_point`",
        );
    }
    window
}

pub(super) fn objectives(sink: &mut Sink<'_>, node: &Node) -> DrillObjectives {
    let fields = sink.fields(node, "`objectives`", keys::OBJECTIVES);
    let exceptions = fields.get("exceptions").and_then(|node| sink.integer(node, "`exceptions`", 0..=10_000_000));
    DrillObjectives {
        rto_p95_ms: fields.get("rto_p95").and_then(|node| sink.duration(node, "`rto_p95`", false)),
        rpo_max_ms: fields.get("rpo_max").and_then(|node| sink.duration(node, "`rpo_max`", true)),
        throughput_min: fields.get("throughput_min").and_then(|node| throughput(sink, node)),
        // A drill that says nothing of exceptions has none to give away.
        exceptions: Some(exceptions.and_then(|count| u32::try_from(count).ok()).unwrap_or(0)),
    }
}

fn throughput(sink: &mut Sink<'_>, node: &Node) -> Option<f64> {
    let hint = "write sites per hour as a number: `throughput_min: 120`";
    match node.to_json().as_f64().filter(|_| !matches!(node.value, Value::Text(_))) {
        Some(number) if number > 0.0 && number.is_finite() => Some(number),
        Some(_) => {
            sink.error(codes::BAD_NUMBER, node.span, "`throughput_min` must be above 0", hint);
            None
        }
        None => {
            sink.wrong(node, "`throughput_min`", "a number", hint);
            None
        }
    }
}

/// Reads values of the runbook's inputs, in the form in which they would be typed.
pub(super) fn inputs(sink: &mut Sink<'_>, node: &Node, runbook: Option<&Runbook>) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for entry in sink.entries(node, "`inputs`") {
        let known = |runbook: &Runbook| runbook.inputs.iter().any(|input| input.name == entry.key);
        if let Some(runbook) = runbook.filter(|runbook| !known(runbook)) {
            sink.error(
                codes::PLAN_INPUT,
                entry.key_span,
                format!("the runbook has no input `{}`", words::short(&entry.key)),
                words::suggest(&entry.key, "inputs", runbook.inputs.iter().map(|input| input.name.as_str())),
            );
        }
        match typed(&entry.value.to_json()) {
            Some(text) => {
                all.insert(entry.key.clone(), text);
            }
            None => {
                sink.wrong(&entry.value, "an input", "a value", "write a text, a number, a flag or a list of texts")
            }
        }
    }
    all
}

fn typed(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Bool(_) | Json::Number(_) => Some(value.to_string()),
        Json::Array(items) => items.iter().map(Json::as_str).collect::<Option<Vec<_>>>().map(|items| items.join(";")),
        _ => None,
    }
}
