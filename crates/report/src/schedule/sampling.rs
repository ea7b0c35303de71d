//! Lists of activities by rules, and at random with a leaning to a rule.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::schedule::project::Project;
use crate::schedule::search::Rule;
use engine::Seeded;

/// Activities by a rule, each after all that come before it.
pub(crate) fn list_by(project: &Project, rule: Rule) -> Vec<u32> {
    let tails = project.tails();
    let urgency = |activity: u32| match rule {
        Rule::Listed => 0,
        Rule::LongestTail => tails[activity as usize],
        Rule::LatestFinish => tails[activity as usize] - project.durations[activity as usize],
    };
    by_key(project, |activity| (Reverse(urgency(activity)), activity))
}

/// The activities of a list, moved back where they stand before what comes before them. What the list lacks comes last,
/// what it repeats or what does not exist does not count.
pub(crate) fn made_feasible(project: &Project, list: &[u32]) -> Vec<u32> {
    let mut place = vec![u32::MAX; project.len()];
    for (at, &activity) in (0..).zip(list) {
        if let Some(place) = place.get_mut(activity as usize) {
            *place = (*place).min(at);
        }
    }
    by_key(project, |activity| (place[activity as usize], activity))
}

/// Takes the activity with the least key of all that wait for nothing, again and again.
pub(crate) fn by_key<K: Ord>(project: &Project, key: impl Fn(u32) -> K) -> Vec<u32> {
    let mut waits: Vec<usize> = (0..).take(project.len()).map(|activity| project.before.of(activity).len()).collect();
    let mut eligible = BinaryHeap::new();
    for activity in (0..).take(project.len()) {
        if waits[activity as usize] == 0 {
            eligible.push(Reverse((key(activity), activity)));
        }
    }
    let mut list = Vec::with_capacity(project.len());
    while let Some(Reverse((_, activity))) = eligible.pop() {
        list.push(activity);
        for &next in project.after.of(activity) {
            waits[next as usize] -= 1;
            if waits[next as usize] == 0 {
                eligible.push(Reverse((key(next), next)));
            }
        }
    }
    list
}

/// Draws lists: each next activity is one of those that wait for nothing.
pub(crate) struct Sampler<'a> {
    project: &'a Project,
    waits: Vec<usize>,
    eligible: Vec<u32>,
    weights: Vec<f64>,
}

impl<'a> Sampler<'a> {
    pub(crate) fn new(project: &'a Project) -> Self {
        Self { project, waits: Vec::new(), eligible: Vec::new(), weights: Vec::new() }
    }

    fn draw(&mut self, mut choose: impl FnMut(&[u32], &mut Vec<f64>) -> usize) -> Vec<u32> {
        let all = (0..).take(self.project.len());
        self.waits.clear();
        self.waits.extend(all.clone().map(|activity| self.project.before.of(activity).len()));
        self.eligible.clear();
        self.eligible.extend(all.filter(|&activity: &u32| self.waits[activity as usize] == 0));
        let mut list = Vec::with_capacity(self.project.len());
        while !self.eligible.is_empty() {
            let chosen = choose(&self.eligible, &mut self.weights);
            let activity = self.eligible.swap_remove(chosen);
            list.push(activity);
            for &next in self.project.after.of(activity) {
                self.waits[next as usize] -= 1;
                if self.waits[next as usize] == 0 {
                    self.eligible.push(next);
                }
            }
        }
        list
    }

    /// A list by regret: the more an activity's `urgency` exceeds the least of all eligible ones, the likelier it is.
    #[expect(clippy::cast_precision_loss, reason = "only ratios matter")]
    pub(crate) fn by_regret(&mut self, urgency: &[u64], random: &mut Seeded) -> Vec<u32> {
        self.draw(|eligible, weights| {
            let least = eligible.iter().map(|&activity| urgency[activity as usize]).min().unwrap_or(0);
            weights.clear();
            let mut sum = 0.0;
            for &activity in eligible {
                sum += (urgency[activity as usize] - least) as f64 + 1.0;
                weights.push(sum);
            }
            let drawn = random.unit() * sum;
            weights.partition_point(|&upto| upto <= drawn).min(eligible.len() - 1)
        })
    }
}
