//! At which point in time each store stands, as its step said when it succeeded, against what the plan asks.
//!
//! A step is asked for a restore point if its inputs read one; the point is the plan's, whatever the step says. What was
//! reached is what the outputs of the action say under `restore_point`: an RFC 3339 time, or an object or a list of
//! objects `{store, site, of, asked, reached, until, evidence}`. A byte is kept of a unit that stands where it should,
//! more only of those that do not, of steps that sites share, and of as many as [`KEPT`].

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use engine::{Decree, Event, KeyIx, Millis, Mode, Plan, Ruling, Run, Scope, SiteIx, StepIx, UnitIx, Work};
use serde_json::Value;

/// Sayings kept word by word; of those beyond only that they do not simply agree.
const KEPT: usize = 200_000;

/// Which restore point a step is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// None: its inputs read none.
    Nothing,
    /// The point of each site.
    Own,
    /// The earliest of the sites of its key.
    Key,
}

/// What is known of a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing yet, or it is no store.
    #[default]
    Nothing,
    /// It was asked and gave no evidence.
    Silent,
    /// It stands where it was asked to.
    Stands,
    /// What it said is kept.
    Told,
}

/// What a store said of its point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Saying {
    /// Name of the store; `None` for the step's.
    pub(crate) store: Option<Box<str>>,
    /// The only site that it is about.
    pub(crate) site: Option<SiteIx>,
    /// What it says it was asked.
    pub(crate) asked: Option<Millis>,
    /// From when on its content is what it holds.
    pub(crate) reached: Option<Millis>,
    /// Until when, exclusive.
    pub(crate) until: Option<Millis>,
    pub(crate) evidence: Box<str>,
}

/// How a store stands to what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stands {
    Agrees,
    /// It stands at another point.
    Elsewhere,
    /// It was asked for another point than the site's.
    Otherwise,
    /// There is no evidence.
    Unproven,
}

impl Saying {
    /// Holds it against the point that was asked.
    pub(crate) fn stands(&self, asked: Millis) -> Stands {
        match self.reached {
            None => Stands::Unproven,
            Some(_) if self.asked.is_some_and(|said| said != asked) => Stands::Otherwise,
            Some(reached) if reached == asked => Stands::Agrees,
            Some(reached) if reached < asked && self.until.is_some_and(|until| asked < until) => Stands::Agrees,
            Some(_) => Stands::Elsewhere,
        }
    }
}

/// What is kept of a step.
#[derive(Clone, Debug)]
pub(crate) struct Of {
    pub(crate) asks: Asks,
    /// Units that gave evidence, each time that they did.
    pub(crate) said: u64,
    /// Steps whose points this one proves.
    pub(crate) proves: BTreeSet<Box<str>>,
    /// What its first evidence was: store and words.
    pub(crate) store: Option<Box<str>>,
    pub(crate) evidence: Box<str>,
}

/// The restore points of a run's stores.
#[derive(Clone, Debug)]
pub(crate) struct Audit {
    pub(crate) steps: Vec<Of>,
    known: Vec<Known>,
    told: BTreeMap<UnitIx, Vec<Saying>>,
    kept: usize,
}

impl Audit {
    pub(super) fn new(plan: &Plan) -> Self {
        let of = |step| Of {
            asks: asks(plan, step),
            said: 0,
            proves: BTreeSet::new(),
            store: None,
            evidence: Box::default(),
        };
        Self { steps: plan.steps().map(of).collect(), known: Vec::new(), told: BTreeMap::new(), kept: 0 }
    }

    /// Whether any step was asked for a point or gave one.
    pub(crate) fn is_anything(&self) -> bool {
        self.steps.iter().any(|step| step.asks != Asks::Nothing || step.said > 0)
    }

    pub(crate) fn known(&self, unit: UnitIx) -> Known {
        self.known.get(unit.0 as usize).copied().unwrap_or_default()
    }

    /// What a unit said word by word, what is about all of its sites first, then by site; `None` if that was not kept.
    pub(crate) fn told(&self, unit: UnitIx) -> Option<&[Saying]> {
        self.told.get(&unit).map(Vec::as_slice)
    }

    /// Numbers of the sayings of a unit that are about a site; `None` if they were not kept.
    pub(crate) fn about(&self, unit: UnitIx, site: SiteIx) -> Option<impl Iterator<Item = usize> + use<>> {
        let told = self.told.get(&unit)?;
        let of = |wanted: Option<SiteIx>| {
            told.partition_point(|saying| saying.site < wanted)..told.partition_point(|saying| saying.site <= wanted)
        };
        Some(of(None).chain(of(Some(site))))
    }

    /// Takes an event in, after the run has; `mode` is that of the attempt that ended.
    pub(super) fn note(&mut self, run: &Run, event: &Event, mode: Option<Mode>) {
        match event {
            Event::Succeeded { unit, .. } if mode.is_some_and(Mode::is_undo) => self.set(*unit, Known::Nothing, None),
            Event::Succeeded { unit, outputs } => self.succeeded(run, *unit, outputs.as_deref()),
            // What a person says is no evidence of a system.
            Event::Ruled { unit, ruling: Ruling::Done, .. } => self.succeeded(run, *unit, None),
            Event::Overruled { node, item, how: Decree::Done { .. }, .. } => {
                let units = run.units_of(*node);
                let one = item.map(|item| units.start + item);
                units.filter(|unit| one.is_none_or(|one| one == *unit)).for_each(|unit| {
                    self.succeeded(run, UnitIx(unit), None);
                });
            }
            _ => {}
        }
    }

    fn succeeded(&mut self, run: &Run, unit: UnitIx, outputs: Option<&str>) {
        let plan = run.plan();
        let Some((node, _)) = run.unit_at(unit) else { return };
        let (step, key) = plan.node_at(node);
        let Some(of) = self.steps.get_mut(step.ix()) else { return };
        let (sayings, proves) = outputs.map(|text| read(plan, (step, key), text)).unwrap_or_default();
        of.proves.extend(proves);
        if sayings.iter().all(|saying| saying.reached.is_none()) {
            let known = if of.asks == Asks::Nothing { Known::Nothing } else { Known::Silent };
            return self.set(unit, known, None);
        }
        of.said += 1;
        if of.evidence.is_empty()
            && let Some(first) = sayings.iter().find(|saying| saying.reached.is_some())
        {
            of.evidence.clone_from(&first.evidence);
            of.store.clone_from(&first.store);
        }
        let simply = match sayings.as_slice() {
            [only] => {
                plan.step(step).scope == Scope::Site
                    && only.site.is_none()
                    && only.store == of.store
                    && plan.restore_point(Scope::Site, key).is_some_and(|point| only.stands(point) == Stands::Agrees)
            }
            _ => false,
        };
        if simply { self.set(unit, Known::Stands, None) } else { self.set(unit, Known::Told, Some(sayings)) }
    }

    fn set(&mut self, unit: UnitIx, known: Known, sayings: Option<Vec<Saying>>) {
        let at = unit.0 as usize;
        if at >= self.known.len() {
            if known == Known::Nothing {
                return;
            }
            self.known.resize(at + 1, Known::Nothing);
        }
        self.known[at] = known;
        if let Some(before) = self.told.remove(&unit) {
            self.kept -= before.len();
        }
        if let Some(sayings) = sayings.filter(|sayings| self.kept + sayings.len() <= KEPT) {
            self.kept += sayings.len();
            self.told.insert(unit, sayings);
        }
    }

    /// Units of which something is kept.
    pub(super) fn units(&self) -> impl Iterator<Item = UnitIx> + '_ {
        let units = self.known.iter().enumerate().filter(|(_, known)| **known != Known::Nothing);
        units.filter_map(|(unit, _)| u32::try_from(unit).ok().map(UnitIx))
    }

    /// Follows an amended plan: steps by name, units by where they lie.
    pub(super) fn amended(
        &mut self,
        plan: &Plan,
        step: impl Fn(usize) -> Option<StepIx>,
        unit: impl Fn(UnitIx) -> Option<UnitIx>,
    ) {
        let old = std::mem::replace(self, Self::new(plan));
        for (ix, of) in old.steps.iter().enumerate() {
            if let Some(now) = step(ix).and_then(|step| self.steps.get_mut(step.ix())) {
                *now = Of { asks: now.asks, ..of.clone() };
            }
        }
        for before in old.units() {
            if let Some(now) = unit(before) {
                self.set(now, old.known(before), old.told.get(&before).cloned());
            }
        }
    }
}

/// Reads from the inputs of a step which restore point it is asked for.
pub(crate) fn asks(plan: &Plan, step: StepIx) -> Asks {
    let spec = plan.step(step);
    let Work::Action(action) = &spec.work else { return Asks::Nothing };
    if spec.finally {
        // It cleans up after all others, also what is named by a point; no store of a site is brought anywhere by it.
        return Asks::Nothing;
    }
    let mut asks = Asks::Nothing;
    for hole in action.with.split("${{").skip(1).filter_map(|rest| rest.split("}}").next()) {
        let word = |char: char| char.is_ascii_alphanumeric() || char == '_';
        for name in hole.split(|char: char| !word(char)) {
            match name {
                "restore_points" => return Asks::Own,
                "restore_point" if matches!(spec.scope, Scope::Group(_)) => asks = Asks::Key,
                "restore_point" => asks = Asks::Own,
                _ => {}
            }
        }
    }
    asks
}

/// Reads what outputs say of restore points, and whose points that proves.
fn read(plan: &Plan, (step, key): (StepIx, KeyIx), outputs: &str) -> (Vec<Saying>, Vec<Box<str>>) {
    if !outputs.contains("restore_point") {
        return (Vec::new(), Vec::new());
    }
    let outputs: Value = serde_json::from_str(outputs).unwrap_or_default();
    let said = match outputs.get("restore_point") {
        None | Some(Value::Null) => return (Vec::new(), Vec::new()),
        Some(Value::Array(all)) => all.iter().collect(),
        Some(one) => vec![one],
    };
    let mut proves = Vec::new();
    let mut sayings = Vec::new();
    let sites: BTreeMap<&str, SiteIx> = if said.iter().any(|one| one.get("site").is_some()) {
        plan.sites_of(plan.step(step).scope, key).map(|site| (plan.spec().sites.id(site), site)).collect()
    } else {
        BTreeMap::new()
    };
    for one in said {
        let text = |name: &str| one.get(name).and_then(Value::as_str);
        proves.extend(
            one.get("of").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(Box::from),
        );
        let site = match text("site") {
            // Of a site that the unit does not cover it can prove nothing.
            Some(id) => match sites.get(id) {
                Some(site) => Some(*site),
                None => continue,
            },
            None => None,
        };
        sayings.push(Saying {
            store: text("store").map(Box::from),
            site,
            asked: text("asked").and_then(time),
            reached: one.as_str().or_else(|| text("reached")).and_then(time),
            until: text("until").and_then(time),
            evidence: text("evidence").unwrap_or_default().into(),
        });
    }
    sayings.sort_by_key(|saying| saying.site);
    (sayings, proves)
}

fn time(text: &str) -> Option<Millis> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis())
}

/// The point that a unit of a step is asked for, and that of a site under it.
pub(crate) fn asked(plan: &Plan, asks: Asks, step: StepIx, key: KeyIx, site: SiteIx) -> Option<(Millis, Millis)> {
    let own = plan.restore_point(Scope::Site, KeyIx(site.0))?;
    let asked = match asks {
        Asks::Key => plan.restore_point(plan.step(step).scope, key)?,
        Asks::Own | Asks::Nothing => own,
    };
    Some((asked, own))
}
