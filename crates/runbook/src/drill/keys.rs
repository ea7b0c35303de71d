//! The keys of every map of a drill file; the JSON Schema is tested against these.

pub(crate) const DRILL: &[&str] = &[
    "schema",
    "name",
    "description",
    "runbook",
    "estate",
    "sites",
    "inputs",
    "schedule",
    "sample",
    "restore_point",
    "objectives",
    "alarm_after",
    "defaults",
    "set_up",
    "compare",
    "take_back",
    "clean_up",
];
pub(crate) const SCHEDULE: &[&str] = &["cron", "time_zone", "overlap", "catch_up"];
pub(crate) const CATCH_UP: &[&str] = &["all"];
pub(crate) const SAMPLE: &[&str] = &["count", "share", "stratify_by", "seed"];
pub(crate) const POINT: &[&str] = &["random"];
pub(crate) const OBJECTIVES: &[&str] = &["rto_p95", "rpo_max", "throughput_min", "exceptions"];
