//! Texts with `{{name}}` in them: nothing but names, and only those that there are.

use std::collections::BTreeMap;

use crate::status_message::facts::STATUS_NAMES;

/// A text in which `{{name}}` stands for a value of a status message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(&'static str),
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is no such name.
    #[error("line {line}: there is no `{name}`")]
    Unknown {
        /// The name as written.
        name: String,
        /// From 1.
        line: usize,
    },
    /// `{{` is never closed.
    #[error("line {line}: `{{{{` is not closed by `}}}}` on the same line")]
    Open {
        /// From 1.
        line: usize,
    },
}

impl TemplateError {
    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "template-name",
            Self::Open { .. } => "template-open",
        }
    }

    /// The next move.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown { .. } => format!("names are: {}", STATUS_NAMES.join(", ")),
            Self::Open { .. } => "write `{{percent}}`; a text cannot hold `{{` otherwise".to_owned(),
        }
    }
}

impl StatusTemplate {
    /// Reads a text.
    ///
    /// # Errors
    /// With the line, if a name is not one of [`STATUS_NAMES`] or a `{{` stays open.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let (mut rest, mut line) = (text, 1);
        while let Some((before, after)) = rest.split_once("{{") {
            line += before.matches('\n').count();
            let closed = after.split_once("}}").filter(|(name, _)| !name.contains('\n'));
            let Some((name, next)) = closed else { return Err(TemplateError::Open { line }) };
            let known = STATUS_NAMES.iter().find(|known| **known == name.trim());
            let Some(&known) = known else {
                return Err(TemplateError::Unknown { name: name.trim().chars().take(40).collect(), line });
            };
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Value(known));
            rest = next;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { parts })
    }

    /// Puts values in; what they hold is not read again.
    pub(super) fn fill(&self, values: &BTreeMap<&'static str, String>) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Value(name) => values.get(name).cloned().unwrap_or_default(),
        };
        self.parts.iter().map(part).collect()
    }
}
