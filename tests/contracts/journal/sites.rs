//! A site is held by one run at a time, and nothing is held by halves.

use runtime::{HeldSite, JournalError};

use crate::fixture::{Fixture, head};

fn names(sites: &[&str]) -> Vec<String> {
    sites.iter().map(|&site| site.to_owned()).collect()
}

async fn with_runs(it: &Fixture, runs: &[&str]) {
    for run in runs {
        it.journal.create(&head(run), b"plan").await.unwrap();
    }
}

/// Who holds which of the sites, as `site:run`.
async fn held(it: &Fixture, estate: &str, sites: &[&str]) -> Vec<String> {
    let holders = it.journal.holders(estate, &names(sites)).await.unwrap();
    holders.into_iter().map(|HeldSite { site, run }| format!("{site}:{run}")).collect()
}

pub(crate) async fn a_site_is_held_by_one_run(it: Fixture) {
    with_runs(&it, &["a", "b"]).await;
    it.journal.hold_sites("a", "prod", &names(&["s1", "s2"])).await.unwrap();
    let refused = it.journal.hold_sites("b", "prod", &names(&["s3", "s2"])).await.unwrap_err();
    assert!(
        matches!(&refused, JournalError::SiteHeld { site, run, more: 0 } if site == "s2" && run == "a"),
        "{refused}"
    );
    assert_eq!(held(&it, "prod", &["s3", "s2", "s1"]).await, ["s1:a", "s2:a"]);
}

pub(crate) async fn a_refusal_names_the_first_site_its_run_and_how_many_more(it: Fixture) {
    with_runs(&it, &["a", "b", "c"]).await;
    it.journal.hold_sites("a", "prod", &names(&["s3", "s1", "s0"])).await.unwrap();
    it.journal.hold_sites("c", "prod", &names(&["s5"])).await.unwrap();
    it.journal.hold_sites("b", "prod", &names(&["s0b"])).await.unwrap();
    let asked = names(&["s5", "s3", "s0b", "s1", "s1", "s9"]);
    let refused = it.journal.hold_sites("b", "prod", &asked).await.unwrap_err();
    assert_eq!(refused.to_string(), "site s1 is held by run a; 2 more of these sites are held as well");
    assert_eq!(refused.code(), "journal-site-held");
    let hint = refused.hint();
    assert!(["run a", "release", "adopt"].iter().all(|word| hint.contains(word)), "{hint}");
    assert_eq!(held(&it, "prod", &["s9", "s0b"]).await, ["s0b:b"]);
}

pub(crate) async fn holding_again_is_fine(it: Fixture) {
    with_runs(&it, &["a"]).await;
    for _ in 0..2 {
        it.journal.hold_sites("a", "prod", &names(&["s2", "s1", "s2"])).await.unwrap();
    }
    it.journal.hold_sites("a", "prod", &names(&["s1", "s3"])).await.unwrap();
    it.journal.hold_sites("a", "prod", &[]).await.unwrap();
    assert_eq!(held(&it, "prod", &["s1", "s2", "s3"]).await, ["s1:a", "s2:a", "s3:a"]);
}

pub(crate) async fn estates_are_apart(it: Fixture) {
    with_runs(&it, &["a", "b"]).await;
    it.journal.hold_sites("a", "prod", &names(&["s1"])).await.unwrap();
    it.journal.hold_sites("b", "drill", &names(&["s1"])).await.unwrap();
    assert_eq!(held(&it, "prod", &["s1"]).await, ["s1:a"]);
    assert_eq!(held(&it, "drill", &["s1", "s1"]).await, ["s1:b"]);
    assert!(held(&it, "elsewhere", &["s1"]).await.is_empty());
}

pub(crate) async fn a_run_lets_go_of_its_own_sites_only(it: Fixture) {
    with_runs(&it, &["a", "b"]).await;
    it.journal.hold_sites("a", "prod", &names(&["s1", "s2", "s3"])).await.unwrap();
    it.journal.hold_sites("a", "drill", &names(&["s1"])).await.unwrap();
    it.journal.hold_sites("b", "prod", &names(&["s4"])).await.unwrap();
    assert_eq!(it.journal.let_go("a", "prod", &names(&["s2", "s4", "s2", "s7"])).await.unwrap(), 1);
    assert_eq!(it.journal.let_go("b", "prod", &names(&["s1"])).await.unwrap(), 0);
    assert_eq!(it.journal.let_go("b", "elsewhere", &names(&["s4"])).await.unwrap(), 0);
    assert_eq!(held(&it, "prod", &["s1", "s2", "s3", "s4"]).await, ["s1:a", "s3:a", "s4:b"]);
    it.journal.hold_sites("b", "prod", &names(&["s2"])).await.unwrap();
    assert_eq!(it.journal.let_go_all("a").await.unwrap(), 3);
    assert_eq!(it.journal.let_go_all("a").await.unwrap(), 0);
    assert_eq!(held(&it, "prod", &["s1", "s2", "s3", "s4"]).await, ["s2:b", "s4:b"]);
    assert!(held(&it, "drill", &["s1"]).await.is_empty());
}

pub(crate) async fn a_run_is_created_with_its_sites_or_not_at_all(it: Fixture) {
    it.journal.create_holding(&head("a"), b"plan of a", "prod", &names(&["s2", "s1"])).await.unwrap();
    assert_eq!(it.journal.plan("a").await.unwrap(), (head("a"), b"plan of a".to_vec()));
    assert_eq!(held(&it, "prod", &["s1", "s2"]).await, ["s1:a", "s2:a"]);
    let refused = it.journal.create_holding(&head("b"), b"plan", "prod", &names(&["s0", "s2"])).await;
    assert!(matches!(refused, Err(JournalError::SiteHeld { .. })), "{refused:?}");
    assert!(matches!(it.journal.plan("b").await, Err(JournalError::NoSuchRun(_))));
    assert!(held(&it, "prod", &["s0"]).await.is_empty());
    // Who repeats a command is told of the run, not that its own sites are held.
    let again = it.journal.create_holding(&head("a"), b"plan", "prod", &names(&["s0", "s2"])).await;
    assert!(matches!(again, Err(JournalError::Exists(run)) if run == "a"));
    assert!(held(&it, "prod", &["s0"]).await.is_empty());
    it.journal.let_go("a", "prod", &names(&["s2"])).await.unwrap();
    it.journal.create_holding(&head("b"), b"plan", "prod", &names(&["s0", "s2"])).await.unwrap();
    assert_eq!(held(&it, "prod", &["s0", "s1", "s2"]).await, ["s0:b", "s1:a", "s2:b"]);
}

pub(crate) async fn a_hold_outlives_the_lease(it: Fixture) {
    let lease = crate::fixture::driven(&*it.journal, "a", 10).await;
    it.journal.hold_sites("a", "prod", &names(&["s1"])).await.unwrap();
    it.clock.advance(11);
    it.journal.release(&lease).await.unwrap();
    assert_eq!(held(&it, "prod", &["s1"]).await, ["s1:a"]);
}

pub(crate) async fn sites_of_unknown_runs_are_refused(it: Fixture) {
    let sites = names(&["s1"]);
    let unknown = |error: JournalError| matches!(error, JournalError::NoSuchRun(run) if run == "nowhere");
    assert!(unknown(it.journal.hold_sites("nowhere", "prod", &sites).await.unwrap_err()));
    assert!(unknown(it.journal.let_go("nowhere", "prod", &sites).await.unwrap_err()));
    assert!(unknown(it.journal.let_go_all("nowhere").await.unwrap_err()));
    assert!(held(&it, "prod", &["s1"]).await.is_empty());
}

pub(crate) async fn names_are_kept_to_the_letter(it: Fixture) {
    let odd = ["", " ", "\"", "'; --", "S1", "[1]", "\\u0041", "a\u{0}b", "a\nb", "null", "s1", "{}", "é", "🦀"];
    with_runs(&it, &["a", "b"]).await;
    it.journal.hold_sites("a", "pro\"d", &names(&odd)).await.unwrap();
    let expected: Vec<String> = odd.iter().map(|site| format!("{site}:a")).collect();
    assert_eq!(held(&it, "pro\"d", &odd).await, expected);
    for site in odd {
        let refused = it.journal.hold_sites("b", "pro\"d", &names(&[site])).await;
        assert!(matches!(refused, Err(JournalError::SiteHeld { site: named, .. }) if named == site));
    }
    assert_eq!(it.journal.let_go("a", "pro\"d", &names(&odd)).await.unwrap(), odd.len() as u64);
}

pub(crate) async fn a_hundred_thousand_sites_are_one_step(it: Fixture) {
    let sites: Vec<String> =
        (0..100_000_u64).map(|site| format!("{:016x}", site.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    it.journal.create_holding(&head("a"), b"plan", "prod", &sites).await.unwrap();
    with_runs(&it, &["b"]).await;
    let refused = it.journal.hold_sites("b", "prod", &sites).await;
    assert!(matches!(refused, Err(JournalError::SiteHeld { more: 99_999, .. })), "{refused:?}");
    assert_eq!(it.journal.holders("prod", &sites).await.unwrap().len(), 100_000);
    assert_eq!(it.journal.let_go("a", "prod", &sites[..50_000]).await.unwrap(), 50_000);
    assert_eq!(it.journal.let_go_all("a").await.unwrap(), 50_000);
    it.journal.hold_sites("b", "prod", &sites).await.unwrap();
}
