//! Reading the catalogue, in one snapshot.

use std::collections::HashMap;

use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, FromRow};

use super::model::{
    Action, Catalog, Column, ForeignKey, Generated, Identity, Index, Partition, Sequence, Table, TableKind, Trigger,
    TriggerState,
};
use super::queries;
use super::writes::Writes;
use crate::postgres::connect::{is_of_restart, said};

/// Why a catalogue could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The server refused, or the connection broke.
    #[error("cannot read {what}: {why}")]
    Refused {
        /// Which part of the catalogue.
        what: &'static str,
        /// The server's words.
        why: String,
        /// Whether a server that restarts would look like this.
        restarts: bool,
    },
    /// The server is older than what is understood.
    #[error("the server's version is {0}; what is read here is there from version 13 on")]
    Version(i32),
}

impl CatalogError {
    /// Returns the stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "postgres.catalogue",
            Self::Version(_) => "postgres.version",
        }
    }

    /// Returns what to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "any role may read the system catalogue: look at the connection and its limits",
            Self::Version(_) => "recover into a cluster of PostgreSQL 13 or newer",
        }
    }
}

fn refused(what: &'static str, error: &sqlx::Error) -> CatalogError {
    CatalogError::Refused { what, why: said(error), restarts: is_of_restart(error) }
}

type Places = HashMap<Oid, usize>;

impl Catalog {
    /// Reads what the database of a connection holds; changes nothing.
    ///
    /// # Errors
    /// If the server is too old, refuses, or the connection breaks.
    ///
    /// # Cancel safety
    /// Dropping it leaves a transaction open that only reads: drop the connection as well.
    pub async fn read(connection: &mut PgConnection) -> Result<Self, CatalogError> {
        let refused = |error| refused("the catalogue", &error);
        let mut snapshot = connection
            .begin_with("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .await
            .map_err(refused)?;
        // With no schema in the path but PostgreSQL's own, names are written in full.
        sqlx::query("SET LOCAL search_path = pg_catalog").execute(&mut *snapshot).await.map_err(refused)?;
        let (version,): (i32,) = sqlx::query_as("SELECT current_setting('server_version_num')::int4")
            .fetch_one(&mut *snapshot)
            .await
            .map_err(refused)?;
        if version < 130_000 {
            return Err(CatalogError::Version(version));
        }
        let mut catalog = Self { server_version: version, ..Self::default() };
        let (places, partitions) = catalog.read_tables(&mut snapshot).await?;
        // Of partitions only what they have for themselves is read: keys and triggers.
        let own: Vec<Oid> = places.keys().copied().collect();
        let mut all = places.clone();
        all.extend(partitions);
        let with_partitions: Vec<Oid> = all.keys().copied().collect();
        catalog.read_columns(&mut snapshot, &own, &places).await?;
        catalog.read_foreign_keys(&mut snapshot, &with_partitions, &all, &places).await?;
        catalog.read_triggers(&mut snapshot, &with_partitions, &all).await?;
        catalog.read_rest(&mut snapshot, &own, &places).await?;
        snapshot.rollback().await.map_err(refused)?;
        Ok(catalog)
    }

    /// Reads tables; returns where each lies, and for each partition where its table lies.
    async fn read_tables(&mut self, snapshot: &mut PgConnection) -> Result<(Places, Places), CatalogError> {
        type Row =
            (Oid, String, String, String, bool, Option<Oid>, Option<String>, Option<String>, bool, bool, f32, String);
        let rows: Vec<Row> = sqlx::query_as(queries::RELATIONS)
            .fetch_all(&mut *snapshot)
            .await
            .map_err(|error| refused("the tables", &error))?;
        let mut places = Places::new();
        for (oid, schema, name, kind, unlogged, root, extension, comment, row_security, force, rows, _) in &rows {
            if root.is_some() {
                continue;
            }
            places.insert(*oid, self.tables.len());
            self.tables.push(Table {
                schema: schema.clone(),
                name: name.clone(),
                kind: match kind.as_str() {
                    "p" => TableKind::Partitioned,
                    "f" => TableKind::Foreign,
                    "m" => TableKind::MaterializedView,
                    _ => TableKind::Plain,
                },
                unlogged: *unlogged,
                extension: extension.clone(),
                comment: comment.clone(),
                row_security: *row_security,
                force_row_security: *force,
                estimated_rows: *rows,
                ..Table::default()
            });
        }
        let mut partitions = Places::new();
        let mut logged = vec![false; self.tables.len()];
        for (oid, schema, name, kind, unlogged, root, .., bound) in rows {
            let Some(&place) = root.and_then(|root| places.get(&root)) else { continue };
            partitions.insert(oid, place);
            if kind != "p" {
                logged[place] |= !unlogged;
                self.tables[place].partitions.push(Partition { schema, name, bound });
            }
        }
        for (table, logged) in self.tables.iter_mut().zip(logged) {
            // Only its partitions can be unlogged, not the table above them.
            table.unlogged |= !table.partitions.is_empty() && !logged;
        }
        Ok((places, partitions))
    }

    async fn read_columns(
        &mut self,
        snapshot: &mut PgConnection,
        own: &[Oid],
        places: &Places,
    ) -> Result<(), CatalogError> {
        type Row = (Oid, String, String, String, bool, Option<String>, String, String, bool, Vec<String>);
        for (oid, name, data_type, base_type, not_null, default, generated, identity, large_object, computed_from) in
            ask::<Row>(snapshot, "the columns", queries::COLUMNS, own).await?
        {
            let Some(&place) = places.get(&oid) else { continue };
            self.tables[place].columns.push(Column {
                name,
                data_type,
                base_type,
                not_null,
                default,
                generated: match generated.as_str() {
                    "s" => Some(Generated::Stored),
                    "v" => Some(Generated::Virtual),
                    _ => None,
                },
                identity: match identity.as_str() {
                    "a" => Some(Identity::Always),
                    "d" => Some(Identity::ByDefault),
                    _ => None,
                },
                large_object,
                computed_from,
            });
        }
        type Index_ = (Oid, String, bool, bool, bool, bool, bool, Vec<String>, Option<String>, String);
        for (oid, name, primary, unique, exclusion, whole, expressions, columns, predicate, definition) in
            ask::<Index_>(snapshot, "the indexes", queries::INDEXES, own).await?
        {
            let Some(&place) = places.get(&oid) else { continue };
            let index = Index { name, primary, unique, exclusion, whole, expressions, columns, predicate, definition };
            self.tables[place].indexes.push(index);
        }
        Ok(())
    }

    async fn read_foreign_keys(
        &mut self,
        snapshot: &mut PgConnection,
        with_partitions: &[Oid],
        all: &Places,
        own: &Places,
    ) -> Result<(), CatalogError> {
        type Row = (String, Oid, Vec<String>, Oid, Vec<String>, String, bool, bool);
        for (name, child, columns, parent, parent_columns, on_delete, deferrable, validated) in
            ask::<Row>(snapshot, "the foreign keys", queries::FOREIGN_KEYS, with_partitions).await?
        {
            let (Some(&to), Some(&from)) = (all.get(&parent), all.get(&child)) else { continue };
            self.foreign_keys.push(ForeignKey {
                name,
                child: from,
                columns,
                parent: to,
                parent_columns,
                on_delete: match on_delete.as_str() {
                    "c" => Action::Cascade,
                    "n" => Action::SetNull,
                    "d" => Action::SetDefault,
                    _ => Action::Refuse,
                },
                deferrable,
                validated,
                partial: !own.contains_key(&child),
            });
        }
        // Each partition may have the same key for itself.
        self.foreign_keys.sort_by(|a, b| (a.child, a.partial, &a.name).cmp(&(b.child, b.partial, &b.name)));
        self.foreign_keys.dedup_by(|a, b| {
            a.partial
                && (a.child, &a.columns, a.parent, &a.parent_columns)
                    == (b.child, &b.columns, b.parent, &b.parent_columns)
        });
        Ok(())
    }

    async fn read_triggers(
        &mut self,
        snapshot: &mut PgConnection,
        with_partitions: &[Oid],
        all: &Places,
    ) -> Result<(), CatalogError> {
        type Row = (Oid, String, String, String, String, Option<String>, bool);
        for (oid, name, state, definition, function, source, changes_row) in
            ask::<Row>(snapshot, "the triggers", queries::TRIGGERS, with_partitions).await?
        {
            let Some(&table) = all.get(&oid) else { continue };
            // A function in another language cannot be read here: it may write anything.
            let writes = source.as_deref().map(|source| Writes::of(source, &self.tables, table));
            self.triggers.push(Trigger {
                table,
                name,
                state: match state.as_str() {
                    "A" => TriggerState::Always,
                    "R" => TriggerState::Replica,
                    "D" => TriggerState::Disabled,
                    _ => TriggerState::Origin,
                },
                definition,
                function,
                dynamic: writes.as_ref().is_none_or(|writes| writes.dynamic),
                writes: writes.map(|writes| writes.tables).unwrap_or_default(),
                changes_row,
            });
        }
        self.triggers.sort_by(|a, b| (a.table, &a.name).cmp(&(b.table, &b.name)));
        Ok(())
    }

    async fn read_rest(
        &mut self,
        snapshot: &mut PgConnection,
        own: &[Oid],
        places: &Places,
    ) -> Result<(), CatalogError> {
        for (oid, policy) in ask::<(Oid, String)>(snapshot, "the policies", queries::POLICIES, own).await? {
            if let Some(&place) = places.get(&oid) {
                self.tables[place].policies.push(policy);
            }
        }
        for (child, parent) in ask::<(Oid, Oid)>(snapshot, "inheritance", queries::INHERITANCE, own).await? {
            if let (Some(&child), Some(&parent)) = (places.get(&child), places.get(&parent)) {
                self.tables[child].inherits.push(parent);
            }
        }
        type Row = (String, String, Oid, String, i64);
        for (schema, name, oid, column, increment) in
            ask::<Row>(snapshot, "the sequences", queries::SEQUENCES, own).await?
        {
            let Some(&table) = places.get(&oid) else { continue };
            self.sequences.push(Sequence { schema, name, table, column, increment });
        }
        Ok(())
    }
}

async fn ask<Row>(
    snapshot: &mut PgConnection,
    what: &'static str,
    query: &'static str,
    tables: &[Oid],
) -> Result<Vec<Row>, CatalogError>
where
    Row: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    sqlx::query_as(query).bind(tables).fetch_all(snapshot).await.map_err(|error| refused(what, &error))
}
