//! Every expression of a plan's steps, compiled once.

use engine::{ActionUse, ForEach, Place, PlanSpec, StepIx, When, Work};

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
    /// The inputs of its undo.
    pub(crate) undo: Option<Shape>,
    /// The labels of its workers.
    pub(crate) runs_on: Option<Shape>,
}

/// Compiles the inputs of an action.
fn inputs(action: &ActionUse) -> Result<Shape, Failed> {
    shape(&action.with)
}

fn shape(json: &str) -> Result<Shape, Failed> {
    serde_json::from_str(json)
        .map_err(|_| Failed { expression: json.to_owned(), fact: "it is no JSON".into() })
        .and_then(Shape::new)
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
                Work::Action(action) => inputs(action),
                Work::Approval(_) => Shape::new(serde_json::Value::Null),
            };
            let undo = step.undo.as_ref().map(inputs).transpose();
            let runs_on = spec.extras.runs_on(StepIx::from(ix)).map(shape).transpose();
            match (with, undo, runs_on) {
                (Ok(with), Ok(undo), Ok(runs_on)) => {
                    steps.push(StepPrograms { condition, for_each, with, undo, runs_on });
                }
                (with, undo, runs_on) => {
                    let failed = [with.err(), undo.err(), runs_on.err()].into_iter().flatten();
                    broken.extend(failed.map(|failed| Broken { step: ix, failed }));
                }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use engine::{ActionSpec, Holds, KeyIx, Outputs, Scope, StepIx};
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::evaluate::Spot;
    use crate::{Estate, Format, SiteList, Source};

    struct Recorded;

    impl Outputs for Recorded {
        fn of(&self, step: StepIx, _: KeyIx) -> Vec<Option<&str>> {
            if step.ix() == 0 {
                vec![Some(r#"{"n": 7}"#)]
            } else {
                vec![Some(r#"{"n": 1}"#), None, Some(r#"{"n": 3}"#)]
            }
        }
    }

    fn spec() -> PlanSpec {
        let open = json!({"type": "object", "additionalProperties": true});
        let action = ActionSpec {
            uses: "act@1".into(),
            summary: "acts".into(),
            input: open.clone(),
            output: open,
            idempotent: Holds::Always,
            has_probe: Holds::Never,
            read_only: false,
        };
        let text = r#"
schema: runbook/v1
name: r
targets: { attributes: { products: list<string> } }
defaults: { timeout: 1m }
steps:
  one: { uses: act@1, undo: { uses: act@1, with: { n: "${{ steps.one.outputs.n }}", key: "${{ secrets.api }}" } } }
  each: { needs: one, for_each: site.products, uses: act@1, undo: { uses: act@1, with: { of: "${{ item }}", n: "${{ steps.each.outputs.n }}", one: "${{ steps.one.outputs.n }}" } } }
"#;
        let runbook = crate::check(&Source::new("r.yaml", text), &[action]);
        let runbook = runbook.runbook.expect("the runbook is right");
        let estate = Source::new("e.yaml", "schema: estate/v1\nname: e\nsecrets: { api: env:API }\n");
        let estate = Estate::parse(&estate).0.expect("the estate is right");
        let list = SiteList::parse(&Source::new("s.csv", "id,products\ns1,a;b;c\n"), Format::Csv, &runbook);
        let list = list.0.expect("the list is right");
        crate::plan(&runbook, &estate, &list, &BTreeMap::new(), &BTreeMap::new()).expect("it can be planned")
    }

    fn undo_of(spec: &PlanSpec, step: usize, item: usize) -> Result<Json, Failed> {
        let programs = Programs::new(spec).expect("what was planned compiles");
        let undo = programs.steps[step].undo.as_ref().expect("it has an undo");
        let value = Json::from(["a", "b", "c"][item]);
        let undone = Some((StepIx::from(step), item));
        let spot = Spot { spec, scope: Scope::Site, key: 0, item: Some(&value), outputs: Some(&Recorded), undone };
        undo.fill(&programs.scene, spot)
    }

    #[test]
    fn an_undo_reads_the_outputs_of_its_own_item() {
        let spec = spec();
        assert_eq!(undo_of(&spec, 0, 0), Ok(json!({"n": 7, "key": crate::secret_marker("api")})));
        assert_eq!(undo_of(&spec, 1, 2), Ok(json!({"of": "c", "n": 3, "one": 7})));
        let missing = undo_of(&spec, 1, 1).expect_err("this item gave no outputs");
        assert!(missing.fact.contains("not there"), "{missing:?}");
        assert!(spec.steps.iter().all(|step| step.keeps_outputs) && spec.steps[1].reads == [StepIx(0)]);
    }
}
