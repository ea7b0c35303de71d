//! The parts of a run's page that change while it goes on. Each is rendered once a view, for everybody who looks.

use askama::Template;
use bytes::Bytes;
use report::UnitTally;

use crate::live::{Batch, Item, Line, Pool, Sites, Snapshot, Step, View};
use crate::pages::curve::Curve;
use crate::pages::html::part;
use crate::pages::words;

/// Things that wait which are shown on the page of the run; all are in its queue.
const ITEMS: usize = 8;
/// Batches on the page.
const BATCHES: usize = 40;
/// Events of note on the page, the newest first.
const EVENTS: usize = 40;

/// The parts that every page of a run has, by the ID of their place in it.
pub(super) const PARTS: [&str; 8] =
    ["part-head", "part-sites", "part-waits", "part-curve", "part-batches", "part-pools", "part-steps", "part-events"];

/// Renders a part.
pub(super) fn rendered(view: &View, id: &str) -> Bytes {
    view.rendered(id, |view| {
        let (seen, name) = (&view.snapshot, view.snapshot.run.as_str());
        match id {
            "part-head" => part(&Head::of(seen)),
            "part-sites" => part(&SitesPart::of(seen)),
            "part-waits" => part(&Waits::of(seen, ITEMS)),
            "part-curve" => Curve::of(seen).map_or_else(Bytes::new, |curve| part(&curve)),
            "part-batches" => part(&Batches::of(seen)),
            "part-pools" => part(&Pools { name, pools: &seen.pools }),
            "part-steps" => part(&Steps { steps: &seen.steps }),
            "part-events" => part(&Events { events: seen.events.iter().rev().take(EVENTS).collect() }),
            _ => Bytes::new(),
        }
    })
}

/// The graph of the steps with counts of a view; its layout is that of the plan by which the view was made.
pub(super) fn graph(view: &View) -> Bytes {
    view.rendered("part-graph", |view| {
        let mut drawing = view.drawing.clone();
        for (node, step) in drawing.nodes.iter_mut().zip(&view.snapshot.steps) {
            node.units = Some(UnitTally {
                total: step.of().into(),
                succeeded: step.done.into(),
                skipped: step.not_run.into(),
                running: step.running.into(),
                failed: step.failed.into(),
                degraded: step.degraded.into(),
                undone: step.undone.into(),
                ..UnitTally::default()
            });
        }
        drawing.to_svg_plain().into()
    })
}

#[derive(Template)]
#[template(path = "parts/head.html")]
struct Head<'a> {
    name: &'a str,
    seen: &'a Snapshot,
    word: &'static str,
    tone: &'static str,
    driver: String,
    opened: String,
    newest: String,
    pace: String,
    band: String,
    no_forecast: &'static str,
}

impl<'a> Head<'a> {
    fn of(seen: &'a Snapshot) -> Self {
        let clock = |at: Option<i64>| at.map(report::clock).unwrap_or_else(|| "not yet".to_owned());
        let no_forecast = if seen.state.over {
            "the run is over"
        } else if seen.is_adrift() || seen.state.paused || seen.state.waits {
            "it stands still"
        } else {
            "too little was measured yet"
        };
        let (word, tone) = seen.standing();
        Self {
            name: &seen.run,
            seen,
            word,
            tone: tone.class(),
            driver: words::driver(&seen.driver, seen.state.over),
            opened: clock(seen.opened_at),
            newest: clock(seen.last_at),
            pace: words::pace(seen),
            band: seen.rest.clone(),
            no_forecast,
        }
    }
}

/// Why nobody drives a run that is not over, as far as this process knows; nothing for any other. It is no part of a view:
/// views are made of journals alone.
pub(super) fn drive_trouble(view: &View, trouble: Option<&str>) -> Bytes {
    match trouble {
        Some(trouble) if view.snapshot.is_adrift() => part(&DriveTrouble { trouble: report::plain(trouble) }),
        _ => Bytes::new(),
    }
}

#[derive(Template)]
#[template(path = "parts/drive.html")]
struct DriveTrouble {
    trouble: String,
}

#[derive(Template)]
#[template(path = "parts/sites.html")]
struct SitesPart<'a> {
    name: &'a str,
    /// Word, count as people read it, and colour.
    tiles: Vec<(&'static str, String, &'static str)>,
    shares: Vec<(char, u64, u64)>,
    label: String,
}

impl<'a> SitesPart<'a> {
    fn of(seen: &'a Snapshot) -> Self {
        let Sites { given, returned, degraded, quarantined, undone, undoing, excluded, released, under_way, waiting } =
            seen.sites;
        let tiles = [
            ("given", given, "plain"),
            ("returned", returned, "good"),
            ("restoring", under_way, "plain"),
            ("waiting", waiting, "plain"),
            ("degraded", degraded, "care"),
            ("quarantined", quarantined, "bad"),
            ("undoing", undoing, "care"),
            ("undone", undone - undoing, "care"),
            ("excluded", excluded, "faint"),
            ("released", released, "faint"),
        ];
        let tone =
            |(word, count, tone)| (word, report::grouped(u64::from(count)), if count > 0 { tone } else { "zero" });
        let order = [
            ('o', returned),
            ('d', degraded),
            ('q', quarantined),
            ('n', undone),
            ('x', excluded + released),
            ('r', under_way),
            ('w', waiting),
        ];
        let all: u64 = order.iter().map(|(_, count)| u64::from(*count)).sum::<u64>().max(1);
        let (mut shares, mut before) = (Vec::new(), 0_u64);
        for (letter, count) in order.into_iter().filter(|(_, count)| *count > 0) {
            let (from, to) = (before * 1000 / all, (before + u64::from(count)) * 1000 / all);
            shares.push((letter, from, (to - from).max(1)));
            before += u64::from(count);
        }
        let label = format!("{returned} of {given} sites returned, {degraded} degraded, {quarantined} quarantined");
        Self { name: &seen.run, tiles: tiles.into_iter().map(tone).collect(), shares, label }
    }
}

/// What waits for people.
#[derive(Template)]
#[template(path = "parts/waits.html")]
struct Waits<'a> {
    name: &'a str,
    items: &'a [Item],
    more: usize,
    total: usize,
}

impl<'a> Waits<'a> {
    fn of(seen: &'a Snapshot, most: usize) -> Self {
        let items = &seen.waits.items[..seen.waits.items.len().min(most)];
        let total = seen.waits.items.len() + seen.waits.more;
        Self { name: &seen.run, items, more: total - items.len(), total }
    }
}

#[derive(Template)]
#[template(path = "parts/batches.html")]
struct Batches<'a> {
    batches: Vec<&'a Batch>,
    hidden: usize,
}

impl<'a> Batches<'a> {
    /// Where there are many, those around the first that has not ended.
    fn of(seen: &'a Snapshot) -> Self {
        let open = seen.batches.iter().position(|batch| batch.ended < batch.sites).unwrap_or(0);
        let from = open.saturating_sub(BATCHES / 4).min(seen.batches.len().saturating_sub(BATCHES));
        let batches: Vec<&Batch> = seen.batches.iter().skip(from).take(BATCHES).collect();
        Self { hidden: seen.batches.len() - batches.len(), batches }
    }
}

#[derive(Template)]
#[template(path = "parts/pools.html")]
struct Pools<'a> {
    name: &'a str,
    pools: &'a [Pool],
}

#[derive(Template)]
#[template(path = "parts/steps.html")]
struct Steps<'a> {
    steps: &'a [Step],
}

#[derive(Template)]
#[template(path = "parts/events.html")]
struct Events<'a> {
    events: Vec<&'a Line>,
}
