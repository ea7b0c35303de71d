//! What must not go unheard or be lost: alarms without a file or a history, slots while the store fails or a clock was ahead.

use std::sync::Arc;
use std::time::Duration;

use runtime::{Clock as _, DrillClaim, DrillResult, Drills as _, MemoryJournal, SystemClock};
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use store::{SqliteJournal, SqliteOptions};

use crate::scheduler::{DAY, MIDNIGHT, Place, THREE, kit, result};

async fn sqlite(place: &Place) -> Arc<SqliteJournal> {
    let options = SqliteOptions::new(|| SystemClock.now()).lock_wait(Duration::from_millis(20));
    Arc::new(SqliteJournal::open(&place.path("runs.db"), options).await.unwrap())
}

async fn beside(place: &Place) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite:{}", place.path("runs.db").display())).await.unwrap()
}

#[tokio::test]
async fn the_alarm_sounds_when_the_file_is_spoilt_or_gone() {
    let place = Place::new("catch_up: none");
    let daemon = place.scheduler();
    let _ = daemon.until("it is read", |shown| shown.alarm_after_s.is_some()).await;
    daemon.end().await;
    place.clock.set(MIDNIGHT + 9 * DAY);
    place.write("nightly.yaml", "schema: drill/v1\nname: [\n");
    let late = |shown: &server::drills::DrillShown| shown.alarm_since.as_deref() == Some("2026-05-18T00:00:00.000Z");
    let daemon = place.scheduler();
    let spoilt = daemon.until("the alarm", late).await;
    assert_eq!((spoilt.drill.as_str(), spoilt.file.as_str()), ("nightly", "nightly.yaml"), "known by its file");
    std::fs::remove_file(place.path("drills/nightly.yaml")).unwrap();
    place.clock.set(MIDNIGHT + 9 * DAY + 60_000);
    let told = |shown: &server::drills::DrillShown| shown.trouble.as_ref().is_some_and(|why| why.contains("gone"));
    let gone = daemon.until("it is told", told).await;
    assert!(late(&gone));
    daemon.end().await;
    let daemon = place.scheduler();
    let _ = daemon.until("the alarm of another process", late).await;
    daemon.end().await;
}

#[tokio::test]
async fn the_alarm_sounds_when_the_history_cannot_be_read() {
    let place = Place::new("catch_up: none");
    let daemon = place.scheduler_with(place.home.path(), kit(sqlite(&place).await));
    let _ = daemon.until("it is read", |_| true).await;
    place.clock.set(THREE);
    let _ = daemon.until("it took place", |shown| result(shown) == Some("good") && shown.going.is_none()).await;
    let mut sql = beside(&place).await;
    sqlx::raw_sql("ALTER TABLE drills RENAME TO elsewhere").execute(&mut sql).await.unwrap();
    place.clock.set(THREE + 9 * DAY);
    let late = |shown: &server::drills::DrillShown| {
        shown.alarm_since.as_deref() == Some("2026-05-18T03:00:00.000Z")
            && shown.trouble.as_ref().is_some_and(|why| why.contains("history cannot be read"))
    };
    let _ = daemon.until("the alarm", late).await;
    daemon.end().await;
    let daemon = place.scheduler_with(place.home.path(), kit(sqlite(&place).await));
    let _ = daemon.until("the alarm of another process", late).await;
    daemon.end().await;
}

#[tokio::test]
async fn the_alarm_counts_from_the_first_of_however_many_drills_that_were_not_good() {
    let place = Place::new("catch_up: none");
    let store = Arc::new(MemoryJournal::new(|| SystemClock.now()));
    for day in 1..=1_200 {
        let at = MIDNIGHT - day * DAY;
        let (drill, run, runbook_hash) = ("nightly".to_owned(), format!("nightly-{day}"), "abc".to_owned());
        assert!(store.claim_drill(&DrillClaim { drill, slot: at, run, at, runbook_hash }).await.unwrap());
        let result = DrillResult { ended_at: at + 1, good: false, proves: false, sites: 2, bytes: Vec::new() };
        assert!(store.finish_drill("nightly", at, &result).await.unwrap());
    }
    let daemon = place.scheduler_with(place.home.path(), kit(store));
    let late = daemon.until("the alarm", |shown| shown.alarm_since.is_some()).await;
    assert_eq!(late.alarm_since, Some(report::stamp(MIDNIGHT - 1_192 * DAY)));
    daemon.end().await;
}

#[tokio::test]
async fn a_clock_that_was_once_ahead_does_not_silence_the_schedule() {
    let place = Place::new("catch_up: none");
    let ahead = MIDNIGHT + 400 * DAY;
    let remembered = format!("{{ \"nightly\": {{ \"since\": {MIDNIGHT}, \"handled\": {ahead} }} }}");
    std::fs::write(place.path("drills.json"), remembered).unwrap();
    let store = Arc::new(MemoryJournal::new(|| SystemClock.now()));
    let (drill, run, runbook_hash) = ("nightly".to_owned(), "nightly-ahead".to_owned(), "abc".to_owned());
    assert!(store.claim_drill(&DrillClaim { drill, slot: ahead, run, at: ahead, runbook_hash }).await.unwrap());
    let result = DrillResult { ended_at: ahead + 1, good: true, proves: true, sites: 2, bytes: Vec::new() };
    assert!(store.finish_drill("nightly", ahead, &result).await.unwrap());
    let daemon = place.scheduler_with(place.home.path(), kit(store.clone()));
    let read = daemon.until("it is read", |shown| shown.last.is_some()).await;
    assert_eq!(read.last_good, None, "it has not ended yet");
    place.clock.set(THREE);
    let _ = daemon.until("the slot took place", |shown| shown.last_good.is_some() && shown.going.is_none()).await;
    assert_eq!(store.drills(Some("nightly"), 9).await.unwrap()[1].claim.slot, THREE);
    daemon.end().await;
}

#[tokio::test]
async fn a_slot_is_not_lost_for_a_store_that_fails_for_a_moment() {
    let place = Place::new("catch_up: none");
    let store = sqlite(&place).await;
    let daemon = place.scheduler_with(place.home.path(), kit(store.clone()));
    let _ = daemon.until("it is read", |_| true).await;
    let mut sql = beside(&place).await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut sql).await.unwrap();
    place.clock.set(THREE);
    let waiting = daemon.until("it is put back", |shown| shown.queued == 1 && shown.going.is_none()).await;
    assert!(waiting.trouble.is_some() && waiting.last.is_none(), "{waiting:#?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut sql).await.unwrap();
    place.clock.set(THREE + 60_000);
    let _ = daemon.until("it takes place", |shown| result(shown) == Some("good")).await;
    assert_eq!(store.drills(None, 9).await.unwrap()[0].claim.slot, THREE);
    daemon.end().await;
}

#[tokio::test]
async fn a_drill_whose_task_ends_by_a_defect_does_not_go_on_for_ever() {
    let place = Place::new("catch_up: none");
    let store = Arc::new(MemoryJournal::new(|| SystemClock.now()));
    let broken = server::Kit { secrets: Arc::new(|_| panic!("a defect, for this test")), ..kit(store) };
    let daemon = place.scheduler_with(place.home.path(), broken);
    let _ = daemon.until("it is read", |_| true).await;
    place.clock.set(THREE);
    let over = |shown: &server::drills::DrillShown| result(shown) == Some("not ended") && shown.going.is_none();
    let shown = daemon.until("it rests", over).await;
    assert!(shown.trouble.is_some(), "{shown:#?}");
    daemon.end().await;
}
