//! What the actions on objects take and give.

use schemars::JsonSchema;
use serde::Deserialize;

/// Inputs of `objects/copy@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Copy {
    /// Store to read, `file:///folder`; must exist.
    pub(crate) from: String,
    /// Store to write, `file:///folder`; its folder is made if missing.
    pub(crate) to: String,
    /// Whole path segments below both stores.
    #[serde(default)]
    pub(crate) prefix: String,
    /// Prefix at the target, if it is another one.
    pub(crate) to_prefix: Option<String>,
    /// What happens if an object at the target differs.
    #[serde(default)]
    pub(crate) on_conflict: OnConflict,
}

/// What happens if an object at the target differs.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnConflict {
    /// Nothing is copied at all.
    #[default]
    Fail,
    /// It is overwritten.
    Replace,
}

/// Inputs of `objects/verify@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verify {
    /// Store that is right, `file:///folder`; must exist.
    pub(crate) from: String,
    /// Store to judge, `file:///folder`; must exist.
    pub(crate) to: String,
    /// Whole path segments below both stores.
    #[serde(default)]
    pub(crate) prefix: String,
    /// Prefix at the target, if it is another one.
    pub(crate) to_prefix: Option<String>,
    /// Whether `to` may hold objects that `from` does not.
    #[serde(default)]
    pub(crate) extra: Extra,
}

/// Whether further objects are allowed.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Extra {
    /// They are a difference.
    #[default]
    Fail,
    /// They are counted.
    Allow,
}

/// Inputs of `objects/remove@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remove {
    /// Store that was copied from, `file:///folder`; must exist.
    pub(crate) from: String,
    /// Store that was copied to, `file:///folder`.
    pub(crate) to: String,
    /// Whole path segments below both stores; not empty: nobody empties a whole store by a missing ID.
    pub(crate) prefix: String,
    /// Prefix at the target, if it is another one; not empty.
    pub(crate) to_prefix: Option<String>,
    /// What happens to objects below the prefix that the copy did not put there.
    #[serde(default)]
    pub(crate) if_changed: IfChanged,
}

/// What happens to objects that differ from their source or have none.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IfChanged {
    /// Nothing is removed at all.
    #[default]
    Fail,
    /// They stay, the others go.
    Keep,
    /// They go as well.
    Remove,
}

/// Outputs of `objects/remove@1`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Removed {
    /// Objects removed by this attempt.
    objects: u64,
    /// Their bytes.
    bytes: u64,
    /// Objects that stay below the prefix.
    kept: u64,
}

/// Outputs of `objects/copy@1`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Copied {
    /// Objects below the source prefix.
    objects: u64,
    /// Objects written by this attempt.
    copied: u64,
    /// Objects that were there and equal.
    already: u64,
    /// Bytes of all objects.
    bytes: u64,
    /// BLAKE3 of the sorted list of name, size and content hash.
    hash: String,
}

/// Outputs of `objects/verify@1`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Verified {
    /// Objects below the source prefix.
    objects: u64,
    /// Their bytes.
    bytes: u64,
    /// BLAKE3 of the sorted list of name, size and content hash.
    hash: String,
    /// Objects that only the target has.
    extra: u64,
}
