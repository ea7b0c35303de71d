//! From texts to one message: no text can become a header, and the ID is the same for every attempt.

use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

use crate::answer::Trouble;

/// Characters of a subject.
const SUBJECT: usize = 500;
/// Recipients of one message.
const RECIPIENTS: usize = 100;

/// What a message is made of.
pub(crate) struct Draft<'a> {
    /// Who writes.
    pub(crate) from: &'a str,
    /// Whom an answer goes to.
    pub(crate) reply_to: Option<&'a str>,
    /// Whom it goes to.
    pub(crate) to: Vec<&'a str>,
    /// One line.
    pub(crate) subject: &'a str,
    /// Plain text.
    pub(crate) text: &'a str,
    /// The same as HTML.
    pub(crate) html: Option<&'a str>,
}

/// A message as it goes over the line.
pub(crate) struct Letter {
    /// Its Message-ID.
    pub(crate) id: String,
    /// Addresses to which it goes.
    pub(crate) to: Vec<String>,
    pub(super) envelope: Envelope,
    pub(super) bytes: Vec<u8>,
}

/// Composes the message of a name; the same name gives the same Message-ID, so that whoever gets it twice can tell.
pub(crate) fn compose(draft: &Draft<'_>, name: &str) -> Result<Letter, Trouble> {
    line("subject", draft.subject)?;
    if draft.subject.chars().count() > SUBJECT {
        return Err(header(format!("the subject has more than {SUBJECT} characters")));
    }
    if draft.to.is_empty() || draft.to.len() > RECIPIENTS {
        let number = draft.to.len();
        return Err(header(format!("the message has {number} recipients; from 1 to {RECIPIENTS} are taken")));
    }
    let from = mailbox("from", draft.from)?;
    let domain = Some(from.email.domain()).filter(|domain| domain.is_ascii() && !domain.starts_with('['));
    let digest = blake3::hash(name.as_bytes()).to_hex();
    let id = format!("<{}@{}>", &digest[..32], domain.unwrap_or("reinstate.invalid"));
    let mut addresses: Vec<Address> = Vec::new();
    let mut builder = Message::builder()
        .from(from.clone())
        .subject(draft.subject)
        .message_id(Some(id.clone()))
        // Machines that answer for absent people leave it alone (RFC 3834).
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
    if let Some(reply_to) = draft.reply_to {
        builder = builder.reply_to(mailbox("reply_to", reply_to)?);
    }
    for to in &draft.to {
        let to = mailbox("to", to)?;
        if !addresses.contains(&to.email) {
            addresses.push(to.email.clone());
            builder = builder.to(to);
        }
    }
    let to = addresses.iter().map(ToString::to_string).collect();
    let plain = SinglePart::plain(draft.text.to_owned());
    let built = match draft.html {
        None => builder.singlepart(plain),
        Some(html) => {
            // The same text in, the same bytes out: the boundary comes from the name as well.
            let parts = MultiPart::alternative().boundary(&digest[32..]);
            builder.multipart(parts.singlepart(plain).singlepart(SinglePart::html(html.to_owned())))
        }
    };
    let message = built.map_err(|error| header(error.to_string()))?;
    let envelope = Envelope::new(Some(from.email), addresses).map_err(|error| header(error.to_string()))?;
    let mut bytes = message.formatted();
    // The end of the data brings a line break of its own.
    if bytes.ends_with(b"\r\n") {
        bytes.truncate(bytes.len() - 2);
    }
    Ok(Letter { id, to, envelope, bytes })
}

/// Whether a text is an address to which a message can go.
pub(crate) fn is_address(text: &str) -> bool {
    mailbox("to", text).is_ok()
}

fn mailbox(what: &str, text: &str) -> Result<Mailbox, Trouble> {
    line(what, text)?;
    text.parse().map_err(|error| header(format!("{what}: {text:?} is no address: {error}")))
}

/// What would break a line, and so could begin a header of its own, is refused rather than changed.
fn line(what: &str, text: &str) -> Result<(), Trouble> {
    match text.chars().find(|char| char.is_control()) {
        Some(char) => Err(header(format!("{what} holds the control character U+{:04X}", u32::from(char)))),
        None => Ok(()),
    }
}

fn header(message: String) -> Trouble {
    Trouble::never("email.header", message)
        .hint("write addresses as `Name <name@example.com>`, and the subject as one line")
}
