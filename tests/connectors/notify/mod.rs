//! Words to the outside, over real sockets: services, chats, mail servers, and what must not be said twice.

mod chat;
mod codes;
mod contacts;
mod email;
mod killed;
mod preflight;
mod smtp;
mod tls;
mod webhook;

use serde_json::{Value, json};

use smtp::SmtpServer;

/// A message with what every message has.
fn letter(server: &SmtpServer) -> Value {
    json!({
        "server": server.input(),
        "from": "Restore desk <desk@vendor.example>",
        "to": "ada@customer.example",
        "subject": "Your site is back",
        "text": "It is back.\n",
    })
}
