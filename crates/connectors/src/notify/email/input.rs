//! What `notify/email@1` takes and gives.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::gate::Once;

/// Inputs of `notify/email@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Email {
    /// The mail server.
    pub(crate) server: Server,
    /// Who writes: `name@example.com` or `Name <name@example.com>`.
    pub(crate) from: String,
    /// Whom an answer goes to; default: who writes.
    pub(crate) reply_to: Option<String>,
    /// Whom it goes to; they see each other.
    pub(crate) to: OneOrMany,
    /// One line.
    pub(crate) subject: String,
    /// The message as plain text.
    pub(crate) text: String,
    /// The same as HTML, beside the plain text.
    pub(crate) html: Option<String>,
    /// Keeps a ledger, so that the message is not sent twice.
    pub(crate) once: Option<Once>,
}

/// A text or a list of texts.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    /// The texts.
    pub(crate) fn list(&self) -> Vec<&str> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts.iter().map(String::as_str).collect(),
        }
    }
}

/// A mail server that takes messages.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    /// Its name or address.
    pub(crate) host: String,
    /// Its port; default 587 with `starttls`, 465 with `implicit`, 25 with `none`.
    pub(crate) port: Option<u16>,
    /// How the connection is encrypted.
    pub(crate) tls: Tls,
    /// User, if the server asks for one.
    pub(crate) user: Option<String>,
    /// Password of the user; a secret.
    pub(crate) password: Option<String>,
    /// File with certificates (PEM) of an authority that this machine does not trust by itself.
    pub(crate) ca: Option<String>,
    /// Name under which this machine greets; default `localhost`.
    pub(crate) hello: Option<String>,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tls {
    /// After a greeting in the clear; a server that does not offer it is refused.
    Starttls,
    /// From the first byte.
    Implicit,
    /// Not at all; then no password is sent but to this machine itself.
    None,
}

impl Server {
    /// The port that is meant.
    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            Tls::Starttls => 587,
            Tls::Implicit => 465,
            Tls::None => 25,
        })
    }

    /// Host and port for messages.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.host, self.port())
    }

    /// Whether what is said stays on this machine.
    pub(super) fn is_here(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
    }
}

/// Outputs of `notify/email@1`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Handed {
    /// The same for every attempt at the message.
    message_id: String,
    /// Addresses to which it went.
    to: Vec<String>,
    /// What the server said when it took the message.
    answer: String,
    /// Whether an earlier attempt had handed it over; absent otherwise.
    already: Option<bool>,
    /// `false` if it was handed over and the ledger could not be told; absent otherwise.
    noted: Option<bool>,
}
