//! What is done with one table: its columns, its statements, and what its rows refer to.

use std::collections::BTreeMap;

use super::copy_stream::Form;
use super::types::Facts;
use crate::postgres::catalog::{Catalog, Generated};
use crate::postgres::closure::{Class, Closure};
use crate::postgres::quote::{columns, name, qualified};

/// A table whose rows are restored.
#[derive(Clone, Debug)]
pub(crate) struct Sheet {
    /// Its place in the backup's catalogue.
    pub(crate) place: usize,
    pub(crate) label: String,
    pub(crate) qualified: String,
    pub(crate) form: Form,
    /// Columns that are written.
    pub(crate) stored: Vec<String>,
    /// Columns that the server computes; read on both sides and compared.
    pub(crate) computed: Vec<String>,
    /// `COPY ... FROM STDIN`.
    pub(crate) copy_in: String,
    /// Keys of its rows that rows may refer to: the set in which they are collected, and their columns.
    pub(crate) keys: Vec<(usize, Vec<usize>)>,
    /// What its rows refer to.
    pub(crate) references: Vec<Reference>,
    /// Columns that may hold numbers of large objects.
    pub(crate) large_objects: Vec<String>,
}

impl Sheet {
    /// Lists all columns of an alias, stored ones first.
    pub(crate) fn list(&self, alias: &str) -> String {
        let all: Vec<String> = self.stored.iter().chain(&self.computed).cloned().collect();
        columns(alias, &all)
    }

    /// Lists the stored columns without an alias.
    pub(crate) fn stored_list(&self) -> String {
        self.stored.iter().map(|column| name(column)).collect::<Vec<_>>().join(", ")
    }
}

/// A reference of a table's rows.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    /// The foreign key's name, or the columns of a declared reference.
    pub(crate) name: String,
    /// Its columns, by place among the stored ones.
    pub(crate) at: Vec<usize>,
    pub(crate) columns: Vec<String>,
    /// Types of these columns, below their domains.
    pub(crate) types: Vec<String>,
    /// The table referred to, by place in the backup's catalogue.
    pub(crate) parent: usize,
    pub(crate) parent_columns: Vec<String>,
    pub(crate) to: To,
}

/// Where the rows are that are referred to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// Among the rows restored: in this set. It is complete when the referring rows come, unless tables lead around.
    Inside { set: usize, complete: bool },
    /// In the live database.
    Outside,
}

/// The tables of a restore in the order of inserts, and how many sets of keys they fill.
#[derive(Debug)]
pub(crate) struct Sheets {
    pub(crate) all: Vec<Sheet>,
    pub(crate) sets: usize,
}

impl Sheets {
    /// Makes the sheets of the closure's tables of class tenant whose names fit.
    pub(crate) fn of(
        catalog: &Catalog,
        closure: &Closure,
        facts: (&Facts, &Facts),
        wanted: impl Fn(&str) -> bool,
    ) -> Self {
        let chosen: Vec<usize> =
            closure.order.iter().copied().filter(|at| wanted(&catalog.tables[*at].label())).collect();
        let mut all: Vec<Sheet> = chosen.iter().map(|at| sheet(catalog, *at, facts)).collect();
        let mut sets = BTreeMap::<(usize, Vec<usize>), usize>::new();
        for (at, &child) in chosen.iter().enumerate() {
            let circle = closure.cycles.iter().find(|group| group.contains(&child));
            for (name, columns, parent, parent_columns) in references(catalog, closure, child) {
                let own: Option<Vec<usize>> = columns.iter().map(|column| position(&all[at].stored, column)).collect();
                let Some(own) = own else { continue };
                let inside = chosen.iter().position(|other| *other == parent).and_then(|to| {
                    let there: Option<Vec<usize>> =
                        parent_columns.iter().map(|column| position(&all[to].stored, column)).collect();
                    let (child, whole) = (&catalog.tables[child], &catalog.tables[parent]);
                    // Only where equal bytes mean equal values can keys be compared on the way.
                    let same = columns.iter().zip(&parent_columns).all(|(one, other)| {
                        let (one, other) = (child.column(one), whole.column(other));
                        one.zip(other)
                            .is_some_and(|(one, other)| one.base_type == other.base_type && exact(&one.base_type))
                    });
                    let same_form = all[at].form == all[to].form;
                    there.filter(|_| same && same_form).map(|there| (to, there))
                });
                let to = match inside {
                    None => To::Outside,
                    Some((to, there)) => {
                        let next = sets.len();
                        let set = *sets.entry((to, there)).or_insert(next);
                        let around = circle.is_some_and(|group| group.contains(&parent));
                        To::Inside { set, complete: to < at && !around }
                    }
                };
                let base =
                    |column: &String| catalog.tables[child].column(column).map(|column| column.base_type.clone());
                let types = columns.iter().filter_map(base).collect();
                all[at].references.push(Reference { name, at: own, columns, types, parent, parent_columns, to });
            }
        }
        let count = sets.len();
        for ((table, columns), set) in sets {
            all[table].keys.push((set, columns));
        }
        Self { all, sets: count }
    }
}

fn position(columns: &[String], wanted: &str) -> Option<usize> {
    columns.iter().position(|column| column == wanted)
}

/// Types whose equal values have equal bytes.
fn exact(base: &str) -> bool {
    matches!(
        base,
        "smallint"
            | "integer"
            | "bigint"
            | "uuid"
            | "text"
            | "character varying"
            | "bytea"
            | "boolean"
            | "date"
            | "oid"
            | "timestamp without time zone"
            | "timestamp with time zone"
    )
}

fn sheet(catalog: &Catalog, place: usize, (backup, live): (&Facts, &Facts)) -> Sheet {
    let table = &catalog.tables[place];
    let named = |computed: bool| -> Vec<String> {
        let those = table.columns.iter().filter(|column| column.generated.is_some() == computed);
        // A virtual column is computed when it is read: there is nothing to compare but the expression.
        those.filter(|column| column.generated != Some(Generated::Virtual)).map(|column| column.name.clone()).collect()
    };
    let (stored, computed) = (named(false), named(true));
    let binary = table.columns.iter().all(|column| backup.binary(live, &column.data_type));
    let form = if binary { Form::Binary } else { Form::Text };
    let qualified = qualified(&table.schema, &table.name);
    let list: Vec<String> = stored.iter().map(|column| name(column)).collect();
    let copy_in = format!("COPY {qualified} ({}) FROM STDIN (FORMAT {})", list.join(", "), form.option());
    let large = table.columns.iter().filter(|column| column.large_object);
    Sheet {
        place,
        label: table.label(),
        qualified,
        form,
        copy_in,
        keys: Vec::new(),
        references: Vec::new(),
        large_objects: large.map(|column| column.name.clone()).collect(),
        stored,
        computed,
    }
}

type Edge = (String, Vec<String>, usize, Vec<String>);

/// Foreign keys of a table, and the references that somebody declared of it or that its way walks by name.
fn references(catalog: &Catalog, closure: &Closure, table: usize) -> Vec<Edge> {
    let keys = catalog.foreign_keys.iter().filter(|key| key.child == table);
    let mut found: Vec<Edge> =
        keys.map(|key| (key.name.clone(), key.columns.clone(), key.parent, key.parent_columns.clone())).collect();
    for way in &closure.tables[table].ways {
        let Some(hop) = way.path.first().filter(|hop| !hop.up && hop.when.is_none()) else { continue };
        let known = found.iter().any(|(_, columns, parent, _)| *columns == hop.columns && *parent == hop.to);
        if !known && closure.tables[hop.to].class == Class::Tenant {
            found.push((hop.columns.join("+"), hop.columns.clone(), hop.to, hop.to_columns.clone()));
        }
    }
    found
}
