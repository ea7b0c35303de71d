//! `notify/contacts`: who is told what, in which language, and never twice.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use runtime::Call;
use runtime::engine::{Advice, Outcome};
use serde_json::{Value, json};

use super::smtp::{End, Manner, SmtpServer};
use crate::world::{World, done, keyed, refused, unknown};

const CONTACTS: &str = "notify/contacts@1";

struct Desk {
    world: World,
    server: SmtpServer,
    folder: tempfile::TempDir,
}

impl Desk {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let list =
            "site,email,language\ns1,ada@customer.example,de\ns1,bob@customer.example,fr\ns2,eve@other.example,\n";
        std::fs::write(folder.path().join("contacts.csv"), list).unwrap();
        Self { world: World::new(), server: SmtpServer::start(Manner::default()).await, folder }
    }

    fn ledger(&self) -> std::path::PathBuf {
        self.folder.path().join("sent.db")
    }

    fn with(&self, site: &str) -> Value {
        json!({
            "contacts": self.folder.path().join("contacts.csv"),
            "site": site,
            "kind": "returned",
            "server": self.server.input(),
            "from": "desk@vendor.example",
            "subject": "Your site is back",
            "text": "It is back.",
            "languages": { "de": { "subject": "Ihre Site ist da", "text": "Sie ist da." } },
            "ledger": self.ledger(),
        })
    }

    fn call(&self, with: Value, key: &str) -> Call {
        keyed(CONTACTS, with, key, 1)
    }

    async fn tell(&self, site: &str, key: &str) -> Outcome {
        self.world.apply(self.call(self.with(site), key)).await
    }

    /// Address and subject of all that arrived.
    fn arrived(&self) -> Vec<(String, String)> {
        self.server.received().iter().map(|one| (one.to[0].clone(), one.header("Subject"))).collect()
    }
}

fn row(to: &str, subject: &str) -> (String, String) {
    (to.to_owned(), subject.to_owned())
}

#[tokio::test]
async fn each_contact_is_told_once_in_its_language() {
    let desk = Desk::open().await;
    let both = [row("ada@customer.example", "Ihre Site ist da"), row("bob@customer.example", "Your site is back")];
    assert_eq!(done(&desk.tell("s1", "r1/tell/s1/").await), json!({ "sent": 2, "already": 0 }));
    assert_eq!(desk.arrived(), both);
    assert_eq!(std::fs::metadata(desk.ledger()).unwrap().permissions().mode() & 0o777, 0o600, "addresses are private");
    // The same attempt, another attempt, a retry with another key, a resumed process: all of the same run.
    for key in ["r1/tell/s1/", "r1/tell/s1/~2", "r1/again/s1/"] {
        assert_eq!(done(&desk.tell("s1", key).await), json!({ "sent": 0, "already": 2 }), "{key}");
    }
    assert_eq!(done(&World::new().apply(desk.call(desk.with("s1"), "r1/tell/s1/")).await)["already"], 2);
    assert_eq!(desk.arrived(), both);
    // Another run is another matter, unless both say what they are about.
    let mut about = desk.with("s1");
    about["about"] = json!("april");
    assert_eq!(done(&desk.world.apply(desk.call(about.clone(), "r2/tell/s1/")).await)["sent"], 2);
    assert_eq!(done(&desk.world.apply(desk.call(about, "r3/tell/s1/")).await)["already"], 2);
    let mut other = desk.with("s1");
    other["kind"] = json!("delayed");
    assert_eq!(done(&desk.world.apply(desk.call(other, "r1/late/s1/")).await)["sent"], 2, "another kind");
}

#[tokio::test]
async fn a_dry_run_shows_who_would_get_what_and_says_nothing() {
    let desk = Desk::open().await;
    let dry = async |desk: &Desk| {
        let mut with = desk.with("s1");
        with["dry_run"] = json!(true);
        done(&desk.world.apply(desk.call(with, "r1/tell/s1/")).await)["would"].clone()
    };
    let would = |state: &str| {
        json!([
            { "to": "ada@customer.example", "subject": "Ihre Site ist da", "state": state, "language": "de" },
            { "to": "bob@customer.example", "subject": "Your site is back", "state": state },
        ])
    };
    assert_eq!(dry(&desk).await, would("to be sent"));
    assert!(desk.server.commands().is_empty() && !desk.ledger().exists(), "nothing was said or noted");
    done(&desk.tell("s1", "r1/tell/s1/").await);
    assert_eq!(dry(&desk).await, would("sent"));
    assert_eq!(desk.arrived().len(), 2);
}

#[tokio::test]
async fn who_was_not_told_is_told_later_and_nobody_else() {
    let desk = Desk::open().await;
    let refuses = [("bob@customer.example".to_owned(), "450 4.2.0 later")].into();
    desk.server.behave(Manner { refuses, ..Manner::default() });
    let outcome = desk.tell("s1", "r1/tell/s1/").await;
    let message = unknown(&outcome, "email.recipient");
    assert!(message.starts_with("1 of 2 are done; bob@customer.example"), "{message}");
    let probed = desk.world.probe(desk.call(desk.with("s1"), "r1/tell/s1/")).await;
    assert!(refused(&probed, "notify.not_sent", Advice::Retry).starts_with("bob@"), "it may be applied again");
    desk.server.behave(Manner::default());
    assert_eq!(done(&desk.tell("s1", "r1/tell/s1/").await), json!({ "sent": 1, "already": 1 }));
    assert_eq!(done(&desk.world.probe(desk.call(desk.with("s1"), "r1/tell/s1/")).await)["already"], 2);
    assert_eq!(desk.arrived().len(), 2);
}

#[tokio::test]
async fn a_message_in_doubt_is_left_alone_until_somebody_says_otherwise() {
    let desk = Desk::open().await;
    desk.server.behave(Manner { end: End::Closes, ..Manner::default() });
    unknown(&desk.tell("s2", "r1/tell/s2/").await, "email.lost");
    desk.server.behave(Manner::default());
    unknown(&desk.tell("s2", "r1/tell/s2/").await, "notify.in_doubt");
    unknown(&desk.world.probe(desk.call(desk.with("s2"), "r1/tell/s2/")).await, "notify.in_doubt");
    assert_eq!(desk.arrived().len(), 1, "the one that nobody answered");
    let mut again = desk.with("s2");
    again["in_doubt"] = json!("send");
    let probed = desk.world.probe(desk.call(again.clone(), "r1/tell/s2/")).await;
    refused(&probed, "notify.not_sent", Advice::Retry);
    assert_eq!(done(&desk.world.apply(desk.call(again.clone(), "r1/tell/s2/")).await)["sent"], 1);
    assert_eq!(done(&desk.world.apply(desk.call(again, "r1/tell/s2/")).await)["already"], 1);
    let received = desk.server.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].header("Message-ID"), received[1].header("Message-ID"), "recognisable as the same");
}

#[tokio::test]
async fn many_at_once_tell_once() {
    let desk = Desk::open().await;
    let attempts = (0..8).map(|_| async { World::new().apply(desk.call(desk.with("s2"), "r1/tell/s2/")).await });
    let outcomes = futures::future::join_all(attempts).await;
    let sent = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Done { .. })).count();
    assert!(sent >= 1, "{outcomes:?}");
    assert_eq!(desk.arrived().len(), 1);
    assert_eq!(done(&desk.tell("s2", "r1/tell/s2/").await)["already"], 1);
}

#[tokio::test]
async fn lists_and_ledgers_that_cannot_be_used_stop_the_message() {
    let desk = Desk::open().await;
    refused(&desk.tell("s9", "r1/tell/s9/").await, "notify.nobody", Advice::Never);
    let mut with = desk.with("s9");
    with["nobody"] = json!("skip");
    assert_eq!(done(&desk.world.apply(desk.call(with, "r1/tell/s9/")).await)["sent"], 0);
    let list = desk.folder.path().join("contacts.csv");
    let broken = |text: &str| std::fs::write(&list, text).unwrap();
    broken("site,email\ns1,not an address\n");
    let outcome = desk.tell("s1", "r1/tell/s1/").await;
    assert!(refused(&outcome, "notify.contacts", Advice::Never).contains("line 2"), "a changed list is read again");
    broken("site,mail\n");
    refused(&desk.tell("s1", "r1/tell/s1/").await, "notify.contacts", Advice::Never);
    broken("site,email\ns1,ada@customer.example\n");
    let mut with = desk.with("s1");
    with["ledger"] = json!("/no/such/folder/sent.db");
    refused(&desk.world.apply(desk.call(with.clone(), "r1/tell/s1/")).await, "notify.ledger", Advice::Retry);
    let text = desk.folder.path().join("text.txt");
    std::fs::write(&text, "this is no database, and long enough to be seen as none ".repeat(20)).unwrap();
    with["ledger"] = json!(text);
    refused(&desk.world.apply(desk.call(with, "r1/tell/s1/")).await, "notify.ledger", Advice::Retry);
    assert_eq!(desk.arrived().len(), 0, "nothing is sent without a ledger");
    assert!(Path::new(&text).exists());
}
