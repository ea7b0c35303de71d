//! What only S3 knows, and `object_store` does not ask for: versions, copies of versions, tags, uploads left behind.

mod answers;
mod bucket;
mod requests;

#[cfg(test)]
pub(super) use answers::Content;
pub(super) use answers::Record;
pub(super) use bucket::{Bucket, Copied};
