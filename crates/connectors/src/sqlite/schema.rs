//! Tables of a database as its catalogue describes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::{Row, SqliteConnection};

use super::quote::{literal, sql};

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) without_rowid: bool,
    pub(super) columns: Vec<Column>,
    pub(super) foreign_keys: Vec<ForeignKey>,
    /// Unique indexes over plain columns, other than the primary key's.
    pub(super) unique: Vec<Vec<UniqueColumn>>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// Declared type, upper case.
    pub(super) kind: String,
    pub(super) not_null: bool,
    /// Place in the primary key, from 1; 0 if it is not part of it.
    pub(super) key: i64,
    pub(super) generated: bool,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ForeignKey {
    pub(super) parent: String,
    /// Own column, parent's column.
    pub(super) pairs: Vec<(String, String)>,
}

/// A column of a unique index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UniqueColumn {
    pub(super) name: String,
    pub(super) collation: String,
}

/// A trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trigger {
    pub(super) name: String,
    pub(super) table: String,
    pub(super) sql: String,
}

/// Tables by lower-case name: SQLite's names ignore case.
pub(super) type Tables = BTreeMap<String, Table>;

impl Table {
    /// Columns of the primary key in its order; empty if there is none.
    pub(super) fn key(&self) -> Vec<&Column> {
        let mut key: Vec<&Column> = self.columns.iter().filter(|column| column.key > 0).collect();
        key.sort_by_key(|column| column.key);
        key
    }

    /// Finds a column, whatever its case.
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// Columns that can be written.
    pub(super) fn writable(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.generated)
    }

    /// Tells in what it differs from the same table elsewhere, as far as its rows are concerned.
    pub(super) fn drift(&self, other: &Table) -> Option<String> {
        for column in &self.columns {
            match other.column(&column.name) {
                None => return Some(format!("column {}.{} is missing", self.name, column.name)),
                Some(found) if found != column => {
                    return Some(format!("column {}.{} is declared differently", self.name, column.name));
                }
                Some(_) => {}
            }
        }
        if let Some(column) = other.columns.iter().find(|column| self.column(&column.name).is_none()) {
            return Some(format!("column {}.{} is new", self.name, column.name));
        }
        let sorted = |table: &Table| {
            let mut keys = table.foreign_keys.clone();
            keys.sort();
            keys
        };
        if self.without_rowid != other.without_rowid || sorted(self) != sorted(other) {
            return Some(format!("keys of {} are declared differently", self.name));
        }
        None
    }
}

/// Reads the ordinary tables of an attached database; SQLite's own and ours are left out.
///
/// # Errors
/// The database's.
pub(super) async fn tables(connection: &mut SqliteConnection, schema: &str) -> Result<Tables, sqlx::Error> {
    let of = format!(
        "pragma_table_list t WHERE t.schema = {} AND t.type = 'table' AND substr(t.name, 1, 7) <> 'sqlite_' AND substr(t.name, 1, 10) <> 'reinstate_'",
        literal(schema)
    );
    let (from, filter) = of.split_once(" WHERE ").unwrap_or((&of, "1"));
    let s = literal(schema);
    let mut tables = Tables::new();
    let mut list = |row: &sqlx::sqlite::SqliteRow| -> Result<(), sqlx::Error> {
        let name: String = row.try_get(0)?;
        let table = Table {
            name: name.clone(),
            without_rowid: row.try_get::<i64, _>(1)? != 0,
            columns: Vec::new(),
            foreign_keys: Vec::new(),
            unique: Vec::new(),
        };
        tables.insert(name.to_lowercase(), table);
        Ok(())
    };
    for row in fetch(connection, format!("SELECT t.name, t.wr FROM {of} ORDER BY t.name")).await? {
        list(&row)?;
    }
    let text = format!(
        "SELECT t.name, c.name, upper(c.type), c.\"notnull\", c.pk, c.hidden FROM {from}, pragma_table_xinfo(t.name, {s}) c WHERE {filter} AND c.hidden <> 1 ORDER BY t.name, c.cid"
    );
    for row in fetch(connection, text).await? {
        let column = Column {
            name: row.try_get(1)?,
            kind: row.try_get(2)?,
            not_null: row.try_get::<i64, _>(3)? != 0,
            key: row.try_get(4)?,
            generated: row.try_get::<i64, _>(5)? != 0,
        };
        if let Some(table) = tables.get_mut(&row.try_get::<String, _>(0)?.to_lowercase()) {
            table.columns.push(column);
        }
    }
    let text = format!(
        "SELECT t.name, f.id, f.seq, f.\"table\", f.\"from\", f.\"to\" FROM {from}, pragma_foreign_key_list(t.name, {s}) f WHERE {filter} ORDER BY t.name, f.id, f.seq"
    );
    for row in fetch(connection, text).await? {
        let parent: String = row.try_get(3)?;
        let seq: i64 = row.try_get(2)?;
        let to: Option<String> = row.try_get(5)?;
        // Without columns, a key means the parent's primary key.
        let to = to.or_else(|| {
            let parent = tables.get(&parent.to_lowercase())?;
            parent.key().get(usize::try_from(seq).ok()?).map(|column| column.name.clone())
        });
        let Some(to) = to else { continue };
        let own: String = row.try_get(4)?;
        if let Some(table) = tables.get_mut(&row.try_get::<String, _>(0)?.to_lowercase()) {
            match table.foreign_keys.last_mut() {
                Some(last) if seq > 0 => last.pairs.push((own, to)),
                _ => table.foreign_keys.push(ForeignKey { parent, pairs: vec![(own, to)] }),
            }
        }
    }
    let text = format!(
        "SELECT t.name, i.name, x.seqno, x.name, x.coll, x.cid FROM {from}, pragma_index_list(t.name, {s}) i, pragma_index_xinfo(i.name, {s}) x WHERE {filter} AND i.\"unique\" = 1 AND i.origin <> 'pk' AND i.partial = 0 AND x.key = 1 ORDER BY t.name, i.name, x.seqno"
    );
    let mut unique: BTreeMap<(String, String), Option<Vec<UniqueColumn>>> = BTreeMap::new();
    for row in fetch(connection, text).await? {
        let columns = unique.entry((row.try_get(0)?, row.try_get(1)?)).or_insert_with(|| Some(Vec::new()));
        let name: Option<String> = row.try_get(3)?;
        match (name, columns.as_mut()) {
            (Some(name), Some(columns)) => columns.push(UniqueColumn { name, collation: row.try_get(4)? }),
            // An index over expressions: its conflicts come from the insert itself.
            _ => *columns = None,
        }
    }
    for ((table, _), columns) in unique {
        if let (Some(table), Some(columns)) = (tables.get_mut(&table.to_lowercase()), columns) {
            table.unique.push(columns);
        }
    }
    Ok(tables)
}

/// Reads the triggers of the live file.
///
/// # Errors
/// The database's.
pub(super) async fn triggers(connection: &mut SqliteConnection) -> Result<Vec<Trigger>, sqlx::Error> {
    let text = "SELECT name, tbl_name, sql FROM main.sqlite_schema WHERE type = 'trigger' ORDER BY rowid";
    let rows = fetch(connection, text.to_owned()).await?;
    rows.iter().map(|row| Ok(Trigger { name: row.try_get(0)?, table: row.try_get(1)?, sql: row.try_get(2)? })).collect()
}

async fn fetch(connection: &mut SqliteConnection, text: String) -> Result<Vec<sqlx::sqlite::SqliteRow>, sqlx::Error> {
    sqlx::query(sql(&Arc::from(text))).persistent(false).fetch_all(connection).await
}
