//! A measurement of restores as one HTML page: the conclusion first, pictures with tables beside them, nothing loaded from
//! anywhere.

mod tables;

use std::fmt::Write as _;

use crate::axis::{numbers, times};
use crate::duration::{grouped, readable};
use crate::escape::Xml;
use crate::html::STYLE;
use crate::text::ms;
use crate::throughput::data::{CellFigures, Throughput};
use crate::throughput::plot::{Form, Plot, Series, draw, number, stacks};
use crate::throughput::{parts, percent, whole};

const OWN_STYLE: &str = "
:root{--s0:#3b76d6;--s1:#d97706;--s2:#15803d;--s3:#a21caf;--s4:#0e7490;--s5:#b91c1c}
@media (prefers-color-scheme:dark){:root{--s0:#79b8ff;--s1:#f0b849;--s2:#4ade80;--s3:#e879f9;--s4:#22d3ee;--s5:#ff8a80}}
figure{margin:0 0 10px}svg.plot{display:block;width:100%;height:auto}svg.plot text{fill:var(--dim);font-size:12px}
svg.plot .grid{stroke:var(--line);stroke-width:1}svg.plot .line{fill:none;stroke-width:2.2}svg.plot .band{opacity:.16;stroke:none}
.s0{--c:var(--s0)}.s1{--c:var(--s1)}.s2{--c:var(--s2)}.s3{--c:var(--s3)}.s4{--c:var(--s4)}.s5{--c:var(--s5)}
.line{stroke:var(--c)}.dot,.band{fill:var(--c)}.key i{background:var(--c)}
.stacks{display:grid;grid-template-columns:minmax(120px,max-content) 1fr max-content;gap:6px 12px;align-items:center;font-size:14px}
.stacks svg{display:block;width:100%;height:16px}.stacks .value{text-align:right;font-variant-numeric:tabular-nums}
.work{fill:var(--s0);--c:var(--s0)}.pool{fill:var(--s1);--c:var(--s1)}.engine{fill:var(--s2);--c:var(--s2)}
.retry{fill:var(--s5);--c:var(--s5)}.soak{fill:var(--bar2);--c:var(--bar2)}.other{fill:var(--line);--c:var(--line)}
.lead{font-size:17px;margin:0}.scroll+p{margin-top:10px}
@media (max-width:560px){.stacks{grid-template-columns:1fr max-content}.stacks svg{grid-column:1/-1}}
";

/// Renders a measurement as one self-contained page, which is well-formed XML too.
#[must_use]
pub fn render_throughput_html(it: &Throughput) -> String {
    let mut html = String::with_capacity(64 * 1024);
    let _ = write!(
        html,
        "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\
         <title>Restore throughput: {}</title><style>{STYLE}{OWN_STYLE}</style></head><body><main>\n",
        Xml(&it.setup.runbook)
    );
    head(&mut html, it);
    tiles(&mut html, it);
    tables::changes(&mut html, it);
    section(&mut html, "How long will a larger restore take?");
    growth(&mut html, it);
    tables::forecasts(&mut html, it);
    section(&mut html, "Which batch size?");
    batches(&mut html, it);
    section(&mut html, "Where does the time go?");
    time(&mut html, it);
    section(&mut html, "What holds it back?");
    limit(&mut html, it);
    section(&mut html, "Everything that was measured");
    tables::cells(&mut html, it);
    let _ = write!(html, "<details><summary>Every run ({})</summary>", it.runs.len());
    tables::runs(&mut html, it);
    html.push_str("</details>");
    section(&mut html, "How it was measured");
    tables::method(&mut html, it);
    html.push_str("</main></body></html>\n");
    html
}

fn section(html: &mut String, title: &str) {
    let _ = write!(html, "\n<h2>{title}</h2>");
}

fn head(html: &mut String, it: &Throughput) {
    let slower = it.comparison.as_ref().map_or(0, |comparison| comparison.slower);
    let class = match it.advice.as_ref().and_then(|advice| advice.meets_rto) {
        _ if slower > 0 => "bad",
        Some(false) => "warn",
        Some(true) => "good",
        None => "info",
    };
    let _ = write!(
        html,
        "<header class=\"outcome {class}\"><h1>Restore throughput</h1><p class=\"lead\">{}</p><p class=\"dim\">{} on a lab with {} \
         shards · {} · {} cores · {}</p></header>",
        Xml(&it.headline),
        Xml(&it.setup.runbook),
        Xml(&it.setup.backend),
        Xml(readable(&it.setup.at)),
        it.setup.cores,
        Xml(&it.setup.made_by)
    );
}

fn tiles(html: &mut String, it: &Throughput) {
    html.push_str("<div class=\"tiles\">");
    let mut tile = |number: String, what: String| {
        let _ = write!(html, "<div class=\"tile\"><b>{}</b><span>{}</span></div>", Xml(number), Xml(what));
    };
    if let Some(advice) = &it.advice {
        let sites = grouped(u64::from(advice.sites));
        tile(whole(advice.forecast.sites_per_hour), format!("sites an hour, in batches of {}", advice.batch));
        tile(ms(advice.forecast.s), format!("for {sites} sites, ± {:.0} % (forecast)", percent(&advice.forecast)));
    }
    if let Some(check) = &it.check {
        let sites = grouped(u64::from(check.forecast.sites));
        tile(
            ms(check.measured_s),
            format!("measured for {sites} sites; the forecast was off by {:+.1} %", check.error * 100.0),
        );
    }
    if let Some(error) = it.scaling.as_ref().and_then(|scaling| scaling.error) {
        tile(
            format!("{:.1} %", error * 100.0),
            "typical error of the model where it was not shown the answer".to_owned(),
        );
    }
    let fastest = it.cells.iter().max_by(|a, b| a.rows_per_s.median.total_cmp(&b.rows_per_s.median));
    if let Some(cell) = fastest {
        tile(
            whole(cell.rows_per_s.median),
            format!("rows a second at most ({} sites in batches of {})", cell.cell.sites, cell.cell.batch),
        );
    }
    let sites: u64 = it.runs.iter().map(|run| u64::from(run.returned)).sum();
    tile(it.runs.len().to_string(), format!("runs counted; all of their {} sites returned", grouped(sites)));
    html.push_str("</div>");
}

/// Measured times and the model, over the number of sites, a colour for each batch size.
fn growth(html: &mut String, it: &Throughput) {
    let Some(scaling) = &it.scaling else {
        html.push_str("<p>Too few sizes were measured for a forecast: at least two numbers of sites or of batches are wanted.</p>");
        return;
    };
    let error = scaling.error.map_or_else(
        || "How far it is off is not known: too few sizes were measured.".to_owned(),
        |error| {
            format!(
                "Asked for each measured size without having been shown it, it is typically off by {:.1} %.",
                error * 100.0
            )
        },
    );
    let _ = write!(html, "<p>A run takes <b>{}</b>. {}</p>", Xml(&scaling.formula), Xml(error));
    let Some(advice) = &it.advice else { return };
    let largest = scaling.points.iter().map(|point| point.sites).max().unwrap_or(0);
    if largest < advice.sites {
        let _ = write!(
            html,
            "<p>The largest run that it was made from had {largest} sites: for {} it is a forecast, and the shaded interval says how sure.</p>",
            grouped(u64::from(advice.sites))
        );
    }
    let of_batch = |batch: u32| it.forecasts.iter().filter(move |one| one.batch == batch);
    let ends: Vec<(f64, f64, f64, f64)> = of_batch(advice.batch)
        .filter(|one| one.sites == advice.sites)
        .map(|one| (f64::from(one.sites), one.s, one.low_s, one.high_s))
        .collect();
    let Some(&(end, s, low, high)) = ends.first() else { return };
    // Close to a line: whole batches are steps too small to see.
    let start = scaling.run_s + scaling.batch_s;
    let mut series = vec![
        Series {
            name: "interval of the forecast".to_owned(),
            points: vec![(0.0, start), (end, low)],
            form: Form::Band(vec![start, high]),
        },
        Series {
            name: format!("model, batches of {}", advice.batch),
            points: vec![(0.0, start), (end, s)],
            form: Form::Line,
        },
    ];
    let mut sizes: Vec<u32> = scaling.points.iter().map(|point| point.batch).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for batch in sizes {
        let of = scaling.points.iter().filter(|point| point.batch == batch);
        let points = of.map(|point| (f64::from(point.sites), point.measured_s)).collect();
        series.push(Series { name: format!("measured, batches of {batch}"), points, form: Form::Dots });
    }
    if let Some(check) = &it.check {
        let points = vec![(f64::from(check.forecast.sites), check.measured_s)];
        series.push(Series { name: "run made to check".to_owned(), points, form: Form::Dots });
    }
    draw(
        html,
        &Plot {
            id: "growth",
            title: "Time of a run over its sites".to_owned(),
            told: format!("{} sites take {} by the model. The table has all values.", advice.sites, ms(s)),
            x: "sites of the run",
            y: "time of the run",
            series,
            y_label: ms,
            y_ticks: times,
        },
    );
}

/// Throughput over batch size, a line for each size of the pools.
fn batches(html: &mut String, it: &Throughput) {
    if let Some(advice) = &it.advice {
        let _ = write!(html, "<p>Choose batches of <b>{}</b>: {}.</p>", advice.batch, Xml(&advice.why));
    }
    let most = it.cells.iter().map(|cell| cell.cell.sites).max().unwrap_or(0);
    let full: Vec<&CellFigures> =
        it.cells.iter().filter(|cell| cell.cell.sites == most && cell.cell.doubled.is_none()).collect();
    let name = |cell: &CellFigures| format!("pools {}{}", cell.cell.pools, cell.cell.workers_words());
    let mut series: Vec<Series> = Vec::new();
    for cell in full {
        let point = (f64::from(cell.cell.batch), cell.sites_per_hour.median);
        match series.iter_mut().find(|series| series.name == name(cell)) {
            Some(series) => series.points.push(point),
            None => series.push(Series { name: name(cell), points: vec![point], form: Form::Line }),
        }
    }
    for one in &mut series {
        one.points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    draw(
        html,
        &Plot {
            id: "batches",
            title: "Sites an hour over batch size".to_owned(),
            told: format!("Runs of {most} sites; a line for each size of the pools. The table below has all values."),
            x: "sites of a batch",
            y: "sites an hour",
            series,
            y_label: whole,
            y_ticks: numbers,
        },
    );
}

/// Parts of the makespan, for each cell of the largest runs.
fn time(html: &mut String, it: &Throughput) {
    html.push_str(
        "<p>From the end of a run the chain is followed back of what waited for what; its parts add up to the whole time of the run.</p>",
    );
    let most = it.cells.iter().map(|cell| cell.cell.sites).max().unwrap_or(0);
    let shown = it.cells.iter().filter(|cell| cell.cell.sites == most && cell.cell.doubled.is_none());
    let rows: Vec<_> = shown
        .map(|cell| {
            let of = cell.time.iter().map(|part| (parts::class(part.spent), parts::words(part), part.share)).collect();
            let name = format!("batches of {}, {}{}", cell.cell.batch, cell.cell.pools, cell.cell.workers_words());
            (name, of, ms(cell.makespan_s.median))
        })
        .collect();
    stacks(html, "Where the time of a run went", &rows);
    html.push_str(
        "<p class=\"key\"><i class=\"work\"></i>connectors at work<i class=\"pool\"></i>waiting for a pool<i class=\"engine\"></i>engine \
         and journal<i class=\"retry\"></i>waiting to try again<i class=\"soak\"></i>wait between batches</p>",
    );
    tables::time(html, it);
}

/// Pools that were doubled, and the law over all of them.
fn limit(html: &mut String, it: &Throughput) {
    let by = if it.limit.doubled.is_empty() { "" } else { "By measurement: " };
    let _ = write!(html, "<p>{by}<b>{}</b>.</p>", Xml(&it.limit.text));
    tables::doubled(html, it);
    let Some(usl) = &it.limit.usl else { return };
    let _ = write!(
        html,
        "<p>Over the size of all pools together, the universal scalability law fits with {:.1} % of the work taking turns and {:.2} % of \
         mutual disturbance; {} points for 3 figures.</p>",
        usl.wait * 100.0,
        usl.talk * 100.0,
        usl.points.len()
    );
    let most = usl.points.iter().map(|point| point.0).fold(1.0, f64::max);
    let said = |p: f64| usl.gain * p / (1.0 + usl.wait * (p - 1.0) + usl.talk * p * (p - 1.0));
    let curve = (0..=40_u8).map(|ix| 1.0 + (most - 1.0) * f64::from(ix) / 40.0).map(|p| (p, said(p))).collect();
    draw(
        html,
        &Plot {
            id: "usl",
            title: "Sites an hour over the size of all pools".to_owned(),
            told: format!("From 1 to {} times the smallest size.", number(most)),
            x: "size of all pools, as a multiple of the smallest",
            y: "sites an hour",
            series: vec![
                Series { name: "law".to_owned(), points: curve, form: Form::Line },
                Series {
                    name: "measured".to_owned(),
                    points: usl.points.iter().map(|point| (point.0, point.1)).collect(),
                    form: Form::Dots,
                },
            ],
            y_label: whole,
            y_ticks: numbers,
        },
    );
}
