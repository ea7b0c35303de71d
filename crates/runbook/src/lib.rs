//! The front end of `reinstate`: YAML text to a checked runbook, a list of sites and an estate, and from them a plan.
//!
//! Architecture invariant: pure. Texts come in, data and diagnostics go out; no files, clock, network or threads.
//! Actions are known only as data (`engine::ActionSpec`), so no connector is seen from here.

mod approvers;
mod check;
pub mod codes;
mod diagnostic;
mod drill;
mod estate;
mod evaluate;
mod expr;
mod fields;
mod init;
mod label;
mod lower;
mod model;
mod oidc;
mod plan;
mod render;
mod schema;
mod sites;
mod source;
mod template;
mod time;
mod words;
mod yaml;

pub use check::{Checked, check, check_for};
pub use diagnostic::{Diagnostic, Label, Severity, Text, has_errors};
pub use drill::{
    CatchUp, CheckedDrill, Drill, DrillFiles, DrillRefused, Due, Occasion, Overlap, Prepared, Sample, Schedule,
    check_drill, overdue,
};
pub use estate::{Announce, Announcement, CertificateRule, Estate, Guard};
pub use evaluate::{Foreseen, PlanEvaluator, secret_marker};
pub use init::{SCHEMA_FILE, init_template};
pub use label::check as check_label;
pub use model::{Outline, Runbook, Type};
pub use oidc::Oidc;
pub use plan::plan;
pub use render::{render_github, render_json, render_text};
pub use schema::{drill_schema, estate_schema, json_schema, oidc_schema};
pub use sites::{Format, MAX_SHOWN, SiteList};
pub use source::{Lines, MAX_TEXT, Source, Span};
pub use words::{duration_ms, is_name, percent, rate};
