//! What `exec/run@1` takes and gives.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Inputs of `exec/run@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    /// Program and arguments; no shell.
    pub(crate) command: Vec<String>,
    /// Added to this process's environment.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    /// Working directory.
    pub(crate) cwd: Option<PathBuf>,
    /// Handed over as JSON.
    #[serde(default)]
    pub(crate) inputs: Value,
    /// Whether running it twice with the same key has the effect once.
    #[serde(default, rename = "idempotent")]
    #[expect(dead_code, reason = "the engine reads it through the catalogue")]
    idempotent: bool,
    /// What a non-zero exit says about the effect.
    #[serde(default)]
    pub(crate) failure_means: FailureMeans,
    /// Tells whether the effect is there: exit 0 = done, 1 = not done, else unknown.
    pub(crate) probe: Option<Vec<String>>,
    /// From SIGTERM to SIGKILL of the process group; at most 60s.
    #[serde(default = "grace")]
    pub(crate) grace: String,
    /// User and group to run as; for commands of other actions only.
    #[serde(skip)]
    pub(crate) user: Option<(u32, u32)>,
}

impl Run {
    /// The command of another action, which sees to it that running it twice is safe.
    pub(crate) fn of(command: Vec<String>, env: BTreeMap<String, String>, inputs: Value) -> Self {
        let (failure_means, probe, user) = (FailureMeans::Unknown, None, None);
        Self { command, env, cwd: None, inputs, idempotent: true, failure_means, probe, grace: grace(), user }
    }
}

/// What a non-zero exit says about the effect.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FailureMeans {
    /// Nothing is known.
    #[default]
    Unknown,
    /// Surely nothing changed.
    Refused,
}

fn grace() -> String {
    "5s".to_owned()
}

/// Outputs of `exec/run@1`, besides the keys of the JSON object in the last line of stdout.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Said {
    /// Exit code, 0.
    exit: i32,
    /// Keys of the last line.
    #[schemars(flatten)]
    said: BTreeMap<String, Value>,
}
