//! What the catalogue does not say and somebody who knows does.

use std::str::FromStr;

use super::model::Class;

/// What is known beside the catalogue.
#[derive(Clone, Debug)]
pub struct Options {
    /// Column of the root that names a tenant; by default its primary key.
    pub key: Option<String>,
    /// Names of columns that hold a tenant's ID in whatever table they are, foreign key or not.
    pub tenant_columns: Vec<String>,
    /// Classes and references that nothing in the catalogue says.
    pub declarations: Vec<Declaration>,
    /// Whether a column's name and type may count as a reference where no foreign key says more.
    pub by_name: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { key: None, tenant_columns: Vec::new(), declarations: Vec::new(), by_name: true }
    }
}

/// Something that somebody knows of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Declaration {
    /// `sessions=ephemeral`. Declared `tenant`, a table that tenants' rows point at belongs to them.
    Class {
        /// `name` or `schema.name`.
        table: String,
        /// Its class.
        class: Class,
    },
    /// `notes(project_id)->projects(id)`, `files(owner_id)->issues(id) when owner_type=Issue`.
    Reference {
        /// The table that refers.
        table: String,
        /// Its columns.
        columns: Vec<String>,
        /// The table that it refers to.
        parent: String,
        /// Its columns; none means its primary key.
        parent_columns: Vec<String>,
        /// A column of the table that refers, and the value that it has for this reference to hold.
        when: Option<(String, String)>,
    },
}

/// A declaration that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no declaration; write TABLE=CLASS (tenant, shared, derived, ephemeral) or TABLE(COLUMN)->TABLE(COLUMN), with ` when COLUMN=VALUE` if it is polymorphic"
)]
pub struct DeclarationError(String);

impl FromStr for Declaration {
    type Err = DeclarationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read(text).ok_or_else(|| DeclarationError(text.to_owned()))
    }
}

fn read(text: &str) -> Option<Declaration> {
    let Some((from, rest)) = text.split_once("->") else {
        let (table, class) = text.split_once('=')?;
        let class = match class.trim() {
            "tenant" => Class::Tenant,
            "shared" => Class::Shared,
            "derived" => Class::Derived,
            "ephemeral" => Class::Ephemeral,
            _ => return None,
        };
        return Some(Declaration::Class { table: word(table)?, class });
    };
    let (to, when) = match rest.split_once(" when ") {
        None => (rest, None),
        Some((to, when)) => {
            let (column, value) = when.split_once('=')?;
            (to, Some((word(column)?, value.trim().to_owned())))
        }
    };
    let (table, columns) = listed(from)?;
    let (parent, parent_columns) = listed(to)?;
    (!columns.is_empty()).then_some(Declaration::Reference { table, columns, parent, parent_columns, when })
}

/// Reads `table(a, b)`, or `table` alone.
fn listed(text: &str) -> Option<(String, Vec<String>)> {
    let Some((table, columns)) = text.split_once('(') else { return Some((word(text)?, Vec::new())) };
    let columns = columns.trim().strip_suffix(')')?;
    Some((word(table)?, columns.split(',').map(word).collect::<Option<_>>()?))
}

fn word(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && !text.contains(['(', ')', ','])).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_references_are_read() {
        assert_eq!(
            "auth.sessions = ephemeral".parse(),
            Ok(Declaration::Class { table: "auth.sessions".into(), class: Class::Ephemeral })
        );
        assert_eq!(
            "files(tenant_id, owner_id) -> issues(tenant_id,id) when owner_type=Issue".parse(),
            Ok(Declaration::Reference {
                table: "files".into(),
                columns: vec!["tenant_id".into(), "owner_id".into()],
                parent: "issues".into(),
                parent_columns: vec!["tenant_id".into(), "id".into()],
                when: Some(("owner_type".into(), "Issue".into())),
            })
        );
        assert!(
            matches!("a(b)->c".parse(), Ok(Declaration::Reference { parent_columns, .. }) if parent_columns.is_empty())
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_form() {
        for text in ["", "sessions", "sessions=unknown", "a->b(c)", "a(b->c(d)", "a(b,)->c(d)", "a(b)->c(d) when x"] {
            let error = text.parse::<Declaration>().expect_err(text);
            assert!(error.to_string().contains("TABLE=CLASS"), "{text}");
        }
    }
}
