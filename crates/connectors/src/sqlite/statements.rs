//! SQL texts for the rows of one tenant; argument 1 is the tenant. `main` is the live file, `rec` the recovered one.

use super::closure::Closure;
use super::quote::{literal, name};
use super::schema::{Column, ForeignKey, Table, Tables, UniqueColumn};

/// A row of the tenant in the live file, before the first write.
pub(super) const OWNED: i64 = 0;
/// A row of the live file with the key of a row to restore.
pub(super) const SAME_KEY: i64 = 1;
/// A row of the live file that holds a unique name of a row to restore.
pub(super) const TAKEN: i64 = 2;
/// A row to restore whose parent is neither restored nor there.
pub(super) const ORPHAN: i64 = 3;
/// Number of a row that counts changes of the connection instead of describing a table's row.
pub(super) const CHANGES: i64 = -1;

const COUNTER: &str = "CAST(total_changes() AS TEXT)";

/// Builds the texts.
pub(super) struct Statements<'a> {
    pub(super) closure: &'a Closure,
    pub(super) tables: &'a [Table],
    pub(super) all: &'a Tables,
}

impl Statements<'_> {
    /// Number of the table and canonical text of each row of the tenant.
    pub(super) fn rows(&self, schema: &str, counted: bool) -> String {
        let mut parts: Vec<String> = self.each(|number, table| {
            let condition = self.closure.condition(schema, &table.name, "t");
            vec![format!("SELECT {number}, {} FROM {} AS t WHERE {condition}", text("t", table), at(schema, table))]
        });
        if counted {
            parts.push(format!("SELECT {CHANGES}, {COUNTER}"));
        }
        parts.join(" UNION ALL ")
    }

    /// What stands in the way in the live file: number of the table, kind, text.
    pub(super) fn before(&self) -> String {
        let mut parts = self.each(|number, table| {
            let (ours, theirs) = (at("rec", table), at("main", table));
            let restored = self.closure.condition("rec", &table.name, "s");
            let owned = self.closure.condition("main", &table.name, "l");
            let mut parts = vec![format!("SELECT {number}, {OWNED}, {} FROM {theirs} AS l WHERE {owned}", text("l", table))];
            if !table.key().is_empty() {
                let same = same_key(table, "l", "s");
                parts.push(format!(
                    "SELECT {number}, {SAME_KEY}, {} FROM {ours} AS s CROSS JOIN {theirs} AS l WHERE {restored} AND {same}",
                    text("l", table)
                ));
                for columns in &table.unique {
                    let told = format!("{} || ' is taken by ' || {}", told(table, columns.iter().map(|c| c.name.as_str()), "l"), key_told(table, "l"));
                    parts.push(format!(
                        "SELECT {number}, {TAKEN}, {told} FROM {ours} AS s CROSS JOIN {theirs} AS l WHERE {restored} AND {} AND NOT ({same})",
                        unique_equal(columns)
                    ));
                }
            }
            for key in table.foreign_keys.iter().filter(|key| !self.restores(&key.parent)) {
                parts.push(format!(
                    "SELECT {number}, {ORPHAN}, {} FROM {ours} AS s WHERE {restored} AND {}",
                    orphan_told(table, key, "s"),
                    self.orphan("main", key, "s")
                ));
            }
            parts
        });
        parts.push(format!("SELECT {CHANGES}, 0, {COUNTER}"));
        parts.join(" UNION ALL ")
    }

    /// Inserts, parents first. With `missing`, rows that are there already are left out.
    pub(super) fn insert(&self, missing: bool) -> String {
        let mut parts = Vec::new();
        // Setting the pragma makes SQLite compile every statement of the connection anew (OP_Expire), which costs more
        // than a small tenant's rows; a table that refers to itself is checked at the end of its one statement anyway.
        if self.closes_a_cycle() {
            parts.push("PRAGMA defer_foreign_keys = ON".to_owned());
        }
        parts.extend(self.each(|_, table| {
            let columns: Vec<String> = table.writable().map(|column| name(&column.name)).collect();
            let picked: Vec<String> = columns.iter().map(|column| format!("s.{column}")).collect();
            let mut filter = self.closure.condition("rec", &table.name, "s");
            if missing {
                let same = if table.key().is_empty() {
                    same(table.columns.iter(), "l", "s", true)
                } else {
                    same_key(table, "l", "s")
                };
                filter.push_str(&format!(" AND NOT EXISTS (SELECT 1 FROM {} AS l WHERE {same})", at("main", table)));
            }
            vec![format!(
                "INSERT INTO {} ({}) SELECT {} FROM {} AS s WHERE {filter}",
                at("main", table),
                columns.join(", "),
                picked.join(", "),
                at("rec", table)
            )]
        }));
        parts.join("; ")
    }

    /// Whether some table is inserted before a parent of its.
    fn closes_a_cycle(&self) -> bool {
        self.tables.iter().enumerate().any(|(ix, table)| {
            let later = &self.tables[ix + 1..];
            table.foreign_keys.iter().any(|key| later.iter().any(|other| other.name.eq_ignore_ascii_case(&key.parent)))
        })
    }

    /// Rows of the tenant in the live file whose parent is missing.
    pub(super) fn orphans(&self) -> Option<String> {
        let parts = self.each(|_, table| {
            let owned = self.closure.condition("main", &table.name, "t");
            table
                .foreign_keys
                .iter()
                .map(|key| {
                    format!(
                        "SELECT {} FROM {} AS t WHERE {owned} AND {}",
                        orphan_told(table, key, "t"),
                        at("main", table),
                        self.orphan("main", key, "t")
                    )
                })
                .collect()
        });
        (!parts.is_empty()).then(|| parts.join(" UNION ALL "))
    }

    /// Names rows with the same key that differ, and in what; at most 9.
    pub(super) fn differing(&self, table: &Table) -> Option<String> {
        if table.key().is_empty() {
            return None;
        }
        let owned = self.closure.condition("main", &table.name, "l");
        let restored = self.closure.condition("rec", &table.name, "s");
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| {
                let (live, ours) = (value("l", column), value("s", column));
                format!("CASE WHEN {live} <> {ours} THEN {} ELSE '' END", literal(&format!("{}, ", column.name)))
            })
            .collect();
        Some(format!(
            "SELECT {} || CASE WHEN ({owned}) IS NOT 1 THEN ' is not this tenant''s and' ELSE '' END || ' differs in ' || rtrim({}, ', ') FROM {} AS s CROSS JOIN {} AS l WHERE {restored} AND {} AND {} <> {} LIMIT 9",
            key_told(table, "l"),
            columns.join(" || "),
            at("rec", table),
            at("main", table),
            same_key(table, "l", "s"),
            text("l", table),
            text("s", table)
        ))
    }

    /// Names rows of the tenant that the recovered file does not hold; at most 9.
    pub(super) fn extra(&self, table: &Table) -> Option<String> {
        if table.key().is_empty() {
            return None;
        }
        let owned = self.closure.condition("main", &table.name, "l");
        Some(format!(
            "SELECT {} || ' is not in the recovered file' FROM {} AS l WHERE {owned} AND NOT EXISTS (SELECT 1 FROM {} AS s WHERE {}) LIMIT 9",
            key_told(table, "l"),
            at("main", table),
            at("rec", table),
            same_key(table, "s", "l")
        ))
    }

    fn each(&self, make: impl Fn(usize, &Table) -> Vec<String>) -> Vec<String> {
        self.tables.iter().enumerate().flat_map(|(number, table)| make(number, table)).collect()
    }

    fn restores(&self, parent: &str) -> bool {
        self.tables.iter().any(|table| table.name.eq_ignore_ascii_case(parent))
    }

    /// Condition under which a row's key points nowhere. A key with a NULL points nowhere on purpose.
    fn orphan(&self, schema: &str, key: &ForeignKey, alias: &str) -> String {
        let mut parts: Vec<String> =
            key.pairs.iter().map(|(own, _)| format!("{alias}.{} IS NOT NULL", name(own))).collect();
        if self.all.contains_key(&key.parent.to_lowercase()) {
            let equal: Vec<String> =
                key.pairs.iter().map(|(own, to)| format!("q.{} = {alias}.{}", name(to), name(own))).collect();
            parts.push(format!(
                "NOT EXISTS (SELECT 1 FROM {schema}.{} AS q WHERE {})",
                name(&key.parent),
                equal.join(" AND ")
            ));
        }
        parts.join(" AND ")
    }
}

pub(super) fn at(schema: &str, table: &Table) -> String {
    format!("{schema}.{}", name(&table.name))
}

/// Canonical text of a row: the same for equal rows only, whatever the types of their values.
pub(super) fn text(alias: &str, table: &Table) -> String {
    let values: Vec<String> = table.columns.iter().map(|column| value(alias, column)).collect();
    values.join(" || ',' || ")
}

/// Canonical text of a value. `quote` ends a text at a NUL character, so such a text is written in hexadecimal.
fn value(alias: &str, column: &Column) -> String {
    let value = format!("{alias}.{}", name(&column.name));
    format!(
        "CASE WHEN typeof({value}) = 'text' AND instr({value}, char(0)) THEN 'Z' || hex({value}) ELSE quote({value}) END"
    )
}

fn same_key(table: &Table, left: &str, right: &str) -> String {
    // SQLite allows NULL in the primary key of an ordinary table unless it is its row number.
    let key = table.key();
    let never_null = table.without_rowid || (key.len() == 1 && key[0].kind == "INTEGER");
    same(key.into_iter(), left, right, !never_null)
}

fn same<'a>(columns: impl Iterator<Item = &'a Column>, left: &str, right: &str, nullable: bool) -> String {
    let equal: Vec<String> = columns
        .map(|column| {
            let operator = if nullable && !column.not_null { "IS" } else { "=" };
            format!("{left}.{column} {operator} {right}.{column}", column = name(&column.name))
        })
        .collect();
    equal.join(" AND ")
}

fn unique_equal(columns: &[UniqueColumn]) -> String {
    let equal: Vec<String> = columns
        .iter()
        .map(|column| format!("l.{0} = s.{0} COLLATE {1}", name(&column.name), name(&column.collation)))
        .collect();
    equal.join(" AND ")
}

fn key_told(table: &Table, alias: &str) -> String {
    told(table, table.key().into_iter().map(|column| column.name.as_str()), alias)
}

pub(super) fn orphan_told(table: &Table, key: &ForeignKey, alias: &str) -> String {
    let own = told(table, key.pairs.iter().map(|(own, _)| own.as_str()), alias);
    format!("{own} || {}", literal(&format!(" has no row in {}", key.parent)))
}

/// SQL for a text such as `issues(id=7)`.
fn told<'a>(table: &Table, columns: impl Iterator<Item = &'a str>, alias: &str) -> String {
    let values: Vec<String> = columns
        .map(|column| format!("{} || substr(quote({alias}.{}), 1, 60)", literal(&format!("{column}=")), name(column)))
        .collect();
    format!("{} || {} || ')'", literal(&format!("{}(", table.name)), values.join(" || ', ' || "))
}
