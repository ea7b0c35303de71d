//! Shared rows that a tenant's rows need and that are gone: made again, with what went with them.
//!
//! Who deletes a tenant may delete people that only it had, and with them their keys and settings: rows of other shared
//! tables that cannot be without them. As long as foreign keys are kept none of these can have stayed behind, so that
//! they are made again, too.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, PgConnection};

use super::error::{RestoreError, SHOWN, failed};
use super::pair::Pair;
use super::references::{Columns, Key, is_empty, turned, without};
use crate::postgres::catalog::{Action, ForeignKey, Index, Table};
use crate::postgres::closure::Class;
use crate::postgres::quote::{columns, name};

/// What is made for one reference.
pub(super) struct Makes<'a> {
    pair: &'a Pair,
    /// Rows that were made, by table.
    pub(super) made: BTreeMap<String, u64>,
    /// Rows that those would refer to and that are not shared, in words.
    pub(super) missing: Vec<String>,
    /// Values that somebody further out is about to make: rows may refer to each other.
    under_way: BTreeSet<(usize, Vec<String>, Vec<String>)>,
}

impl<'a> Makes<'a> {
    pub(super) fn new(pair: &'a Pair) -> Self {
        Self { pair, made: BTreeMap::new(), missing: Vec::new(), under_way: BTreeSet::new() }
    }

    /// Makes the rows that have these values of a key: after what they refer to, before what cannot be without them.
    pub(super) fn make<'s>(
        &'s mut self,
        live: &'s mut PgConnection,
        backup: &'s mut PgConnection,
        key: &'s Key,
        gone: Columns,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), RestoreError>> + Send + 's>> {
        Box::pin(async move {
            let gone = self.begun(key, gone);
            if is_empty(&gone) {
                return Ok(());
            }
            let pair = self.pair;
            for fk in pair.backup.foreign_keys.iter().filter(|fk| fk.child == key.table) {
                let values = read(backup, key, &gone, &fk.columns).await?;
                let above = Key::new(pair, fk.parent, &fk.parent_columns);
                let lost = above.gone(live, &values).await?;
                if is_empty(&lost) {
                    continue;
                }
                let shared = above.nobodys(backup, pair, &lost).await?;
                // A tenant's row that is gone has its own restore.
                let lost = without(lost, &shared);
                let row = |at: usize| lost.iter().map(|column| column[at].as_str()).collect::<Vec<_>>().join(", ");
                let rows = lost.first().map_or(0, Vec::len).min(SHOWN + 1);
                let words = |at| format!("{} ({}) -> {} ({})", key.label, fk.name, above.label, row(at));
                self.missing.extend((0..rows).map(words));
                self.make(live, backup, &above, shared).await?;
            }
            let done = insert(live, backup, pair, key, &gone).await?;
            *self.made.entry(key.label.clone()).or_insert(0) += done;
            for fk in pair.backup.foreign_keys.iter().filter(|fk| fk.parent == key.table && fk.child != key.table) {
                self.below(live, backup, key, &gone, fk).await?;
            }
            Ok(())
        })
    }

    /// Makes rows of another shared table that cannot be without those that were made.
    async fn below(
        &mut self,
        live: &mut PgConnection,
        backup: &mut PgConnection,
        key: &Key,
        gone: &Columns,
        fk: &ForeignKey,
    ) -> Result<(), RestoreError> {
        let child = &self.pair.backup.tables[fk.child];
        let always = fk.columns.iter().all(|name| child.column(name).is_some_and(|column| column.not_null));
        if !(always || fk.on_delete == Action::Cascade) {
            return Ok(());
        }
        let values = read(backup, key, gone, &fk.parent_columns).await?;
        let children = Key::new(self.pair, fk.child, &fk.columns);
        let lost = match own_key(child) {
            Some(own) => {
                let rows = read(backup, &children, &values, own).await?;
                let itself = Key::new(self.pair, fk.child, own);
                // One that is there was given to somebody else meanwhile.
                let lost = itself.gone(live, &rows).await?;
                Some((itself, lost))
            }
            // Without a key rows are told by what they hang on, where none of them can be a tenant's.
            None if self.pair.closure.tables[fk.child].class == Class::Shared => {
                let lost = children.gone(live, &values).await?;
                Some((children, lost))
            }
            None => None,
        };
        let Some((itself, lost)) = lost else { return Ok(()) };
        let shared = itself.nobodys(backup, self.pair, &lost).await?;
        self.make(live, backup, &itself, shared).await
    }

    /// Returns those values that nobody has begun to make.
    fn begun(&mut self, key: &Key, gone: Columns) -> Columns {
        let width = gone.len();
        let rows =
            (0..gone.first().map_or(0, Vec::len)).map(|at| gone.iter().map(|column| column[at].clone()).collect());
        let new =
            rows.filter(|row: &Vec<String>| self.under_way.insert((key.table, key.columns().to_vec(), row.clone())));
        turned(new.collect(), width)
    }
}

/// Returns columns by which each row of a table is told from the others.
fn own_key(table: &Table) -> Option<&[String]> {
    let whole = |index: &&Index| {
        let never_null = |name: &String| table.column(name).is_some_and(|column| column.not_null);
        index.unique && index.whole && !index.columns.is_empty() && index.columns.iter().all(never_null)
    };
    // The primary key is the first of them.
    table.indexes.iter().find(whole).map(|index| index.columns.as_slice())
}

/// Reads columns of rows that have these values of a key; rows where one is NULL are left out.
async fn read(
    connection: &mut PgConnection,
    key: &Key,
    values: &Columns,
    wanted: &[String],
) -> Result<Columns, RestoreError> {
    if is_empty(values) {
        return Ok(vec![Vec::new(); wanted.len()]);
    }
    let texts: Vec<String> = wanted.iter().map(|column| format!("t.{}::text", name(column))).collect();
    let set: Vec<String> = wanted.iter().map(|column| format!("t.{} IS NOT NULL", name(column))).collect();
    let select = format!(
        "SELECT DISTINCT ARRAY[{}] FROM {} AS t WHERE EXISTS (SELECT FROM {} WHERE {}) AND {}",
        texts.join(", "),
        key.qualified,
        key.given,
        key.matches,
        set.join(" AND ")
    );
    Ok(turned(key.ask(connection, select, values, "read shared rows").await?, wanted.len()))
}

/// Copies the rows that have these values of a key; returns how many.
async fn insert(
    live: &mut PgConnection,
    backup: &mut PgConnection,
    pair: &Pair,
    key: &Key,
    gone: &Columns,
) -> Result<u64, RestoreError> {
    let computed = pair.backup.tables[key.table].columns.iter().filter(|column| column.generated.is_none());
    let stored: Vec<String> = computed.map(|column| column.name.clone()).collect();
    let select = format!(
        "SELECT ARRAY[row_to_json(t)::text] FROM (SELECT {} FROM {} AS t WHERE EXISTS (SELECT FROM {} WHERE {})) AS t",
        columns("t", &stored),
        key.qualified,
        key.given,
        key.matches
    );
    let rows: Vec<String> = key.ask(backup, select, gone, "read shared rows").await?.into_iter().flatten().collect();
    let list: Vec<String> = stored.iter().map(|column| name(column)).collect();
    let insert = format!(
        "INSERT INTO {0} ({1}) OVERRIDING SYSTEM VALUE SELECT {2} FROM unnest($1::text[]) AS r, \
         json_populate_record(NULL::{0}, r::json) AS t",
        key.qualified,
        list.join(", "),
        columns("t", &stored)
    );
    let done = sqlx::query(AssertSqlSafe(insert))
        .bind(rows)
        .execute(live)
        .await
        .map_err(failed(format!("make shared rows of {} again", key.label)))?;
    Ok(done.rows_affected())
}
