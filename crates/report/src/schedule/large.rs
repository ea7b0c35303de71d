//! The search for projects of many activities: kinds and lots move, not single activities.
//!
//! One schedule of tens of thousands of activities takes milliseconds, so only some thousand can be tried. Starts of the
//! best schedule are the keys; a move shifts the keys of some kinds (steps) or lots (sites), or leans all keys towards
//! what the longest ways say, and the order of the shifted keys is scheduled anew.

use crate::schedule::justify::{Bench, Schedule};
use crate::schedule::project::NO_LOT;
use crate::schedule::sampling::list_by;
use crate::schedule::search::Rule;
use engine::Seeded;

/// Rounds of justification of a first order.
const ROUNDS: usize = 6;

pub(crate) fn improve(bench: &mut Bench<'_>, seed: u64) {
    let mut random = Seeded::new(seed);
    let first = bench.best().clone();
    let mut current = bench.justify_well(first, ROUNDS);
    for rule in [Rule::LatestFinish, Rule::LongestTail] {
        if !bench.go_on() {
            return;
        }
        let list = list_by(bench.project, rule);
        let schedule = bench.forward(&list);
        let schedule = bench.justify_well(schedule, ROUNDS);
        if schedule.makespan < current.makespan {
            current = schedule;
        }
    }
    let mut moves = Moves::new(bench);
    while bench.go_on() {
        let list = moves.next(bench, &current, &mut random);
        let mut schedule = bench.forward(&list);
        // A near miss may be packed closer than what it came from.
        if bench.go_on() && near(schedule.makespan, current.makespan) && random.chance(0.3) {
            let justified = bench.justify(&schedule);
            if justified.makespan <= schedule.makespan {
                schedule = justified;
            }
        }
        // Equals are taken: they carry the search over level ground.
        if schedule.makespan <= current.makespan {
            current = schedule;
        }
    }
}

fn near(one: u64, other: u64) -> bool {
    one <= other.saturating_add(other / 500)
}

/// Draws moves; scratch space.
struct Moves {
    keys: Vec<f64>,
    tails: Vec<f64>,
    kinds: usize,
    lots: usize,
    shift: Vec<f64>,
}

#[expect(clippy::cast_precision_loss, reason = "keys only order activities")]
impl Moves {
    fn new(bench: &Bench<'_>) -> Self {
        let project = bench.project;
        let count = |rows: &[u32]| rows.iter().filter(|&&row| row != NO_LOT).max().map_or(0, |&most| most as usize + 1);
        Self {
            keys: Vec::new(),
            tails: project.tails().into_iter().map(|tail| tail as f64).collect(),
            kinds: count(&project.kinds),
            lots: count(&project.lots),
            shift: Vec::new(),
        }
    }

    fn next(&mut self, bench: &Bench<'_>, current: &Schedule, random: &mut Seeded) -> Vec<u32> {
        let project = bench.project;
        let span = current.makespan as f64;
        // Small moves more often than large ones.
        let size = span * 0.2 * random.unit() * random.unit();
        self.keys.clear();
        self.keys.extend(current.starts.iter().map(|&start| start as f64));
        match random.below(4) {
            0 if self.kinds > 1 => self.shift_some(self.kinds, &project.kinds, size, random),
            1 if self.lots > 1 => self.shift_some(self.lots, &project.lots, size, random),
            2 => {
                let lean = random.unit() * random.unit() * 0.5;
                for (key, tail) in self.keys.iter_mut().zip(&self.tails) {
                    *key = *key * (1.0 - lean) + (span - tail) * lean;
                }
            }
            _ => {
                let size = size * 0.2;
                for key in &mut self.keys {
                    *key += size * (random.unit() - 0.5);
                }
            }
        }
        let mut list = project.topological.clone();
        list.sort_unstable_by(|&a, &b| {
            let (a, b) = (a as usize, b as usize);
            self.keys[a].total_cmp(&self.keys[b]).then(project.position[a].cmp(&project.position[b]))
        });
        list
    }

    /// Shifts the keys of some of `len` classes, each by its own amount.
    fn shift_some(&mut self, len: usize, class: &[u32], size: f64, random: &mut Seeded) {
        self.shift.clear();
        self.shift.resize(len, 0.0);
        let share = random.unit();
        let moved = 1 + (share * share * len as f64 * 0.5) as usize;
        for _ in 0..moved {
            let at = random.below(len);
            self.shift[at] = size * (random.unit() - 0.5) * 2.0;
        }
        for (key, &class) in self.keys.iter_mut().zip(class) {
            if let Some(shift) = self.shift.get(class as usize) {
                *key += shift;
            }
        }
    }
}
