//! What a run would ask of actions, as far as that is known before it: for questions to the estate, not for execution.
//!
//! The cost is bounded. Keys for which a step reads the same texts, flags, groups and items form a class, in which only
//! what is unique to a site differs: its ID, its times, its numbers. Of each class a few keys are taken, among them
//! those with the earliest and the latest restore point. A group is one key; it is looked at with the earliest and the
//! latest restore point of its sites.

use std::collections::{BTreeMap, HashMap};

use engine::{ForEach, NO_KEY, Plan, PlanSpec, Scope, StepIx, Values, When, Work};
use serde_json::Value as Json;

use crate::evaluate::{PlanEvaluator, Programs, Shape, Spot, key_at};

/// Classes of one step beyond which no further one is looked at.
const CLASSES: usize = 10_000;
/// Keys taken of a class besides those with the earliest and the latest point.
const FEW: usize = 2;

/// What a step would ask of an action for some key.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreseen {
    /// The step.
    pub step: StepIx,
    /// Whether it is the step's undo.
    pub undo: bool,
    /// Whether it is known that the step runs, and for whom: no `if` or `for_each` of it needs outputs.
    pub certain: bool,
    /// Action.
    pub uses: String,
    /// Its inputs; what needs outputs is left out, `null` in lists. Secrets are references.
    pub with: Json,
    /// Inputs that come from outputs of another step: that step's action and its inputs, by the name of the input.
    pub from: BTreeMap<String, (String, Json)>,
}

impl PlanEvaluator {
    /// Tells what the steps of the plan would ask, each thing once or a few times; returns whether all were looked at. Steps
    /// that workers do are left out: what they ask can be told only where those are.
    #[must_use]
    pub fn foresee(&self, plan: &Plan, mut each: impl FnMut(Foreseen)) -> bool {
        let spec = plan.spec();
        let latest = latest(spec);
        let mut whole = true;
        for step in plan.steps().filter(|step| spec.extras.runs_on(*step).is_none()) {
            let declared = plan.step(step);
            let Some(program) = self.programs().steps.get(step.ix()) else { continue };
            let action = match &declared.work {
                Work::Action(action) => Some((&program.with, action, false)),
                Work::Approval(_) => None,
            };
            let undo = program.undo.as_ref().zip(declared.undo.as_ref()).map(|(shape, action)| (shape, action, true));
            for (shape, action, undo) in action.into_iter().chain(undo) {
                let asked = Asked { programs: self.programs(), spec, latest: latest.as_ref(), step, shape };
                let certain = !undo
                    && !matches!(declared.when, When::Later(_))
                    && !matches!(declared.for_each, ForEach::Later(_));
                let uses = &action.uses;
                whole &= asked.each(&mut |with, from| {
                    each(Foreseen { step, undo, certain, uses: uses.clone(), with, from });
                });
            }
        }
        whole
    }
}

/// The plan with the latest instead of the earliest restore point of each key, where they differ.
fn latest(spec: &PlanSpec) -> Option<PlanSpec> {
    let points = &spec.sites.restore_points;
    let mut later = spec.groups.clone();
    for group in &mut later {
        for (&key, &point) in group.keys.rows.iter().zip(points).filter(|(key, _)| **key != NO_KEY) {
            if let Some(known) = group.restore_points.get_mut(key as usize) {
                *known = point.max(*known);
            }
        }
    }
    (later != spec.groups).then(|| PlanSpec { groups: later, ..spec.clone() })
}

/// One action of a step.
struct Asked<'a> {
    programs: &'a Programs,
    spec: &'a PlanSpec,
    latest: Option<&'a PlanSpec>,
    step: StepIx,
    shape: &'a Shape,
}

/// Keys of a class that are looked at.
#[derive(Default)]
struct Picks {
    few: Vec<u32>,
    low: Option<(i64, u32)>,
    high: Option<(i64, u32)>,
}

impl Picks {
    fn add(&mut self, key: u32, point: Option<i64>) {
        if self.few.len() < FEW {
            self.few.push(key);
        }
        if let Some(point) = point {
            self.low = Some(self.low.map_or((point, key), |low| low.min((point, key))));
            self.high = Some(self.high.map_or((point, key), |high| high.max((point, key))));
        }
    }

    fn keys(&self) -> Vec<u32> {
        let mut keys = self.few.clone();
        keys.extend(self.low.iter().chain(&self.high).map(|&(_, key)| key));
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

impl Asked<'_> {
    /// Calls back for every key that is looked at; says whether no class was left out.
    fn each(&self, told: &mut dyn FnMut(Json, BTreeMap<String, (String, Json)>)) -> bool {
        let scope = self.spec.steps[self.step.ix()].scope;
        let (picked, whole) = self.picks(scope);
        for (key, item) in picked {
            let item: Option<Json> = item
                .and_then(|item| self.spec.items.get(item as usize))
                .and_then(|text| serde_json::from_str(text).ok());
            let specs = match scope {
                Scope::Group(_) => [Some(self.spec), self.latest],
                _ => [Some(self.spec), None],
            };
            let mut before = None;
            for spec in specs.into_iter().flatten() {
                let spot = Spot { spec, scope, key, item: item.as_ref(), outputs: None, undone: None };
                let with = self.shape.known(&self.programs.scene, spot);
                let from = self.from(spot);
                if before.as_ref() != Some(&(with.clone(), from.clone())) {
                    told(with.clone(), from.clone());
                }
                before = Some((with, from));
            }
        }
        whole
    }

    /// Keys and items to look at, in order.
    fn picks(&self, scope: Scope) -> (Vec<(u32, Option<u32>)>, bool) {
        let step = &self.spec.steps[self.step.ix()];
        let facets = self.facets(scope);
        let by_item = self.shape.holes.iter().any(|hole| hole.compiled.reads("item"));
        let mut classes: HashMap<(Vec<u32>, Option<u32>), Picks> = HashMap::new();
        let mut whole = true;
        for key in 0..crate::plan::keys_of(self.spec, scope) {
            if let When::Planned(bits) = &step.when
                && !bits.get(key as usize).copied().unwrap_or(true)
            {
                continue;
            }
            let mut class: Vec<u32> = facets.iter().map(|facet| facet(key)).collect();
            if scope != Scope::Site {
                class.push(key);
            }
            let point = self.spec.sites.restore_points.get(key as usize).copied().filter(|_| scope == Scope::Site);
            for item in items(&step.for_each, key, by_item) {
                if classes.len() >= CLASSES && !classes.contains_key(&(class.clone(), item)) {
                    whole = false;
                    continue;
                }
                classes.entry((class.clone(), item)).or_default().add(key, point);
            }
        }
        let mut picked: Vec<(u32, Option<u32>)> =
            classes.iter().flat_map(|((_, item), picks)| picks.keys().into_iter().map(|key| (key, *item))).collect();
        picked.sort_unstable();
        (picked, whole)
    }

    /// What makes keys of the scope `site` differ in more than what is their own.
    fn facets(&self, scope: Scope) -> Vec<Box<dyn Fn(u32) -> u32 + '_>> {
        let mut all: Vec<Box<dyn Fn(u32) -> u32 + '_>> = Vec::new();
        if scope != Scope::Site {
            return all;
        }
        let sources = self.sources().into_iter().map(|(_, step)| step);
        let others = sources.clone().filter_map(|step| self.programs.steps.get(step)).map(|program| &program.with);
        let mut named: Vec<(&str, Option<&str>)> = Vec::new();
        for hole in std::iter::once(self.shape).chain(others).flat_map(|shape| &shape.holes) {
            for path in &hole.compiled.paths {
                let seen = (path.root(), path.second().filter(|_| path.root() == "site"));
                if !named.contains(&seen) {
                    named.push(seen);
                }
            }
        }
        for scope in sources.filter_map(|step| self.spec.steps.get(step)).map(|step| step.scope) {
            if matches!(scope, Scope::Group(_) | Scope::Batch) {
                all.push(Box::new(move |key| self.key_at(key, scope)));
            }
        }
        for (root, name) in named {
            match (root, name) {
                ("site", Some(name)) => match self.spec.sites.column(name).map(|column| &column.values) {
                    Some(Values::Text(texts)) => {
                        all.push(Box::new(|key| texts.rows.get(key as usize).copied().unwrap_or(NO_KEY)));
                    }
                    Some(Values::Boolean(bits)) => {
                        all.push(Box::new(|key| bits.get(key as usize).copied().unwrap_or_default().into()));
                    }
                    _ => {}
                },
                ("batch", _) => all.push(Box::new(|key| self.key_at(key, Scope::Batch))),
                (root, _) => {
                    if let Some(group) = self.spec.groups.iter().position(|group| group.name == root) {
                        all.push(Box::new(move |key| self.key_at(key, Scope::Group(group.into()))));
                    }
                }
            }
        }
        all
    }

    fn key_at(&self, key: u32, scope: Scope) -> u32 {
        let spot = Spot { spec: self.spec, scope: Scope::Site, key, item: None, outputs: None, undone: None };
        key_at(spot, scope).unwrap_or(NO_KEY)
    }

    /// Inputs that read outputs of steps, with the step.
    fn sources(&self) -> Vec<(&str, usize)> {
        let of_hole = |ix: &usize| {
            let paths = &self.shape.holes.get(*ix)?.compiled.paths;
            let name = paths.iter().find(|path| path.root() == "steps")?.second()?;
            self.spec.steps.iter().position(|step| step.name == name)
        };
        let inputs = self.shape.inputs();
        inputs.into_iter().filter_map(|(name, holes)| Some((name, holes.iter().find_map(of_hole)?))).collect()
    }

    /// What the steps would be asked from whose outputs inputs come.
    fn from(&self, spot: Spot<'_>) -> BTreeMap<String, (String, Json)> {
        let source = |(name, step): (&str, usize)| {
            let declared = spot.spec.steps.get(step)?;
            let Work::Action(action) = &declared.work else { return None };
            let there = Spot { scope: declared.scope, key: key_at(spot, declared.scope)?, item: None, ..spot };
            let with = self.programs.steps.get(step)?.with.known(&self.programs.scene, there);
            Some((name.to_owned(), (action.uses.clone(), with)))
        };
        self.sources().into_iter().filter_map(source).collect()
    }
}

/// Items of a key that make a difference: those planned, or one `None`.
fn items(for_each: &ForEach, key: u32, by_item: bool) -> Vec<Option<u32>> {
    let ForEach::Planned { offsets, items } = for_each else { return vec![None] };
    let (start, end) = (offsets.get(key as usize), offsets.get(key as usize + 1));
    let found = start.zip(end).and_then(|(&start, &end)| items.get(start as usize..end as usize)).unwrap_or_default();
    match found {
        [] => Vec::new(),
        _ if by_item => found.iter().copied().map(Some).collect(),
        _ => vec![None],
    }
}
