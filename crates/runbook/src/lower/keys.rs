//! The keys of every map of the language; the JSON Schema is tested against these.

pub(crate) const RUNBOOK: &[&str] = &[
    "schema",
    "name",
    "description",
    "inputs",
    "targets",
    "ids",
    "restore_point",
    "objectives",
    "pools",
    "batches",
    "defaults",
    "steps",
    "finally",
];
pub(crate) const INPUT: &[&str] = &["type", "default", "description"];
pub(crate) const TARGETS: &[&str] = &["kind", "id", "attributes", "scopes", "order_by", "verify"];
pub(crate) const VERIFY: &[&str] = &["uses", "with", "expect"];
pub(crate) const RESTORE_POINT: &[&str] = &["before", "margin", "align", "max_loss"];
pub(crate) const OBJECTIVES: &[&str] = &["rto", "rpo"];
pub(crate) const POOL: &[&str] = &["per", "slots", "rate", "shared"];
pub(crate) const BATCHES: &[&str] = &["sizes", "max_failures", "on_exceeded", "soak", "gate"];
pub(crate) const GATE: &[&str] = &["approval"];
pub(crate) const APPROVAL: &[&str] = &["from", "min", "timeout", "on_timeout", "checklist"];
pub(crate) const DEFAULTS: &[&str] = &["scope", "timeout", "retry", "on_failure"];
pub(crate) const RETRY: &[&str] = &["attempts", "backoff", "delay", "max_delay"];
pub(crate) const STEP: &[&str] = &[
    "description",
    "scope",
    "needs",
    "if",
    "for_each",
    "uses",
    "with",
    "runs_on",
    "approval",
    "pool",
    "timeout",
    "retry",
    "on_failure",
    "front_load",
    "expect",
    "undo",
];
pub(crate) const NEED: &[&str] = &["step", "require"];
pub(crate) const UNDO: &[&str] = &["uses", "with"];
