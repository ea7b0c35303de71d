//! A forecast for people.

use std::fmt::Write as _;

use crate::duration::{count, grouped, readable};
use crate::escape::plain;
use crate::forecast::outlook::{Forecast, Point};
use crate::forecast::path::{After, PathPart};
use crate::forecast::rest::Rest;
use crate::text::ms;

/// Parts of the critical path that are shown.
const PARTS: usize = 12;

/// Batches that are shown.
const BATCHES: usize = 12;

/// Height of the plot in lines.
const LINES: usize = 8;

/// The whole forecast as text of `width` columns, 40 at least, with a line feed at the end.
#[must_use]
pub fn render_forecast(forecast: &Forecast, width: usize) -> String {
    let width = width.clamp(40, 120);
    let mut page = format!(
        "{}: {}, {}, from {}\n\n",
        plain(&forecast.runbook),
        count(u64::from(forecast.sites), "site", "sites"),
        count(u64::from(forecast.units), "unit", "units"),
        drawings(forecast)
    );
    for (name, text) in rows(forecast) {
        let _ = writeln!(page, "{name:<14}{text}");
    }
    batches(&mut page, forecast);
    plot(&mut page, &forecast.sites_returned, forecast.sites, width);
    path(&mut page, forecast);
    pools(&mut page, forecast);
    if !forecast.what_if.is_empty() {
        page.push_str("\nwhat if (simulated with the same drawings)\n");
        for change in &forecast.what_if {
            let saved = if change.saves_s > 0.0 {
                format!("would save {}", ms(change.saves_s))
            } else if change.saves_s < 0.0 {
                format!("would take {} longer", ms(-change.saves_s))
            } else {
                "would save nothing".to_owned()
            };
            let _ = writeln!(page, "  {} {saved}", plain(&change.change));
        }
    }
    page.push_str("\nassumed\n");
    for assumption in &forecast.assumptions {
        let _ = writeln!(page, "  {}", plain(assumption));
    }
    page
}

/// The forecast in a few lines, each a name and a text, for whoever shows a plan.
#[must_use]
pub fn forecast_lines(forecast: &Forecast) -> Vec<(&'static str, String)> {
    let mut lines = rows(forecast);
    lines.push(("assumed", forecast.assumptions.iter().map(|text| plain(text)).collect::<Vec<_>>().join("; ")));
    lines
}

/// The rest of a run in one line, without colour and line feed.
#[must_use]
pub fn rest_line(rest: &Rest) -> String {
    format!(
        "{} more (80 %: {} to {}), done about {}; from {} and {}",
        ms(rest.p50_s),
        ms(rest.p10_s),
        ms(rest.p90_s),
        readable(&rest.p50),
        count(rest.measured, "measured attempt", "measured attempts"),
        count(u64::from(rest.seeds), "drawing", "drawings")
    )
}

fn rows(forecast: &Forecast) -> Vec<(&'static str, String)> {
    let mut makespan = ms(forecast.makespan_s);
    if forecast.seeds > 1 {
        makespan = format!("{makespan} (median), {} (90 % of drawings)", ms(forecast.makespan_p90_s));
    }
    let mut rows = vec![
        ("makespan", makespan),
        ("lower bound", format!("{}; no order of the same work is faster", ms(forecast.lower_bound_s))),
    ];
    if let (Some(p50), Some(p90)) = (forecast.site_s.p50, forecast.site_s.p90) {
        rows.push((
            "a site takes",
            format!("{} (median), {} (90 % of sites) from its batch's opening", ms(p50), ms(p90)),
        ));
    }
    rows.push(("bottleneck", bottleneck(forecast)));
    rows
}

fn drawings(forecast: &Forecast) -> String {
    match forecast.seeds {
        1 => format!("one drawing (seed {})", forecast.first_seed),
        many => {
            let last = forecast.first_seed.wrapping_add(u64::from(many) - 1);
            format!("{many} drawings (seeds {} to {last})", forecast.first_seed)
        }
    }
}

fn bottleneck(forecast: &Forecast) -> String {
    let Some(found) = &forecast.bottleneck else {
        return "none: no unit waits for a pool".to_owned();
    };
    let key = found.key.as_ref().map_or_else(String::new, |key| format!(", most of all {}", plain(key)));
    let saves = match found.saves_s {
        Some(saves) if saves > 0.0 => format!("; twice as large it would save {}", ms(saves)),
        Some(_) => "; twice as large it would save nothing".to_owned(),
        None => String::new(),
    };
    format!("pool {}{key}{saves}", plain(&found.pool))
}

fn batches(page: &mut String, forecast: &Forecast) {
    if forecast.batches.len() < 2 {
        return;
    }
    page.push_str("\nbatches            sites        opens      settles         took\n");
    for (ix, batch) in forecast.batches.iter().enumerate().take(BATCHES) {
        let time = |at: Option<f64>| at.map_or_else(|| "-".to_owned(), ms);
        let took = batch.settles_s.zip(batch.opens_s).map(|(settles, opens)| settles - opens);
        let _ = writeln!(
            page,
            "  {:>6} {:>15} {:>12} {:>12} {:>12}",
            ix + 1,
            batch.sites,
            time(batch.opens_s),
            time(batch.settles_s),
            time(took)
        );
    }
    if forecast.batches.len() > BATCHES {
        let _ = writeln!(page, "  ... and {} more", forecast.batches.len() - BATCHES);
    }
}

/// Sites that are back, from the first moment to the last return.
fn plot(page: &mut String, curve: &[Point], sites: u32, width: usize) {
    let Some(last) = curve.last().filter(|last| last.s > 0.0) else { return };
    page.push_str("\nsites returned\n");
    let label = grouped(u64::from(sites)).chars().count().max(4);
    let columns = width - label - 4;
    #[expect(clippy::cast_precision_loss, reason = "columns of a plot")]
    let heights: Vec<f64> = (0..columns)
        .map(|column| {
            let until = last.s * (column + 1) as f64 / columns as f64;
            let back = curve.partition_point(|point| point.s <= until);
            let sites_back = back.checked_sub(1).map_or(0, |ix| curve[ix].sites);
            f64::from(sites_back) / f64::from(sites.max(1)) * LINES as f64
        })
        .collect();
    for line in (0..LINES).rev() {
        let name = if line + 1 == LINES { grouped(u64::from(sites)) } else { String::new() };
        let _ = write!(page, "{name:>label$} |");
        #[expect(clippy::cast_precision_loss, reason = "lines of a plot")]
        let row: String = heights.iter().map(|height| mark(height - line as f64)).collect();
        page.push_str(row.trim_end());
        page.push('\n');
    }
    let end = ms(last.s);
    let _ = writeln!(page, "{:>label$} +{}", 0, "-".repeat(columns));
    let _ = writeln!(page, "{:label$}  0{end:>pad$}", "", pad = columns - 1);
}

fn mark(part: f64) -> char {
    if part >= 0.75 {
        '#'
    } else if part >= 0.25 {
        '+'
    } else if part > 0.0 {
        '.'
    } else {
        ' '
    }
}

fn path(page: &mut String, forecast: &Forecast) {
    if forecast.critical_path.is_empty() {
        return;
    }
    page.push_str("\ncritical path (what the end waited for; adds up to the makespan)\n");
    let mut shown: Vec<(usize, &PathPart)> = forecast.critical_path.iter().enumerate().collect();
    shown.sort_by(|a, b| b.1.s.total_cmp(&a.1.s).then(a.0.cmp(&b.0)));
    let rest: f64 = shown.iter().skip(PARTS).map(|(_, part)| part.s).sum();
    shown.truncate(PARTS);
    shown.sort_by_key(|&(ix, _)| ix);
    for (_, part) in shown {
        let step = part.step.as_deref().map_or_else(
            || if part.after == After::Soak { "(soak)".to_owned() } else { "(nothing known)".to_owned() },
            plain,
        );
        let _ = writeln!(page, "  {:>12}  {step:<22} {}", ms(part.s), reason(part));
    }
    if rest > 0.0 {
        let _ = writeln!(page, "  {:>12}  {} more parts", ms(rest), forecast.critical_path.len() - PARTS);
    }
}

fn reason(part: &PathPart) -> String {
    let pool = part.pool.as_deref().map_or_else(String::new, plain);
    let units = count(part.units, "unit", "units");
    match part.after {
        After::Start => "from the start".to_owned(),
        After::Need => format!("{units}, after what it needs"),
        After::Slot => format!("{units}, one after another for slots of {pool}"),
        After::Rate => format!("{units}, spaced by the rate of {pool}"),
        After::Batch => format!("{units}, when its batch opens"),
        After::Soak => format!("{} wait", count(part.units, "batch", "batches")),
        After::End => format!("{units}, once all else is done"),
        After::Other => String::new(),
    }
}

fn pools(page: &mut String, forecast: &Forecast) {
    if forecast.pools.is_empty() {
        return;
    }
    page.push_str("\npools                       slots     used   waiting units   waiting in all\n");
    for pool in &forecast.pools {
        let slots = pool.slots.map_or_else(|| "-".to_owned(), |slots| slots.to_string());
        let slots = if pool.instances > 1 { format!("{}x{slots}", pool.instances) } else { slots };
        let used = pool.utilisation.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0));
        let _ = writeln!(
            page,
            "  {:<22} {slots:>8} {used:>8} {:>15} {:>16}",
            plain(&pool.pool),
            pool.waits,
            ms(pool.waiting_s)
        );
    }
}
