//! Why rows cannot get new IDs: told before anything is written.

use crate::postgres::restore::error::listed;

/// Why a tenant's rows cannot get new IDs as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemapError {
    /// A declaration cannot be read.
    #[error("`{text}`: {why}")]
    Declaration {
        /// What was declared.
        text: String,
        /// What is wrong.
        why: String,
    },
    /// A declaration names what is not there.
    #[error("`{text}` names {what}, which is not there")]
    Missing {
        /// What was declared.
        text: String,
        /// The table or column.
        what: String,
    },
    /// A declaration names a table whose rows are no tenant's.
    #[error("`{text}`: rows of {table} are not the tenant's, so that nothing is rewritten there")]
    NotTenants {
        /// What was declared.
        text: String,
        /// The table.
        table: String,
    },
    /// What a declaration refers to keeps its values.
    #[error("`{text}`: values of {parent} stay as they are, so that there is nothing to rewrite")]
    NotRemapped {
        /// What was declared.
        text: String,
        /// The column, with its table.
        parent: String,
    },
    /// A column's type has no such places.
    #[error("`{text}`: {column} is of type {data_type}")]
    Type {
        /// What was declared.
        text: String,
        /// The column, with its table.
        column: String,
        /// Its type.
        data_type: String,
    },
    /// Whole numbers that nothing gives out.
    #[error("nothing gives out new numbers for {}", listed(.0))]
    NoSequence(
        /// The columns, with their tables.
        Vec<String>,
    ),
    /// A column that is to keep its values must follow what it refers to.
    #[error("{column} cannot be kept: it refers to {parent}, which gets new IDs")]
    Kept {
        /// The column, with its table.
        column: String,
        /// What it refers to.
        parent: String,
    },
    /// A column refers to two different IDs.
    #[error("{column} would hold IDs of {one} and of {other}")]
    Ambiguous {
        /// The column, with its table.
        column: String,
        /// An ID.
        one: String,
        /// Another.
        other: String,
    },
    /// A value that is no old ID of the tenant equals a new one.
    #[error("{rows} rows of {column} hold a value that is a new ID now, and was none of the tenant's")]
    Clash {
        /// The column, with its table.
        column: String,
        /// How many rows.
        rows: u64,
        /// Whether the new ID was drawn, so that another attempt draws another.
        drawn: bool,
    },
    /// A new ID does not fit into what holds it.
    #[error("new IDs do not fit into {what}: {why}")]
    Unfit {
        /// The table, with its column if it is known.
        what: String,
        /// What was cut off, or said by the server.
        why: String,
    },
    /// Values under new IDs do not become what they were when the IDs are taken back.
    #[error("{rows} values of {what} do not become what they were when new IDs are taken back")]
    NoWayBack {
        /// The table, with its column if it is known.
        what: String,
        /// How many values; 0 if no column shows it by itself.
        rows: u64,
    },
    /// Not one tenant.
    #[error("{0} tenants are named, and one of them gets the new ID")]
    Several(
        /// How many.
        usize,
    ),
    /// A restore under new IDs writes a table by one statement, which nothing can slow down.
    #[error("a guard cannot slow down a restore under new IDs")]
    Guarded,
    /// The new ID is the old one.
    #[error("{0} is the tenant's old ID")]
    Same(
        /// The ID.
        String,
    ),
    /// The unit has given the tenant another ID.
    #[error("this restore has given the tenant the ID {done}, and is asked for {asked} now")]
    Other {
        /// The ID that it has.
        done: String,
        /// The ID that was asked for.
        asked: String,
    },
    /// The new ID stands for another tenant already.
    #[error("{tenant} stands for {was} already: the restore {key} has given it this ID")]
    Taken {
        /// The new ID.
        tenant: String,
        /// The tenant that has it.
        was: String,
        /// The key of its restore.
        key: String,
    },
    /// An earlier restore under the same new ID has done it otherwise, so that its rows would come a second time.
    #[error("{column}: the restore {key} under this new ID {did}")]
    Otherwise {
        /// The column, with its table.
        column: String,
        /// The key of the earlier restore.
        key: String,
        /// What it did, and what would be done now.
        did: &'static str,
    },
    /// The map says two things of one ID.
    #[error("the map of IDs from {was} to {tenant} has one ID twice")]
    Twice {
        /// The old ID.
        was: String,
        /// The new one.
        tenant: String,
    },
    /// IDs of rows of another restore that are referred to, and that it has not given.
    #[error(
        "{ids} IDs of {column} have no new ones: no restore under {tenant} has given them, and this one leaves the table out"
    )]
    Unrestored {
        /// The column, with its table.
        column: String,
        /// How many.
        ids: u64,
        /// The new ID.
        tenant: String,
    },
    /// No map of the tenant's IDs is there.
    #[error("the live database has no map of IDs from {was} to {tenant}")]
    NoMap {
        /// The old ID.
        was: String,
        /// The new one.
        tenant: String,
    },
}

impl RemapError {
    /// Returns the stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Declaration { .. } => "remap.declaration",
            Self::Missing { .. } => "remap.missing",
            Self::NotTenants { .. } => "remap.not_tenants",
            Self::NotRemapped { .. } => "remap.not_remapped",
            Self::Type { .. } => "remap.type",
            Self::NoSequence(_) => "remap.no_sequence",
            Self::Kept { .. } => "remap.kept",
            Self::Ambiguous { .. } => "remap.ambiguous",
            Self::Clash { .. } => "remap.clash",
            Self::Unfit { .. } => "remap.unfit",
            Self::NoWayBack { .. } => "remap.no_way_back",
            Self::Several(_) => "remap.several",
            Self::Guarded => "remap.guard",
            Self::Same(_) => "remap.same",
            Self::Other { .. } => "remap.other",
            Self::Taken { .. } => "remap.taken",
            Self::Otherwise { .. } => "remap.otherwise",
            Self::Twice { .. } => "remap.twice",
            Self::Unrestored { .. } => "remap.unrestored",
            Self::NoMap { .. } => "remap.no_map",
        }
    }

    /// Returns what to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Declaration { .. } => "`remap` takes references of one column, as `declare` writes them",
            Self::Missing { .. } => "names are taken as the catalogue spells them",
            Self::NotTenants { .. } => "`reinstate tenant closure` says whose the rows of each table are",
            Self::NotRemapped { .. } => "name the column that gets new IDs, or drop the declaration",
            Self::Type { .. } => {
                "`json` takes columns of type jsonb; in json and in text, IDs are replaced as whole words: declare it as `text`"
            }
            Self::NoSequence(_) => {
                "keep the numbers (`keep`), declare what the column refers to, or give it a sequence in the live database"
            }
            Self::Kept { .. } => "keep what it refers to as well",
            Self::Ambiguous { .. } => "keep one of them, or declare under which condition it is which (`when`)",
            Self::Clash { drawn: false, .. } => {
                "if the column holds no such IDs, keep it (`keep`) or drop its declaration; else take another new ID for the tenant"
            }
            Self::Clash { .. } => {
                "another attempt draws other numbers; if the column holds no IDs, keep it (`keep`) or drop its declaration"
            }
            Self::Unfit { .. } => {
                "make the column wider, in the live database and in the copy; or keep it (`keep`), or drop its declaration"
            }
            Self::NoWayBack { .. } => {
                "is the ID written there in two ways, as a number and as a text? Keep the column (`keep`), or drop its declaration"
            }
            Self::Several(_) => "restore each tenant by itself, with its own new ID",
            Self::Guarded => "leave the guard out; restore large tenants when the live database is less busy",
            Self::Same(_) => "leave `remap` out to restore under the old IDs",
            Self::Other { .. } => "take the restore back first, or give the new one a key of its own",
            Self::Taken { .. } => "take another new ID; or take that restore back first (`postgres/remove`)",
            Self::Otherwise { .. } => "say `keep` as that restore did, or take it back first (`postgres/remove`)",
            Self::Twice { .. } => {
                "was a sequence set back, or did two restores under this new ID not know of each other? Take one back first"
            }
            Self::Unrestored { .. } => {
                "restore its table before, or together with this one; if its values stay as they are, `keep` them"
            }
            Self::NoMap { .. } => "was the tenant restored under this new ID, and not taken back since?",
        }
    }
}
