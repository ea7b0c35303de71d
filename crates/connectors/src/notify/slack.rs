//! `notify/slack@1`: a message to an incoming webhook of Slack, or of a chat that takes the same.

use std::collections::BTreeMap;

use runtime::Call;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::gate::{Gate, Once};
use super::webhook::{post, url};
use crate::answer::{Trouble, revealed};
use crate::http::{Client, Method, Target};

/// Lengths that Slack takes, in characters: of the text, a header, a section, a field; and numbers of fields and blocks.
const TEXT: usize = 4_000;
const HEADER: usize = 150;
const SECTION: usize = 3_000;
const FIELD: usize = 2_000;
const FIELDS: usize = 10;
const BLOCKS: usize = 50;

/// Inputs of `notify/slack@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Slack {
    /// The incoming webhook; a secret, since whoever has it may post.
    url: String,
    /// The message; also what a notification shows.
    text: String,
    /// A line in large letters above it.
    title: Option<String>,
    /// Paragraphs in place of the text; the text is then shown in notifications only.
    #[serde(default)]
    sections: Vec<String>,
    /// Short facts below it: name and value.
    #[serde(default)]
    fields: BTreeMap<String, Value>,
    /// Keeps a ledger, so that the message is not posted twice.
    once: Option<Once>,
}

/// Outputs of `notify/slack@1`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Posted {
    /// Status of the answer.
    status: u16,
    /// Whether it was posted by an earlier attempt; absent otherwise.
    already: Option<bool>,
    /// `false` if it was posted and the ledger could not be told; absent otherwise.
    noted: Option<bool>,
}

/// Posts the message.
pub(super) async fn apply(client: &Client, call: &Call) -> Result<Value, Trouble> {
    // The path is the right to post, so it is not shown even where it is written out.
    let written = call.with.get("url").and_then(Value::as_str).unwrap_or_default();
    let origin: String = written.split_inclusive('/').take(3).collect();
    let target = Target::new(Method::Post, origin.trim_end_matches('/'));
    let slack: Slack = revealed(&call.with, &call.secrets)?;
    let gate = Gate::of(slack.once.as_ref(), call)?;
    if let Some(before) = gate.before().await? {
        return Ok(before);
    }
    let request = client.get()?.post(url(&slack.url, call, &target)?).json(&message(&slack));
    gate.pass(&json!({})).await?;
    let answer = post(request, call, &target).await.map(|answer| json!({ "status": answer.status }));
    gate.close(answer).await
}

/// The message as Slack takes it: escaped, and no longer than it may be.
fn message(slack: &Slack) -> Value {
    let mrkdwn = |text: &str, cap| json!({ "type": "mrkdwn", "text": clip(text, cap) });
    let mut blocks = Vec::new();
    if let Some(title) = slack.title.as_deref().filter(|title| !title.trim().is_empty()) {
        let text: String = title.split_whitespace().collect::<Vec<_>>().join(" ");
        blocks.push(json!({ "type": "header", "text": { "type": "plain_text", "text": clip(&text, HEADER) } }));
    }
    let whole = [slack.text.clone()];
    let sections = if slack.sections.is_empty() { &whole[..] } else { &slack.sections };
    for text in sections.iter().filter(|text| !text.trim().is_empty()) {
        blocks.push(json!({ "type": "section", "text": mrkdwn(text, SECTION) }));
    }
    let fields: Vec<Value> = slack
        .fields
        .iter()
        .map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            mrkdwn(&format!("{name}: {value}"), FIELD)
        })
        .collect();
    for fields in fields.chunks(FIELDS) {
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    if blocks.len() > BLOCKS {
        let left = blocks.len() - (BLOCKS - 1);
        blocks.truncate(BLOCKS - 1);
        blocks.push(json!({ "type": "section", "text": mrkdwn(&format!("... and {left} more parts"), SECTION) }));
    }
    json!({ "text": clip(&slack.text, TEXT), "blocks": blocks })
}

/// Escapes the three characters with which mrkdwn mentions people, rings for a channel and links, and cuts what is too
/// long, never inside of an escape.
fn clip(text: &str, cap: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    let whole = escaped_len(text) <= cap;
    for char in text.chars() {
        let piece = escape(char);
        let len = piece.map_or(1, str::len);
        if !whole && used + len > cap - 1 {
            out.push('…');
            break;
        }
        used += len;
        match piece {
            Some(piece) => out.push_str(piece),
            None => out.push(char),
        }
    }
    out
}

fn escape(char: char) -> Option<&'static str> {
    match char {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    }
}

fn escaped_len(text: &str) -> usize {
    text.chars().map(|char| escape(char).map_or(1, str::len)).sum()
}

#[cfg(test)]
mod tests {
    use super::{BLOCKS, Slack, clip, message};

    #[test]
    fn nothing_in_a_value_mentions_rings_or_links() {
        assert_eq!(clip("<!channel> & <https://x|y>", 99), "&lt;!channel&gt; &amp; &lt;https://x|y&gt;");
        assert_eq!(clip("abc", 3), "abc");
        assert_eq!(clip("abcd", 3), "ab…");
        assert_eq!(clip("a&b", 5), "a…", "never inside of an escape");
    }

    #[test]
    fn a_long_message_stays_within_what_is_taken() {
        let slack = Slack {
            url: String::new(),
            text: "&".repeat(9_000),
            title: Some("a\nb ".repeat(200)),
            sections: vec!["x".repeat(9_000); 80],
            fields: [("sites".to_owned(), 883.into())].into(),
            once: None,
        };
        let message = message(&slack);
        let blocks = message["blocks"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert_eq!(blocks.len(), BLOCKS);
        assert!(message["text"].as_str().is_some_and(|text| text.chars().count() <= 4_000));
        for block in blocks {
            let text = block["text"]["text"].as_str().unwrap_or_default();
            assert!(text.chars().count() <= 3_000 && !text.is_empty(), "{block}");
        }
        assert_eq!(blocks[49]["text"]["text"], "... and 33 more parts");
    }
}
