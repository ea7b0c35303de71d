//! A view as it goes over the wire: JSON in frames of server-sent events.

use bytes::Bytes;
use serde::Serialize;

use crate::live::snapshot::{Batch, Driver, Kind, Line, Pool, Sites, Snapshot, State, Step, Throughput};
use crate::live::view::View;

/// Events of note in an event; the newest.
const LINES: usize = 20;
/// Things that wait for people in an event; the most urgent.
const ITEMS: usize = 30;

/// The summary of a run, bounded whatever its size.
#[derive(Serialize)]
struct Summary<'a> {
    view: u64,
    run: &'a str,
    state: &'a State,
    line: &'a str,
    sites: &'a Sites,
    batches: &'a [Batch],
    steps: &'a [Step],
    pools: &'a [Pool],
    waits: Vec<Brief<'a>>,
    /// Things that wait and are not in `waits`.
    waits_more: usize,
    events: &'a [Line],
    driver: &'a Driver,
    forecast: Option<&'a report::Rest>,
    throughput: Throughput,
    opened_at: Option<i64>,
    last_at: Option<i64>,
    in_flight: usize,
    reading: Option<(u64, u64)>,
    trouble: Option<&'a str>,
}

#[derive(Serialize)]
struct Brief<'a> {
    kind: Kind,
    subject: &'a str,
    fact: &'a str,
    sites: u32,
}

fn summary(view: &View) -> Summary<'_> {
    let seen: &Snapshot = &view.snapshot;
    let waits: Vec<Brief<'_>> = seen
        .waits
        .items
        .iter()
        .take(ITEMS)
        .map(|item| Brief { kind: item.kind, subject: &item.subject, fact: &item.fact, sites: item.sites })
        .collect();
    Summary {
        view: view.number,
        run: &seen.run,
        state: &seen.state,
        line: &seen.line,
        sites: &seen.sites,
        batches: &seen.batches,
        steps: &seen.steps,
        pools: &seen.pools,
        waits_more: seen.waits.items.len() - waits.len() + seen.waits.more,
        waits,
        events: &seen.events[seen.events.len().saturating_sub(LINES)..],
        driver: &seen.driver,
        forecast: seen.forecast.as_ref(),
        throughput: seen.throughput,
        opened_at: seen.opened_at,
        last_at: seen.last_at,
        in_flight: seen.in_flight,
        reading: seen.reading,
        trouble: seen.trouble.as_deref(),
    }
}

/// The summary as JSON.
pub(super) fn json(view: &View) -> Vec<u8> {
    // Plain data into a growing buffer has no way to fail.
    serde_json::to_vec(&summary(view)).unwrap_or_default()
}

pub(super) fn run_event(view: &View) -> Bytes {
    frame("run", view.number, &view.json())
}

pub(super) fn grid_event(view: &View) -> Bytes {
    let value =
        serde_json::json!({ "view": view.number, "count": view.grid.letters().len(), "grid": view.grid.packed() });
    frame("grid", view.number, value.to_string().as_bytes())
}

pub(super) fn changes_event(number: u64, changes: &[(usize, String)]) -> Bytes {
    let value = serde_json::json!({ "view": number, "changes": changes });
    frame("sites", number, value.to_string().as_bytes())
}

/// One event. JSON has no line feed of its own, so that one line of data is enough.
fn frame(event: &str, number: u64, data: &[u8]) -> Bytes {
    let mut text = format!("event: {event}\nid: {number}\ndata: ").into_bytes();
    text.extend_from_slice(data);
    text.extend_from_slice(b"\n\n");
    text.into()
}
