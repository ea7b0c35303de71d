//! Building schedules and pushing them together: backward from the end, then forward again (double justification).
//!
//! What starts early for no reason is first moved to the end as far as it goes; what is critical then stands in the
//! order in which the end needs it, and a forward pass in that order leaves fewer gaps.

use crate::schedule::bound::LowerBound;
use crate::schedule::parallel::Parallel;
use crate::schedule::project::{Project, View};
use crate::schedule::search::{Order, Scheme};
use crate::schedule::serial::{Profile, serial};

/// A forward schedule: activities by start, their starts, and when the last ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schedule {
    pub(crate) list: Vec<u32>,
    pub(crate) starts: Vec<u64>,
    pub(crate) makespan: u64,
}

/// Where schedules are built: scratch space, the count of them, and the best so far.
pub(crate) struct Bench<'a> {
    pub(crate) project: &'a Project,
    bound: LowerBound,
    parallel: Option<Parallel>,
    profile: Profile,
    rank: Vec<u32>,
    built: u64,
    go_on: &'a mut dyn FnMut(u64) -> bool,
    first: Option<u64>,
    best: Schedule,
    best_rank: Vec<u32>,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(
        project: &'a Project,
        scheme: Scheme,
        bound: LowerBound,
        go_on: &'a mut dyn FnMut(u64) -> bool,
    ) -> Self {
        Self {
            project,
            bound,
            parallel: (scheme == Scheme::Parallel).then(|| Parallel::new(project)),
            profile: Profile::default(),
            rank: Vec::new(),
            built: 0,
            go_on,
            first: None,
            best: Schedule { makespan: u64::MAX, ..Schedule::default() },
            best_rank: Vec::new(),
        }
    }

    /// Whether to build more: the caller says so, and there is something to gain.
    pub(crate) fn go_on(&mut self) -> bool {
        self.best.makespan > self.bound.time && (self.go_on)(self.built)
    }

    pub(crate) fn best(&self) -> &Schedule {
        &self.best
    }

    pub(crate) fn order(self) -> Order {
        let makespan = if self.best_rank.is_empty() { 0 } else { self.best.makespan };
        Order {
            rank: self.best_rank,
            starts: self.best.starts,
            makespan,
            first: self.first.unwrap_or(makespan),
            lower_bound: self.bound,
            iterations: self.built,
        }
    }

    fn build(&mut self, view: View<'_>, list: &[u32], starts: &mut Vec<u64>) -> u64 {
        self.built += 1;
        match &mut self.parallel {
            None => serial(view, list, starts, &mut self.profile),
            Some(parallel) => {
                self.rank.resize(list.len(), 0);
                for (rank, &activity) in (0..).zip(list) {
                    self.rank[activity as usize] = rank;
                }
                parallel.schedule(view, &self.rank, starts)
            }
        }
    }

    /// Schedules in the order of a list that has each activity after all that come before it.
    pub(crate) fn forward(&mut self, list: &[u32]) -> Schedule {
        let mut starts = Vec::new();
        let makespan = self.build(self.project.forward(), list, &mut starts);
        self.first.get_or_insert(makespan);
        let by_start = self.by_start(&starts);
        let schedule = Schedule { list: by_start, starts, makespan };
        if makespan < self.best.makespan {
            // By the serial scheme the order of the starts gives the schedule again, or a better one.
            self.best_rank.resize(list.len(), 0);
            for (rank, &activity) in (0..).zip(list) {
                self.best_rank[activity as usize] = rank;
            }
            self.best = schedule.clone();
        }
        schedule
    }

    /// Justifies a schedule to the right, then to the left again; two schedules more.
    pub(crate) fn justify(&mut self, schedule: &Schedule) -> Schedule {
        let project = self.project;
        let end =
            |activity: u32| schedule.starts[activity as usize].saturating_add(project.durations[activity as usize]);
        let mut list = schedule.list.clone();
        list.sort_unstable_by_key(|&activity| std::cmp::Reverse((end(activity), project.position[activity as usize])));
        let mut starts = Vec::new();
        let makespan = self.build(project.backward(), &list, &mut starts);
        for (start, duration) in starts.iter_mut().zip(&project.durations) {
            *start = makespan.saturating_sub(start.saturating_add(*duration));
        }
        let list = self.by_start(&starts);
        self.forward(&list)
    }

    /// Justifies until nothing is gained any more, at most `rounds` times.
    pub(crate) fn justify_well(&mut self, schedule: Schedule, rounds: usize) -> Schedule {
        let mut best = schedule;
        let mut last = best.clone();
        for _ in 0..rounds {
            if !self.go_on() {
                break;
            }
            let next = self.justify(&last);
            let gained = next.makespan < best.makespan;
            if gained {
                best = next.clone();
            }
            last = next;
            if !gained {
                break;
            }
        }
        best
    }

    fn by_start(&self, starts: &[u64]) -> Vec<u32> {
        let mut list = self.project.topological.clone();
        list.sort_unstable_by_key(|&activity| (starts[activity as usize], self.project.position[activity as usize]));
        list
    }
}
