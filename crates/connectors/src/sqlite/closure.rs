//! Which rows are a tenant's: from the root along foreign keys.

use std::collections::{BTreeMap, BTreeSet};

use super::input::Root;
use super::quote::name;
use super::schema::{ForeignKey, Table, Tables};
use crate::answer::Trouble;

/// How a table's rows belong to a tenant.
#[derive(Clone, Debug)]
enum Way {
    /// This column holds the tenant.
    Column(String),
    /// Any of these keys points at a row of the tenant.
    Parents(Vec<ForeignKey>),
}

/// The tables of a tenant, by lower-case name.
#[derive(Debug)]
pub(super) struct Closure {
    ways: BTreeMap<String, Way>,
}

impl Closure {
    /// Finds every table whose rows belong to tenants.
    ///
    /// # Errors
    /// If the root names nothing that exists.
    pub(super) fn new(tables: &Tables, root: &Root) -> Result<Self, Trouble> {
        let mut ways = BTreeMap::new();
        if let Some(table) = &root.table {
            let found = tables.get(&table.to_lowercase()).ok_or_else(|| {
                Trouble::never("sqlite.root", format!("the recovered file has no table {table}"))
                    .hint("`root.table` is the table of the tenants themselves")
            })?;
            let key = match &root.key {
                Some(key) => found.column(key).map(|column| column.name.clone()),
                None => found.key().first().map(|column| column.name.clone()),
            };
            let key = key.ok_or_else(|| {
                let fact = match &root.key {
                    Some(key) => format!("table {table} has no column {key}"),
                    None => format!("table {table} has no primary key"),
                };
                Trouble::never("sqlite.root", fact).hint("`root.key` is the column that holds the tenant's ID")
            })?;
            ways.insert(table.to_lowercase(), Way::Column(key));
        }
        if let Some(column) = &root.column {
            for (lower, table) in tables {
                if let Some(column) = table.column(column) {
                    ways.entry(lower.clone()).or_insert_with(|| Way::Column(column.name.clone()));
                }
            }
        }
        if ways.is_empty() {
            return Err(Trouble::never("sqlite.root", "`root` names no table and no column that exists")
                .hint("write root: { table: sites, key: id } or root: { column: site_id }"));
        }
        let mut closure = Self { ways };
        // A key that cannot be NULL says more than one that can, even if its way is longer.
        while closure.grow(tables, true) || closure.grow(tables, false) {}
        Ok(closure)
    }

    fn grow(&mut self, tables: &Tables, strict: bool) -> bool {
        let mut found = Vec::new();
        for (lower, table) in tables.iter().filter(|(lower, _)| !self.ways.contains_key(*lower)) {
            let mut keys: Vec<ForeignKey> = table
                .foreign_keys
                .iter()
                .filter(|key| self.ways.contains_key(&key.parent.to_lowercase()))
                .cloned()
                .collect();
            if strict {
                keys.retain(|key| {
                    key.pairs
                        .iter()
                        .all(|(own, _)| table.column(own).is_some_and(|column| column.not_null || column.key > 0))
                });
                keys.truncate(1);
            }
            if !keys.is_empty() {
                found.push((lower.clone(), Way::Parents(keys)));
            }
        }
        let grown = !found.is_empty();
        self.ways.extend(found);
        grown
    }

    /// Returns the chosen tables, parents first, with cycles broken where they close.
    ///
    /// # Errors
    /// If the globs choose nothing.
    pub(super) fn ordered(&self, tables: &Tables, globs: &[String]) -> Result<Vec<Table>, Trouble> {
        let chosen: BTreeSet<&String> = self
            .ways
            .keys()
            .filter(|lower| globs.is_empty() || globs.iter().any(|glob| crate::glob::fits(&glob.to_lowercase(), lower)))
            .collect();
        if chosen.is_empty() {
            return Err(Trouble::never(
                "sqlite.no_tables",
                format!("no table of a tenant matches {}", globs.join(", ")),
            )
            .hint(format!("a tenant has: {}", self.ways.keys().cloned().collect::<Vec<_>>().join(", "))));
        }
        let mut seen = BTreeSet::new();
        let mut ordered = Vec::new();
        for lower in &chosen {
            visit(lower, tables, &chosen, &mut seen, &mut ordered);
        }
        Ok(ordered)
    }

    /// Returns the tables, other than the table itself, whose rows decide whose a row of it is.
    pub(super) fn ancestors(&self, lower: &str) -> BTreeSet<String> {
        let mut ancestors = BTreeSet::new();
        let mut open = vec![lower.to_owned()];
        while let Some(lower) = open.pop() {
            if let Some(Way::Parents(keys)) = self.ways.get(&lower) {
                for key in keys {
                    let parent = key.parent.to_lowercase();
                    if ancestors.insert(parent.clone()) {
                        open.push(parent);
                    }
                }
            }
        }
        ancestors
    }

    /// Returns over how many keys a table's rows lead to the tenant: rows are found as long as those nearer are there.
    pub(super) fn distance(&self, lower: &str) -> usize {
        match self.ways.get(lower) {
            Some(Way::Parents(keys)) => {
                1 + keys.iter().map(|key| self.distance(&key.parent.to_lowercase())).max().unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// Returns the condition under which a row is the tenant's; the tenant is argument 1.
    pub(super) fn condition(&self, schema: &str, table: &str, alias: &str) -> String {
        self.nested(schema, &table.to_lowercase(), alias, 0)
    }

    fn nested(&self, schema: &str, lower: &str, alias: &str, depth: usize) -> String {
        match self.ways.get(lower) {
            Some(Way::Column(column)) => format!("{alias}.{} = ?1", name(column)),
            Some(Way::Parents(keys)) => {
                let any: Vec<String> = keys.iter().map(|key| self.through(schema, key, alias, depth)).collect();
                if let [one] = any.as_slice() { one.clone() } else { format!("({})", any.join(" OR ")) }
            }
            None => "0".to_owned(),
        }
    }

    fn through(&self, schema: &str, key: &ForeignKey, alias: &str, depth: usize) -> String {
        let parent = key.parent.to_lowercase();
        if let (Some(Way::Column(column)), [(own, to)]) = (self.ways.get(&parent), key.pairs.as_slice())
            && column.eq_ignore_ascii_case(to)
        {
            // The key itself holds the tenant.
            return format!("{alias}.{} = ?1", name(own));
        }
        let inner = format!("p{depth}");
        let own: Vec<String> = key.pairs.iter().map(|(own, _)| format!("{alias}.{}", name(own))).collect();
        let to: Vec<String> = key.pairs.iter().map(|(_, to)| format!("{inner}.{}", name(to))).collect();
        let own = if own.len() == 1 { own.concat() } else { format!("({})", own.join(", ")) };
        format!(
            "{own} IN (SELECT {} FROM {schema}.{} AS {inner} WHERE {})",
            to.join(", "),
            name(&key.parent),
            self.nested(schema, &parent, &inner, depth + 1)
        )
    }
}

fn visit(
    lower: &str,
    tables: &Tables,
    chosen: &BTreeSet<&String>,
    seen: &mut BTreeSet<String>,
    ordered: &mut Vec<Table>,
) {
    let Some(table) = tables.get(lower) else { return };
    if !seen.insert(lower.to_owned()) {
        return;
    }
    for key in &table.foreign_keys {
        let parent = key.parent.to_lowercase();
        if chosen.contains(&parent) {
            visit(&parent, tables, chosen, seen, ordered);
        }
    }
    ordered.push(table.clone());
}
