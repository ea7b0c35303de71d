//! Files of format 2 open for ever: they have neither drills nor claims until the first change.

use runtime::{Claims, DrillClaim, Drills, Journal, SiteLocks, ToClaim};

use crate::damage::sql;
use crate::fixture::holder;
use crate::format_1::{format, has_all, sample};
use crate::reopen::open;

#[tokio::test]
async fn it_is_brought_forward_by_the_first_change_and_not_by_a_look() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    sample(&path).await;
    sql(&path, include_str!("samples/format-2.sql")).await;
    let before = std::fs::read(&path).unwrap();
    let (journal, reader) = (open(&path).await, open(&path).await);
    for journal in [&journal, &reader] {
        has_all(journal).await;
        assert_eq!(journal.holders("prod", &["s1".to_owned()]).await.unwrap()[0].run, "b");
        assert!(journal.drills(None, 9).await.unwrap().is_empty());
        assert!(journal.unfinished_drills(None).await.unwrap().is_empty());
        assert!(journal.last_good_drill("weekly", 9).await.unwrap().is_none());
        assert!(journal.certificate("abc", 9).await.unwrap().is_none());
        assert!(journal.claims("a").await.unwrap().is_empty());
    }
    assert_eq!((format(&path).await, std::fs::read(&path).unwrap()), (2, before));
    journal.acquire("a", &holder("two"), 10_000).await.unwrap();
    assert_eq!(format(&path).await, i64::from(store::FORMAT));
    let (drill, run, runbook_hash) = ("weekly".to_owned(), "weekly-1".to_owned(), "abc".to_owned());
    assert!(journal.claim_drill(&DrillClaim { drill, slot: 1, run, at: 2, runbook_hash }).await.unwrap());
    let mine = ToClaim { who: "ann".to_owned(), ttl_ms: 1, note: None };
    assert!(journal.set_claim("a", "look/s1", None, Some(&mine)).await.unwrap());
    assert_eq!(reader.claims("a").await.unwrap().len(), 1);
    assert_eq!(reader.drills(None, 9).await.unwrap().len(), 1);
    assert_eq!(reader.holders("prod", &["s1".to_owned()]).await.unwrap()[0].run, "b");
    has_all(&reader).await;
}
