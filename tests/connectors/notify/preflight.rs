//! What is asked before words can go out: everybody is greeted, and nothing is sent.

use serde_json::{Value, json};

use super::letter;
use super::smtp::{Manner, SmtpServer, Tls};
use super::tls::AUTHORITY;
use crate::http::Service;
use crate::preflight::{error, found, good, questions};

#[tokio::test]
async fn a_mail_server_is_greeted_and_given_nothing() {
    let server = SmtpServer::start(Manner { tls: Tls::Starttls, ..Manner::default() }).await;
    let mut with = letter(&server);
    with["server"]["user"] = json!("desk");
    with["server"]["password"] = json!("⟦secret:canary⟧");
    assert_eq!(good(&found("notify/email@1", with.clone()).await), "greets");
    with["server"]["tls"] = json!("starttls");
    error(&found("notify/email@1", with.clone()).await, "email.tls");
    with["server"]["ca"] = json!(AUTHORITY);
    assert!(good(&found("notify/email@1", with.clone()).await).contains("certificate"));
    let said = server.commands();
    assert!(said.iter().all(|line| line.starts_with("EHLO") || line == "STARTTLS" || line == "QUIT"), "{said:?}");
    with["server"]["port"] = json!(std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    error(&found("notify/email@1", with.clone()).await, "email.connect");
    with["server"]["host"] = Value::Null;
    assert!(questions("notify/email@1", with).is_empty(), "the server is not known yet");
}

#[tokio::test]
async fn lists_and_ledgers_are_looked_at_and_services_connected_to() {
    let (service, folder) = (Service::start().await, tempfile::tempdir().unwrap());
    let list = folder.path().join("contacts.csv");
    std::fs::write(&list, "site,email\ns1,a@b.example\ns1,c@b.example\ns2,d@b.example\n").unwrap();
    let ledger = folder.path().join("sent.db");
    let facts = found("notify/contacts@1", json!({ "contacts": list, "ledger": ledger, "site": "s1" })).await;
    let facts: Vec<&str> = facts.iter().map(|finding| finding.fact.as_str()).collect();
    assert_eq!(facts, ["3 contacts of 2 sites", "will be made"]);
    assert!(!ledger.exists());
    error(&found("notify/contacts@1", json!({ "contacts": folder.path().join("none.csv") })).await, "notify.contacts");
    error(&found("notify/contacts@1", json!({ "ledger": "/no/such/folder/sent.db" })).await, "notify.ledger");
    for uses in ["notify/webhook@1", "notify/slack@1"] {
        let with = json!({ "url": format!("{}/effect", service.url), "text": "x" });
        assert_eq!(good(&found(uses, with).await), "accepts connections");
    }
    assert_eq!(service.calls(), 0, "a connection is not a request");
}
