//! The port to the estate: actions that an attempt calls.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use engine::{ActionSpec, Outcome};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use crate::log::Log;
use crate::ports::{Finding, Intent};

/// Implements the actions of one kind (`http/*`, `sqlite/*`, ...).
#[async_trait]
pub trait Connector: Send + Sync {
    /// Returns the catalogue of its actions.
    fn actions(&self) -> Vec<ActionSpec>;

    /// Applies an action once.
    ///
    /// Returns `Done` only if the effect is there (durable in the target), `Refused` only if surely nothing changed,
    /// else `Unknown`. Never panics on data from the world; errors carry no secrets.
    ///
    /// # Cancel safety
    /// May be dropped at any await; the attempt is then in doubt. Anything it started (processes, backends) ends.
    async fn apply(&self, call: Call) -> Outcome;

    /// Asks whether an earlier attempt with the call's key had its effect. Changes nothing.
    ///
    /// # Cancel safety
    /// May be dropped at any await.
    async fn probe(&self, call: Call) -> Probed;

    /// Narrows what a run would have an action do to the questions that can be asked of the estate before it; none by
    /// default.
    ///
    /// Pure and cheap: it is called for many sites, and equal questions are asked once, whoever they come from. So a
    /// question is an object whose first member names its kind, such as `{"http.connect": "https://api:443"}`, and
    /// holds nothing that its answer does not depend on. Secrets stay references.
    fn questions(&self, intent: &Intent) -> Vec<serde_json::Value> {
        let _ = intent;
        Vec::new()
    }

    /// Answers one of the connector's [questions](Connector::questions), which is the call's `with`, within the call's
    /// time. Reads only: it changes nothing, anywhere, not even for a moment. Texts hold no secrets.
    ///
    /// # Cancel safety
    /// May be dropped at any await.
    async fn preflight(&self, question: Call) -> Vec<Finding> {
        let _ = question;
        Vec::new()
    }
}

/// What a probe found.
pub type Probed = Outcome;

/// One attempt of a unit, as its connector sees it.
#[derive(Clone, Debug)]
pub struct Call {
    /// Action, `sqlite/restore@1`.
    pub uses: String,
    /// Stable idempotency key, `run/step/key/item`: the same for every attempt of the unit.
    pub key: String,
    /// Idempotency key of the unit whose effect this call takes back; its own `key` is another one. `None` for every
    /// call that takes nothing back.
    pub undoes: Option<String>,
    /// Fencing token: number of the attempt, ascending; a target that can, refuses a lower one than it has seen.
    pub token: u64,
    /// Inputs, resolved; secrets are `SecretText` references `⟦secret:NAME⟧` inside of strings.
    pub with: serde_json::Value,
    /// Values of the secrets that `with` refers to.
    pub secrets: SecretText,
    /// Time that is left for the attempt.
    pub timeout: Duration,
    /// Cancelled when the attempt should end early and cleanly.
    pub cancel: CancellationToken,
    /// Takes what the attempt says while it works; the default one takes it nowhere.
    pub log: Log,
}

/// The secrets of a call; `Debug` shows names only.
#[derive(Clone, Default)]
pub struct SecretText {
    values: BTreeMap<String, SecretString>,
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl SecretText {
    /// Opens the marker of a secret in a resolved string.
    pub const OPEN: &'static str = "⟦secret:";
    /// Closes it.
    pub const CLOSE: &'static str = "⟧";

    /// Collects secrets by name.
    #[must_use]
    pub fn new(values: BTreeMap<String, SecretString>) -> Self {
        Self { values }
    }

    /// Names of the secrets that a value refers to, each once.
    #[must_use]
    pub fn names_in(value: &serde_json::Value) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        collect_names(value, &mut names);
        names
    }

    /// Replaces every secret marker of a text by its value. Only for the moment of use: never store or log the result.
    ///
    /// # Errors
    /// Returns the name of a secret that is not known.
    pub fn reveal(&self, text: &str) -> Result<String, String> {
        let mut revealed = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(Self::OPEN) {
            revealed.push_str(&rest[..start]);
            let after = &rest[start + Self::OPEN.len()..];
            let Some(end) = after.find(Self::CLOSE) else {
                return Err(after.to_owned());
            };
            let name = &after[..end];
            let value = self.values.get(name).ok_or_else(|| name.to_owned())?;
            revealed.push_str(value.expose_secret());
            rest = &after[end + Self::CLOSE.len()..];
        }
        revealed.push_str(rest);
        Ok(revealed)
    }

    /// Replaces every occurrence of a known secret's value in a text by `***`, as it is and as JSON writes it, for captured
    /// output and error text. Of a secret of several lines, such as a key, each line is one, too: texts come line by line.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.hide(text, false)
    }

    /// As [`SecretText::redact`], for a text that was cut off anywhere: its end may be the beginning of a secret.
    #[must_use]
    pub fn redact_cut(&self, text: &str) -> String {
        self.hide(text, true)
    }

    /// Finds all that must not be seen before anything is replaced: one secret may begin another, or overlap it, and what was
    /// left of the longer one would stay.
    fn hide(&self, text: &str, is_cut: bool) -> String {
        let mut found: Vec<(usize, usize)> = Vec::new();
        for form in self.forms() {
            let step = form.chars().next().map_or(1, char::len_utf8);
            let mut from = 0;
            while let Some(at) = text[from..].find(&form) {
                found.push((from + at, from + at + form.len()));
                from += at + step;
            }
            let mut begins = form.char_indices().map(|(at, _)| at).rev();
            if is_cut && let Some(begun) = begins.find(|at| *at > 0 && text.ends_with(&form[..*at])) {
                found.push((text.len() - begun, text.len()));
            }
        }
        found.sort_unstable();
        let (mut hidden, mut until) = (String::with_capacity(text.len()), 0);
        for (from, to) in found {
            if from >= until {
                hidden.push_str(&text[until..from]);
                hidden.push_str("***");
            }
            until = until.max(to);
        }
        hidden.push_str(&text[until..]);
        hidden
    }

    /// All that must not be seen: values, their lines, and each of them as it stands inside of JSON text.
    fn forms(&self) -> impl Iterator<Item = String> {
        let whole = self.values.values().map(|value| value.expose_secret());
        let several = whole.clone().filter(|value| value.contains('\n'));
        let lines = several.flat_map(str::lines).map(str::trim).filter(|line| line.len() >= LINE_LEAST);
        whole.chain(lines).flat_map(|value| {
            let quoted = serde_json::Value::from(value).to_string();
            let escaped =
                quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned();
            let escaped = (escaped != value).then_some(escaped);
            std::iter::once(value.to_owned()).chain(escaped).filter(|form| !form.is_empty())
        })
    }
}

/// Characters of a line of a secret that tell it from words that are anybody's.
const LINE_LEAST: usize = 6;

fn collect_names(value: &serde_json::Value, names: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::String(text) => {
            for part in text.split(SecretText::OPEN).skip(1) {
                if let Some((name, _)) = part.split_once(SecretText::CLOSE) {
                    names.insert(name.to_owned());
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect_names(item, names)),
        serde_json::Value::Object(fields) => fields.values().for_each(|field| collect_names(field, names)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

/// Reads the values of secrets by the names under which an estate declares them.
#[async_trait]
pub trait SecretSource: Send + Sync {
    /// Reads a secret's value now, so that a rotated one is found.
    ///
    /// # Errors
    /// Says why in words that hold no secret.
    async fn read(&self, name: &str) -> Result<SecretString, String>;

    /// Returns where a secret is read from, in the words of the estate, for a process that reads it elsewhere; never its
    /// value. `None` if no such secret is declared.
    fn reference(&self, name: &str) -> Option<String>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(values: &[&str]) -> SecretText {
        let named = values.iter().enumerate().map(|(ix, value)| (ix.to_string(), SecretString::from(*value)));
        SecretText::new(named.collect())
    }

    #[test]
    fn a_secret_that_begins_or_overlaps_another_leaves_nothing_of_it() {
        for values in [["abc", "abcdef"], ["abcdef", "abc"]] {
            let both = secrets(&values);
            assert_eq!(both.redact("x abcdef y abc z"), "x *** y *** z");
            assert_eq!(both.redact_cut("x abcde"), "x ***", "{values:?}");
        }
        assert_eq!(secrets(&["abc", "cde"]).redact("x abcde y"), "x *** y");
        assert_eq!(secrets(&["aba"]).redact("ababa aba"), "*** ***");
        assert_eq!(secrets(&["abc", "def"]).redact("abcdef"), "******");
    }

    #[test]
    fn the_end_of_a_text_that_was_cut_may_begin_a_secret() {
        let secret = secrets(&["s3cr\u{e9}t"]);
        assert_eq!(secret.redact_cut("it is s3cr\u{e9}"), "it is ***");
        assert_eq!(secret.redact_cut("it is s3cr\u{e9}t"), "it is ***");
        assert_eq!(secret.redact("it is s3cr\u{e9}"), "it is s3cr\u{e9}");
        assert_eq!(secret.redact_cut("nothing"), "nothing");
    }
}
