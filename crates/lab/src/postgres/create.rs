//! Making one shard's cluster: filled with all speed, then restarted as a server in use, and backed up.

use super::cluster::{Cluster, DATABASE};
use super::settings::FILLING;
use crate::layout::{Layout, shard_name};
use crate::postgres::Programs;
use crate::schema::{FILLED, Filled, SERVED, postgres_ddl};
use crate::sql::{self, Session, StoreError};
use crate::value::{Row, Value};

/// What a new cluster is to hold, in step with the tables of [`SERVED`].
#[derive(Debug)]
pub(crate) struct Contents<'a> {
    pub(crate) rows: &'a [Vec<Row>],
    /// Each site of the shard with the number of its activities.
    pub(crate) activities: Vec<(&'a str, u64)>,
    /// Size of the server's own cache, in MiB.
    pub(crate) memory: u64,
}

/// Makes, fills, restarts and backs up; the server runs afterwards. Gives the cluster and the number of its rows.
pub(crate) async fn create(
    layout: &Layout,
    programs: &Programs,
    index: usize,
    contents: &Contents<'_>,
) -> Result<(Cluster, usize), StoreError> {
    let name = shard_name(index);
    let wal = layout.wal(&name);
    for folder in [layout.backup(&name), wal.clone(), layout.recovered(&name)] {
        programs.folder(&folder)?;
    }
    let cluster = Cluster::new(layout, programs, index);
    cluster.init(&wal, contents.memory).await?;
    cluster.start(FILLING).await?;
    let filled = fill(&cluster, contents).await;
    // Whatever came of it: nothing is left running with these settings.
    cluster.stop().await?;
    let rows = filled?;
    cluster.start("").await?;
    cluster.back_up(&layout.base_backup(&name)).await?;
    Ok((cluster, rows))
}

async fn fill(cluster: &Cluster, contents: &Contents<'_>) -> Result<usize, StoreError> {
    let fail = || StoreError::sql(cluster.home());
    let mut first = cluster.open_first().await?;
    sql::script(&mut first, format!("CREATE DATABASE {DATABASE}")).await.map_err(fail())?;
    first.close().await.map_err(fail())?;
    let mut session = cluster.open().await?;
    let rows = rows(&mut session, contents).await.map_err(fail())?;
    // Marks everything as settled, so that nobody's first look rewrites pages after the backup.
    sql::script(&mut session, "VACUUM (FREEZE, ANALYZE)".to_owned()).await.map_err(fail())?;
    session.close().await.map_err(fail())?;
    Ok(rows)
}

async fn rows(session: &mut Session, contents: &Contents<'_>) -> Result<usize, sqlx::Error> {
    let (before, after) = postgres_ddl();
    // The rows are right by construction; with one transaction for tables and rows, rows need no WAL.
    sql::script(session, format!("SET session_replication_role = replica; BEGIN; {before}")).await?;
    let mut count = 0;
    for (table, rows) in SERVED.tables.iter().zip(contents.rows) {
        sql::insert(session, table, rows).await?;
        count += rows.len();
    }
    for (ordinal, (site, activities)) in (0_i64..).zip(&contents.activities) {
        let values = [Value::Int(ordinal), Value::from(*site), Value::Int(i64::try_from(*activities).unwrap_or(0))];
        sql::execute(session, "INSERT INTO lab_fill (ordinal, site, rows) VALUES (?, ?, ?)", &values).await?;
    }
    sql::script(session, "CREATE INDEX lab_fill_rows ON lab_fill (rows); ANALYZE lab_fill".to_owned()).await?;
    for Filled { name, columns, .. } in &FILLED {
        let columns = columns.join(", ");
        let fill = format!("INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM lab_{name}");
        count += usize::try_from(sql::execute(session, &fill, &[]).await?).unwrap_or(0);
    }
    sql::script(session, format!("{after} COMMIT; RESET session_replication_role")).await?;
    Ok(count)
}
