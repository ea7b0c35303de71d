//! A tenant's ID in inputs of actions on databases, as text or number.

use schemars::JsonSchema;
use serde::Deserialize;

/// The tenant's value in the key or column.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(untagged)]
pub(crate) enum Tenant {
    /// A number.
    Integer(i64),
    /// A text.
    Text(String),
}

impl std::fmt::Display for Tenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(id) => write!(f, "{id}"),
            Self::Text(id) => f.write_str(id),
        }
    }
}
