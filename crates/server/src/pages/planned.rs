//! A plan and what was found about it, as a page shows them.

use serde_json::Value;

use crate::planning::ShownPlan;

/// What somebody should have seen before launching.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) hash: String,
    pub(super) runbook: String,
    pub(super) estate: String,
    pub(super) sites: u64,
    /// Label and text.
    pub(super) facts: Vec<(String, String)>,
    /// Sites and failures allowed, by batch.
    pub(super) batches: Vec<(u64, u64)>,
    /// Name, scope, action and units.
    pub(super) steps: Vec<(String, String, String, u64)>,
    /// Who has to approve before it starts.
    pub(super) second: String,
}

impl Summary {
    pub(super) fn of(shown: &ShownPlan) -> Self {
        let plan = &*shown.view;
        let text = |name: &str| plan[name].as_str().unwrap_or_default().to_owned();
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        let list = |name: &str| -> Vec<Value> { plan[name].as_array().cloned().unwrap_or_default() };
        let names = |name: &str| -> String {
            list(name).iter().filter_map(Value::as_str).map(report::plain).collect::<Vec<_>>().join(", ")
        };
        let span = |seconds: f64| report::span((seconds * 1000.0) as i64);
        let mut facts = vec![("units".to_owned(), number(&plan["units"]).to_string())];
        if let Some(forecast) = plan["forecast"].as_object() {
            let at = |name: &str| forecast.get(name).and_then(Value::as_f64).unwrap_or_default();
            let line = format!("{} (nine in ten below {})", span(at("makespan_s")), span(at("makespan_p90_s")));
            facts.push(("forecast".to_owned(), line));
        }
        if let Some(loss) = plan["data_loss_s"].as_object() {
            let at = |name: &str| loss.get(name).and_then(Value::as_f64).unwrap_or_default();
            facts.push(("data loss".to_owned(), format!("{} median, {} worst", span(at("median")), span(at("worst")))));
        }
        let for_good = names("points_of_no_return");
        let none = || "nothing".to_owned();
        facts.push(("cannot be taken back".to_owned(), if for_good.is_empty() { none() } else { for_good }));
        facts.push(("longest path".to_owned(), list("longest_path").len().to_string() + " steps"));
        let step = |step: &Value| {
            let text = |name: &str| report::plain(step[name].as_str().unwrap_or_default());
            (text("name"), text("scope"), text("uses"), number(&step["units"]))
        };
        let second = shown.plan.spec().extras.start.as_ref();
        let second = second.map(|asked| format!("{} of {}", asked.min.max(1), asked.from.join(", ")));
        Self {
            hash: text("hash"),
            runbook: report::plain(&text("runbook")),
            estate: report::plain(&text("estate")),
            sites: number(&plan["sites"]),
            facts,
            batches: list("batches").iter().map(|it| (number(&it["sites"]), number(&it["max_failures"]))).collect(),
            steps: list("steps").iter().map(step).collect(),
            second: second.unwrap_or_default(),
        }
    }
}

/// Something that was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) tone: &'static str,
    pub(super) code: String,
    pub(super) place: String,
    pub(super) fact: String,
    pub(super) hint: String,
}

impl Found {
    /// Findings about the texts, then what the estate said.
    pub(super) fn of(findings: &[Value], preflight: Option<&Value>) -> Vec<Self> {
        let text = |value: &Value| report::plain(value.as_str().unwrap_or_default());
        let tone = |severity: &Value| match severity.as_str() {
            Some("error") => "bad",
            Some("warning") => "care",
            _ => "good",
        };
        let mut all = Vec::new();
        for file in findings {
            for found in file["diagnostics"].as_array().into_iter().flatten() {
                let at = &found["labels"][0];
                let place = match (at["line"].as_u64(), at["column"].as_u64()) {
                    (Some(line), Some(column)) => format!("{}:{line}:{column}", text(&file["file"])),
                    _ => text(&file["file"]),
                };
                all.push(Self {
                    tone: tone(&found["severity"]),
                    code: text(&found["code"]),
                    place,
                    fact: text(&found["message"]),
                    hint: text(&found["hint"]),
                });
            }
        }
        for found in preflight.and_then(|view| view["findings"].as_array()).into_iter().flatten() {
            all.push(Self {
                tone: tone(&found["severity"]),
                code: text(&found["code"]),
                place: text(&found["subject"]),
                fact: text(&found["fact"]),
                hint: text(&found["hint"]),
            });
        }
        all
    }
}
