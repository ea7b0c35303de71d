//! What is worked out once to take tenants' rows out of a live file. Argument 1 is the tenant, argument 2, where rows
//! are kept, a JSON object of `t` and the table's number -> list of the rows' canonical texts in hexadecimal.

use std::sync::Arc;

use sqlx::SqliteConnection;

use super::closure::Closure;
use super::file::{Place, database};
use super::input::Root;
use super::ledger;
use super::plan::version;
use super::quote::name;
use super::schema::{self, ForeignKey, Table, Tables, Trigger};
use super::statements::{Statements, at, orphan_told, text};
use crate::answer::Trouble;

/// References to rows that are to go; more are counted as these.
const HOLDERS: usize = 100;

/// The texts for one choice of tables of a live file.
pub(super) struct Removal {
    /// Version of the live schema that it was made for.
    pub(super) version: i64,
    /// Names of the tables, parents first.
    pub(super) tables: Vec<String>,
    /// Rows of the tenant, and the connection's counter.
    pub(super) rows: Arc<str>,
    /// Texts if all of the tenant's rows go.
    pub(super) all: Texts,
    /// Texts if those of argument 2 stay.
    pub(super) some: Texts,
    /// Whether the live file has a ledger.
    pub(super) ledger: bool,
    /// Triggers of the tables.
    pub(super) triggers: Vec<Trigger>,
}

/// Texts that take rows out.
pub(super) struct Texts {
    /// Names rows that stay and refer to a row that goes.
    pub(super) holders: Option<Arc<str>>,
    /// Deletes, the rows farthest from the tenant first.
    pub(super) delete: Arc<str>,
}

/// A choice of tables.
struct Choice<'a> {
    closure: &'a Closure,
    tables: &'a [Table],
    all: &'a Tables,
}

impl Removal {
    /// Reads the live schema.
    ///
    /// # Errors
    /// If the root or the globs name nothing, or the database's trouble.
    pub(super) async fn make(
        connection: &mut SqliteConnection,
        live: &Place,
        root: &Root,
        globs: &[String],
    ) -> Result<Self, Trouble> {
        let failed = |error: sqlx::Error| database(live, &error);
        let version = version(connection).await.map_err(failed)?;
        let all = schema::tables(connection, "main").await.map_err(failed)?;
        let closure = Closure::new(&all, root)?;
        let tables = closure.ordered(&all, globs)?;
        let mut triggers = schema::triggers(connection).await.map_err(failed)?;
        triggers.retain(|trigger| tables.iter().any(|table| table.name.eq_ignore_ascii_case(&trigger.table)));
        let ledger = ledger::exists(connection).await.map_err(failed)?;
        let choice = Choice { closure: &closure, tables: &tables, all: &all };
        let statements = Statements { closure: &closure, tables: &tables, all: &all };
        Ok(Self {
            version,
            rows: statements.rows("main", true).into(),
            all: choice.texts(false),
            some: choice.texts(true),
            ledger,
            triggers,
            tables: tables.iter().map(|table| table.name.clone()).collect(),
        })
    }

    /// Names of the tables, in their order.
    pub(super) fn names(&self) -> Vec<&str> {
        self.tables.iter().map(String::as_str).collect()
    }
}

impl Choice<'_> {
    fn texts(&self, keeping: bool) -> Texts {
        // A row is found over its parents' rows, so these go after it.
        let mut order: Vec<usize> = (0..self.tables.len()).rev().collect();
        order.sort_by_key(|number| std::cmp::Reverse(self.closure.distance(&self.tables[*number].name.to_lowercase())));
        let delete: Vec<String> = order
            .into_iter()
            .map(|number| {
                let goes = self.goes(number, "t", keeping);
                format!("DELETE FROM {} AS t WHERE {goes}", at("main", &self.tables[number]))
            })
            .collect();
        let holders: Vec<String> = self
            .all
            .values()
            .flat_map(|table| table.foreign_keys.iter().filter_map(|key| self.holder(table, key, keeping)))
            .collect();
        let holders = (!holders.is_empty()).then(|| format!("{} LIMIT {HOLDERS}", holders.join(" UNION ALL ")).into());
        Texts { holders, delete: delete.join("; ").into() }
    }

    fn number(&self, table: &str) -> Option<usize> {
        self.tables.iter().position(|chosen| chosen.name.eq_ignore_ascii_case(table))
    }

    /// The condition under which a row goes.
    fn goes(&self, number: usize, alias: &str, keeping: bool) -> String {
        let table = &self.tables[number];
        let mut condition = self.closure.condition("main", &table.name, alias);
        if keeping {
            condition.push_str(&format!(
                " AND hex({}) NOT IN (SELECT value FROM json_each(?2, '$.t{number}'))",
                text(alias, table)
            ));
        }
        condition
    }

    /// Rows that stay and refer over this key to a row that goes.
    fn holder(&self, table: &Table, key: &ForeignKey, keeping: bool) -> Option<String> {
        let parent = self.number(&key.parent)?;
        let list = |columns: Vec<String>| {
            if columns.len() == 1 { columns.concat() } else { format!("({})", columns.join(", ")) }
        };
        let own = list(key.pairs.iter().map(|(own, _)| format!("c.{}", name(own))).collect());
        let to: Vec<String> = key.pairs.iter().map(|(_, to)| format!("g.{}", name(to))).collect();
        let stays = match self.number(&table.name) {
            Some(number) => format!(" AND ({}) IS NOT 1", self.goes(number, "c", keeping)),
            None => String::new(),
        };
        let (theirs, ours) = (at("main", table), at("main", &self.tables[parent]));
        let told = orphan_told(table, key, "c");
        let goes = self.goes(parent, "g", keeping);
        Some(format!(
            "SELECT {told} FROM {theirs} AS c WHERE {own} IN (SELECT {} FROM {ours} AS g WHERE {goes}){stays}",
            to.join(", ")
        ))
    }
}
