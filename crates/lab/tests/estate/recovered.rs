//! Restoring on PostgreSQL by hand: a copy of the base backup is recovered to a point, and a site's rows are copied
//! from it into the database in use.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use futures::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use crate::restore::owned;
use crate::support::{Lab, Listed};

/// Tables that only servers have, parents first, each with the condition that its rows belong to a site.
fn only_here(site: &str) -> Vec<(&'static str, String)> {
    let issues = "SELECT id FROM issues WHERE project_id IN (SELECT id FROM projects WHERE site_id = ";
    vec![
        ("issue_history", format!("issue_id IN ({issues}'{site}'))")),
        ("activities", format!("site_id = '{site}'")),
        ("activity_fields", format!("activity_id IN (SELECT id FROM activities WHERE site_id = '{site}')")),
    ]
}

fn tables(site: &str) -> Vec<(&'static str, String)> {
    let shared = owned(site).into_iter().map(|(table, condition)| (table, condition.replace("side.", "")));
    shared.chain(only_here(site)).collect()
}

/// Puts a site back as it was at `point`, its IDs kept, in one transaction, with the triggers quiet.
pub(crate) async fn restore(lab: &Lab, site: &Listed, point: &str) {
    let side = Instance::recover(lab, &site.shard, point).await;
    let mut from = side.connect().await;
    let mut to = live(lab, &site.shard).await;
    run(&mut to, "BEGIN; SET LOCAL session_replication_role = replica").await;
    for (table, condition) in tables(&site.id) {
        let names = columns(&mut to, table).await;
        let out = format!("COPY (SELECT {names} FROM {table} WHERE {condition}) TO STDOUT");
        let mut copied = Vec::new();
        let mut stream = from.copy_out_raw(&out).await.unwrap();
        while let Some(bytes) = stream.try_next().await.unwrap() {
            copied.extend_from_slice(&bytes);
        }
        drop(stream);
        let mut copying = to.copy_in_raw(&format!("COPY {table} ({names}) FROM STDIN")).await.unwrap();
        copying.send(copied).await.unwrap();
        copying.finish().await.unwrap();
    }
    run(&mut to, "COMMIT").await;
}

/// Takes a site's rows out of the database in use.
pub(crate) async fn remove(lab: &Lab, site: &Listed) {
    let mut conn = live(lab, &site.shard).await;
    run(&mut conn, "BEGIN").await;
    let mut tables = tables(&site.id);
    // Children of children first.
    tables.reverse();
    for (table, condition) in tables {
        run(&mut conn, &format!("DELETE FROM {table} WHERE {condition}")).await;
    }
    run(&mut conn, "COMMIT").await;
}

/// A connection to a shard in use.
pub(crate) async fn live(lab: &Lab, shard: &str) -> PgConnection {
    let port = 5432 + shard.trim_start_matches("shard-").parse::<u16>().unwrap();
    connect(&lab.dir.join("run"), port).await
}

async fn connect(sockets: &Path, port: u16) -> PgConnection {
    let options = PgConnectOptions::new_without_pgpass().host(sockets.to_str().unwrap()).port(port);
    options.username("postgres").database("shard").connect().await.unwrap()
}

pub(crate) async fn run(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await.unwrap();
}

pub(crate) async fn text(conn: &mut PgConnection, sql: &str) -> Option<String> {
    sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_optional(conn).await.unwrap().and_then(|row| row.get(0))
}

/// The columns that may be written, with commas.
async fn columns(conn: &mut PgConnection, table: &str) -> String {
    let sql = format!(
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute \
         WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
    );
    text(conn, &sql).await.unwrap()
}

/// A throw-away server that stands at a point; gone when dropped.
struct Instance {
    folder: PathBuf,
}

impl Instance {
    async fn recover(lab: &Lab, shard: &str, point: &str) -> Self {
        let scratch = tempfile::Builder::new().prefix("side-").tempdir().unwrap();
        let this = Self { folder: scratch.keep() };
        give(&this.folder);
        let backup = lab.dir.join("backups").join(shard);
        done(as_server("cp").arg("-a").arg(backup.join("base")).arg(this.data()));
        // The server reads this before it knows the names of time zones, `Z` among them.
        let point = point.replace('Z', "+00");
        let settings = format!(
            "listen_addresses = ''\nport = 5432\nunix_socket_directories = '{0}'\narchive_mode = off\nfsync = off\n\
             restore_command = 'cp {1}/%f %p'\nrecovery_target_time = '{point}'\nrecovery_target_action = pause\n",
            this.folder.display(),
            backup.join("wal").display(),
        );
        std::fs::write(this.data().join("postgresql.auto.conf"), settings).unwrap();
        std::fs::write(this.data().join("recovery.signal"), "").unwrap();
        give(&this.data().join("postgresql.auto.conf"));
        give(&this.data().join("recovery.signal"));
        let log = this.folder.join("log");
        let mut start = as_server(&tool("pg_ctl"));
        start.args(["start", "--silent", "--wait", "-D"]).arg(this.data()).arg("-l").arg(&log);
        assert!(start.status().unwrap().success(), "{}", std::fs::read_to_string(&log).unwrap());
        let mut conn = this.connect().await;
        // It answers before it stands still.
        let standing = "SELECT pg_get_wal_replay_pause_state()";
        while text(&mut conn, standing).await.as_deref() != Some("paused") {
            tokio::task::yield_now().await;
        }
        this
    }

    async fn connect(&self) -> PgConnection {
        connect(&self.folder, 5432).await
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let mut stop = as_server(&tool("pg_ctl"));
        let _ = stop.args(["stop", "--silent", "--mode=immediate", "-D"]).arg(self.data()).status();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn tool(name: &str) -> String {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max();
    format!("/usr/lib/postgresql/{}/bin/{name}", newest.unwrap())
}

fn server_user() -> Option<(u32, u32)> {
    let us = std::fs::metadata("/proc/self").unwrap().uid();
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let mut fields = users.lines().find(|line| us == 0 && line.starts_with("postgres:"))?.split(':').skip(2);
    Some((fields.next()?.parse().unwrap(), fields.next()?.parse().unwrap()))
}

fn as_server(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C.UTF-8").current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    if let Some((uid, gid)) = server_user() {
        command.uid(uid).gid(gid);
    }
    command
}

fn give(path: &Path) {
    if let Some((uid, gid)) = server_user() {
        chown(path, Some(uid), Some(gid)).unwrap();
    }
}

fn done(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}
