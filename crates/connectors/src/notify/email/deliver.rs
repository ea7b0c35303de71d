//! The conversation with a mail server, step by step, so that it is known how far it came.

use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use runtime::SecretText;
use serde_json::Value;

use super::input::{Server, Tls};
use super::message::Letter;
use crate::answer::{Trouble, excerpt};
use crate::notify::gate::Gate;

/// Longest wait for a connection, and for the answer to a farewell.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to do about a message in doubt.
pub(super) const ASK: &str = "look for the Message-ID in the mail server's log: it may have taken the message";

/// Why nothing can be said to a server.
pub(crate) struct Parted {
    /// Stable code.
    pub(crate) code: &'static str,
    /// The fact.
    pub(crate) fact: String,
    /// The next move.
    pub(crate) hint: &'static str,
    /// Whether it may be otherwise later.
    passing: bool,
}

impl From<Parted> for Trouble {
    fn from(parted: Parted) -> Self {
        let Parted { code, fact, hint, passing } = parted;
        if passing { Self::retry(code, fact).hint(hint) } else { Self::never(code, fact).hint(hint) }
    }
}

/// Hands a message to a server; returns what it said. The gate is passed right before the server could take it.
pub(crate) async fn deliver(
    server: &Server,
    letter: &Letter,
    gate: &Gate,
    detail: &Value,
    secrets: &SecretText,
) -> Result<String, Trouble> {
    let place = server.place();
    let mut connection = reach(server, secrets).await?;
    let refused = |code, what: &str, error: &Error| refused(code, what, error, secrets);
    log_in(&mut connection, server).await?;
    let mut options = Vec::new();
    let sender = letter.envelope.from().cloned();
    let ascii = |address: &lettre::Address| address.to_string().is_ascii();
    if !sender.iter().chain(letter.envelope.to()).all(ascii) {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(Trouble::never("email.recipient", format!("{place} takes only addresses in ASCII"))
                .hint("give the address as its server writes it in ASCII"));
        }
        options.push(MailParameter::SmtpUtfEight);
    }
    let said = connection.command(Mail::new(sender, options)).await;
    said.map_err(|error| refused("email.sender", &format!("{place} does not take the sender"), &error))?;
    for to in letter.envelope.to() {
        // All or nobody: a message that went to some could not be repeated for the others.
        let said = connection.command(Rcpt::new(to.clone(), Vec::new())).await;
        said.map_err(|error| refused("email.recipient", &format!("{place} does not take {to}"), &error))?;
    }
    gate.pass(detail).await?;
    let said = connection.command(Data).await;
    said.map_err(|error| refused("email.refused", &format!("{place} does not take a message"), &error))?;
    let answer = match connection.message(&letter.bytes).await {
        Ok(answer) => answer.message().collect::<Vec<_>>().join(" "),
        // An answer is an answer: it did not take the message.
        Err(error) if error.status().is_some() => {
            return Err(refused("email.refused", &format!("{place} did not take the message"), &error));
        }
        Err(error) => {
            let why = excerpt(&secrets.redact(&error.to_string()), 300);
            let message = format!("{place}: the connection ended after the message, without an answer: {why}");
            return Err(Trouble::unknown("email.lost", message).hint(ASK));
        }
    };
    // It is theirs now; whether they say good-bye does not matter.
    let _ = tokio::time::timeout(PATIENCE, connection.quit()).await;
    Ok(excerpt(&secrets.redact(&answer), 300))
}

/// Connects, greets and encrypts; says nothing of a message.
pub(crate) async fn reach(server: &Server, secrets: &SecretText) -> Result<AsyncSmtpConnection, Parted> {
    let place = server.place();
    let parted = |code, fact: String, hint, passing| Parted { code, fact, hint, passing };
    let tls = match server.tls {
        Tls::None => None,
        Tls::Starttls | Tls::Implicit => Some(trust(server, secrets).await?),
    };
    let hello = match &server.hello {
        Some(name) if name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')) && !name.is_empty() => {
            ClientId::Domain(name.clone())
        }
        Some(_) => {
            let fact = "hello is no name of a machine".to_owned();
            return Err(parted("inputs", fact, "write it like `mail.example.com`", false));
        }
        None => ClientId::Domain("localhost".to_owned()),
    };
    let at_once = tls.clone().filter(|_| server.tls == Tls::Implicit);
    let address = (server.host.clone(), server.port());
    let made = tokio::time::timeout(
        PATIENCE,
        AsyncSmtpConnection::connect_tokio1(address, Some(PATIENCE), &hello, at_once, None),
    );
    let mut connection = match made.await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) if error.is_tls() || certificate(&error) => return Err(untrusted(&place, &error, secrets)),
        Ok(Err(error)) => {
            let hint = "is the mail server up, and are host, port and `tls` right?";
            return Err(parted(
                "email.connect",
                format!("{place}: {}", said(&error, secrets)),
                hint,
                !error.is_permanent(),
            ));
        }
        Err(_) => {
            let fact = format!("{place}: no greeting within {} s", PATIENCE.as_secs());
            return Err(parted("email.connect", fact, "is it a mail server, and are port and `tls` right?", true));
        }
    };
    if let Some(tls) = tls.filter(|_| server.tls == Tls::Starttls) {
        if !connection.can_starttls() {
            let fact = format!("{place} does not offer STARTTLS");
            let hint = "nothing is said in the clear; use `tls: implicit`, or `none` if nothing needs to be secret";
            return Err(parted("email.tls", fact, hint, false));
        }
        match tokio::time::timeout(PATIENCE, connection.starttls(tls, &hello)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(untrusted(&place, &error, secrets)),
            Err(_) => {
                let fact = format!("{place}: no TLS handshake within {} s", PATIENCE.as_secs());
                return Err(parted("email.tls", fact, "look at the mail server's log", true));
            }
        }
    }
    Ok(connection)
}

/// An invalid certificate comes as an error of the connection.
fn certificate(error: &Error) -> bool {
    error.to_string().contains("certificate")
}

fn untrusted(place: &str, error: &Error, secrets: &SecretText) -> Parted {
    let hint = "is the certificate valid for this name, and does this machine trust its issuer? `ca` names another";
    Parted { code: "email.tls", fact: format!("{place}: {}", said(error, secrets)), hint, passing: true }
}

async fn trust(server: &Server, secrets: &SecretText) -> Result<TlsParameters, Parted> {
    let unusable = |fact: String| Parted {
        code: "email.ca",
        fact,
        hint: "`ca` must be a readable file with certificates in PEM",
        passing: false,
    };
    let mut builder = TlsParameters::builder(server.host.clone());
    if let Some(path) = &server.ca {
        let pem = tokio::fs::read(path).await.map_err(|error| unusable(format!("{path}: {error}")))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| unusable(format!("{path}: {error}")))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build_rustls().map_err(|error| untrusted(&server.place(), &error, secrets))
}

async fn log_in(connection: &mut AsyncSmtpConnection, server: &Server) -> Result<(), Trouble> {
    let place = server.place();
    let (user, password) = match (&server.user, &server.password) {
        (None, None) => return Ok(()),
        (Some(user), Some(password)) => (user.clone(), password.clone()),
        _ => {
            return Err(Trouble::never("inputs", "server: one of `user` and `password` is given without the other")
                .hint("give both, or neither"));
        }
    };
    if server.tls == Tls::None && !server.is_here() {
        return Err(Trouble::never("email.clear", format!("the password would go to {place} in the clear"))
            .hint("use `tls: starttls` or `implicit`"));
    }
    let mechanisms = [Mechanism::Plain, Mechanism::Login];
    match connection.auth(&mechanisms, &Credentials::new(user, password)).await {
        Ok(_) => Ok(()),
        // What the server says here may hold the password in another form, so only its number is told.
        Err(error) => {
            let what = match error.status() {
                Some(code) => format!("{place} refused the user: {code}"),
                None if error.is_client() => format!("{place} offers neither PLAIN nor LOGIN"),
                None => format!("{place}: the connection ended while logging in"),
            };
            let passing = error.status().is_none() && !error.is_client() || error.is_transient();
            let trouble = if passing { Trouble::retry("email.auth", what) } else { Trouble::never("email.auth", what) };
            Err(trouble.hint("check user and password of the mail server"))
        }
    }
}

/// The server said no, or nothing, before it could have taken the message.
fn refused(code: &'static str, what: &str, error: &Error, secrets: &SecretText) -> Trouble {
    let message = format!("{what}: {}", said(error, secrets));
    if error.is_permanent() {
        Trouble::never(code, message).hint("the server will not take it as it is; its answer says why")
    } else {
        Trouble::retry(code, message).hint("the server may take it later")
    }
}

/// What a server said, which may quote what it was given.
fn said(error: &Error, secrets: &SecretText) -> String {
    excerpt(&secrets.redact(&error.to_string()), 300)
}
