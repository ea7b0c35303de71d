//! Approvals: who may say yes, and what a lapse does. There is no way to let one pass by time-out.

use engine::{Approval, OnLapse};

use crate::codes;
use crate::fields::Sink;
use crate::lower::keys;
use crate::yaml::{Node, Value};

const LAPSES: &[(&str, OnLapse)] = &[("reject", OnLapse::Reject), ("pause", OnLapse::Pause)];

pub(crate) fn approval(sink: &mut Sink<'_>, node: &Node) -> Option<Approval> {
    let fields = sink.fields(node, "`approval`", keys::APPROVAL);
    let from: Vec<String> = match fields.get("from") {
        None => Vec::new(),
        Some(node) => sink.texts(node, "`from`").into_iter().map(|(name, _)| name.to_owned()).collect(),
    };
    if from.is_empty() {
        sink.error(
            codes::NO_APPROVER,
            node.span,
            "the approval names nobody who may give it",
            "name groups of people: `from: [dr-leads]`",
        );
    }
    let timeout = fields
        .need(sink, "timeout", "say when it lapses: `timeout: 4h`")
        .and_then(|node| sink.duration(node, "`timeout`", false));
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
    Some(Approval {
        from,
        min: u16::try_from(min).unwrap_or(1),
        timeout_ms: timeout.unwrap_or(1),
        on_timeout: on_timeout.unwrap_or(OnLapse::Reject),
    })
}
