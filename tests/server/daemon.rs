//! A daemon with a folder of its own, and who talks to it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use reinstate_tests::process::{expect, reinstate};
use serde_json::{Value, json};

use crate::client::{Answer, Events, Request};

pub const BINARY: &str = env!("CARGO_BIN_EXE_reinstate-under-test");

/// Longest time that something may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// Steps that do nothing, at a pace: `rate` starts a second.
pub fn paced(rate: u32) -> String {
    format!(
        "schema: runbook/v1
name: paced
targets: {{ id: '^s[0-9]+$', attributes: {{ shard: string }}, scopes: {{ shard: site.shard }} }}
pools: {{ pace: {{ slots: 50, rate: {rate}/s }} }}
batches: {{ sizes: [5, rest], max_failures: [100%, 100%] }}
defaults: {{ timeout: 1m, retry: {{ attempts: 1 }} }}
steps:
  recover: {{ scope: shard, uses: noop@1 }}
  work: {{ needs: recover, pool: pace, uses: noop@1 }}
  extra: {{ needs: work, uses: noop@1 }}
"
    )
}

/// The folder of a daemon.
pub struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    /// A folder with an estate, a runbook that does nothing and a list of sites.
    pub fn new(sites: u32) -> Self {
        let home = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        for folder in ["runbooks", "estates", "sites"] {
            std::fs::create_dir(home.path(folder)).expect("our own folder");
        }
        home.write("runbooks/paced.yaml", &paced(10_000));
        home.write("estates/e.yaml", "schema: estate/v1\nname: e\nsandbox: true\napprovers: { leads: [ben, mia] }\n");
        home.list(sites);
        home
    }

    /// Writes the list of sites anew.
    pub fn list(&self, sites: u32) {
        let rows: String = (0..sites).map(|site| format!("s{site},shard-{}\n", site % 7)).collect();
        self.write("sites/s.csv", &format!("id,shard\n{rows}"));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("our own folder");
    }

    pub fn store(&self) -> String {
        format!("sqlite:{}", self.path("runs.db").display())
    }

    /// A command with this home and store.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = reinstate(BINARY);
        command.args(args).env("REINSTATE_HOME", self.folder.path()).env("REINSTATE_STORE", self.store());
        command
    }

    /// Makes a token.
    pub fn token(&self, name: &str, role: &str) -> String {
        let made = expect(&mut self.command(&["token", "create", "--name", name, "--role", role, "--json"]), 0);
        let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
        made["token"].as_str().expect("the token").to_owned()
    }
}

/// A daemon that runs.
pub struct Daemon<'a> {
    pub home: &'a Home,
    pub address: String,
    child: Child,
}

impl<'a> Daemon<'a> {
    pub fn start(home: &'a Home) -> Self {
        Self::start_with(home, &[], &[])
    }

    /// Starts a daemon with further arguments and variables; waits until it listens. What it logs goes to `daemon.err`.
    pub fn start_with(home: &'a Home, args: &[&str], env: &[(&str, &str)]) -> Self {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(home.path("daemon.err"));
        let mut command = home.command(&["serve", "--json"]);
        if !args.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let mut child = command
            .args(args)
            .env("REINSTATE_LOG", "info")
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log.expect("our own folder"))
            .spawn()
            .expect("the daemon starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("it says where it is");
        let said: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("{line}{}", std::fs::read_to_string(home.path("daemon.err")).unwrap()));
        let address = said["url"].as_str().expect("its address").split("//").nth(1).expect("an authority").to_owned();
        Self { home, address, child }
    }

    pub fn ask(&self, request: &Request<'_>) -> Answer {
        request.ask(&self.address)
    }

    /// Gets a path, with a token if there is one.
    pub fn get(&self, token: &str, path: &str) -> Answer {
        self.ask(&bearing(Request::new("GET", path), token))
    }

    /// Gets JSON that must be there.
    pub fn seen(&self, token: &str, path: &str) -> Value {
        let answer = self.get(token, path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    pub fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.ask(&bearing(Request::new("POST", path), token).json(body))
    }

    /// Posts what must be done.
    pub fn done(&self, token: &str, path: &str, body: &Value) -> Value {
        let answer = self.post(token, path, body);
        assert_eq!(answer.status, 200, "{path} {body}: {answer:?}\n{}", log_of(&self.home.path("")));
        answer.json()
    }

    pub fn follow(&self, token: &str, run: &str) -> Events {
        bearing(Request::new("GET", &format!("/api/v1/runs/{run}/events")), token).follow(&self.address)
    }

    /// Plans with the home's files and launches under a name.
    pub fn launch(&self, token: &str, runbook: &str, run: &str) -> Value {
        let planned = self.done(token, "/api/v1/plans", &planning(runbook));
        assert_eq!(planned["findings"], json!([]), "{planned:#}");
        let (hash, sites) = (planned["plan"]["hash"].clone(), planned["plan"]["sites"].clone());
        self.done(token, "/api/v1/runs", &json!({ "plan": hash, "count": sites, "name": run }))
    }

    /// Follows a run until its summary is as wanted.
    pub fn until(&self, token: &str, run: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        for (kind, data) in self.follow(token, run) {
            if kind == "run" && wanted(&data) {
                return data;
            }
            assert!(begun.elapsed() < PATIENCE, "it did not come about: {data:#}");
        }
        panic!("the stream of {run} ended")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Time that it has computed, as the kernel counts it.
    pub fn cpu_ms(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("it lives");
        // User and system time, fields 14 and 15, in hundredths; the command before them may hold blanks.
        let fields = stat.rsplit_once(')').expect("a command").1.split_whitespace();
        10 * fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum::<u64>()
    }

    /// Sends a signal and waits for the end.
    pub fn end(mut self, signal: &str) -> ExitStatus {
        send(signal, self.child.id());
        self.child.wait().expect("it ends")
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process.
pub fn send(signal: &str, pid: u32) {
    let sent = Command::new("kill").args([signal, &pid.to_string()]).status().expect("kill starts");
    assert!(sent.success());
}

/// A request with a token; without one if it is empty.
pub fn bearing<'a>(request: Request<'a>, token: &str) -> Request<'a> {
    if token.is_empty() { request } else { request.with("Authorization", &format!("Bearer {token}")) }
}

/// What is sent to plan with the home's files.
pub fn planning(runbook: &str) -> Value {
    json!({ "runbook": { "name": runbook }, "estate": { "name": "e.yaml" }, "sites": { "name": "s.csv" } })
}

/// What the daemon logged.
pub fn log_of(home: &Path) -> String {
    std::fs::read_to_string(home.join("daemon.err")).unwrap_or_default()
}
