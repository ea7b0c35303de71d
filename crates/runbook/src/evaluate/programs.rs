//! Every expression of a plan's steps, compiled once.

use engine::{ForEach, Place, PlanSpec, When, Work};

use crate::evaluate::shape::Failed;
use crate::evaluate::{Scene, Shape};
use crate::expr::Compiled;
use crate::source::Lines;

/// The expressions of one step.
#[derive(Debug)]
pub(crate) struct StepPrograms {
    pub(crate) condition: Option<Compiled>,
    pub(crate) for_each: Option<Compiled>,
    pub(crate) with: Shape,
}

/// The expressions of a plan.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) scene: Scene,
    pub(crate) steps: Vec<StepPrograms>,
    lines: Lines,
}

/// An expression of a stored plan that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) step: usize,
    pub(crate) failed: Failed,
}

impl Programs {
    pub(crate) fn new(spec: &PlanSpec) -> Result<Self, Vec<Broken>> {
        let scene = Scene::new(&spec.inputs, &spec.estate)
            .map_err(|fact| vec![Broken { step: 0, failed: Failed { expression: String::new(), fact } }])?;
        let mut broken = Vec::new();
        let mut steps = Vec::with_capacity(spec.steps.len());
        for (ix, step) in spec.steps.iter().enumerate() {
            let mut compile = |text: &str| match Compiled::unchecked(text) {
                Ok(compiled) => Some(compiled),
                Err(wrong) => {
                    broken.push(Broken { step: ix, failed: Failed { expression: text.to_owned(), fact: wrong.fact } });
                    None
                }
            };
            let condition = match &step.when {
                When::Later(text) => compile(text),
                When::Always | When::Planned(_) => None,
            };
            let for_each = match &step.for_each {
                ForEach::Later(text) => compile(text),
                ForEach::Once | ForEach::Planned { .. } => None,
            };
            let with = match &step.work {
                Work::Action(action) => serde_json::from_str(&action.with)
                    .map_err(|_| Failed { expression: action.with.clone(), fact: "it is no JSON".into() })
                    .and_then(Shape::new),
                Work::Approval(_) => Shape::new(serde_json::Value::Null),
            };
            match with {
                Ok(with) => steps.push(StepPrograms { condition, for_each, with }),
                Err(failed) => broken.push(Broken { step: ix, failed }),
            }
        }
        if broken.is_empty() {
            Ok(Self { scene, steps, lines: Lines::of(&spec.origin.runbook_text) })
        } else {
            Err(broken)
        }
    }

    /// The place of an expression of a step: its own line if it is found there, else the step's.
    pub(crate) fn place(&self, spec: &PlanSpec, step: usize, expression: &str) -> Place {
        let Some(step) = spec.steps.get(step) else { return Place::default() };
        let text = &spec.origin.runbook_text;
        let start = self.lines.byte(text, step.place);
        let end = spec
            .steps
            .iter()
            .map(|other| self.lines.byte(text, other.place))
            .filter(|&other| other > start)
            .min()
            .unwrap_or(text.len());
        match text.get(start..end).filter(|_| !expression.is_empty()).and_then(|part| part.find(expression)) {
            Some(at) => self.lines.place(text, start + at),
            None => step.place,
        }
    }
}
