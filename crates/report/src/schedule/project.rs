//! A project: activities with durations, who comes before whom, and the renewable resources that they hold.

use crate::schedule::lists::Lists;

/// A project as data; [`Project::new`] admits it. Activities and resources are numbered from 0.
#[derive(Clone, Debug, Default)]
pub struct ProjectSpec {
    /// Duration of each activity in units of time (milliseconds for plans), 0 for pure counters.
    pub durations: Vec<u64>,
    /// Pairs (before, after): the second starts when the first has ended.
    pub edges: Vec<(u32, u32)>,
    /// Units of each resource, at least 1 where it is used.
    pub capacities: Vec<u32>,
    /// (activity, resource, units): what an activity holds while it lasts; a resource at most once an activity.
    pub uses: Vec<(u32, u32, u32)>,
    /// Kind of each activity (the step of a plan), numbered from 0; empty if there are none. A search over many
    /// activities moves those of a kind together.
    pub kinds: Vec<u32>,
    /// Lot of each activity (the site of a plan), numbered from 0; [`NO_LOT`] for shared work; empty if there are none.
    pub lots: Vec<u32>,
    /// Activities, in order, that split the project: each comes after the one before. They sharpen the lower bound.
    pub barriers: Vec<u32>,
}

/// Lot of an activity that belongs to none.
pub const NO_LOT: u32 = u32::MAX;

/// Why a project cannot be scheduled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProjectError {
    /// A number outside the tables.
    #[error("{what} {number} does not exist; there are {len}")]
    Unknown {
        /// `activity` or `resource`.
        what: &'static str,
        /// The number.
        number: u32,
        /// How many there are.
        len: usize,
    },
    /// An activity that can never start.
    #[error("activity {activity} holds {units} units of resource {resource}, which has {capacity}")]
    TooMuch {
        /// The activity.
        activity: u32,
        /// The resource.
        resource: u32,
        /// What it holds.
        units: u32,
        /// What there is.
        capacity: u32,
    },
    /// A table of another length than the durations.
    #[error("{table} has {found} rows, expected {expected}")]
    Ragged {
        /// `kinds` or `lots`.
        table: &'static str,
        /// Its rows.
        found: usize,
        /// Number of activities.
        expected: usize,
    },
    /// Activities that wait for each other.
    #[error("activity {activity} comes before itself")]
    Cycle {
        /// One of them.
        activity: u32,
    },
    /// More activities or edges than numbers.
    #[error("the project has more than {} activities or edges", u32::MAX)]
    TooLarge,
}

/// An admitted project: every number exists, nothing comes before itself, everything fits.
#[derive(Clone, Debug)]
pub struct Project {
    pub(crate) durations: Vec<u64>,
    pub(crate) before: Lists<u32>,
    pub(crate) after: Lists<u32>,
    pub(crate) uses: Lists<(u32, u32)>,
    pub(crate) capacities: Vec<u32>,
    pub(crate) kinds: Vec<u32>,
    pub(crate) lots: Vec<u32>,
    pub(crate) barriers: Vec<u32>,
    /// Activities, each after all that come before it.
    pub(crate) topological: Vec<u32>,
    /// Position of each activity in `topological`.
    pub(crate) position: Vec<u32>,
}

impl Project {
    /// Admits a project.
    ///
    /// # Errors
    /// If a number does not exist, an activity holds more than there is, or activities wait for each other.
    pub fn new(spec: ProjectSpec) -> Result<Self, ProjectError> {
        let len = spec.durations.len();
        if u32::try_from(len).is_err() || u32::try_from(spec.edges.len().max(spec.uses.len())).is_err() {
            return Err(ProjectError::TooLarge);
        }
        let known = |what, number: u32, len: usize| {
            if (number as usize) < len { Ok(()) } else { Err(ProjectError::Unknown { what, number, len }) }
        };
        for &(before, after) in &spec.edges {
            known("activity", before, len)?;
            known("activity", after, len)?;
        }
        for &(activity, resource, units) in &spec.uses {
            known("activity", activity, len)?;
            known("resource", resource, spec.capacities.len())?;
            let capacity = spec.capacities[resource as usize];
            if units > capacity {
                return Err(ProjectError::TooMuch { activity, resource, units, capacity });
            }
        }
        for &barrier in &spec.barriers {
            known("activity", barrier, len)?;
        }
        for (table, rows) in [("kinds", &spec.kinds), ("lots", &spec.lots)] {
            if !rows.is_empty() && rows.len() != len {
                return Err(ProjectError::Ragged { table, found: rows.len(), expected: len });
            }
        }
        let after = Lists::from_pairs(len, spec.edges.iter().copied());
        let before = Lists::from_pairs(len, spec.edges.iter().map(|&(before, after)| (after, before)));
        let uses = spec.uses.iter().filter(|(_, _, units)| *units > 0);
        let uses = Lists::from_pairs(len, uses.map(|&(activity, resource, units)| (activity, (resource, units))));
        let topological = sorted(len, &before, &after)?;
        let mut position = vec![0; len];
        for (at, &activity) in (0..).zip(&topological) {
            position[activity as usize] = at;
        }
        let ProjectSpec { durations, capacities, kinds, lots, barriers, .. } = spec;
        Ok(Self { durations, before, after, uses, capacities, kinds, lots, barriers, topological, position })
    }

    /// Returns the number of activities.
    #[must_use]
    pub fn len(&self) -> usize {
        self.durations.len()
    }

    /// Says whether there is no activity.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.durations.is_empty()
    }

    /// The project as it lies in time.
    pub(crate) fn forward(&self) -> View<'_> {
        View { project: self, before: &self.before, after: &self.after }
    }

    /// The project with time turned round.
    pub(crate) fn backward(&self) -> View<'_> {
        View { project: self, before: &self.after, after: &self.before }
    }

    /// Longest way from the start of each activity to the end of the project, its own duration included; no resources.
    pub(crate) fn tails(&self) -> Vec<u64> {
        let mut tails = vec![0_u64; self.len()];
        for &activity in self.topological.iter().rev() {
            let rest = self.after.of(activity).iter().map(|&next| tails[next as usize]).max().unwrap_or(0);
            tails[activity as usize] = rest.saturating_add(self.durations[activity as usize]);
        }
        tails
    }

    /// Returns the longest way through the project, resources left aside.
    #[must_use]
    pub fn longest_path(&self) -> u64 {
        self.tails().into_iter().max().unwrap_or(0)
    }

    /// Says whether starts keep the precedence of all activities and the capacity of all resources.
    #[must_use]
    pub fn admits(&self, starts: &[u64]) -> bool {
        let end = |activity: u32| starts[activity as usize].saturating_add(self.durations[activity as usize]);
        if starts.len() != self.len() {
            return false;
        }
        let mut changes: Vec<Vec<(u64, i64)>> = vec![Vec::new(); self.capacities.len()];
        for &activity in &self.topological {
            if self.before.of(activity).iter().any(|&earlier| end(earlier) > starts[activity as usize]) {
                return false;
            }
            for &(resource, units) in self.uses.of(activity) {
                changes[resource as usize].push((starts[activity as usize], i64::from(units)));
                changes[resource as usize].push((end(activity), -i64::from(units)));
            }
        }
        changes.iter_mut().zip(&self.capacities).all(|(changes, &capacity)| {
            // At one time what ends gives its units back first, and what takes no time holds nothing.
            changes.sort_unstable();
            let mut used = 0;
            changes.iter().all(|(_, change)| {
                used += change;
                used <= i64::from(capacity)
            })
        })
    }
}

/// A project seen from one end of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) project: &'a Project,
    pub(crate) before: &'a Lists<u32>,
    pub(crate) after: &'a Lists<u32>,
}

fn sorted(len: usize, before: &Lists<u32>, after: &Lists<u32>) -> Result<Vec<u32>, ProjectError> {
    let all = 0..u32::try_from(len).map_err(|_| ProjectError::TooLarge)?;
    let mut waits: Vec<usize> = all.clone().map(|activity| before.of(activity).len()).collect();
    let mut order: Vec<u32> = all.clone().filter(|&activity| waits[activity as usize] == 0).collect();
    let mut at = 0;
    while let Some(&activity) = order.get(at) {
        at += 1;
        for &next in after.of(activity) {
            waits[next as usize] -= 1;
            if waits[next as usize] == 0 {
                order.push(next);
            }
        }
    }
    match all.clone().find(|&activity| waits[activity as usize] > 0) {
        Some(activity) => Err(ProjectError::Cycle { activity }),
        None => Ok(order),
    }
}
