//! The parallel scheme: time goes from event to event, and whatever fits starts at once, the lowest rank first.
//!
//! This is how the engine runs a plan: no slot stays idle while a unit that could use it is ready. Ready activities that
//! hold the same lie in one *lane*; a lane that does not fit waits at the resource that it lacks, so that an event looks
//! at as many lanes as it lets go, whatever the number of activities.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use crate::schedule::project::{Project, View};

/// Scratch space and the tables of a project that all its schedules share.
#[derive(Debug)]
pub(crate) struct Parallel {
    lane_of: Vec<u32>,
    /// What the activities of a lane hold.
    holds: Vec<Box<[(u32, u32)]>>,
    /// Ranks of the ready activities of each lane.
    ready: Vec<BinaryHeap<Reverse<u32>>>,
    /// Lanes to look at, by their lowest rank.
    open: BinaryHeap<Reverse<(u32, u32)>>,
    waiting: Vec<BTreeSet<(u32, u32)>>,
    listed: Vec<Listed>,
    free: Vec<u32>,
    waits: Vec<u32>,
    ends: BinaryHeap<Reverse<(u64, u32)>>,
    settled: Vec<u32>,
    by_rank: Vec<u32>,
}

/// Where a lane is listed, and under which rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listed {
    Nowhere,
    Open(u32),
    At(u32, u32),
}

impl Parallel {
    pub(crate) fn new(project: &Project) -> Self {
        let mut by_holds: BTreeMap<Box<[(u32, u32)]>, u32> = BTreeMap::new();
        let mut holds = Vec::new();
        let mut lane_of = Vec::with_capacity(project.len());
        for activity in 0..project.topological.len() {
            let mut held = project.uses.of(u32::try_from(activity).unwrap_or(u32::MAX)).to_vec();
            held.sort_unstable();
            let lane = match by_holds.get(held.as_slice()) {
                Some(&lane) => lane,
                None => {
                    let lane = u32::try_from(holds.len()).unwrap_or(u32::MAX);
                    by_holds.insert(held.clone().into_boxed_slice(), lane);
                    holds.push(held.into_boxed_slice());
                    lane
                }
            };
            lane_of.push(lane);
        }
        let lanes = holds.len();
        Self {
            lane_of,
            holds,
            ready: (0..lanes).map(|_| BinaryHeap::new()).collect(),
            open: BinaryHeap::new(),
            waiting: vec![BTreeSet::new(); project.capacities.len()],
            listed: vec![Listed::Nowhere; lanes],
            free: Vec::new(),
            waits: Vec::new(),
            ends: BinaryHeap::new(),
            settled: Vec::new(),
            by_rank: Vec::new(),
        }
    }

    /// Schedules by rank: `rank` numbers the activities from 0, each number once. Fills `starts`, returns the makespan.
    pub(crate) fn schedule(&mut self, view: View<'_>, rank: &[u32], starts: &mut Vec<u64>) -> u64 {
        let project = view.project;
        starts.clear();
        starts.resize(project.len(), 0);
        self.free.clear();
        self.free.extend_from_slice(&project.capacities);
        self.by_rank.clear();
        self.by_rank.resize(rank.len(), 0);
        for (activity, &rank) in (0..).zip(rank) {
            self.by_rank[rank as usize] = activity;
        }
        self.waits.clear();
        for activity in (0..).take(project.len()) {
            self.waits.push(u32::try_from(view.before.of(activity).len()).unwrap_or(u32::MAX));
        }
        let mut now = 0;
        for activity in (0..).take(project.len()) {
            if self.waits[activity as usize] == 0 {
                self.arrive(project, rank, activity, now, starts);
            }
        }
        loop {
            while let Some(activity) = self.settled.pop() {
                for &next in view.after.of(activity) {
                    self.waits[next as usize] -= 1;
                    if self.waits[next as usize] == 0 {
                        self.arrive(project, rank, next, now, starts);
                    }
                }
            }
            // Everything that ends now gives back before anything starts.
            if let Some(&Reverse((end, activity))) = self.ends.peek()
                && end == now
            {
                self.ends.pop();
                self.give_back(activity);
                self.settled.push(activity);
                continue;
            }
            self.start_what_fits(project, now, starts);
            let Some(&Reverse((end, _))) = self.ends.peek() else { return now };
            now = end;
        }
    }

    /// An activity waits for no other any more.
    fn arrive(&mut self, project: &Project, rank: &[u32], activity: u32, now: u64, starts: &mut [u64]) {
        let lane = self.lane_of[activity as usize];
        let duration = project.durations[activity as usize];
        if self.holds[lane as usize].is_empty() || duration == 0 {
            starts[activity as usize] = now;
            if duration == 0 {
                self.settled.push(activity);
            } else {
                self.ends.push(Reverse((now.saturating_add(duration), activity)));
            }
            return;
        }
        self.ready[lane as usize].push(Reverse(rank[activity as usize]));
        self.list(lane);
    }

    /// First resource that a lane lacks units of.
    fn lacks(&self, lane: u32) -> Option<u32> {
        let holds = &self.holds[lane as usize];
        holds.iter().find(|&&(resource, units)| self.free[resource as usize] < units).map(|&(resource, _)| resource)
    }

    /// Lists a lane where it belongs.
    fn list(&mut self, lane: u32) {
        let head = self.ready[lane as usize].peek().map(|head| head.0);
        let now = match head {
            None => Listed::Nowhere,
            Some(head) => match self.lacks(lane) {
                None => Listed::Open(head),
                Some(resource) => Listed::At(resource, head),
            },
        };
        let was = std::mem::replace(&mut self.listed[lane as usize], now);
        if was == now {
            return;
        }
        if let Listed::At(resource, head) = was {
            self.waiting[resource as usize].remove(&(head, lane));
        }
        match now {
            Listed::Nowhere => {}
            // An outdated entry of the heap is told by the rank under which the lane is listed.
            Listed::Open(head) => self.open.push(Reverse((head, lane))),
            Listed::At(resource, head) => {
                self.waiting[resource as usize].insert((head, lane));
            }
        }
    }

    /// Lets the first lane go that waits at a resource and can be served.
    fn wake(&mut self, resource: u32) {
        let mut after = None;
        while self.free[resource as usize] > 0 {
            let waiting = &self.waiting[resource as usize];
            let next = match after {
                None => waiting.first().copied(),
                Some(last) => {
                    waiting.range((std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded)).next().copied()
                }
            };
            let Some((head, lane)) = next else { return };
            self.list(lane);
            match self.listed[lane as usize] {
                Listed::Open(_) => return,
                Listed::At(at, _) if at == resource => after = Some((head, lane)),
                Listed::At(..) | Listed::Nowhere => {}
            }
        }
    }

    fn give_back(&mut self, activity: u32) {
        let lane = self.lane_of[activity as usize];
        for ix in 0..self.holds[lane as usize].len() {
            let (resource, units) = self.holds[lane as usize][ix];
            self.free[resource as usize] += units;
            self.wake(resource);
        }
    }

    fn start_what_fits(&mut self, project: &Project, now: u64, starts: &mut [u64]) {
        while let Some(Reverse((head, lane))) = self.open.pop() {
            if self.listed[lane as usize] != Listed::Open(head) {
                continue;
            }
            if self.lacks(lane).is_none() {
                self.ready[lane as usize].pop();
                let activity = self.by_rank[head as usize];
                starts[activity as usize] = now;
                self.ends.push(Reverse((now.saturating_add(project.durations[activity as usize]), activity)));
                for &(resource, units) in &self.holds[lane as usize] {
                    self.free[resource as usize] -= units;
                }
            }
            self.listed[lane as usize] = Listed::Nowhere;
            self.list(lane);
            // Its claim on what is left may be another's now.
            for ix in 0..self.holds[lane as usize].len() {
                self.wake(self.holds[lane as usize][ix].0);
            }
        }
    }
}
