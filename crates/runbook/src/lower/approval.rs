//! Approvals: who may say yes, and what a lapse does. There is no way to let one pass by time-out.

use engine::{Approval, OnLapse};

use crate::codes;
use crate::fields::{Fields, Sink};
use crate::lower::keys;
use crate::model::ApprovalDecl;
use crate::source::Span;
use crate::words;
use crate::yaml::{Node, Value};

const LAPSES: &[(&str, OnLapse)] = &[("reject", OnLapse::Reject), ("pause", OnLapse::Pause)];

/// Longest time that a run may wait for a person, in milliseconds: 30 days.
const MAX_WAIT_MS: u64 = 30 * 24 * 3_600_000;

/// Things to confirm, at most, and characters of each.
const MAX_CHECKS: usize = 30;
const MAX_CHECK_LEN: usize = 200;

/// What a step with an approval cannot have, because it calls nothing.
pub(crate) const NOT_IN_APPROVAL: &[(&str, &str)] = &[
    ("with", "remove it, or use an action"),
    ("runs_on", "remove it: people decide, wherever they are"),
    ("for_each", "remove it: one decision stands for all items; give the step a scope instead"),
    ("pool", "remove it: waiting holds no slot"),
    ("timeout", "say when it lapses inside it: `approval: { timeout: 4h }`"),
    ("retry", "remove it: nobody is asked twice by itself"),
    ("undo", "remove it: a decision changes nothing that could be taken back"),
];

/// Reads an approval; `span` is the place of its key.
pub(crate) fn approval(sink: &mut Sink<'_>, node: &Node, span: Span) -> ApprovalDecl {
    let fields = sink.fields(node, "`approval`", keys::APPROVAL);
    let (from, groups) = groups(sink, node, fields);
    let timeout = fields
        .need(sink, "timeout", "say when it lapses: `timeout: 4h`")
        .and_then(|node| Some((sink.duration(node, "`timeout`", false)?, node.span)));
    if let Some((millis, at)) = timeout
        && millis > MAX_WAIT_MS
    {
        sink.error(
            codes::BAD_DURATION,
            at,
            "an approval may wait for 30 days at most",
            "ask for it sooner; `on_timeout: pause` keeps the run until somebody is there",
        );
    }
    let on_timeout = match fields.get("on_timeout") {
        Some(Node { span, value: Value::Text(text) }) if text.starts_with("approve") || text == "pass" => {
            sink.error(
                codes::LAPSE_APPROVES,
                *span,
                "an approval that nobody gives must not pass",
                "write `on_timeout: reject` or `on_timeout: pause`",
            );
            None
        }
        Some(node) => sink.word(node, "`on_timeout`", LAPSES),
        None => Some(OnLapse::Reject),
    };
    let min = fields.get("min").and_then(|node| sink.integer(node, "`min`", 1..=100)).unwrap_or(1);
    let approval = Approval {
        from,
        min: u16::try_from(min).unwrap_or(1),
        timeout_ms: timeout.map_or(1, |(millis, _)| millis),
        on_timeout: on_timeout.unwrap_or(OnLapse::Reject),
    };
    let checklist = fields.get("checklist").map(|node| checklist(sink, node)).unwrap_or_default();
    ApprovalDecl { approval, checklist, span, groups }
}

/// Reads what has to be confirmed, one thing after another.
fn checklist(sink: &mut Sink<'_>, node: &Node) -> Vec<String> {
    let Value::List(items) = &node.value else {
        sink.wrong(
            node,
            "`checklist`",
            "a list of texts",
            "write `checklist: [Log in as the customer, Open the newest page]`",
        );
        return Vec::new();
    };
    if items.is_empty() || items.len() > MAX_CHECKS {
        let fact = format!("a checklist has 1 to {MAX_CHECKS} things to confirm, this one has {}", items.len());
        let hint = "remove it if there is nothing to confirm; nobody reads a long one for the hundredth site";
        sink.error(codes::CHECKLIST, node.span, fact, hint);
    }
    let mut list: Vec<(String, Span)> = Vec::new();
    for item in items {
        let Some(text) = sink.text(item, "a thing to confirm") else { continue };
        let text = text.trim();
        if text.is_empty() || text.chars().count() > MAX_CHECK_LEN || text.chars().any(char::is_control) {
            let fact = format!("a thing to confirm is one line of 1 to {MAX_CHECK_LEN} characters");
            sink.error(
                codes::CHECKLIST,
                item.span,
                fact,
                "say in a few words what to look at; the rest belongs in a page",
            );
        } else if let Some((_, first)) = list.iter().find(|(known, _)| known == text) {
            let places = (item.span, (*first, "first asked here"));
            sink.error2(
                codes::CHECKLIST,
                places,
                format!("`{}` is asked twice", words::short(text)),
                "remove one of them",
            );
        } else {
            list.push((text.to_owned(), item.span));
        }
    }
    list.into_iter().map(|(text, _)| text).collect()
}

fn groups(sink: &mut Sink<'_>, node: &Node, fields: Fields<'_>) -> (Vec<String>, Vec<Span>) {
    let named = fields.get("from").map(|node| sink.texts(node, "`from`")).unwrap_or_default();
    if named.is_empty() {
        sink.error(
            codes::NO_APPROVER,
            node.span,
            "the approval names nobody who may give it",
            "name groups of people: `from: [dr-leads]`",
        );
    }
    let mut all: (Vec<String>, Vec<Span>) = (Vec::new(), Vec::new());
    for (name, span) in named {
        sink.name(name, span, "a group of approvers", &[]);
        if let Some(first) = all.0.iter().position(|known| known == name) {
            let first = all.1[first];
            sink.error2(
                codes::APPROVER_TWICE,
                (span, (first, "first named here")),
                format!("the group `{}` is named twice", words::short(name)),
                "remove one of them; `min: 2` asks for two people",
            );
        } else {
            all.0.push(name.to_owned());
            all.1.push(span);
        }
    }
    all
}

/// Reports what stands beside an approval in a step although only an action can have it.
pub(super) fn alone(sink: &mut Sink<'_>, fields: Fields<'_>) {
    for (word, hint) in NOT_IN_APPROVAL {
        if let Some(entry) = fields.entry(word) {
            sink.error(codes::APPROVAL_WORD, entry.key_span, format!("an approval cannot have `{word}`"), *hint);
        }
    }
}
