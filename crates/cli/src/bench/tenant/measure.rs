//! The order of the measurement: each contender on a fresh copy, one after the other, each checked afterwards.

use std::path::Path;
use std::time::{Duration, Instant};

use connectors::postgres::{Guard, Job, OnConflict, Outcome, Scope, restore};
use sqlx::AssertSqlSafe;

use super::cluster::{Cluster, Programs};
use super::figures::{Flat, Live, TenantFigures, Timed};
use super::pump::{Between, ceiling, hand, plain};
use super::shop::{Shop, Site, TRIED, open, sql};
use super::traffic::Traffic;
use crate::bench::process;
use crate::exit::Exit;
use crate::failure::Failure;

/// A site with fewer rows than this is small.
const SMALL: u64 = 200;
/// How long tenants in use are listened to before the restore, and for a data set that is only tried out.
const CALM: Duration = Duration::from_secs(8);
const CALM_TRIED: Duration = Duration::from_secs(1);

/// Who, and which other questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Ours,
    Hand,
    Plain,
    Ceiling,
    Small,
    Live,
    Flat,
}

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) sites: u32,
    pub(crate) rows: u64,
    pub(crate) connections: usize,
    pub(crate) max_latency: Duration,
    pub(crate) tx_per_s: u32,
    pub(crate) repeat: u32,
    pub(crate) parts: Vec<Part>,
    /// Numbers of sites of the data sets that are compared by cost.
    pub(crate) flat: Vec<u32>,
}

impl Wanted {
    fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}

/// Builds the data set in `dir` and measures; `tell` hears what is being done.
pub(crate) async fn measure_tenant(dir: &Path, wanted: &Wanted, tell: &dyn Fn(&str)) -> Result<TenantFigures, Failure> {
    let programs = Programs::find()?;
    programs.own(dir)?;
    tell(&format!("making {} sites with {} rows, and deleting half of them", 2 * wanted.sites, wanted.rows));
    let shop = Shop::build(&programs, &dir.join("s"), wanted.sites, wanted.rows).await?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut figures = TenantFigures {
        sites: shop.sites.len(),
        rows: shop.rows(),
        bytes: shop.bytes,
        connections: wanted.connections,
        cores,
        ..TenantFigures::default()
    };
    contenders(&shop, wanted, tell, &mut figures).await?;
    if wanted.has(Part::Small) {
        small(&shop, tell, &mut figures).await?;
    }
    if wanted.has(Part::Live) {
        let live = under_load(&shop, wanted, tell).await?;
        figures.live_p99_ms = Some(live.limited.p99_ms);
        figures.live = Some(live);
    }
    drop(shop);
    if wanted.has(Part::Flat) {
        for sites in &wanted.flat {
            tell(&format!("what a row costs with {sites} sites"));
            figures.cost_flat.push(flat(&programs, &dir.join(format!("f{sites}")), *sites, wanted).await?);
        }
    }
    Ok(figures)
}

async fn contenders(
    shop: &Shop,
    wanted: &Wanted,
    tell: &dyn Fn(&str),
    figures: &mut TenantFigures,
) -> Result<(), Failure> {
    let all =
        [(Part::Ours, "ours"), (Part::Hand, "by hand"), (Part::Plain, "plain COPY"), (Part::Ceiling, "the ceiling")];
    let mut times: [Vec<Timed>; 4] = Default::default();
    for round in 1..=wanted.repeat {
        for (at, (part, name)) in all.into_iter().enumerate().filter(|(_, (part, _))| wanted.has(*part)) {
            tell(&format!("{name}, {round} of {}", wanted.repeat));
            let live = shop.live().await?;
            times[at].push(timed(shop, &live, &shop.sites, part, wanted.connections).await?);
            shop.check(&live, name).await?;
            live.remove()?;
        }
    }
    let [ours, hand, plain, ceiling] = times.map(|times| median(times).map(|timed| timed.limit(figures.cores)));
    let against = |other: &Option<Timed>| Some(ours.as_ref()?.rows_per_s / other.as_ref()?.rows_per_s);
    figures.vs_hand = against(&hand);
    figures.vs_plain_copy = against(&plain);
    figures.vs_ceiling = against(&ceiling);
    figures.rows_per_s = ours.as_ref().map(|ours| ours.rows_per_s);
    let lanes = wanted.connections.min(shop.sites.len()) as f64;
    figures.verify_share = ours.as_ref().and_then(|ours| Some(ours.verify_s? / (ours.wall_s * lanes)));
    figures.contenders = super::figures::Contenders { ours, hand, plain, ceiling };
    Ok(())
}

/// The one in the middle by time.
fn median(mut times: Vec<Timed>) -> Option<Timed> {
    times.sort_by(|a, b| a.wall_s.total_cmp(&b.wall_s));
    let middle = times.len().checked_sub(1)? / 2;
    times.into_iter().nth(middle)
}

/// Lets a contender restore sites, from before its first connection to after its last COMMIT.
async fn timed(shop: &Shop, live: &Cluster, sites: &[Site], part: Part, connections: usize) -> Result<Timed, Failure> {
    let between = (shop.backup.url(), live.url());
    let between = Between { from: &between.0, to: &between.1 };
    let wal = wal(live).await?;
    let cpu = || (live.cpu_s(), shop.backup.cpu_s(), process::cpu_s(), process::machine_cpu_s());
    let before = cpu();
    let begun = Instant::now();
    let verify_s = match part {
        Part::Hand => hand(between, sites, connections).await.map(|()| None)?,
        Part::Plain => plain(between, sites).await.map(|()| None)?,
        Part::Ceiling => ceiling(between, sites).await.map(|()| None)?,
        _ => Some(ours(between, sites, connections, None).await?.verifying().as_secs_f64()),
    };
    let wall_s = begun.elapsed().as_secs_f64();
    let after = cpu();
    let rows: u64 = sites.iter().map(|site| site.rows).sum();
    let (live_cpu_s, backup_cpu_s, client_cpu_s) = (after.0 - before.0, after.1 - before.1, after.2 - before.2);
    Ok(Timed {
        wall_s,
        rows_per_s: rows as f64 / wall_s,
        live_cpu_s,
        backup_cpu_s,
        client_cpu_s,
        others_cpu_s: (after.3 - before.3 - live_cpu_s - backup_cpu_s - client_cpu_s).max(0.0),
        wal_bytes: self::wal(live).await?.saturating_sub(wal),
        limited_by: "",
        verify_s,
    })
}

/// Where the live server's WAL ends, in bytes.
async fn wal(live: &Cluster) -> Result<u64, Failure> {
    let text = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::int8";
    let (bytes,): (i64,) = sqlx::query_as(AssertSqlSafe(text))
        .fetch_one(&mut open(&live.url()).await?)
        .await
        .map_err(sql("ask where the WAL ends"))?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// The restore of this program, exactly as `tenant restore` calls it.
async fn ours(
    between: Between<'_>,
    sites: &[Site],
    connections: usize,
    latency: Option<Duration>,
) -> Result<Outcome, Failure> {
    let job = Job {
        from: between.from.to_owned(),
        to: between.to.to_owned(),
        scope: Scope { root: "tenants".to_owned(), ..Scope::default() },
        tenants: sites.iter().map(|site| site.id.clone()).collect(),
        remap: None,
        on_conflict: OnConflict::Fail,
        connections,
        chunk_rows: 0,
        replication_origin: None,
        lock_timeout: Duration::from_secs(5),
        guard: Guard { latency, lag_bytes: None },
        run: "bench".to_owned(),
        key: "bench".to_owned(),
        token: 1,
    };
    let outcome = restore(&job).await.map_err(|error| Failure::trouble(error.code(), &error, error.hint()))?;
    match outcome.tenants.iter().find_map(|tenant| tenant.result.as_ref().err()) {
        Some(error) => Err(Failure::trouble(error.code(), error, error.hint())),
        None => Ok(outcome),
    }
}

async fn small(shop: &Shop, tell: &dyn Fn(&str), figures: &mut TenantFigures) -> Result<(), Failure> {
    let sites: Vec<Site> = shop.sites.iter().filter(|site| site.rows < SMALL).cloned().collect();
    figures.small_sites = sites.len();
    if sites.is_empty() {
        return Ok(());
    }
    for part in [Part::Ours, Part::Hand] {
        tell(&format!("{} sites of fewer than {SMALL} rows on one connection", sites.len()));
        let live = shop.live().await?;
        // Catalogues and connections cost what they cost, however many sites there are: two runs of different size tell
        // that from what a site adds. The first site pays for the cold start.
        let (first, rest) = sites.split_at(1);
        let (few, many) = rest.split_at(rest.len() / 5);
        timed(shop, &live, first, part, 1).await?;
        let (base, more) = if few.is_empty() { (None, many) } else { (Some(few), many) };
        let base = match base {
            Some(few) => Some(timed(shop, &live, few, part, 1).await?),
            None => None,
        };
        if more.is_empty() {
            live.remove()?;
            continue;
        }
        let it = timed(shop, &live, more, part, 1).await?;
        live.remove()?;
        let added = (more.len() - few.len()) as f64;
        let of = |all: f64, base: Option<f64>| Some((all - base.unwrap_or(0.0)).max(0.0) * 1_000.0 / added);
        let wall = of(it.wall_s, base.as_ref().map(|base| base.wall_s));
        let cpu = of(it.cpu_s(), base.as_ref().map(super::figures::Timed::cpu_s));
        match part {
            Part::Ours => (figures.small_site_ms, figures.small_site_cpu_ms) = (wall, cpu),
            _ => (figures.small_site_hand_ms, figures.small_site_hand_cpu_ms) = (wall, cpu),
        }
    }
    Ok(())
}

async fn under_load(shop: &Shop, wanted: &Wanted, tell: &dyn Fn(&str)) -> Result<Live, Failure> {
    let mut runs = Vec::new();
    for latency in [None, Some(wanted.max_latency)] {
        let limit = latency.map_or("no limit".to_owned(), |limit| format!("a limit of {} ms", limit.as_millis()));
        tell(&format!("ours beside {} transactions a second of others, with {limit}", wanted.tx_per_s));
        let live = shop.live().await?;
        let (from, to) = (shop.backup.url(), live.url());
        let traffic = Traffic::start(&to, wanted.tx_per_s).await?;
        traffic.wait(if wanted.rows < TRIED { CALM_TRIED } else { CALM }).await;
        let before = traffic.felt();
        let begun = Instant::now();
        let outcome = ours(Between { from: &from, to: &to }, &shop.sites, wanted.connections, latency).await?;
        let rows_per_s = shop.rows() as f64 / begun.elapsed().as_secs_f64();
        let during = traffic.felt();
        traffic.end()?;
        shop.check_sites(&live).await?;
        live.remove()?;
        runs.push((before, during, rows_per_s, outcome.heard.unwrap_or_default()));
    }
    let [(before, unlimited, unlimited_rows_per_s, _), (_, limited, limited_rows_per_s, heard)] = runs[..] else {
        return Err(Failure::new(Exit::Trouble, "bench-runs", "a run is missing", "report this defect"));
    };
    Ok(Live {
        tx_per_s: wanted.tx_per_s,
        limit_ms: wanted.max_latency.as_secs_f64() * 1_000.0,
        before,
        unlimited,
        unlimited_rows_per_s,
        limited,
        limited_rows_per_s,
        heard_p99_ms: heard.p99_ms,
        slowed_down: heard.breaches,
    })
}

/// What a row costs in a data set of its own, of the same number of rows whatever the number of sites.
async fn flat(programs: &Programs, home: &Path, sites: u32, wanted: &Wanted) -> Result<Flat, Failure> {
    let shop = Shop::build(programs, home, sites, wanted.rows / 2).await?;
    let live = shop.live().await?;
    let it = timed(&shop, &live, &shop.sites, Part::Ours, wanted.connections).await?;
    shop.check(&live, "ours").await?;
    live.remove()?;
    let rows = shop.rows();
    let us = 1e6 / rows as f64;
    Ok(Flat { sites: shop.sites.len(), rows, us_per_row: it.wall_s * us, cpu_us_per_row: it.cpu_s() * us })
}
