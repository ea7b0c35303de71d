//! A store and who stands by for it, two daemons and three workers, each a process on a host of its own.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use reinstate_tests::postgres::Cluster;
use reinstate_tests::process::reinstate;
use serde_json::{Value, json};

use crate::clocks::{self, WallClock};
use crate::hosts::{Host, NETWORK, Network};
use crate::place::BINARY;

/// How long a worker lives without a beat.
pub const WORKER_LEASE: &str = "3s";

const WORKERS: [(&str, &str); 3] =
    [("eu", "region=eu,any"), ("us", "region=us,any"), ("both", "region=eu,region=us,any")];
const DAEMONS: [&str; 2] = ["one", "other"];

/// What a run is of.
pub struct Files {
    pub runbook: String,
    pub estate: String,
    pub sites: String,
}

pub struct Fleet {
    /// Daemons first.
    pub members: Vec<Member>,
    pub store: Cluster,
    pub store_host: Host,
    standby: Option<(Cluster, Host)>,
    clocks: PathBuf,
    folder: Option<tempfile::TempDir>,
    network: Network,
}

/// A daemon or worker and its host.
pub struct Member {
    pub name: &'static str,
    pub drives: bool,
    pub host: Host,
    pub clock: WallClock,
    child: Option<Child>,
}

impl Fleet {
    /// `None` where a test may have no network of its own.
    pub fn start() -> Option<Self> {
        let mut network = Network::new()?;
        let store_host = network.host();
        let store = Cluster::with().inside(&store_host.enter()).listen("0.0.0.0", NETWORK).start();
        store.create("runs");
        let folder = tempfile::tempdir().unwrap();
        let clocks = clocks::library(folder.path());
        for home in DAEMONS {
            for name in ["runbooks", "estates", "sites"] {
                std::fs::create_dir_all(folder.path().join(home).join(name)).unwrap();
            }
        }
        let members = DAEMONS.map(|name| (name, true)).into_iter().chain(WORKERS.map(|(name, _)| (name, false)));
        let members = members.map(|(name, drives)| {
            let clock = WallClock::new(folder.path().join(format!("{name}.clock")));
            Member { name, drives, host: network.host(), clock, child: None }
        });
        let members = members.collect();
        let folder = Some(folder);
        let mut fleet = Self { members, store, store_host, standby: None, clocks, folder, network };
        fleet.stand_by();
        (0..fleet.members.len()).for_each(|ix| fleet.begin(ix));
        Some(fleet)
    }

    /// A further host.
    pub fn host(&mut self) -> Host {
        self.network.host()
    }

    /// Gives the daemons what the runs from now on are of.
    pub fn give(&self, files: &Files) {
        for home in DAEMONS {
            let write = |name: &str, text: &str| std::fs::write(self.path(home).join(name), text).unwrap();
            write("runbooks/work.yaml", &files.runbook);
            write("estates/e.yaml", &files.estate);
            write("sites/s.csv", &files.sites);
        }
    }

    /// Has a server stand by, without which the store acknowledges nothing.
    fn stand_by(&mut self) {
        let host = self.network.host();
        let standby = Cluster::with().inside(&host.enter()).listen("0.0.0.0", NETWORK);
        let standby = standby.follow(&self.store, &self.store_host.address).start();
        let _ = self.store.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'standby'");
        let _ = self.store.sql("postgres", "SELECT pg_reload_conf()");
        self.standby = Some((standby, host));
    }

    /// Puts who stands by in the place of the store, whose server is gone; it answers, and can only be read.
    pub fn take_place(&mut self) {
        let (_, host) = self.standby.as_mut().expect("one stands by");
        host.replace(&self.store_host);
    }

    /// Has who is in the place of the store take changes, and another one stand by.
    pub fn take_over(&mut self) {
        let (standby, host) = self.standby.take().expect("one stands by");
        standby.promote();
        (self.store, self.store_host) = (standby, host);
        self.stand_by();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.as_ref().unwrap().path().join(name)
    }

    /// Starts a member, again if it was killed; what it says is appended to `NAME.log`.
    pub fn begin(&mut self, ix: usize) {
        let Member { name, drives, .. } = self.members[ix];
        let mut command = reinstate(BINARY);
        if drives {
            command.args(["serve", "--listen", "127.0.0.1:7400", "--home"]).arg(self.path(name));
        } else {
            let labels = WORKERS.iter().find(|(worker, _)| *worker == name).unwrap().1;
            command.args(["worker", "--slots", "8", "--lease", WORKER_LEASE, "--labels", labels, "--name", name]);
        }
        let url = format!("postgres://postgres@{}:5432/runs", self.store_host.address);
        command.env("REINSTATE_STORE", url).env("REINSTATE_LOG", "info").current_dir(self.path(""));
        self.members[ix].clock.set_for(&mut command, &self.clocks);
        let log = OpenOptions::new().create(true).append(true).open(self.path(&format!("{name}.log"))).unwrap();
        let mut command = self.members[ix].host.inside(&command);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.members[ix].child = Some(command.spawn().unwrap());
    }

    /// A process that has ended by itself, and how.
    pub fn fallen(&mut self) -> Option<(usize, ExitStatus)> {
        self.members.iter_mut().enumerate().find_map(|(ix, member)| {
            let status = member.child.as_mut()?.try_wait().unwrap()?;
            member.child = None;
            Some((ix, status))
        })
    }

    /// Waits until every worker lives, of which nobody has befallen any; each look takes its time.
    pub fn all_work(&self, patience: Duration) {
        let begun = Instant::now();
        loop {
            let workers = self.said(&["workers"]).unwrap_or_default();
            let live: Vec<&str> =
                workers.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
            if live.len() == WORKERS.len() && WORKERS.iter().all(|(name, _)| live.contains(name)) {
                return;
            }
            assert!(begun.elapsed() < patience, "not all workers came up: {workers:#}");
        }
    }

    /// Orders that drivers have sent, at least: after a promotion some numbers may be left out.
    pub fn orders(&self) -> usize {
        let last = "SELECT coalesce(last_value, 0) FROM pg_sequences WHERE schemaname = 'reinstate_store' \
                    AND sequencename = 'orders_id_seq'";
        self.store.sql("runs", last).parse().expect("a number")
    }

    /// A command of a person who reaches the store whatever becomes of the network.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = reinstate(BINARY);
        command.args(args).env("REINSTATE_STORE", self.store.url("runs")).current_dir(self.path(""));
        command
    }

    /// What a command says in JSON; `None` if it fails.
    pub fn said(&self, args: &[&str]) -> Option<Value> {
        let output = self.command(args).arg("--json").output().unwrap();
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    /// Events of a run; none if there is no such run.
    pub fn events(&self, run: &str) -> Vec<Value> {
        let output = self.command(&["logs", run, "--json"]).output().unwrap();
        if !output.status.success() {
            return Vec::new();
        }
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Asks a daemon for a run, as a browser on its host would.
    ///
    /// # Errors
    /// What was said instead; the run may be there all the same.
    pub fn launch(&self, ix: usize, run: &str) -> Result<(), String> {
        let names =
            json!({ "runbook": { "name": "work.yaml" }, "estate": { "name": "e.yaml" }, "sites": { "name": "s.csv" } });
        let planned = self.post(ix, "plans", &names)?;
        let (hash, sites) = (planned["plan"]["hash"].clone(), planned["plan"]["sites"].clone());
        self.post(ix, "runs", &json!({ "plan": hash, "count": sites, "name": run })).map(drop)
    }

    fn post(&self, ix: usize, path: &str, body: &Value) -> Result<Value, String> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "10", "--header", "Content-Type: application/json"]);
        curl.args(["--write-out", "\n%{http_code}", "--data", &body.to_string()]);
        curl.arg(format!("http://127.0.0.1:7400/api/v1/{path}"));
        let output = self.members[ix].host.inside(&curl).output().expect("curl is installed");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        match said.rsplit_once('\n') {
            Some((body, "200")) => serde_json::from_str(body).map_err(|error| format!("{error}: {body}")),
            _ => Err(format!("{said}{}", String::from_utf8_lossy(&output.stderr))),
        }
    }
}

impl Member {
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub fn signal(&self, signal: &str) {
        let Some(pid) = self.pid() else { return };
        let _ = Command::new("kill").args([signal, &pid.to_string()]).status();
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.members.iter_mut().for_each(Member::kill);
        if std::thread::panicking() || std::env::var_os("REINSTATE_CHAOS_KEEP").is_some() {
            let folder = self.folder.take().unwrap().keep();
            // What the server said belongs to it.
            let _ = File::create(folder.join("store.log"))
                .and_then(|mut file| std::io::Write::write_all(&mut file, self.store.log().as_bytes()));
            eprintln!("what was said and done is in {}", folder.display());
        }
    }
}
