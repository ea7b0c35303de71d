//! From what went wrong to an outcome without secrets.

use std::time::Duration;

use runtime::SecretText;
use runtime::engine::{Advice, Failure, Outcome};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Why an attempt is not `Done`, and what is known about its effect.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct Trouble {
    code: &'static str,
    message: String,
    hint: String,
    verdict: Verdict,
}

/// What is known about the effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Refused(Advice),
    Unknown,
}

impl Trouble {
    /// Surely nothing changed, and it would be refused again.
    pub(crate) fn never(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, message, Verdict::Refused(Advice::Never))
    }

    /// Surely nothing changed, and another attempt may help.
    pub(crate) fn retry(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, message, Verdict::Refused(Advice::Retry))
    }

    /// Surely nothing changed, and another attempt may help after a while.
    pub(crate) fn retry_after(code: &'static str, message: impl Into<String>, pause: Duration) -> Self {
        let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        Self::new(code, message, Verdict::Refused(Advice::RetryAfter(millis)))
    }

    /// It is not known whether anything changed.
    pub(crate) fn unknown(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, message, Verdict::Unknown)
    }

    fn new(code: &'static str, message: impl Into<String>, verdict: Verdict) -> Self {
        Self { code, message: message.into(), hint: String::new(), verdict }
    }

    /// Adds the operator's next move.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Says where it was.
    #[must_use]
    pub(crate) fn at(mut self, place: &str) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// Returns whether this is its code.
    pub(crate) fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// Whether something may have changed.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.verdict == Verdict::Unknown
    }

    /// The same fact, but something may have changed meanwhile.
    #[must_use]
    pub(crate) fn in_doubt(mut self) -> Self {
        self.verdict = Verdict::Unknown;
        self
    }

    /// The same fact, after a part of the work was done for good: it is not known as a whole, and goes on from there.
    #[must_use]
    pub(crate) fn partly(mut self, done: usize, of: usize) -> Self {
        self.message = format!("{done} of {of} are done; {}", self.message);
        self.verdict = Verdict::Unknown;
        self
    }

    /// Code, fact and next move, without secrets.
    pub(crate) fn told(&self, secrets: &SecretText) -> (&'static str, String, String) {
        (self.code, secrets.redact(&self.message), secrets.redact(&self.hint))
    }

    fn into_outcome(self, secrets: &SecretText) -> Outcome {
        let failure = Failure {
            code: self.code.into(),
            message: secrets.redact(&self.message).into(),
            hint: secrets.redact(&self.hint).into(),
        };
        match self.verdict {
            Verdict::Refused(retry) => Outcome::Refused { failure, retry },
            Verdict::Unknown => Outcome::Unknown { failure },
        }
    }
}

/// Makes the outcome of an attempt; outputs and texts are redacted.
pub(crate) fn outcome(answer: Result<Value, Trouble>, secrets: &SecretText) -> Outcome {
    match answer {
        Ok(Value::Null) => Outcome::Done { outputs: None },
        Ok(mut outputs) => {
            redact(&mut outputs, secrets);
            Outcome::Done { outputs: Some(outputs.to_string().into()) }
        }
        Err(trouble) => trouble.into_outcome(secrets),
    }
}

/// Reads the inputs of an action as they are, secrets still as references.
pub(crate) fn inputs<T: DeserializeOwned>(with: &Value) -> Result<T, Trouble> {
    let with = if with.is_null() { &Value::Object(serde_json::Map::new()) } else { with };
    T::deserialize(with).map_err(|error| {
        Trouble::never("inputs", error.to_string()).hint("see the action's schema: `reinstate schema`")
    })
}

/// Reads the inputs of an action with every secret in its place. The result must not outlive the attempt.
pub(crate) fn revealed<T: DeserializeOwned>(with: &Value, secrets: &SecretText) -> Result<T, Trouble> {
    let mut with = with.clone();
    reveal_in(&mut with, secrets)?;
    inputs(&with)
}

/// Puts every secret of a text in its place.
pub(crate) fn reveal(text: &str, secrets: &SecretText) -> Result<String, Trouble> {
    secrets.reveal(text).map_err(|name| {
        Trouble::never("secret", format!("there is no secret {name}"))
            .hint("declare it under `secrets` of the estate file")
    })
}

/// Puts every secret inside of a JSON value in its place.
pub(crate) fn reveal_in(value: &mut Value, secrets: &SecretText) -> Result<(), Trouble> {
    match value {
        Value::String(text) if text.contains(SecretText::OPEN) => *text = reveal(text, secrets)?,
        Value::Array(items) => items.iter_mut().try_for_each(|item| reveal_in(item, secrets))?,
        Value::Object(members) => members.values_mut().try_for_each(|member| reveal_in(member, secrets))?,
        _ => {}
    }
    Ok(())
}

/// Replaces every secret inside of a JSON value.
pub(crate) fn redact(value: &mut Value, secrets: &SecretText) {
    match value {
        Value::String(text) => *text = secrets.redact(text),
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, secrets)),
        Value::Object(members) => {
            let taken = std::mem::take(members);
            for (name, mut member) in taken {
                redact(&mut member, secrets);
                members.insert(secrets.redact(&name), member);
            }
        }
        Value::Number(number) => {
            // A numeric secret may come back as a number.
            let text = number.to_string();
            let clean = secrets.redact(&text);
            if clean != text {
                *value = Value::String(clean);
            }
        }
        _ => {}
    }
}

/// Shortens a text for an error message. Redact first: half of a secret is not recognised any more.
pub(crate) fn excerpt(text: &str, limit: usize) -> String {
    let text = text.trim();
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Reads a duration such as `250ms`.
pub(crate) fn duration(name: &str, text: &str) -> Result<Duration, Trouble> {
    humantime::parse_duration(text).map_err(|error| {
        Trouble::never("inputs", format!("{name}: {text:?} is not a duration: {error}"))
            .hint("write it like `250ms` or `2m`")
    })
}
