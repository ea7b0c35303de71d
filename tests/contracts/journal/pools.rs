//! Runs divide a pool fairly and never use more than there is.

use runtime::{Grant, JournalError, Lease, Want};

use crate::fixture::{Fixture, driven, holder};

const TTL: u64 = 10_000;

fn wants(limit: u32, used: u32, want: u32) -> Want {
    Want { pool: "writes".to_owned(), key: "shard-1".to_owned(), limit, used, want, unit: 1 }
}

/// What a run is granted of one pool, and among how many.
async fn share(it: &Fixture, lease: &Lease, want: Want) -> (u32, u32) {
    let grants = it.journal.share(lease, "prod", &[want]).await.unwrap();
    let [Grant { slots, participants }] = grants[..] else { panic!("{grants:?}") };
    (slots, participants)
}

pub(crate) async fn one_alone_has_all_and_a_second_waits_for_its_part(it: Fixture) {
    let (a, b) = (driven(&*it.journal, "a", TTL).await, driven(&*it.journal, "b", TTL).await);
    assert_eq!(share(&it, &a, wants(8, 0, 20)).await, (8, 1));
    assert_eq!(share(&it, &b, wants(8, 0, 20)).await, (0, 2));
    // It uses all eight, may keep four, and is not interrupted.
    assert_eq!(share(&it, &a, wants(8, 8, 20)).await, (4, 2));
    assert_eq!(share(&it, &b, wants(8, 0, 20)).await, (0, 2));
    assert_eq!(share(&it, &a, wants(8, 6, 20)).await, (4, 2));
    assert_eq!(share(&it, &b, wants(8, 0, 20)).await, (2, 2));
    assert_eq!(share(&it, &a, wants(8, 4, 20)).await, (4, 2));
    assert_eq!(share(&it, &b, wants(8, 2, 20)).await, (4, 2));
}

pub(crate) async fn who_wants_little_leaves_the_rest(it: Fixture) {
    let (a, b) = (driven(&*it.journal, "a", TTL).await, driven(&*it.journal, "b", TTL).await);
    assert_eq!(share(&it, &a, wants(8, 0, 1)).await, (1, 1));
    assert_eq!(share(&it, &b, wants(8, 0, 20)).await, (7, 2));
    assert_eq!(share(&it, &a, wants(8, 1, 3)).await, (1, 2));
    assert_eq!(share(&it, &b, wants(8, 0, 20)).await, (5, 2));
    assert_eq!(share(&it, &a, wants(8, 1, 3)).await, (3, 2));
}

pub(crate) async fn what_is_neither_used_nor_wanted_is_given_back(it: Fixture) {
    let (a, b) = (driven(&*it.journal, "a", TTL).await, driven(&*it.journal, "b", TTL).await);
    assert_eq!(share(&it, &a, wants(4, 0, 4)).await, (4, 1));
    assert_eq!(share(&it, &a, wants(4, 1, 0)).await, (0, 1));
    assert_eq!(share(&it, &b, wants(4, 0, 4)).await, (3, 1));
    assert_eq!(share(&it, &a, wants(4, 0, 0)).await, (0, 2));
    assert_eq!(share(&it, &b, wants(4, 0, 4)).await, (4, 1));
}

pub(crate) async fn the_smaller_limit_holds_for_both(it: Fixture) {
    let (a, b) = (driven(&*it.journal, "a", TTL).await, driven(&*it.journal, "b", TTL).await);
    assert_eq!(share(&it, &a, wants(10, 0, 20)).await, (10, 1));
    assert_eq!(share(&it, &b, wants(4, 0, 20)).await, (0, 2));
    assert_eq!(share(&it, &a, wants(10, 10, 20)).await, (2, 2));
    assert_eq!(share(&it, &a, wants(10, 2, 20)).await, (2, 2));
    assert_eq!(share(&it, &b, wants(4, 0, 20)).await, (2, 2));
    it.journal.leave(&b).await.unwrap();
    assert_eq!(share(&it, &a, wants(10, 2, 20)).await, (10, 1));
    assert_eq!(share(&it, &b, wants(0, 0, 20)).await, (0, 2));
    assert_eq!(share(&it, &a, wants(10, 10, 20)).await, (0, 2));
}

pub(crate) async fn whose_lease_is_over_holds_nothing(it: Fixture) {
    let (a, mut b) = (driven(&*it.journal, "a", u64::MAX).await, driven(&*it.journal, "b", TTL).await);
    for end in ["expired", "released", "left", "taken over"] {
        assert_eq!(share(&it, &b, wants(4, 0, 9)).await, (4, 1), "{end}");
        assert_eq!(share(&it, &a, wants(4, 0, 9)).await, (0, 2), "{end}");
        it.clock.advance(TTL as i64 - 1);
        assert_eq!(share(&it, &a, wants(4, 0, 9)).await, (0, 2), "{end}");
        match end {
            "expired" => it.clock.advance(1),
            "released" => it.journal.release(&b).await.unwrap(),
            "left" => it.journal.leave(&b).await.unwrap(),
            _ => {
                it.clock.advance(1);
                it.journal.acquire("b", &holder("next"), TTL).await.unwrap();
            }
        }
        assert_eq!(share(&it, &a, wants(4, 0, 9)).await, (4, 1), "{end}");
        it.journal.leave(&a).await.unwrap();
        it.clock.advance(TTL as i64);
        b = it.journal.acquire("b", &holder("next"), TTL).await.unwrap();
    }
}

pub(crate) async fn who_lost_its_lease_gets_nothing(it: Fixture) {
    let (a, b) = (driven(&*it.journal, "a", u64::MAX).await, driven(&*it.journal, "b", TTL).await);
    assert_eq!(share(&it, &b, wants(4, 0, 9)).await, (4, 1));
    it.clock.advance(TTL as i64);
    assert_eq!(share(&it, &a, wants(4, 0, 3)).await, (3, 1));
    assert_eq!(share(&it, &b, wants(4, 4, 9)).await, (0, 1));
    it.journal.renew(&b, TTL).await.unwrap();
    assert_eq!(share(&it, &b, wants(4, 4, 9)).await, (1, 2));
    it.clock.advance(TTL as i64);
    let next = it.journal.acquire("b", &holder("next"), TTL).await.unwrap();
    assert_eq!(share(&it, &next, wants(4, 0, 1)).await, (1, 2));
    let stale = it.journal.share(&b, "prod", &[wants(4, 4, 9)]).await;
    assert!(matches!(stale, Err(JournalError::Fenced { epoch, .. }) if epoch == b.epoch));
    // Nor does it give away what its successor holds.
    it.journal.leave(&b).await.unwrap();
    assert_eq!(share(&it, &a, wants(4, 0, 9)).await, (3, 2));
    let nobody = Lease { run: "nowhere".to_owned(), epoch: 1, was_left: false };
    assert!(matches!(it.journal.share(&nobody, "prod", &[]).await, Err(JournalError::NoSuchRun(_))));
    it.journal.leave(&nobody).await.unwrap();
}

pub(crate) async fn pools_keys_and_estates_are_apart(it: Fixture) {
    let (a, b) = (driven(&*it.journal, "a", TTL).await, driven(&*it.journal, "b", TTL).await);
    let want = |pool: &str, key: &str, limit| Want { pool: pool.to_owned(), key: key.to_owned(), ..wants(limit, 0, 9) };
    let all = [want("w", "1", 4), want("w", "", 5), want("r", "1", 6), want("w\"", "[1]", 7)];
    let alone = |slots| Grant { slots, participants: 1 };
    assert_eq!(it.journal.share(&a, "prod", &all).await.unwrap(), [alone(4), alone(5), alone(6), alone(7)]);
    assert_eq!(it.journal.share(&b, "drill", &all[..2]).await.unwrap(), [alone(4), alone(5)]);
    let theirs = [want("w", "2", 3), want("r", "1", 6), want("w\"", "[1]", 7)];
    let second = Grant { slots: 0, participants: 2 };
    assert_eq!(it.journal.share(&b, "prod", &theirs).await.unwrap(), [alone(3), second, second]);
    // A pool that a call does not name keeps its grant.
    assert_eq!(it.journal.share(&a, "prod", &all[..1]).await.unwrap(), [alone(4)]);
    assert_eq!(it.journal.share(&b, "prod", &theirs).await.unwrap(), [alone(3), second, second]);
    assert!(it.journal.share(&b, "prod", &[]).await.unwrap().is_empty());
}

pub(crate) async fn one_slot_goes_round(it: Fixture) {
    let (a, b) = (driven(&*it.journal, "a", u64::MAX).await, driven(&*it.journal, "b", u64::MAX).await);
    let mut had = [0, 0];
    for _ in 0..100 {
        // Short work: nothing is in use when they report.
        had[0] += share(&it, &a, wants(1, 0, 9)).await.0;
        had[1] += share(&it, &b, wants(1, 0, 9)).await.0;
        it.clock.advance(3_000);
    }
    assert!(had.iter().all(|&turns| turns >= 40), "{had:?}");
}

pub(crate) async fn units_that_take_more_than_an_even_part_do_not_wait_for_ever(it: Fixture) {
    let (a, b) = (driven(&*it.journal, "a", u64::MAX).await, driven(&*it.journal, "b", u64::MAX).await);
    let mut had = [0, 0];
    for _ in 0..100 {
        for (lease, had) in [&a, &b].into_iter().zip(&mut had) {
            let (slots, _) = share(&it, lease, Want { unit: 3, ..wants(4, 0, 9) }).await;
            *had += u32::from(slots >= 3);
        }
        it.clock.advance(3_000);
    }
    assert!(had.iter().all(|&turns| turns >= 40), "{had:?}");
}
