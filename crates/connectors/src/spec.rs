//! Entries of the catalogue from the types that read the inputs.

use runtime::engine::{ActionSpec, Holds};
use schemars::{JsonSchema, SchemaGenerator};

/// Starts the entry of an action that is always idempotent, changes the estate and cannot probe.
pub(crate) fn action<I: JsonSchema, O: JsonSchema>(uses: &str, summary: &str) -> ActionSpec {
    ActionSpec {
        uses: uses.to_owned(),
        summary: summary.to_owned(),
        input: SchemaGenerator::default().into_root_schema_for::<I>().to_value(),
        output: SchemaGenerator::default().into_root_schema_for::<O>().to_value(),
        idempotent: Holds::Always,
        has_probe: Holds::Never,
        read_only: false,
    }
}

/// Any JSON value.
pub(crate) type Anything = serde_json::Value;
