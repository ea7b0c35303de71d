//! The estate's `announce` as a stored plan holds it.

use engine::Plan;
use report::Incident;
use report::announce::{Milestone, Wish};
use serde_json::Value;

use crate::failure::Failure;

/// Who is told of a run's milestones.
pub(crate) struct Announce {
    /// File in which it is kept what was told.
    pub(crate) ledger: String,
    /// What a run cannot know of the incident.
    pub(crate) incident: Incident,
    /// What is sent when.
    pub(crate) messages: Vec<Message>,
}

/// One way of telling.
pub(crate) struct Message {
    pub(crate) uses: String,
    pub(crate) wish: Wish,
    /// Inputs, in which `{{name}}` stands for a value of the status message.
    pub(crate) with: Value,
}

impl Announce {
    /// Reads what a plan stores; `None` if its estate announces nothing.
    pub(crate) fn of_plan(plan: &Plan) -> Result<Option<Self>, Failure> {
        let estate: Value = serde_json::from_str(&plan.spec().estate).unwrap_or_default();
        estate.get("announce").map(Self::of_json).transpose()
    }

    /// Reads an estate's `announce`, and says which of its texts is no template.
    pub(crate) fn of_json(stored: &Value) -> Result<Self, Failure> {
        let text = |name: &str| stored.get(name).and_then(Value::as_str).map(str::to_owned);
        let list = |value: Option<&Value>| -> Vec<String> {
            let items = value.and_then(Value::as_array).into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let message = |(ix, message): (usize, &Value)| {
            let with = message.get("with").cloned().unwrap_or_default();
            report::are_templates(&with).map_err(|error| {
                Failure::input(error.code(), format!("announce: message {}: {error}", ix + 1), error.hint())
            })?;
            Ok(Message {
                uses: message.get("uses").and_then(Value::as_str).unwrap_or_default().to_owned(),
                wish: Wish {
                    on: list(message.get("on")).iter().filter_map(|word| Milestone::parse(word)).collect(),
                    every_ms: message.get("every_ms").and_then(Value::as_u64),
                },
                with,
            })
        };
        let messages = stored.get("messages").and_then(Value::as_array).into_iter().flatten();
        Ok(Self {
            ledger: text("ledger").unwrap_or_default(),
            incident: Incident {
                name: text("name"),
                what: text("what"),
                support: text("support"),
                components: list(stored.get("components")),
            },
            messages: messages.enumerate().map(message).collect::<Result<_, Failure>>()?,
        })
    }
}
