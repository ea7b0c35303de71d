//! The one place where names of the world's tables become SQL for PostgreSQL; values are always bound.

/// Quotes an identifier.
pub(crate) fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a table with its schema.
pub(crate) fn qualified(schema: &str, table: &str) -> String {
    format!("{}.{}", name(schema), name(table))
}

/// Quotes a text; a backslash means itself.
pub(crate) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// Lists columns of an alias: `a."x", a."y"`.
pub(crate) fn columns(alias: &str, columns: &[String]) -> String {
    columns.iter().map(|column| format!("{alias}.{}", name(column))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{columns, literal, qualified};

    #[test]
    fn quotes_are_doubled_and_backslashes_kept() {
        assert_eq!(qualified("a\"b", "Team"), "\"a\"\"b\".\"Team\"");
        assert_eq!(literal("o'clock"), "'o''clock'");
        assert_eq!(literal("a\\'b"), "E'a\\\\''b'");
        assert_eq!(columns("t", &["a".into(), "B".into()]), "t.\"a\", t.\"B\"");
    }
}
