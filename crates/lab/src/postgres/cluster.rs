//! One cluster: a data folder, its server, and connections to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection};

use super::programs::Programs;
use super::settings::{self, quoted};
use crate::layout::Layout;
use crate::sql::{self, Session, StoreError};

/// The database that a shard's cluster holds.
pub(crate) const DATABASE: &str = "shard";
/// The server's port names its socket; nothing listens to the network.
const FIRST_PORT: u16 = 5432;
/// What the system allows for the path of a socket.
const SOCKET_MAX: usize = 107;
/// Longest wait for a server that is starting, recovering, or archiving.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often a server that does not start is started again.
const TRIES: u32 = 20;
/// Between two looks at what gives no signal.
const PAUSE: Duration = Duration::from_millis(50);

/// A shard's cluster, whether its server runs or not.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    programs: Programs,
    /// Everything that is the server's own.
    home: PathBuf,
    sockets: PathBuf,
    port: u16,
    url: String,
}

impl Cluster {
    pub(crate) fn new(layout: &Layout, programs: &Programs, index: usize) -> Self {
        let home = layout.cluster(&crate::layout::shard_name(index));
        Self { programs: programs.clone(), home, sockets: layout.sockets(), port: port(index), url: url(layout, index) }
    }

    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    pub(super) fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// Makes an empty cluster with the lab's settings.
    pub(super) async fn init(&self, wal: &Path, memory: u64) -> Result<(), StoreError> {
        let socket = self.sockets.join(format!(".s.PGSQL.{}", self.port));
        if socket.as_os_str().len() > SOCKET_MAX {
            let fact = format!("the path of a socket would be longer than {SOCKET_MAX}; hint: a shorter path");
            return Err(StoreError::Place { path: self.home.clone(), fact });
        }
        self.programs.folder(&self.home)?;
        let data = self.data().display().to_string();
        let args = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
        let args: Vec<&str> = args.into_iter().chain(["--data-checksums", "--pgdata", &data]).collect();
        self.programs.run("initdb", &args, &self.home).await?;
        let path = self.home.join("postgresql.conf");
        let text = settings::file(&self.sockets, self.port, wal, memory);
        std::fs::write(&path, text).map_err(StoreError::io(&path))?;
        self.programs.give(&path)
    }

    /// Starts the server if it does not run, and waits until it answers; `also` are more options for it.
    ///
    /// A server that an earlier process of ours left running is taken as it is.
    pub(super) async fn start(&self, also: &str) -> Result<(), StoreError> {
        let (data, log) = (self.data().display().to_string(), self.home.join("server.log").display().to_string());
        let options = format!("-c config_file={} {also}", quoted(&self.home.join("postgresql.conf")));
        let args = ["start", "--silent", "--wait", "--timeout=120", "-D", &data, "-l", &log, "-o", &options];
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut tries = 0..TRIES;
        // One that was found may still be recovering from whatever ended its predecessor, or be about to end itself.
        loop {
            let answer = if self.runs().await? {
                self.connect("postgres").await
            } else {
                match self.programs.run("pg_ctl", &args, &self.home).await {
                    Ok(()) => self.connect("postgres").await,
                    // What a killed server left behind may hold its memory for a moment longer.
                    Err(error) if tries.next().is_none() => return Err(error),
                    Err(error) => Err(error),
                }
            };
            match answer {
                Ok(conn) => return conn.close().await.map_err(StoreError::sql(&self.home)),
                Err(error) if tokio::time::Instant::now() > deadline => return Err(error),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Stops the server in order if it runs: connections are cut, everything is on disk and archived.
    pub(crate) async fn stop(&self) -> Result<(), StoreError> {
        if !self.runs().await? {
            return Ok(());
        }
        let data = self.data().display().to_string();
        let args = ["stop", "--silent", "--wait", "--timeout=120", "--mode=fast", "-D", &data];
        match self.programs.run("pg_ctl", &args, &self.home).await {
            // It ended by itself just before it was told to.
            Err(_) if !self.runs().await? => Ok(()),
            done => done,
        }
    }

    async fn runs(&self) -> Result<bool, StoreError> {
        let data = self.data().display().to_string();
        if self.programs.ask("pg_ctl", &["status", "-D", &data], &self.home).await?.0 != Some(0) {
            return Ok(false);
        }
        let file = self.data().join("postmaster.pid");
        // Of a server that was killed the number may be anybody's by now: it must not be told to stop.
        let is_gone = |pid: &str| is_dead(pid) || is_elsewhere(pid, &self.data());
        let dead = std::fs::read_to_string(&file).is_ok_and(|text| text.lines().next().is_some_and(is_gone));
        if dead {
            // Killed and not yet buried: no server starts as long as a file names it.
            std::fs::remove_file(&file).map_err(StoreError::io(&file))?;
        }
        Ok(!dead)
    }

    async fn connect(&self, database: &str) -> Result<PgConnection, StoreError> {
        let options = PgConnectOptions::new_without_pgpass()
            .host(&self.sockets.display().to_string())
            .port(self.port)
            .username("postgres")
            .database(database)
            .ssl_mode(PgSslMode::Disable)
            .statement_cache_capacity(512)
            .application_name("lab")
            .disable_statement_logging();
        PgConnection::connect_with(&options).await.map_err(StoreError::sql(&self.home))
    }

    /// Connects to the shard's database.
    pub(crate) async fn open(&self) -> Result<Session, StoreError> {
        self.connect(DATABASE).await.map(Session::Postgres)
    }

    /// Connects to the database that every cluster has.
    pub(super) async fn open_first(&self) -> Result<Session, StoreError> {
        self.connect("postgres").await.map(Session::Postgres)
    }

    /// Takes a base backup into a new folder, with the WAL that it needs.
    pub(super) async fn back_up(&self, target: &Path) -> Result<(), StoreError> {
        let target = target.display().to_string();
        let args = ["--no-sync", "--checkpoint=fast", "--label=lab", "--dbname", &self.url, "--pgdata", &target];
        self.programs.run("pg_basebackup", &args, &self.home).await
    }

    /// Waits until everything committed so far is in the archive.
    pub(crate) async fn archive(&self) -> Result<(), StoreError> {
        let mut conn = self.open().await?;
        let done = archive(&mut conn).await;
        conn.close().await.map_err(StoreError::sql(&self.home))?;
        match done.map_err(StoreError::sql(&self.home))? {
            true => Ok(()),
            false => Err(StoreError::Server {
                program: "archive_command".to_owned(),
                path: self.home.clone(),
                fact: format!("nothing new in the archive for {} s; hint: see server.log", PATIENCE.as_secs()),
            }),
        }
    }
}

/// Whether a process has ended though its number is still taken; nothing is known of it where there is no `/proc`.
fn is_dead(pid: &str) -> bool {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat")).unwrap_or_default();
    // The state follows the program's name, which is in brackets and may hold anything.
    status.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
}

/// Whether a process stands in another folder than its server's data; nothing is known of it where there is no `/proc`.
fn is_elsewhere(pid: &str, data: &Path) -> bool {
    let cwd = std::fs::read_link(Path::new("/proc").join(pid.trim()).join("cwd"));
    cwd.is_ok_and(|cwd| cwd != std::fs::canonicalize(data).unwrap_or_else(|_| data.to_owned()))
}

async fn archive(conn: &mut Session) -> Result<bool, sqlx::Error> {
    // A segment in which nothing was written would not be left.
    sql::rows(conn, "SELECT pg_create_restore_point('lab')::text", &[]).await?;
    let segment = sql::row(conn, "SELECT pg_walfile_name(pg_switch_wal())", &[]).await?;
    let segment = segment.and_then(|row| row.into_iter().next()).into_iter().collect::<Vec<_>>();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    const THERE: &str = "SELECT count(*) FROM pg_stat_archiver WHERE last_archived_wal >= ?";
    while sql::number(conn, THERE, &segment).await? == 0 {
        if tokio::time::Instant::now() > deadline {
            return Ok(false);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(true)
}

/// The URL of a shard's database, for sqlx and libpq alike; no password is asked.
pub(crate) fn url(layout: &Layout, index: usize) -> String {
    let sockets: String = layout.sockets().display().to_string().bytes().map(url_byte).collect();
    format!("postgres://postgres@localhost:{}/{DATABASE}?host={sockets}", port(index))
}

/// Shards are at most 99.
fn port(index: usize) -> u16 {
    FIRST_PORT + u16::try_from(index).unwrap_or_default()
}

fn url_byte(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}
