//! A drill that was lost in the middle, and cannot be cleaned up by whoever finds it.

use std::sync::Arc;

use engine::{DrillPart, Record, Run};
use runbook::Occasion;
use runtime::{Clock as _, DrillObserver, Drills as _, MemoryJournal};
use server::Kit;
use server::drills::{Conductor, DrillShown, NotBegun, read_drill};
use tokio_util::sync::CancellationToken;

use crate::scheduler::{Place, THREE, kit};

struct Unseen;

impl DrillObserver for Unseen {
    fn begins(&mut self, _: DrillPart, _: &Run) {}
    fn committed(&mut self, _: DrillPart, _: &Run, _: &[Record]) {}
    fn rests(&mut self, _: DrillPart) {}
}

/// A store that goes by the clock of the place.
fn stored(place: &Place) -> Arc<MemoryJournal> {
    let clock = place.clock.clone();
    Arc::new(MemoryJournal::new(move || clock.now()))
}

/// A drill that was lost while its step read from the gate; leases of its process are over.
async fn lost(place: &Place) -> Arc<MemoryJournal> {
    let store = stored(place);
    lost_after(place, &store, async {}).await;
    store
}

/// Has a drill lost while its step reads from the gate, after something has happened meanwhile; leases of its process are
/// over then.
async fn lost_after(place: &Place, store: &Arc<MemoryJournal>, meanwhile: impl Future<Output = ()>) {
    let kit = kit(store.clone());
    let read = read_drill(&place.path("drills/nightly.yaml"), &kit.catalogue()).unwrap();
    let occasion = Occasion { slot: THREE, seed: Some(1), chaos: None };
    let ready = read.loaded.unwrap().ready(&occasion, THREE).unwrap();
    let gate = place.path("gate");
    // It opens for writing when the step reads from it.
    let begun = tokio::task::spawn_blocking(move || std::fs::OpenOptions::new().write(true).open(gate));
    let mut observer = Unseen;
    let mut conductor = conductor(&kit, place, &mut observer);
    tokio::select! {
        ended = conductor.take_place(&ready) => panic!("nobody opened the gate: {ended:?}"),
        () = async {
            let gate = begun.await.unwrap().unwrap();
            meanwhile.await;
            drop(gate);
        } => {}
    }
    place.clock.set(THREE + 3_600_000);
}

fn conductor<'a>(kit: &'a Kit, place: &'a Place, observer: &'a mut Unseen) -> Conductor<'a> {
    Conductor { kit, clock: &*place.clock, actor: "anna", observer, stop: CancellationToken::new() }
}

/// Said of what waits in the sandbox of the drill.
const TOLD: &str = "drill nightly has to be cleaned up first";

/// A drill like the other, without a schedule.
fn by_hand(place: &Place, name: &str, estate: &str) {
    let nightly = std::fs::read_to_string(place.path("drills/nightly.yaml")).unwrap();
    let lines = nightly.lines().filter(|line| !line.starts_with("schedule")).collect::<Vec<_>>().join("\n");
    place.write(&format!("{name}.yaml"), &lines.replace("nightly", name).replace("estate.yaml", estate));
}

/// What can conduct no drill.
fn broken(store: &Arc<MemoryJournal>) -> Kit {
    Kit { secrets: Arc::new(|_| panic!("a defect, for this test")), ..kit(store.clone()) }
}

#[tokio::test]
async fn a_drill_is_not_over_before_the_runs_that_it_began_have_ended() {
    let place = Place::gated("catch_up: none");
    place.clock.set(THREE);
    let store = lost(&place).await;
    let entry = store.unfinished_drills(None).await.unwrap().remove(0);
    let bare = Kit { connectors: Vec::new(), ..kit(store.clone()) };
    let error = conductor(&bare, &place, &mut Unseen).end(&entry).await.unwrap_err();
    assert_eq!(error.code(), "drill-unended", "{error}");
    assert_eq!(store.unfinished_drills(None).await.unwrap(), std::slice::from_ref(&entry));
    let ended = conductor(&kit(store.clone()), &place, &mut Unseen).end(&entry).await.unwrap();
    assert!(!ended.good && store.unfinished_drills(None).await.unwrap().is_empty(), "{ended:#?}");
}

#[tokio::test]
async fn nothing_begins_in_a_sandbox_before_what_was_lost_there_is_cleaned_up() {
    let place = Place::gated("catch_up: none");
    place.clock.set(THREE);
    let store = lost(&place).await;
    let estate = std::fs::read_to_string(place.path("drills/estate.yaml")).unwrap();
    place.write("estate-2.yaml", &estate.replace("name: e", "name: f"));
    by_hand(&place, "same", "estate.yaml");
    by_hand(&place, "apart", "estate-2.yaml");
    let daemon = place.scheduler_with(place.home.path(), broken(&store));
    let _ = daemon.until("it is told", |shown| shown.drill == "same" && shown.trouble.as_deref() == Some(TOLD)).await;
    let begun = |name: &str| daemon.drills.take_place(name, "anna", None);
    assert_eq!(begun("same"), Err(NotBegun::GoesOn("nightly".to_owned())));
    assert_eq!(begun("nightly"), Err(NotBegun::GoesOn("nightly".to_owned())));
    assert!(begun("apart").is_ok(), "it is another sandbox");
    daemon.end().await;
}

#[tokio::test]
async fn a_drill_that_goes_on_elsewhere_is_known_before_another_of_its_name_can_begin() {
    let place = Place::gated("overlap: skip");
    place.clock.set(THREE);
    let store = stored(&place);
    lost_after(&place, &store, async {
        let daemon = place.scheduler_with(place.home.path(), kit(store.clone()));
        // Its clock stands still: it looks once.
        let _ = daemon.until("it is known", |shown| shown.elsewhere).await;
        assert_eq!(daemon.drills.take_place("nightly", "anna", None), Err(NotBegun::GoesOn("nightly".to_owned())));
        daemon.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_drill_that_went_on_elsewhere_is_in_the_way_once_it_is_lost() {
    let place = Place::gated("overlap: skip");
    place.clock.set(THREE);
    by_hand(&place, "same", "estate.yaml");
    let store = stored(&place);
    let daemon = place.scheduler_with(place.home.path(), broken(&store));
    let same = |told: Option<&'static str>| {
        move |shown: &DrillShown| shown.drill == "same" && shown.trouble.as_deref() == told
    };
    lost_after(&place, &store, async {
        let _ = daemon.until("it is known", |shown| shown.elsewhere).await;
        let _ = daemon.until("it is in nobody's way", same(None)).await;
    })
    .await;
    let _ = daemon.until("it is told", same(Some(TOLD))).await;
    assert_eq!(daemon.drills.take_place("same", "anna", None), Err(NotBegun::GoesOn("nightly".to_owned())));
    daemon.end().await;
}
