//! What no order can beat: the longest way, and the work that must pass through a resource.

use crate::schedule::project::Project;

/// A time below which no schedule of a project can stay, and what sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LowerBound {
    /// The time, in the project's units.
    pub time: u64,
    /// What sets most of it.
    pub by: BoundBy,
}

/// What sets a lower bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundBy {
    /// The longest way through the project.
    CriticalPath,
    /// The work on this resource, over its units.
    Resource(u32),
}

/// Computes a lower bound: between two barriers the longest way, or for some resource the time before its work can
/// begin, the work over its units, and the time that is left after it, whichever is longer.
#[must_use]
pub fn lower_bound(project: &Project) -> LowerBound {
    let mut heads = vec![0_u64; project.len()];
    let path = project.tails().into_iter().max().unwrap_or(0);
    let mut by = BoundBy::CriticalPath;
    let mut widest = 0;
    let mut raised = vec![0_u64; project.len()];
    let mut last = None;
    for &barrier in &project.barriers {
        fill_heads(project, &raised, &mut heads);
        let within = between(project, last, Some(barrier));
        let tails = tails_to(project, &within, Some(barrier));
        let (time, resource) = by_resource(project, &within, &heads, &tails);
        let own = heads[barrier as usize];
        if time > own {
            raised[barrier as usize] = time;
            if let Some(resource) = resource
                && time - own > widest
            {
                widest = time - own;
                by = BoundBy::Resource(resource);
            }
        }
        last = Some(barrier);
    }
    fill_heads(project, &raised, &mut heads);
    let within = between(project, last, None);
    let tails = tails_to(project, &within, None);
    let ends = (0..project.len()).map(|activity| heads[activity].saturating_add(project.durations[activity]));
    let own = ends.max().unwrap_or(0);
    let (time, resource) = by_resource(project, &within, &heads, &tails);
    if time > own
        && let Some(resource) = resource
        && time - own > widest
    {
        by = BoundBy::Resource(resource);
    }
    // All the work of a resource, wherever the barriers lie.
    let all = vec![true; project.len()];
    let (whole, busiest) = by_resource(project, &all, &heads, &project.tails());
    if whole > time.max(own)
        && let Some(busiest) = busiest
    {
        return LowerBound { time: whole, by: BoundBy::Resource(busiest) };
    }
    LowerBound { time: time.max(own).max(path), by }
}

/// Earliest starts, at least `raised`, by precedence alone.
fn fill_heads(project: &Project, raised: &[u64], heads: &mut [u64]) {
    for &activity in &project.topological {
        let before = project.before.of(activity).iter();
        let earliest =
            before.map(|&earlier| heads[earlier as usize].saturating_add(project.durations[earlier as usize]));
        heads[activity as usize] = earliest.max().unwrap_or(0).max(raised[activity as usize]);
    }
}

/// Marks the activities after `from` and before `to`; `None` stands for the ends of the project.
fn between(project: &Project, from: Option<u32>, to: Option<u32>) -> Vec<bool> {
    let mut after = vec![from.is_none(); project.len()];
    if let Some(from) = from {
        for &activity in &project.topological {
            after[activity as usize] =
                project.before.of(activity).iter().any(|&earlier| earlier == from || after[earlier as usize]);
        }
    }
    if let Some(to) = to {
        let mut before = vec![false; project.len()];
        for &activity in project.topological.iter().rev() {
            before[activity as usize] =
                project.after.of(activity).iter().any(|&later| later == to || before[later as usize]);
        }
        after.iter_mut().zip(before).for_each(|(after, before)| *after &= before);
    }
    after
}

/// Longest way from the end of each marked activity to `to`, or to the end of the project.
fn tails_to(project: &Project, within: &[bool], to: Option<u32>) -> Vec<u64> {
    let mut tails = vec![0_u64; project.len()];
    for &activity in project.topological.iter().rev() {
        if within[activity as usize] || Some(activity) == to {
            tails[activity as usize] = if Some(activity) == to {
                0
            } else {
                let later = project.after.of(activity).iter();
                let later = later.filter(|&&later| within[later as usize] || Some(later) == to);
                let rest = later.map(|&later| tails[later as usize]).max().unwrap_or(0);
                rest.saturating_add(project.durations[activity as usize])
            };
        }
    }
    tails
}

/// Best bound that the work of one resource gives, over sets of activities that begin late or end early.
///
/// `tails` count an activity's own duration.
fn by_resource(project: &Project, within: &[bool], heads: &[u64], tails: &[u64]) -> (u64, Option<u32>) {
    let mut of: Vec<Vec<(u64, u64, u128)>> = vec![Vec::new(); project.capacities.len()];
    for activity in (0..).take(project.len()).filter(|&activity: &u32| within[activity as usize]) {
        let duration = project.durations[activity as usize];
        for &(resource, units) in project.uses.of(activity) {
            let work = u128::from(units) * u128::from(duration);
            let rest = tails[activity as usize].saturating_sub(duration);
            of[resource as usize].push((heads[activity as usize], rest, work));
        }
    }
    let mut best = (0, None);
    for ((resource, held), &capacity) in (0..).zip(&mut of).zip(&project.capacities) {
        for late in [true, false] {
            // Take the latest heads (or longest rests) first: each prefix is a set that cannot begin (or end) otherwise.
            held.sort_unstable_by_key(|&(head, rest, _)| std::cmp::Reverse(if late { head } else { rest }));
            let mut work = 0;
            let mut least = u64::MAX;
            for &(head, rest, own) in held.iter() {
                work += own;
                least = least.min(if late { rest } else { head });
                let edge = if late { head } else { rest };
                let through = u64::try_from(work.div_ceil(u128::from(capacity.max(1)))).unwrap_or(u64::MAX);
                let time = edge.saturating_add(through).saturating_add(least);
                if time > best.0 {
                    best = (time, Some(resource));
                }
            }
        }
    }
    best
}
