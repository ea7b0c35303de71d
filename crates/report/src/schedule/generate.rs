//! Projects of the kind that schedulers are measured on, drawn at random: the parameters are those of the published
//! generators (network complexity, resource factor, resource strength), the drawing is our own.

use crate::schedule::project::{Project, ProjectError, ProjectSpec};
use crate::schedule::serial::{Profile, serial};
use engine::Seeded;

/// What a drawn project is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kind {
    /// Activities that take time; a source and a sink come on top.
    pub activities: u32,
    /// Edges for each activity, none of them implied by others; 1.5 to 2.1 in the usual sets.
    pub complexity: f64,
    /// Share of the four resources that an activity uses, above 0 and at most 1.
    pub factor: f64,
    /// Capacity of the resources between the least with which anything is possible (0) and what the schedule without
    /// limits peaks at (1).
    pub strength: f64,
}

const RESOURCES: u32 = 4;
const MOST: usize = 10;
const STARTS_MOST: usize = 3;

/// Draws a project: durations and uses of 1 to 10, four resources.
///
/// # Errors
/// None that a drawn project gives; the schedule without limits is admitted like any other.
pub fn generate(kind: &Kind, seed: u64) -> Result<ProjectSpec, ProjectError> {
    let mut random = Seeded::new(seed);
    let inner = kind.activities.max(1);
    let mut durations = vec![0_u64; inner as usize + 2];
    for duration in &mut durations[1..=inner as usize] {
        *duration = 1 + random.below(MOST) as u64;
    }
    let edges = network(inner, kind.complexity, &mut random);
    let mut uses: Vec<(u32, u32, u32)> = Vec::new();
    let all = f64::from(inner * RESOURCES);
    // At least one resource each, then more until the factor is met.
    for activity in 1..=inner {
        uses.push((activity, random.below(RESOURCES as usize) as u32, 1 + random.below(MOST) as u32));
    }
    while (uses.len() as f64) < kind.factor * all {
        let (activity, resource) = (1 + random.below(inner as usize) as u32, random.below(RESOURCES as usize) as u32);
        if !uses.iter().any(|&(of, at, _)| (of, at) == (activity, resource)) {
            uses.push((activity, resource, 1 + random.below(MOST) as u32));
        }
    }
    let capacities = capacities(&durations, &edges, &uses, kind.strength)?;
    Ok(ProjectSpec { durations, edges, capacities, uses, ..ProjectSpec::default() })
}

/// Edges from the source over the activities to the sink; each goes from a lower to a higher number, none is implied.
fn network(inner: u32, complexity: f64, random: &mut Seeded) -> Vec<(u32, u32)> {
    let len = inner as usize + 2;
    let sink = inner + 1;
    // reach[a] holds what comes after a, as bits.
    let mut reach = vec![vec![false; len]; len];
    let mut edges: Vec<(u32, u32)> = Vec::new();
    let mut degree = vec![(0_usize, 0_usize); len];
    let starts = STARTS_MOST.min(inner as usize) as u32;
    let mut join = |from: u32, to: u32, edges: &mut Vec<(u32, u32)>, degree: &mut Vec<(usize, usize)>| {
        let (a, b) = (from as usize, to as usize);
        // Implied already, or an edge there would be implied by this one.
        if a >= b || reach[a][b] {
            return false;
        }
        let implies = edges.iter().any(|&(x, y)| {
            let (x, y) = (x as usize, y as usize);
            (x == a || reach[x][a]) && (y == b || reach[b][y])
        });
        if implies {
            return false;
        }
        edges.push((from, to));
        degree[a].1 += 1;
        degree[b].0 += 1;
        let reached = reach[b].clone();
        for (x, reach) in reach.iter_mut().enumerate() {
            if x == a || reach[a] {
                reach.iter_mut().zip(&reached).for_each(|(reach, reached)| *reach |= reached);
                reach[b] = true;
            }
        }
        true
    };
    for to in 1..=starts {
        join(0, to, &mut edges, &mut degree);
    }
    for to in starts + 1..=inner {
        // A predecessor of each activity that has room for a successor.
        for _ in 0..50 {
            let from = 1 + random.below(to as usize - 1) as u32;
            if degree[from as usize].1 < STARTS_MOST && join(from, to, &mut edges, &mut degree) {
                break;
            }
        }
        if degree[to as usize].0 == 0 {
            join(to - 1, to, &mut edges, &mut degree);
        }
    }
    let ends = inner.saturating_sub(starts) + 1;
    for from in (1..ends).rev() {
        if degree[from as usize].1 == 0 {
            for _ in 0..50 {
                let to = from + 1 + random.below((inner - from) as usize) as u32;
                if degree[to as usize].0 < STARTS_MOST && join(from, to, &mut edges, &mut degree) {
                    break;
                }
            }
        }
    }
    for from in 1..=inner {
        if degree[from as usize].1 == 0 {
            join(from, sink, &mut edges, &mut degree);
        }
    }
    let wanted = (complexity * f64::from(inner + 2)) as usize;
    for _ in 0..inner as usize * 400 {
        if edges.len() >= wanted {
            break;
        }
        let from = 1 + random.below(inner as usize) as u32;
        let to = 1 + random.below(inner as usize) as u32;
        if from < to && degree[from as usize].1 < STARTS_MOST && degree[to as usize].0 < STARTS_MOST {
            join(from, to, &mut edges, &mut degree);
        }
    }
    edges
}

/// Capacities of a given strength between the largest single use and the peak of the earliest schedule.
fn capacities(
    durations: &[u64],
    edges: &[(u32, u32)],
    uses: &[(u32, u32, u32)],
    strength: f64,
) -> Result<Vec<u32>, ProjectError> {
    let free =
        Project::new(ProjectSpec { durations: durations.to_vec(), edges: edges.to_vec(), ..ProjectSpec::default() })?;
    let mut starts = Vec::new();
    let makespan = serial(free.forward(), &free.topological, &mut starts, &mut Profile::default());
    Ok((0..RESOURCES)
        .map(|resource| {
            let of = uses.iter().filter(|&&(_, at, _)| at == resource);
            let least = of.clone().map(|&(_, _, units)| units).max().unwrap_or(1);
            let peak = (0..makespan).map(|time| {
                let running = of.clone().filter(|&&(activity, _, _)| {
                    let start = starts[activity as usize];
                    start <= time && time < start + durations[activity as usize]
                });
                running.map(|&(_, _, units)| units).sum::<u32>()
            });
            let most = peak.max().unwrap_or(least).max(least);
            least + (strength * f64::from(most - least)).round() as u32
        })
        .collect())
}
