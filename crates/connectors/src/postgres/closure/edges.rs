//! What points at what: foreign keys, what was declared or inherited, and what names suggest.

use super::declaration::{Declaration, Options};
use super::model::{ClosureError, Hop, Link};
use super::names;
use crate::postgres::catalog::{Action, Catalog};

/// A reference of one table to another.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) hop: Hop,
    /// Whether each row has one.
    pub(super) always: bool,
    /// Whether the row goes when what it points at goes.
    pub(super) cascades: bool,
    /// Whether it is made NULL then: a mention rather than a belonging.
    pub(super) forgets: bool,
}

impl Edge {
    /// How good a reason it is to say that a row belongs to what it points at; less is better.
    pub(super) fn doubt(&self, catalog: &Catalog) -> u8 {
        let key = catalog.tables[self.hop.table].primary_key();
        let identifying = !self.hop.columns.is_empty() && self.hop.columns.iter().all(|column| key.contains(column));
        if self.hop.by == Link::Declared {
            0
        } else if self.hop.columns.iter().any(|column| names::is_actor(column)) {
            3
        } else if self.cascades || identifying {
            1
        } else {
            2
        }
    }
}

/// Returns every reference that there is: those that are known, and those that only names suggest if they may count.
///
/// # Errors
/// If a declaration names what is not there.
pub(crate) fn references(catalog: &Catalog, options: &Options) -> Result<Vec<Hop>, ClosureError> {
    let mut edges = known(catalog, options)?;
    if options.by_name {
        edges.extend(by_name(catalog, &edges));
    }
    Ok(edges.into_iter().map(|edge| edge.hop).collect())
}

/// Returns foreign keys, inherited ones and declared references, in order of the table that refers.
pub(super) fn known(catalog: &Catalog, options: &Options) -> Result<Vec<Edge>, ClosureError> {
    let mut edges = Vec::new();
    for key in &catalog.foreign_keys {
        let heirs = (0..catalog.tables.len()).filter(|at| {
            catalog.tables[*at].inherits.contains(&key.child)
                && !catalog.foreign_keys.iter().any(|own| own.child == *at)
        });
        for table in std::iter::once(key.child).chain(heirs) {
            let from = &catalog.tables[table];
            let by = if table == key.child { Link::ForeignKey } else { Link::Inherited };
            edges.push(Edge {
                always: !key.partial
                    && key.columns.iter().all(|name| from.column(name).is_some_and(|column| column.not_null)),
                cascades: key.on_delete == Action::Cascade,
                forgets: matches!(key.on_delete, Action::SetNull | Action::SetDefault),
                hop: Hop {
                    table,
                    columns: key.columns.clone(),
                    to: key.parent,
                    to_columns: key.parent_columns.clone(),
                    up: false,
                    one: true,
                    when: None,
                    by: by(key.name.clone()),
                },
            });
        }
    }
    for declaration in &options.declarations {
        edges.extend(declared(catalog, declaration)?);
    }
    edges.sort_by_key(|edge| edge.hop.table);
    Ok(edges)
}

fn declared(catalog: &Catalog, declaration: &Declaration) -> Result<Option<Edge>, ClosureError> {
    let Declaration::Reference { table, columns, parent, parent_columns, when } = declaration else { return Ok(None) };
    let from = find(catalog, table)?;
    let to = find(catalog, parent)?;
    let child = &catalog.tables[from];
    let whole = &catalog.tables[to];
    let to_columns = if parent_columns.is_empty() { whole.primary_key().to_vec() } else { parent_columns.clone() };
    if columns.len() != to_columns.len() {
        return Err(ClosureError::Pairs { table: child.label(), from: columns.len(), to: to_columns.len() });
    }
    let kind = when.iter().map(|(column, _)| (child, column));
    let named = columns.iter().map(|column| (child, column)).chain(to_columns.iter().map(|column| (whole, column)));
    if let Some((table, column)) = named.chain(kind).find(|(table, column)| table.column(column).is_none()) {
        return Err(ClosureError::Column { table: table.label(), column: column.clone() });
    }
    Ok(Some(Edge {
        always: when.is_none() && columns.iter().all(|name| child.column(name).is_some_and(|column| column.not_null)),
        cascades: false,
        forgets: false,
        hop: Hop {
            table: from,
            columns: columns.clone(),
            to,
            one: whole.is_unique(&to_columns),
            to_columns,
            up: false,
            when: when.clone(),
            by: Link::Declared,
        },
    }))
}

/// Finds a table that a declaration names.
pub(super) fn find(catalog: &Catalog, name: &str) -> Result<usize, ClosureError> {
    catalog.find(name).ok_or_else(|| ClosureError::Declared { table: name.to_owned() })
}

/// Returns references that only names suggest: columns without any of the known ones.
pub(super) fn by_name(catalog: &Catalog, known: &[Edge]) -> Vec<Edge> {
    let mut edges = Vec::new();
    let named = names::tables(catalog);
    for (from, table) in catalog.tables.iter().enumerate() {
        let pairs = names::polymorphic(table);
        for column in &table.columns {
            let taken = known.iter().any(|edge| edge.hop.table == from && edge.hop.columns.contains(&column.name));
            let pair = pairs.iter().any(|(_, id)| *id == column.name);
            if taken || pair || table.primary_key() == [column.name.clone()] {
                continue;
            }
            let Some(to) = names::target(catalog, &named, from, &column.name) else { continue };
            let [key] = catalog.tables[to].primary_key() else { continue };
            let comparable =
                catalog.tables[to].column(key).is_some_and(|key| names::comparable(&key.base_type, &column.base_type));
            if comparable {
                edges.push(Edge {
                    always: column.not_null,
                    cascades: false,
                    forgets: false,
                    hop: Hop {
                        table: from,
                        columns: vec![column.name.clone()],
                        to,
                        to_columns: vec![key.clone()],
                        up: false,
                        one: true,
                        when: None,
                        by: Link::ByName,
                    },
                });
            }
        }
    }
    edges
}
