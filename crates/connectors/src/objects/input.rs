//! What the actions on objects take and give.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;

use super::address::Address;

/// Inputs of `objects/copy@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Copy {
    /// Store to read; must exist.
    pub(crate) from: Address,
    /// Store to write; a folder is made if missing, a bucket is not.
    pub(crate) to: Address,
    /// Whole path segments below both stores.
    #[serde(default)]
    pub(crate) prefix: String,
    /// Prefix at the target, if it is another one.
    pub(crate) to_prefix: Option<String>,
    /// What happens if an object at the target differs.
    #[serde(default)]
    pub(crate) on_conflict: OnConflict,
    /// Time (RFC 3339) whose versions are meant instead of the current objects; `from` must be an S3 bucket that keeps them.
    #[schemars(with = "Option<String>")]
    pub(crate) at: Option<DateTime<Utc>>,
    /// With `at`: what happens if the bucket does not tell what an object held then.
    #[serde(default)]
    pub(crate) on_lost: OnLost,
    /// With `at`, and `to` the same as `from`: where only delete markers lie over the version, they are removed, instead of
    /// a copy of the version being made.
    #[serde(default)]
    pub(crate) undelete: bool,
    /// What says that an object that is there equals its source.
    #[serde(default)]
    pub(crate) content: Proof,
    /// Objects at work at the same time; 1 to 256.
    pub(crate) concurrency: Option<usize>,
}

/// What happens if a bucket does not tell what an object held at a time.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnLost {
    /// Nothing is done at all.
    #[default]
    Fail,
    /// It counts as one that was not there, and is named.
    Skip,
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
    /// Store that is right; must exist.
    pub(crate) from: Address,
    /// Store to judge; must exist.
    pub(crate) to: Address,
    /// Whole path segments below both stores.
    #[serde(default)]
    pub(crate) prefix: String,
    /// Prefix at the target, if it is another one.
    pub(crate) to_prefix: Option<String>,
    /// Whether `to` may hold objects that `from` does not.
    #[serde(default)]
    pub(crate) extra: Extra,
    /// Time (RFC 3339) whose versions are meant instead of the current objects; `from` must be an S3 bucket that keeps them.
    #[schemars(with = "Option<String>")]
    pub(crate) at: Option<DateTime<Utc>>,
    /// With `at`: what happens if the bucket does not tell what an object held then.
    #[serde(default)]
    pub(crate) on_lost: OnLost,
    /// How much of the objects is compared.
    #[serde(default = "full")]
    pub(crate) content: Content,
    /// Objects at work at the same time; 1 to 256.
    pub(crate) concurrency: Option<usize>,
}

fn full() -> Content {
    Content::Full
}

/// How much of two objects is compared.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Content {
    /// Names and sizes only.
    Size,
    /// Checksums that S3 makes from the content; what they do not show to be equal is read.
    Etag,
    /// Every byte.
    Full,
}

/// What says that two objects are equal, where something is done because of it.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Proof {
    /// Checksums that S3 makes from the content; what they do not show to be equal is read.
    #[default]
    Etag,
    /// Every byte.
    Full,
}

impl From<Proof> for Content {
    fn from(proof: Proof) -> Self {
        match proof {
            Proof::Etag => Self::Etag,
            Proof::Full => Self::Full,
        }
    }
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
    /// Store that was copied from; must exist.
    pub(crate) from: Address,
    /// Store that was copied to.
    pub(crate) to: Address,
    /// Whole path segments below both stores; not empty: nobody empties a whole store by a missing ID.
    pub(crate) prefix: String,
    /// Prefix at the target, if it is another one; not empty.
    pub(crate) to_prefix: Option<String>,
    /// What happens to objects below the prefix that the copy did not put there.
    #[serde(default)]
    pub(crate) if_changed: IfChanged,
    /// Time (RFC 3339) whose versions are meant instead of the current objects; `from` must be an S3 bucket that keeps them.
    #[schemars(with = "Option<String>")]
    pub(crate) at: Option<DateTime<Utc>>,
    /// With `at`: what happens if the bucket does not tell what an object held then.
    #[serde(default)]
    pub(crate) on_lost: OnLost,
    /// What says that an object equals its source.
    #[serde(default)]
    pub(crate) content: Proof,
    /// Objects at work at the same time; 1 to 256.
    pub(crate) concurrency: Option<usize>,
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
    /// BLAKE3 of the sorted list of name, size and content hash; null if the content of one was not read.
    hash: Option<String>,
    /// With `at`: objects that came back by the removal of their delete markers, among those that were copied.
    undeleted: Option<u64>,
    /// With `at`: each object, at most 1,000.
    versions: Option<Vec<PutBack>>,
    /// With `at`: objects that are not among those.
    versions_more: Option<u64>,
    /// With `at`: names of objects that were skipped, since the bucket does not tell what they held; at most 1,000.
    lost: Option<Vec<String>>,
}

/// What became of one object.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct PutBack {
    /// Below the prefix.
    name: String,
    /// ID of the version that was the current one.
    version: String,
    /// Since when it was.
    since: String,
    /// `already`, `copied` or `undeleted`.
    how: String,
}

/// Outputs of `objects/verify@1`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Verified {
    /// Objects below the source prefix.
    objects: u64,
    /// Their bytes.
    bytes: u64,
    /// BLAKE3 of the sorted list of name, size and content hash; null if the content of one was not read.
    hash: Option<String>,
    /// Objects that only the target has.
    extra: u64,
}
