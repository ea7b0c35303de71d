//! The tables of the page.

use std::fmt::Write as _;

use crate::duration::{grouped, readable};
use crate::escape::Xml;
use crate::text::ms;
use crate::throughput::data::{Cell, Middle, Throughput};
use crate::throughput::text::spread;
use crate::throughput::{amount, parts, percent, whole};

/// What is measured.
const A_RUN: &str = "a sample of the deleted sites, evenly by size, restored by the runbook through the engine and its journal into \
                     the lab; then the lab is put back as it was";

/// Which runs count.
const COUNTED: &str = "after one run that does not count; only if every site returned, validated by the runbook's own checks. The first \
                       run of each size is also compared with the truth, row for row and object for object";

/// Opens a table with a caption for whoever hears it, and its columns.
fn open(html: &mut String, caption: &str, columns: &[&str]) {
    let _ = write!(html, "<div class=\"scroll\"><table aria-label=\"{}\"><thead><tr>", Xml(caption));
    for column in columns {
        let _ = write!(html, "<th scope=\"col\">{}</th>", Xml(column));
    }
    html.push_str("</tr></thead><tbody>");
}

fn row(html: &mut String, cells: &[String]) {
    html.push_str("<tr>");
    for cell in cells {
        let _ = write!(html, "<td>{}</td>", Xml(cell));
    }
    html.push_str("</tr>");
}

fn close(html: &mut String) {
    html.push_str("</tbody></table></div>");
}

fn sizes(cell: &Cell) -> [String; 4] {
    [cell.sites.to_string(), cell.batch.to_string(), cell.pools.clone(), cell.workers.to_string()]
}

fn rate(it: Middle) -> String {
    if it.min < it.max {
        format!("{} ({}–{})", whole(it.median), whole(it.min), whole(it.max))
    } else {
        whole(it.median)
    }
}

fn share(of: Option<f64>) -> String {
    of.map_or_else(|| "–".to_owned(), |of| format!("{:.0} %", of * 100.0))
}

pub(super) fn forecasts(html: &mut String, it: &Throughput) {
    if it.forecasts.is_empty() {
        return;
    }
    open(html, "Forecasts", &["sites", "batches of", "forecast", "interval (about 95 %)", "margin", "sites an hour"]);
    for one in &it.forecasts {
        row(
            html,
            &[
                grouped(u64::from(one.sites)),
                one.batch.to_string(),
                ms(one.s),
                format!("{} – {}", ms(one.low_s), ms(one.high_s)),
                format!("± {:.0} %", percent(one)),
                whole(one.sites_per_hour),
            ],
        );
    }
    close(html);
    if let Some(check) = &it.check {
        let _ = write!(
            html,
            "<p>To check, {} sites were then restored in batches of {}: forecast <b>{}</b>, measured <b>{}</b>, off by {:+.1} %. By its \
             own journal the run could not have taken less than {} (it was {:.1} % above). A site of it had {:.0} rows, a site of the runs that the forecast was made \
             from {:.0}.</p>",
            check.forecast.sites,
            check.forecast.batch,
            Xml(ms(check.forecast.s)),
            Xml(ms(check.measured_s)),
            check.error * 100.0,
            Xml(ms(check.lower_bound_s)),
            (check.measured_s / check.lower_bound_s.max(1e-9) - 1.0) * 100.0,
            check.rows_per_site,
            check.sampled_rows_per_site
        );
    }
    let Some(scaling) = &it.scaling else { return };
    html.push_str("<details><summary>What the model was made from</summary>");
    open(html, "Measured times and the model", &["sites", "batches of", "measured", "model", "off by"]);
    for point in &scaling.points {
        row(
            html,
            &[
                point.sites.to_string(),
                point.batch.to_string(),
                ms(point.measured_s),
                ms(point.model_s),
                format!("{:+.1} %", (point.model_s / point.measured_s.max(1e-9) - 1.0) * 100.0),
            ],
        );
    }
    close(html);
    html.push_str("</details>");
}

pub(super) fn cells(html: &mut String, it: &Throughput) {
    html.push_str("<h3>Whole runs</h3>");
    let columns = [
        "sites",
        "batches of",
        "pools",
        "workers",
        "runs",
        "time",
        "sites an hour",
        "rows a second",
        "MB a second",
        "above lower bound",
        "cores busy",
        "by the benchmark",
    ];
    open(html, "Whole runs, median (least–most)", &columns);
    for cell in &it.cells {
        let mut texts = sizes(&cell.cell).to_vec();
        texts.extend([
            cell.runs.to_string(),
            spread(cell.makespan_s),
            rate(cell.sites_per_hour),
            rate(cell.rows_per_s),
            amount(cell.mb_per_s.median),
            format!("{:.0} %", cell.above_bound * 100.0),
            share(cell.cpu),
            share(cell.own_cpu),
        ]);
        row(html, &texts);
    }
    close(html);
    html.push_str("<h3>Full batches</h3>");
    let columns =
        ["sites", "batches of", "pools", "workers", "time of a batch", "sites an hour", "rows a second", "MB a second"];
    open(html, "Batches of full size, median (least–most)", &columns);
    for cell in &it.cells {
        let mut texts = sizes(&cell.cell).to_vec();
        texts.extend([
            spread(cell.batch_s),
            rate(cell.batch_sites_per_hour),
            rate(cell.batch_rows_per_s),
            amount(cell.batch_mb_per_s.median),
        ]);
        row(html, &texts);
    }
    close(html);
}

pub(super) fn time(html: &mut String, it: &Throughput) {
    html.push_str("<details><summary>The same as a table, all sizes</summary>");
    open(
        html,
        "Where the time of a run went",
        &["sites", "batches of", "pools", "workers", "part", "seconds", "share"],
    );
    for cell in &it.cells {
        for part in &cell.time {
            let mut texts = sizes(&cell.cell).to_vec();
            texts.extend([parts::words(part), format!("{:.2}", part.s), format!("{:.1} %", part.share * 100.0)]);
            row(html, &texts);
        }
    }
    close(html);
    html.push_str("</details>");
}

pub(super) fn doubled(html: &mut String, it: &Throughput) {
    if it.limit.doubled.is_empty() {
        return;
    }
    open(
        html,
        "Each pool with twice its slots",
        &["pool with twice its slots", "sites an hour", "gain", "elasticity", "more than repeats differ"],
    );
    for one in &it.limit.doubled {
        row(
            html,
            &[
                one.pool.clone(),
                whole(one.sites_per_hour),
                format!("{:+.1} %", one.gain * 100.0),
                format!("{:.2}", one.elasticity),
                if one.beyond_spread { "yes" } else { "no" }.to_owned(),
            ],
        );
    }
    close(html);
}

pub(super) fn runs(html: &mut String, it: &Throughput) {
    let columns = [
        "sites",
        "batches of",
        "pools",
        "workers",
        "repeat",
        "time",
        "lower bound",
        "in connectors (all attempts)",
        "waiting for pools (all units)",
        "ready, no pool in the way (all units)",
        "nothing in flight",
        "journal written for",
        "commits",
    ];
    open(html, "Every counted run", &columns);
    for run in &it.runs {
        let mut texts = sizes(&run.cell).to_vec();
        let waited: f64 = run.time.pools.iter().map(|pool| pool.s).sum();
        texts.extend([
            run.repeat.to_string(),
            ms(run.time.makespan_s),
            ms(run.time.lower_bound_s),
            ms(run.time.connectors_s),
            ms(waited),
            ms(run.time.engine_s),
            ms(run.time.idle_s),
            ms(run.journal_s),
            run.commits.to_string(),
        ]);
        row(html, &texts);
    }
    close(html);
}

pub(super) fn changes(html: &mut String, it: &Throughput) {
    let Some(comparison) = &it.comparison else { return };
    let _ = write!(
        html,
        "\n<h2>Against the measurement of {}</h2><p><b>{} of {} sizes are slower</b> than the spread of repeats allows.</p>",
        Xml(readable(&comparison.earlier)),
        comparison.slower,
        comparison.cells.len()
    );
    for text in &comparison.differs {
        let _ = write!(html, "<p class=\"warn\">Not the same in both: {}</p>", Xml(text));
    }
    open(html, "Changes", &["sites", "batches of", "pools", "workers", "before", "now", "change", "allowed", ""]);
    for change in &comparison.cells {
        let mut texts = sizes(&change.cell).to_vec();
        let word = match (change.slower, change.faster) {
            (true, _) => "SLOWER",
            (_, true) => "faster",
            _ => "",
        };
        texts.extend([
            ms(change.before_s),
            ms(change.now_s),
            format!("{:+.1} %", change.change * 100.0),
            format!("{:.0} %", change.allowed * 100.0),
            word.to_owned(),
        ]);
        row(html, &texts);
    }
    close(html);
}

pub(super) fn method(html: &mut String, it: &Throughput) {
    let setup = &it.setup;
    let pools: Vec<String> = setup
        .pools
        .iter()
        .map(|pool| {
            let slots = pool.slots.map_or_else(|| "no limit".to_owned(), |slots| slots.to_string());
            let times = if pool.instances > 1 { format!(" (times {})", pool.instances) } else { String::new() };
            format!("{} {slots}{times}", pool.name)
        })
        .collect();
    let lab = format!(
        "{} sites, {} of them deleted, {} shards ({}), seed {}",
        setup.lab_sites, setup.deleted, setup.shards, setup.backend, setup.seed
    );
    html.push_str("<div class=\"card\"><dl>");
    for (what, value) in [
        ("lab", lab),
        ("a run", A_RUN.to_owned()),
        ("counted", COUNTED.to_owned()),
        ("repeats", setup.repeats.to_string()),
        ("pools as written", pools.join(", ")),
        ("wait between batches", ms(setup.soak_s)),
        ("MB", "attachments; of rows the number is counted, not their bytes".to_owned()),
        ("connectors", "from the decision to start an attempt to its outcome, its durable start among it".to_owned()),
        ("engine and journal", "something was ready and no pool was in its way".to_owned()),
        ("made by", setup.made_by.clone()),
    ] {
        let _ = write!(html, "<dt>{what}</dt><dd>{}</dd>", Xml(value));
    }
    html.push_str("</dl></div>");
}
