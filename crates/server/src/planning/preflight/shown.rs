//! What preflight found, for people and for programs.

use runtime::Severity;
use serde_json::{Value, json};

use super::{Preflight, Row};

/// Findings shown as text of each severity; the JSON has all.
const SHOWN: usize = 40;
/// Steps named of a finding.
const STEPS: usize = 4;

impl Preflight {
    /// The findings as data.
    #[must_use]
    pub fn view(&self) -> Value {
        json!({
            "asked": self.asked,
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
            "findings": self.rows.iter().map(|row| json!({
                "severity": word(row.finding.severity),
                "code": row.finding.code,
                "subject": row.finding.subject,
                "fact": row.finding.fact,
                "hint": row.finding.hint,
                "steps": row.steps,
            })).collect::<Vec<Value>>(),
        })
    }

    /// The findings as a table; `all` also those that are well.
    #[must_use]
    pub fn text(&self, all: bool) -> String {
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        let verdict = match (errors, warnings) {
            (0, 0) => "all is well".to_owned(),
            _ => format!("{}, {}", number(errors, "error"), number(warnings, "warning")),
        };
        let mut text = format!("preflight     {}: {verdict}", number(self.asked, "question"));
        for severity in [Severity::Error, Severity::Warning, Severity::Good] {
            if severity == Severity::Good && !all {
                continue;
            }
            let rows: Vec<&Row> = self.rows.iter().filter(|row| row.finding.severity == severity).collect();
            for row in rows.iter().take(SHOWN) {
                text.push_str(&line(row));
            }
            if rows.len() > SHOWN {
                text.push_str(&format!("\n  ... and {} more; `--json` has them", rows.len() - SHOWN));
            }
        }
        text
    }
}

fn line(row: &Row) -> String {
    let finding = &row.finding;
    let mut steps: Vec<&str> = row.steps.iter().take(STEPS).map(String::as_str).collect();
    let more = format!("{} more", row.steps.len().saturating_sub(STEPS));
    if row.steps.len() > STEPS {
        steps.push(&more);
    }
    let of = if steps.is_empty() { String::new() } else { format!(" ({})", steps.join(", ")) };
    let code = if finding.severity == Severity::Good { String::new() } else { format!("[{}] ", finding.code) };
    let subject = report::plain(&finding.subject);
    let head = format!(
        "\n  {:<8}{subject}: {}{of}",
        format!("{}{code}", word(finding.severity)),
        report::plain(&finding.fact)
    );
    match finding.hint.as_str() {
        "" => head,
        hint => format!("{head}\n          hint: {}", report::plain(hint)),
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Good => "ok",
    }
}

fn number(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
