//! Comparison of JSON: everything expected must be there and equal.

use runtime::SecretText;
use serde_json::Value;

use crate::answer::{excerpt, redact};

/// Differences that are told; the rest is counted.
const TOLD: usize = 8;

/// Tells how a value differs from what is expected, or `None` if it holds it.
///
/// Maps may hold more than expected; lists are compared element by element with equal length. Numbers are equal by value.
pub(crate) fn difference(expected: &Value, found: &Value, secrets: &SecretText) -> Option<String> {
    let mut differences = Differences { told: Vec::new(), secrets };
    differences.compare("", expected, found);
    let mut differences = differences.told;
    if differences.is_empty() {
        return None;
    }
    let more = differences.len().saturating_sub(TOLD);
    differences.truncate(TOLD);
    let mut text = differences.join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    Some(text)
}

struct Differences<'a> {
    told: Vec<String>,
    secrets: &'a SecretText,
}

impl Differences<'_> {
    fn compare(&mut self, place: &str, expected: &Value, found: &Value) {
        let here = if place.is_empty() { "/" } else { place };
        match (expected, found) {
            (Value::Object(expected), Value::Object(found)) => {
                for (name, expected) in expected {
                    let place = format!("{place}/{name}");
                    match found.get(name) {
                        Some(found) => self.compare(&place, expected, found),
                        None => self.told.push(format!("{place}: expected {}, found nothing", self.show(expected))),
                    }
                }
            }
            (Value::Array(expected), Value::Array(found)) => {
                if expected.len() != found.len() {
                    self.told.push(format!("{here}: expected {} elements, found {}", expected.len(), found.len()));
                }
                for (position, (expected, found)) in expected.iter().zip(found).enumerate() {
                    self.compare(&format!("{place}/{position}"), expected, found);
                }
            }
            _ if same(expected, found) => {}
            _ => {
                let text = format!("{here}: expected {}, found {}", self.show(expected), self.show(found));
                self.told.push(text);
            }
        }
    }

    /// Redacts first: half of a secret is not recognised any more.
    fn show(&self, value: &Value) -> String {
        let mut value = value.clone();
        redact(&mut value, self.secrets);
        excerpt(&value.to_string(), 120)
    }
}

fn same(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Number(a), Value::Number(b)) => a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64(),
        _ => expected == found,
    }
}

#[cfg(test)]
mod tests {
    use runtime::SecretText;
    use serde_json::json;

    fn difference(expected: &serde_json::Value, found: &serde_json::Value) -> Option<String> {
        super::difference(expected, found, &SecretText::default())
    }

    #[test]
    fn more_than_expected_is_fine() {
        assert_eq!(difference(&json!({"a": 1}), &json!({"a": 1.0, "b": 2})), None);
        assert_eq!(difference(&json!({"a": {}}), &json!({"a": {"x": 1}})), None);
    }

    #[test]
    fn places_are_named() {
        let text = difference(&json!({"a": {"b": [1, 2]}, "c": 1}), &json!({"a": {"b": [1, 3]}}));
        assert_eq!(text.as_deref(), Some("/a/b/1: expected 2, found 3; /c: expected 1, found nothing"));
    }

    #[test]
    fn kinds_differ() {
        assert_eq!(difference(&json!("1"), &json!(1)).as_deref(), Some("/: expected \"1\", found 1"));
        assert_eq!(difference(&json!([1]), &json!([])).as_deref(), Some("/: expected 1 elements, found 0"));
    }
}
