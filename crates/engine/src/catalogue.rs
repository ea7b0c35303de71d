//! The catalogue of actions as data: connectors export it, the front end checks `with` against it.

use serde::{Deserialize, Serialize};

/// What an action is and needs, without a way to call it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionSpec {
    /// Name and version as written in `uses`, `sqlite/restore@1`.
    pub uses: String,
    /// One sentence for people: what one attempt does.
    pub summary: String,
    /// JSON Schema of `with`.
    pub input: serde_json::Value,
    /// JSON Schema of the outputs.
    pub output: serde_json::Value,
    /// When applying it twice with the same key has the effect once.
    pub idempotent: Holds,
    /// When it can tell whether an attempt had its effect.
    pub has_probe: Holds,
    /// Whether it changes nothing in the estate.
    pub read_only: bool,
}

/// When a property of an action holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holds {
    /// Whatever its inputs.
    Always,
    /// Never.
    Never,
    /// If this input is given, and is not `false`.
    WhenInput(String),
}
