//! `notify/contacts@1`: an e-mail to each contact of a site, each once, whatever is tried again.

use std::collections::BTreeMap;

use runtime::Call;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::email::{Draft, Server, compose, hand_over};
use super::gate::{Gate, InDoubt, doubt};
use super::ledger::{Entry, Ledger};
use super::list::{Contact, Lists};
use crate::answer::{Trouble, revealed};

/// Inputs of `notify/contacts@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contacts {
    /// List of contacts: CSV with the columns site, email and, if wished, language; kept outside of what is restored.
    contacts: String,
    /// ID of the site.
    site: String,
    /// Kind of the message, such as `returned`: a site is told of each kind once.
    kind: String,
    /// The mail server.
    server: Server,
    /// Who writes.
    from: String,
    /// Whom an answer goes to; default: who writes.
    reply_to: Option<String>,
    /// One line.
    subject: String,
    /// The message as plain text.
    text: String,
    /// The same as HTML, beside the plain text.
    html: Option<String>,
    /// The message in other languages, by the word that the list has for each.
    #[serde(default)]
    languages: BTreeMap<String, Translation>,
    /// File of the ledger; made with the first message. Runs that must not repeat each other share it.
    ledger: String,
    /// What the messages are about; runs that give the same do not repeat each other. Default: the run.
    about: Option<String>,
    /// What becomes of a message of which nobody knows whether it left; default `keep`.
    #[serde(default)]
    in_doubt: InDoubt,
    /// What a site without a contact means; default `fail`.
    #[serde(default)]
    nobody: Nobody,
    /// Says who would get what, and sends nothing.
    #[serde(default)]
    dry_run: bool,
}

/// The message in another language.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Translation {
    /// One line.
    subject: String,
    /// The message as plain text.
    text: String,
    /// The same as HTML, beside the plain text.
    html: Option<String>,
}

/// What a site without a contact means.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Nobody {
    /// The step fails, so that somebody learns of it.
    #[default]
    Fail,
    /// Nothing is sent, and the outputs say so.
    Skip,
}

/// Outputs of `notify/contacts@1`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Told {
    /// Messages handed over by this attempt.
    sent: u32,
    /// Messages that had been handed over before.
    already: u32,
    /// With `dry_run`: who would get what.
    would: Option<Vec<Would>>,
}

/// Who would get what.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Would {
    /// Address.
    to: String,
    /// Language of the message; absent for its own.
    language: Option<String>,
    /// Subject.
    subject: String,
    /// `to be sent`, `sent` or `in doubt`.
    state: String,
}

/// Sends what has not been sent.
pub(super) async fn apply(lists: &Lists, call: &Call) -> Result<Value, Trouble> {
    let with: Contacts = revealed(&call.with, &call.secrets)?;
    let list = lists.get(&with.contacts).await?;
    let contacts = list.of(&with.site);
    if contacts.is_empty() && with.nobody == Nobody::Fail {
        return Err(Trouble::never("notify.nobody", nobody(&with)).hint("add one to the list, or say `nobody: skip`"));
    }
    if with.dry_run {
        return would(&with, contacts, call).await;
    }
    let (mut sent, mut already, mut troubles) = (0_usize, 0_usize, Vec::new());
    for contact in contacts {
        let gate = gate(&with, contact, call);
        match one(&with, contact, &gate, call).await {
            Ok(outputs) if outputs.get("already").is_some() => already += 1,
            Ok(_) => sent += 1,
            Err(trouble) => troubles.push(trouble.at(&contact.email)),
        }
        if call.cancel.is_cancelled() {
            break;
        }
    }
    // Those in doubt first: they need a person.
    troubles.sort_by_key(|trouble| !trouble.is_in_doubt());
    match troubles.into_iter().next() {
        None if sent + already == contacts.len() => Ok(json!({ "sent": sent, "already": already })),
        None => Err(Trouble::retry("email.cancelled", "cancelled between two messages")
            .hint("applied again, it goes on with those that were not told")
            .partly(sent + already, contacts.len())),
        Some(trouble) if sent > 0 => Err(trouble.partly(sent + already, contacts.len())),
        Some(trouble) => Err(trouble),
    }
}

/// Asks the ledger whether every contact was told.
pub(super) async fn probe(lists: &Lists, call: &Call) -> Result<Value, Trouble> {
    let with: Contacts = revealed(&call.with, &call.secrets).map_err(Trouble::in_doubt)?;
    let list = lists.get(&with.contacts).await.map_err(Trouble::in_doubt)?;
    let contacts = list.of(&with.site);
    if contacts.is_empty() && with.nobody == Nobody::Fail {
        // Nothing was sent, and applying again says why.
        return Err(Trouble::retry("notify.not_sent", nobody(&with)).hint("add one to the list"));
    }
    let (mut told, mut open, mut doubtful) = (0_usize, None, None);
    for contact in contacts {
        let gate = gate(&with, contact, call);
        match gate.state().await.map_err(Trouble::in_doubt)? {
            Entry::Sent { .. } => told += 1,
            Entry::Begun { at, .. } if with.in_doubt == InDoubt::Keep => {
                doubtful = doubtful.or_else(|| Some(doubt(gate.name(), &at).at(&contact.email)));
            }
            Entry::Begun { .. } | Entry::None => open = Some(&contact.email),
        }
    }
    match (open, doubtful) {
        (Some(email), _) => {
            let fact = format!("{email} has not been told");
            Err(Trouble::retry("notify.not_sent", fact).hint("applied again, it goes to those only"))
        }
        (None, Some(doubtful)) => Err(doubtful),
        (None, None) => Ok(json!({ "sent": 0, "already": told })),
    }
}

fn nobody(with: &Contacts) -> String {
    format!("{} has no contact of site {}", with.contacts, with.site)
}

async fn one(with: &Contacts, contact: &Contact, gate: &Gate, call: &Call) -> Result<Value, Trouble> {
    if let Some(before) = gate.before().await? {
        return Ok(before);
    }
    let (subject, text, html) = words(with, contact);
    let draft =
        Draft { from: &with.from, reply_to: with.reply_to.as_deref(), to: vec![&contact.email], subject, text, html };
    let letter = compose(&draft, gate.name())?;
    hand_over(&with.server, &letter, gate, call).await
}

/// The message in a contact's language, or its own where there is no translation.
fn words<'w>(with: &'w Contacts, contact: &Contact) -> (&'w str, &'w str, Option<&'w str>) {
    let translated = contact.language.as_ref().and_then(|language| with.languages.get(language));
    match translated {
        Some(own) => (&own.subject, &own.text, own.html.as_deref()),
        None => (&with.subject, &with.text, with.html.as_deref()),
    }
}

/// The gate of one contact: about what, which site, which kind, to whom; never the unit's key, which a retry may change.
fn gate(with: &Contacts, contact: &Contact, call: &Call) -> Gate {
    let about = with.about.as_deref().unwrap_or_else(|| call.key.split('/').next().unwrap_or_default());
    let parts = [about, &with.site, &with.kind, &contact.email.to_ascii_lowercase()];
    let name = parts.map(|part| part.replace('%', "%25").replace('/', "%2F")).join("/");
    Gate::named(Ledger::new(&with.ledger), with.in_doubt, name, call)
}

async fn would(with: &Contacts, contacts: &[Contact], call: &Call) -> Result<Value, Trouble> {
    let mut all = Vec::new();
    for contact in contacts {
        let gate = gate(with, contact, call);
        let state = match gate.state().await? {
            Entry::None => "to be sent",
            Entry::Sent { .. } => "sent",
            Entry::Begun { .. } => "in doubt",
        };
        let (subject, text, html) = words(with, contact);
        let draft = Draft {
            from: &with.from,
            reply_to: with.reply_to.as_deref(),
            to: vec![&contact.email],
            subject,
            text,
            html,
        };
        // What could not be composed would fail later.
        compose(&draft, gate.name())?;
        let mut row = json!({ "to": contact.email, "subject": subject, "state": state });
        if let Some(language) = contact.language.as_ref().filter(|language| with.languages.contains_key(*language)) {
            row["language"] = language.as_str().into();
        }
        all.push(row);
    }
    Ok(json!({ "sent": 0, "already": 0, "would": all }))
}
