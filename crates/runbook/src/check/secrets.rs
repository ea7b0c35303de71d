//! Secrets written into a runbook: everybody who reads the file, the plan or the journal would have them.

use crate::codes;
use crate::fields::Sink;
use crate::template;
use crate::yaml::{Entry, Node, Value};

const WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "token",
    "secret",
    "authorization",
    "api_key",
    "apikey",
    "credential",
    "credentials",
    "private_key",
];

pub(crate) fn check(sink: &mut Sink<'_>, root: &Node) {
    let Value::Map(entries) = &root.value else { return };
    for entry in entries {
        match entry.key.as_str() {
            "steps" | "finally" | "targets" | "set_up" | "clean_up" => with_of(sink, &entry.value),
            "inputs" => defaults(sink, &entry.value),
            _ => {}
        }
    }
}

/// Walks to every `with` below a node.
fn with_of(sink: &mut Sink<'_>, node: &Node) {
    let Value::Map(entries) = &node.value else { return };
    for entry in entries {
        if entry.key == "with" { values(sink, "with", &entry.value) } else { with_of(sink, &entry.value) }
    }
}

fn defaults(sink: &mut Sink<'_>, node: &Node) {
    let Value::Map(inputs) = &node.value else { return };
    for input in inputs {
        if let Value::Map(fields) = &input.value.value {
            for field in fields.iter().filter(|field| field.key == "default") {
                values(sink, &input.key, &field.value);
            }
        }
    }
}

fn values(sink: &mut Sink<'_>, key: &str, node: &Node) {
    match &node.value {
        Value::Text(text) => text_value(sink, key, text, node),
        Value::List(items) => items.iter().for_each(|item| values(sink, key, item)),
        Value::Map(entries) => entries.iter().for_each(|Entry { key, value, .. }| values(sink, key, value)),
        _ => {}
    }
}

fn text_value(sink: &mut Sink<'_>, key: &str, text: &str, node: &Node) {
    let hint = "put it into the estate's `secrets` as `env:NAME` or `file:PATH` and read it as `${{ secrets.NAME }}`";
    if is_secret_word(key) && !text.is_empty() && !template::has_hole(text) {
        sink.error(
            codes::LITERAL_SECRET,
            node.span,
            format!("`{}` is written into the file", crate::words::short(key)),
            hint,
        );
    } else if has_password(text) {
        sink.error(codes::LITERAL_SECRET, node.span, "the address holds a password", hint);
    }
}

/// Says whether a key names a secret.
pub(crate) fn is_secret_word(key: &str) -> bool {
    let key = key.to_lowercase().replace('-', "_");
    WORDS.iter().any(|word| key == *word || key.ends_with(&format!("_{word}")))
}

/// Says whether a text holds `scheme://user:password@` with a literal password.
pub(crate) fn has_password(text: &str) -> bool {
    text.match_indices("://").any(|(at, mark)| {
        let rest = &text[at + mark.len()..];
        let authority = &rest[..rest.find(['/', '?', '#', ' ', '"']).unwrap_or(rest.len())];
        match authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')) {
            Some((_, password)) => !password.is_empty() && !password.starts_with("${"),
            None => false,
        }
    })
}
