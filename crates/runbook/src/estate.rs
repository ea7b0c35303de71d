//! Estate files: the systems that a runbook acts on, as variables and references to secrets.

mod actions;
mod announce;

use std::collections::BTreeMap;

use engine::{ActionSpec, Approval, Extras};
use serde_json::{Value as Json, json};

use crate::codes;
use crate::diagnostic::{self, Diagnostic, Text};
use crate::fields::Sink;
use crate::lower;
use crate::source::Source;
use crate::words;
use crate::yaml::{self, Node, Value};

#[cfg(test)]
pub(crate) use announce::{ANNOUNCE, ANNOUNCEMENT};
pub use announce::{Announce, Announcement};

/// An estate as its file describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Estate {
    /// Name.
    pub name: String,
    /// Whether drills may destroy things in it.
    pub sandbox: bool,
    /// Groups of people who may approve, by name; each person once.
    pub approvers: BTreeMap<String, Vec<String>>,
    /// What a large run has to pass before it starts.
    pub guard: Option<Guard>,
    /// Actions that stand in for those of a runbook: by the name that the runbook uses, the name that is used here.
    pub actions: BTreeMap<String, String>,
    /// Who is told of a run's milestones.
    pub announce: Option<Announce>,
    /// Variables that expressions read as `estate.NAME`.
    pub variables: serde_json::Map<String, Json>,
    /// References by name: `env:NAME`, `file:PATH` or `command:...`; never values.
    pub secrets: BTreeMap<String, String>,
}

/// What a run over many sites has to pass before it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Number of sites up to which a run starts without more ado.
    pub sites: u32,
    /// The approval that a run over more sites waits for.
    pub approval: Option<Approval>,
    /// What has to be confirmed with that approval.
    pub checklist: Vec<String>,
    /// The passed drill that a large run asks of its runbook.
    pub certificate: Option<CertificateRule>,
}

/// Which runs need a runbook that a drill has passed with, and how lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateRule {
    /// How long ago the drill may have ended, in milliseconds.
    pub max_age_ms: u64,
    /// Number of sites up to which a run needs none.
    pub above: u32,
}

impl Guard {
    /// Has a run wait for this guard's approval before it starts, if it has one.
    pub fn hold(&self, extras: &mut Extras) {
        extras.hold_start(self.approval.clone(), self.checklist.clone());
    }

    /// Says whether a run over so many sites is a large one.
    #[must_use]
    pub fn guards(&self, sites: usize) -> bool {
        sites > self.sites as usize
    }
}

pub(crate) const ESTATE: &[&str] =
    &["schema", "name", "sandbox", "approvers", "guard", "actions", "announce", "variables", "secrets"];
pub(crate) const GUARD: &[&str] = &["sites", "approval", "certificate"];
pub(crate) const CERTIFICATE: &[&str] = &["max_age", "above"];

impl Estate {
    /// Reads an estate file; `None` if there is an error. Whether its `actions` exist is not asked.
    #[must_use]
    pub fn parse(source: &Source) -> (Option<Self>, Vec<Diagnostic>) {
        Self::parsed(source, None)
    }

    /// Reads an estate file whose `actions` must be those of a catalogue; `None` if there is an error.
    #[must_use]
    pub fn parse_for(source: &Source, catalogue: &[ActionSpec]) -> (Option<Self>, Vec<Diagnostic>) {
        Self::parsed(source, Some(catalogue))
    }

    fn parsed(source: &Source, catalogue: Option<&[ActionSpec]>) -> (Option<Self>, Vec<Diagnostic>) {
        let text = Text::new(source);
        let root = match yaml::parse(&text) {
            Ok(root) => root,
            Err(diagnostic) => return (None, vec![*diagnostic]),
        };
        let mut sink = Sink::new(&text);
        let estate = read(&mut sink, &root, catalogue);
        let found = diagnostic::in_order(sink.found);
        ((!diagnostic::has_errors(&found)).then_some(estate), found)
    }

    /// Returns the number of sites above which whoever starts a run must type the number back; `None` for no such
    /// number.
    #[must_use]
    pub fn guard_sites(&self) -> Option<u32> {
        self.guard.as_ref().map(|guard| guard.sites)
    }

    /// Returns the form that a plan stores: `{"variables": {...}, "secrets": {"name": "file:..."}}`, and `actions`
    /// and `announce` if there are any.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut stored = json!({ "variables": self.variables, "secrets": self.secrets });
        if !self.actions.is_empty() {
            stored["actions"] = json!(self.actions);
        }
        if let Some(announce) = &self.announce {
            stored["announce"] = announce.to_json();
        }
        stored
    }
}

fn read(sink: &mut Sink<'_>, root: &Node, catalogue: Option<&[ActionSpec]>) -> Estate {
    let top = sink.fields(root, "the estate", ESTATE);
    let schema = top.need(sink, "schema", "start with `schema: estate/v1`");
    lower::version(sink, schema, "estate/v1");
    let name = top.need(sink, "name", "give the estate a name: `name: production`").and_then(|node| {
        let name = sink.text(node, "`name`")?;
        sink.name(name, node.span, "an estate", &[]);
        Some(name.to_owned())
    });
    let sandbox = top.get("sandbox").and_then(|node| sink.boolean(node, "`sandbox`")).unwrap_or(false);
    let approvers = top.get("approvers").map(|node| approvers(sink, node)).unwrap_or_default();
    let guard = top.get("guard").and_then(|node| guard(sink, node, &approvers));
    let actions = top.get("actions").map(|node| actions::read(sink, node, catalogue)).unwrap_or_default();
    let mut variables = serde_json::Map::new();
    if let Some(node) = top.get("variables") {
        for entry in sink.entries(node, "`variables`") {
            sink.name(&entry.key, entry.key_span, "a variable", &[]);
            nested(sink, &entry.value);
            literal_secrets(sink, &entry.key, &entry.value);
            variables.insert(entry.key.clone(), entry.value.to_json());
        }
    }
    let mut secrets = BTreeMap::new();
    if let Some(node) = top.get("secrets") {
        for entry in sink.entries(node, "`secrets`") {
            sink.name(&entry.key, entry.key_span, "a secret", &[]);
            if let Some(reference) = reference(sink, &entry.value) {
                secrets.insert(entry.key.clone(), reference);
            }
        }
    }
    let announce = top.get("announce").map(|node| announce::read(sink, node, &secrets, catalogue));
    Estate { name: name.unwrap_or_default(), sandbox, approvers, guard, actions, announce, variables, secrets }
}

fn approvers(sink: &mut Sink<'_>, node: &Node) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for entry in sink.entries(node, "`approvers`") {
        sink.name(&entry.key, entry.key_span, "a group of approvers", &[]);
        let people = sink.texts(&entry.value, "an approver");
        if people.is_empty() {
            sink.error(
                codes::ESTATE_APPROVERS,
                entry.key_span,
                format!("the group `{}` has nobody", words::short(&entry.key)),
                "name its people: `dr-leads: [anna, ben]`",
            );
        }
        let mut names: Vec<String> = Vec::new();
        for (name, span) in people {
            if name.trim() != name || name.is_empty() || name.len() > 200 || name.chars().any(char::is_control) {
                sink.error(
                    codes::BAD_NAME,
                    span,
                    format!("`{}` is not the name of a person", words::short(name)),
                    "write the name under which the person uses reinstate, at most 200 bytes",
                );
            } else if names.iter().any(|known| known == name) {
                sink.error(
                    codes::ESTATE_APPROVERS,
                    span,
                    format!("`{}` is in the group `{}` twice", words::short(name), words::short(&entry.key)),
                    "name each person once",
                );
            } else {
                names.push(name.to_owned());
            }
        }
        all.insert(entry.key.clone(), names);
    }
    all
}

fn guard(sink: &mut Sink<'_>, node: &Node, approvers: &BTreeMap<String, Vec<String>>) -> Option<Guard> {
    let fields = sink.fields(node, "`guard`", GUARD);
    let sites = fields
        .need(sink, "sites", "say up to how many sites a run needs no guard: `sites: 100`")
        .and_then(|node| sink.integer(node, "`sites`", 0..=10_000_000));
    let approval = fields.entry("approval").map(|entry| lower::approval::approval(sink, &entry.value, entry.key_span));
    if let Some(declared) = &approval {
        let text = sink.text;
        sink.found.extend(crate::approvers::missing(text, declared, approvers));
    }
    let certificate = fields.get("certificate").and_then(|node| certificate(sink, node));
    let (approval, checklist) = approval.map(|declared| (declared.approval, declared.checklist)).unzip();
    let checklist = checklist.unwrap_or_default();
    Some(Guard { sites: u32::try_from(sites?).ok()?, approval, checklist, certificate })
}

fn certificate(sink: &mut Sink<'_>, node: &Node) -> Option<CertificateRule> {
    let fields = sink.fields(node, "`certificate`", CERTIFICATE);
    let max_age = fields
        .need(sink, "max_age", "say how long ago the drill may have passed: `max_age: 30d`")
        .and_then(|node| sink.duration(node, "`max_age`", false));
    let above = match fields.get("above") {
        Some(node) => sink.integer(node, "`above`", 0..=10_000_000)?,
        None => 0,
    };
    Some(CertificateRule { max_age_ms: max_age?, above: u32::try_from(above).ok()? })
}

/// Finds duplicate keys inside free-form values.
fn nested(sink: &mut Sink<'_>, node: &Node) {
    match &node.value {
        Value::Map(_) => {
            for entry in sink.entries(node, "a variable") {
                nested(sink, &entry.value);
            }
        }
        Value::List(items) => items.iter().for_each(|item| nested(sink, item)),
        _ => {}
    }
}

fn literal_secrets(sink: &mut Sink<'_>, key: &str, node: &Node) {
    match &node.value {
        Value::Map(entries) => entries.iter().for_each(|entry| literal_secrets(sink, &entry.key, &entry.value)),
        Value::List(items) => items.iter().for_each(|item| literal_secrets(sink, key, item)),
        Value::Text(text)
            if (crate::check::is_secret_word(key) && !text.is_empty()) || crate::check::has_password(text) =>
        {
            sink.error(
                codes::LITERAL_SECRET,
                node.span,
                format!("`{}` is a secret written into the file", words::short(key)),
                "move it to `secrets` as `env:NAME` or `file:PATH`",
            );
        }
        _ => {}
    }
}

pub(crate) fn reference(sink: &mut Sink<'_>, node: &Node) -> Option<String> {
    let hint = "write `env:NAME`, `file:PATH` or `command:PROGRAM`; the value itself never stands in a file";
    let text = sink.text(node, "a secret")?;
    let good = ["env:", "file:", "command:"]
        .iter()
        .any(|kind| text.strip_prefix(kind).is_some_and(|rest| !rest.trim().is_empty()));
    if !good {
        // The text is not quoted: it may be the secret.
        sink.error(codes::ESTATE_SECRET, node.span, "this is not a reference to a secret", hint);
        return None;
    }
    Some(text.to_owned())
}
