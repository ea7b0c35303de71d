//! The tables of every store: columns, keys, and by which path a row belongs to a site.

mod kind;
mod postgres;
mod services;
mod shard;

pub(crate) use kind::Kind;
pub(crate) use postgres::{FILLED, Filled, ddl as postgres_ddl};
pub(crate) use services::{CATALOGUE, SEARCH, SERVICES};
pub(crate) use shard::{SERVED, SHARD};

/// How a row of a table is found to belong to a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Nobody's: used by all.
    Shared,
    /// The column holds the site's ID.
    Site(&'static str),
    /// The column refers to a row of this other table (by its single-column key), which belongs to a site.
    Through(&'static str, &'static str),
}

/// One table; its key is its first `key` columns.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// Name and SQL declaration of each column.
    pub(crate) columns: &'static [(&'static str, &'static str)],
    pub(crate) key: usize,
    pub(crate) owner: Owner,
    /// Table constraints, in SQL.
    pub(crate) constraints: &'static [&'static str],
    /// Indexed columns, one index each; a comma makes an index over several.
    pub(crate) indexes: &'static [&'static str],
}

/// The tables of one store, parents before children.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) name: &'static str,
    pub(crate) tables: &'static [Table],
}

impl Table {
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.columns.iter().map(|(name, _)| *name).collect()
    }

    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|(column, _)| *column == name)
    }

    /// What each column holds.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        self.columns.iter().map(|(name, declaration)| Kind::of(name, declaration)).collect()
    }

    pub(crate) fn select(&self) -> String {
        format!("SELECT {} FROM {}", self.names().join(", "), self.name)
    }

    /// `a = ? AND b = ?` over the key.
    pub(crate) fn key_match(&self) -> String {
        let parts: Vec<String> = self.columns[..self.key].iter().map(|(name, _)| format!("{name} = ?")).collect();
        parts.join(" AND ")
    }

    fn ddl(&self) -> String {
        let mut parts: Vec<String> = self.columns.iter().map(|(name, sql)| format!("{name} {sql}")).collect();
        parts.extend(self.constraints.iter().map(|c| (*c).to_owned()));
        let mut out = format!("CREATE TABLE {} (\n  {}\n);\n", self.name, parts.join(",\n  "));
        out.extend(self.index_ddl());
        out
    }

    fn index_ddl(&self) -> impl Iterator<Item = String> {
        self.indexes.iter().map(|index| {
            let suffix = index.replace([',', ' '], "_");
            format!("CREATE INDEX {0}_{suffix} ON {0} ({index});\n", self.name)
        })
    }

    /// Whether the database numbers the rows.
    pub(crate) fn is_numbered(&self) -> bool {
        self.columns[0].1.contains("AUTOINCREMENT")
    }

    /// The columns that refer to rows of a table, each with that table's name.
    pub(crate) fn references(&self) -> impl Iterator<Item = (usize, &'static str)> + use<> {
        let columns = self.columns.iter().enumerate();
        columns.filter_map(|(column, (_, sql))| {
            let (_, table) = sql.split_once("REFERENCES ")?;
            Some((column, table.split_once(' ')?.0))
        })
    }
}

impl Schema {
    pub(crate) fn ddl(&self) -> String {
        let mut out: String = self.tables.iter().map(Table::ddl).collect();
        out.push_str(crate::log::DDL);
        out
    }

    pub(crate) fn position(&self, table: &str) -> Option<usize> {
        self.tables.iter().position(|t| t.name == table)
    }

    /// The SQL condition that a row of this table belongs to the site in `?1`; `None` for shared tables.
    pub(crate) fn belongs(&self, table: usize) -> Option<String> {
        match self.tables[table].owner {
            Owner::Shared => None,
            Owner::Site(column) => Some(format!("{column} = ?1")),
            Owner::Through(column, parent) => {
                let parent = self.position(parent)?;
                let inner = self.belongs(parent)?;
                let (key, _) = self.tables[parent].columns[0];
                let name = self.tables[parent].name;
                Some(format!("{column} IN (SELECT {key} FROM {name} WHERE {inner})"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_table_is_shared_or_reaches_a_site_through_an_earlier_table() {
        for schema in SERVICES.iter().chain([&&SHARD, &&SERVED]) {
            for (i, table) in schema.tables.iter().enumerate() {
                match table.owner {
                    Owner::Shared => assert_eq!(schema.belongs(i), None),
                    Owner::Site(column) => {
                        assert!(table.column(column).is_some(), "{}", table.name)
                    }
                    Owner::Through(column, parent) => {
                        assert!(table.column(column).is_some(), "{}", table.name);
                        assert!(schema.position(parent).unwrap() < i, "{}", table.name);
                        assert_eq!(schema.tables[schema.position(parent).unwrap()].key, 1);
                    }
                }
            }
        }
    }
}
