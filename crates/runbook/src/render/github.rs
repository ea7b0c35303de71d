//! Findings as workflow commands of GitHub Actions, which shows them beside the lines.

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Source;

/// Renders findings as one workflow command a line.
#[must_use]
pub fn render_github(diagnostics: &[Diagnostic], source: &Source) -> String {
    let mut all = String::new();
    for found in diagnostics {
        let level = if found.severity == Severity::Error { "error" } else { "warning" };
        let place = found.place();
        let hint = found.hint.as_deref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        all.push_str(&format!(
            "::{level} file={},line={},col={},title={}::{}\n",
            property(&source.name),
            place.line,
            place.column,
            property(found.code),
            data(&format!("{}{hint}", found.message)),
        ));
    }
    all
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
