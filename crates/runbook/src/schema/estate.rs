//! Estate files as types, from which their JSON Schema is generated; a test holds its keys and the reader's together.
#![expect(dead_code, reason = "the fields are there for their schema")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::Value;

use super::types::{Approval, Duration, OneOrMany};

/// An estate: the systems that a runbook acts on.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Estate {
    /// The language and its version.
    schema: Version,
    /// Name of the estate.
    #[schemars(regex(pattern = r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"))]
    name: String,
    /// Whether drills may destroy things in it.
    sandbox: Option<bool>,
    /// Groups of people who may approve: name and members.
    approvers: Option<BTreeMap<String, OneOrMany>>,
    /// What a large run has to pass before it starts.
    guard: Option<Guard>,
    /// Actions that stand in for those of a runbook: `sqlite/restore@1: postgres/restore@1`.
    actions: Option<BTreeMap<String, String>>,
    /// Who is told of a run's milestones.
    announce: Option<Announce>,
    /// Values that expressions read as `estate.NAME`.
    variables: Option<BTreeMap<String, Value>>,
    /// References to secrets by name; never their values.
    secrets: Option<BTreeMap<String, Reference>>,
}

#[derive(JsonSchema)]
enum Version {
    #[schemars(rename = "estate/v1")]
    V1,
}

/// What a large run has to pass before it starts.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Guard {
    /// Sites up to which a run starts without more ado.
    #[schemars(range(max = 10_000_000))]
    sites: u32,
    /// A person's decision that a larger run waits for.
    approval: Option<Approval>,
    /// A drill that the runbook of a larger run must have passed lately.
    certificate: Option<Certificate>,
}

/// A drill that the runbook must have passed lately.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Certificate {
    /// How long ago it may have ended.
    max_age: Duration,
    /// Sites up to which a run needs none; 0 if nothing is said.
    #[schemars(range(max = 10_000_000))]
    above: Option<u32>,
}

/// Who is told of a run's milestones, in words for the outside.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Announce {
    /// File in which it is kept what was told, so that nothing is told twice.
    ledger: String,
    /// Name of the incident.
    name: Option<String>,
    /// What happened.
    what: Option<String>,
    /// How customers reach support.
    support: Option<String>,
    /// IDs of the components of the status page that are affected.
    components: Option<OneOrMany>,
    /// What is sent when.
    messages: Vec<Announcement>,
}

/// One way of telling.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Announcement {
    /// Name and version of an action of the kind `notify/...`.
    #[schemars(regex(pattern = r"^notify/"))]
    uses: String,
    /// Milestones: `started`, `batch`, a share such as `25%`, `exceptions`, `ended`.
    on: Option<OneOrMany>,
    /// Also every so often while the run goes on.
    every: Option<Duration>,
    /// Inputs of the action; `{{percent}}` stands for a value of the status message, `${{ secrets.NAME }}` for a secret.
    with: Option<BTreeMap<String, Value>>,
}

/// Where a secret is: `env:NAME`, `file:PATH` or `command:PROGRAM`.
#[derive(JsonSchema)]
struct Reference(#[schemars(regex(pattern = r"^(env|file|command):.*\S"))] String);
