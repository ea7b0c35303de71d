//! Orders found before a run: they keep every limit, small ones are the best there is, and the engine would do the same.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod support;

use engine::{KeyIx, SiteIx, StepIx};
use reinstate_report::schedule::{
    BoundBy, Kind, Order, PlannedProject, Project, ProjectError, ProjectSpec, Rule, Scheme, Search, generate,
    list_schedule, lower_bound, optimise,
};
use support::*;

const SCHEMES: [Scheme; 2] = [Scheme::Serial, Scheme::Parallel];

fn kinds(activities: u32) -> impl Iterator<Item = (Kind, u64)> {
    (0..12).map(move |seed| {
        let complexity = [1.5, 1.8, 2.1][seed % 3];
        let (factor, strength) = [(0.25, 0.2), (0.5, 0.5), (0.75, 0.7), (1.0, 0.2)][seed % 4];
        (Kind { activities, complexity, factor, strength }, seed as u64)
    })
}

fn found(project: &Project, scheme: Scheme, seed: u64, schedules: u64) -> Order {
    optimise(project, &Search { scheme, seed, first: Vec::new() }, &mut |built| built < schedules)
}

/// The shortest makespan there is, by trying every order and placing each activity as early as it fits.
struct Exhaustive<'a> {
    spec: &'a ProjectSpec,
    tails: Vec<u64>,
    starts: Vec<Option<u64>>,
    best: u64,
}

impl<'a> Exhaustive<'a> {
    fn shortest(spec: &'a ProjectSpec) -> u64 {
        let mut tails = spec.durations.clone();
        for _ in 0..tails.len() {
            for &(before, after) in &spec.edges {
                let through = spec.durations[before as usize] + tails[after as usize];
                tails[before as usize] = tails[before as usize].max(through);
            }
        }
        let mut all = Self { spec, tails, starts: vec![None; spec.durations.len()], best: u64::MAX };
        all.next();
        all.best
    }

    fn end(&self, activity: u32) -> Option<u64> {
        self.starts[activity as usize].map(|start| start + self.spec.durations[activity as usize])
    }

    fn next(&mut self) {
        let all = 0..self.starts.len() as u32;
        if self.starts.iter().all(Option::is_some) {
            let makespan = all.filter_map(|activity| self.end(activity)).max().unwrap();
            self.best = self.best.min(makespan);
            return;
        }
        for activity in all.filter(|&activity| self.starts[activity as usize].is_none()).collect::<Vec<_>>() {
            let before = self.spec.edges.iter().filter(|edge| edge.1 == activity);
            let Some(ends) = before.map(|edge| self.end(edge.0)).collect::<Option<Vec<u64>>>() else { continue };
            let mut start = ends.into_iter().max().unwrap_or(0);
            while !self.fits(activity, start) {
                start += 1;
            }
            if start + self.tails[activity as usize] < self.best {
                self.starts[activity as usize] = Some(start);
                self.next();
                self.starts[activity as usize] = None;
            }
        }
    }

    fn fits(&self, activity: u32, start: u64) -> bool {
        let held = |of: u32, resource: u32| {
            self.spec.uses.iter().find(|held| (held.0, held.1) == (of, resource)).map_or(0, |held| held.2)
        };
        (start..start + self.spec.durations[activity as usize]).all(|time| {
            (0..).zip(&self.spec.capacities).all(|(resource, &capacity)| {
                let running = (0..self.starts.len() as u32).filter(|&other| {
                    self.starts[other as usize].is_some_and(|begin| begin <= time) && self.end(other).unwrap() > time
                });
                running.map(|other| held(other, resource)).sum::<u32>() + held(activity, resource) <= capacity
            })
        })
    }
}

#[test]
fn small_projects_end_as_early_as_they_can() {
    for (kind, seed) in kinds(8) {
        let spec = generate(&kind, seed).unwrap();
        let shortest = Exhaustive::shortest(&spec);
        let project = Project::new(spec).unwrap();
        let order = found(&project, Scheme::Serial, seed, 2_000);
        assert_eq!(order.makespan, shortest, "{kind:?}, seed {seed}");
        assert!(lower_bound(&project).time <= shortest, "{kind:?}, seed {seed}");
    }
}

#[test]
fn an_order_keeps_precedence_and_capacity_and_says_the_truth() {
    for (kind, seed) in kinds(40) {
        let project = Project::new(generate(&kind, seed).unwrap()).unwrap();
        for scheme in SCHEMES {
            let order = found(&project, scheme, seed, 200);
            assert!(project.admits(&order.starts), "{kind:?}, seed {seed}, {scheme:?}");
            assert!(order.makespan <= order.first && order.makespan >= order.lower_bound.time);
            let mut ranks = order.rank.clone();
            ranks.sort_unstable();
            assert!(ranks.into_iter().eq(0..project.len() as u32));
            // The ranks alone give the schedule again.
            let mut list: Vec<u32> = (0..project.len() as u32).collect();
            list.sort_by_key(|&activity| order.rank[activity as usize]);
            let search = Search { scheme, seed, first: list };
            assert_eq!(optimise(&project, &search, &mut |_| false).first, order.makespan);
        }
    }
}

#[test]
fn the_same_seed_and_count_give_the_same_order() {
    let (kind, _) = kinds(30).next().unwrap();
    let project = Project::new(generate(&kind, 1).unwrap()).unwrap();
    for scheme in SCHEMES {
        assert_eq!(found(&project, scheme, 5, 400), found(&project, scheme, 5, 400));
    }
}

#[test]
fn a_search_gains_on_its_rule() {
    let mut gained = 0.0;
    for (kind, seed) in kinds(60) {
        let project = Project::new(generate(&kind, seed).unwrap()).unwrap();
        let rule = list_schedule(&project, Rule::LatestFinish, Scheme::Serial).makespan;
        let order = found(&project, Scheme::Serial, seed, 600);
        assert!(order.makespan <= rule, "{kind:?}, seed {seed}");
        gained += (rule - order.makespan) as f64 / rule as f64;
    }
    assert!(gained / 12.0 > 0.03, "mean gain {}", gained / 12.0);
}

#[test]
fn no_unit_stays_idle_that_could_be_used() {
    for (kind, seed) in kinds(30) {
        let spec = generate(&kind, seed).unwrap();
        let project = Project::new(spec.clone()).unwrap();
        let starts = list_schedule(&project, Rule::LongestTail, Scheme::Parallel).starts;
        let end = |activity: u32| starts[activity as usize] + spec.durations[activity as usize];
        let all = 0..starts.len() as u32;
        for time in all.clone().map(end) {
            let free: Vec<u32> = (0..)
                .zip(&spec.capacities)
                .map(|(resource, capacity)| {
                    let running = spec
                        .uses
                        .iter()
                        .filter(|held| held.1 == resource && starts[held.0 as usize] <= time && end(held.0) > time);
                    capacity - running.map(|held| held.2).sum::<u32>()
                })
                .collect();
            for activity in all.clone().filter(|&activity| starts[activity as usize] > time) {
                let waits = spec.edges.iter().any(|edge| edge.1 == activity && end(edge.0) > time);
                let lacks = spec.uses.iter().any(|held| held.0 == activity && held.2 > free[held.1 as usize]);
                assert!(waits || lacks, "{kind:?}, seed {seed}: {activity} idles at {time}");
            }
        }
    }
}

#[test]
fn projects_that_cannot_be_scheduled_are_refused() {
    let spec = |edges: &[(u32, u32)], uses: &[(u32, u32, u32)]| ProjectSpec {
        durations: vec![1, 1],
        edges: edges.to_vec(),
        uses: uses.to_vec(),
        capacities: vec![2],
        ..ProjectSpec::default()
    };
    assert!(matches!(Project::new(spec(&[(0, 1), (1, 0)], &[])), Err(ProjectError::Cycle { .. })));
    assert!(matches!(Project::new(spec(&[(0, 2)], &[])), Err(ProjectError::Unknown { number: 2, .. })));
    assert!(matches!(Project::new(spec(&[], &[(0, 0, 3)])), Err(ProjectError::TooMuch { units: 3, capacity: 2, .. })));
    let ragged = ProjectSpec { kinds: vec![0], ..spec(&[], &[]) };
    assert!(matches!(Project::new(ragged), Err(ProjectError::Ragged { table: "kinds", .. })));
    let empty = Project::new(ProjectSpec::default()).unwrap();
    assert_eq!(found(&empty, Scheme::Parallel, 1, 10).makespan, 0);
}

#[test]
fn the_bound_counts_work_between_barriers() {
    // Six of one minute on two slots, a barrier, then one of a minute: three and one.
    let spec = ProjectSpec {
        durations: vec![1, 1, 1, 1, 1, 1, 0, 1],
        edges: (0..6).map(|before| (before, 6)).chain([(6, 7)]).collect(),
        capacities: vec![2],
        uses: (0..6).chain([7]).map(|activity| (activity, 0, 1)).collect(),
        barriers: vec![6],
        ..ProjectSpec::default()
    };
    let bound = lower_bound(&Project::new(spec).unwrap());
    assert_eq!((bound.time, bound.by), (4, BoundBy::Resource(0)));
}

/// The small restoration, with times per step.
fn timed(sites: usize, shards: usize) -> engine::PlanSpec {
    let mut spec = spec(&ids(sites), shards);
    for (step, ms) in spec.steps.iter_mut().zip([240_000, 400, 2_500, 9_000, 6_000, 3_000, 1_200, 30_000]) {
        step.expect_ms = (ms, ms);
    }
    spec
}

#[test]
fn the_engine_takes_as_long_as_its_order_is_scheduled_for() {
    for (sites, shards) in [(7, 2), (40, 3), (120, 8)] {
        let times = timed(sites, shards).steps.iter().map(|step| step.expect_ms.0 as i64).collect::<Vec<_>>();
        let world: World = Box::new(move |run, unit, _| (times[usize::from(at(run, unit).0)], done()));
        let mut drive = Drive::new(timed(sites, shards), world);
        let plan = engine::Plan::new(timed(sites, shards)).unwrap();
        let planned = PlannedProject::new(&plan, &|node| plan.expected_ms(plan.node_at(node).0)).unwrap();
        drive.run_to_rest();
        let took = (drive.records.last().unwrap().at - T0) as u64;
        let search = Search { scheme: Scheme::Parallel, seed: 1, first: planned.own_order().to_vec() };
        let order = optimise(planned.project(), &search, &mut |_| false);
        assert_eq!(order.first, took, "{sites} sites");
    }
}

#[test]
fn a_planned_project_waits_for_batches_and_ranks_every_node() {
    let plan = engine::Plan::new(timed(120, 8)).unwrap();
    let planned = PlannedProject::new(&plan, &|node| plan.expected_ms(plan.node_at(node).0)).unwrap();
    let search = Search { scheme: Scheme::Parallel, seed: 3, first: planned.own_order().to_vec() };
    let order = optimise(planned.project(), &search, &mut |built| built < 300);
    assert!(planned.project().admits(&order.starts));
    assert!(order.makespan <= order.first);
    let mut ranks = planned.node_ranks(&order);
    assert_eq!(ranks.len(), plan.node_count() as usize);
    ranks.sort_unstable();
    assert!(ranks.into_iter().eq(0..plan.node_count()));
    let site_end = |site| {
        let own = [CATALOGUE, IDENTITY, DATABASES, MEDIA, APPS, VALIDATE].into_iter();
        own.map(|step| planned.end(plan.node(StepIx(step), KeyIx(site)), &order.starts)).max().unwrap()
    };
    for batch in 1..plan.batch_count() as usize {
        let before = plan.batch_sites(engine::BatchIx::from(batch - 1)).map(site_end).max().unwrap();
        for site in plan.batch_sites(engine::BatchIx::from(batch)) {
            let node = plan.node(StepIx(CATALOGUE), KeyIx(site));
            let begin = planned.end(node, &order.starts) - 400;
            assert!(begin >= before + 5_000, "{:?} begins {begin}, batch before ends {before}", SiteIx(site));
        }
    }
}
