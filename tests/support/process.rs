//! The real binary as a process, and a lab served by another.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

/// The binary under test, with an environment that no caller can disturb.
#[must_use]
pub fn reinstate(binary: &str) -> Command {
    let mut command = Command::new(binary);
    command.env_remove("REINSTATE_STORE").env_remove("REINSTATE_LOG");
    // A run that waits for people ends at once, with its code.
    command.env("REINSTATE_WAIT", "0s").env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Runs a command to its end and insists on its exit code.
#[must_use]
pub fn expect(command: &mut Command, code: i32) -> Output {
    let output = command.output().expect("the command starts");
    assert_eq!(
        output.status.code(),
        Some(code),
        "{command:?}\nstdout: {}\nstderr: {}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    output
}

/// A lab in a temporary folder, served by a process of its own until dropped.
#[derive(Debug)]
pub struct ServedLab {
    binary: String,
    folder: tempfile::TempDir,
    server: Option<Child>,
}

impl ServedLab {
    /// Builds and damages a lab and serves it.
    #[must_use]
    pub fn damaged(binary: &str, sites: u32, damaged: u32, shards: u32, seed: u64) -> Self {
        let mut lab = Self::built(binary, sites, shards, seed);
        lab.damage(damaged);
        lab.serve(true);
        lab
    }

    /// Builds a lab, damages it unless `damaged` is 0, and serves it while nobody else writes: what it holds can be compared.
    #[must_use]
    pub fn quiet(binary: &str, sites: u32, damaged: u32, shards: u32, seed: u64) -> Self {
        Self::quiet_on(binary, (sites, damaged, shards, seed), "sqlite")
    }

    /// As [`ServedLab::quiet`], with shards on a backend.
    #[must_use]
    pub fn quiet_on(binary: &str, (sites, damaged, shards, seed): (u32, u32, u32, u64), backend: &str) -> Self {
        let mut lab = Self::built_on(binary, sites, shards, seed, backend);
        if damaged > 0 {
            lab.damage(damaged);
        }
        lab.serve(false);
        lab
    }

    /// As [`ServedLab::damaged`], with shards on PostgreSQL servers. Margins are seconds there: give `margin=5s`.
    ///
    /// # Panics
    /// If the lab cannot be built.
    #[must_use]
    pub fn on_postgres(binary: &str, sites: u32, damaged: u32, shards: u32, seed: u64) -> Self {
        let mut lab = Self::built_on(binary, sites, shards, seed, "postgres");
        lab.damage(damaged);
        lab.serve(true);
        lab
    }

    /// As [`ServedLab::damaged`], on another host: at an address, by a command that is brought there.
    #[must_use]
    pub fn there(
        binary: &str,
        (sites, damaged, shards, seed): (u32, u32, u32, u64),
        address: &str,
        bring: impl FnOnce(Command) -> Command,
    ) -> Self {
        let mut lab = Self::built_with(binary, sites, shards, seed, &["--address", address]);
        lab.damage(damaged);
        lab.serve_by(true, bring);
        lab
    }

    fn damage(&self, sites: u32) {
        let mut command = reinstate(&self.binary);
        let _ = expect(command.args(["lab", "damage"]).arg(self.dir()).args(["--sites", &sites.to_string()]), 0);
    }

    fn built(binary: &str, sites: u32, shards: u32, seed: u64) -> Self {
        Self::built_with(binary, sites, shards, seed, &[])
    }

    fn built_on(binary: &str, sites: u32, shards: u32, seed: u64, backend: &str) -> Self {
        Self::built_with(binary, sites, shards, seed, &["--backend", backend])
    }

    fn built_with(binary: &str, sites: u32, shards: u32, seed: u64, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Database servers of another user pass it on the way to their data.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).expect("our own folder");
        let lab = Self { binary: binary.to_owned(), folder, server: None };
        let dir = lab.dir();
        let mut command = reinstate(binary);
        command.args(["lab", "build"]).arg(&dir).args(more);
        for (name, size) in [("--sites", u64::from(sites)), ("--shards", shards.into()), ("--seed", seed)] {
            command.args([name, &size.to_string()]);
        }
        let _ = expect(&mut command, 0);
        lab
    }

    fn serve(&mut self, live_writes: bool) {
        self.serve_by(live_writes, std::convert::identity);
    }

    fn serve_by(&mut self, live_writes: bool, bring: impl FnOnce(Command) -> Command) {
        let mut command = reinstate(&self.binary);
        command.args(["lab", "serve", "--live-writes", if live_writes { "true" } else { "false" }]).arg(self.dir());
        let mut command = bring(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut server = command.spawn().expect("the lab's server starts");
        // The first line says that it listens.
        let mut line = String::new();
        let out = server.stdout.take().expect("its output is a pipe");
        BufReader::new(out).read_line(&mut line).expect("the lab says where it is");
        assert!(line.contains("http://"), "{line}");
        self.server = Some(server);
    }

    /// Folder of the lab.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("lab")
    }

    /// A path beside the lab.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Compares the estate with the truth.
    #[must_use]
    pub fn diff(&self) -> serde_json::Value {
        let output =
            reinstate(&self.binary).args(["lab", "diff", "--json"]).arg(self.dir()).output().expect("diff starts");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{error}: {} {}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        })
    }

    /// Insists that so many sites are equal to the truth, some of them under a new ID, that nobody else was touched and
    /// nothing was applied twice.
    ///
    /// # Panics
    /// If it is otherwise.
    pub fn insist(&self, equal: usize, moved: usize, why: &str) {
        let found = self.diff();
        let number = |name: &str| found[name].as_u64().and_then(|number| usize::try_from(number).ok());
        let numbers = ["sites_equal", "sites_moved", "bystanders_changed", "effects_applied_twice"].map(number);
        assert_eq!(numbers, [Some(equal), Some(moved), Some(0), Some(0)], "{why}: {found:#}");
    }

    /// Arguments that name a runbook with this lab's sites and estate.
    #[must_use]
    pub fn planned(&self, runbook: &Path) -> Vec<String> {
        self.planned_for(runbook, &self.dir().join("sites.csv"))
    }

    /// Arguments that name a runbook with a list and this lab's estate.
    #[must_use]
    pub fn planned_for(&self, runbook: &Path, list: &Path) -> Vec<String> {
        let text = |path: &Path| path.display().to_string();
        vec![text(runbook), "--sites".into(), text(list), "--estate".into(), text(&self.dir().join("estate.yaml"))]
    }

    /// What the estate holds.
    ///
    /// # Panics
    /// If the lab cannot be read.
    #[must_use]
    pub fn fingerprint(&self) -> lab::Fingerprint {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(lab::fingerprint(&self.dir())).expect("the lab can be read")
    }

    /// Sends a JSON body to a path of the lab's services and insists on 200.
    ///
    /// # Panics
    /// If the lab answers otherwise.
    pub fn post(&self, path: &str, body: &str) {
        let _ = self.ask("POST", path, body);
    }

    /// Gets a page of the lab's services and insists on 200.
    ///
    /// # Panics
    /// If the lab answers otherwise.
    #[must_use]
    pub fn get(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&self.ask("GET", path, "")).expect("the page is JSON")
    }

    /// The body of the answer.
    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let address = self.address();
        let mut stream = std::net::TcpStream::connect(&address).expect("the lab is there");
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
        let request = format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).expect("the lab reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the lab answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }

    fn address(&self) -> String {
        let estate = std::fs::read_to_string(self.dir().join("estate.yaml")).expect("the estate file");
        let url = estate.split("http://").nth(1).expect("a service");
        url.split('/').next().unwrap_or_default().to_owned()
    }
}

impl ServedLab {
    /// Stops the services: nobody writes any more.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

impl Drop for ServedLab {
    fn drop(&mut self) {
        self.stop();
        // Servers that the run made, and what a failed test left behind.
        let servers = servers_in(self.folder.path()).into_iter().map(|pid| pid.to_string());
        let _ = Command::new("kill").arg("-QUIT").args(servers).stderr(Stdio::null()).status();
    }
}

/// Processes that stand in a folder or below, as database servers do in their data.
#[must_use]
pub fn servers_in(folder: &Path) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder))).collect()
}

/// Starts a command, lets it print `lines` lines to standard error, and sends it a signal.
///
/// Returns its status, and whether it had ended by itself before that.
pub fn strike(command: &mut Command, lines: u64, signal: &str) -> (ExitStatus, bool) {
    let mut left = lines;
    strike_when(command, signal, |_| {
        left -= 1;
        left == 0
    })
}

/// Starts a command and sends it a signal when it has printed a line to standard error that `is_it`.
///
/// Returns its status, and whether it had ended by itself before that.
pub fn strike_when(command: &mut Command, signal: &str, mut is_it: impl FnMut(&str) -> bool) -> (ExitStatus, bool) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the command starts");
    let mut err = BufReader::new(child.stderr.take().expect("its errors are a pipe"));
    let mut line = String::new();
    loop {
        line.clear();
        if err.read_line(&mut line).expect("its errors are text") == 0 {
            return (child.wait().expect("it ends"), true);
        }
        if is_it(&line) {
            break;
        }
    }
    if matches!(signal, "-KILL" | "-9") {
        // At once, without a process of its own.
        child.kill().expect("the process is there until it is waited for");
    } else {
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill starts");
        assert!(sent.success(), "the process is there until it is waited for");
    }
    // A full pipe must not keep it from ending.
    let drained = std::thread::spawn(move || std::io::copy(&mut err, &mut std::io::sink()).is_ok());
    let status = child.wait().expect("it ends");
    assert!(drained.join().expect("the reader ends"));
    (status, false)
}

/// Path of a runbook that ships with the project.
#[must_use]
pub fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../runbooks").join(name)
}
