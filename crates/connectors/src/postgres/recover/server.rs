//! The server's processes: started, found again by the data folder that they stand in, and surely ended.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;

use super::account::Account;
use super::programs::{Programs, shown};
use super::trouble::files;
use crate::answer::Trouble;

/// Name of the variable by which commands of an instance are found again; its value is the instance's folder.
pub(super) const MARK: &str = "REINSTATE_INSTANCE";

/// Name of the link from a socket's folder to the instance; it goes with the marks of a killed server.
pub(super) const LINK: &str = ".s.PGSQL.instance";

/// How long a server may take to end before it is told so more plainly.
const PATIENCE: Duration = Duration::from_secs(5);

/// The server of an instance, whether it runs or not.
#[derive(Clone, Debug)]
pub(super) struct Server {
    data: PathBuf,
    log: PathBuf,
}

impl Server {
    /// The server of an instance's folder.
    pub(super) fn of(folder: &Path) -> Self {
        // Processes are known by the real name of their folder.
        let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        Self { data: folder.join("data"), log: folder.join("server.log") }
    }

    /// Starts the server, of which nothing runs, and does not wait for it. Its log begins anew.
    ///
    /// It is in a process group of its own: it outlives this process, whatever ends it.
    ///
    /// # Errors
    /// `postgres.start`, `postgres.files`.
    pub(super) fn start(&self, programs: &Programs, account: &Account) -> Result<Child, Trouble> {
        let log = File::create(&self.log).and_then(|log| Ok((log.try_clone()?, log)));
        let (out, err) = log.map_err(|error| files(&self.log, &error))?;
        let mut command = account.command(&programs.path("postgres"));
        command.arg("-D").arg(&self.data).current_dir(&self.data).process_group(0);
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        // Dropping the handle leaves the server alone; if it ends before we do, tokio fetches its status.
        tokio::process::Command::from(command).spawn().map_err(|error| {
            let text = format!("{} in {}: {error}", shown(account, programs), self.data.display());
            Trouble::retry("postgres.start", text)
                .hint("may that user start the program, and enter every folder above the instance?")
        })
    }

    /// Removes the marks of a server that was killed: the number in them may be somebody else's by now, and then no
    /// server would start.
    ///
    /// # Errors
    /// `postgres.files`.
    pub(super) fn forget_killed(&self, socket: &Path) -> Result<(), Trouble> {
        let mut marks = vec![self.data.join("postmaster.pid")];
        let entries = std::fs::read_dir(socket).into_iter().flatten().flatten();
        marks.extend(
            entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".s.PGSQL.")).map(|e| e.path()),
        );
        for mark in marks {
            match std::fs::remove_file(&mark) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(files(&mark, &error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Lets the instance be found from a socket that lies elsewhere.
    ///
    /// # Errors
    /// `postgres.files`.
    pub(super) fn point_back(&self, socket: &Path) -> Result<(), Trouble> {
        let folder = self.data.parent().unwrap_or(&self.data);
        if std::fs::canonicalize(socket).is_ok_and(|socket| socket.starts_with(folder)) {
            return Ok(());
        }
        let link = socket.join(LINK);
        match std::os::unix::fs::symlink(folder, &link) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(files(&link, &error)),
            _ => Ok(()),
        }
    }

    /// Whether any process of the server is there.
    pub(super) fn is_alive(&self) -> bool {
        // Its first process is asked for directly: a host may have very many others.
        self.postmaster().is_some() || !self.pids().is_empty()
    }

    /// The server's first process, if it runs.
    pub(super) fn postmaster(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.data.join("postmaster.pid")).ok()?;
        let pid = text.lines().next()?.trim().parse().ok()?;
        self.is_ours(pid).then_some(pid)
    }

    /// Whether it takes connections.
    pub(super) fn is_open(&self) -> bool {
        let text = std::fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        text.lines().nth(7).is_some_and(|status| status.trim() == "ready") && self.postmaster().is_some()
    }

    /// What it has said since its start.
    pub(super) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Ends the server at once, as if it had crashed, and waits until nothing of it is left. What it has written is
    /// safe: it replays the rest again.
    ///
    /// # Errors
    /// `postgres.stop` if a process does not even end by SIGKILL.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub(super) async fn stop(&self) -> Result<(), Trouble> {
        let mut signals = [Signal::QUIT, Signal::KILL].into_iter();
        let mut until = Instant::now();
        loop {
            let left = self.pids();
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() >= until {
                let Some(signal) = signals.next() else {
                    let text = format!("{} still runs as {left:?}", self.data.display());
                    return Err(
                        Trouble::retry("postgres.stop", text).hint("what keeps these processes? end them by hand")
                    );
                };
                // The first process ends the others; without one they end by themselves, but not always soon.
                let first = self.postmaster().filter(|_| signal == Signal::QUIT);
                first.map_or(left, |first| vec![first]).into_iter().for_each(|pid| send(pid, signal));
                until = Instant::now() + PATIENCE;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn pids(&self) -> Vec<u32> {
        processes().map(|(pid, _)| pid).filter(|pid| self.is_ours(*pid)).collect()
    }

    /// Whether a process is one of this server: it stands in its data folder, and is no person looking around there.
    fn is_ours(&self, pid: u32) -> bool {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        std::fs::read_link(folder.join("cwd")).is_ok_and(|cwd| is_in(&cwd, &self.data))
            // Not by its short name: a process gets that a moment after whoever started it may go on.
            && std::fs::read_link(folder.join("exe")).is_ok_and(|exe| is_server(&exe))
    }
}

/// Whether a process stands in a folder, be it removed meanwhile.
fn is_in(cwd: &Path, data: &Path) -> bool {
    cwd == data || cwd.as_os_str().as_encoded_bytes() == format!("{} (deleted)", data.display()).as_bytes()
}

/// Whether a program is a server, be it replaced by a newer one meanwhile.
fn is_server(exe: &Path) -> bool {
    let name = exe.file_name().unwrap_or_default().as_encoded_bytes();
    name.strip_suffix(b" (deleted)").unwrap_or(name) == b"postgres"
}

/// Ends what commands of killed attempts at an instance are still there.
pub(super) async fn end_commands(folder: &Path) {
    let mark = format!("{MARK}={}", folder.display());
    let marked = || {
        let mark = mark.as_bytes();
        processes().filter(move |(_, folder)| {
            std::fs::read(folder.join("environ")).is_ok_and(|all| all.split(|byte| *byte == 0).any(|one| one == mark))
        })
    };
    let until = Instant::now() + PATIENCE;
    while marked().map(|(pid, _)| send(pid, Signal::KILL)).count() > 0 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn processes() -> impl Iterator<Item = (u32, PathBuf)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
}

fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // One that has ended meanwhile is fine.
        let _ = kill_process(pid, signal);
    }
}
