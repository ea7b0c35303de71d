//! Every expression of the runbook: syntax, names, scopes, types.

use crate::check::names::{Names, Spot};
use crate::check::{Ancestors, schema};
use crate::codes;
use crate::expr::{Compiled, Ty};
use crate::fields::Sink;
use crate::model::{Action, At, Runbook};
use crate::source::Span;
use crate::template::{self, Part};
use crate::words;
use crate::yaml::{Node, Value};

/// Checks all expressions and notes which steps read outputs of which.
pub(crate) fn check(sink: &mut Sink<'_>, runbook: &mut Runbook, ancestors: &Ancestors) {
    let mut reads: Vec<(Vec<usize>, bool)> = Vec::new();
    {
        let runbook = &*runbook;
        for group in &runbook.targets.groups {
            let names = Names { runbook, ancestors, spot: Spot::GroupKey, step: None, item: None };
            if let Some(ty) = one(sink, &names, &group.key, &mut Vec::new())
                && !matches!(ty, Ty::Text | Ty::Any)
            {
                wrong_type(
                    sink,
                    group.key.span,
                    &format!("the key of the scope `{}`", group.name),
                    "a text",
                    &ty,
                    "convert it with `| string`",
                );
            }
        }
        if let Some(margin) = runbook.restore_point.as_ref().and_then(|point| point.margin.as_ref()) {
            let names = Names { runbook, ancestors, spot: Spot::Margin, step: None, item: None };
            text(sink, &names, &margin.value, margin.span, &mut Vec::new());
        }
        for ix in 0..runbook.steps.len() {
            reads.push(step(sink, runbook, ancestors, ix));
        }
    }
    for (step, (reads, own)) in runbook.steps.iter_mut().zip(reads) {
        step.reads = reads;
        step.reads_own = own;
    }
}

/// Checks a step; returns the steps that it reads, and whether its undo reads the step itself.
fn step(sink: &mut Sink<'_>, runbook: &Runbook, ancestors: &Ancestors, ix: usize) -> (Vec<usize>, bool) {
    let step = &runbook.steps[ix];
    let mut reads = Vec::new();
    let mut names = Names { runbook, ancestors, spot: Spot::Control, step: Some(ix), item: None };
    if let Some(condition) = &step.condition
        && let Some(ty) = one(sink, &names, condition, &mut reads)
        && !matches!(ty, Ty::Boolean | Ty::Any)
    {
        wrong_type(
            sink,
            condition.span,
            "`if`",
            "a boolean",
            &ty,
            "compare it with something, such as `site.users > 0` or `site.name != ''`",
        );
    }
    let mut item = None;
    if let Some(for_each) = &step.for_each {
        item = Some(Ty::Any);
        match one(sink, &names, for_each, &mut reads) {
            Some(Ty::List(inner)) => item = Some(*inner),
            None | Some(Ty::Any) => {}
            Some(ty) => {
                wrong_type(sink, for_each.span, "`for_each`", "a list", &ty, "name an attribute of type `list<string>`")
            }
        }
    }
    names.spot = Spot::With;
    names.item = item;
    if let Some(node) = &step.with {
        with(sink, &names, node, step.action.as_ref(), &mut reads);
    }
    if let Some(undo) = &step.undo
        && let Some(node) = &undo.with
    {
        names.spot = Spot::Undo;
        with(sink, &names, node, Some(&undo.action), &mut reads);
    }
    names.spot = Spot::Place;
    for label in &step.runs_on {
        if let Some(ty) = text(sink, &names, &label.value, label.span, &mut reads)
            && !matches!(ty, Ty::Text | Ty::Any)
        {
            wrong_type(sink, label.span, "a label of `runs_on`", "a text", &ty, "convert it with `| string`");
        }
    }
    reads.sort_unstable();
    reads.dedup();
    let own = reads.contains(&ix);
    reads.retain(|&read| read != ix);
    (reads, own)
}

fn wrong_type(sink: &mut Sink<'_>, span: Span, what: &str, wanted: &str, found: &Ty, hint: &str) {
    sink.error(codes::EXPR_TYPE, span, format!("{what} must be {wanted}, but this is {}", found.words()), hint);
}

/// What an action wants of a value.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    action: &'a Action,
    schema: &'a serde_json::Value,
}

/// Checks `with`: all holes, and those that are a whole input against its type.
fn with(sink: &mut Sink<'_>, names: &Names<'_>, node: &Node, action: Option<&Action>, reads: &mut Vec<usize>) {
    let Value::Map(entries) = &node.value else { return };
    for entry in entries {
        let schema = action.and_then(|action| {
            schema::property(&action.spec.input, &entry.key).map(|schema| Wanted { action, schema })
        });
        holes(sink, names, &entry.value, schema, reads);
    }
}

fn holes(sink: &mut Sink<'_>, names: &Names<'_>, node: &Node, expected: Option<Wanted<'_>>, reads: &mut Vec<usize>) {
    match &node.value {
        Value::Text(value) if template::has_hole(value) => {
            let ty = text(sink, names, value, node.span, reads);
            if let (Some(ty), Some(Wanted { action, schema })) = (ty, expected)
                && !schema::accepts_type(&action.spec.input, schema, &ty)
            {
                let wanted = schema::wanted(&action.spec.input, schema);
                sink.error(
                    codes::INPUT_TYPE,
                    node.span,
                    format!("{} wants {wanted}, but this is {}", action.words(), ty.words()),
                    "pass a value of that type, or convert it with `| string` or `| int`",
                );
            }
        }
        Value::List(items) => {
            let inner = expected.and_then(|wanted| {
                schema::items(&wanted.action.spec.input, wanted.schema).map(|schema| Wanted { schema, ..wanted })
            });
            for item in items {
                holes(sink, names, item, inner, reads);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                if template::has_hole(&entry.key) {
                    sink.error(
                        codes::EXPR_NAME,
                        entry.key_span,
                        "a key cannot have holes",
                        "put the hole into the value",
                    );
                }
                let inner = expected.and_then(|wanted| {
                    schema::nested(&wanted.action.spec.input, wanted.schema, &entry.key)
                        .map(|schema| Wanted { schema, ..wanted })
                });
                holes(sink, names, &entry.value, inner, reads);
            }
        }
        _ => {}
    }
}

/// Checks a text with holes; returns its type.
fn text(sink: &mut Sink<'_>, names: &Names<'_>, value: &str, span: Span, reads: &mut Vec<usize>) -> Option<Ty> {
    if value.len() > template::MAX_TEMPLATE {
        sink.error(
            codes::EXPR_LIMIT,
            span,
            format!("the text has {} bytes, more than {}", value.len(), template::MAX_TEMPLATE),
            "move it into a file",
        );
        return None;
    }
    let parts = match template::split(value) {
        Ok(parts) => parts,
        Err(open) => {
            let at = locate(sink, span, value, open.0..open.0 + 3);
            sink.error(codes::HOLE_OPEN, at, "the hole is not closed", "end it with `}}`");
            return None;
        }
    };
    let alone = parts.len() == 1;
    let mut ty = Some(Ty::Text);
    for part in &parts {
        let Part::Hole { expression, at } = part else { continue };
        let found = expression_at(sink, names, expression, (span, value, *at), reads);
        if alone {
            ty = found;
        } else if let Some(found @ (Ty::List(_) | Ty::Map | Ty::MapOf(_) | Ty::Null)) = found {
            let range = locate(sink, span, value, *at..*at + expression.len());
            wrong_type(
                sink,
                range,
                "a hole inside a text",
                "a text, number or boolean",
                &found,
                "use `| join(',')`, or make the hole the whole value",
            );
        }
    }
    ty
}

/// Checks an expression that is written without a hole.
fn one(sink: &mut Sink<'_>, names: &Names<'_>, at: &At<String>, reads: &mut Vec<usize>) -> Option<Ty> {
    expression_at(sink, names, &at.value, (at.span, &at.value, 0), reads)
}

fn expression_at(
    sink: &mut Sink<'_>,
    names: &Names<'_>,
    expression: &str,
    (span, value, at): (Span, &str, usize),
    reads: &mut Vec<usize>,
) -> Option<Ty> {
    let mut refused = Vec::new();
    let mut resolve = |path: &crate::expr::Path| {
        if path.root() == "steps"
            && let Some(step) =
                path.second().and_then(|name| names.runbook.steps.iter().position(|step| step.name == name))
        {
            reads.push(step);
        }
        match names.resolve(path) {
            Ok(ty) => ty,
            Err(refusal) => {
                refused.push((path.range.clone(), refusal));
                Ty::Any
            }
        }
    };
    let result = Compiled::new(expression, &mut resolve);
    for (range, refusal) in refused {
        let span = locate(sink, span, value, at + range.start..at + range.end);
        sink.error(refusal.code, span, refusal.fact, refusal.hint);
    }
    match result {
        Ok((compiled, ty)) => {
            for mistake in &compiled.mistakes {
                let span = locate(sink, span, value, at + mistake.range.start..at + mistake.range.end);
                sink.error(mistake.code, span, mistake.fact.clone(), mistake.hint.clone());
            }
            Some(ty)
        }
        Err(wrong) => {
            let span = locate(sink, span, value, at + wrong.range.start..at + wrong.range.end);
            let (code, hint) = if wrong.too_long {
                (codes::EXPR_LIMIT, "split it over several inputs, or compute it in a step")
            } else {
                (codes::EXPR_SYNTAX, "write it like `site.users > 100 and site.region == 'eu'`")
            };
            sink.error(code, span, format!("{} in `{}`", wrong.fact, words::short(expression)), hint);
            None
        }
    }
}

/// Finds bytes of a value in the source; the whole value where it was written with escapes or over several lines.
fn locate(sink: &Sink<'_>, span: Span, value: &str, range: std::ops::Range<usize>) -> Span {
    let written = sink.text.source.slice(span);
    let piece = value.get(range.clone()).unwrap_or_default();
    let start = match written.find(value) {
        Some(at) => at + range.start,
        None if !piece.is_empty() => match written.find(piece) {
            Some(at) => at,
            None => return span,
        },
        None => return span,
    };
    Span::new(span.start + start, span.start + start + range.len())
}
