//! A PostgreSQL server of the benchmark's own: a data folder, its server on a private socket, and its CPU time.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::bench::process;
use crate::failure::Failure;

/// Where Debian's packages put the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";
const NEEDED: [&str; 3] = ["initdb", "postgres", "pg_ctl"];
/// What the system allows for the path of a socket.
const SOCKET_MAX: usize = 107;
const SOCKET: &str = ".s.PGSQL.5432";
/// The database of the benchmark.
const DATABASE: &str = "postgres";

/// The server's programs, and as whom they run.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    bin: PathBuf,
    /// User and group `postgres` if we are root: the server refuses to be root's.
    user: Option<(u32, u32)>,
}

impl Programs {
    /// Finds the newest version that is installed.
    pub(super) fn find() -> Result<Self, Failure> {
        let complete = |bin: &Path| NEEDED.iter().all(|name| bin.join(name).exists());
        let newest = std::fs::read_dir(VERSIONS)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
            .filter(|(_, bin)| complete(bin))
            .max();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let other = || std::env::split_paths(&path).find(|bin| complete(bin));
        let bin = newest.map(|(_, bin)| bin).or_else(other).ok_or_else(|| {
            Failure::new(
                crate::exit::Exit::Trouble,
                "bench-no-server",
                "no PostgreSQL server is installed here",
                "install it (Debian: apt-get install postgresql), or put initdb and pg_ctl into PATH",
            )
        })?;
        Ok(Self { bin, user: user()? })
    }

    fn command(&self, program: &str) -> Command {
        let own = self.bin.join(program);
        let mut command = Command::new(if own.exists() { own } else { PathBuf::from(program) });
        command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC").current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Runs a program to its end, off the threads that answer.
    async fn run(&self, program: &str, args: &[&str]) -> Result<(), Failure> {
        let mut command = self.command(program);
        command.args(args);
        let ended = tokio::task::spawn_blocking(move || command.output()).await;
        let output = ended.map_err(std::io::Error::other).and_then(|output| output).map_err(files)?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        let hint = "look at disk space and memory; --dir names another folder";
        Err(Failure::new(crate::exit::Exit::Trouble, "bench-server", format!("{program} failed: {said}"), hint))
    }

    /// Gives a folder to the user of the servers, and checks that they can reach it.
    pub(super) fn own(&self, folder: &Path) -> Result<(), Failure> {
        let Some((uid, gid)) = self.user else { return Ok(()) };
        chown(folder, Some(uid), Some(gid)).map_err(files)?;
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).map_err(files)?;
        for above in folder.ancestors().skip(1) {
            let about = std::fs::metadata(above).map_err(files)?;
            let bit = if about.uid() == uid { 0o100 } else { 0o001 };
            if about.mode() & bit == 0 {
                return Err(Failure::input(
                    "bench-dir",
                    format!("the user postgres may not pass {}", above.display()),
                    "name a folder with --dir that everybody may enter, such as /var/tmp",
                ));
            }
        }
        Ok(())
    }
}

/// How a server is started.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mode {
    /// Filled for the first time: no promises, all speed.
    Filling,
    /// In use: what is committed is on disk.
    InUse,
}

/// A data folder and its server, which is stopped when this is dropped.
#[derive(Debug)]
pub(super) struct Cluster {
    programs: Programs,
    home: PathBuf,
    /// Size of the server's own cache in MiB.
    buffers: u64,
    /// The postmaster, while it runs.
    server: Option<u32>,
}

impl Cluster {
    /// Makes an empty cluster in a new folder.
    pub(super) async fn init(programs: &Programs, home: &Path, buffers: u64) -> Result<Self, Failure> {
        let cluster = Self { programs: programs.clone(), home: home.to_owned(), buffers, server: None };
        cluster.folder()?;
        let data = cluster.data();
        let args = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
        let args: Vec<&str> = args.into_iter().chain(["--data-checksums", "--pgdata", &data]).collect();
        programs.run("initdb", &args).await?;
        Ok(cluster)
    }

    /// Copies a stopped cluster, byte for byte; `settled` waits until the copy is on disk, so that nothing of it is
    /// written while something else is measured.
    pub(super) async fn copy(&self, home: &Path, settled: bool) -> Result<Self, Failure> {
        let copy = Self { home: home.to_owned(), programs: self.programs.clone(), buffers: self.buffers, server: None };
        copy.folder()?;
        // Blocks that two copies share would be written by the first one only.
        self.programs.run("cp", &["-a", "--reflink=never", &self.data(), &copy.data()]).await?;
        if settled {
            self.programs.run("sync", &["--file-system", &copy.data()]).await?;
        }
        Ok(copy)
    }

    fn folder(&self) -> Result<(), Failure> {
        let socket = self.home.join(SOCKET);
        if socket.as_os_str().len() > SOCKET_MAX {
            let fact = format!("the path of a socket, {}, is longer than {SOCKET_MAX} bytes", socket.display());
            return Err(Failure::input("bench-dir", fact, "name a folder with a shorter path with --dir"));
        }
        std::fs::create_dir(&self.home).map_err(files)?;
        self.programs.own(&self.home)
    }

    fn data(&self) -> String {
        self.home.join("data").display().to_string()
    }

    /// Starts the server and waits until it answers.
    pub(super) async fn start(&mut self, mode: Mode) -> Result<(), Failure> {
        let fixed = [("listen_addresses", ""), ("archive_mode", "off"), ("wal_level", "replica")];
        let mut options = format!("-k '{}' -c shared_buffers={}MB", self.home.display(), self.buffers);
        for (name, value) in fixed.into_iter().chain([("max_wal_size", "4GB"), ("log_min_messages", "warning")]) {
            options.push_str(&format!(" -c {name}='{value}'"));
        }
        if matches!(mode, Mode::Filling) {
            options.push_str(" -c fsync=off -c full_page_writes=off -c autovacuum=off -c checkpoint_timeout=1d");
        }
        let (data, log) = (self.data(), self.home.join("log").display().to_string());
        let args = ["start", "--silent", "--wait", "--timeout=120", "-D", &data, "-l", &log, "-o", &options];
        // Set before it is known: a start that is given up half-way is stopped too.
        self.server = Some(0);
        self.programs.run("pg_ctl", &args).await?;
        let pid = std::fs::read_to_string(self.home.join("data/postmaster.pid")).map_err(files)?;
        self.server = pid.lines().next().and_then(|line| line.trim().parse().ok());
        Ok(())
    }

    /// Stops the server in order, with a checkpoint.
    pub(super) async fn stop(&mut self) -> Result<(), Failure> {
        if self.server.is_some() {
            let data = self.data();
            self.programs.run("pg_ctl", &["stop", "--silent", "--mode=fast", "--timeout=300", "-D", &data]).await?;
            self.server = None;
        }
        Ok(())
    }

    /// Stops the server and removes its files.
    pub(super) fn remove(mut self) -> Result<(), Failure> {
        self.kill();
        std::fs::remove_dir_all(&self.home).map_err(files)
    }

    /// Returns the URL of its database; no password is asked.
    pub(super) fn url(&self) -> String {
        let socket: String = self.home.display().to_string().bytes().map(url_byte).collect();
        format!("postgres://postgres@localhost:5432/{DATABASE}?host={socket}")
    }

    /// CPU time of the server and all its processes so far, in seconds.
    pub(super) fn cpu_s(&self) -> f64 {
        self.server.map_or(0.0, process::tree_cpu_s)
    }

    fn kill(&mut self) {
        if self.server.take().is_some() {
            let mut stop = self.programs.command("pg_ctl");
            stop.args(["stop", "--silent", "--mode=immediate", "-D"]).arg(self.data());
            // Nothing more can be done about a server that does not end.
            let _ = stop.output();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A trouble with the benchmark's own files.
pub(super) fn files(error: std::io::Error) -> Failure {
    Failure::trouble("bench-dir", &error, "name a folder with space that can be written with --dir")
}

fn user() -> Result<Option<(u32, u32)>, Failure> {
    if std::fs::metadata("/proc/self").map_err(files)?.uid() != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").map_err(files)?;
    let fields = users.lines().find_map(|line| line.strip_prefix("postgres:"));
    let mut numbers = fields.into_iter().flat_map(|rest| rest.split(':').skip(1)).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(uid)), Some(Ok(gid))) => Ok(Some((uid, gid))),
        _ => Err(Failure::new(
            crate::exit::Exit::Trouble,
            "bench-no-user",
            "a PostgreSQL server does not run as root, and there is no user postgres",
            "run the benchmark as another user",
        )),
    }
}

fn url_byte(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}
