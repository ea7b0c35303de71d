//! A session of the test's own at a server, which holds locks that the store has to wait for.

use reinstate_tests::postgres::shared;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tokio::task::JoinHandle;

use crate::schema::Schema;

/// A session with an open transaction, and one that looks at who waits.
pub(crate) struct Hand {
    holds: PgConnection,
    looks: PgConnection,
    schema: String,
}

impl Hand {
    /// Does something to a schema in a transaction that stays open; `{s}` is the schema.
    pub(crate) async fn holding(schema: &Schema, text: &str) -> Self {
        let url = shared().url("postgres");
        let (holds, looks) = (PgConnection::connect(&url).await.unwrap(), PgConnection::connect(&url).await.unwrap());
        let mut hand = Self { holds, looks, schema: schema.name.clone() };
        hand.say(&format!("BEGIN; {}", text.replace("{s}", &schema.name))).await;
        hand
    }

    /// Goes on in the transaction, or ends it.
    pub(crate) async fn say(&mut self, text: &str) {
        sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut self.holds).await.unwrap();
    }

    /// Waits until so many sessions wait for locks of the schema's tables; none of the tasks may be over before.
    pub(crate) async fn until_waiting<T>(&mut self, sessions: i64, tasks: &[&JoinHandle<T>]) {
        let asked = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%\"{}\"%'",
            self.schema
        );
        while query(&mut self.looks, &asked).await != sessions {
            assert!(tasks.iter().all(|task| !task.is_finished()), "one did not wait");
        }
    }
}

/// Asks for one number.
pub(crate) async fn query(connection: &mut PgConnection, text: &str) -> i64 {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).fetch_one(connection).await.unwrap().get(0)
}
