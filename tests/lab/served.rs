//! A small lab on PostgreSQL, served by a process of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use reinstate_tests::process::{expect, reinstate};
use serde_json::Value;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_reinstate-under-test");

/// The command that builds a lab on two servers.
pub(crate) fn build(dir: &Path, sites: u32) -> Command {
    let mut command = reinstate(BINARY);
    command.args(["lab", "build", "--backend", "postgres", "--shards", "2", "--sites", &sites.to_string()]).arg(dir);
    command
}

/// A lab and perhaps the process that serves it.
pub(crate) struct Served {
    folder: tempfile::TempDir,
    process: Option<Child>,
    address: String,
}

impl Served {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The servers' user passes it on the way to their data.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
        Self { folder, process: None, address: String::new() }
    }

    /// Built, and nothing else.
    pub(crate) fn built(sites: u32) -> Self {
        let lab = Self::new();
        let _ = expect(&mut build(&lab.dir(), sites), 0);
        lab
    }

    /// Being built by a process that may be sent a signal.
    pub(crate) fn building(sites: u32) -> Self {
        let mut lab = Self::new();
        lab.process = Some(build(&lab.dir(), sites).spawn().unwrap());
        lab
    }

    /// Built, damaged and served.
    pub(crate) fn damaged(sites: u32, gone: u32) -> Self {
        let mut lab = Self::built(sites);
        let mut command = reinstate(BINARY);
        let _ = expect(command.args(["lab", "damage", "--sites", &gone.to_string()]).arg(lab.dir()), 0);
        lab.serve();
        lab
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("lab")
    }

    pub(crate) fn serve(&mut self) {
        let mut command = reinstate(BINARY);
        command.args(["lab", "serve"]).arg(self.dir()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).unwrap_or_else(|| panic!("{line}"));
        self.address = address.split(';').next().unwrap().to_owned();
        self.process = Some(process);
    }

    /// Sends the process a signal and waits for its end; gives its exit code, if it came to that.
    pub(crate) fn signal(&mut self, signal: &str) -> Option<i32> {
        let mut process = self.process.take().unwrap();
        assert!(Command::new("kill").args([signal, &process.id().to_string()]).status().unwrap().success());
        process.wait().unwrap().code()
    }

    /// The database servers that run, by their process IDs.
    pub(crate) fn servers(&self) -> Vec<u32> {
        let pid = |shard: &str| {
            let file = self.dir().join("clusters").join(shard).join("data/postmaster.pid");
            std::fs::read_to_string(file).ok()?.lines().next()?.parse().ok()
        };
        ["shard-00", "shard-01"].into_iter().filter_map(pid).collect()
    }

    /// Kills a database server of this lab.
    pub(crate) fn kill(&self, server: u32) {
        assert!(Command::new("kill").args(["-KILL", &server.to_string()]).status().unwrap().success());
    }

    pub(crate) fn diff(&self) -> Value {
        let output = reinstate(BINARY).args(["lab", "diff", "--json"]).arg(self.dir()).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    }

    pub(crate) fn latency(&self) -> Value {
        self.ask("GET", "/lab/latency", "")
    }

    pub(crate) fn phase(&self, name: &str) {
        let _ = self.ask("POST", "/lab/latency", &format!("{{\"phase\":\"{name}\"}}"));
    }

    /// Looks at the latencies until they are as wanted.
    pub(crate) fn until(&self, wanted: impl Fn(&Value) -> bool) {
        while !wanted(&self.latency()) {
            std::thread::yield_now();
        }
    }

    /// The status with which a path is answered.
    pub(crate) fn status(&self, path: &str) -> u16 {
        self.answer("GET", path, "")[9..12].parse().unwrap()
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let answer = self.answer(method, path, body);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    fn answer(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = std::net::TcpStream::connect(&self.address).unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        // Servers that a failed test left behind.
        for server in self.servers() {
            let _ = Command::new("kill").args(["-QUIT", &server.to_string()]).status();
        }
    }
}
