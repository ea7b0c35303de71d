//! `announce` of an estate: who is told of a run's milestones, by which action, in which words.

use std::collections::BTreeMap;

use engine::ActionSpec;
use serde_json::{Value as Json, json};

use crate::check;
use crate::codes;
use crate::evaluate::secret_marker;
use crate::fields::Sink;
use crate::source::Span;
use crate::template::{self, Part};
use crate::words;
use crate::yaml::{Node, Value};

/// Actions that may announce: they change nothing but what people know.
const KIND: &str = "notify/";

pub(crate) const ANNOUNCE: &[&str] = &["ledger", "name", "what", "support", "components", "messages"];
pub(crate) const ANNOUNCEMENT: &[&str] = &["uses", "on", "every", "with"];

/// Who is told of a run's milestones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Announce {
    /// File in which it is kept what was told.
    pub ledger: String,
    /// Name of the incident.
    pub name: Option<String>,
    /// What happened, in words for the outside.
    pub what: Option<String>,
    /// How customers reach support.
    pub support: Option<String>,
    /// IDs of the components of the status page.
    pub components: Vec<String>,
    /// What is sent when.
    pub messages: Vec<Announcement>,
}

/// One way of telling.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Announcement {
    /// Action, `notify/slack@1`.
    pub uses: String,
    /// Milestones: `started`, `batch`, `25%`, `exceptions`, `ended`.
    pub on: Vec<String>,
    /// Also every so many milliseconds.
    pub every_ms: Option<u64>,
    /// Inputs of the action; secrets are markers, `{{name}}` stands for a value of the status message.
    pub with: Json,
}

impl Announce {
    /// The form that a plan stores.
    pub(super) fn to_json(&self) -> Json {
        let messages = self.messages.iter().map(|message| {
            json!({ "uses": message.uses, "on": message.on, "every_ms": message.every_ms, "with": message.with })
        });
        json!({
            "ledger": self.ledger,
            "name": self.name,
            "what": self.what,
            "support": self.support,
            "components": self.components,
            "messages": messages.collect::<Vec<_>>(),
        })
    }
}

/// Reads the section; what its actions take is held against the catalogue, if that is given.
pub(super) fn read(
    sink: &mut Sink<'_>,
    node: &Node,
    secrets: &BTreeMap<String, String>,
    catalogue: Option<&[ActionSpec]>,
) -> Announce {
    let fields = sink.fields(node, "`announce`", ANNOUNCE);
    let ledger = fields
        .need(sink, "ledger", "name a file that outlives the run: `ledger: /var/lib/reinstate/announced.db`")
        .and_then(|node| sink.text(node, "`ledger`"));
    let mut text = |key: &str, what: &str| fields.get(key).and_then(|node| sink.text(node, what).map(str::to_owned));
    let (name, what, support) = (text("name", "`name`"), text("what", "`what`"), text("support", "`support`"));
    let components = fields.get("components").map(|node| sink.texts(node, "a component")).unwrap_or_default();
    let components = components.into_iter().map(|(id, _)| id.to_owned()).collect();
    let messages = match fields.need(sink, "messages", "list who is told: `messages: [{ uses: notify/slack@1, ... }]`")
    {
        Some(Node { value: Value::List(items), .. }) => {
            items.iter().map(|item| message(sink, item, secrets, catalogue)).collect()
        }
        Some(other) => {
            sink.wrong(other, "`messages`", "a list", "begin each message with `- uses: ...`");
            Vec::new()
        }
        None => Vec::new(),
    };
    Announce { ledger: ledger.unwrap_or_default().to_owned(), name, what, support, components, messages }
}

fn message(
    sink: &mut Sink<'_>,
    node: &Node,
    secrets: &BTreeMap<String, String>,
    catalogue: Option<&[ActionSpec]>,
) -> Announcement {
    let fields = sink.fields(node, "a message of `announce`", ANNOUNCEMENT);
    let uses = fields.need(sink, "uses", "name an action: `uses: notify/slack@1`");
    let uses = uses.and_then(|node| Some((sink.text(node, "`uses`")?, node.span)));
    let on: Vec<(&str, Span)> = fields.get("on").map(|node| sink.texts(node, "a milestone")).unwrap_or_default();
    for (word, span) in &on {
        if !is_milestone(word) {
            sink.error(
                codes::ESTATE_ANNOUNCE,
                *span,
                format!("`{}` is no milestone", words::short(word)),
                "milestones are `started`, `batch`, a share such as `25%`, `exceptions` and `ended`",
            );
        }
    }
    let every_ms = fields.get("every").and_then(|node| sink.duration(node, "`every`", false));
    if on.is_empty() && every_ms.is_none() {
        let hint = "say when: `on: [started, 50%, ended]`, or `every: 2h`";
        sink.error(codes::ESTATE_ANNOUNCE, node.span, "a message of `announce` is never due", hint);
    }
    let none = Node { span: fields.span, value: Value::Map(Vec::new()) };
    let with = fields.get("with").unwrap_or(&none);
    if let Some((uses, span)) = uses {
        check_uses(sink, uses, span, with, catalogue);
    }
    Announcement {
        uses: uses.map(|(uses, _)| uses.to_owned()).unwrap_or_default(),
        on: on.into_iter().map(|(word, _)| word.to_owned()).collect(),
        every_ms,
        with: resolved(sink, "", with, secrets),
    }
}

fn check_uses(sink: &mut Sink<'_>, uses: &str, span: Span, with: &Node, catalogue: Option<&[ActionSpec]>) {
    if !uses.starts_with(KIND) {
        let message = format!("`{}` does not tell anybody anything", words::short(uses));
        sink.error(codes::ESTATE_ANNOUNCE, span, message, "use an action of the kind `notify/...`");
        return;
    }
    let Some(catalogue) = catalogue else { return };
    match catalogue.iter().find(|action| action.uses == uses) {
        Some(action) => check::inputs(sink, &format!("`{uses}`"), &action.input, with),
        None => sink.error(
            codes::UNKNOWN_ACTION,
            span,
            format!("there is no action `{}`", words::short(uses)),
            words::suggest(
                uses,
                "actions",
                catalogue.iter().map(|action| action.uses.as_str()).filter(|uses| uses.starts_with(KIND)),
            ),
        ),
    }
}

fn is_milestone(word: &str) -> bool {
    let share = |text: &str| text.parse::<u8>().is_ok_and(|percent| (1..=100).contains(&percent));
    matches!(word, "started" | "batch" | "exceptions" | "ended") || word.strip_suffix('%').is_some_and(share)
}

/// The inputs with markers in the place of secrets; nothing else can be written inside of `${{ }}` here.
fn resolved(sink: &mut Sink<'_>, key: &str, node: &Node, secrets: &BTreeMap<String, String>) -> Json {
    match &node.value {
        Value::Map(entries) => {
            let member =
                |entry: &crate::yaml::Entry| (entry.key.clone(), resolved(sink, &entry.key, &entry.value, secrets));
            Json::Object(entries.iter().map(member).collect())
        }
        Value::List(items) => items.iter().map(|item| resolved(sink, key, item, secrets)).collect(),
        Value::Text(text) if template::has_hole(text) => text_of(sink, node.span, text, secrets).into(),
        Value::Text(_) => {
            super::literal_secrets(sink, key, node);
            node.to_json()
        }
        _ => node.to_json(),
    }
}

fn text_of(sink: &mut Sink<'_>, span: Span, text: &str, secrets: &BTreeMap<String, String>) -> String {
    let hint = "here `${{ secrets.NAME }}` alone can be written; `{{percent}}` is a value of the status message";
    let Ok(parts) = template::split(text) else {
        sink.error(codes::ESTATE_ANNOUNCE, span, "`${{` is not closed", hint);
        return String::new();
    };
    let mut filled = String::new();
    for part in parts {
        match part {
            Part::Plain(text) => filled.push_str(&text),
            Part::Hole { expression: hole, .. } => match hole.strip_prefix("secrets.") {
                Some(name) if secrets.contains_key(name) => filled.push_str(&secret_marker(name)),
                Some(name) => sink.error(
                    codes::UNKNOWN_SECRET,
                    span,
                    format!("the estate has no secret `{}`", words::short(name)),
                    words::suggest(name, "secrets", secrets.keys().map(String::as_str)),
                ),
                None => {
                    let message = format!("`{}` cannot be evaluated here", words::short(&hole));
                    sink.error(codes::ESTATE_ANNOUNCE, span, message, hint);
                }
            },
        }
    }
    filled
}
