//! What the estate's announcements depend on. A run that cannot tell goes on, so nothing of it stands in the way.

use engine::Plan;
use runtime::Intent;
use serde_json::{Value, json};

/// In the place of a step's name.
pub(super) const ANNOUNCE: &str = "announce";

/// What announcements will do, as far as it is known: their texts are filled in while the run goes on.
pub(super) fn intents(plan: &Plan) -> Vec<Intent> {
    let estate: Value = serde_json::from_str(&plan.spec().estate).unwrap_or_default();
    let messages = estate.pointer("/announce/messages").and_then(Value::as_array);
    let intent = |message: &Value| {
        let mut with = message.get("with").cloned().unwrap_or_default();
        // Announcements share a ledger, which is the announcer's and no input of theirs.
        if let (Some(inputs), Some(ledger)) = (with.as_object_mut(), estate.pointer("/announce/ledger")) {
            inputs.insert("once".to_owned(), json!({ "ledger": ledger }));
        }
        let uses = message.get("uses").and_then(Value::as_str)?.to_owned();
        Some(Intent { uses, with, from: Default::default() })
    };
    messages.into_iter().flatten().filter_map(intent).collect()
}
