//! A live cluster with a backup and an archive, and calls of actions on it as the driver makes them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use connectors::Settings;
use reinstate_tests::postgres::{Cluster, Options};
use reinstate_tests::process::reinstate;
use runtime::engine::{Advice, Outcome};
use runtime::{Call, Connector, SecretText};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, Row};
use tokio_util::sync::CancellationToken;

/// A live cluster whose table `t` gets a row with each mark, and its base backup.
pub(crate) struct Stage {
    pub(crate) live: Cluster,
    pub(crate) base: PathBuf,
    // Instances in it are dropped with the stage, whatever the test did.
    folder: tempfile::TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(Cluster::with())
    }

    pub(crate) fn with(options: Options) -> Self {
        let live = options.archive().start();
        live.create("shop");
        let _ = live.sql("shop", "CREATE TABLE t (n int PRIMARY KEY); INSERT INTO t VALUES (0)");
        let base = live.base_backup("base");
        Self { live, base, folder: tempfile::tempdir().unwrap() }
    }

    /// Commits row `n` and returns a time after it and before the next.
    pub(crate) fn mark(&self, n: u32) -> String {
        let _ = self.live.sql("shop", &format!("INSERT INTO t VALUES ({n})"));
        self.now()
    }

    /// The live server's time.
    pub(crate) fn now(&self) -> String {
        let iso = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
        self.live.sql("shop", iso)
    }

    /// Archives all that was committed, and a transaction after it, as a heartbeat does.
    pub(crate) fn archive(&self) {
        let _ =
            self.live.sql("shop", "CREATE TABLE IF NOT EXISTS beat (at timestamptz); INSERT INTO beat VALUES (now())");
        self.live.archive_now();
    }

    /// Where instances go.
    pub(crate) fn instances(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("recovered")
    }

    /// Inputs of a recovery.
    pub(crate) fn with_at(&self, at: &str) -> Value {
        let backup = json!({ "base": self.base, "wal": self.live.archive() });
        json!({ "backup": backup, "at": at, "into": self.instances(), "database": "shop", "reserve": "1MB" })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for instance in std::fs::read_dir(self.instances()).into_iter().flatten().flatten() {
            let _ = servers(&instance.path().join("data")).into_iter().map(kill).count();
        }
    }
}

/// Processes that stand in a folder.
pub(crate) fn servers(data: &Path) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(data))).collect()
}

/// The first process of an instance's server.
pub(crate) fn postmaster(outputs: &Value) -> u32 {
    let file = std::fs::read_to_string(path(outputs).join("data/postmaster.pid")).unwrap();
    file.lines().next().unwrap().parse().unwrap()
}

/// Ends a process at once.
pub(crate) fn kill(pid: u32) {
    // One that has ended meanwhile is fine.
    let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).output().unwrap();
}

pub(crate) fn connector() -> Arc<dyn Connector> {
    let all = connectors::all(&Settings::default());
    let ours = |one: &Arc<dyn Connector>| one.actions().iter().any(|action| action.uses == "postgres/recover@1");
    all.into_iter().find(ours).unwrap()
}

pub(crate) fn call(uses: &str, with: &Value) -> Call {
    Call {
        uses: uses.to_owned(),
        key: "run1/recover/shard-1".to_owned(),
        undoes: None,
        token: 1,
        with: with.clone(),
        secrets: SecretText::default(),
        timeout: Duration::from_secs(240),
        cancel: CancellationToken::new(),
        log: runtime::Log::default(),
    }
}

pub(crate) async fn apply(uses: &str, with: &Value) -> Outcome {
    connector().apply(call(uses, with)).await
}

pub(crate) async fn recover(with: &Value) -> Value {
    done(&apply("postgres/recover@1", with).await)
}

/// Drops an instance; `true` if there was one.
pub(crate) async fn drop_it(with: &Value) -> bool {
    done(&apply("postgres/drop-recovered@1", with).await)["removed"].as_bool().unwrap()
}

#[track_caller]
pub(crate) fn done(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Done { outputs } => serde_json::from_str(outputs.as_deref().unwrap()).unwrap(),
        other => panic!("not done: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn refused(outcome: &Outcome, code: &str, advice: Advice) -> String {
    match outcome {
        Outcome::Refused { failure, retry } if &*failure.code == code && *retry == advice => {
            assert!(!failure.hint.is_empty(), "{failure:?}");
            failure.message.to_string()
        }
        other => panic!("not refused with {code}, {advice:?}: {other:?}"),
    }
}

/// The first column of the only row of a query on an instance.
pub(crate) async fn ask(outputs: &Value, query: &str) -> String {
    try_ask(outputs, query).await.unwrap()
}

pub(crate) async fn try_ask(outputs: &Value, query: &str) -> Result<String, String> {
    let url = outputs["url"].as_str().unwrap();
    let mut connection = PgConnection::connect(url).await.map_err(|error| error.to_string())?;
    let rows = sqlx::query(sqlx::AssertSqlSafe(query.to_owned())).fetch_all(&mut connection).await;
    let rows = rows.map_err(|error| error.to_string())?;
    Ok(rows.first().map_or(String::new(), |row| row.get(0)))
}

/// The rows of `t` in an instance.
pub(crate) async fn rows(outputs: &Value) -> String {
    ask(outputs, "SELECT string_agg(n::text, ',' ORDER BY n) FROM t").await
}

pub(crate) fn path(outputs: &Value) -> PathBuf {
    PathBuf::from(outputs["path"].as_str().unwrap())
}

/// Name, size and content of every file below a folder.
pub(crate) fn fingerprint(folder: &Path) -> blake3::Hash {
    fn walk(folder: &Path, hasher: &mut blake3::Hasher) {
        let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            hasher.update(path.as_os_str().as_encoded_bytes());
            match std::fs::symlink_metadata(&path).unwrap().is_dir() {
                true => walk(&path, hasher),
                false => drop(hasher.update(&std::fs::read(&path).unwrap())),
            }
        }
    }
    let mut hasher = blake3::Hasher::new();
    walk(folder, &mut hasher);
    hasher.finalize()
}

/// The real binary on a run of one step, `postgres/ACTION@1`, in the folder above the stage's instances.
pub(crate) fn command(stage: &Stage, action: &str, with: &Value, args: &[&str]) -> Command {
    let folder = stage.instances().parent().unwrap().to_owned();
    let runbook = format!(
        "schema: runbook/v1\nname: {action}\ntargets: {{ id: \"^s[0-9]+$\" }}\nbatches: {{ sizes: [rest] }}\n\
         defaults: {{ timeout: 4m, retry: {{ attempts: 3, delay: 10ms }} }}\n\
         steps:\n  step: {{ uses: postgres/{action}@1, with: {with} }}\n"
    );
    std::fs::write(folder.join(format!("{action}.yaml")), runbook).unwrap();
    std::fs::write(folder.join("sites.csv"), "id\ns1\n").unwrap();
    std::fs::write(folder.join("estate.yaml"), "schema: estate/v1\nname: killed\nsandbox: true\n").unwrap();
    let mut command = reinstate(env!("CARGO_BIN_EXE_reinstate-under-test"));
    command.args(args).args(["--log", "reinstate_connectors=debug"]);
    command.current_dir(folder).env("REINSTATE_STORE", "sqlite:runs.db");
    command
}

/// Folder of the server's programs.
pub(crate) fn bin() -> PathBuf {
    PathBuf::from(reinstate_tests::postgres::tool("postgres")).parent().unwrap().to_owned()
}
