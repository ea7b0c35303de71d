//! A folder with an estate, sites and runbooks of its own, in which the binary is called with relative names.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use reinstate_tests::process::reinstate;

pub const BINARY: &str = env!("CARGO_BIN_EXE_reinstate-under-test");

/// After this a command hangs; nothing here takes a tenth of it.
const HANGS: Duration = Duration::from_secs(120);

/// An estate without services.
pub const ESTATE: &str = "schema: estate/v1\nname: bench\nsandbox: true\n";

/// Four sites on two shards.
pub const SITES: &str = "id,shard\ns1,a\ns2,a\ns3,b\ns4,b\n";

/// What a command answered.
#[derive(Debug)]
pub struct Said {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Everything that was said, wherever.
    pub fn all(&self) -> String {
        format!("{}\n{}", self.out, self.err)
    }
}

/// Runs a command to its end; one that hangs is killed and fails the test.
pub fn finish(command: &mut Command) -> Said {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
    wait(child)
}

/// Waits for a process whose output goes to pipes.
pub fn wait(child: Child) -> Said {
    let id = child.id();
    let (ended, watched) = mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if watched.recv_timeout(HANGS) == Err(RecvTimeoutError::Timeout) {
            signal(id, "-KILL");
        }
    });
    let output = child.wait_with_output().expect("the command ends");
    drop(ended);
    watch.join().expect("the watch ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = Said { status: output.status, out: text(&output.stdout), err: text(&output.stderr) };
    assert!(!said.all().contains("panicked at"), "{said:?}");
    said
}

/// Sends a signal to a process that has not been waited for.
pub fn signal(process: u32, signal: &str) {
    let sent = Command::new("kill").args([signal, &process.to_string()]).status().expect("kill starts");
    assert!(sent.success());
}

/// A folder of its own.
#[derive(Debug)]
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A folder with `estate.yaml` and `sites.csv`.
    pub fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.write("estate.yaml", ESTATE);
        place.write("sites.csv", SITES);
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The binary, in this folder, with its store here.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = reinstate(BINARY);
        command.args(args).current_dir(self.folder.path()).env("REINSTATE_STORE", "sqlite:runs.db");
        command
    }

    /// Runs a command and insists on its exit code.
    pub fn said(&self, args: &[&str], code: i32) -> Said {
        expect(&mut self.command(args), code)
    }

    /// Runs `run RUNBOOK` with this folder's sites and estate.
    pub fn run(&self, runbook: &str, name: &str, code: i32) -> Said {
        self.said(&["run", runbook, "--sites", "sites.csv", "--estate", "estate.yaml", "--run", name, "--yes"], code)
    }

    /// Starts `run RUNBOOK` and returns at once.
    pub fn start(&self, runbook: &str, name: &str) -> Child {
        self.command(&["run", runbook, "--sites", "sites.csv", "--estate", "estate.yaml", "--run", name, "--yes"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Waits until a file is there that a step of a run writes.
    pub fn await_file(&self, name: &str, child: &mut Child) {
        while !self.path(name).exists() {
            assert!(child.try_wait().unwrap().is_none(), "the run ended before {name} was there");
            std::thread::yield_now();
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// A step that writes `began-SITE` and waits for the file `go` of this folder, or for the folder's end.
    pub fn gated(&self, more: &str) -> String {
        let dir = self.folder.path().display();
        format!(
            "{{ uses: exec/run@1, {more} with: {{ command: [sh, -c, \"echo x >> {dir}/began-$1; while [ -d {dir} ] && \
             [ ! -e {dir}/go ]; do sleep 0.02; done\", sh, \"${{{{ site.id }}}}\"] }} }}"
        )
    }

    /// How often the gated step of a site began.
    pub fn began(&self, site: &str) -> usize {
        std::fs::read_to_string(self.path(&format!("began-{site}"))).map_or(0, |text| text.lines().count())
    }

    /// Lets gated steps go on.
    pub fn go(&self) {
        self.write("go", "");
    }
}

/// Runs a command and insists on its exit code.
pub fn expect(command: &mut Command, code: i32) -> Said {
    let said = finish(command);
    assert_eq!(said.status.code(), Some(code), "{command:?}\nstdout: {}\nstderr: {}", said.out, said.err);
    said
}

/// Runs a command that reads `input`.
pub fn fed(command: &mut Command, input: &[u8]) -> Said {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Who refuses early does not read to the end.
    let _ = stdin.write_all(input);
    drop(stdin);
    wait(child)
}

/// A runbook for this folder's sites with the given steps.
pub fn runbook(name: &str, more: &str, steps: &str) -> String {
    format!(
        "schema: runbook/v1\nname: {name}\ntargets: {{ id: \"^s[0-9]+$\", attributes: {{ shard: string }} }}\n{more}\
         defaults: {{ timeout: 1m, retry: {{ attempts: 1 }} }}\nsteps:\n{steps}"
    )
}

/// Insists that a text holds every one of `wanted`.
pub fn holds(text: &str, wanted: &[&str]) {
    for one in wanted {
        assert!(text.contains(one), "`{one}` is not in:\n{text}");
    }
}

/// Whether any file below a folder holds these bytes; returns its path.
pub fn file_holding(folder: &Path, needle: &[u8]) -> Option<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = match std::fs::read(&path) {
                Ok(bytes) => bytes,
                // SQLite removes its files beside a database when the last connection closes.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => panic!("{}: {error}", path.display()),
            };
            if bytes.windows(needle.len()).any(|window| window == needle) {
                return Some(path);
            }
        }
    }
    None
}
