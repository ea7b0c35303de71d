//! The real binary as a process, and a lab served by another.

use std::io::{BufRead, BufReader};
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
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut lab = Self { binary: binary.to_owned(), folder, server: None };
        let dir = lab.dir();
        let number = |number: u64| number.to_string();
        let _ = expect(
            reinstate(binary).args(["lab", "build"]).arg(&dir).args([
                "--sites",
                &number(sites.into()),
                "--shards",
                &number(shards.into()),
                "--seed",
                &number(seed),
            ]),
            0,
        );
        let _ =
            expect(reinstate(binary).args(["lab", "damage"]).arg(&dir).args(["--sites", &number(damaged.into())]), 0);
        lab.serve();
        lab
    }

    fn serve(&mut self) {
        let mut server = reinstate(&self.binary)
            .args(["lab", "serve"])
            .arg(self.dir())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the lab's server starts");
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

    /// Arguments that name a runbook with this lab's sites and estate.
    #[must_use]
    pub fn planned(&self, runbook: &Path) -> Vec<String> {
        let text = |path: PathBuf| path.display().to_string();
        vec![
            runbook.display().to_string(),
            "--sites".into(),
            text(self.dir().join("sites.csv")),
            "--estate".into(),
            text(self.dir().join("estate.yaml")),
        ]
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
    }
}

/// Starts a command, lets it print `lines` lines to standard error, and sends it a signal.
///
/// Returns its status, and whether it had ended by itself before that.
pub fn strike(command: &mut Command, lines: u64, signal: &str) -> (ExitStatus, bool) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the command starts");
    let mut err = BufReader::new(child.stderr.take().expect("its errors are a pipe"));
    let mut line = String::new();
    for _ in 0..lines {
        line.clear();
        if err.read_line(&mut line).expect("its errors are text") == 0 {
            return (child.wait().expect("it ends"), true);
        }
    }
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill starts");
    assert!(sent.success(), "the process is there until it is waited for");
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
