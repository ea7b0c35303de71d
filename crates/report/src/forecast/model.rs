//! What a forecast takes for granted: how long attempts last, how often they are refused, what conditions will say.

use engine::{ForEach, NodeState, Plan, Run, StepIx, UNKNOWN_MS, UnitIx, When, Work, below, share};

use crate::fold::{Fold, StepTimes};
use crate::forecast::draw::{For, draw};

/// Measured attempts of a step from which on they count in a run under way.
const LEAST_MEASURED: u64 = 5;

/// How long attempts last and how they end, step by step, and what that rests on in words.
#[derive(Clone, Debug)]
pub struct Model {
    steps: Vec<StepModel>,
    pub(super) assumptions: Vec<String>,
    /// Successful attempts that it rests on.
    pub(super) measured: u64,
    /// Whether some step's time is more than a default.
    is_grounded: bool,
}

#[derive(Clone, Debug)]
struct StepModel {
    time: Time,
    /// Share of attempts that change nothing and are tried again.
    refused: f64,
    /// Share of keys for which an `if` that needs outputs holds.
    holds: f64,
    /// Mean number of items of a `for_each` that needs outputs.
    items: f64,
}

/// How long an attempt of a step lasts, in milliseconds.
#[derive(Clone, Debug)]
enum Time {
    /// Uniform, both ends included.
    Range(u64, u64),
    /// As measured.
    Measured(Vec<(u64, u64)>),
    /// As measured in this share of cases, else as expected.
    Blend(Vec<(u64, u64)>, f64, (u64, u64)),
}

/// What an earlier run, or this one so far, tells of a step.
struct Evidence<'a> {
    times: &'a StepTimes,
    holds: Option<f64>,
    items: Option<f64>,
    blend: bool,
}

impl Model {
    /// Takes times from `expect` alone.
    #[must_use]
    pub fn expected(plan: &Plan) -> Self {
        Self::build(plan, |_| None)
    }

    /// Takes times, refusals and conditions from an earlier run, step by step by name, and from `expect` where it says
    /// nothing.
    #[must_use]
    pub fn measured(plan: &Plan, earlier: &Fold) -> Self {
        let mut model = Self::build(plan, |step| {
            let name = &plan.step(step).name;
            let there = earlier.plan().steps().find(|&there| earlier.plan().step(there).name == *name)?;
            Some(evidence(earlier, there, false))
        });
        let known = plan.steps().filter(|&step| matches!(model.steps[step.ix()].time, Time::Measured(_))).count();
        let of = if earlier.name().is_empty() { "an earlier run" } else { earlier.name() };
        let fact = format!("times of {known} of {} steps as measured in {of}", plan.spec().steps.len());
        model.assumptions.insert(0, fact);
        model
    }

    /// Takes what this run has shown so far, blended with `expect`.
    #[must_use]
    pub fn so_far(fold: &Fold) -> Self {
        Self::build(fold.plan(), |step| Some(evidence(fold, step, true)))
    }

    /// Whether anything at all is known of how long steps take.
    #[must_use]
    pub fn is_grounded(&self) -> bool {
        self.is_grounded
    }

    fn build<'a>(plan: &Plan, of: impl Fn(StepIx) -> Option<Evidence<'a>>) -> Self {
        let mut model = Self { steps: Vec::new(), assumptions: Vec::new(), measured: 0, is_grounded: false };
        let mut unknown = Vec::new();
        let (mut conditions, mut items) = (Vec::new(), Vec::new());
        let durations = |step| of(step).map_or((0, 0), |of| (of.times.durations.sum(), of.times.durations.len()));
        let (sum, count) = plan.steps().map(durations).fold((0, 0), |all, of| (all.0 + of.0, all.1 + of.1));
        let mean: Option<u64> = u64::checked_div(sum, count);
        for step in plan.steps() {
            let (spec, evidence) = (plan.step(step), of(step));
            let measured = evidence.as_ref().map_or(0, |evidence| evidence.times.durations.len());
            model.measured += measured;
            let time = time(spec.expect_ms, evidence.as_ref());
            // A person's answer takes what `expect` says, else no time.
            let fallback = match spec.work {
                Work::Approval(_) => 0,
                Work::Action(_) => mean.unwrap_or(UNKNOWN_MS),
            };
            if time.is_none() {
                unknown.push(spec.name.as_str());
            }
            model.is_grounded |= time.is_some();
            let holds = evidence.as_ref().and_then(|evidence| evidence.holds);
            let many = evidence.as_ref().and_then(|evidence| evidence.items);
            if matches!(spec.when, When::Later(_)) {
                conditions.push(holds.map_or_else(
                    || format!("`if` of {} holds", spec.name),
                    |holds| format!("`if` of {} holds for {:.0} % as measured", spec.name, holds * 100.0),
                ));
            }
            if matches!(spec.for_each, ForEach::Later(_)) {
                items.push(many.map_or_else(
                    || format!("`for_each` of {} has one item", spec.name),
                    |many| format!("`for_each` of {} has {many:.1} items as measured", spec.name),
                ));
            }
            let refused = evidence.map_or(0.0, |evidence| refused(evidence.times));
            let time = time.unwrap_or(Time::Range(fallback, fallback));
            model.steps.push(StepModel { time, refused, holds: holds.unwrap_or(1.0), items: many.unwrap_or(1.0) });
        }
        if !unknown.is_empty() {
            let took = crate::duration::span(i64::try_from(mean.unwrap_or(UNKNOWN_MS)).unwrap_or(i64::MAX));
            let why = if mean.is_none() { "by default" } else { "the mean of the others" };
            let fact = format!("{} without `expect` or measured times take {took}, {why}", names(&unknown));
            model.assumptions.push(fact);
        }
        model.assumptions.extend(conditions);
        model.assumptions.extend(items);
        let retried = model.steps.iter().filter(|step| step.refused > 0.0).count();
        model.assumptions.push(if retried > 0 {
            "attempts fall short as often as measured and are tried again; no step fails for good".to_owned()
        } else {
            "no attempt fails".to_owned()
        });
        model
    }

    /// Mean time of an attempt of a step, in milliseconds.
    #[must_use]
    pub fn expected_ms(&self, step: StepIx) -> u64 {
        match &self.steps[step.ix()].time {
            Time::Range(low, high) => middle(*low, *high),
            Time::Measured(ladder) => mean(ladder),
            Time::Blend(ladder, measured, (low, high)) => {
                #[expect(clippy::cast_precision_loss, reason = "a mean")]
                let blend = mean(ladder) as f64 * measured + middle(*low, *high) as f64 * (1.0 - measured);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, never below 0")]
                let blend = blend as u64;
                blend
            }
        }
    }

    /// How long an attempt lasts, in milliseconds.
    pub(super) fn duration(&self, seed: u64, step: StepIx, unit: UnitIx, attempt: u32) -> i64 {
        let bits = |what| draw(seed, what, u64::from(unit.0), u64::from(attempt));
        let ms = match &self.steps[step.ix()].time {
            Time::Range(low, high) => between(bits(For::Duration), *low, *high),
            Time::Measured(ladder) => climb(ladder, bits(For::Duration)),
            Time::Blend(ladder, measured, _) if share(bits(For::Source)) < *measured => {
                climb(ladder, bits(For::Duration))
            }
            Time::Blend(_, _, (low, high)) => between(bits(For::Duration), *low, *high),
        };
        i64::try_from(ms).unwrap_or(i64::MAX / 4)
    }

    /// Rest of an attempt that has lasted some milliseconds already: a drawing that is longer, or a little.
    pub(super) fn rest(&self, seed: u64, step: StepIx, unit: UnitIx, lasted: i64) -> i64 {
        const TRIES: u32 = 8;
        let unlike = seed ^ draw(seed, For::Rest, 0, 0);
        let drawn = (0..TRIES).map(|attempt| self.duration(unlike, step, unit, attempt)).find(|&took| took > lasted);
        drawn.map_or(lasted / 4 + 1, |took| took - lasted)
    }

    /// Whether an attempt changes nothing and is tried again.
    pub(super) fn is_refused(&self, seed: u64, step: StepIx, unit: UnitIx, attempt: u32) -> bool {
        let refused = self.steps[step.ix()].refused;
        refused > 0.0 && share(draw(seed, For::Outcome, u64::from(unit.0), u64::from(attempt))) < refused
    }

    /// Whether an `if` that needs outputs holds for a key.
    pub(super) fn holds(&self, seed: u64, step: StepIx, key: u32) -> bool {
        share(draw(seed, For::Condition, u64::from(step.0), u64::from(key))) < self.steps[step.ix()].holds
    }

    /// Number of items of a `for_each` that needs outputs, for a key.
    pub(super) fn items(&self, seed: u64, step: StepIx, key: u32) -> usize {
        let mean = self.steps[step.ix()].items;
        let more = share(draw(seed, For::Items, u64::from(step.0), u64::from(key))) < mean.fract();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of numbers of items")]
        let whole = mean as usize;
        whole + usize::from(more)
    }
}

fn time(expect: (u64, u64), evidence: Option<&Evidence<'_>>) -> Option<Time> {
    let expected = (expect != (0, 0)).then_some(expect);
    let durations = evidence.map(|evidence| &evidence.times.durations).filter(|durations| !durations.is_empty());
    // A run under way has seen its quick attempts first; one that is over has seen them all.
    let blend = evidence.is_some_and(|evidence| evidence.blend);
    match (durations, expected) {
        (None, None) => None,
        (None, Some((low, high))) => Some(Time::Range(low, high)),
        (Some(durations), Some((low, high))) if blend && durations.len() < LEAST_MEASURED => {
            Some(Time::Range(low, high))
        }
        (Some(durations), Some(expected)) if blend => {
            #[expect(clippy::cast_precision_loss, reason = "a share")]
            let measured = durations.len() as f64 / (durations.len() + LEAST_MEASURED) as f64;
            Some(Time::Blend(durations.ladder(), measured, expected))
        }
        (Some(durations), _) => Some(Time::Measured(durations.ladder())),
    }
}

fn evidence(fold: &Fold, step: StepIx, blend: bool) -> Evidence<'_> {
    let (holds, items) = later(fold.run(), step);
    Evidence { times: &fold.steps[step.ix()], holds, items, blend }
}

/// What an `if` and a `for_each` that need outputs have given so far: share that holds, mean of items.
#[expect(clippy::cast_precision_loss, reason = "shares and means")]
fn later(run: &Run, step: StepIx) -> (Option<f64>, Option<f64>) {
    let plan = run.plan();
    let spec = plan.step(step);
    let (when, each) = (matches!(spec.when, When::Later(_)), matches!(spec.for_each, ForEach::Later(_)));
    if !when && !each {
        return (None, None);
    }
    let (mut known, mut ran, mut units) = (0_u64, 0_u64, 0_u64);
    for key in (0..plan.key_count(spec.scope)).map(engine::KeyIx) {
        let node = plan.node(step, key);
        match run.node_state(node) {
            NodeState::Waiting
            | NodeState::Undecided
            | NodeState::Cancelled
            | NodeState::Undoing
            | NodeState::Undone => continue,
            NodeState::Skipped => {}
            NodeState::Active | NodeState::Succeeded | NodeState::Degraded | NodeState::Failed => {
                ran += 1;
                units += u64::from(run.units_of(node).end - run.units_of(node).start);
            }
        }
        known += 1;
    }
    if known < LEAST_MEASURED {
        return (None, None);
    }
    let share = ran as f64 / known as f64;
    // Without an `if` a skipped node is one without items.
    let of = if when { ran.max(1) } else { known };
    (when.then_some(share), each.then_some(units as f64 / of as f64))
}

/// Share of attempts that fell short; an attempt in doubt counts as tried again.
#[expect(clippy::cast_precision_loss, reason = "a share")]
fn refused(times: &StepTimes) -> f64 {
    let applied = times.attempts - times.probes.min(times.attempts);
    if applied < LEAST_MEASURED {
        return 0.0;
    }
    ((times.refused + times.doubtful) as f64 / applied as f64).min(0.9)
}

fn between(bits: u64, low: u64, high: u64) -> u64 {
    low + below(bits, high.saturating_sub(low).saturating_add(1))
}

fn middle(low: u64, high: u64) -> u64 {
    low + high.saturating_sub(low) / 2
}

/// Mean of a ladder: each rung holds how many values lie up to it, and the value.
fn mean(ladder: &[(u64, u64)]) -> u64 {
    let mut below = 0;
    let mut sum = 0_u128;
    for &(upto, ms) in ladder {
        sum += u128::from(upto.saturating_sub(below)) * u128::from(ms);
        below = upto;
    }
    u64::try_from(sum / u128::from(below.max(1))).unwrap_or(u64::MAX)
}

fn climb(ladder: &[(u64, u64)], bits: u64) -> u64 {
    let total = ladder.last().map_or(0, |&(seen, _)| seen);
    let rank = below(bits, total);
    ladder.get(ladder.partition_point(|&(seen, _)| seen <= rank)).map_or(0, |&(_, ms)| ms)
}

fn names(steps: &[&str]) -> String {
    const SHOWN: usize = 5;
    match steps.len() {
        1 => format!("step {}", steps[0]),
        2..=SHOWN => format!("steps {}", steps.join(", ")),
        many => format!("steps {} and {} more", steps[..SHOWN].join(", "), many - SHOWN),
    }
}
