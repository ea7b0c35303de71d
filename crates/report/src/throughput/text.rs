//! A measurement of restores on a terminal.

use std::fmt::Write as _;

use crate::duration::grouped;
use crate::escape::plain;
use crate::text::ms;
use crate::throughput::data::{CellFigures, Middle, Throughput};
use crate::throughput::{amount, parts, percent, whole};

/// The measurement as text, the conclusion first.
#[must_use]
pub fn render_throughput(it: &Throughput) -> String {
    let mut page = format!("{}\n\n", plain(&it.headline));
    let pools = it.cells.iter().map(|cell| cell.cell.pools.chars().count()).max().unwrap_or(0).max(5);
    let _ = writeln!(
        page,
        "sites  batch  {:<pools$}  workers  a run takes (least to most)      sites/h   rows/s    MB/s  most of the time",
        "pools"
    );
    for cell in &it.cells {
        let _ = writeln!(page, "{}", row(cell, pools));
    }
    if let Some(scaling) = &it.scaling {
        let error = scaling.error.map_or_else(String::new, |error| {
            format!("; off by {:.1} % where it was not shown the answer", error * 100.0)
        });
        let _ = writeln!(page, "\na run takes {}{error}", plain(&scaling.formula));
    }
    for forecast in &it.forecasts {
        let _ = writeln!(
            page,
            "  {:>6} sites in batches of {:>3}: {} ± {:.0} %, {} sites/h",
            grouped(u64::from(forecast.sites)),
            forecast.batch,
            ms(forecast.s),
            percent(forecast),
            whole(forecast.sites_per_hour)
        );
    }
    if let Some(advice) = &it.advice {
        let _ = writeln!(page, "choose batches of {}: {}", advice.batch, plain(&advice.why));
    }
    if let Some(check) = &it.check {
        let _ = writeln!(
            page,
            "\nheld against a run of {} sites in batches of {}: forecast {}, measured {} ({:+.1} %), {:.1} % above its lower bound; {:.0} rows a site, \
             {:.0} in the samples",
            check.forecast.sites,
            check.forecast.batch,
            ms(check.forecast.s),
            ms(check.measured_s),
            check.error * 100.0,
            (check.measured_s / check.lower_bound_s.max(1e-9) - 1.0) * 100.0,
            check.rows_per_site,
            check.sampled_rows_per_site
        );
    }
    let _ = writeln!(page, "\nlimit: {}", plain(&it.limit.text));
    for one in &it.limit.doubled {
        let _ = writeln!(
            page,
            "  {} doubled: {:+.1} % sites/h{}",
            plain(&one.pool),
            one.gain * 100.0,
            if one.beyond_spread { "" } else { ", not more than repeats differ" }
        );
    }
    if let Some(comparison) = &it.comparison {
        let (all, slower) = (comparison.cells.len(), comparison.slower);
        let _ = writeln!(
            page,
            "\nagainst the measurement of {}: {slower} of {all} cells are slower",
            plain(&comparison.earlier)
        );
        for text in &comparison.differs {
            let _ = writeln!(page, "  not the same: {}", plain(text));
        }
        for change in comparison.cells.iter().filter(|change| change.slower || change.faster) {
            let _ = writeln!(
                page,
                "  {}: {} {} before, {} now ({:+.1} %, {:.0} % allowed)",
                if change.slower { "SLOWER" } else { "faster" },
                plain(&change.cell.words()),
                ms(change.before_s),
                ms(change.now_s),
                change.change * 100.0,
                change.allowed * 100.0
            );
        }
    }
    page
}

fn row(it: &CellFigures, pools: usize) -> String {
    let most =
        it.time.first().map_or_else(String::new, |part| format!("{} {:.0} %", parts::words(part), part.share * 100.0));
    format!(
        "{:>5}  {:>5}  {:<pools$}  {:>7}  {:<31} {:>8} {:>8} {:>7}  {most}",
        it.cell.sites,
        it.cell.batch,
        plain(&it.cell.pools),
        it.cell.workers,
        spread(it.makespan_s),
        whole(it.sites_per_hour.median),
        whole(it.rows_per_s.median),
        amount(it.mb_per_s.median),
    )
}

/// A median with its spread.
pub(super) fn spread(it: Middle) -> String {
    if it.min < it.max { format!("{} ({} to {})", ms(it.median), ms(it.min), ms(it.max)) } else { ms(it.median) }
}
