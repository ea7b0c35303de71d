//! The daemon's scheduler in virtual time, on a store in memory: what is due, what is missed, what overlaps.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use runtime::{Clock, DrillEntry, Drills as _, ManualClock, MemoryJournal, SecretSource, Store, SystemClock};
use secrecy::SecretString;
use server::drills::{DrillShown, Drills};
use server::{Kit, Metrics};
use tokio_util::sync::CancellationToken;

/// Longest time that something may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
pub const DAY: i64 = 86_400_000;
/// 10 May 2026, midnight.
pub const MIDNIGHT: i64 = 1_778_371_200_000;
pub const THREE: i64 = MIDNIGHT + 3 * 3_600_000;

pub struct NoSecrets;

#[async_trait]
impl SecretSource for NoSecrets {
    async fn read(&self, name: &str) -> Result<SecretString, String> {
        Err(format!("there is no {name}"))
    }

    fn reference(&self, _: &str) -> Option<String> {
        None
    }
}

/// A home with a drill that is due at three, and waits at a gate if it has one.
pub struct Place {
    pub home: tempfile::TempDir,
    store: Arc<MemoryJournal>,
    pub clock: Arc<ManualClock>,
}

impl Place {
    pub fn new(schedule: &str) -> Self {
        let clock = Arc::new(ManualClock::new(MIDNIGHT));
        let place = Self {
            home: tempfile::tempdir().unwrap(),
            store: Arc::new(MemoryJournal::new(|| SystemClock.now())),
            clock,
        };
        std::fs::create_dir(place.path("drills")).unwrap();
        let at = place.home.path().display();
        place.write(
            "estate.yaml",
            &format!("schema: estate/v1\nname: e\nsandbox: true\nvariables: {{ place: \"{at}\" }}\n"),
        );
        place.write("sites.csv", "id\ns1\ns2\n");
        place.write(
            "book.yaml",
            "schema: runbook/v1\nname: book\ntargets: { kind: site }\nsteps: { work: { scope: run, timeout: 1m, uses: noop@1 } }\n",
        );
        place.write(
            "nightly.yaml",
            &format!(
                "schema: drill/v1\nname: nightly\nrunbook: book.yaml\nestate: estate.yaml\nsites: sites.csv\n\
                 schedule: {{ cron: \"0 3 * * *\", time_zone: UTC, {schedule} }}\n\
                 objectives: {{ exceptions: 0 }}\nalarm_after: 8d\n"
            ),
        );
        place
    }

    /// The run of each drill waits until somebody opens the gate.
    pub fn gated(schedule: &str) -> Self {
        let place = Self::new(schedule);
        let made = std::process::Command::new("mkfifo").arg(place.path("gate")).status().unwrap();
        assert!(made.success());
        let book = std::fs::read_to_string(place.path("drills/book.yaml")).unwrap();
        let cat = "exec/run@1, with: { command: [cat, \"${{ estate.place }}/gate\"] }";
        place.write("book.yaml", &book.replace("noop@1", cat));
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path("drills").join(name), text).unwrap();
    }

    /// A daemon's scheduler.
    pub fn scheduler(&self) -> Daemon {
        self.scheduler_at(self.home.path())
    }

    fn scheduler_at(&self, home: &Path) -> Daemon {
        self.scheduler_with(home, kit(self.store.clone()))
    }

    pub fn scheduler_with(&self, home: &Path, kit: Kit) -> Daemon {
        let stop = CancellationToken::new();
        let drills = Drills::new(kit, home, "cron", self.clock.clone(), Metrics::default(), stop.clone());
        let running = drills.clone();
        let task = tokio::spawn(async move { running.run().await });
        Daemon { drills, stop, task }
    }

    /// Lets one drill pass that waits at the gate.
    async fn open(&self) {
        let gate = self.path("gate");
        // It blocks until the step reads.
        tokio::task::spawn_blocking(move || std::fs::write(gate, "go").unwrap()).await.unwrap();
    }

    /// Waits until the history says what came of a slot.
    async fn ended(&self, slot: i64) {
        let ended = async {
            while !self.history().await.iter().any(|entry| entry.claim.slot == slot && entry.result.is_some()) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("the drill ends");
    }

    async fn history(&self) -> Vec<DrillEntry> {
        self.store.drills(None, 100).await.unwrap()
    }
}

/// What every daemon here has, on a store.
pub fn kit(store: Arc<dyn Store>) -> Kit {
    Kit {
        store,
        connectors: connectors::all(&connectors::Settings::default()),
        secrets: Arc::new(|_| Arc::new(NoSecrets)),
        vault: Arc::new(|_| Arc::new(NoSecrets)),
        logs_max: 1 << 30,
        telling: Arc::new(|_, _| Ok(None)),
    }
}

pub struct Daemon {
    pub drills: Drills,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Daemon {
    pub async fn until(&self, what: &str, wanted: impl Fn(&DrillShown) -> bool) -> DrillShown {
        let mut changes = self.drills.changes();
        let seen = async {
            loop {
                changes.borrow_and_update();
                if let Some(shown) = self.drills.shown().into_iter().find(|shown| wanted(shown)) {
                    return shown;
                }
                changes.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(PATIENCE, seen).await;
        waited.unwrap_or_else(|_| panic!("{what}: {:#?}", self.drills.shown()))
    }

    pub async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
        self.drills.ended(PATIENCE).await;
    }
}

pub fn result(shown: &DrillShown) -> Option<&'static str> {
    shown.last.as_ref().map(|last| last.result)
}

#[tokio::test]
async fn a_slot_takes_place_once_whoever_is_there() {
    let place = Place::new("overlap: skip");
    let other = tempfile::tempdir().unwrap();
    let copied =
        std::process::Command::new("cp").arg("-r").arg(place.path("drills")).arg(other.path()).status().unwrap();
    assert!(copied.success());
    let (one, two) = (place.scheduler(), place.scheduler_at(other.path()));
    for daemon in [&one, &two] {
        let shown = daemon.until("it is read", |_| true).await;
        assert_eq!((shown.last.is_none(), shown.next[0].at.as_str()), (true, "2026-05-10T03:00:00.000Z"));
    }
    place.clock.set(THREE - 1);
    for (slot, at) in [(THREE, "2026-05-10T03:00:00.000Z"), (THREE + DAY, "2026-05-11T03:00:00.000Z")] {
        place.clock.set(slot);
        place.ended(slot).await;
        // Whoever did not conduct it looks again within half a minute of its clock.
        place.clock.set(slot + 30_000);
        let good =
            |shown: &DrillShown| shown.last.as_ref().is_some_and(|last| last.slot == at && last.result == "good");
        for daemon in [&one, &two] {
            let _ = daemon.until("the slot took place", good).await;
        }
    }
    let slots: Vec<i64> = place.history().await.iter().map(|entry| entry.claim.slot).collect();
    assert_eq!(slots, [THREE + DAY, THREE]);
    one.end().await;
    two.end().await;
}

#[tokio::test]
async fn slots_that_were_missed_while_nothing_ran_raise_the_alarm_and_a_good_drill_puts_it_out() {
    let place = Place::new("catch_up: none");
    let first = place.scheduler();
    let _ = first.until("it is read", |_| true).await;
    place.clock.set(THREE);
    let good = first.until("it took place", |shown| result(shown) == Some("good")).await;
    assert_eq!(good.alarm_since, None);
    first.end().await;
    place.clock.set(THREE + 20 * DAY + 3_600_000);
    let again = place.scheduler();
    let late = again.until("the alarm", |shown| shown.alarm_since.is_some()).await;
    assert_eq!(late.alarm_since.as_deref(), Some("2026-05-18T03:00:00.000Z"), "eight days after the last good one");
    assert_eq!(place.history().await.len(), 1, "what was missed is gone, as asked");
    let _ = again.drills.take_place("nightly", "anna", None).unwrap();
    let over = again.until("it is out", |shown| shown.alarm_since.is_none()).await;
    assert_eq!(result(&over), Some("good"));
    again.end().await;
}

#[tokio::test]
async fn one_slot_of_those_that_were_missed_is_caught_up() {
    let place = Place::new("catch_up: last");
    let first = place.scheduler();
    let _ = first.until("it is read", |_| true).await;
    first.end().await;
    place.clock.set(THREE + 3 * DAY + 3_600_000);
    let again = place.scheduler();
    let _ = again.until("it is caught up", |shown| result(shown) == Some("good")).await;
    let slots: Vec<i64> = place.history().await.iter().map(|entry| entry.claim.slot).collect();
    assert_eq!(slots, [THREE + 3 * DAY]);
    again.end().await;
}

#[tokio::test]
async fn a_drill_that_never_took_place_raises_the_alarm_however_often_the_daemon_was_started() {
    let place = Place::new("catch_up: none");
    let nightly = std::fs::read_to_string(place.path("drills/nightly.yaml")).unwrap();
    let by_hand: Vec<&str> = nightly.lines().filter(|line| !line.starts_with("schedule")).collect();
    place.write("nightly.yaml", &by_hand.join("\n"));
    for day in 0..8 {
        place.clock.set(MIDNIGHT + day * DAY);
        let daemon = place.scheduler();
        let shown = daemon.until("it is read", |_| true).await;
        assert_eq!((shown.alarm_since, shown.next.len()), (None, 0));
        daemon.end().await;
    }
    let daemon = place.scheduler();
    let _ = daemon.until("it is read", |_| true).await;
    // It sleeps until then by itself.
    place.clock.set(MIDNIGHT + 8 * DAY + 1);
    let late = daemon.until("the alarm", |shown| shown.alarm_since.is_some()).await;
    assert_eq!(late.alarm_since.as_deref(), Some("2026-05-18T00:00:00.000Z"));
    // A file that is spoilt does not silence it, and is told.
    place.write("nightly.yaml", &by_hand.join("\n").replace("alarm_after", "alarm_aftr"));
    place.clock.set(MIDNIGHT + 8 * DAY + 60_000);
    let spoilt = daemon.until("the finding", |shown| shown.trouble.is_some()).await;
    assert!(spoilt.alarm_since.is_some() && !spoilt.findings.is_empty(), "{spoilt:#?}");
    assert!(daemon.drills.take_place("nightly", "anna", None).is_err());
    daemon.end().await;
}

#[tokio::test]
async fn a_slot_that_comes_while_the_drill_goes_on_is_skipped() {
    let place = Place::gated("overlap: skip");
    let daemon = place.scheduler();
    let _ = daemon.until("it is read", |_| true).await;
    place.clock.set(THREE);
    let _ = daemon.until("it begins", |shown| shown.going.is_some()).await;
    assert!(daemon.drills.take_place("nightly", "anna", None).is_err(), "it goes on");
    place.clock.set(THREE + DAY);
    let _ = daemon.until("the slot is seen", |shown| shown.dropped == 1).await;
    place.open().await;
    let over = daemon.until("it ends", |shown| shown.going.is_none()).await;
    assert_eq!((result(&over), over.queued, place.history().await.len()), (Some("good"), 0, 1));
    daemon.end().await;
    // It stays skipped when the daemon is started again.
    let again = place.scheduler();
    let shown = again.until("it is read", |_| true).await;
    assert!(shown.going.is_none(), "{shown:#?}");
    again.end().await;
}

#[tokio::test]
async fn a_slot_that_comes_while_the_drill_goes_on_waits_for_its_end() {
    let place = Place::gated("overlap: queue");
    let daemon = place.scheduler();
    let _ = daemon.until("it is read", |_| true).await;
    place.clock.set(THREE);
    let _ = daemon.until("it begins", |shown| shown.going.is_some()).await;
    place.clock.set(THREE + DAY);
    let _ = daemon.until("it waits", |shown| shown.queued == 1).await;
    place.open().await;
    let second = |shown: &DrillShown| shown.going.as_ref().is_some_and(|going| going.slot.starts_with("2026-05-11"));
    let _ = daemon.until("the second begins", second).await;
    place.open().await;
    let _ = daemon.until("it ends", |shown| shown.going.is_none() && shown.queued == 0).await;
    let good: Vec<_> =
        place.history().await.iter().map(|entry| entry.result.as_ref().map(|result| result.good)).collect();
    assert_eq!(good, [Some(true), Some(true)]);
    daemon.end().await;
}

#[tokio::test]
async fn a_slot_that_comes_while_the_drill_goes_on_calls_it_off() {
    let place = Place::gated("overlap: cancel");
    let daemon = place.scheduler();
    let _ = daemon.until("it is read", |_| true).await;
    place.clock.set(THREE);
    let _ = daemon.until("it begins", |shown| shown.going.is_some()).await;
    place.clock.set(THREE + DAY);
    let second = |shown: &DrillShown| shown.going.as_ref().is_some_and(|going| going.slot.starts_with("2026-05-11"));
    let _ = daemon.until("the second begins", second).await;
    place.open().await;
    let _ = daemon.until("it ends", |shown| shown.going.is_none()).await;
    let good: Vec<_> =
        place.history().await.iter().map(|entry| entry.result.as_ref().map(|result| result.good)).collect();
    assert_eq!(good, [Some(true), Some(false)], "the newest first");
    assert!(place.clock.now() > THREE);
    daemon.end().await;
}
