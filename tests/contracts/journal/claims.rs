//! Who is at work on what: one person a thing, for a time, with notes for the next.

use runtime::{JournalError, NOTES_KEPT, Store, ToClaim, WorkClaim};

use crate::fixture::{Fixture, head};

fn to(who: &str) -> ToClaim {
    ToClaim { who: who.to_owned(), ttl_ms: 1_000, note: None }
}

fn noted(who: &str, by: &str, note: &str) -> ToClaim {
    ToClaim { note: Some((by.to_owned(), note.to_owned())), ..to(who) }
}

async fn set(it: &Fixture, expected: Option<&str>, to: Option<&ToClaim>) -> bool {
    it.journal.set_claim("r", "look/s1", expected, to).await.unwrap()
}

async fn only(it: &Fixture) -> WorkClaim {
    let mut claims = it.journal.claims("r").await.unwrap();
    assert_eq!(claims.len(), 1);
    claims.remove(0)
}

async fn with_run(it: &Fixture) {
    it.journal.create(&head("r"), b"plan").await.unwrap();
}

pub(crate) async fn a_claim_is_one_persons_until_it_is_set_by_who_knows_whose_it_is(it: Fixture) {
    with_run(&it).await;
    assert!(set(&it, None, Some(&to("ann"))).await);
    assert!(!set(&it, None, Some(&to("ben"))).await, "it is not free");
    assert!(!set(&it, Some("ben"), Some(&to("ben"))).await, "it is not ben's");
    assert_eq!((only(&it).await.who.as_str(), only(&it).await.until), ("ann", 1_001_000));
    assert!(set(&it, Some("ann"), Some(&noted("ben", "ann", "the pages are slow"))).await, "handed over");
    let claim = only(&it).await;
    assert_eq!((claim.who.as_str(), claim.notes[0].who.as_str(), claim.notes[0].at), ("ben", "ann", 1_000_000));
    assert!(set(&it, Some("ben"), None).await, "decided");
    assert!(it.journal.claims("r").await.unwrap().is_empty());
    assert!(!set(&it, Some("ben"), None).await && set(&it, None, None).await, "nobody's is nobody's");
}

pub(crate) async fn a_claim_lasts_as_long_as_it_is_renewed(it: Fixture) {
    with_run(&it).await;
    assert!(set(&it, None, Some(&to("ann"))).await);
    it.clock.advance(600);
    assert!(set(&it, Some("ann"), Some(&to("ann"))).await);
    it.clock.advance(600);
    let claim = only(&it).await;
    assert_eq!((claim.since, claim.until), (1_000_000, 1_001_600), "without a break");
    assert!(!set(&it, None, Some(&to("ben"))).await);
    it.clock.advance(400);
    assert!(!set(&it, Some("ann"), Some(&to("ann"))).await, "it has expired: it is hers no more");
    assert!(set(&it, None, Some(&to("ben"))).await);
    assert_eq!(only(&it).await.since, 1_001_600);
}

pub(crate) async fn what_is_given_back_is_free_and_keeps_its_notes(it: Fixture) {
    with_run(&it).await;
    assert!(set(&it, None, Some(&to("ann"))).await);
    let back = ToClaim { ttl_ms: 0, ..noted("ann", "ann", "half done") };
    assert!(set(&it, Some("ann"), Some(&back)).await);
    assert_eq!(only(&it).await.holder(1_000_000), None);
    assert!(set(&it, None, Some(&noted("ben", "ben", "\"it's\"\n\u{0}odd"))).await);
    let notes: Vec<String> = only(&it).await.notes.into_iter().map(|note| note.text).collect();
    assert_eq!(notes, ["half done", "\"it's\"\n\u{0}odd"]);
    for number in 0..NOTES_KEPT {
        assert!(set(&it, Some("ben"), Some(&noted("ben", "ben", &number.to_string()))).await);
    }
    let notes = only(&it).await.notes;
    assert_eq!((notes.len(), notes[0].text.as_str()), (NOTES_KEPT, "0"), "the oldest go");
}

pub(crate) async fn runs_and_subjects_are_apart(it: Fixture) {
    with_run(&it).await;
    it.journal.create(&head("q"), b"plan").await.unwrap();
    let claimed = |run: &'static str, subject: &'static str, who: &'static str| {
        let store = it.journal.clone();
        async move { store.set_claim(run, subject, None, Some(&to(who))).await.unwrap() }
    };
    assert!(claimed("r", "b", "ann").await && claimed("r", "a", "ben").await && claimed("q", "a", "ann").await);
    assert!(claimed("r", "", "cy").await, "a name is a name");
    let named: Vec<String> =
        it.journal.claims("r").await.unwrap().iter().map(|claim| format!("{}:{}", claim.subject, claim.who)).collect();
    assert_eq!(named, [":cy", "a:ben", "b:ann"]);
    let unknown = |error: JournalError| matches!(error, JournalError::NoSuchRun(run) if run == "nowhere");
    assert!(unknown(it.journal.claims("nowhere").await.unwrap_err()));
    assert!(unknown(it.journal.set_claim("nowhere", "a", None, None).await.unwrap_err()));
}

pub(crate) async fn one_of_many_who_ask_in_the_same_moment_has_it(it: Fixture) {
    with_run(&it).await;
    let asking = (0..50).map(|person| {
        let store = it.journal.clone();
        tokio::spawn(async move {
            let me = to(&format!("person {person}"));
            store.set_claim("r", "look/s1", None, Some(&me)).await.unwrap()
        })
    });
    let mut had = 0;
    for asked in asking.collect::<Vec<_>>() {
        had += u32::from(asked.await.unwrap());
    }
    assert_eq!(had, 1);
}

/// Claims as text, for what two stores are compared by.
pub(crate) async fn told(store: &dyn Store, run: &str) -> String {
    format!("{:?}", store.claims(run).await)
}
