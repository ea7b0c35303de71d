//! What is worked out once for a pair of files and a choice of tables.

use std::sync::Arc;

use sqlx::{Row, SqliteConnection};

use super::closure::Closure;
use super::file::{Place, database};
use super::input::Root;
use super::quote::sql;
use super::schema::{self, Table, Tables, Trigger};
use super::statements::Statements;
use crate::answer::Trouble;

/// The texts for one choice of tables of a pair of files.
pub(super) struct Plan {
    /// Version of the live schema that it was made for.
    pub(super) version: i64,
    /// Tables to restore, parents first.
    pub(super) tables: Vec<Named>,
    /// Rows of the tenant in the recovered file.
    pub(super) source: Arc<str>,
    /// Whether the tenant exists at all, if the root is a table.
    pub(super) exists: Option<Arc<str>>,
    /// What stands in the way.
    pub(super) before: Arc<str>,
    /// Inserts all rows.
    pub(super) insert_all: Arc<str>,
    /// Inserts those that are missing.
    pub(super) insert_missing: Arc<str>,
    /// Rows of the tenant in the live file, and the connection's counter.
    pub(super) target: Arc<str>,
    /// Rows in the live file whose parent is missing.
    pub(super) orphans: Option<Arc<str>>,
    /// Whether the live file has a ledger.
    pub(super) ledger: bool,
    /// Triggers of the tables.
    pub(super) triggers: Vec<Trigger>,
}

/// A table and the queries that name its conflicts.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) differing: Option<Arc<str>>,
    pub(super) extra: Option<Arc<str>>,
}

impl Plan {
    /// Names of the tables, in their order.
    pub(super) fn names(&self) -> Vec<&str> {
        self.tables.iter().map(|table| table.name.as_str()).collect()
    }

    /// Reads both schemas and compares them.
    ///
    /// # Errors
    /// If they differ, if the root or the globs name nothing, or the database's trouble.
    pub(super) async fn make(
        connection: &mut SqliteConnection,
        live: &Place,
        root: &Root,
        globs: &[String],
    ) -> Result<Self, Trouble> {
        let failed = |error: sqlx::Error| database(live, &error);
        let version = version(connection).await.map_err(failed)?;
        let theirs = schema::tables(connection, "main").await.map_err(failed)?;
        let ours = schema::tables(connection, "rec").await.map_err(failed)?;
        let closure = Closure::new(&ours, root)?;
        let tables = closure.ordered(&ours, globs)?;
        if let Some(drift) = drift(&ours, &theirs, &closure, &tables) {
            return Err(drifted(live, &drift));
        }
        // Unique names are those that hold in the live file now.
        let mut tables = tables;
        for table in &mut tables {
            if let Some(live) = theirs.get(&table.name.to_lowercase()) {
                table.unique.clone_from(&live.unique);
            }
        }
        let triggers = schema::triggers(connection).await.map_err(failed)?;
        let triggers = triggers
            .into_iter()
            .filter(|trigger| tables.iter().any(|table| table.name.eq_ignore_ascii_case(&trigger.table)))
            .collect();
        let ledger = super::ledger::exists(connection).await.map_err(failed)?;
        let statements = Statements { closure: &closure, tables: &tables, all: &theirs };
        let named = |table: &Table| Named {
            name: table.name.clone(),
            differing: statements.differing(table).map(Arc::from),
            extra: statements.extra(table).map(Arc::from),
        };
        Ok(Self {
            version,
            source: statements.rows("rec", false).into(),
            exists: root.table.as_ref().and_then(|table| ours.get(&table.to_lowercase())).map(|table| {
                let condition = closure.condition("rec", &table.name, "t");
                format!("SELECT EXISTS (SELECT 1 FROM rec.{} AS t WHERE {condition})", super::quote::name(&table.name))
                    .into()
            }),
            before: statements.before().into(),
            insert_all: statements.insert(false).into(),
            insert_missing: statements.insert(true).into(),
            target: statements.rows("main", true).into(),
            orphans: statements.orphans().map(Arc::from),
            ledger,
            triggers,
            tables: tables.iter().map(named).collect(),
        })
    }
}

/// Tells in what the live tables differ from those of the recovered file, as far as a restore of some is concerned.
pub(super) fn drift(ours: &Tables, theirs: &Tables, closure: &Closure, tables: &[Table]) -> Option<String> {
    tables.iter().find_map(|table| {
        let lower = table.name.to_lowercase();
        let ancestors = closure.ancestors(&lower);
        std::iter::once(&lower).chain(&ancestors).find_map(|lower| match (ours.get(lower), theirs.get(lower)) {
            (Some(ours), Some(theirs)) => ours.drift(theirs),
            _ => Some(format!("table {lower} is missing")),
        })
    })
}

/// The trouble with a live schema that differs.
pub(super) fn drifted(live: &Place, drift: &str) -> Trouble {
    let fact = format!("{live}: the schema changed since the restore point: {drift}");
    Trouble::never("sqlite.schema_drift", fact)
        .hint("bring the recovered file to the live schema first, then restore from it")
}

/// Version of the live schema.
pub(super) async fn version(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let text: Arc<str> = "PRAGMA main.schema_version".into();
    sqlx::query(sql(&text)).persistent(false).fetch_one(connection).await?.try_get(0)
}
