//! What others would do: pumps of rows, short, with nothing around them.
//!
//! `hand` is the best procedure known that a person can write down; `plain` is COPY and nothing else; `ceiling` is what
//! the servers can take if nothing is asked of them.

use std::sync::Mutex;

use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, PgConnection};

use super::shop::{Site, open, run, sql};
use super::tables::{TABLES, Table, array};
use crate::exit::Exit;
use crate::failure::Failure;

/// Bytes that are handed to a server at once.
const CHUNK: usize = 256 * 1024;

/// From where to where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Between<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
}

/// Sends what one COPY gives into another; returns the number of rows.
async fn pump(from: &mut PgConnection, to: &mut PgConnection, out: &str, into: &str) -> Result<u64, Failure> {
    let mut rows = from.copy_out_raw(out).await.map_err(sql("read rows"))?;
    let mut copy = to.copy_in_raw(into).await.map_err(sql("write rows"))?;
    let mut chunk = Vec::with_capacity(2 * CHUNK);
    while let Some(message) = rows.try_next().await.map_err(sql("read rows"))? {
        chunk.extend_from_slice(&message);
        if chunk.len() >= CHUNK {
            copy.send(chunk.as_slice()).await.map_err(sql("write rows"))?;
            chunk.clear();
        }
    }
    if !chunk.is_empty() {
        copy.send(chunk.as_slice()).await.map_err(sql("write rows"))?;
    }
    copy.finish().await.map_err(sql("write rows"))
}

/// A connection whose queries start no helpers: for a site of common size that takes longer than the query.
async fn alone(url: &str) -> Result<PgConnection, Failure> {
    let mut connection = open(url).await?;
    run(&mut connection, "SET max_parallel_workers_per_gather = 0", "set up the session").await?;
    Ok(connection)
}

/// Per site one transaction: replica role, COPY as text, references checked as sets, counts and hashes of both sides;
/// the largest site first.
pub(super) async fn hand(between: Between<'_>, sites: &[Site], connections: usize) -> Result<(), Failure> {
    let queue = Mutex::new(sites.iter());
    let lanes = (0..connections).map(|_| async {
        let (mut from, mut to) = (alone(between.from).await?, alone(between.to).await?);
        let setup = "SET session_replication_role = replica; SET wal_compression = lz4";
        run(&mut to, setup, "set up the session").await?;
        loop {
            let next = queue.lock().ok().and_then(|mut queue| queue.next());
            let Some(site) = next else { return Ok(()) };
            hand_one(&mut from, &mut to, &site.id).await?;
        }
    });
    futures::future::try_join_all(lanes).await.map(drop)
}

async fn hand_one(from: &mut PgConnection, to: &mut PgConnection, site: &str) -> Result<(), Failure> {
    let id = array([site]);
    run(to, "BEGIN", "begin").await?;
    for table in &TABLES {
        pump(from, to, &table.copy_out(&id, "text"), &table.copy_in("text")).await?;
    }
    let (orphans,): (i64,) =
        sqlx::query_as(AssertSqlSafe(orphans(&id))).fetch_one(&mut *to).await.map_err(sql("check references"))?;
    let (there, here) = futures::try_join!(hashes(from, &id), hashes(to, &id))?;
    if orphans != 0 || there != here {
        let fact = format!("by hand {site} is not whole: {orphans} orphans, {there:?} there, {here:?} here");
        return Err(Failure::new(Exit::Trouble, "bench-differs", fact, "report this defect"));
    }
    run(to, "COMMIT", "commit").await
}

/// Counts references of tenants' rows that lead nowhere, of all foreign keys in one statement.
fn orphans(ids: &str) -> String {
    let of = |table: &Table, (column, parent): &(&str, &str)| {
        let (name, whose) = (table.name, table.of(ids));
        format!(
            "(SELECT count(*) FROM {name} AS t WHERE {whose} AND t.{column} IS NOT NULL \
              AND NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE p.id = t.{column}))"
        )
    };
    let all = TABLES.iter().flat_map(|table| table.references.iter().map(move |reference| of(table, reference)));
    format!("SELECT {}", all.collect::<Vec<_>>().join(" + "))
}

/// Count and order-independent hash of each table's rows of tenants.
async fn hashes(connection: &mut PgConnection, ids: &str) -> Result<Vec<(i32, i64, String)>, Failure> {
    let one = |(at, table): (usize, &Table)| {
        let sum = "coalesce(sum(hashtextextended(t::text, 0)), 0)::text";
        format!("SELECT {at} AS at, count(*), {sum} FROM {} AS t WHERE {}", table.name, table.of(ids))
    };
    let text = format!("{} ORDER BY at", TABLES.iter().enumerate().map(one).collect::<Vec<_>>().join(" UNION ALL "));
    sqlx::query_as(AssertSqlSafe(text)).fetch_all(connection).await.map_err(sql("hash rows"))
}

/// One connection, one transaction a site, foreign keys checked row by row by the server, nothing proven.
///
/// The circle of `tenants.owner_id` and `users.tenant_id` is cut as a person would: owners are set when users are there.
pub(super) async fn plain(between: Between<'_>, sites: &[Site]) -> Result<(), Failure> {
    let (mut from, mut to) = (alone(between.from).await?, alone(between.to).await?);
    for site in sites {
        let id = array([site.id.as_str()]);
        let (owner,): (Option<i64>,) = sqlx::query_as("SELECT owner_id FROM tenants WHERE id = $1::text::uuid")
            .bind(&site.id)
            .fetch_one(&mut from)
            .await
            .map_err(sql("read the owner"))?;
        run(&mut to, "BEGIN", "begin").await?;
        for table in &TABLES {
            let out = table.copy_out(&id, "text").replace("t.owner_id", "NULL::bigint");
            pump(&mut from, &mut to, &out, &table.copy_in("text")).await?;
            if table.name == "users" {
                sqlx::query("UPDATE tenants SET owner_id = $1 WHERE id = $2::text::uuid")
                    .bind(owner)
                    .bind(&site.id)
                    .execute(&mut to)
                    .await
                    .map_err(sql("set the owner"))?;
            }
        }
        run(&mut to, "COMMIT", "commit").await?;
    }
    Ok(())
}

/// Two halves of the sites in a transaction each, binary, nothing checked, nothing proven.
pub(super) async fn ceiling(between: Between<'_>, sites: &[Site]) -> Result<(), Failure> {
    let halves = (0..2).map(|half| async move {
        let (mut from, mut to) = (open(between.from).await?, open(between.to).await?);
        run(&mut to, "SET session_replication_role = replica; BEGIN", "begin").await?;
        // The largest, the fourth, the fifth, the eighth...: halves of nearly equal size.
        let mine = sites.iter().enumerate().filter(|(at, _)| at.div_ceil(2) % 2 == half);
        let ids = array(mine.map(|(_, site)| site.id.as_str()));
        for table in &TABLES {
            pump(&mut from, &mut to, &table.copy_out(&ids, "binary"), &table.copy_in("binary")).await?;
        }
        run(&mut to, "COMMIT", "commit").await
    });
    futures::future::try_join_all(halves).await.map(drop)
}
