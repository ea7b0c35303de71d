//! The engine's port to expressions, from a stored plan alone.

use std::collections::BTreeSet;
use std::fmt;

use engine::{EvalError, Evaluator, KeyIx, Outputs, Plan, PlanSpec, Scope, SiteIx, StepIx, Target};
use serde_json::Value as Json;

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::evaluate::shape::Failed;
use crate::evaluate::{Programs, Shape, Spot};
use crate::label;
use crate::source::Span;

/// Evaluates the expressions of one plan; each is compiled once, when this is made.
#[derive(Debug)]
pub struct PlanEvaluator {
    programs: Programs,
}

impl PlanEvaluator {
    /// Compiles the expressions of a plan.
    ///
    /// # Errors
    /// If the plan holds an expression that this version cannot compile.
    pub fn new(plan: &Plan) -> Result<Self, Vec<Diagnostic>> {
        let spec = plan.spec();
        match Programs::new(spec) {
            Ok(programs) => Ok(Self { programs }),
            Err(broken) => Err(broken
                .into_iter()
                .map(|broken| {
                    let step = spec.steps.get(broken.step);
                    let mut diagnostic = Diagnostic::error(
                        codes::EXPR_SYNTAX,
                        format!(
                            "step `{}`: {} in `{}`",
                            step.map_or("?", |step| &step.name),
                            broken.failed.fact,
                            broken.failed.expression
                        ),
                        "the plan was written by another version: plan again with this one",
                    );
                    diagnostic.push_label(Span::default(), step.map(|step| step.place).unwrap_or_default(), "");
                    diagnostic
                })
                .collect()),
        }
    }

    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Names of the secrets that inputs of the plan's actions read, each once.
    #[must_use]
    pub fn secrets(&self) -> BTreeSet<String> {
        let shapes = self.programs.steps.iter().flat_map(|step| std::iter::once(&step.with).chain(&step.undo));
        let paths = shapes.flat_map(|shape| &shape.holes).flat_map(|hole| &hole.compiled.paths);
        paths.filter(|path| path.root() == "secrets").filter_map(|path| path.second().map(str::to_owned)).collect()
    }

    fn fail(&self, spec: &PlanSpec, step: StepIx, key: KeyIx, failed: &Failed) -> EvalError {
        let place = self.programs.place(spec, step.ix(), &failed.expression);
        let name = spec.steps.get(step.ix()).map_or("?", |step| &step.name);
        EvalError {
            code: codes::PLAN_EXPR.id.to_owned(),
            message: format!(
                "{}:{}:{}: step `{name}`{}: `{}`: {}",
                spec.origin.runbook_file,
                place.line,
                place.column,
                key_words(spec, step, key),
                failed.expression,
                failed.fact
            ),
            hint: hint(failed),
        }
    }
}

/// What to do about an expression that failed.
pub(crate) fn hint(failed: &Failed) -> String {
    if failed.fact.contains("not there") && failed.expression.contains("steps.") {
        "the step may have been skipped or degraded: test it with `steps.NAME.outputs is defined`, or give a value with `| default('...')`".into()
    } else if failed.fact.contains("not there") {
        "check the spelling, or give a value with `| default('...')`".into()
    } else {
        "change the expression, or the data it reads".into()
    }
}

/// Names the key of a step for people, with a leading comma; empty for the run.
pub(crate) fn key_words(spec: &PlanSpec, step: StepIx, key: KeyIx) -> String {
    match spec.steps.get(step.ix()).map(|step| step.scope) {
        Some(Scope::Site) => {
            let row = spec.sites.source_rows.get(key.ix()).copied().unwrap_or_default();
            format!(", site `{}` (row {row} of {})", spec.sites.id(SiteIx(key.0)), spec.origin.sites_file)
        }
        Some(Scope::Batch) => format!(", batch {}", key.0 + 1),
        Some(Scope::Group(group)) => spec.groups.get(group.ix()).map_or_else(String::new, |group| {
            format!(", {} `{}`", group.name, group.keys.dictionary.get(key.ix()).map_or("?", String::as_str))
        }),
        Some(Scope::Run) | None => String::new(),
    }
}

fn spot<'a>(spec: &'a PlanSpec, step: StepIx, key: KeyIx, outputs: &'a dyn Outputs) -> Spot<'a> {
    let scope = spec.steps.get(step.ix()).map_or(Scope::Run, |step| step.scope);
    Spot { spec, scope, key: key.0, item: None, outputs: Some(outputs), undone: None }
}

impl PlanEvaluator {
    /// Fills a shape of a unit's step; `undone` is the step, and the item, that the unit takes back.
    fn fill(
        &self,
        shape: &Shape,
        plan: &Plan,
        target: Target<'_>,
        outputs: &dyn Outputs,
        undone: Option<(StepIx, usize)>,
    ) -> Result<Json, EvalError> {
        let spec = plan.spec();
        let fail = |failed: &Failed| self.fail(spec, target.step, target.key, failed);
        let item: Option<Json> = match target.item {
            None => None,
            Some(text) => Some(serde_json::from_str(text).map_err(|_| {
                fail(&Failed { expression: "item".into(), fact: "the recorded item is no JSON".into() })
            })?),
        };
        let spot = Spot { item: item.as_ref(), undone, ..spot(spec, target.step, target.key, outputs) };
        shape.fill(&self.programs.scene, spot).map_err(|failed| fail(&failed))
    }
}

impl Evaluator for PlanEvaluator {
    fn condition(&self, plan: &Plan, step: StepIx, key: KeyIx, outputs: &dyn Outputs) -> Result<bool, EvalError> {
        let spec = plan.spec();
        let Some(condition) = self.programs.steps.get(step.ix()).and_then(|step| step.condition.as_ref()) else {
            return Ok(true);
        };
        let failed = |fact: String| self.fail(spec, step, key, &Failed { expression: condition.text.clone(), fact });
        match self.programs.scene.evaluate(condition, spot(spec, step, key, outputs)) {
            Ok(Json::Bool(value)) => Ok(value),
            Ok(other) => Err(failed(format!("`if` gave {}, not a boolean", kind(&other)))),
            Err(fact) => Err(failed(fact)),
        }
    }

    fn items(&self, plan: &Plan, step: StepIx, key: KeyIx, outputs: &dyn Outputs) -> Result<Vec<String>, EvalError> {
        let spec = plan.spec();
        let Some(for_each) = self.programs.steps.get(step.ix()).and_then(|step| step.for_each.as_ref()) else {
            return Ok(Vec::new());
        };
        let failed = |fact: String| self.fail(spec, step, key, &Failed { expression: for_each.text.clone(), fact });
        match self.programs.scene.evaluate(for_each, spot(spec, step, key, outputs)) {
            Ok(Json::Array(items)) => Ok(items.iter().map(Json::to_string).collect()),
            Ok(other) => Err(failed(format!("`for_each` gave {}, not a list", kind(&other)))),
            Err(fact) => Err(failed(fact)),
        }
    }

    fn with(&self, plan: &Plan, target: Target<'_>, outputs: &dyn Outputs) -> Result<Json, EvalError> {
        let Some(program) = self.programs.steps.get(target.step.ix()) else { return Ok(Json::Null) };
        // The number of an item matters only where the plan knows it: `check` refuses the rest.
        let undone = target.undo.then(|| {
            let item = plan.planned_unit_at(target.unit).map_or(0, |(_, item)| item as usize);
            (target.step, item)
        });
        let shape = match (&program.undo, target.undo) {
            (Some(undo), true) => undo,
            (None, true) => return Ok(Json::Null),
            (_, false) => &program.with,
        };
        self.fill(shape, plan, target, outputs, undone)
    }

    fn labels(&self, plan: &Plan, target: Target<'_>, outputs: &dyn Outputs) -> Result<Vec<String>, EvalError> {
        let program = self.programs.steps.get(target.step.ix());
        let Some(shape) = program.and_then(|program| program.runs_on.as_ref()) else { return Ok(Vec::new()) };
        let Json::Array(values) = self.fill(shape, plan, target, outputs, None)? else { return Ok(Vec::new()) };
        let as_label = |value: &Json| match value {
            Json::String(text) => label::check(text).map(|()| text.clone()),
            other => Err(format!("`runs_on` gave {}, not a text", kind(other))),
        };
        values
            .iter()
            .map(|value| as_label(value).map_err(|fact| Failed { expression: "runs_on".into(), fact }))
            .map(|label| label.map_err(|failed| self.fail(plan.spec(), target.step, target.key, &failed)))
            .collect()
    }
}

/// Names the kind of a value for people.
pub(crate) fn kind(value: &Json) -> impl fmt::Display {
    match value {
        Json::Null => "nothing",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "a map",
    }
}
