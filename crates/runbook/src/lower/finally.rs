//! `finally`: steps that run when all others have settled, whatever happened.

use engine::OnFailure;

use crate::codes;
use crate::fields::{Fields, Sink};
use crate::lower::Scene;
use crate::model::NeedDecl;
use crate::words;
use crate::yaml::Value;

/// What a step of `finally` cannot have, and what to do instead.
pub(crate) const NOT_IN_FINALLY: &[(&str, &str)] = &[
    ("approval", "make the approval a step of `steps`: `finally` also runs when nobody is left to ask"),
    ("undo", "remove it: nothing runs after `finally` that could take its effect back"),
    ("front_load", "remove it: `finally` starts when all other steps have settled"),
];

/// Says whether a step of `finally` may answer a failure like this: it can only be noted.
pub(super) fn fits(what: OnFailure) -> bool {
    matches!(what, OnFailure::Quarantine | OnFailure::Degrade)
}

/// Reports words that a step of `finally` cannot have.
pub(super) fn words(sink: &mut Sink<'_>, fields: Fields<'_>, list: &str) {
    for (word, hint) in NOT_IN_FINALLY {
        if let Some(entry) = fields.entry(word) {
            sink.error(codes::FINALLY_WORD, entry.key_span, format!("a step of `{list}` cannot have `{word}`"), *hint);
        }
    }
    if let Some(node) = fields.get("on_failure")
        && let Value::Text(text) = &node.value
        && ["undo", "pause", "abort"].contains(&text.as_str())
    {
        sink.error(
            codes::FINALLY_WORD,
            node.span,
            format!("a step of `{list}` cannot have `on_failure: {text}`: the run is over by then"),
            "write `quarantine` or `degrade`; both mean that the run ends with an exception",
        );
    }
}

/// Reports needs that cross between `steps` and `finally`.
pub(super) fn crossing(sink: &mut Sink<'_>, scene: &Scene<'_>, name: &str, of_finally: bool, needs: &[NeedDecl]) {
    for need in needs {
        let needs_finally = need.step >= scene.finally_from;
        if needs_finally == of_finally {
            continue;
        }
        let name = words::short(name);
        let (fact, hint) = if of_finally {
            (
                format!("`{name}` belongs to `finally` and needs a step that does not"),
                "remove the need: `finally` starts when all other steps have settled",
            )
        } else {
            (
                format!("`{name}` needs a step of `finally`, which runs only after it"),
                "remove the need, or move one of the two steps",
            )
        };
        sink.error(codes::FINALLY_NEED, need.span, fact, hint);
    }
}
