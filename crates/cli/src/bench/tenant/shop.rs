//! The data set on two servers: a copy as it was before, running, and a live database from which tenants were deleted,
//! stopped, of which each contender gets a copy of its own.

use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, PgConnection};

use super::cluster::{Cluster, Mode, Programs};
use super::tables::{TABLES, array};
use crate::failure::Failure;

/// Rows under which a data set is only tried out: its figures say nothing about speed.
pub(super) const TRIED: u64 = 100_000;

const SCHEMA: &str = include_str!("schema.sql");
const ROWS: &str = include_str!("rows.sql");
const KEYS: &str = include_str!("keys.sql");

/// A tenant that was deleted.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) id: String,
    pub(super) rows: u64,
}

/// The data set.
#[derive(Debug)]
pub(super) struct Shop {
    home: PathBuf,
    /// As it was before the deletion.
    pub(super) backup: Cluster,
    /// As it is after it; never started again, only copied.
    damaged: Cluster,
    /// What was deleted, the largest first.
    pub(super) sites: Vec<Site>,
    /// Size of what was deleted, as values are stored, in bytes.
    pub(super) bytes: u64,
    /// Whether it is large enough to say something about speed.
    measured: bool,
    /// Count and sum of hashes of every table before the deletion.
    truth: Vec<(String, String)>,
}

impl Shop {
    /// Generates twice as many tenants as `sites` with `rows` rows together, and deletes every other one by size.
    pub(super) async fn build(programs: &Programs, home: &Path, sites: u32, rows: u64) -> Result<Self, Failure> {
        std::fs::create_dir(home).map_err(super::cluster::files)?;
        programs.own(home)?;
        let mut made = Cluster::init(programs, &home.join("a"), buffers(rows)).await?;
        made.start(Mode::Filling).await?;
        let mut connection = open(&made.url()).await?;
        script(&mut connection, SCHEMA).await?;
        let filled = ROWS.replace("{sites}", &(2 * sites).to_string()).replace("{rows}", &rows.to_string());
        script(&mut connection, &filled).await?;
        script(&mut connection, KEYS).await?;
        drop(connection);
        made.stop().await?;
        let mut backup = made.copy(&home.join("b"), rows >= TRIED).await?;
        backup.start(Mode::InUse).await?;
        let mut connection = open(&backup.url()).await?;
        warm(&mut connection).await?;
        let all = sizes(&mut connection).await?;
        let gone: Vec<Site> = all.into_iter().step_by(2).collect();
        let ids = array(gone.iter().map(|site| site.id.as_str()));
        let bytes = bytes(&mut connection, &ids).await?;
        let truth = fingerprint(&mut connection).await?;
        drop(connection);
        made.start(Mode::Filling).await?;
        let mut connection = open(&made.url()).await?;
        delete(&mut connection, &ids).await?;
        drop(connection);
        made.stop().await?;
        Ok(Self { home: home.to_owned(), backup, damaged: made, sites: gone, bytes, measured: rows >= TRIED, truth })
    }

    /// Rows that were deleted.
    pub(super) fn rows(&self) -> u64 {
        self.sites.iter().map(|site| site.rows).sum()
    }

    /// Starts a fresh copy of the live database, with its pages in memory.
    pub(super) async fn live(&self) -> Result<Cluster, Failure> {
        let mut live = self.damaged.copy(&self.home.join("l"), self.measured).await?;
        live.start(Mode::InUse).await?;
        warm(&mut open(&live.url()).await?).await?;
        Ok(live)
    }

    /// Checks that a live database that nobody else wrote to holds exactly what there was before the deletion.
    pub(super) async fn check(&self, live: &Cluster, who: &str) -> Result<(), Failure> {
        let found = fingerprint(&mut open(&live.url()).await?).await?;
        let differs = TABLES.iter().zip(self.truth.iter().zip(&found)).find(|(_, (truth, found))| truth != found);
        match differs {
            None => Ok(()),
            Some((table, (truth, found))) => Err(Failure::new(
                crate::exit::Exit::Trouble,
                "bench-differs",
                format!("{who} did not restore {}: rows and hash {found:?} instead of {truth:?}", table.name),
                "report this defect; its time means nothing",
            )),
        }
    }

    /// Checks that the deleted tenants' rows are back, whatever others wrote meanwhile.
    pub(super) async fn check_sites(&self, live: &Cluster) -> Result<(), Failure> {
        let found = sizes(&mut open(&live.url()).await?).await?;
        let missing = self.sites.iter().find(|site| !found.iter().any(|it| it.id == site.id && it.rows == site.rows));
        match missing {
            None => Ok(()),
            Some(site) => Err(Failure::new(
                crate::exit::Exit::Trouble,
                "bench-differs",
                format!("the {} rows of {} are not all back", site.rows, site.id),
                "report this defect",
            )),
        }
    }
}

/// The server's own cache, in MiB: an eighth of the memory, and little for little.
fn buffers(rows: u64) -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
    let eighth = total.unwrap_or(0_u64) / 1024 / 8;
    if rows < TRIED { 128 } else { eighth.clamp(1_024, 4_096) }
}

/// Connects.
pub(super) async fn open(url: &str) -> Result<PgConnection, Failure> {
    connectors::postgres::connect(url).await.map_err(|error| Failure::trouble(error.code(), &error, error.hint()))
}

/// Names what was being done when the server refused.
pub(super) fn sql(doing: &'static str) -> impl Fn(sqlx::Error) -> Failure {
    move |error| {
        let message = format!("cannot {doing}: {}", crate::failure::chain(&error));
        Failure::new(crate::exit::Exit::Trouble, "bench-sql", message, "report this defect, or look at disk space")
    }
}

/// Runs statements of our own.
pub(super) async fn run(connection: &mut PgConnection, text: &str, doing: &'static str) -> Result<(), Failure> {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(connection).await.map(drop).map_err(sql(doing))
}

/// Runs a file one statement at a time: some refuse to be one of several.
async fn script(connection: &mut PgConnection, text: &str) -> Result<(), Failure> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
    for statement in lines.join("\n").split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        run(connection, statement, "make the data set").await?;
    }
    Ok(())
}

/// Reads every page of every table and index once.
async fn warm(connection: &mut PgConnection) -> Result<(), Failure> {
    // The extension comes with most packages of the server; without it tables alone are read.
    if sqlx::raw_sql("CREATE EXTENSION IF NOT EXISTS pg_prewarm").execute(&mut *connection).await.is_ok() {
        let all = "SELECT sum(pg_prewarm(oid::regclass)) FROM pg_class \
                   WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')";
        return run(connection, all, "read the database into memory").await;
    }
    for table in &TABLES {
        run(connection, &format!("SELECT count(*) FROM {}", table.name), "read the database into memory").await?;
    }
    Ok(())
}

/// Tenants with the number of their rows, the largest first.
async fn sizes(connection: &mut PgConnection) -> Result<Vec<Site>, Failure> {
    let counts: Vec<String> = TABLES
        .iter()
        .map(|table| match table.name {
            "tenants" => "SELECT id AS tenant FROM tenants".to_owned(),
            "memberships" => {
                "SELECT g.tenant_id FROM memberships AS t JOIN groups AS g ON g.id = t.group_id".to_owned()
            }
            "attachments" => {
                "SELECT i.tenant_id FROM attachments AS t JOIN issues AS i ON i.id = t.issue_id".to_owned()
            }
            name => format!("SELECT tenant_id FROM {name}"),
        })
        .collect();
    let text = format!(
        "SELECT tenant::text, count(*) FROM ({}) AS r GROUP BY tenant ORDER BY count(*) DESC, tenant",
        counts.join(" UNION ALL ")
    );
    let rows: Vec<(String, i64)> =
        sqlx::query_as(AssertSqlSafe(text)).fetch_all(connection).await.map_err(sql("count the rows"))?;
    Ok(rows.into_iter().map(|(id, rows)| Site { id, rows: u64::try_from(rows).unwrap_or(0) }).collect())
}

async fn bytes(connection: &mut PgConnection, ids: &str) -> Result<u64, Failure> {
    let sums: Vec<String> = TABLES
        .iter()
        .map(|table| format!("(SELECT sum(pg_column_size(t.*)) FROM {} AS t WHERE {})", table.name, table.of(ids)))
        .collect();
    let text = format!("SELECT ({})::int8", sums.join(" + "));
    let (bytes,): (i64,) =
        sqlx::query_as(AssertSqlSafe(text)).fetch_one(connection).await.map_err(sql("measure the rows"))?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Count and order-independent hash of every table.
async fn fingerprint(connection: &mut PgConnection) -> Result<Vec<(String, String)>, Failure> {
    let mut found = Vec::new();
    for table in &TABLES {
        let text = format!(
            "SELECT count(*)::text, coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM {} AS t",
            table.name
        );
        let one = sqlx::query_as(AssertSqlSafe(text)).fetch_one(&mut *connection).await;
        found.push(one.map_err(sql("take a fingerprint of the database"))?);
    }
    Ok(found)
}

/// Deletes tenants, what refers to others first, and leaves the tables as autovacuum would.
async fn delete(connection: &mut PgConnection, ids: &str) -> Result<(), Failure> {
    run(connection, "SET session_replication_role = replica; SET work_mem = '256MB'", "delete tenants").await?;
    // Their owners are looked up in other tables of theirs: these go later.
    let later = |name: &str| matches!(name, "groups" | "issues" | "tenants");
    for table in
        TABLES.iter().rev().filter(|table| !later(table.name)).chain(TABLES.iter().rev().filter(|t| later(t.name)))
    {
        let text = format!("DELETE FROM {} AS t WHERE {}", table.name, table.of(ids));
        run(connection, &text, "delete tenants").await?;
    }
    run(connection, "VACUUM (ANALYZE)", "vacuum").await
}
