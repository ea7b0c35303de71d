//! `notify/email` against a mail server on loopback: every byte, and what is known after every kind of end.

use runtime::engine::{Advice, Outcome};
use serde_json::json;

use super::letter;
use super::smtp::{End, Manner, SmtpServer, Tls};
use super::tls::AUTHORITY;
use crate::world::{CANARY, World, call, done, keyed, refused, unknown};

const EMAIL: &str = "notify/email@1";

#[tokio::test]
async fn a_message_arrives_byte_for_byte() {
    let (world, server) = (World::new(), SmtpServer::start(Manner::default()).await);
    let mut with = letter(&server);
    with["from"] = json!("Wiederherstellung Zürich <desk@vendor.example>");
    with["reply_to"] = json!("support@vendor.example");
    with["to"] = json!(["Ada <ada@customer.example>", "bob@customer.example", "Ada <ada@customer.example>"]);
    with["subject"] = json!("Ihre Site ist zurück: 復元 ✓");
    with["text"] = json!("First line\n.\n..two dots\n.hidden\nend");
    let outputs = done(&world.apply(keyed(EMAIL, with, "r1/tell/s1/", 1)).await);
    let [received] = &server.received()[..] else { panic!("one message") };
    assert_eq!(received.from, "FROM:<desk@vendor.example>");
    assert_eq!(received.to, ["ada@customer.example", "bob@customer.example"], "each once");
    assert_eq!(outputs["to"], json!(received.to));
    assert_eq!(outputs["answer"], "2.0.0 queued as 4711");
    assert_eq!(received.header("Message-ID"), outputs["message_id"].as_str().unwrap());
    assert!(outputs["message_id"].as_str().unwrap().ends_with("@vendor.example>"));
    assert_eq!(received.header("Auto-Submitted"), "auto-generated");
    assert_eq!(received.header("Reply-To"), "support@vendor.example");
    assert_eq!(received.header("To"), "Ada <ada@customer.example>, bob@customer.example");
    let from = received.header("From");
    assert!(from.starts_with("=?utf-8?") || from.contains("=?utf-8?b?"), "{from}");
    assert!(received.message.is_ascii(), "headers and body are written in ASCII");
    assert_eq!(received.header("Subject"), "Ihre Site ist =?utf-8?b?enVyw7xjazog5b6p5YWDIOKckw==?=");
    let line = String::from_utf8(received.line.clone()).unwrap();
    assert!(line.ends_with("\r\n\r\nFirst line\r\n..\r\n...two dots\r\n..hidden\r\nend\r\n"), "{line}");
    assert_eq!(received.body(), b"First line\r\n.\r\n..two dots\r\n.hidden\r\nend\r\n");
    assert!(!received.encrypted && received.user.is_none());
}

#[tokio::test]
async fn html_goes_beside_the_text_and_long_lines_are_broken() {
    let (world, server) = (World::new(), SmtpServer::start(Manner::default()).await);
    let mut with = letter(&server);
    with["text"] = json!("é".repeat(3_000));
    with["html"] = json!(format!("<p>{}</p>", "x".repeat(5_000)));
    done(&world.apply(call(EMAIL, with)).await);
    let received = &server.received()[0];
    assert!(received.header("Content-Type").starts_with("multipart/alternative"));
    let text = String::from_utf8(received.message.clone()).unwrap();
    let (plain, html) = (text.find("text/plain").unwrap(), text.find("text/html").unwrap());
    assert!(plain < html, "what is read best comes last");
    assert!(text.lines().all(|line| line.len() <= 998));
}

#[tokio::test]
async fn the_id_is_the_same_for_every_attempt() {
    let (world, server) = (World::new(), SmtpServer::start(Manner::default()).await);
    let with = letter(&server);
    let id =
        async |key: &str, token| done(&world.apply(keyed(EMAIL, with.clone(), key, token)).await)["message_id"].clone();
    let first = id("r1/tell/s1/", 1).await;
    assert_eq!(first, id("r1/tell/s1/", 2).await);
    assert_ne!(first, id("r1/tell/s2/", 1).await);
    assert_eq!(server.received().len(), 3, "without a ledger every call sends");
}

#[tokio::test]
async fn no_text_becomes_a_header() {
    let (world, server) = (World::new(), SmtpServer::start(Manner::default()).await);
    for (input, value) in [
        ("subject", json!("Hello\r\nBcc: all@customer.example")),
        ("subject", json!("Hello\nX: y")),
        ("subject", json!("x".repeat(501))),
        ("from", json!("Desk\r\nBcc: a@b.example <desk@vendor.example>")),
        ("from", json!("nobody")),
        ("reply_to", json!("a@b.example\r\nX: y")),
        ("to", json!("a@b.example>\r\nRCPT TO:<c@d.example")),
        ("to", json!("a@b.example, c@d.example")),
        ("to", json!([])),
        ("to", json!(vec!["a@b.example"; 101])),
    ] {
        let mut with = letter(&server);
        with[input] = value;
        refused(&world.apply(call(EMAIL, with)).await, "email.header", Advice::Never);
    }
    assert_eq!(server.commands(), Vec::<String>::new(), "no server is bothered with it");
    let mut with = letter(&server);
    with["text"] = json!("Bcc: x@y.example\r\n\r\n.\r\nMAIL FROM:<z@y.example>\r\n");
    done(&world.apply(call(EMAIL, with)).await);
    let received = server.received();
    assert_eq!(received.len(), 1, "nor does a text end a message");
    assert_eq!(received[0].to, ["ada@customer.example"]);
}

#[tokio::test]
async fn every_end_says_what_is_known() {
    let (world, server) = (World::new(), SmtpServer::start(Manner::default()).await);
    let with = letter(&server);
    let ends = async |manner: Manner| {
        server.behave(manner);
        world.apply(call(EMAIL, with.clone())).await
    };
    let rcpt = |said| Manner { refuses: [("ada@customer.example".to_owned(), said)].into(), ..Manner::default() };
    let said = ends(rcpt("550 5.1.1 no such user")).await;
    assert!(refused(&said, "email.recipient", Advice::Never).contains("ada@customer.example: permanent error (550)"));
    refused(&ends(rcpt("450 4.2.0 come back later")).await, "email.recipient", Advice::Retry);
    let sender = |said| Manner { sender: Some(said), ..Manner::default() };
    refused(&ends(sender("553 5.7.1 not you")).await, "email.sender", Advice::Never);
    refused(&ends(sender("421 4.3.2 shutting down")).await, "email.sender", Advice::Retry);
    let end = |end| Manner { end, ..Manner::default() };
    refused(&ends(end(End::Says("554 5.7.1 spam"))).await, "email.refused", Advice::Never);
    refused(&ends(end(End::Says("452 4.3.1 disk full"))).await, "email.refused", Advice::Retry);
    assert_eq!(server.received().len(), 0);
    // It took the message, and nobody told us.
    let lost = ends(end(End::Closes)).await;
    unknown(&lost, "email.lost");
    let Outcome::Unknown { failure } = lost else { unreachable!() };
    assert!(failure.hint.contains("Message-ID"));
    server.behave(end(End::Hangs));
    let mut attempt = call(EMAIL, with.clone());
    attempt.timeout = std::time::Duration::from_millis(300);
    unknown(&world.apply(attempt).await, "email.timeout");
    let server = SmtpServer::start(end(End::Hangs)).await;
    let mut attempt = call(EMAIL, letter(&server));
    attempt.timeout = std::time::Duration::from_secs(600);
    let cancel = attempt.cancel.clone();
    let (outcome, ()) = tokio::join!(world.apply(attempt), async {
        server.takes().await;
        cancel.cancel();
    });
    unknown(&outcome, "email.cancelled");
    let mut early = call(EMAIL, with.clone());
    early.cancel.cancel();
    early.with["server"]["port"] = json!(1);
    assert!(matches!(world.apply(early).await, Outcome::Refused { .. }), "cancelled before it could have left");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut with = with.clone();
    with["server"]["port"] = json!(nobody);
    refused(&world.apply(call(EMAIL, with)).await, "email.connect", Advice::Retry);
}

#[tokio::test]
async fn the_password_goes_to_who_may_have_it_and_nowhere_else() {
    let user = Some(("desk".to_owned(), CANARY.to_owned()));
    let (world, server) = (World::new(), SmtpServer::start(Manner { user, ..Manner::default() }).await);
    let mut with = letter(&server);
    with["server"]["user"] = json!("desk");
    with["server"]["password"] = json!("⟦secret:canary⟧");
    done(&world.apply(call(EMAIL, with.clone())).await);
    assert_eq!(server.received()[0].user.as_deref(), Some("desk"));
    // The server repeats what it was told, in a form that no search for the secret would find.
    server.behave(Manner { user: Some(("desk".to_owned(), "another".to_owned())), ..Manner::default() });
    let said = world.apply(call(EMAIL, with.clone())).await;
    let message = refused(&said, "email.auth", Advice::Never);
    assert!(message.ends_with("refused the user: 535"), "{message}");
    server.behave(Manner::default());
    assert!(refused(&world.apply(call(EMAIL, with.clone())).await, "email.auth", Advice::Never).contains("PLAIN"));
    with["server"]["password"] = json!(null);
    refused(&world.apply(call(EMAIL, with.clone())).await, "inputs", Advice::Never);
    assert!(server.commands().iter().all(|line| !line.contains("canary-7d1f")), "it goes as base64 only");
}

#[tokio::test]
async fn encryption_is_what_was_asked_for_or_nothing_is_said() {
    let world = World::new();
    for (tls, word) in [(Tls::Starttls, "starttls"), (Tls::Implicit, "implicit")] {
        let user = Some(("desk".to_owned(), CANARY.to_owned()));
        let server = SmtpServer::start(Manner { tls, user, ..Manner::default() }).await;
        let mut with = letter(&server);
        with["server"]["tls"] = json!(word);
        with["server"]["user"] = json!("desk");
        with["server"]["password"] = json!("⟦secret:canary⟧");
        let stranger = world.apply(call(EMAIL, with.clone())).await;
        refused(&stranger, "email.tls", Advice::Retry);
        with["server"]["ca"] = json!(AUTHORITY);
        done(&world.apply(call(EMAIL, with.clone())).await);
        let received = server.received();
        assert!(received.len() == 1 && received[0].encrypted && received[0].user.is_some());
        with["server"]["ca"] = json!("/no/such/file");
        refused(&world.apply(call(EMAIL, with)).await, "email.ca", Advice::Never);
    }
    let server = SmtpServer::start(Manner::default()).await;
    let mut with = letter(&server);
    with["server"]["tls"] = json!("starttls");
    refused(&world.apply(call(EMAIL, with)).await, "email.tls", Advice::Never);
    assert!(server.commands().iter().all(|line| line.starts_with("EHLO") || line == "QUIT"), "{:?}", server.commands());
    assert_eq!(server.received().len(), 0);
}
