//! Two daemons on one store: a run goes on with the other one, whatever happened to its driver, and is never driven by both.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use reinstate_tests::postgres::Cluster;
use reinstate_tests::process::expect;
use serde_json::Value;

use crate::daemon::{Daemon, Home, log_of, paced, send};

/// Two homes with the same files, and the store that their daemons share.
struct Pair {
    first: Home,
    second: Home,
    store: String,
}

impl Pair {
    fn new(cluster: &Cluster, store: &str) -> Self {
        cluster.create(store);
        let home = || {
            let home = Home::new(SITES);
            home.write("runbooks/slow.yaml", &paced(40));
            home
        };
        Self { first: home(), second: home(), store: cluster.url(store) }
    }

    fn start<'a>(&self, home: &'a Home) -> Daemon<'a> {
        Daemon::start_with(home, &[], &[("REINSTATE_STORE", &self.store)])
    }

    /// Starts both; the first drives a run that is under way.
    fn driven(&self) -> (Daemon<'_>, Daemon<'_>) {
        let (one, other) = (self.start(&self.first), self.start(&self.second));
        one.launch("", "slow.yaml", "r");
        let _ = one.until("", "r", |run| run["sites"]["returned"].as_u64() > Some(20));
        (one, other)
    }

    /// What is so at the end: all sites are back, each step once, and the journal is one chain.
    fn is_whole(&self, daemon: &Daemon<'_>, drivers: usize) {
        let over = daemon.until("", "r", |run| run["state"]["over"] == true);
        assert_eq!(over["sites"]["returned"], SITES, "{over:#}");
        let mut verify = self.second.command(&["audit", "verify", "r"]);
        let _ = expect(verify.env("REINSTATE_STORE", &self.store), 0);
        let mut logs = self.second.command(&["logs", "r", "--json"]);
        let said = expect(logs.env("REINSTATE_STORE", &self.store), 0);
        let events: Vec<Value> = String::from_utf8_lossy(&said.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let adopted = events.iter().filter(|event| event["event"] == "adopted").count();
        assert_eq!(adopted, drivers, "each driver says so once");
        let mut done: Vec<&str> = events
            .iter()
            .filter(|event| event["event"] == "succeeded")
            .filter_map(|event| event["subject"].as_str())
            .collect();
        let all = done.len();
        done.sort_unstable();
        done.dedup();
        assert_eq!((all, done.len()), (done.len(), 2 * SITES as usize + 7), "nothing is done twice");
    }
}

const SITES: u32 = 200;

#[test]
fn a_run_whose_driver_is_killed_goes_on_with_who_stands_by() {
    let cluster = Cluster::start();
    let pair = Pair::new(&cluster, "runs");
    let (one, other) = pair.driven();
    let _ = one.end("-KILL");
    pair.is_whole(&other, 2);
    assert!(log_of(&pair.second.path("")).contains("a run that nobody drives is taken on"));
}

#[test]
fn a_driver_that_stops_hands_its_runs_on() {
    let cluster = Cluster::start();
    let pair = Pair::new(&cluster, "runs");
    let (one, other) = pair.driven();
    assert!(one.end("-TERM").success());
    pair.is_whole(&other, 2);
}

#[test]
fn what_a_person_stopped_is_left_to_a_person_whoever_stands_by_or_starts() {
    let cluster = Cluster::start();
    let pair = Pair::new(&cluster, "runs");
    let one = pair.start(&pair.first);
    let typed =
        ["run", "runbooks/slow.yaml", "--sites", "sites/s.csv", "--estate", "estates/e.yaml", "--yes", "--run", "own"];
    let mut typed = pair.second.command(&typed);
    typed.current_dir(pair.second.path("")).env("REINSTATE_STORE", &pair.store);
    let mut child = typed.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    let mut said = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    assert!(said.any(|line| line.expect("text").contains("returned (20/")), "it is under way");
    send("-TERM", child.id());
    assert_eq!(child.wait().expect("it ends").code(), Some(6));
    let stopped = one.seen("", "/api/v1/runs/own");
    // Whoever stands by looks for abandoned runs in the order of their creation, and finds this one after it.
    let other = pair.start(&pair.second);
    pair.second.write("estates/e.yaml", "schema: estate/v1\nname: other\nsandbox: true\n");
    other.launch("", "slow.yaml", "later");
    let _ = other.until("", "later", |run| run["sites"]["returned"].as_u64() > Some(5));
    let _ = other.end("-KILL");
    let _ = one.until("", "later", |run| run["state"]["over"] == true);
    let own = one.seen("", "/api/v1/runs/own");
    assert_eq!((&own["state"]["over"], &own["driver"]["kind"]), (&false.into(), &"nobody".into()), "{own:#}");
    assert_eq!(own["sites"], stopped["sites"], "nothing has gone on");
}

#[test]
fn a_driver_that_stood_still_for_longer_than_its_lease_can_write_nothing_more() {
    let cluster = Cluster::start();
    let pair = Pair::new(&cluster, "runs");
    let (one, other) = pair.driven();
    send("-STOP", one.pid());
    let its = format!(" pid {} ", other.pid());
    let _ = other.until("", "r", |run| run["driver"]["holder"].as_str().is_some_and(|holder| holder.contains(&its)));
    send("-CONT", one.pid());
    pair.is_whole(&other, 2);
    let told = log_of(&pair.first.path(""));
    assert!(told.contains("was taken over"), "{told}");
}
