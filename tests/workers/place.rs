//! A folder with a runbook whose step is done by workers, a store, and the processes around them.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use reinstate_tests::process::{expect, reinstate};
use serde_json::Value;

pub const BINARY: &str = env!("CARGO_BIN_EXE_reinstate-under-test");

/// Longest time that something may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(90);

/// A step that leaves a line in a file of its site, and then waits for the file `go`. It is not idempotent, and can be probed.
const RUNBOOK: &str = r#"
schema: runbook/v1
name: work
targets: { id: '^s[0-9]+$', attributes: { region: string } }
defaults: { timeout: 1m, retry: { attempts: 1 } }
steps:
  copy:
    runs_on: ["region=${{ site.region }}"]
    uses: exec/run@1
    with:
      command: [sh, -c, 'echo "$0" >> effects/$1; until [ -e go ]; do sleep 0.05; done', "${{ site.region }}", "${{ site.id }}"]
      probe: [test, -s, "effects/${{ site.id }}"]
  check: { needs: copy, uses: noop@1 }
"#;

pub struct Place {
    folder: tempfile::TempDir,
    pub store: String,
    pub sites: usize,
}

pub struct Process {
    child: Child,
}

impl Place {
    pub fn new(store: Option<String>, sites: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = store.unwrap_or_else(|| format!("sqlite:{}", folder.path().join("runs.db").display()));
        let place = Self { folder, store, sites };
        std::fs::create_dir(place.path("effects")).unwrap();
        let rows: String = (0..sites).map(|site| format!("s{site},eu\n")).collect();
        std::fs::write(place.path("work.yaml"), RUNBOOK).unwrap();
        std::fs::write(place.path("sites.csv"), format!("id,region\n{rows}")).unwrap();
        std::fs::write(place.path("e.yaml"), "schema: estate/v1\nname: e\nsandbox: true\n").unwrap();
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = reinstate(BINARY);
        command.args(args).env("REINSTATE_STORE", &self.store).current_dir(self.folder.path());
        command
    }

    /// Starts a process whose output goes into `NAME.log`.
    pub fn start(&self, name: &str, args: &[&str]) -> Process {
        let log = File::create(self.path(&format!("{name}.log"))).unwrap();
        let mut command = self.command(args);
        command.stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null());
        Process { child: command.spawn().unwrap() }
    }

    pub fn worker(&self, name: &str, lease: &str) -> Process {
        self.start(name, &["worker", "--labels", "region=eu,ssd", "--slots", "4", "--lease", lease, "--name", name])
    }

    pub fn run(&self, name: &str) -> Process {
        self.start(name, &["run", "work.yaml", "--sites", "sites.csv", "--estate", "e.yaml", "--run", name, "--yes"])
    }

    pub fn log(&self, name: &str) -> String {
        let mut text = String::new();
        let _ = File::open(self.path(&format!("{name}.log"))).unwrap().read_to_string(&mut text);
        text
    }

    /// Sites whose effect is there, and how often.
    pub fn effects(&self) -> Vec<usize> {
        let files = std::fs::read_dir(self.path("effects")).unwrap();
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap().lines().count()).collect()
    }

    /// Lets the step end, wherever it is executed.
    pub fn go(&self) {
        std::fs::write(self.path("go"), "").unwrap();
    }

    pub fn workers(&self) -> Vec<Value> {
        let said = expect(&mut self.command(&["workers", "--json"]), 0);
        serde_json::from_slice::<Value>(&said.stdout).unwrap().as_array().unwrap().clone()
    }

    pub fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < PATIENCE, "it did not come: {what}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// What is so at the end: all sites are back, each effect is there once, and the journal is one chain.
    pub fn is_whole(&self, run: &str) {
        let said = expect(&mut self.command(&["status", run, "--json"]), 0);
        let status: Value = serde_json::from_slice(&said.stdout).unwrap();
        assert_eq!(self.effects(), vec![1; self.sites], "{status:#}");
        let _ = expect(&mut self.command(&["audit", "verify", run]), 0);
        assert_eq!(status["returned"], self.sites, "{status:#}");
    }
}

impl Process {
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub fn ended(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
