//! Why tenants could not be restored.

use std::fmt;

use serde::Serialize;

use super::remap::{Dangling, RemapError};
use crate::postgres::catalog::CatalogError;
use crate::postgres::closure::ClosureError;
use crate::postgres::connect::ConnectError;

/// Most places that a message names.
pub(crate) const SHOWN: usize = 8;

/// Why a restore did not happen, or what it would have done wrong. Never holds a row's contents but its keys.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The backup is a standby on its way: what it holds is not what it will hold at its point.
    #[error("{0} still replays WAL: it does not stand at a point in time yet")]
    Moving(String),
    /// The catalogue could not be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The closure could not be computed.
    #[error(transparent)]
    Closure(#[from] ClosureError),
    /// The rows cannot get new IDs as it was asked for.
    #[error(transparent)]
    Remap(#[from] RemapError),
    /// Old IDs are left where new ones should be, or where nobody declared any.
    #[error("{tenant}: rolled back, old IDs would be left in {}", listed(.found))]
    Dangling {
        /// The tenant's old ID.
        tenant: String,
        /// Which columns.
        found: Vec<Dangling>,
    },
    /// Tables that nobody can class.
    #[error("it is not known whose the rows of these tables are: {}", listed(.0))]
    Unclassed(Vec<String>),
    /// The databases differ in what a restore relies on.
    #[error("the backup and the live database differ: {}", listed(.0))]
    Drift(Vec<String>),
    /// Triggers that would write though others are kept quiet.
    #[error("these triggers fire in any role: {}", listed(.0))]
    Triggers(Vec<String>),
    /// The role may not do what a restore needs.
    #[error("{what}: {why}")]
    Rights {
        /// What it may not.
        what: &'static str,
        /// What the server said, or what follows from it.
        why: String,
    },
    /// The tenant is not in the backup.
    #[error("the backup holds no tenant {0}")]
    NoTenant(String),
    /// A tenant that was not in use at the restore point.
    #[error("{tenant} was not in use at the restore point: {found}")]
    Inactive {
        /// The tenant.
        tenant: String,
        /// What its own row says.
        found: String,
    },
    /// A column that is not there.
    #[error("{table} has no column {column}")]
    NoColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// An ID that the root's key cannot hold.
    #[error("{id} is no value of the tenants' key: {why}")]
    BadId {
        /// The ID.
        id: String,
        /// What the server said.
        why: String,
    },
    /// Rows in the live database stand in the way.
    #[error("{tenant}: {} in the live database: {}", counted(.conflicts.len(), "conflict"), listed(.conflicts))]
    Conflict {
        /// The tenant.
        tenant: String,
        /// Each conflict, at most a thousand.
        conflicts: Vec<Conflict>,
    },
    /// What arrived is not what was sent.
    #[error("{tenant}: rolled back, the live database does not hold these rows as the backup does: {}", listed(.differences))]
    Mismatch {
        /// The tenant.
        tenant: String,
        /// What differs.
        differences: Vec<String>,
    },
    /// Rows refer to rows that are nowhere.
    #[error("{tenant}: rolled back, rows would refer to rows that are not there: {}", listed(.missing))]
    References {
        /// The tenant.
        tenant: String,
        /// Which keys.
        missing: Vec<String>,
    },
    /// The rows are not as the restore left them.
    #[error("{tenant}: its rows are not as the restore left them: {}", listed(.differences))]
    ChangedSince {
        /// The tenant.
        tenant: String,
        /// What differs.
        differences: Vec<String>,
    },
    /// A newer attempt was here.
    #[error("attempt {token} is stale: the ledger has seen {seen}")]
    Stale {
        /// This attempt.
        token: i64,
        /// The newer one.
        seen: i64,
    },
    /// This restore was taken back.
    #[error("this restore was taken back by {0}")]
    Undone(String),
    /// Files of an extract cannot be read or written, or are not what they should be.
    #[error("the extract {}: {why}", path.display())]
    Extract {
        /// The file or folder.
        path: std::path::PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A stream was not what COPY promises.
    #[error("a stream of rows is broken: {0}")]
    Stream(&'static str),
    /// A server answered with an error before anything was committed.
    #[error("failed to {doing}: {why}")]
    Database {
        /// What was being done.
        doing: String,
        /// SQLSTATE, if the server answered.
        state: Option<String>,
        /// Its words, without the contents of rows.
        why: String,
    },
    /// A tenant in several transactions, of which the last did not come.
    #[error("{transactions} transactions with a part of it are committed, and the rest is not: {source}")]
    Partly {
        /// How many are committed.
        transactions: u64,
        /// Why it did not go on.
        source: Box<RestoreError>,
    },
    /// The answer to COMMIT did not come.
    #[error("the answer to COMMIT did not come: {0}")]
    InDoubt(String),
}

/// A row of the live database that stands in the way of one of the backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The table.
    pub table: String,
    /// Kind of conflict.
    pub kind: ConflictKind,
    /// The constraint or index that keeps the rows apart; none if there is none.
    pub constraint: Option<String>,
    /// The key, as text.
    pub key: String,
    /// Whose the row in the live database is, if anybody's.
    pub owner: Option<String>,
}

/// How a live row stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConflictKind {
    /// A row of the same tenant has this key and other contents.
    Differs,
    /// Another tenant, or nobody, has a row with this key.
    Foreign,
    /// A row of the tenant that the backup does not hold.
    Extra,
    /// A unique value is taken by another row.
    Unique,
    /// An exclusion constraint refuses the row.
    Exclusion,
    /// A large object has this number.
    LargeObject,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ConflictKind::Differs => "holds another row under",
            ConflictKind::Foreign => "holds a row that is not this tenant's under",
            ConflictKind::Extra => "holds a row that the backup does not:",
            ConflictKind::Unique => "has taken",
            ConflictKind::Exclusion => "excludes",
            ConflictKind::LargeObject => "has a large object",
        };
        write!(f, "{} {kind} {}", self.table, self.key)?;
        if let Some(constraint) = &self.constraint {
            write!(f, " ({constraint})")?;
        }
        match &self.owner {
            Some(owner) => write!(f, " of {owner}"),
            None => Ok(()),
        }
    }
}

impl RestoreError {
    /// Returns the stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Connect(error) => error.code(),
            Self::Moving(_) => "postgres.moving",
            Self::Catalog(error) => error.code(),
            Self::Closure(error) => error.code(),
            Self::Remap(error) => error.code(),
            Self::Dangling { .. } => "remap.dangling",
            Self::Unclassed(_) => "postgres.unclassed",
            Self::Drift(_) => "postgres.schema_drift",
            Self::Triggers(_) => "postgres.triggers",
            Self::Rights { .. } => "postgres.rights",
            Self::NoTenant(_) => "postgres.no_tenant",
            Self::Inactive { .. } => "postgres.inactive",
            Self::NoColumn { .. } => "postgres.no_column",
            Self::BadId { .. } => "postgres.bad_id",
            Self::Conflict { .. } => "postgres.conflict",
            Self::Mismatch { .. } => "postgres.mismatch",
            Self::References { .. } => "postgres.references",
            Self::ChangedSince { .. } => "postgres.changed_since",
            Self::Stale { .. } => "postgres.stale_token",
            Self::Undone(_) => "postgres.undone",
            Self::Extract { .. } => "postgres.extract",
            Self::Stream(_) => "postgres.stream",
            Self::Database { .. } => "postgres.failed",
            Self::Partly { source, .. } => source.code(),
            Self::InDoubt(_) => "postgres.in_doubt",
        }
    }

    /// Whether rows would refer to rows that are nowhere, also where a part of the tenant is committed already.
    pub(crate) fn is_of_references(&self) -> bool {
        match self {
            Self::References { .. } => true,
            Self::Partly { source, .. } => source.is_of_references(),
            _ => false,
        }
    }

    /// Returns what to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Connect(error) => error.hint().to_owned(),
            Self::Moving(_) => {
                "wait until it has reached its point; pause the replay of a standby (pg_wal_replay_pause)".into()
            }
            Self::Catalog(error) => error.hint().to_owned(),
            Self::Closure(error) => error.hint(),
            Self::Remap(error) => error.hint().to_owned(),
            Self::Dangling { found, .. } => {
                let (table, column) = found.first().map_or(("TABLE", "COLUMN"), |it| (&it.table, &it.column));
                format!(
                    "declare what the column holds, as text: [\"{table}({column})->TABLE(COLUMN)\"], json: [\"{table}({column} $.PATH)->TABLE(COLUMN)\"] \
                     or keep: [\"{table}.{column}\"]; `dangling: report` accepts what nobody declared"
                )
            }
            Self::Unclassed(_) => {
                "`reinstate tenant closure` says why; declare each table (shared, ephemeral, tenant or a reference)"
                    .into()
            }
            Self::Drift(_) => "bring the live schema to that of the restore point, or take a later point".into(),
            Self::Triggers(_) => "disable them for the restore, or allow them to fire if what they do is wanted".into(),
            Self::Rights { .. } => "connect as a superuser, or grant what is missing to the role".into(),
            Self::NoTenant(_) => "is the ID right, and was the tenant there at the restore point?".into(),
            Self::Inactive { .. } => {
                "the deletion had begun: recover to an earlier point, or take it out of `active`".into()
            }
            Self::NoColumn { .. } => "name columns of the tenants' own table in `active`".into(),
            Self::BadId { .. } => "is this an ID of the root's key, and not of something else?".into(),
            Self::Conflict { .. } => {
                "look at the rows; keep the live ones (keep-live), replace them, or free the name and try again".into()
            }
            Self::Mismatch { .. } => {
                "something changes rows as they are written: look for triggers and defaults".into()
            }
            Self::References { .. } => {
                "restore what they refer to first, or declare the reference's real target".into()
            }
            Self::ChangedSince { .. } => {
                "the site is in use again; `if_changed: remove` takes out what is there now".into()
            }
            Self::Stale { .. } => "a newer attempt has done it; nothing to do".into(),
            Self::Undone(_) => "a restore after its undo needs a key of its own".into(),
            Self::Extract { .. } => "extract again: what is complete is kept, the rest is taken out anew".into(),
            Self::Stream(_) => "try again; if it stays, the server or a proxy between is broken".into(),
            Self::Database { state, .. } => match state.as_deref() {
                Some("55P03" | "57014") => "a lock was not to be had in time; try again when the table is less busy",
                Some("53100") => "the server's disk is full; nothing was committed for this tenant",
                _ => "nothing was committed for this tenant; see the server's log",
            }
            .into(),
            Self::Partly { source, .. } => {
                format!("another attempt goes on from there, postgres/remove takes it out again; {}", source.hint())
            }
            Self::InDoubt(_) => "the ledger in the live database says whether it was committed".into(),
        }
    }

    /// Whether another attempt may go better though nobody does anything.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Connect(error) => !matches!(error, ConnectError::Url { .. }),
            Self::Remap(RemapError::Clash { drawn, .. }) => *drawn,
            Self::Catalog(CatalogError::Refused { .. }) | Self::Moving(_) | Self::Stream(_) => true,
            // What the server says of the data (class 22 and 23) or of the statement (42) stays so.
            Self::Database { state, .. } => state
                .as_deref()
                .is_none_or(|state| !["22", "23", "42", "0A"].iter().any(|class| state.starts_with(class))),
            Self::Partly { source, .. } => source.may_pass(),
            _ => false,
        }
    }

    /// Whether the server has run out of something (class 53: disk, memory, connections).
    pub(crate) fn is_for_want_of_room(&self) -> bool {
        matches!(self, Self::Database { state: Some(state), .. } if state.starts_with("53"))
    }

    /// Whether the effect may be there all the same.
    pub(crate) fn is_in_doubt(&self) -> bool {
        matches!(self, Self::InDoubt(_) | Self::Partly { .. })
    }
}

/// Makes an error of what a server or the line to it said while something was done.
pub(crate) fn failed(doing: impl Into<String>) -> impl FnOnce(sqlx::Error) -> RestoreError {
    let doing = doing.into();
    move |error| match &error {
        sqlx::Error::Database(answer) => RestoreError::Database {
            doing,
            state: answer.code().map(|code| code.into_owned()),
            why: answer.message().to_owned(),
        },
        other => RestoreError::Database { doing, state: None, why: other.to_string() },
    }
}

/// Names the first few of many.
pub(crate) fn listed<T: fmt::Display>(all: &[T]) -> String {
    let shown: Vec<String> = all.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = all.len().saturating_sub(SHOWN);
    let text = shown.join("; ");
    if more > 0 { format!("{text}; and {more} more") } else { text }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
