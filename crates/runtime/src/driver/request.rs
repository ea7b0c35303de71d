//! What an operator asks of a run that another process drives, and what is answered: the letters of the mailbox.

use engine::Command;
use serde::{Deserialize, Serialize};

/// Format of both letters; a newer one is not understood.
const FORMAT: u8 = 1;

/// A verb on its way to the process that drives the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Hash of the plan under which the sender read the numbers in the command.
    pub plan: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// What.
    pub command: Command,
}

/// What became of a verb.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It is an event in the journal.
    Recorded,
    /// The run refused it and is unchanged.
    Refused(String),
}

impl Request {
    /// Encodes the request for the mailbox.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Decodes a request; `None` if it was not written by this version or an older one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        decode(bytes)
    }
}

impl Reply {
    /// Encodes the reply for the mailbox.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Decodes a reply; `None` if it was not written by this version or an older one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        decode(bytes)
    }
}

fn encode(letter: &impl Serialize) -> Vec<u8> {
    // Plain data into a growing buffer has no way to fail; an empty letter is not understood by anybody.
    serde_json::to_vec(&(FORMAT, letter)).unwrap_or_default()
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    let (format, letter): (u8, T) = serde_json::from_slice(bytes).ok()?;
    (format == FORMAT).then_some(letter)
}
