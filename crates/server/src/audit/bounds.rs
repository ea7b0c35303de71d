//! What a record holds at most, so that the end of the log is always found.

use serde_json::{Value, json};

use crate::audit::record::Entry;

/// Longest text, in characters; the whole of a reason is in the journal.
const TEXT: usize = 2_000;
/// Longest `what`, in bytes of JSON.
const WHAT: usize = 32 << 10;

/// The entry with what is too long cut short: whoever asks says how long their words are.
pub(super) fn bounded(entry: Entry) -> Entry {
    let Entry { at, who, role, from, action, mut what, outcome } = entry;
    shorten(&mut what);
    let text = what.to_string();
    if text.len() > WHAT {
        what = json!({ "too_long": text.len(), "hash": blake3::hash(text.as_bytes()).to_hex().as_str() });
    }
    let [at, who, role, from, action, outcome] = [at, who, role, from, action, outcome].map(short);
    Entry { at, who, role, from, action, what, outcome }
}

fn short(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(TEXT) {
        text.truncate(end);
    }
    text
}

fn shorten(value: &mut Value) {
    match value {
        Value::String(text) => *text = short(std::mem::take(text)),
        Value::Array(values) => values.iter_mut().for_each(shorten),
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        _ => {}
    }
}
