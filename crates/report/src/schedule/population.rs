//! A genetic search over lists of activities, for projects of up to some thousand activities.
//!
//! Every child is a list cut out of two parents, scheduled and justified at once, so that only well-packed schedules
//! meet. A parent gives the part of its schedule where the resources are used best. When a population has nothing new
//! to give, another of twice the size begins from scratch: small ones are good soon, large ones get further, and since
//! sizes double, the last one has had about half of all schedules, however long the search is let go on.

use crate::schedule::justify::{Bench, Schedule};
use crate::schedule::sampling::Sampler;
use engine::Seeded;

/// Schedules of a generation in the first population, and in the largest.
const POPULATION: usize = 40;
const POPULATION_MOST: usize = 1_280;
/// Generations without gain after which a new population begins.
const PATIENCE: usize = 18;
/// Windows of a parent's schedule of which the best used one is given on.
const WINDOWS: usize = 3;

pub(crate) fn improve(bench: &mut Bench<'_>, seed: u64) {
    let mut random = Seeded::new(seed);
    let tails = bench.project.tails();
    let urgency: Vec<u64> = tails.iter().zip(&bench.project.durations).map(|(tail, own)| tail - own).collect();
    let mut sampler = Sampler::new(bench.project);
    let mut population = POPULATION;
    // What is known already is one of the first.
    let mut people = vec![bench.best().clone()];
    while bench.go_on() {
        while people.len() < population && bench.go_on() {
            let list = sampler.by_regret(&urgency, &mut random);
            let schedule = bench.forward(&list);
            people.push(bench.justify(&schedule));
        }
        evolve(bench, std::mem::take(&mut people), &mut random);
        population = (population * 2).min(POPULATION_MOST);
    }
}

/// Lets generations follow each other until nothing is gained for a while.
fn evolve(bench: &mut Bench<'_>, mut people: Vec<Schedule>, random: &mut Seeded) {
    let usage = Usage::new(bench);
    let mut best = u64::MAX;
    let mut idle = 0;
    let most = people.len();
    while idle < PATIENCE && people.len() > 1 {
        let parents = people.len();
        for _ in 0..parents {
            if !bench.go_on() {
                return;
            }
            let father = select(&people[..parents], random);
            let mother = select(&people[..parents], random);
            let window = usage.window(bench, &people[mother], random);
            let mut list = cross(&people[father], &people[mother], window);
            mutate(bench, &mut list, random);
            let child = bench.forward(&list);
            people.push(bench.justify(&child));
        }
        people.sort_by(|a, b| (a.makespan, &a.list).cmp(&(b.makespan, &b.list)));
        people.dedup_by(|a, b| a.list == b.list);
        people.truncate(most);
        let now = people[0].makespan;
        idle = if now < best { 0 } else { idle + 1 };
        best = now;
    }
}

/// The better of two drawn at random.
fn select(people: &[Schedule], random: &mut Seeded) -> usize {
    let (one, other) = (random.below(people.len()), random.below(people.len()));
    if people[one].makespan <= people[other].makespan { one } else { other }
}

/// Takes the places `from..to` from the mother's list, the others from the father's, in their orders.
fn cross(father: &Schedule, mother: &Schedule, (from, to): (usize, usize)) -> Vec<u32> {
    let len = father.list.len();
    let mut list = Vec::with_capacity(len);
    let mut taken = vec![false; len];
    let mut take = |parent: &[u32], upto: usize| {
        for &activity in parent {
            if list.len() >= upto {
                break;
            }
            if !std::mem::replace(&mut taken[activity as usize], true) {
                list.push(activity);
            }
        }
    };
    take(&father.list, from);
    take(&mother.list, to);
    take(&father.list, len);
    list
}

/// Swaps neighbours here and there, where precedence allows.
fn mutate(bench: &Bench<'_>, list: &mut [u32], random: &mut Seeded) {
    for at in 1..list.len() {
        let (one, other) = (list[at - 1], list[at]);
        if random.chance(0.03) && !bench.project.before.of(other).contains(&one) {
            list.swap(at - 1, at);
        }
    }
}

/// How well resources are used over the time of a schedule.
struct Usage {
    /// Work of each activity as a share of all there is of the resources, per unit of time.
    density: Vec<f64>,
}

impl Usage {
    fn new(bench: &Bench<'_>) -> Self {
        let project = bench.project;
        let density = (0..).take(project.len()).map(|activity| {
            let uses = project.uses.of(activity).iter();
            uses.map(|&(resource, units)| f64::from(units) / f64::from(project.capacities[resource as usize])).sum()
        });
        Self { density: density.collect() }
    }

    /// Places of the mother's list from where its schedule's best used window of a few begins to where it ends.
    #[expect(clippy::cast_precision_loss, reason = "only a comparison of means")]
    fn window(&self, bench: &Bench<'_>, mother: &Schedule, random: &mut Seeded) -> (usize, usize) {
        let len = mother.list.len();
        let mut best = (0, len);
        let mut most = -1.0;
        for _ in 0..WINDOWS {
            let width = len / 4 + random.below(len / 2 + 1);
            let from = random.below(len.saturating_sub(width) + 1);
            let to = (from + width).min(len);
            let begin = mother.starts[mother.list[from.min(len - 1)] as usize];
            let mut end = begin;
            let mut work = 0.0;
            for &activity in &mother.list[from..to] {
                let duration = bench.project.durations[activity as usize];
                end = end.max(mother.starts[activity as usize].saturating_add(duration));
                work += self.density[activity as usize] * duration as f64;
            }
            let mean = work / ((end - begin) as f64).max(1.0);
            if mean > most {
                most = mean;
                best = (from, to);
            }
        }
        best
    }
}
