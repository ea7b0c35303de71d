//! Real PostgreSQL for tests: a cluster of its own for each test, on a private socket, gone when dropped.
//!
//! `initdb` runs once per machine and version; each cluster is a copy of what it made. The server refuses to run as
//! root, so that as root everything runs as the user `postgres`. Without settings of the caller nothing is synced to
//! disk: ask for `fsync` where durability is what is tested.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock};

/// A running server with its files. Dropping it kills the server and removes the files.
#[derive(Debug)]
pub struct Cluster {
    server: Option<Child>,
    settings: Vec<(String, String)>,
    volume: Option<u32>,
    log: Arc<Mutex<String>>,
    // Last, so that the files go after the server.
    folder: tempfile::TempDir,
}

/// What a cluster is started with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    settings: Vec<(String, String)>,
    archive: bool,
    volume: Option<u32>,
}

impl Options {
    /// Sets a parameter of the server, such as `wal_level`.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Archives WAL into [`Cluster::archive`].
    #[must_use]
    pub fn archive(mut self) -> Self {
        self.archive = true;
        self
    }

    /// Mounts a file system of some megabytes at [`Cluster::volume`], which the server alone sees: it is gone with the
    /// server. Only where [`namespace`] may be had.
    #[must_use]
    pub fn volume(mut self, megabytes: u32) -> Self {
        self.volume = Some(megabytes);
        self
    }

    /// Starts a fresh cluster and waits until it answers.
    #[must_use]
    pub fn start(self) -> Cluster {
        let folder = tempfile::Builder::new().prefix("re-pg-").tempdir().expect("a folder in the temporary folder");
        give(folder.path());
        for name in ["socket", "archive", "volume"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder for the server");
            give(&folder.path().join(name));
        }
        run(as_server("cp").arg("-a").arg(template()).arg(folder.path().join("data")));
        let mut settings = vec![("fsync".to_owned(), "off".to_owned())];
        if self.archive {
            let target = folder.path().join("archive");
            let command = format!("test ! -f {0}/%f && cp %p {0}/%f", target.display());
            settings.extend([("archive_mode".into(), "on".into()), ("archive_command".into(), command)]);
        }
        settings.extend(self.settings);
        let mut cluster = Cluster { server: None, settings, volume: self.volume, log: Arc::default(), folder };
        cluster.start_again();
        cluster
    }
}

/// Returns a cluster that all tests of this process share, each with a schema or database of its own.
///
/// Nobody drops it. A watcher outside of the process stops it and removes its files once the process has ended, however:
/// it reads a pipe whose other end closes then.
#[must_use]
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<(Cluster, Child)> = OnceLock::new();
    let (cluster, _) = SHARED.get_or_init(|| {
        let cluster = Options::default().set("max_connections", "200").start();
        let script = "cat; kill -QUIT \"$1\"; while kill -0 \"$1\"; do sleep 0.1; done; rm -rf \"$2\"";
        let mut watcher = Command::new("setsid");
        watcher.args(["sh", "-c", script, "sh", &cluster.pid().to_string()]).arg(cluster.folder.path());
        watcher.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
        (cluster, watcher.spawn().expect("the watcher starts"))
    });
    cluster
}

impl Cluster {
    /// Starts a fresh cluster with the settings of the fixture.
    #[must_use]
    pub fn start() -> Self {
        Options::default().start()
    }

    /// Begins a cluster with settings of its own.
    #[must_use]
    pub fn with() -> Options {
        Options::default()
    }

    /// Returns the URL of a database, for sqlx and libpq alike; the user is the superuser `postgres`.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url_as("postgres", database)
    }

    /// Returns the URL of a database for another role; no password is asked.
    #[must_use]
    pub fn url_as(&self, role: &str, database: &str) -> String {
        let socket = self.socket().display().to_string().replace('/', "%2F");
        format!("postgres://{role}@localhost:5432/{database}?host={socket}")
    }

    /// Returns the process ID of the server, which must be running.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.as_ref().expect("it runs").id()
    }

    /// Returns the folder of the socket, the server's only door.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Returns the data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns the folder of archived WAL; empty unless started with [`Options::archive`].
    #[must_use]
    pub fn archive(&self) -> PathBuf {
        self.folder.path().join("archive")
    }

    /// Returns the folder at which [`Options::volume`] is mounted.
    #[must_use]
    pub fn volume(&self) -> PathBuf {
        self.folder.path().join("volume")
    }

    /// Returns what the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().expect("the log is only appended to").clone()
    }

    /// Creates an empty database.
    pub fn create(&self, database: &str) {
        let _ = self.sql("postgres", &format!("CREATE DATABASE \"{database}\""));
    }

    /// Runs SQL, any number of statements, and returns rows as unaligned text; panics with the server's words.
    #[must_use]
    pub fn sql(&self, database: &str, text: &str) -> String {
        self.try_sql(database, text).unwrap_or_else(|error| panic!("{error}\nin: {text}"))
    }

    /// Runs SQL that may fail.
    ///
    /// # Errors
    /// What the server answered.
    pub fn try_sql(&self, database: &str, text: &str) -> Result<String, String> {
        let mut psql = as_server(&tool("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--file=-"]);
        psql.arg(self.url(database)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = psql.spawn().expect("psql starts");
        let mut stdin = child.stdin.take().expect("it was piped");
        let text = text.to_owned();
        // Written beside the reading, so that a long script and a long answer cannot wait for each other.
        let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
        let output = child.wait_with_output().expect("psql ends");
        // A script that stopped at an error is not read to its end.
        let _ = writer.join();
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// Takes a base backup into a folder that does not exist yet, with the WAL that it needs; returns the folder.
    #[must_use]
    pub fn base_backup(&self, name: &str) -> PathBuf {
        let target = self.folder.path().join(name);
        let mut backup = as_server(&tool("pg_basebackup"));
        backup.args(["--no-sync", "--checkpoint=fast", "--dbname"]).arg(self.url("postgres"));
        run(backup.arg("--pgdata").arg(&target));
        target
    }

    /// Switches to a new WAL segment and waits until the old one is in the archive; returns the position.
    pub fn archive_now(&self) -> String {
        // A segment in which nothing was written would not be left.
        let _ = self.sql("postgres", "SELECT pg_create_restore_point('archived')");
        let end = self.sql("postgres", "SELECT pg_walfile_name(lsn), lsn FROM pg_switch_wal() AS lsn");
        let (segment, position) = end.split_once('|').expect("two columns");
        let wanted = format!(
            "DO $$ BEGIN FOR i IN 1..3000 LOOP \
               EXIT WHEN (SELECT last_archived_wal >= '{segment}' FROM pg_stat_archiver); \
               PERFORM pg_sleep(0.01), pg_stat_clear_snapshot(); END LOOP; \
             END $$; SELECT last_archived_wal >= '{segment}' FROM pg_stat_archiver"
        );
        assert_eq!(self.sql("postgres", &wanted), "t", "segment {segment} is not archived: {}", self.log());
        position.to_owned()
    }

    /// Has it follow nobody any more and take changes; waits until it does.
    pub fn promote(&self) {
        run(as_server(&tool("pg_ctl")).args(["promote", "--wait", "--silent", "--pgdata"]).arg(self.data()));
    }

    /// Kills the server as a power cut would; [`Cluster::start_again`] brings it back.
    pub fn kill(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        // The postmaster's children end by themselves when it is gone, and with immediate shutdown at once.
        let mut stop = as_server(&tool("pg_ctl"));
        stop.args(["stop", "--mode=immediate", "--pgdata"]).arg(self.data());
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
        let _ = server.kill();
        let _ = server.wait();
    }

    /// Kills the first process of the server alone, by `kill -9`, and leaves it to the others to notice.
    pub fn strike(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        server.kill().expect("it is ours");
        let _ = server.wait();
    }

    /// Shuts the server down in order, with a checkpoint.
    pub fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        run(as_server(&tool("pg_ctl")).args(["stop", "--mode=fast", "--silent", "--pgdata"]).arg(self.data()));
        let _ = server.wait();
    }

    /// Starts the server after [`Cluster::kill`], [`Cluster::strike`] or [`Cluster::stop`] and waits until it answers.
    pub fn start_again(&mut self) {
        // What a struck server leaves behind is in the way until it has noticed.
        while let Err(log) = self.try_start() {
            assert!(log.contains("pre-existing shared memory block"), "the server does not start:\n{log}");
        }
    }

    fn try_start(&mut self) -> Result<(), String> {
        let mut postgres = match self.volume {
            None => as_server(&tool("postgres")),
            Some(megabytes) => on_volume(&self.volume(), megabytes, &tool("postgres")),
        };
        postgres.arg("-D").arg(self.data()).arg("-k").arg(self.socket());
        let fixed = [("listen_addresses", ""), ("log_min_messages", "warning"), ("max_wal_senders", "4")];
        for (name, value) in fixed {
            postgres.arg("-c").arg(format!("{name}={value}"));
        }
        for (name, value) in &self.settings {
            postgres.arg("-c").arg(format!("{name}={value}"));
        }
        postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut server = postgres.spawn().expect("the server starts");
        let lines = BufReader::new(server.stderr.take().expect("it was piped")).lines();
        self.server = Some(server);
        let log = Arc::clone(&self.log);
        let (ready, answers) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let is_ready = line.contains("ready to accept ");
                log.lock().expect("the log is only appended to").push_str(&(line + "\n"));
                if is_ready {
                    // Nobody listens after the start.
                    let _ = ready.send(());
                }
            }
        });
        // The channel closes when the server ends, so that a server that cannot start is not waited for.
        answers.recv().map_err(|_| {
            if let Some(mut server) = self.server.take() {
                let _ = server.wait();
            }
            std::mem::take(&mut *self.log.lock().expect("the log is only appended to"))
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns the path of a program of PostgreSQL: the newest version that is installed here.
#[must_use]
pub fn tool(name: &str) -> String {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|version| Path::new(&format!("/usr/lib/postgresql/{version}/bin/{name}")).exists())
        .max();
    let version = newest.expect("PostgreSQL is installed (`cargo xtask test` does it; apt-get install postgresql)");
    format!("/usr/lib/postgresql/{version}/bin/{name}")
}

/// Begins a command as the user under which a server may run.
#[must_use]
pub fn as_server(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC").current_dir("/");
    if let Some((uid, gid)) = server_user() {
        command.uid(uid).gid(gid);
    }
    command
}

/// Begins a command of the server's user in a mount namespace of its own, with a small file system at a folder.
fn on_volume(at: &Path, megabytes: u32, program: &str) -> Command {
    let (uid, gid) = server_user().expect("only root is given a namespace");
    let script = format!(
        "mount -t tmpfs -o size={megabytes}m,mode=700,uid={uid},gid={gid} tmpfs '{}' && \
         exec setpriv --reuid={uid} --regid={gid} --clear-groups \"$@\"",
        at.display()
    );
    let mut command = namespace().expect("whoever asks for a volume has asked for a namespace before");
    command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC").current_dir("/").args(["sh", "-c", &script, "sh", program]);
    command
}

/// Begins a mount namespace that is gone with its last process; `None` if this host forbids it, or we are not root,
/// which it takes to have the server's user in such a namespace.
#[must_use]
#[allow(clippy::print_stderr)]
pub fn namespace() -> Option<Command> {
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]);
        command
    };
    let trial =
        unshare().args(["sh", "-c", "mount -t tmpfs -o size=64k tmpfs \"$0\""]).arg(std::env::temp_dir()).output();
    if trial.is_ok_and(|output| output.status.success()) {
        return Some(unshare());
    }
    eprintln!("skipped: this host does not let a test mount a file system in a namespace of its own");
    None
}

/// Gives a file or folder to the user under which the servers run.
pub fn give(path: &Path) {
    if let Some((uid, gid)) = server_user() {
        chown(path, Some(uid), Some(gid)).expect("root may give files away");
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o700)).expect("the folder is there");
    }
}

/// User and group of the server if this process is root's; else it runs as we do.
fn server_user() -> Option<(u32, u32)> {
    if std::fs::metadata("/proc/self").expect("a process sees itself").uid() != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("the list of users");
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect("the package makes the user postgres");
    let mut fields = line.split(':').skip(2).map(|field| field.parse().expect("a number"));
    Some((fields.next().expect("a user"), fields.next().expect("a group")))
}

/// The data folder that every cluster is a copy of; made by whoever comes first.
fn template() -> PathBuf {
    let initdb = tool("initdb");
    let version = initdb.split('/').nth(4).expect("the version is in the path").to_owned();
    let owner = server_user().map_or("own", |_| "postgres");
    let root = std::env::temp_dir();
    let template = root.join(format!("reinstate-initdb-{version}-{owner}-1"));
    let lock = File::create(template.with_extension("lock")).expect("a file in the temporary folder");
    lock.lock().expect("the lock of the template");
    if !template.exists() {
        let scratch = tempfile::Builder::new().prefix("re-initdb-").tempdir().expect("a folder");
        give(scratch.path());
        let data = scratch.path().join("data");
        let mut command = as_server(&initdb);
        command.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]);
        run(command.arg("--data-checksums").arg("--pgdata").arg(&data));
        // In its place only when it is whole.
        std::fs::rename(&data, &template).expect("both lie in the temporary folder");
    }
    template
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
