//! The one place where SQL text is made from names of the world's tables.
//!
//! Every name goes through [`name`], every literal through [`literal`]; values are always bound. Nothing else in this
//! crate may call `AssertSqlSafe`.

use std::sync::Arc;

use sqlx::AssertSqlSafe;

/// Quotes an identifier.
pub(super) fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a text.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Declares a text to be SQL: our own, with quoted names, or a whole query that the runbook's author wrote.
pub(crate) fn sql(text: &Arc<str>) -> AssertSqlSafe<Arc<str>> {
    AssertSqlSafe(Arc::clone(text))
}

#[cfg(test)]
mod tests {
    use super::{literal, name};

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(name("a\"; drop table x; --"), "\"a\"\"; drop table x; --\"");
        assert_eq!(literal("o'clock"), "'o''clock'");
    }
}
