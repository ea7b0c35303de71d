//! From counted runs to a conclusion: what is told follows from the figures, in every form.
#![allow(clippy::unwrap_used)]

use reinstate_report::{
    AS_WRITTEN, Account, BatchFigures, Cell, PoolSize, PoolWait, RunFigures, Setup, Spent, Throughput, TimePart,
    render_throughput, render_throughput_csv, render_throughput_html,
};

fn cell(sites: u32, batch: u32) -> Cell {
    Cell { sites, batch, pools: AS_WRITTEN.to_owned(), factor: Some(1.0), ..Cell::default() }
}

/// A run as a law has it: 2 s, 1 s a batch, 50 ms a site; `times` stretches it.
fn run(cell: Cell, repeat: u32, times: f64) -> RunFigures {
    let batches = cell.sites.div_ceil(cell.batch);
    let makespan_s = (2.0 + f64::from(batches) + 0.05 * f64::from(cell.sites)) * times;
    let chain = vec![
        TimePart { spent: Spent::Connector, name: "databases".to_owned(), s: makespan_s * 0.5 },
        TimePart { spent: Spent::Pool, name: "writes".to_owned(), s: makespan_s * 0.4 },
        TimePart { spent: Spent::Engine, name: String::new(), s: makespan_s * 0.1 },
    ];
    let time = Account {
        makespan_s,
        lower_bound_s: makespan_s * 0.9,
        chain,
        pools: vec![PoolWait { pool: "writes".to_owned(), units: 3, s: 7.0 }],
        connectors_s: makespan_s * 4.0,
        engine_s: 0.2,
        idle_s: 0.1,
    };
    let of = |number: u32| BatchFigures {
        number,
        sites: cell.batch.min(cell.sites - (number - 1) * cell.batch),
        wall_s: makespan_s / f64::from(batches),
        rows: 100,
        bytes: 5_000,
    };
    RunFigures {
        repeat,
        returned: cell.sites,
        compared: repeat == 1,
        sites_per_hour: f64::from(cell.sites) * 3600.0 / makespan_s,
        rows: u64::from(batches) * 100,
        rows_per_s: f64::from(batches) * 100.0 / makespan_s,
        bytes: u64::from(batches) * 5_000,
        mb_per_s: f64::from(batches) * 0.005 / makespan_s,
        cpu: Some(0.5),
        own_cpu: None,
        commits: 9,
        journal_s: 0.3,
        batches: (1..=batches).map(of).collect(),
        time,
        cell,
    }
}

fn measured(times: f64) -> Throughput {
    let mut runs = Vec::new();
    for repeat in 1..=3 {
        let times = times * (1.0 + (f64::from(repeat) - 2.0) * 0.002);
        for (sites, batch) in [(20, 5), (20, 10), (60, 5), (60, 10), (60, 30)] {
            runs.push(run(cell(sites, batch), repeat, times));
        }
        for (pool, gain) in [("writes", 1.3), ("reads", 1.001)] {
            let pools = format!("{pool} doubled");
            let doubled = Cell { pools, doubled: Some(pool.to_owned()), factor: None, ..cell(60, 30) };
            runs.push(run(doubled, repeat, times / gain));
        }
        for factor in [0.5, 2.0] {
            let sized = Cell { pools: format!("x{factor}"), factor: Some(factor), ..cell(60, 30) };
            runs.push(run(sized, repeat, times / (0.5 + factor / 2.0)));
        }
    }
    let pool = |name: &str| PoolSize { name: name.to_owned(), slots: Some(4), instances: 2 };
    let setup = Setup {
        at: "2026-01-02T03:04:05.000Z".to_owned(),
        made_by: "reinstate <test>".to_owned(),
        backend: "sqlite".to_owned(),
        runbook: "restoration-2".to_owned(),
        repeats: 3,
        cores: 2,
        pools: vec![pool("writes"), pool("reads")],
        ..Setup::default()
    };
    Throughput::conclude(setup, runs, &[883, 10_000])
}

#[test]
fn the_conclusion_follows_from_the_figures() {
    let mut it = measured(1.0);
    let law = |batches: f64, sites: f64| 2.0 + batches + 0.05 * sites;
    let of = |batch: u32| it.forecasts.iter().find(|one| (one.sites, one.batch) == (883, batch)).unwrap();
    assert!((of(30).s / law(30.0, 883.0) - 1.0).abs() < 0.01, "{:?}", of(30));
    assert!((of(5).s / law(177.0, 883.0) - 1.0).abs() < 0.01, "{:?}", of(5));
    assert_eq!(it.limit.pool.as_deref(), Some("writes"));
    let gains: Vec<(bool, f64)> = it.limit.doubled.iter().map(|one| (one.beyond_spread, one.gain)).collect();
    assert!(gains[0].0 && (gains[0].1 - 0.3).abs() < 0.01 && !gains[1].0, "{gains:?}");
    let usl = it.limit.usl.as_ref().unwrap();
    assert_eq!(usl.points.len(), 3);
    let advice = it.advice.as_ref().unwrap();
    assert_eq!(advice.sites, 883);
    assert!(it.headline.contains("883 sites take") && it.headline.contains("pool writes"), "{}", it.headline);
    it.hold_against(&run(cell(883, advice.batch), 1, 1.0));
    assert!(it.check.as_ref().unwrap().error.abs() < 0.01, "{:?}", it.check);
}

#[test]
fn every_form_tells_it_and_the_page_is_well_formed() {
    let mut it = measured(1.0);
    it.comparison = Some(it.compare(&measured(0.5)));
    let text = render_throughput(&it);
    assert!(text.starts_with(&it.headline) && text.contains("SLOWER"), "{text}");
    let csv = render_throughput_csv(&it);
    assert_eq!(csv.lines().count(), it.runs.len() + 1);
    let columns = csv.lines().next().unwrap().split(',').count();
    assert!(csv.lines().all(|line| line.split(',').count() == columns), "{csv}");
    let html = render_throughput_html(&it);
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let page = roxmltree::Document::parse_with_options(&html, options).unwrap();
    let lead = page.descendants().find(|node| node.attribute("class") == Some("lead")).unwrap();
    assert_eq!(lead.text(), Some(it.headline.as_str()));
    let pictures: Vec<_> = page.descendants().filter(|node| node.tag_name().name() == "svg").collect();
    assert!(pictures.len() >= 3);
    for svg in pictures {
        let named = |name: &str| svg.children().any(|part| part.tag_name().name() == name);
        assert!(named("title") && named("desc") && svg.attribute("role") == Some("img"));
    }
    let again: Throughput = serde_json::from_str(&serde_json::to_string(&it).unwrap()).unwrap();
    assert_eq!(again.headline, it.headline);
    assert_eq!(again.cells.len(), it.cells.len());
}

#[test]
fn only_what_is_slower_than_its_spread_is_called_slower() {
    let before = measured(1.0);
    assert_eq!(before.compare(&before).slower, 0);
    assert_eq!(measured(1.03).compare(&before).slower, 0, "within 5 %");
    let slower = measured(1.2).compare(&before);
    assert_eq!(slower.slower as usize, slower.cells.len());
    assert!(slower.cells.iter().all(|cell| (cell.change - 0.2).abs() < 0.01), "{slower:?}");
    let faster = before.compare(&measured(1.2));
    assert!(faster.slower == 0 && faster.cells.iter().all(|cell| cell.faster));
    let mut other = before.clone();
    other.setup.backend = "postgres".to_owned();
    assert_eq!(other.compare(&before).differs, ["backend: sqlite before, postgres now"]);
}

#[test]
fn too_little_is_said_to_be_too_little() {
    let it = Throughput::conclude(Setup::default(), vec![run(cell(6, 3), 1, 1.0)], &[883]);
    assert!(it.scaling.is_none() && it.advice.is_none() && it.forecasts.is_empty());
    assert!(it.headline.contains("Too few sizes"), "{}", it.headline);
    assert!(render_throughput_html(&it).contains("Too few sizes"));
    let nothing = Throughput::conclude(Setup::default(), Vec::new(), &[883]);
    assert_eq!(nothing.headline, "Nothing was measured.");
}
