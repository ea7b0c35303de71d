//! The serial scheme: activities one by one in the order of a list, each as early as what is placed allows.

use crate::schedule::project::View;

/// Free units of all resources over time: from `times[i]` until the next, `free[i * resources..][..resources]`.
///
/// The last stretch has no end and is always free.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    times: Vec<u64>,
    free: Vec<u32>,
    resources: usize,
}

impl Profile {
    fn reset(&mut self, capacities: &[u32]) {
        self.resources = capacities.len();
        self.times.clear();
        self.times.push(0);
        self.free.clear();
        self.free.extend_from_slice(capacities);
    }

    fn fits(&self, stretch: usize, uses: &[(u32, u32)]) -> bool {
        let free = &self.free[stretch * self.resources..][..self.resources];
        uses.iter().all(|&(resource, units)| free[resource as usize] >= units)
    }

    /// Makes `time` the begin of a stretch, looking from stretch `near` on, and returns the stretch.
    fn split(&mut self, near: usize, time: u64) -> usize {
        let stretch = near + self.times[near..].partition_point(|&begin| begin < time);
        if self.times.get(stretch) == Some(&time) {
            return stretch;
        }
        self.times.insert(stretch, time);
        let from = (stretch - 1) * self.resources;
        let old = self.free.len();
        self.free.extend_from_within(old - self.resources..);
        self.free.copy_within(from..old - self.resources, from + self.resources);
        stretch
    }

    /// Takes the earliest time from `earliest` on at which everything is free for `duration`, and returns it.
    fn take(&mut self, earliest: u64, duration: u64, uses: &[(u32, u32)]) -> u64 {
        if duration == 0 || uses.is_empty() {
            return earliest;
        }
        let mut first = self.times.partition_point(|&begin| begin <= earliest) - 1;
        let mut start = earliest;
        let mut stretch = first;
        while stretch < self.times.len() && self.times[stretch] < start.saturating_add(duration) {
            if self.fits(stretch, uses) {
                stretch += 1;
            } else {
                // Never the last stretch: all of it is free.
                stretch += 1;
                first = stretch;
                start = self.times[stretch];
            }
        }
        let first = self.split(first, start);
        let end = self.split(first, start.saturating_add(duration));
        for stretch in first..end {
            let free = &mut self.free[stretch * self.resources..][..self.resources];
            for &(resource, units) in uses {
                free[resource as usize] -= units;
            }
        }
        start
    }
}

/// Starts each activity of `list` as early as it may; `list` has each after all that come before it in the view.
///
/// Fills `starts` and returns the makespan. The profile is scratch space.
pub(crate) fn serial(view: View<'_>, list: &[u32], starts: &mut Vec<u64>, profile: &mut Profile) -> u64 {
    let project = view.project;
    profile.reset(&project.capacities);
    starts.clear();
    starts.resize(project.len(), 0);
    let mut makespan = 0;
    for &activity in list {
        let duration = project.durations[activity as usize];
        let ends = view
            .before
            .of(activity)
            .iter()
            .map(|&earlier| starts[earlier as usize].saturating_add(project.durations[earlier as usize]));
        let earliest = ends.max().unwrap_or(0);
        let start = profile.take(earliest, duration, project.uses.of(activity));
        starts[activity as usize] = start;
        makespan = makespan.max(start.saturating_add(duration));
    }
    makespan
}
