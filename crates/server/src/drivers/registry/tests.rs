use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use async_trait::async_trait;
use futures::FutureExt as _;
use runtime::{Clock as _, Holder, Journal as _, MemoryJournal, SecretSource, SystemClock};
use secrecy::SecretString;

use super::*;
use crate::drivers::holder;
use crate::drivers::stand_by::tests::begun;

/// Longest time that something may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time for which a run that is held is tried for, if not said otherwise.
const HELD: Duration = Duration::from_millis(50);

struct NoSecrets;

#[async_trait]
impl SecretSource for NoSecrets {
    async fn read(&self, name: &str) -> Result<SecretString, String> {
        Err(format!("there is no {name}"))
    }

    fn reference(&self, _: &str) -> Option<String> {
        None
    }
}

/// A run that was opened, has nothing to do and has not ended, and what drives it.
struct Stage {
    store: Arc<MemoryJournal>,
    /// How far the store's clock is ahead, in milliseconds.
    ahead: Arc<AtomicI64>,
}

impl Stage {
    async fn new() -> Self {
        let ahead = Arc::new(AtomicI64::new(0));
        let far = ahead.clone();
        let store = Arc::new(MemoryJournal::new(move || SystemClock.now() + far.load(Ordering::SeqCst)));
        begun(&store, "run", None).await;
        Self { store, ahead }
    }

    /// `telling` is called in the middle of each drive, under its lease.
    fn drivers(&self, telling: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Drivers {
        self.drivers_trying(HELD, telling)
    }

    fn drivers_trying(
        &self,
        held: Duration,
        telling: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Drivers {
        let kit = Kit {
            store: self.store.clone(),
            connectors: Vec::new(),
            secrets: Arc::new(|_| Arc::new(NoSecrets)),
            vault: Arc::new(|_| Arc::new(NoSecrets)),
            telling: Arc::new(move |_, _| telling().map(|()| None)),
            logs_max: 0,
        };
        let followers = Followers::new(self.store.clone(), "memory");
        let pauses = Pauses { first: Duration::from_millis(5), longest: Duration::from_millis(20), held };
        Drivers::pausing(kit, followers, Metrics::default(), CancellationToken::new(), pauses)
    }

    /// Waits until nobody drives the run; says whether it is over, and what the trouble was.
    async fn left(&self, drivers: &Drivers) -> (bool, Option<String>) {
        let left = async {
            while drivers.drives("run") {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, left).await.expect("the drive ends");
        let run = self.store.list().await.expect("it is in memory").remove(0);
        (drivers.is_over(&run).await.expect("it is in memory"), drivers.trouble("run"))
    }
}

#[tokio::test]
async fn a_lease_that_could_not_be_given_back_is_waited_for() {
    let stage = Stage::new().await;
    // As after an outage in which neither the append nor the release came through.
    stage.store.acquire("run", &holder(), 200).await.expect("nobody has it");
    let drivers = stage.drivers_trying(PATIENCE, || Ok(()));
    drivers.start("run", "anna").expect("it is not driven");
    assert_eq!(stage.left(&drivers).await, (true, None));
}

#[tokio::test]
async fn a_run_that_another_process_goes_on_holding_is_left_to_it() {
    let stage = Stage::new().await;
    let other = Holder { name: "other pid 7 since 00:00:00Z".to_owned(), pid: 7, host: "other".to_owned() };
    stage.store.acquire("run", &other, 3_600_000).await.expect("nobody has it");
    let drivers = stage.drivers(|| Ok(()));
    drivers.start("run", "anna").expect("it is not driven");
    let (over, trouble) = stage.left(&drivers).await;
    assert!(!over && trouble.as_deref().is_some_and(|why| why.contains("driven by other")), "{trouble:?}");
}

#[tokio::test]
async fn a_drive_whose_lease_ran_out_under_it_is_begun_again() {
    let stage = Stage::new().await;
    let (store, ahead, once) = (stage.store.clone(), stage.ahead.clone(), AtomicBool::new(true));
    let drivers = stage.drivers(move || {
        if once.swap(false, Ordering::SeqCst) {
            // Somebody takes the lease of a drive that was too slow to renew it, for a verb, and gives it back.
            ahead.fetch_add(3_600_000, Ordering::SeqCst);
            let lease = store.acquire("run", &holder(), 1_000).now_or_never().expect("it is in memory");
            let released = store.release(&lease.expect("it has run out")).now_or_never();
            assert!(matches!(released, Some(Ok(()))));
        }
        Ok(())
    });
    drivers.start("run", "anna").expect("it is not driven");
    assert_eq!(stage.left(&drivers).await, (true, None));
}

#[tokio::test]
async fn what_came_into_the_journal_is_acted_on_whatever_ended_the_drive() {
    let stage = Stage::new().await;
    let known: Arc<OnceLock<Drivers>> = Arc::default();
    let (drives, once) = (known.clone(), AtomicBool::new(true));
    let drivers = stage.drivers(move || match drives.get() {
        Some(drivers) if once.swap(false, Ordering::SeqCst) => {
            drivers.start_again("run", "anna");
            Err("a trouble that waiting does not mend".to_owned())
        }
        _ => Ok(()),
    });
    known.set(drivers.clone()).expect("it is the first");
    drivers.start("run", "anna").expect("it is not driven");
    assert_eq!(stage.left(&drivers).await, (true, None));
}

#[tokio::test]
async fn a_trouble_is_told_for_as_long_as_nobody_else_has_taken_the_run_on_or_ended_it() {
    let stage = Stage::new().await;
    let drivers = stage.drivers(|| Err("a trouble that waiting does not mend".to_owned()));
    drivers.start("run", "anna").expect("it is not driven");
    assert!(!stage.left(&drivers).await.0);
    let told = || async {
        let list = stage.store.list().await.expect("it is in memory");
        drivers.troubles(&list).await.contains_key("run")
    };
    assert!(told().await);
    let other = Holder { name: "other pid 7 since 00:00:00Z".to_owned(), pid: 7, host: "other".to_owned() };
    let lease = stage.store.acquire("run", &other, 3_600_000).await.expect("nobody has it");
    assert!(!told().await, "another process drives it");
    stage.store.release(&lease).await.expect("it is theirs");
    assert!(told().await, "and does not any more");
    let elsewhere = stage.drivers(|| Ok(()));
    elsewhere.start("run", "ben").expect("it is not driven");
    assert_eq!(stage.left(&elsewhere).await, (true, None));
    assert!(!told().await && drivers.trouble("run").is_none(), "it is over, and nobody has to remember");
}
