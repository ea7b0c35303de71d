//! Findings as JSON.

use serde_json::json;

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Source;

/// Renders findings as one JSON object: `{"file", "errors", "warnings", "diagnostics": [...]}`.
#[must_use]
pub fn render_json(diagnostics: &[Diagnostic], source: &Source) -> String {
    let errors = diagnostics.iter().filter(|found| found.is_error()).count();
    let warnings = diagnostics.iter().filter(|found| found.severity == Severity::Warning).count();
    json!({ "file": source.name, "errors": errors, "warnings": warnings, "diagnostics": diagnostics }).to_string()
}
