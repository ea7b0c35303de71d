//! What a column holds, and how it is declared in PostgreSQL.

/// The kinds of values in a product database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Real,
    Text,
    Blob,
    /// An instant; a text in RFC 3339 as the lab holds it.
    Time,
    /// A document; a text as the lab holds it.
    Json,
}

impl Kind {
    /// The kind of a column by its name and its declaration in SQLite.
    pub(crate) fn of(name: &str, declaration: &str) -> Self {
        match declaration.split(' ').next() {
            Some("INTEGER") => Self::Int,
            Some("REAL") => Self::Real,
            Some("BLOB") => Self::Blob,
            _ if name.ends_with("_at") => Self::Time,
            _ if name == "rotation" => Self::Json,
            _ => Self::Text,
        }
    }

    /// The type in PostgreSQL.
    pub(super) const fn declared(self) -> &'static str {
        match self {
            Self::Int => "bigint",
            Self::Real => "double precision",
            Self::Text => "text",
            Self::Blob => "bytea",
            Self::Time => "timestamptz",
            Self::Json => "jsonb",
        }
    }

    /// The mark of a parameter for such a column of PostgreSQL.
    pub(crate) const fn mark(self) -> &'static str {
        match self {
            Self::Time => "?::text::timestamptz",
            Self::Json => "?::text::jsonb",
            Self::Int | Self::Real | Self::Text | Self::Blob => "?",
        }
    }
}
