//! Three workers and two daemons, each on a host of its own, and a store on another: whatever befalls them at random, every run
//! ends with all its sites back, every effect is there once, and every journal is one chain.
//!
//! `REINSTATE_CHAOS_MINUTES=30 cargo test -p reinstate-tests --test workers chaos_for -- --nocapture` is the long version, and
//! `REINSTATE_CHAOS_LAB_MINUTES=30 cargo test -p reinstate-tests --test workers chaos_while -- --nocapture` the one in which
//! every run restores a lab of 883 sites, which is compared with the truth. `REINSTATE_SEED` gives another seed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};

use reinstate_tests::process::expect;
use reinstate_tests::random::Random;
use serde_json::Value;

use crate::faults::{self, Begun, Fault};
use crate::fleet::{Files, Fleet};
use crate::labs::Labs;
use crate::target::Target;

/// Longest time that a run may take in the chaos, and that all may take to end after it; and more for each of its sites.
const PATIENCE: Duration = Duration::from_secs(400);
const PATIENCE_PER_SITE: Duration = Duration::from_secs(1);

/// Makes what runs of so many sites act on.
type Making = fn(usize, &mut Fleet, &mut Random) -> Box<dyn Estate>;

/// How long a driver is heard of without a sign; a shorter cut does not lose it.
const DRIVER_LEASE: Duration = Duration::from_secs(15);

/// What the steps of runs act on.
pub trait Estate {
    /// What the next run is of.
    fn next(&mut self) -> Files;
    /// Insists that a run that is over has done all that it should, and each thing once.
    fn insist(&self, run: usize, status: &Value);
    /// Effects of so many runs that workers alone can have had; there may be more.
    fn effects(&self, runs: usize) -> usize;
    /// What was done in all, for people.
    fn told(&self, runs: usize) -> String;
}

/// A driver was lost while it drove a run.
struct Loss {
    run: String,
    fault: Fault,
    at_ms: i64,
}

struct Chaos {
    fleet: Fleet,
    estate: Box<dyn Estate>,
    patience: Duration,
    /// For how many runs the daemons were given files.
    given: usize,
    random: Random,
    begun: Vec<Begun>,
    told: BTreeMap<(Fault, bool), usize>,
    losses: Vec<Loss>,
    /// When something befell a driver or the store, which disturbs what goes on after a loss.
    disturbed_ms: Vec<i64>,
    runs: Vec<String>,
    /// Those in which a driver's clock jumped: the times in their journals say nothing here.
    jumped: BTreeSet<String>,
    since: Instant,
    /// Until when neither drivers nor the store are befallen: some recoveries are to be undisturbed.
    calm_until: Instant,
    next_look: Instant,
}

impl Chaos {
    fn new(sites: usize, seed: u64, making: Making) -> Option<Self> {
        let mut random = Random::new(seed);
        let mut fleet = Fleet::start()?;
        fleet.all_work(PATIENCE);
        let estate = making(sites, &mut fleet, &mut random);
        let now = Instant::now();
        Some(Self {
            fleet,
            estate,
            patience: PATIENCE + PATIENCE_PER_SITE * sites as u32,
            given: 0,
            random,
            begun: Vec::new(),
            told: BTreeMap::new(),
            losses: Vec::new(),
            disturbed_ms: Vec::new(),
            runs: Vec::new(),
            jumped: BTreeSet::new(),
            since: now,
            calm_until: now,
            next_look: now,
        })
    }

    fn is_befallen(&self, whom: Option<usize>) -> bool {
        self.begun.iter().any(|one| one.whom == whom)
    }

    /// Lets a fault begin, of somebody whom none befalls now, if there is one; of drivers mostly the one that drives.
    fn befall(&mut self, (fault, drives): (Fault, bool)) -> bool {
        let of_store = fault.is_of_store();
        let driver = self.driver();
        let mut whom = None;
        if !of_store {
            let members = &self.fleet.members;
            let free: Vec<usize> =
                (0..members.len()).filter(|ix| members[*ix].drives == drives && !self.is_befallen(Some(*ix))).collect();
            if free.is_empty() {
                return false;
            }
            let prefers = driver.filter(|ix| drives && free.contains(ix) && self.random.chance(80));
            whom = Some(prefers.unwrap_or_else(|| self.random.pick(&free)));
        } else if self.is_befallen(None) {
            return false;
        }
        let lasts = faults::lasts(fault, drives, &mut self.random);
        let clock_s = self.random.between(0, 14_400) as i64 - 7_200;
        let begun = Begun { fault, whom, until: Instant::now() + lasts, clock: clock_s };
        let at_ms = now_ms();
        if drives || whom.is_none() {
            self.disturbed_ms.push(at_ms);
        }
        if drives
            && whom == driver
            && (matches!(fault, Fault::Kill | Fault::Crash) || fault != Fault::Clock && lasts > DRIVER_LEASE)
        {
            if self.random.chance(60) {
                self.calm_until = Instant::now() + 2 * DRIVER_LEASE;
            }
            self.losses.push(Loss { run: self.runs.last().unwrap().clone(), fault, at_ms });
        }
        if drives && fault == Fault::Clock {
            self.jumped.extend(self.runs.last().cloned());
        }
        let name = whom.map_or("store", |ix| self.fleet.members[ix].name);
        eprintln!("{} {fault:?} {name} for {} ms", clock(at_ms), lasts.as_millis());
        *self.told.entry((fault, drives)).or_default() += 1;
        faults::begin(&mut self.fleet, begun);
        self.begun.push(begun);
        true
    }

    /// Who drives the run that is under way, if it can be seen.
    fn driver(&self) -> Option<usize> {
        if self.is_befallen(None) {
            return None;
        }
        let status = self.fleet.said(&["status", self.runs.last()?])?;
        let holder = format!("{} ", status["driven_by"].as_str()?);
        self.fleet.members.iter().position(|member| {
            member.drives && member.pid().is_some_and(|pid| holder.contains(&format!(" pid {pid} ")))
        })
    }

    /// Ends what has lasted long enough, and looks after the run.
    fn go_on(&mut self) {
        let now = Instant::now();
        let (over, left) = self.begun.iter().partition(|one| one.until <= now);
        self.begun = left;
        let over: Vec<Begun> = over;
        for one in over {
            faults::end(&mut self.fleet, one);
        }
        if let Some((ix, status)) = self.fleet.fallen() {
            let name = self.fleet.members[ix].name;
            eprintln!("{} {name} ended by itself: {status}", clock(now_ms()));
            assert!(self.may_end(status.code()), "{name}: {status}");
            self.begun.push(Begun {
                fault: Fault::Kill,
                whom: Some(ix),
                until: now + Duration::from_secs(1),
                clock: 0,
            });
        }
        if now >= self.next_look && !self.is_befallen(None) {
            self.look();
            self.next_look = now + Duration::from_millis(400);
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }

    /// Whether a process may end by itself, to be started again: only where its store takes no changes.
    fn may_end(&self, code: Option<i32>) -> bool {
        self.begun.iter().any(|one| one.fault == Fault::Early) && code.is_some_and(|code| code < 100)
    }

    /// Starts a run if none is under way.
    fn look(&mut self) {
        if !self.is_over() {
            self.is_patient();
            return;
        }
        let drives = |ix: &usize| self.fleet.members[*ix].drives && !self.is_befallen(Some(*ix));
        let free: Vec<usize> = (0..self.fleet.members.len()).filter(drives).collect();
        if free.is_empty() {
            return;
        }
        let name = format!("r{}", self.runs.len());
        if self.given == self.runs.len() {
            self.fleet.give(&self.estate.next());
            self.given += 1;
        }
        let by = self.random.pick(&free);
        if let Err(why) = self.fleet.launch(by, &name) {
            eprintln!("{} {name} not launched: {}", clock(now_ms()), why.trim());
            // Perhaps it is there: then it ends like any other.
            if self.fleet.events(&name).is_empty() {
                return;
            }
        }
        if self.begun.iter().any(|one| one.fault == Fault::Clock) {
            self.jumped.insert(name.clone());
        }
        self.runs.push(name);
        self.since = Instant::now();
    }

    /// Insists that the run under way does not take too long.
    fn is_patient(&self) {
        if self.since.elapsed() < self.patience {
            return;
        }
        let run = self.runs.last().unwrap();
        let orders = self.fleet.store.sql("runs", "SELECT * FROM reinstate_store.orders LIMIT 20");
        panic!(
            "{run} does not end: {:#}\nworkers: {:#}\norders: {orders}",
            self.fleet.said(&["status", run]).unwrap_or_default(),
            self.fleet.said(&["workers"]).unwrap_or_default()
        );
    }

    /// Whether the newest run is over, if there is one; it must have succeeded then.
    fn is_over(&self) -> bool {
        let Some(run) = self.runs.last() else { return true };
        let Some(status) = self.fleet.said(&["status", run]) else { return false };
        let said = status["status"].as_str().unwrap_or_default();
        assert!(["running", "closing", "succeeded"].contains(&said), "{status:#}");
        if said == "succeeded" {
            self.estate.insist(self.runs.len() - 1, &status);
        }
        said == "succeeded"
    }

    /// Waits until nothing befalls anybody and the last run is over.
    fn settle(&mut self) {
        self.since = Instant::now();
        while !self.begun.is_empty() || !self.is_over() {
            self.is_patient();
            let next = self.next_look;
            // No further run.
            self.next_look = Instant::now() + self.patience;
            self.go_on();
            self.next_look = next;
        }
    }

    /// What is so at the end.
    fn is_whole(&self) {
        assert!(!self.runs.is_empty(), "no run was launched, so nothing was put to the test");
        let (sent, effects) = (self.fleet.orders(), self.estate.effects(self.runs.len()));
        assert!(sent >= effects, "{effects} effects by {sent} orders: something was not done by workers");
        for (ix, run) in self.runs.iter().enumerate() {
            let status = self.fleet.said(&["status", run]).unwrap();
            let _ = expect(&mut self.fleet.command(&["audit", "verify", run]), 0);
            assert_eq!(status["returned"], status["sites"], "{status:#}");
            // Nothing came later, either.
            self.estate.insist(ix, &status);
        }
        eprintln!("{} runs, {}", self.runs.len(), self.estate.told(self.runs.len()));
        eprintln!("faults (of a driver): {:?}", self.told);
        let idle = self.fleet.said(&["workers"]).unwrap();
        assert!(idle.as_array().unwrap().iter().all(|worker| worker["holds"] == 0), "{idle:#}");
    }

    /// Tells how long it took from each loss of a driver until another drive of the run.
    fn tell_recoveries(&self) {
        let mut clean = Vec::new();
        let mut disturbed = Vec::new();
        for loss in self.losses.iter().filter(|loss| !self.jumped.contains(&loss.run)) {
            let events = self.fleet.events(&loss.run);
            let adopted = events.iter().filter(|event| event["event"] == "adopted").map(|event| {
                chrono::DateTime::parse_from_rfc3339(event["at"].as_str().unwrap()).unwrap().timestamp_millis()
            });
            let Some(next) = adopted.filter(|at| *at > loss.at_ms).min() else { continue };
            let took = next - loss.at_ms;
            let is_disturbed = self.disturbed_ms.iter().any(|at| (loss.at_ms + 1..next).contains(at));
            eprintln!(
                "{} {:?} of the driver of {}: {took} ms{}",
                clock(loss.at_ms),
                loss.fault,
                loss.run,
                if is_disturbed { ", disturbed" } else { "" }
            );
            if is_disturbed { disturbed.push(took) } else { clean.push(took) }
        }
        for (name, times) in [("undisturbed", &mut clean), ("disturbed", &mut disturbed)] {
            times.sort_unstable();
            let at = |percent: usize| times.get((times.len() * percent).div_ceil(100).saturating_sub(1));
            eprintln!("recoveries, {name}: {}; p50 {:?} ms, p95 {:?} ms", times.len(), at(50), at(95));
        }
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64
}

fn clock(ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(ms).unwrap().format("%H:%M:%S%.3f").to_string()
}

/// Sites of which each effect is a line in a file.
fn lines(sites: usize, fleet: &mut Fleet, random: &mut Random) -> Box<dyn Estate> {
    Box::new(Target::new(&fleet.path(""), sites, random))
}

/// Labs on a host of their own, one after the other.
fn labs(sites: usize, fleet: &mut Fleet, _: &mut Random) -> Box<dyn Estate> {
    Box::new(Labs::new(fleet.host(), sites))
}

/// Lets each of some faults befall somebody, in random order, one a few seconds after the other.
fn each_of(faults: &[(Fault, bool)], seed: u64) {
    let Some(mut chaos) = Chaos::new(60, seed, lines) else { return };
    eprintln!("seed {seed}");
    let mut left = faults.to_vec();
    while !left.is_empty() {
        let next = Instant::now() + Duration::from_millis(chaos.random.between(500, 3_000));
        while Instant::now() < next {
            chaos.go_on();
        }
        let ix = chaos.random.between(0, left.len() as u64 - 1) as usize;
        if chaos.befall(left[ix]) {
            left.swap_remove(ix);
        }
    }
    chaos.settle();
    chaos.is_whole();
    chaos.tell_recoveries();
}

#[test]
fn chaos_among_workers_is_not_seen_in_what_is_done() {
    use Fault::{Crash, Cut, Deaf, Early, Kill, Mute, Promote, Still, Store};
    each_of(&[Crash, Kill, Still, Cut, Mute, Deaf, Store, Promote, Early].map(|fault| (fault, false)), 1);
}

#[test]
fn chaos_among_drivers_is_not_seen_in_what_is_done() {
    each_of(&[(Fault::Kill, true), (Fault::Cut, true), (Fault::Clock, true), (Fault::Kill, false)], 2);
}

#[test]
fn chaos_while_labs_are_restored_is_not_seen_in_them() {
    for_minutes("REINSTATE_CHAOS_LAB_MINUTES", 883, labs);
}

#[test]
fn chaos_for_as_long_as_is_asked_for() {
    for_minutes("REINSTATE_CHAOS_MINUTES", 60, lines);
}

/// Lets faults befall anybody for as many minutes as a variable says; not at all without it.
fn for_minutes(variable: &str, sites: usize, making: Making) {
    let given = |name: &str| std::env::var_os(name).map(|text| text.to_string_lossy().into_owned());
    let Some(minutes) = number::<f64>(variable, given(variable)) else { return };
    let seed = number("REINSTATE_SEED", given("REINSTATE_SEED")).unwrap_or_else(|| now_ms() as u64);
    eprintln!("seed {seed}");
    let sites = number("REINSTATE_SITES", given("REINSTATE_SITES")).unwrap_or(sites);
    let chaos = Chaos::new(sites, seed, making);
    let mut chaos = chaos.unwrap_or_else(|| panic!("{variable} asks for what this host cannot do"));
    let end = Instant::now() + Duration::from_secs_f64(60.0 * minutes);
    while Instant::now() < end {
        let next = Instant::now() + Duration::from_millis(chaos.random.between(300, 6_000));
        while Instant::now() < next {
            chaos.go_on();
        }
        let (fault, drives) = chaos.random.pick(&faults::ALL);
        let is_far = drives || fault.is_of_store();
        if !is_far || Instant::now() >= chaos.calm_until {
            chaos.befall((fault, drives));
        }
    }
    chaos.settle();
    chaos.is_whole();
    chaos.tell_recoveries();
}

/// The number that a variable holds, if it is set: one that cannot be read would let a test pass that did not take place.
fn number<T: std::str::FromStr>(variable: &str, given: Option<String>) -> Option<T> {
    let text = given?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text}: this is no number that fits")))
}

#[test]
fn a_variable_that_is_no_number_is_not_taken_for_one_that_is_not_set() {
    assert_eq!(number::<f64>("REINSTATE_CHAOS_MINUTES", None), None);
    assert_eq!(number::<f64>("REINSTATE_CHAOS_MINUTES", Some("0.5".into())), Some(0.5));
    for text in ["", "30m", "half"] {
        let read = std::panic::catch_unwind(|| number::<f64>("REINSTATE_CHAOS_MINUTES", Some(text.into())));
        assert!(read.is_err(), "{text}");
    }
}
