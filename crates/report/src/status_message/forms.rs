//! Our own words around the values, and what a status page wants beside them.

use serde_json::{Value, json};

use crate::report::{Report, Verdict};
use crate::status_message::Incident;

pub(super) const TEXT: &str = "\
{{headline}}
As of {{as_of}}

What happened
{{what}}

Who is affected
{{affected}}

How far it is
{{back}}

How long it will take
{{forecast}}

Confidence
{{confidence}}

Data
{{data_loss}}

Timeline
{{timeline}}

How to reach support
{{support}}
";

pub(super) const MARKDOWN: &str = "\
## {{headline}}

*As of {{as_of}}*

**What happened.** {{what}}

**Who is affected.** {{affected}}

**How far it is.** {{back}}

**How long it will take.** {{forecast}}

**Confidence.** {{confidence}}

**Data.** {{data_loss}}

**Timeline**

{{timeline}}

**How to reach support.** {{support}}
";

/// What a status page wants beside the words.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shape {
    name: String,
    status: &'static str,
    impact: &'static str,
    component: &'static str,
    components: Vec<String>,
}

impl Shape {
    pub(super) fn of(report: &Report, incident: &Incident) -> Self {
        let tally = report.sites_by_state;
        let away = tally.not_back();
        // Resolved only if every site that was given is back and checked, and nothing is left to do.
        let all_well = report.verdict == Verdict::Succeeded && tally.returned == tally.given;
        let status = match (all_well, away) {
            (true, _) => "resolved",
            (false, 0) => "monitoring",
            (false, _) => "identified",
        };
        let half = u64::from(away) * 2 >= u64::from(tally.given);
        let (impact, component) = match away {
            0 if all_well => ("none", "operational"),
            0 => ("minor", "degraded_performance"),
            away if away == tally.given => ("critical", "major_outage"),
            _ if half => ("critical", "partial_outage"),
            _ => ("major", "partial_outage"),
        };
        let name = incident.name.clone().unwrap_or_else(|| "Sites are not available".to_owned());
        Self { name, status, impact, component, components: incident.components.clone() }
    }

    pub(super) fn statuspage(&self, body: &str) -> Value {
        let mut incident = json!({
            "name": self.name,
            "status": self.status,
            "impact_override": self.impact,
            "body": body,
        });
        if !self.components.is_empty() {
            let components = self.components.iter().map(|id| (id.clone(), self.component.into()));
            incident["components"] = Value::Object(components.collect());
        }
        json!({ "incident": incident })
    }
}
