//! The language as types, from which its JSON Schema is generated. The reader has its own way to read, which keeps
//! places and finds all errors; a test holds the keys of both together.
#![expect(dead_code, reason = "the fields are there for their schema")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::Value;

/// A runbook: how deleted sites are put back.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Runbook {
    /// The language and its version.
    schema: Version,
    /// Name of the runbook.
    #[schemars(regex(pattern = r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"))]
    name: String,
    /// What it is for.
    description: Option<String>,
    /// Values that a plan may override.
    inputs: Option<BTreeMap<String, Input>>,
    /// What is restored.
    targets: Targets,
    /// Whether sites keep their IDs.
    ids: Option<Ids>,
    /// To which time each site is brought back.
    restore_point: Option<RestorePoint>,
    /// Recovery objectives.
    objectives: Option<Objectives>,
    /// Named limits that steps share.
    pools: Option<BTreeMap<String, Pool>>,
    /// How many sites start together.
    batches: Option<Batches>,
    /// What holds for steps that say nothing themselves.
    defaults: Option<Defaults>,
    /// The steps; only `needs` orders them.
    steps: BTreeMap<String, Step>,
    /// Steps that run at the end, whatever happened.
    finally: Option<BTreeMap<String, Step>>,
}

#[derive(JsonSchema)]
enum Version {
    #[schemars(rename = "runbook/v1")]
    V1,
}

/// A duration with a unit, such as `500ms`, `30s`, `5m` or `1h 30m`.
#[derive(JsonSchema)]
pub(super) struct Duration(#[schemars(regex(pattern = r"^0$|^\s*([0-9]+\s*[a-zA-Z]+\s*)+$|\$\{\{"))] String);

/// A duration, or 0 for none.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum DurationOrZero {
    Duration(Duration),
    Zero(#[schemars(range(min = 0, max = 0))] u8),
}

/// A value that a plan may override.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    /// Its type.
    #[schemars(rename = "type")]
    kind: InputType,
    /// Its value if the plan gives none.
    default: Option<Value>,
    /// What it is for.
    description: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum InputType {
    String,
    Integer,
    Number,
    Boolean,
    Timestamp,
    #[schemars(rename = "list<string>")]
    Texts,
    Duration,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum AttributeType {
    String,
    Integer,
    Number,
    Boolean,
    Timestamp,
    #[schemars(rename = "list<string>")]
    Texts,
}

/// What is restored, and what the list of sites says about each.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Targets {
    /// Kind of the targets.
    kind: Option<String>,
    /// Regular expression that every ID matches.
    id: Option<String>,
    /// Attributes of a site with their types: the columns of the list.
    attributes: Option<BTreeMap<String, AttributeType>>,
    /// Groups of sites that steps may run for once: name and key expression.
    scopes: Option<BTreeMap<String, String>>,
    /// Order in which sites should finish; `-site.users` puts the largest first.
    order_by: Option<OneOrMany>,
    /// Look-up of every ID before anything changes.
    verify: Option<Verify>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Look-up of every ID before anything changes.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Verify {
    /// Action that looks an ID up.
    uses: String,
    /// Its inputs.
    with: Option<BTreeMap<String, Value>>,
    /// Outputs that it must give.
    expect: BTreeMap<String, Value>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Ids {
    /// They keep them.
    Original,
    /// They get new ones: steps that restore rows are told by an input `remap`, and the step that makes the ID tells it by
    /// an output `new_id`.
    Remap,
}

/// To which time each site is brought back.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RestorePoint {
    /// Timestamp attribute of the damage: `site.deleted_at`.
    before: String,
    /// Safe distance before it.
    margin: Option<DurationOrZero>,
    /// `site`, or the group whose sites share the earliest point.
    align: Option<String>,
    /// Most data that a site may lose.
    max_loss: Option<DurationOrZero>,
}

/// Recovery objectives.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Objectives {
    /// Recovery time.
    rto: Option<Duration>,
    /// Recovery point.
    rpo: Option<DurationOrZero>,
}

/// A named limit.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Pool {
    /// Scope for each key of which the limit counts by itself.
    per: Option<String>,
    /// Attempts at once.
    #[schemars(range(min = 1))]
    slots: Option<u32>,
    /// Starts per second, minute or hour: `200/s`.
    #[schemars(regex(pattern = r"^[0-9]+\s*/\s*[smh]$"))]
    rate: Option<String>,
    /// Whether it holds across runs.
    shared: Option<bool>,
}

/// How many sites start together.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Batches {
    /// Numbers of sites, percentages of all, `rest` as the last; the last repeats.
    sizes: Vec<Size>,
    /// Quarantined sites that each batch tolerates: numbers, or percentages of the batch.
    max_failures: Option<Budgets>,
    /// What happens when a budget is exceeded.
    on_exceeded: Option<OnExceeded>,
    /// Wait between batches.
    soak: Option<DurationOrZero>,
    /// What each batch after the first waits for.
    gate: Option<Gate>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Size {
    Sites(u32),
    Words(#[schemars(regex(pattern = r"^[0-9.]+\s*%$|^rest$"))] String),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Budgets {
    One(Size),
    Many(Vec<Size>),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum OnExceeded {
    Pause,
    Abort,
}

/// What each batch after the first waits for.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Gate {
    /// A person's decision.
    approval: Approval,
}

/// A person's decision; it never passes by time-out.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Approval {
    /// Groups of people who may give it.
    from: OneOrMany,
    /// Number of people needed.
    #[schemars(range(min = 1, max = 100))]
    min: Option<u8>,
    /// When it lapses.
    timeout: Duration,
    /// What a lapse does.
    on_timeout: Option<OnTimeout>,
    /// What has to be confirmed, one by one, by whoever gives it.
    #[schemars(length(min = 1, max = 30), inner(length(min = 1, max = 200)))]
    checklist: Option<Vec<String>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum OnTimeout {
    Reject,
    Pause,
}

/// What holds for steps that say nothing themselves.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Defaults {
    /// Scope.
    scope: Option<String>,
    /// Longest time of an attempt.
    timeout: Option<Duration>,
    /// Retry policy.
    retry: Option<Retry>,
    /// What a final failure does.
    on_failure: Option<OnFailure>,
}

/// Retry policy.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Retry {
    /// Attempts in all.
    #[schemars(range(min = 1, max = 1000))]
    attempts: Option<u16>,
    /// Growth of the delay.
    backoff: Option<Backoff>,
    /// First delay.
    delay: Option<DurationOrZero>,
    /// Longest delay.
    max_delay: Option<DurationOrZero>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Backoff {
    Exponential,
    Constant,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum OnFailure {
    Quarantine,
    Degrade,
    Undo,
    Pause,
    Abort,
}

/// A step.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Step {
    /// What it is for.
    description: Option<String>,
    /// How often it runs: `run`, `batch`, `site` or a declared group.
    scope: Option<String>,
    /// Steps that come before it.
    needs: Option<Needs>,
    /// Expression that says for which keys it runs.
    #[schemars(rename = "if")]
    condition: Option<BoolOrText>,
    /// Expression that gives a list: one unit for each item.
    for_each: Option<ListOrText>,
    /// Action.
    uses: Option<String>,
    /// Inputs of the action.
    with: Option<BTreeMap<String, Value>>,
    /// Labels of the workers that may do it; without them it is done where the driver is.
    runs_on: Option<Labels>,
    /// A person's decision instead of an action.
    approval: Option<Approval>,
    /// Pools that it takes slots of.
    pool: Option<Pools>,
    /// Longest time of an attempt.
    timeout: Option<Duration>,
    /// Retry policy.
    retry: Option<Retry>,
    /// What a final failure does.
    on_failure: Option<OnFailure>,
    /// Whether it may start for batches that are not open yet.
    front_load: Option<bool>,
    /// Expected time of an attempt, or shortest and longest.
    expect: Option<Expect>,
    /// Action that takes its effect back.
    undo: Option<Undo>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum BoolOrText {
    Fixed(bool),
    Expression(String),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Labels {
    One(String),
    Several(#[schemars(length(min = 1))] Vec<String>),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum ListOrText {
    Fixed(Vec<Value>),
    Expression(String),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Needs {
    One(String),
    Many(Vec<Need>),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Need {
    Name(String),
    Map(NeedMap),
}

/// A need with its condition.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct NeedMap {
    /// The step.
    step: String,
    /// `all`: sites that are out block too; `left`: only those left.
    require: Option<Require>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Require {
    All,
    Left,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Pools {
    One(String),
    Many(Vec<String>),
    Slots(BTreeMap<String, u32>),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Expect {
    One(DurationOrZero),
    Range(#[schemars(length(min = 2, max = 2))] Vec<DurationOrZero>),
}

/// Action that takes a step's effect back.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Undo {
    /// Action.
    uses: String,
    /// Its inputs.
    with: Option<BTreeMap<String, Value>>,
}
