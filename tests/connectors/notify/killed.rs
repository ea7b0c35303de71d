//! What is guaranteed when a process dies between the mail server's yes and the ledger: at most once, never silently.

use std::path::Path;

use connectors::{Begun, Entry, Ledger};
use runtime::engine::Outcome;
use serde_json::json;

use super::letter;
use super::smtp::{End, Manner, SmtpServer};
use crate::world::{World, done, dropped_after, keyed, refused, unknown};

const EMAIL: &str = "notify/email@1";
const KEY: &str = "r1/tell/s1/";

fn with(server: &SmtpServer, ledger: &Path) -> serde_json::Value {
    let mut with = letter(server);
    with["once"] = json!({ "ledger": ledger });
    with
}

#[tokio::test]
async fn dropped_anywhere_it_arrives_once_or_is_in_doubt() {
    let folder = tempfile::tempdir().unwrap();
    let (mut before, mut doubtful, mut through) = (0, 0, 0);
    for polls in 1..200 {
        let server = SmtpServer::start(Manner::default()).await;
        let ledger = folder.path().join(format!("{polls}.db"));
        let call = || keyed(EMAIL, with(&server, &ledger), KEY, 1);
        let ready = dropped_after(polls, World::new().connector(EMAIL).apply(call())).await;
        let world = World::new();
        match world.apply(call()).await {
            Outcome::Done { outputs } if outputs.as_ref().is_some_and(|text| text.contains("already")) => through += 1,
            // It had not left, so it goes now.
            Outcome::Done { .. } => before += 1,
            outcome => {
                doubtful += 1;
                unknown(&outcome, "notify.in_doubt");
                match world.probe(call()).await {
                    // What the dead process had given to the ledger's file came in after that look.
                    Outcome::Done { outputs } => assert!(outputs.is_some_and(|text| text.contains("already"))),
                    outcome => {
                        let _ = unknown(&outcome, "notify.in_doubt");
                    }
                }
            }
        }
        assert!(server.received().len() <= 1, "{polls}: twice");
        if ready {
            break;
        }
    }
    assert!(before > 0 && doubtful > 0 && through > 0, "{before} {doubtful} {through}");
}

#[tokio::test]
async fn between_the_servers_yes_and_the_ledger_it_is_never_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("sent.db");
    let (world, server) = (World::new(), SmtpServer::start(Manner { end: End::Hangs, ..Manner::default() }).await);
    let call = || keyed(EMAIL, with(&server, &ledger), KEY, 1);
    {
        // The server has it, and the process dies before it hears so.
        let attempt = world.apply(call());
        tokio::select! {
            outcome = attempt => panic!("it cannot have heard: {outcome:?}"),
            () = server.takes() => {}
        }
    }
    server.behave(Manner::default());
    for _ in 0..3 {
        unknown(&World::new().apply(call()).await, "notify.in_doubt");
        unknown(&World::new().probe(call()).await, "notify.in_doubt");
    }
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn a_probe_reads_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("sent.db");
    let (world, server) = (World::new(), SmtpServer::start(Manner::default()).await);
    let call = || keyed(EMAIL, with(&server, &ledger), KEY, 1);
    refused(&world.probe(call()).await, "notify.not_sent", runtime::engine::Advice::Retry);
    assert!(!ledger.exists(), "a look makes no file");
    done(&world.apply(call()).await);
    let outputs = done(&world.probe(call()).await);
    assert_eq!((outputs["already"].clone(), outputs["answer"].clone()), (json!(true), json!("2.0.0 queued as 4711")));
    unknown(&world.probe(keyed(EMAIL, letter(&server), KEY, 1)).await, "no_probe");
    // A message that was surely not taken is forgotten, and goes when it is tried again.
    server.behave(Manner { end: End::Says("452 4.3.1 disk full"), ..Manner::default() });
    let other = || keyed(EMAIL, with(&server, &ledger), "r1/tell/s2/", 1);
    refused(&world.apply(other()).await, "email.refused", runtime::engine::Advice::Retry);
    server.behave(Manner::default());
    assert_eq!(done(&world.apply(other()).await).get("already"), None);
}

#[tokio::test]
async fn a_name_is_begun_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::new(folder.path().join("sent.db"));
    assert_eq!(ledger.begin("a", "one", "{}", false).await.unwrap(), Begun::Ours);
    assert!(matches!(ledger.begin("a", "two", "{}", false).await.unwrap(), Begun::Already(Entry::Begun { .. })));
    assert_eq!(ledger.begin("a", "two", "{}", true).await.unwrap(), Begun::Ours, "somebody said so");
    ledger.sent("a", "x").await.unwrap();
    assert!(matches!(ledger.begin("a", "two", "{}", true).await.unwrap(), Begun::Already(Entry::Sent { .. })));
    ledger.forget("b", "one").await.unwrap();
    ledger.forget("a", "two").await.unwrap();
    assert!(matches!(ledger.look("a").await.unwrap(), Entry::Sent { .. }), "what was sent is never forgotten");
}
