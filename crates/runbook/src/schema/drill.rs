//! Drill files as types, from which their JSON Schema is generated; a test holds its keys and the reader's together.
#![expect(dead_code, reason = "the fields are there for their schema")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::Value;

use super::types::{Defaults, Duration, DurationOrZero, OneOrMany, Step};

/// A drill: a runbook run against a sandbox over a sample of sites, judged by objectives.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Drill {
    /// The language and its version.
    schema: Version,
    /// Name of the drill.
    #[schemars(regex(pattern = r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"))]
    name: String,
    /// What it is for.
    description: Option<String>,
    /// The runbook, relative to this file.
    runbook: String,
    /// The estate file of a sandbox, relative to this file.
    estate: String,
    /// The list that sites are drawn from, relative to this file.
    sites: String,
    /// Values of the runbook's inputs.
    inputs: Option<BTreeMap<String, Value>>,
    /// When it takes place by itself.
    schedule: Option<Schedule>,
    /// Which sites take part; all of the list if nothing is said.
    sample: Option<Sample>,
    /// To which time sites are brought back.
    restore_point: Option<Point>,
    /// What makes it a good drill.
    objectives: Objectives,
    /// Time without a good drill after which it raises the alarm.
    alarm_after: Option<Duration>,
    /// What holds for steps of `set_up` and `clean_up` that say nothing themselves.
    defaults: Option<Defaults>,
    /// Steps before the run: they make the sandbox ready.
    set_up: Option<BTreeMap<String, Step>>,
    /// Steps after a run of a chaos drill whose outputs say how the sandbox stands; they change nothing.
    compare: Option<BTreeMap<String, Step>>,
    /// Whether the run is taken back by the undo steps of its runbook before the clean-up.
    take_back: Option<bool>,
    /// Steps after the run, whatever became of it.
    clean_up: Option<BTreeMap<String, Step>>,
}

#[derive(JsonSchema)]
enum Version {
    #[schemars(rename = "drill/v1")]
    V1,
}

/// When it takes place by itself.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Schedule {
    /// Minute, hour, day of the month, month, weekday.
    #[schemars(regex(pattern = r"^\s*\S+(\s+\S+){4}\s*$"))]
    cron: String,
    /// Whose clocks, by the name in the IANA database.
    time_zone: String,
    /// What becomes of a drill that is due while the one before goes on.
    overlap: Option<Overlap>,
    /// What becomes of drills that were due while nothing ran.
    catch_up: Option<CatchUp>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Overlap {
    Skip,
    Queue,
    Cancel,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum CatchUp {
    Word(CatchUpWord),
    All(CatchUpAll),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum CatchUpWord {
    None,
    Last,
}

/// The newest so many of them.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct CatchUpAll {
    /// How many at most.
    #[schemars(range(min = 1, max = 100))]
    all: u32,
}

/// Which sites take part.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Sample {
    /// So many.
    #[schemars(range(min = 1, max = 10_000_000))]
    count: Option<u32>,
    /// A percentage of the list.
    #[schemars(regex(pattern = r"^[0-9.]+\s*%$"))]
    share: Option<String>,
    /// Attributes by which sites are told apart: each kind gets its share of the sample.
    stratify_by: Option<OneOrMany>,
    /// A number for the same sample each time, `random` for another at each slot.
    seed: Option<Seed>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Seed {
    Fixed(u64),
    Word(RandomWord),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum RandomWord {
    Random,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Point {
    Word(PointWord),
    Random(RandomPoint),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum PointWord {
    Latest,
}

/// One that is drawn.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RandomPoint {
    /// From so long before the runbook's own.
    random: Duration,
}

/// What makes it a good drill.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Objectives {
    /// Within this time 95 of 100 sites are back and verified.
    rto_p95: Option<Duration>,
    /// No site loses more than this.
    rpo_max: Option<DurationOrZero>,
    /// Sites back per hour, at least.
    throughput_min: Option<f64>,
    /// Sites that may come back otherwise than whole; 0 if nothing is said.
    exceptions: Option<u32>,
}
