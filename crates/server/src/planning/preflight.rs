//! Preflight: what is asked of the estate before a run, each thing once, and what was found.

mod announced;
mod claims;
mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use engine::Plan;
use futures::StreamExt;
use runtime::{Call, Connector, Finding, Intent, SecretSource, SecretText, Severity, Source};
use secrecy::SecretString;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::planning::evaluator;

/// Questions that are under way at the same time.
const AT_ONCE: usize = 16;
/// Longest time of one question.
const PATIENCE: Duration = Duration::from_secs(30);
/// Questions beyond which no further one is asked.
const QUESTIONS: usize = 20_000;

/// What was asked and found.
#[derive(Debug)]
pub struct Preflight {
    /// Number of questions.
    pub asked: usize,
    /// What was found: errors first.
    pub rows: Vec<Row>,
}

/// A finding and the steps that it concerns.
#[derive(Debug)]
pub struct Row {
    /// What was found.
    pub finding: Finding,
    /// Names of the steps.
    pub steps: BTreeSet<String>,
}

/// A question and who asks it.
struct Question {
    connector: Arc<dyn Connector>,
    uses: String,
    with: Value,
    steps: BTreeSet<String>,
    /// Whether some step surely asks it.
    certain: bool,
}

impl Preflight {
    /// Asks the estate of a plan; changes nothing.
    ///
    /// # Errors
    /// Says why, if the plan's expressions cannot be compiled.
    ///
    /// # Cancel safety
    /// May be dropped at any await.
    pub async fn of(
        plan: &Plan,
        connectors: &[Arc<dyn Connector>],
        secrets: &dyn SecretSource,
    ) -> Result<Self, String> {
        let (questions, whole) = questions(plan, connectors)?;
        let (values, mut rows) = read_secrets(plan, secrets).await?;
        let asked = questions.len() + rows.len();
        let answers = futures::stream::iter(questions.into_values()).map(|question| ask(question, &values));
        let answered: Vec<Vec<Row>> = answers.buffer_unordered(AT_ONCE).collect().await;
        rows.extend(answered.into_iter().flatten());
        rows.extend(claims::beyond(&rows));
        if !whole {
            let fact = format!("not all that the plan asks was looked at; {asked} questions were");
            let finding =
                Finding::warning("preflight.incomplete", "the plan", fact, "look at smaller parts of the list");
            rows.push(Row { finding, steps: BTreeSet::new() });
        }
        rows.sort_by(|a, b| {
            let key = |row: &Row| (row.finding.severity, row.finding.code, row.finding.subject.clone());
            (key(a), &a.finding.fact).cmp(&(key(b), &b.finding.fact))
        });
        Ok(Self { asked, rows })
    }

    /// Number of findings of a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.rows.iter().filter(|row| row.finding.severity == severity).count()
    }

    /// Whether nothing stands in the way.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.count(Severity::Error) == 0
    }
}

/// The questions of all steps by their text, and whether they are all.
fn questions(plan: &Plan, connectors: &[Arc<dyn Connector>]) -> Result<(BTreeMap<String, Question>, bool), String> {
    let evaluator = evaluator(plan)?;
    let mut by_action: BTreeMap<String, Arc<dyn Connector>> = BTreeMap::new();
    for connector in connectors {
        for action in connector.actions() {
            by_action.insert(action.uses, Arc::clone(connector));
        }
    }
    let mut all: BTreeMap<String, Question> = BTreeMap::new();
    let mut dropped = false;
    let mut take = |intent: &Intent, step: &str, certain: bool| {
        let Some(connector) = by_action.get(&intent.uses) else { return };
        for with in connector.questions(intent) {
            let key = with.to_string();
            if all.len() >= QUESTIONS && !all.contains_key(&key) {
                dropped = true;
                continue;
            }
            let question = all.entry(key).or_insert_with(|| Question {
                connector: Arc::clone(connector),
                uses: intent.uses.clone(),
                with,
                steps: BTreeSet::new(),
                certain: false,
            });
            question.certain |= certain;
            if !question.steps.contains(step) {
                question.steps.insert(step.to_owned());
            }
        }
    };
    let whole = evaluator.foresee(plan, |seen| {
        let from = seen.from.into_iter().map(|(input, (uses, with))| (input, Source { uses, with })).collect();
        let intent = Intent { uses: seen.uses, with: seen.with, from };
        take(&intent, &plan.step(seen.step).name, seen.certain);
    });
    for intent in announced::intents(plan) {
        take(&intent, announced::ANNOUNCE, false);
    }
    Ok((all, whole && !dropped))
}

/// Reads every secret that an action of the plan needs: one that is missing would stop the run half-way.
async fn read_secrets(
    plan: &Plan,
    source: &dyn SecretSource,
) -> Result<(BTreeMap<String, SecretString>, Vec<Row>), String> {
    let needed = evaluator(plan)?.secrets();
    let announced = announced::intents(plan).iter().flat_map(|intent| SecretText::names_in(&intent.with)).collect();
    let names: BTreeSet<String> = needed.union(&announced).cloned().collect();
    let reads = names.into_iter().map(|name| async move {
        let read = tokio::time::timeout(PATIENCE, source.read(&name)).await;
        let read = read.unwrap_or_else(|_| Err(format!("it was not there within {} s", PATIENCE.as_secs())));
        (name, read)
    });
    let (mut values, mut rows) = (BTreeMap::new(), Vec::new());
    for (name, read) in futures::future::join_all(reads).await {
        let subject = format!("secret {name}");
        let finding = match read {
            Ok(value) => {
                values.insert(name, value);
                Finding::good("secret", subject, "can be read")
            }
            Err(why) => {
                let hint = "set what the estate's `secrets` refers to, in the environment of this command";
                if needed.contains(&name) {
                    Finding::error("secret", subject, why, hint)
                } else {
                    Finding::warning("secret", subject, why, hint)
                }
            }
        };
        rows.push(Row { finding, steps: BTreeSet::new() });
    }
    Ok((values, rows))
}

async fn ask(question: Question, values: &BTreeMap<String, SecretString>) -> Vec<Row> {
    let Question { connector, uses, with, steps, certain } = question;
    let needed = SecretText::names_in(&with);
    if needed.iter().any(|name| !values.contains_key(name)) {
        // That the secret is missing is a finding by itself.
        return Vec::new();
    }
    let secrets = needed.into_iter().filter_map(|name| Some((name.clone(), values.get(&name)?.clone()))).collect();
    let cancel = CancellationToken::new();
    let shown = with.as_object().and_then(|members| members.iter().next());
    let subject = shown.and_then(|(_, subject)| subject.as_str()).unwrap_or(&uses).to_owned();
    let call = Call {
        uses,
        key: "preflight".to_owned(),
        undoes: None,
        token: 0,
        with,
        secrets: SecretText::new(secrets),
        timeout: PATIENCE,
        cancel: cancel.clone(),
        log: runtime::Log::default(),
    };
    let findings = match tokio::time::timeout(PATIENCE, connector.preflight(call)).await {
        Ok(findings) => findings,
        Err(_) => {
            cancel.cancel();
            let fact = format!("no answer within {} s", PATIENCE.as_secs());
            let hint = "look at the system; `--no-preflight` runs without asking";
            vec![Finding::error("preflight.timeout", subject, fact, hint)]
        }
    };
    let row = |mut finding: Finding| {
        if !certain && finding.severity == Severity::Error {
            // It may never be needed: an undo, or a step whose condition is not known yet.
            finding.severity = Severity::Warning;
        }
        Row { finding, steps: steps.clone() }
    };
    findings.into_iter().map(row).collect()
}
