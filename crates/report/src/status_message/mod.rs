//! Words for the outside: what happened, who is affected, how far it is, how long it will take, what is lost, how sure
//! that is, and how to reach somebody. From a [`Report`], as text, Markdown and JSON as Statuspage takes it.
//!
//! Law: nothing is called back that is not, what is not known is said to be not known, and nothing of the inside gets
//! out: no reasons that operators gave, no names of people, no IDs of sites, no error texts.

mod facts;
mod forecast;
mod forms;
mod template;
mod timeline;

use std::collections::BTreeMap;

pub use facts::STATUS_NAMES;
use serde_json::Value;
pub use template::{StatusTemplate, TemplateError};

use crate::report::Report;

/// What a run cannot know of the incident.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incident {
    /// Name of the incident; default: that sites are not available.
    pub name: Option<String>,
    /// What happened.
    pub what: Option<String>,
    /// How customers reach support.
    pub support: Option<String>,
    /// IDs of the components of the status page that are affected.
    pub components: Vec<String>,
}

/// A status message, ready to be put into one of its forms.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusMessage {
    /// Values by name, as templates use them.
    values: BTreeMap<&'static str, String>,
    shape: forms::Shape,
}

/// Says of a run what people outside may and should know.
///
/// Pure; costs time in proportion to the report's timeline and curve.
#[must_use]
pub fn status_message(report: &Report, incident: &Incident) -> StatusMessage {
    let mut message =
        StatusMessage { values: facts::facts(report, incident), shape: forms::Shape::of(report, incident) };
    for (name, whole) in [("text", message.text(None)), ("markdown", message.markdown(None))] {
        message.values.insert(name, whole.trim_end().to_owned());
    }
    message
}

/// A text of its own that stands for the JSON of a status page.
const STATUSPAGE: &str = "{{statuspage}}";

/// Says whether every text inside of a JSON value is a template, or just `{{statuspage}}`.
///
/// # Errors
/// With the first that is not.
pub fn are_templates(value: &Value) -> Result<(), TemplateError> {
    match value {
        Value::String(text) if text != STATUSPAGE => StatusTemplate::parse(text).map(|_| ()),
        Value::Array(items) => items.iter().try_for_each(are_templates),
        Value::Object(members) => members.values().try_for_each(are_templates),
        _ => Ok(()),
    }
}

impl StatusMessage {
    /// As plain text: by the template, or by our own words.
    #[must_use]
    pub fn text(&self, template: Option<&StatusTemplate>) -> String {
        self.filled(template, forms::TEXT)
    }

    /// As Markdown: by the template, or by our own words.
    #[must_use]
    pub fn markdown(&self, template: Option<&StatusTemplate>) -> String {
        self.filled(template, forms::MARKDOWN)
    }

    /// As the JSON that Statuspage's API takes for an incident; the template gives its body.
    #[must_use]
    pub fn statuspage(&self, template: Option<&StatusTemplate>) -> Value {
        self.shape.statuspage(self.text(template).trim_end())
    }

    /// Fills every text inside of a JSON value as a template; `{{statuspage}}` alone becomes the JSON of a status page.
    ///
    /// # Errors
    /// See [`are_templates`].
    pub fn fill(&self, value: &Value) -> Result<Value, TemplateError> {
        Ok(match value {
            Value::String(text) if text == STATUSPAGE => self.statuspage(None),
            Value::String(text) => StatusTemplate::parse(text)?.fill(&self.values).into(),
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect::<Result<_, _>>()?,
            Value::Object(members) => {
                let filled = members.iter().map(|(name, member)| Ok((name.clone(), self.fill(member)?)));
                Value::Object(filled.collect::<Result<_, TemplateError>>()?)
            }
            other => other.clone(),
        })
    }

    /// A value by its name, one of [`STATUS_NAMES`].
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    fn filled(&self, template: Option<&StatusTemplate>, own: &str) -> String {
        match template {
            Some(template) => template.fill(&self.values),
            None => StatusTemplate::parse(own).map(|own| own.fill(&self.values)).unwrap_or_default(),
        }
    }
}
