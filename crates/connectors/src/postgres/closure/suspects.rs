//! Columns that may point at rows of tenants though no foreign key says so.

use super::edges::Edge;
use super::grow::Growth;
use super::names;
use super::words;
use crate::postgres::catalog::{Column, Table};

/// Columns of a table that may point at rows of tenants though nothing says so.
pub(super) fn suspects(growth: &Growth<'_>, at: usize) -> Vec<String> {
    let catalog = growth.catalog;
    let table = &catalog.tables[at];
    let mut found = mentions(growth, at, |_| true);
    let pairs = names::polymorphic(table);
    for (kind, id) in &pairs {
        let root = catalog.tables[growth.root].label();
        found.push(format!(
            "{kind} and {id} together point at rows of a table that the catalogue does not name, as in \
             {}({id})->{root} when {kind}=...",
            table.label()
        ));
    }
    for column in &table.columns {
        let name = &column.name;
        let known = growth.known.iter().any(|edge| edge.hop.table == at && edge.hop.columns.contains(name));
        let meant = growth.by_name.iter().any(|edge| edge.hop.table == at && edge.hop.columns.contains(name));
        let own = table.primary_key() == [name.clone()];
        if known || meant || own || names::stem(name).is_none() || pairs.iter().any(|(_, id)| id == name) {
            continue;
        }
        if may_be_a_key(growth, table, column) {
            found.push(format!("{name} is named as a reference, and no foreign key says to what"));
        }
    }
    if holds_only_keys(growth, at) {
        found.push("it holds pairs of keys and nothing else, and no foreign key says of what".to_owned());
    }
    found
}

/// Whether a table without foreign keys or names that tell has columns of the types of tenants' keys, and no others.
fn holds_only_keys(growth: &Growth<'_>, at: usize) -> bool {
    let columns = &growth.catalog.tables[at].columns;
    let tied = growth.known.iter().chain(&growth.by_name).any(|edge| edge.hop.table == at);
    !tied
        && columns.len() > 1
        && columns.iter().all(|column| {
            let (number, uuid) = (names::comparable(&column.base_type, "bigint"), column.base_type == "uuid");
            (number || uuid)
                && column.default.is_none()
                && column.identity.is_none()
                && is_a_tenants_key(growth, column)
        })
}

/// Whether tenants' rows have keys of a column's type.
fn is_a_tenants_key(growth: &Growth<'_>, column: &Column) -> bool {
    keys_of_tenants(growth).iter().any(|key| names::comparable(key, &column.base_type))
}

/// The types of the keys of tenants' tables.
fn keys_of_tenants<'c>(growth: &Growth<'c>) -> Vec<&'c str> {
    let tenants = (0..growth.ways.len()).filter(|at| !growth.ways[*at].is_empty());
    let catalog = growth.catalog;
    tenants
        .filter_map(|at| {
            let [key] = catalog.tables[at].primary_key() else { return None };
            catalog.tables[at].column(key).map(|key| key.base_type.as_str())
        })
        .collect()
}

/// References to tenants' rows that are no belonging by themselves, in words.
pub(super) fn mentions(growth: &Growth<'_>, at: usize, which: impl Fn(&Edge) -> bool) -> Vec<String> {
    let catalog = growth.catalog;
    let edges = growth.known.iter().filter(|edge| edge.hop.table == at && edge.hop.to != at && which(edge));
    let mentions = edges.filter(|edge| growth.is_mention(edge) && !growth.ways[edge.hop.to].is_empty());
    mentions
        .map(|edge| {
            let (column, to) = (edge.hop.columns.join(", "), catalog.tables[edge.hop.to].label());
            let why =
                if edge.forgets { "is emptied when the row there goes" } else { "is named for what is so just now" };
            format!("{column} points at {to} and {why}: a mention, or more")
        })
        .collect()
}

/// Whether a column that is named as a reference, to nothing of that name, may hold keys of tenants' rows.
fn may_be_a_key(growth: &Growth<'_>, table: &Table, column: &Column) -> bool {
    let catalog = growth.catalog;
    let tenants = || (0..catalog.tables.len()).filter(|other| !growth.ways[*other].is_empty());
    let keys = keys_of_tenants(growth);
    let like = keys.iter().filter(|key| names::comparable(key, &column.base_type)).count();
    if like == 0 || names::refers_to(&column.name, &table.name) {
        return false;
    }
    if words::sounds_like_a_tenant(&column.name) {
        return true;
    }
    // Numbers are given by this database more often than not.
    if !names::comparable(&column.base_type, "bigint") && words::names_a_stranger(&column.name) {
        return false;
    }
    // Texts name everything: they are suspect only where tenants' rows have texts for keys, and one that sounds alike.
    let alike = || {
        let stem = names::stem(&column.name).unwrap_or_default();
        tenants().any(|other| names::share_a_word(&stem, &catalog.tables[other].name))
    };
    !is_text(&column.base_type)
        || (like * 2 > keys.len() && !table.is_unique(std::slice::from_ref(&column.name)) && alike())
}

/// Whether a type is a text.
pub(super) fn is_text(base: &str) -> bool {
    names::comparable(base, "text")
}
