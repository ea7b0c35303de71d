//! The answer as data.

use serde::Serialize;

use super::declaration::Options;
use super::grow::Growth;
use super::{judge, order};
use crate::postgres::catalog::Catalog;

/// What a table's rows are to a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Each row belongs to one tenant, or to none where its way ends in NULL: those are shared.
    Tenant,
    /// Rows that several tenants may use. Restored only where a tenant's row needs one that is gone; never changed.
    Shared,
    /// Made from other rows: made again, not restored.
    Derived,
    /// Of no use once its time is over, such as sessions and queues: not restored.
    Ephemeral,
    /// Not to be told from the catalogue. A restore stops here until somebody declares it.
    Unknown,
}

impl Class {
    /// Returns the word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Shared => "shared",
            Self::Derived => "derived",
            Self::Ephemeral => "ephemeral",
            Self::Unknown => "unknown",
        }
    }
}

/// What says that a row points at another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// A foreign key of this name: the database keeps it.
    ForeignKey(String),
    /// The caller declared it.
    Declared,
    /// A table inherits the columns of another, and so its foreign key of this name.
    Inherited(String),
    /// Only the column's name and type: nothing keeps it.
    ByName,
}

/// A step on the way to the tenant: rows of `table` and rows of `to` that have the same values in these columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hop {
    /// The table nearer to the row, by place in [`Catalog::tables`].
    pub table: usize,
    /// Its columns.
    pub columns: Vec<String>,
    /// The table nearer to the tenant.
    pub to: usize,
    /// Its columns, in the same order.
    pub to_columns: Vec<String>,
    /// Whether `to` points at `table`: the row belongs to whoever points at it (an owned parent).
    pub up: bool,
    /// Whether at most one row of `to` has these values. Always so unless `up`.
    pub one: bool,
    /// A column of `table` and the value that it must have: the kind of a polymorphic reference.
    pub when: Option<(String, String)>,
    /// What says so.
    pub by: Link,
}

/// How rows of a table lead to their tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Way {
    /// All hops up to the root; none for the root itself.
    pub path: Vec<Hop>,
    /// How many of these hops must be walked until a column holds the tenant's ID; often none.
    pub joins: usize,
    /// The column that holds it, in the table that is then reached.
    pub column: String,
    /// Whether each row leads to a tenant; else those where this way ends in NULL or nowhere do not.
    pub strict: bool,
}

impl Way {
    /// Returns the table whose column holds the tenant's ID, for rows of `table`.
    #[must_use]
    pub fn holder(&self, table: usize) -> usize {
        self.joins.checked_sub(1).and_then(|last| self.path.get(last)).map_or(table, |hop| hop.to)
    }

    /// Returns whether a step is there only because of a name.
    #[must_use]
    pub fn by_name(&self) -> bool {
        self.path.iter().any(|hop| hop.by == Link::ByName)
    }
}

/// A table's class, and why.
#[derive(Clone, Debug, Serialize)]
pub struct TableClass {
    /// The table's schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its class.
    pub class: Class,
    /// Why, as a sentence for people.
    pub reason: String,
    /// How its rows lead to the tenant; none unless the class is `tenant`. Of several, the first that does not end in
    /// NULL says whose a row is.
    pub ways: Vec<Way>,
    /// What to know before its rows are restored.
    pub notes: Vec<String>,
}

/// Every table of a database by its relation to a tenant.
#[derive(Clone, Debug, Serialize)]
pub struct Closure {
    /// The table of the tenants themselves, by place in [`Catalog::tables`].
    pub root: usize,
    /// Its column that names a tenant.
    pub key: String,
    /// That column's type, as SQL.
    pub key_type: String,
    /// Every table, in the order of [`Catalog::tables`].
    pub tables: Vec<TableClass>,
    /// Tables of class `tenant` in an order of inserts that foreign keys allow, tables of a cycle side by side.
    pub order: Vec<usize>,
    /// Groups of tables of class `tenant` whose foreign keys lead around in a circle; one alone refers to itself.
    pub cycles: Vec<Vec<usize>>,
}

impl Closure {
    /// Classes every table of a catalogue by its way to the root.
    ///
    /// # Errors
    /// If the root, its key or a declaration names what is not there.
    pub fn of(catalog: &Catalog, root: &str, options: &Options) -> Result<Self, ClosureError> {
        let place = catalog.find(root).ok_or_else(|| ClosureError::Root {
            root: root.to_owned(),
            tables: catalog.tables.iter().map(crate::postgres::Table::label).collect(),
        })?;
        let table = &catalog.tables[place];
        let key = match (&options.key, table.primary_key()) {
            (Some(key), _) => key.clone(),
            (None, [key]) => key.clone(),
            (None, _) => return Err(ClosureError::Key { table: table.label() }),
        };
        let key_type = match table.column(&key) {
            Some(column) => column.data_type.clone(),
            None => return Err(ClosureError::Column { table: table.label(), column: key }),
        };
        let growth = Growth::new(catalog, place, &key, options)?.grown();
        let tables = judge::classes(&growth);
        let members: Vec<usize> = (0..tables.len()).filter(|at| tables[*at].class == Class::Tenant).collect();
        let (order, cycles) = order::inserts(catalog, &members);
        Ok(Self { root: place, key, key_type, tables, order, cycles })
    }

    /// Returns the tables of a class, by place.
    pub fn of_class(&self, class: Class) -> impl Iterator<Item = usize> {
        self.tables.iter().enumerate().filter(move |(_, table)| table.class == class).map(|(at, _)| at)
    }
}

/// Why a closure could not be computed.
#[derive(Debug, thiserror::Error)]
pub enum ClosureError {
    /// There is no such table.
    #[error("the database has no table {root}, or several in different schemas")]
    Root {
        /// What was asked for.
        root: String,
        /// What there is.
        tables: Vec<String>,
    },
    /// The root's primary key is not one column.
    #[error("the primary key of {table} is not one column, so that it is not clear what names a tenant")]
    Key {
        /// The root.
        table: String,
    },
    /// There is no such column.
    #[error("table {table} has no column {column}")]
    Column {
        /// The table.
        table: String,
        /// What was asked for.
        column: String,
    },
    /// A declaration names a table that is not there.
    #[error("a declaration names {table}, and the database has no such table, or several in different schemas")]
    Declared {
        /// What was declared.
        table: String,
    },
    /// A declared reference has another number of columns than what it refers to.
    #[error("the declared reference of {table} has {from} columns, and what it refers to has {to}")]
    Pairs {
        /// The table that refers.
        table: String,
        /// Its columns.
        from: usize,
        /// Columns of the other.
        to: usize,
    },
}

impl ClosureError {
    /// Returns the stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Root { .. } => "tenant.root",
            Self::Key { .. } => "tenant.key",
            Self::Column { .. } => "tenant.column",
            Self::Declared { .. } => "tenant.declared",
            Self::Pairs { .. } => "tenant.pairs",
        }
    }

    /// Returns what to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Root { tables, .. } if tables.is_empty() => "the database has no tables: look at the URL".to_owned(),
            Self::Root { tables, .. } => {
                let some: Vec<&str> = tables.iter().take(30).map(String::as_str).collect();
                format!("write it as name or schema.name; there are {}", some.join(", "))
            }
            Self::Key { .. } => "say which column names a tenant: --key COLUMN".to_owned(),
            Self::Column { .. } | Self::Declared { .. } => "names are taken as the catalogue spells them".to_owned(),
            Self::Pairs { .. } => "write as many columns on both sides: a(x,y)->b(x,y)".to_owned(),
        }
    }
}
