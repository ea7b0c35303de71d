//! Schemas for stores on PostgreSQL, and a hand in them beside the store: to move their clocks, and to do damage.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, mpsc};

use reinstate_tests::postgres::shared;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::{Address, PostgresAddress};

const DATABASE: &str = "postgres";

/// A schema of the cluster that the tests share. Clones are the same schema.
#[derive(Clone)]
pub(crate) struct Schema {
    pub(crate) name: String,
}

impl Schema {
    /// A name that nobody else has; the store makes the schema.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self { name: format!("store_{}", NEXT.fetch_add(1, Ordering::SeqCst)) }
    }

    pub(crate) fn text(&self) -> String {
        format!("{}&schema={}", shared().url(DATABASE), self.name)
    }

    pub(crate) fn address(&self) -> PostgresAddress {
        postgres_address(&self.text())
    }

    /// Does something to the store behind its back; `{s}` is the schema.
    pub(crate) fn sql(&self, text: &str) {
        hand(text.replace("{s}", &self.name));
    }

    /// Stops the store's clock, and sets it. The clock is a function of the schema, which nobody but tests replaces.
    pub(crate) fn set_clock(&self, millis: i64) {
        self.sql(&format!(
            "CREATE OR REPLACE FUNCTION {{s}}.now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT {millis}::bigint'"
        ));
    }

    /// Takes all rows out, as if the store had just been made.
    pub(crate) fn empty(&self) {
        let tables = [
            "runs",
            "plans",
            "positions",
            "groups",
            "held_sites",
            "requests",
            "estates",
            "shares",
            "drills",
            "claims",
            "spent",
            "discarded",
            "log_weights",
            "logs",
            "lines",
            "workers",
            "sent_orders",
            "orders",
        ];
        let mut text: String = tables.iter().map(|table| format!("DELETE FROM {{s}}.{table};")).collect();
        text.push_str(
            "ALTER TABLE {s}.runs ALTER COLUMN id RESTART; ALTER TABLE {s}.workers ALTER COLUMN id RESTART; \
             ALTER TABLE {s}.orders ALTER COLUMN id RESTART; UPDATE {s}.store SET posted = 0",
        );
        self.sql(&text);
    }
}

pub(crate) fn postgres_address(text: &str) -> PostgresAddress {
    match text.parse().unwrap() {
        Address::Postgres(address) => address,
        Address::Sqlite(path) => panic!("{}", path.display()),
    }
}

/// SQL, and where to say that it is done.
type Order = (String, mpsc::Sender<()>);

/// Sends SQL from a thread that has a connection of its own, and waits: also callers without a runtime may do so.
fn hand(text: String) {
    static HAND: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let hand = HAND.get_or_init(|| {
        let (orders, waiting) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&shared().url(DATABASE)).await.unwrap();
                while let Ok((text, done)) = waiting.recv() {
                    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.unwrap();
                    done.send(()).unwrap();
                }
            });
        });
        Mutex::new(orders)
    });
    let (done, waits) = mpsc::channel();
    hand.lock().unwrap().send((text, done)).unwrap();
    waits.recv().expect("the statement is right");
}
