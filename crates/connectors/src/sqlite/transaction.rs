//! Beginning and ending a writing transaction on a live file.

use std::sync::Arc;

use sqlx::SqliteConnection;

use super::file::{Place, code, database};
use super::ledger::{self, Entry};
use super::pool::{Guard, Pool};
use super::quote::{name, sql};
use super::schema::Trigger;
use crate::answer::Trouble;

/// How often the live schema may change under us.
pub(super) const ROUNDS: usize = 4;

/// What a transaction came to.
pub(super) enum Came<T> {
    /// It is to be committed.
    Commit(T),
    /// Nothing was written and nothing has to be.
    Nothing(T),
    /// The live schema is another than the plan's.
    SchemaMoved,
}

pub(super) async fn begin(connection: &mut SqliteConnection, live: &Place) -> Result<(), Trouble> {
    sqlx::query("BEGIN IMMEDIATE").execute(connection).await.map_err(|error| database(live, &error))?;
    Ok(())
}

pub(super) async fn rollback(connection: &mut SqliteConnection, live: &Place) -> Result<(), Trouble> {
    match sqlx::query("ROLLBACK").execute(connection).await {
        Ok(_) => Ok(()),
        Err(error) => Err(database(live, &error)),
    }
}

/// Commits; on a plain refusal it rolls back, on anything else it is not known which it was.
pub(super) async fn commit(connection: &mut SqliteConnection, live: &Place) -> Result<(), Trouble> {
    let Err(error) = sqlx::query("COMMIT").execute(&mut *connection).await else { return Ok(()) };
    let refused = matches!(code(&error), Some(5 | 6 | 19));
    if refused && rollback(connection, live).await.is_ok() {
        return Err(database(live, &error));
    }
    Err(Trouble::unknown("sqlite.in_doubt", format!("{live}: COMMIT: {error}")).hint("the probe looks into the ledger"))
}

/// Drops triggers until [`rearm`] makes them again, in the same transaction.
pub(super) async fn disarm(connection: &mut SqliteConnection, triggers: &[Trigger]) -> Result<(), sqlx::Error> {
    for trigger in triggers {
        run(connection, format!("DROP TRIGGER main.{}", name(&trigger.name))).await?;
    }
    Ok(())
}

/// Makes triggers as they were.
pub(super) async fn rearm(connection: &mut SqliteConnection, triggers: &[Trigger]) -> Result<(), sqlx::Error> {
    for trigger in triggers {
        run(connection, trigger.sql.clone()).await?;
    }
    Ok(())
}

/// Reads a key's ledger row in a writing transaction, so that none of ours is on its way.
pub(super) async fn ledger_row(pool: &Pool, live: &Place, key: &str) -> Result<Option<Entry>, Trouble> {
    let mut used = pool.take(live, None, Guard::Keys).await?;
    let lane = pool.lane(&used);
    let turn = lane.lock().await;
    begin(&mut used.connection, live).await?;
    let looked = async {
        let there = ledger::exists(&mut used.connection).await?;
        ledger::look(&mut used.connection, key, there).await
    };
    let looked = looked.await.map_err(|error| database(live, &error).in_doubt());
    rollback(&mut used.connection, live).await?;
    drop(turn);
    pool.keep(used);
    Ok(looked?.entry)
}

async fn run(connection: &mut SqliteConnection, text: String) -> Result<(), sqlx::Error> {
    let text: Arc<str> = text.into();
    sqlx::query(sql(&text)).persistent(false).execute(connection).await?;
    Ok(())
}
