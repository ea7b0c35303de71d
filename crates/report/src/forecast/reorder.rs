//! A better order for a plan, judged by the engine itself: searched for with expected times, tried with drawn ones.

use std::sync::Arc;

use engine::{Plan, PlanError};
use serde::Serialize;

use crate::duration::seconds;
use crate::forecast::ahead::{drawings_of, lower_bound};
use crate::forecast::drive::{Course, from_the_start};
use crate::forecast::model::Model;
use crate::forecast::stand_in::stand_in;
use crate::schedule::{PlannedProject, ProjectError, Scheme, Search, optimise};
use crate::text::ms;

/// Share of the makespan that an order must gain at least, so that a plan leaves the engine's own.
const LEAST_GAIN: f64 = 0.001;

/// Standard errors by which the mean gain over the drawings must exceed chance.
const BEYOND_CHANCE: f64 = 2.0;

/// What a search for an order found, judged by the engine in virtual time. Times are seconds from the run's opening,
/// means over the drawings; both orders meet the same drawings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OrderFinding {
    /// Whether the plan takes the order found; else the engine's own stays.
    pub kept: bool,
    /// Makespan by the engine's own order.
    pub own_s: f64,
    /// Makespan by the best order found.
    pub found_s: f64,
    /// What no order of the same work with the same durations can beat.
    pub lower_bound_s: f64,
    /// How much the order found is above the lower bound, in percent.
    pub above_bound_percent: f64,
    /// When half of the sites are back by the engine's own order; `null` if fewer come back.
    pub half_back_own_s: Option<f64>,
    /// The same by the order found.
    pub half_back_found_s: Option<f64>,
    /// Schedules that the search built.
    pub schedules: u64,
    /// Seed of the search and of the first drawing; the other drawings' seeds follow it.
    pub seed: u64,
    /// Number of drawings.
    pub drawings: u32,
}

/// Why no order could be searched for.
#[derive(Debug, thiserror::Error)]
pub enum ReorderError {
    /// The plan cannot be scheduled.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The run would stand still before its end.
    #[error("the run would stand still before its end")]
    Endless,
    /// The plan with the order is refused.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// Looks for an order of a plan's work under which the run ends early, and tries it against the engine's own.
///
/// Returns the plan with that order, or the plan as it was if the gain is none or within chance: below 0.1 % of the
/// makespan, or below two standard errors of the mean over the drawings. `go_on` is told the number of schedules built
/// and says whether to build more; the same arguments and the same answers give the same order. `drawings` is the number
/// of drawn runs, by default as in a forecast.
///
/// # Errors
/// [`ReorderError`] if the plan cannot be scheduled or driven to its end.
pub fn reorder(
    plan: &Arc<Plan>,
    model: &Model,
    seed: u64,
    drawings: Option<u32>,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<(Arc<Plan>, OrderFinding), ReorderError> {
    let (runs, _) = stand_in(plan);
    let project = PlannedProject::new(&runs, &|node| model.expected_ms(runs.node_at(node).0))?;
    let search = Search { scheme: Scheme::Parallel, seed, first: project.own_order().to_vec() };
    let order = optimise(project.project(), &search, go_on);
    let ranks = project.node_ranks(&order);
    let found = with_order(plan, ranks)?;
    let (found_runs, _) = stand_in(&found);
    let drawings = drawings.unwrap_or_else(|| drawings_of(plan)).max(1);
    let mut tried = Vec::new();
    for seed in (0..u64::from(drawings)).map(|ix| seed.wrapping_add(ix)) {
        let own = Tried::of(&from_the_start(&runs, model, seed)).ok_or(ReorderError::Endless)?;
        let found = Tried::of(&from_the_start(&found_runs, model, seed)).ok_or(ReorderError::Endless)?;
        tried.push((own, found));
    }
    let own_s = mean(tried.iter().map(|(own, _)| own.end_s));
    let found_s = mean(tried.iter().map(|(_, found)| found.end_s));
    // Each course bounds its own drawing from below; drawings are the same for both.
    let lower_bound_s = mean(tried.iter().map(|(own, found)| own.floor_s.max(found.floor_s)));
    let gains: Vec<f64> = tried.iter().map(|(own, found)| own.end_s - found.end_s).collect();
    let finding = OrderFinding {
        kept: is_beyond_chance(&gains, own_s),
        own_s,
        found_s,
        lower_bound_s,
        above_bound_percent: if lower_bound_s > 0.0 { (found_s / lower_bound_s - 1.0) * 100.0 } else { 0.0 },
        half_back_own_s: mean_of_all(tried.iter().map(|(own, _)| own.half_back_s)),
        half_back_found_s: mean_of_all(tried.iter().map(|(_, found)| found.half_back_s)),
        schedules: order.iterations,
        seed,
        drawings,
    };
    Ok((if finding.kept { found } else { plan.clone() }, finding))
}

/// A finding for people: what came of it, how far from the best it may be, and what sites see of it.
#[must_use]
pub fn order_lines(finding: &OrderFinding) -> Vec<(&'static str, String)> {
    let drawings = match finding.drawings {
        1 => "one drawing".to_owned(),
        many => format!("the mean of {many} drawings"),
    };
    let schedules = crate::duration::count(finding.schedules, "schedule", "schedules");
    let (own, found) = (ms(finding.own_s), ms(finding.found_s));
    let percent = (1.0 - finding.found_s / finding.own_s.max(f64::MIN_POSITIVE)) * 100.0;
    let order = if finding.kept {
        format!("found: {found} instead of {own}, {percent:.1} % less in {drawings}; {schedules} tried")
    } else {
        format!("the engine's own, {own}: the best of {schedules} takes {found}, no gain beyond chance in {drawings}")
    };
    let above = if finding.kept {
        finding.above_bound_percent
    } else {
        (finding.own_s / finding.lower_bound_s.max(f64::MIN_POSITIVE) - 1.0) * 100.0
    };
    let mut lines = vec![
        ("order", order),
        ("at best", format!("{}; the plan's order is {above:.1} % above it", ms(finding.lower_bound_s))),
    ];
    if let (true, Some(own), Some(found)) = (finding.kept, finding.half_back_own_s, finding.half_back_found_s) {
        lines.push(("half is back", format!("after {} instead of {}", ms(found), ms(own))));
    }
    lines
}

/// The plan with ranks for its nodes.
fn with_order(plan: &Arc<Plan>, ranks: Vec<u32>) -> Result<Arc<Plan>, PlanError> {
    let mut spec = plan.spec().clone();
    spec.extras.order = ranks;
    Plan::new(spec)
}

/// One drawn run, as far as it is compared.
struct Tried {
    end_s: f64,
    floor_s: f64,
    half_back_s: Option<f64>,
}

impl Tried {
    fn of(course: &Course) -> Option<Self> {
        if !course.ended {
            return None;
        }
        let half = (course.run.plan().site_count() as usize).div_ceil(2);
        let back = half.checked_sub(1).and_then(|at| course.trace.back.get(at));
        Some(Self {
            end_s: seconds(course.end),
            floor_s: seconds(lower_bound(course)),
            half_back_s: back.map(|&(at, _)| seconds(at - course.trace.from)),
        })
    }
}

fn is_beyond_chance(gains: &[f64], own_s: f64) -> bool {
    let count = as_f64(gains.len());
    let gain = mean(gains.iter().copied());
    let variance = gains.iter().map(|one| (one - gain).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    gain > own_s * LEAST_GAIN && gain > BEYOND_CHANCE * (variance / count).sqrt()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = as_f64(values.len());
    values.sum::<f64>() / count.max(1.0)
}

fn mean_of_all(values: impl ExactSizeIterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.collect::<Option<_>>()?;
    Some(mean(values.into_iter()))
}

#[expect(clippy::cast_precision_loss, reason = "a number of drawings")]
fn as_f64(count: usize) -> f64 {
    count as f64
}
