//! The catalogue as data. Tables are numbered by their place in [`Catalog::tables`], which is in order of name.

use serde::{Deserialize, Serialize};

/// What a database holds, without what belongs to PostgreSQL itself. Partitions are part of their table.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Catalog {
    /// The server's version, such as `150018`.
    pub server_version: i32,
    /// Tables and materialized views, by schema and name.
    pub tables: Vec<Table>,
    /// Foreign keys between them.
    pub foreign_keys: Vec<ForeignKey>,
    /// Triggers of users, without those that keep foreign keys.
    pub triggers: Vec<Trigger>,
    /// Sequences that a column owns.
    pub sequences: Vec<Sequence>,
}

impl Catalog {
    /// Finds a table by `name` or `schema.name`, exactly as it is spelled or else whatever its case.
    ///
    /// A name without schema means the one in `public` if there is one, else the only one that there is.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<usize> {
        let text = text.trim();
        let exact = |at: &usize| self.tables[*at].is_named(text, |one, other| one == other);
        let loose = |at: &usize| self.tables[*at].is_named(text, str::eq_ignore_ascii_case);
        let pick = |found: Vec<usize>| match found.as_slice() {
            [one] => Some(*one),
            many => many.iter().copied().find(|at| self.tables[*at].schema == "public"),
        };
        let all = 0..self.tables.len();
        pick(all.clone().filter(exact).collect()).or_else(|| pick(all.filter(loose).collect()))
    }
}

/// A table, a partitioned table with all its partitions, or a materialized view.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Table {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: TableKind,
    /// Whether its rows are lost at a crash and absent from a recovered copy.
    pub unlogged: bool,
    /// The extension to which it belongs.
    pub extension: Option<String>,
    /// What its comment says.
    pub comment: Option<String>,
    /// Its columns in their order, without dropped ones.
    pub columns: Vec<Column>,
    /// Primary key, unique and exclusion constraints, and unique indexes.
    pub indexes: Vec<Index>,
    /// Its partitions that hold rows.
    pub partitions: Vec<Partition>,
    /// Tables whose columns it inherits otherwise than as a partition, by place in [`Catalog::tables`].
    pub inherits: Vec<usize>,
    /// Whether policies filter rows: `row_security = off` then makes reading fail rather than miss rows.
    pub row_security: bool,
    /// Whether they filter them for the owner too.
    pub force_row_security: bool,
    /// Expressions of its policies.
    pub policies: Vec<String>,
    /// Rows, as last counted by ANALYZE; negative if never.
    pub estimated_rows: f32,
}

impl Table {
    /// Returns the name for people and for `--declare`: without the schema if that is `public`.
    #[must_use]
    pub fn label(&self) -> String {
        if self.schema == "public" { self.name.clone() } else { format!("{}.{}", self.schema, self.name) }
    }

    /// Returns the column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Returns the columns of the primary key; none if there is no such key.
    #[must_use]
    pub fn primary_key(&self) -> &[String] {
        self.indexes.iter().find(|index| index.primary).map_or(&[], |index| &index.columns)
    }

    /// Returns whether no two rows have the same values in these columns, NULLs apart.
    #[must_use]
    pub fn is_unique(&self, columns: &[String]) -> bool {
        self.indexes.iter().any(|index| {
            index.unique
                && index.whole
                && !index.columns.is_empty()
                && index.columns.iter().all(|column| columns.contains(column))
        })
    }

    fn is_named(&self, text: &str, same: impl Fn(&str, &str) -> bool) -> bool {
        same(&self.name, text)
            || text.split_once('.').is_some_and(|(schema, name)| same(&self.schema, schema) && same(&self.name, name))
    }
}

/// What a table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableKind {
    /// A table with rows of its own.
    #[default]
    Plain,
    /// A table whose rows lie in partitions.
    Partitioned,
    /// Rows of another server.
    Foreign,
    /// Rows computed by a query.
    MaterializedView,
}

/// A column.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type as SQL writes it, with schema where it is not PostgreSQL's own.
    pub data_type: String,
    /// The type below its domain, without length: what can be compared with what.
    pub base_type: String,
    /// Whether NULL is refused.
    pub not_null: bool,
    /// Its default as SQL.
    pub default: Option<String>,
    /// Whether it is computed.
    pub generated: Option<Generated>,
    /// The columns that it is computed from.
    #[serde(default)]
    pub computed_from: Vec<String>,
    /// Whether it numbers itself.
    pub identity: Option<Identity>,
    /// Whether it holds the number of a large object.
    pub large_object: bool,
}

/// When a column is computed; such a column is never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Generated {
    /// When the row is written.
    Stored,
    /// When it is read.
    Virtual,
}

/// Whether a column that numbers itself takes a given number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    /// Only with OVERRIDING SYSTEM VALUE, or by COPY.
    Always,
    /// Yes.
    ByDefault,
}

/// What keeps rows of a table apart.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Index {
    /// Name of the constraint or index.
    pub name: String,
    /// Whether it is the primary key.
    pub primary: bool,
    /// Whether equal rows are refused; an exclusion constraint is not unique.
    pub unique: bool,
    /// Whether overlapping rows are refused.
    pub exclusion: bool,
    /// Whether it keeps all rows apart, by columns: neither partial nor of expressions.
    pub whole: bool,
    /// Whether it has expressions beside or instead of columns.
    pub expressions: bool,
    /// Its columns; expressions are left out.
    pub columns: Vec<String>,
    /// Its condition, if it is partial.
    pub predicate: Option<String>,
    /// As SQL.
    pub definition: String,
}

/// A partition that holds rows.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Partition {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Which rows it takes, as SQL.
    pub bound: String,
}

/// A foreign key.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct ForeignKey {
    /// Its name.
    pub name: String,
    /// The table that points, by place in [`Catalog::tables`].
    pub child: usize,
    /// Its columns.
    pub columns: Vec<String>,
    /// The table that is pointed at.
    pub parent: usize,
    /// The columns that are pointed at, in the same order.
    pub parent_columns: Vec<String>,
    /// What becomes of the child's row when the parent's goes.
    pub on_delete: Action,
    /// Whether the check may wait for COMMIT.
    pub deferrable: bool,
    /// Whether existing rows were checked when it was made.
    pub validated: bool,
    /// Whether only some partitions of the child have it.
    pub partial: bool,
}

/// What a foreign key does when the row goes that it points at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Refuses, now or at the end of the statement.
    #[default]
    Refuse,
    /// Deletes the row that points.
    Cascade,
    /// Makes the pointing columns NULL.
    SetNull,
    /// Gives the pointing columns their default.
    SetDefault,
}

/// A trigger of users.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Trigger {
    /// Its table, by place in [`Catalog::tables`].
    pub table: usize,
    /// Its name.
    pub name: String,
    /// When it fires.
    pub state: TriggerState,
    /// As SQL.
    pub definition: String,
    /// Its function, with schema.
    pub function: String,
    /// Tables that its function writes, as far as its text shows; functions that it calls are not read.
    pub writes: Vec<usize>,
    /// Whether its function builds SQL while it runs, so that `writes` may miss tables.
    pub dynamic: bool,
    /// Whether it may change the row that is written: before it, row by row.
    pub changes_row: bool,
}

/// When a trigger fires, by `session_replication_role`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerState {
    /// Unless the role is replica.
    #[default]
    Origin,
    /// In any role: it cannot be kept quiet.
    Always,
    /// Only in the role replica: it wakes when others are kept quiet.
    Replica,
    /// Never.
    Disabled,
}

/// A sequence that a column owns.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Sequence {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The table of its column, by place in [`Catalog::tables`].
    pub table: usize,
    /// The column.
    pub column: String,
    /// What each number adds; negative counts down.
    pub increment: i64,
}
