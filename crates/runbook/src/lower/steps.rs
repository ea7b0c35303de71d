//! `steps` and `finally`.

use std::collections::HashMap;

use engine::{OnFailure, Scope};

use crate::codes;
use crate::fields::{Fields, Sink};
use crate::lower::{Scene, approval, finally, keys, pools, retry, verify};
use crate::model::{Action, ApprovalDecl, At, NeedDecl, Step, Undo};
use crate::source::Span;
use crate::words;
use crate::yaml::{Entry, Node, Value};

/// Largest number of steps of a runbook.
pub(crate) const MAX_STEPS: usize = 5_000;

/// Reads all steps; those of `targets.verify` come first, those of `finally` last.
pub(crate) fn all(
    sink: &mut Sink<'_>,
    scene: &mut Scene<'_>,
    verify: Option<&Entry>,
    list: Option<&Node>,
    finally: Option<&Node>,
) -> Vec<Step> {
    let mut steps = verify.map(|entry| verify::steps(sink, scene, entry)).unwrap_or_default();
    let mut entries: Vec<(&Entry, bool)> = Vec::new();
    if let Some(node) = list {
        entries.extend(sink.entries(node, "`steps`").iter().map(|entry| (entry, false)));
        if entries.is_empty() && matches!(node.value, Value::Map(_)) {
            sink.error(codes::MISSING_KEY, node.span, "there are no steps", "declare at least one step below `steps:`");
        }
    }
    if let Some(node) = finally {
        entries.extend(sink.entries(node, &format!("`{}`", scene.last)).iter().map(|entry| (entry, true)));
    }
    if entries.len() > MAX_STEPS {
        sink.error(
            codes::PLAN_LIMIT,
            super::first(entries[0].0.key_span),
            format!("there are {} steps, more than {MAX_STEPS}", entries.len()),
            "split the runbook",
        );
        entries.truncate(MAX_STEPS);
    }
    let base = steps.len();
    let mut names: HashMap<String, usize> =
        steps.iter().enumerate().map(|(ix, step)| (step.name.clone(), ix)).collect();
    let mut places: HashMap<&str, (Span, bool)> = HashMap::new();
    for (ix, (entry, finally)) in entries.iter().enumerate() {
        sink.name(&entry.key, entry.key_span, "a step", &[]);
        if base > 0 && verify::NAMES.contains(&entry.key.as_str()) {
            sink.error(
                codes::RESERVED_STEP,
                entry.key_span,
                format!("`{}` is the name of a step that `targets.verify` makes", entry.key),
                "rename this step, or remove `targets.verify`",
            );
        } else if let Some(&(other, of_finally)) = places.get(entry.key.as_str()) {
            // Twice in one map has been reported with the map.
            if *finally != of_finally {
                sink.error2(
                    codes::DUPLICATE_KEY,
                    (entry.key_span, (other, "first given here")),
                    format!("there are two steps `{}`", entry.key),
                    "rename one of them",
                );
            }
        } else {
            names.insert(entry.key.clone(), base + ix);
        }
        places.entry(&entry.key).or_insert((entry.key_span, *finally));
    }
    scene.steps = names;
    scene.finally_from = base + entries.iter().filter(|(_, finally)| !finally).count();
    for (entry, finally) in entries {
        let mut step = step(sink, scene, entry, finally);
        if base > 0 && step.needs.is_empty() && !finally {
            step.needs.push(NeedDecl { step: 1, span: entry.key_span, require_all: false });
        }
        steps.push(step);
    }
    steps
}

fn step(sink: &mut Sink<'_>, scene: &Scene<'_>, entry: &Entry, of_finally: bool) -> Step {
    let fields = sink.fields(&entry.value, "a step", keys::STEP);
    if let Some(node) = fields.get("description") {
        sink.text(node, "`description`");
    }
    let scope = fields.get("scope").and_then(|node| scene.scope(sink, node, "`scope`")).unwrap_or(scene.defaults.scope);
    let needs = fields.get("needs").map(|node| needs(sink, scene, node)).unwrap_or_default();
    finally::crossing(sink, scene, &entry.key, of_finally, &needs);
    if of_finally {
        finally::words(sink, fields, scene.last);
    }
    let (action, approval) = work(sink, scene, entry, fields);
    let timeout_ms = match &approval {
        Some(declared) => declared.approval.timeout_ms,
        None => timeout(sink, scene, entry, fields),
    };
    let own = fields.get("on_failure").and_then(|node| retry::on_failure(sink, node));
    let on_failure = own.or(scene.defaults.on_failure).filter(|what| !of_finally || finally::fits(what.value));
    let base_retry = if approval.is_some() { retry::ONCE } else { scene.defaults.retry };
    let undo = fields.entry("undo").and_then(|undo_entry| {
        let undo = sink.fields(&undo_entry.value, "`undo`", keys::UNDO);
        let action = undo
            .need(sink, "uses", "name the action that takes the effect back")
            .and_then(|node| scene.action(sink, node));
        Some(Undo { span: undo_entry.key_span, action: action?, with: undo.get("with").cloned() })
    });
    Step {
        name: entry.key.clone(),
        span: entry.key_span,
        place: sink.text.place(entry.key_span.start),
        scope,
        needs,
        action,
        with: fields.get("with").cloned(),
        runs_on: fields.get("runs_on").map(|node| runs_on(sink, node)).unwrap_or_default(),
        expect: String::new(),
        approval,
        undo,
        pools: fields.get("pool").map(|node| pools::uses(sink, scene, node, scope)).unwrap_or_default(),
        timeout_ms,
        retry: fields.get("retry").map_or(base_retry, |node| retry::retry(sink, node, base_retry)),
        on_failure: on_failure.as_ref().map_or(OnFailure::Quarantine, |what| what.value),
        on_failure_at: on_failure.as_ref().map_or(entry.key_span, |what| what.span),
        front_load: fields.get("front_load").and_then(|node| sink.boolean(node, "`front_load`")).unwrap_or(false),
        finally: of_finally,
        condition: fields.get("if").and_then(|node| expression(sink, node, "`if`")),
        for_each: fields.get("for_each").and_then(|node| expression(sink, node, "`for_each`")),
        expect_ms: fields.get("expect").map_or((0, 0), |node| expect(sink, node)),
        reads: Vec::new(),
        reads_own: false,
        synthesised: false,
    }
}

/// Labels of workers: known ones are looked at here, those with holes once the holes are filled.
fn runs_on(sink: &mut Sink<'_>, node: &Node) -> Vec<At<String>> {
    let hint = "write `runs_on: region=eu`, or `runs_on: [region=eu, ssd]`";
    let mut labels: Vec<At<String>> = Vec::new();
    let texts = sink.texts(node, "`runs_on`");
    if texts.is_empty() && matches!(&node.value, Value::List(items) if items.is_empty()) {
        sink.error(codes::RUNS_ON, node.span, "`runs_on` names no label", hint);
    }
    for (text, span) in texts {
        let wrong = if crate::template::has_hole(text) { Ok(()) } else { crate::label::check(text) };
        if let Err(fact) = wrong {
            sink.error(codes::RUNS_ON, span, fact, hint);
        } else if labels.iter().any(|label| label.value == text) {
            sink.error(
                codes::RUNS_ON,
                span,
                format!("`runs_on` names `{}` twice", words::short(text)),
                "remove one of them",
            );
        } else {
            labels.push(At::new(text.to_owned(), span));
        }
    }
    labels
}

fn work(
    sink: &mut Sink<'_>,
    scene: &Scene<'_>,
    entry: &Entry,
    fields: Fields<'_>,
) -> (Option<Action>, Option<ApprovalDecl>) {
    let action = fields.get("uses").and_then(|node| scene.action(sink, node));
    let approval = fields.entry("approval").map(|found| approval::approval(sink, &found.value, found.key_span));
    match (fields.get("uses"), fields.get("approval")) {
        (None, None) => sink.error(
            codes::WORKLESS,
            entry.key_span,
            format!("the step `{}` does nothing", words::short(&entry.key)),
            "give it an action: `uses: http/request@1`; `uses: noop@1` does nothing on purpose",
        ),
        (Some(_), Some(_)) => sink.error(
            codes::WORKLESS,
            entry.key_span,
            format!("the step `{}` both uses an action and waits for an approval", words::short(&entry.key)),
            "make it two steps, the second with `needs`",
        ),
        (None, Some(_)) => approval::alone(sink, fields),
        _ => {}
    }
    (action, approval)
}

fn timeout(sink: &mut Sink<'_>, scene: &Scene<'_>, entry: &Entry, fields: Fields<'_>) -> u64 {
    if let Some(node) = fields.get("timeout") {
        return sink.duration(node, "`timeout`", false).unwrap_or(1);
    }
    if let Some(millis) = scene.defaults.timeout_ms {
        return millis;
    }
    if fields.get("uses").is_some() {
        sink.error(
            codes::NO_TIMEOUT,
            entry.key_span,
            format!("the step `{}` has no time-out", words::short(&entry.key)),
            "add `timeout: 10m` to the step, or once for all: `defaults: { timeout: 30m }`",
        );
    }
    1
}

/// An expression given as text; `${{ }}` around it is allowed, booleans are their own text.
fn expression(sink: &mut Sink<'_>, node: &Node, what: &str) -> Option<At<String>> {
    match &node.value {
        Value::Text(text) => {
            let text = crate::template::whole(text).unwrap_or_else(|| text.trim().to_owned());
            Some(At::new(text, node.span))
        }
        Value::Bool(value) => Some(At::new(value.to_string(), node.span)),
        Value::List(_) => Some(At::new(node.to_json().to_string(), node.span)),
        _ => {
            sink.wrong(node, what, "an expression", "write it without `${{ }}`, such as `site.users > 100`");
            None
        }
    }
}

fn needs(sink: &mut Sink<'_>, scene: &Scene<'_>, node: &Node) -> Vec<NeedDecl> {
    let items: Vec<&Node> = match &node.value {
        Value::List(items) => items.iter().collect(),
        _ => vec![node],
    };
    let mut all: Vec<NeedDecl> = Vec::new();
    for item in items {
        let (name, span, require_all) = match &item.value {
            Value::Text(name) => (name.as_str(), item.span, false),
            Value::Map(_) => {
                let fields = sink.fields(item, "a need", keys::NEED);
                let require = fields
                    .get("require")
                    .and_then(|node| sink.word(node, "`require`", &[("all", true), ("left", false)]));
                let step = fields.need(sink, "step", "name the step: `needs: [{ step: validate, require: all }]`");
                let Some(step) = step else { continue };
                let Some(name) = sink.text(step, "`step`") else { continue };
                (name, step.span, require.unwrap_or(false))
            }
            _ => {
                sink.wrong(item, "a need", "the name of a step", "write `needs: [first, second]`");
                continue;
            }
        };
        let Some(&step) = scene.steps.get(name) else {
            sink.error(
                codes::UNKNOWN_STEP,
                span,
                format!("there is no step `{}`", words::short(name)),
                words::suggest(name, "steps", sorted(scene)),
            );
            continue;
        };
        if let Some(first) = all.iter().find(|need| need.step == step) {
            let first = first.span;
            sink.error2(
                codes::DUPLICATE_NEED,
                (span, (first, "first needed here")),
                format!("`{name}` is needed twice"),
                "remove one of them",
            );
        } else {
            all.push(NeedDecl { step, span, require_all });
        }
    }
    all
}

fn sorted<'a>(scene: &'a Scene<'_>) -> Vec<&'a str> {
    let mut names: Vec<(&str, usize)> = scene.steps.iter().map(|(name, &ix)| (name.as_str(), ix)).collect();
    names.sort_by_key(|&(_, ix)| ix);
    names.into_iter().map(|(name, _)| name).collect()
}

fn expect(sink: &mut Sink<'_>, node: &Node) -> (u64, u64) {
    if let Value::List(items) = &node.value {
        let [low, high] = items.as_slice() else {
            sink.wrong(node, "`expect`", "a duration or a list of two", "write `expect: 20m` or `expect: [5m, 20m]`");
            return (0, 0);
        };
        let low_ms = sink.duration(low, "`expect`", true).unwrap_or(0);
        let high_ms = sink.duration(high, "`expect`", true).unwrap_or(low_ms);
        if high_ms < low_ms {
            sink.error(
                codes::BAD_DURATION,
                node.span,
                "`expect` ends before it starts",
                "write the shorter duration first",
            );
        }
        return (low_ms, high_ms.max(low_ms));
    }
    let millis = sink.duration(node, "`expect`", true).unwrap_or(0);
    (millis, millis)
}

/// Says how a scope compares: whether each key of `inner` lies within one key of `outer`.
pub(crate) fn within(inner: Scope, outer: Scope) -> bool {
    inner == outer || outer == Scope::Run || inner == Scope::Site
}
