//! What a search for an order gains on the shipped runbook, at the size of the incident.
//!
//! `cargo run --release -p reinstate-benches --example order -- [SITES [SECONDS]]` plans `runbooks/restoration-2.yaml` for
//! drawn sites of skewed sizes, gives every step a time (see `TIMES`), and prints makespans: by the engine's own order,
//! and by the order found. Times are the same for all sites first, then grow with the size of the site.
//!
//! Measured for 883 sites (33,603 nodes) with seed 1: with the pools as shipped the writers of one shard set the time, and
//! the engine's own order meets the lower bound already; with eight writers and readers a shard it stays 5.1 % above the
//! bound (times the same for all sites) or 3.2 % (growing with the site), the order found 0.03 % after 2 schedules, or
//! 0.2 % after 600, in 5 s.
#![allow(clippy::print_stdout, missing_docs)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use engine::{KeyIx, NodeIx, Plan, PlanSpec, Scope, SiteIx, Values};
use report::schedule::{BoundBy, PlannedProject, Scheme, Search, optimise};
use runbook::{Estate, Format, SiteList, Source};

type Failure = Box<dyn std::error::Error>;

const RUNBOOK: &str = include_str!("../runbooks/restoration-2.yaml");
const SHARDS: u64 = 24;

/// Times of an attempt in seconds, low and high, for the steps that are slower than a plain call.
const TIMES: &[(&str, u64, u64)] = &[
    ("recover", 900, 1500),
    ("users", 20, 60),
    ("groups", 10, 30),
    ("permissions", 15, 45),
    ("databases", 20, 100),
    ("objects", 2, 10),
    ("events", 5, 15),
    ("search", 10, 50),
    ("apps", 5, 25),
    ("check_objects", 1, 5),
    ("check_databases", 10, 30),
    ("bystanders", 60, 180),
];
/// Times of a plain call, in seconds.
const CALL: (u64, u64) = (1, 3);

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let sites = args.first().map_or(Ok(883), |sites| sites.parse())?;
    let seconds = args.get(1).map_or(Ok(20), |seconds| seconds.parse())?;
    let spec = plan(sites)?;
    for (pools, slots) in [("pools as shipped", None), ("eight writers and readers a shard", Some(8))] {
        let mut spec = spec.clone();
        for pool in spec.pools.iter_mut().filter(|pool| pool.per.is_some()) {
            pool.slots = slots.or(pool.slots);
        }
        for step in &mut spec.steps {
            let (low, high) = TIMES.iter().find(|row| row.0 == step.name).map_or(CALL, |row| (row.1, row.2));
            step.expect_ms = (low * 1000, high * 1000);
        }
        both(&*Plan::new(spec)?, pools, seconds)?;
    }
    Ok(())
}

fn both(plan: &Plan, pools: &str, seconds: u64) -> Result<(), Failure> {
    let users = match plan.spec().sites.column("users").map(|column| &column.values) {
        Some(Values::Integer(users)) => users.clone(),
        _ => return Err("the sites have no users".into()),
    };
    let same = |node: NodeIx| plan.expected_ms(plan.node_at(node).0);
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let by_size = |node: NodeIx| {
        let (step, key) = plan.node_at(node);
        let timed = TIMES.iter().any(|row| row.0 == plan.step(step).name);
        if plan.step(step).scope != Scope::Site || !timed {
            return same(node);
        }
        // A site of the mean size takes the expected time.
        let mean = users.iter().sum::<i64>() as f64 / users.len() as f64;
        (same(node) as f64 * (0.4 + 0.6 * users[key.ix()] as f64 / mean)) as u64
    };
    for (title, duration) in
        [("the same for all sites", &same as &dyn Fn(NodeIx) -> u64), ("growing with the site", &by_size)]
    {
        println!("{pools}, times {title}:");
        measure(plan, duration, seconds)?;
    }
    Ok(())
}

fn measure(plan: &Plan, duration: &dyn Fn(NodeIx) -> u64, seconds: u64) -> Result<(), Failure> {
    let begin = Instant::now();
    let planned = PlannedProject::new(plan, duration)?;
    let project = planned.project();
    println!("  {} nodes, {} activities, {:.0?} to build", plan.node_count(), project.len(), begin.elapsed());
    for budget in [0, seconds / 4, seconds] {
        let search = Search { scheme: Scheme::Parallel, seed: 1, first: planned.own_order().to_vec() };
        let begin = Instant::now();
        let order = optimise(project, &search, &mut |_| begin.elapsed() < Duration::from_secs(budget));
        let took = begin.elapsed();
        if !project.admits(&order.starts) {
            return Err("the schedule breaks a limit".into());
        }
        let bound = order.lower_bound;
        let by = match bound.by {
            BoundBy::CriticalPath => "the longest way",
            BoundBy::Resource(_) => "the work of a pool",
        };
        println!(
            "  {took:>7.1?}, {:>5} schedules: own order {} (+{:.2} %), found {} (+{:.2} %), bound {} by {by}",
            order.iterations,
            clock(order.first),
            excess(order.first, bound.time),
            clock(order.makespan),
            excess(order.makespan, bound.time),
            clock(bound.time),
        );
        if budget > 0 {
            let ends = |starts: &[u64]| mean_end(plan, &planned, starts);
            println!("           sites end on average after {}", clock(ends(&order.starts)));
        }
    }
    Ok(())
}

/// Mean time at which sites end.
fn mean_end(plan: &Plan, planned: &PlannedProject, starts: &[u64]) -> u64 {
    let ends = (0..plan.site_count()).map(SiteIx).map(|site| {
        let steps = plan.steps().filter(|&step| plan.step(step).scope == Scope::Site);
        steps.map(|step| planned.end(plan.node(step, KeyIx(site.0)), starts)).max().unwrap_or(0)
    });
    ends.sum::<u64>() / u64::from(plan.site_count().max(1))
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn excess(time: u64, bound: u64) -> f64 {
    (time as f64 / bound.max(1) as f64 - 1.0) * 100.0
}

fn clock(ms: u64) -> String {
    let s = ms / 1000;
    format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// Plans the shipped runbook for drawn sites: users log-normal, two to four products, an app or two.
fn plan(sites: u64) -> Result<PlanSpec, Failure> {
    let checked = runbook::check(&Source::new("runbooks/restoration-2.yaml", RUNBOOK), &connectors::catalogue());
    let runbook = checked.runbook.ok_or_else(|| format!("{:?}", checked.diagnostics))?;
    let mut draw = Draw(7);
    let mut csv = String::from("id,shard,region,products,users,apps,deleted_at\n");
    for site in 0..sites {
        let products = draw.below(3) + 2;
        let products: Vec<&str> =
            ["jira", "confluence", "opsgenie", "statuspage"].into_iter().take(products as usize).collect();
        let apps: Vec<String> = (0..draw.below(3)).map(|app| format!("app-{site}-{app}")).collect();
        let (shard, users) = (draw.below(SHARDS), draw.skewed());
        let _ = writeln!(
            csv,
            "{site:08x}-0000-4000-8000-000000000000,shard-{shard:02},region-{},{},{users},{},2022-04-05T07:{:02}:00Z",
            shard % 3,
            products.join(";"),
            apps.join(";"),
            38 + site % 20,
        );
    }
    let (list, found) = SiteList::parse(&Source::new("sites.csv", &csv), Format::Csv, &runbook);
    let list = list.ok_or_else(|| format!("{found:?}"))?;
    let mut estate = String::from("schema: estate/v1\nname: drawn\nsecrets: { vendor_token: env:TOKEN }\nvariables:\n");
    for service in [
        "catalogue",
        "commerce",
        "metadata",
        "region",
        "flags",
        "identity",
        "media",
        "events",
        "search",
        "vendors",
        "edge",
    ] {
        let _ = writeln!(estate, "  {service}: http://{service}.example");
    }
    estate.push_str("  objects: { backup: b, live: l }\n  shards:\n");
    for shard in 0..SHARDS {
        let _ = writeln!(estate, "    shard-{shard:02}: {{ backup: b, live: l }}");
    }
    let (estate, found) = Estate::parse(&Source::new("estate.yaml", &estate));
    let estate = estate.ok_or_else(|| format!("{found:?}"))?;
    let none = BTreeMap::new();
    runbook::plan(&runbook, &estate, &list, &none, &none).map_err(|found| format!("{found:?}").into())
}

/// A seeded source of numbers (SplitMix64).
struct Draw(u64);

impl Draw {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, len: u64) -> u64 {
        self.bits() % len
    }

    /// Log-normal from 5 to 500: many small, few large.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn skewed(&mut self) -> u64 {
        let normal = (0..12).map(|_| (self.bits() >> 11) as f64 / (1_u64 << 53) as f64).sum::<f64>() - 6.0;
        ((2.6 + 0.9 * normal).exp() as u64).clamp(5, 500)
    }
}
