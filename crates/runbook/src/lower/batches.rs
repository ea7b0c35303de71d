//! `batches`: growing sizes and the failures that each tolerates.

use engine::OnExceeded;

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::fields::Sink;
use crate::lower::{approval, keys};
use crate::model::{BatchesDecl, Size};
use crate::words;
use crate::yaml::{Node, Value};

const EXCEEDED: &[(&str, OnExceeded)] = &[("pause", OnExceeded::Pause), ("abort", OnExceeded::Abort)];

pub(crate) fn batches(sink: &mut Sink<'_>, node: &Node) -> BatchesDecl {
    let fields = sink.fields(node, "`batches`", keys::BATCHES);
    let sizes = fields.need(sink, "sizes", "say how many sites start together: `sizes: [1, 10, 10%, rest]`");
    let sizes_node = sizes;
    let sizes = sizes_node.map(|node| sizes_of(sink, node)).unwrap_or_default();
    let max_failures = fields.get("max_failures").map(|node| budgets(sink, node)).unwrap_or_default();
    if let (Some(node), Some(given)) = (fields.get("max_failures"), listed(fields.get("max_failures")))
        && let Some(wanted) = listed(sizes_node)
        && given != wanted
    {
        sink.error(
            codes::SIZES_LENGTH,
            node.span,
            format!("`max_failures` has {given} entries, `sizes` has {wanted}"),
            "give one budget per size, or a single one for all: `max_failures: 2%`",
        );
    }
    let on_exceeded =
        fields.get("on_exceeded").and_then(|node| sink.word(node, "`on_exceeded`", EXCEEDED)).unwrap_or_default();
    let soak_ms = fields.get("soak").and_then(|node| sink.duration(node, "`soak`", true)).unwrap_or(0);
    let gate = fields.entry("gate").and_then(|entry| {
        let gate = sink.fields(&entry.value, "`gate`", keys::GATE);
        let node = gate.need(
            sink,
            "approval",
            "say who may open the next batch: `gate: { approval: { from: [dr-leads], timeout: 4h } }`",
        )?;
        Some(approval::approval(sink, node, entry.key_span))
    });
    if let Some(gate) = &gate
        && !sizes.is_empty()
        && !several(&sizes)
    {
        let warning = Diagnostic::warning(
            codes::GATE_IDLE,
            "nobody is ever asked: there is only one batch, and the gate stands before each batch after the first",
            "cut the list, such as `sizes: [1, 10%, rest]`, or make the approval a step that others need",
        );
        sink.push(warning.at(sink.text, gate.span, ""));
    }
    let sizes = if sizes.is_empty() { vec![Size::Rest] } else { sizes };
    BatchesDecl { sizes, max_failures, on_exceeded, soak_ms, gate }
}

/// Says whether a list of many sites gives more than one batch.
pub(crate) fn several(sizes: &[Size]) -> bool {
    !matches!(sizes.first(), None | Some(Size::Rest | Size::Percent(10_000)))
}

/// Reads sizes as they are typed on a command line: `1,10,10%,rest`.
///
/// # Errors
/// With a fact for people if one is not understood.
pub(crate) fn typed_sizes(text: &str) -> Result<Vec<Size>, String> {
    let all: Vec<&str> = text.split(',').map(str::trim).collect();
    let mut sizes = Vec::new();
    for (ix, &size) in all.iter().enumerate() {
        let read = match size {
            "rest" if ix + 1 == all.len() => Size::Rest,
            "rest" => return Err("`rest` is not the last size".into()),
            _ if size.ends_with('%') => Size::Percent(words::percent(size)?),
            _ => Size::Sites(size.parse().map_err(|_| format!("`{}` is no size of a batch", size.escape_debug()))?),
        };
        if matches!(read, Size::Sites(0) | Size::Percent(0)) {
            return Err(format!("`{size}` is a batch of no sites"));
        }
        sizes.push(read);
    }
    Ok(sizes)
}

fn listed(node: Option<&Node>) -> Option<usize> {
    match &node?.value {
        Value::List(items) => Some(items.len()),
        _ => None,
    }
}

fn sizes_of(sink: &mut Sink<'_>, node: &Node) -> Vec<Size> {
    let Value::List(items) = &node.value else {
        sink.wrong(node, "`sizes`", "a list", "write `sizes: [1, 10, 10%, rest]`");
        return Vec::new();
    };
    if items.is_empty() || items.len() > 1_000 {
        sink.error(
            codes::BAD_SIZES,
            node.span,
            format!("`sizes` has {} entries", items.len()),
            "give 1 to 1000 sizes: `sizes: [1, 10, 10%, rest]`",
        );
    }
    let mut all = Vec::new();
    for (ix, item) in items.iter().enumerate() {
        let hint = "write a number of sites, a percentage of all sites, or `rest` as the last";
        match &item.value {
            Value::Text(text) if text == "rest" => {
                if ix + 1 != items.len() {
                    sink.error(
                        codes::BAD_SIZES,
                        item.span,
                        "`rest` is not the last size: nothing would be left for the others",
                        "move `rest` to the end",
                    );
                }
                all.push(Size::Rest);
            }
            _ => match size(sink, item, hint) {
                Some(Size::Sites(0) | Size::Percent(0)) => {
                    sink.error(codes::BAD_SIZES, item.span, "a batch of no sites", hint);
                }
                Some(size) => all.push(size),
                None => {}
            },
        }
    }
    all
}

fn budgets(sink: &mut Sink<'_>, node: &Node) -> Vec<Size> {
    let hint = "write a number of sites or a percentage of the batch, `0` for none";
    match &node.value {
        Value::List(items) => items.iter().filter_map(|item| size(sink, item, hint)).collect(),
        _ => size(sink, node, hint).into_iter().collect(),
    }
}

fn size(sink: &mut Sink<'_>, node: &Node, hint: &str) -> Option<Size> {
    match &node.value {
        Value::Integer(number) => match u32::try_from(*number) {
            Ok(number) => Some(Size::Sites(number)),
            Err(_) => {
                sink.error(codes::BAD_NUMBER, node.span, format!("{number} is not a number of sites"), hint);
                None
            }
        },
        Value::Text(text) => match words::percent(text) {
            Ok(hundredths) => Some(Size::Percent(hundredths)),
            Err(fact) => {
                sink.error(codes::BAD_SIZES, node.span, fact, hint);
                None
            }
        },
        _ => {
            sink.wrong(node, "a size", "a number, a percentage or `rest`", hint);
            None
        }
    }
}
