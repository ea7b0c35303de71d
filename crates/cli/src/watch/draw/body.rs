//! Steps, batches, pools and events as tables.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Ink;
use super::ink::{Column, heading, line, put, row, width};
use server::live::{Batch, Pool, Snapshot, Step, Tone};

/// Width of a column of numbers: that of its heading or of the longest.
fn wide(name: &str, longest: impl Iterator<Item = usize>) -> u16 {
    u16::try_from(longest.max().unwrap_or(0).max(width(name))).unwrap_or(u16::MAX)
}

fn number(name: &'static str, width: u16) -> Column {
    Column { name, width, right: true }
}

/// Width of the first column: what the others leave.
fn first(name: &'static str, area: Rect, others: &[Column]) -> Vec<Column> {
    let taken: u16 = others.iter().map(|column| column.width + 1).sum();
    let mut columns = vec![Column { name, width: area.width.saturating_sub(taken).max(8), right: false }];
    columns.extend(others);
    columns
}

fn names(buffer: &mut Buffer, area: Rect, columns: &[Column], ink: Ink) {
    let cells: Vec<(String, Style)> =
        columns.iter().map(|column| (column.name.to_owned(), ink.of(Tone::Faint))).collect();
    row(buffer, line(area, 1), columns, &cells);
}

fn count(number: u32, tone: Tone, ink: Ink) -> (String, Style) {
    if number == 0 { ("·".to_owned(), ink.of(Tone::Faint)) } else { (number.to_string(), ink.of(tone)) }
}

/// Rows that fit below a heading and the columns' names, from which on, and how many are left out.
fn window(area: Rect, rows: usize, scroll: usize) -> (usize, usize) {
    let room = usize::from(area.height.saturating_sub(2));
    let from = scroll.min(rows.saturating_sub(room));
    (from, room)
}

/// Draws the steps; where not all fit, those under way or in trouble come before the rest.
pub(super) fn steps(buffer: &mut Buffer, area: Rect, seen: &Snapshot, scroll: usize, page: bool, ink: Ink) {
    let room = usize::from(area.height.saturating_sub(2));
    let shown: Vec<&Step> = if page || seen.steps.len() <= room {
        let (from, room) = window(area, seen.steps.len(), scroll);
        seen.steps.iter().skip(from).take(room).collect()
    } else {
        pick(&seen.steps, room)
    };
    let left_out = seen.steps.len() - shown.len();
    let more = if left_out > 0 && !page { format!("steps ({left_out} more: Tab)") } else { "steps".to_owned() };
    heading(buffer, area, &more, ink);
    let full = area.width >= 80;
    let digits = wide("done", seen.steps.iter().map(|step| step.of().to_string().len()));
    let mut others: Vec<Column> = ["done", "run", "wait", "fail"].map(|name| number(name, digits)).into();
    if full {
        others.extend([
            number("degraded", 8),
            number("not run", 7),
            number("taken back", 10),
            number("retries", 7),
            number("typical", 11),
        ]);
    } else {
        others.push(number("skip", digits));
    }
    let columns = first("step", area, &others);
    names(buffer, area, &columns, ink);
    for (at, step) in (2..).zip(shown) {
        let failed = if full { step.failed } else { step.failed + step.degraded };
        let mut cells = vec![
            (step.name.clone(), ink.of(Tone::Plain)),
            count(step.done, Tone::Good, ink),
            count(step.running, Tone::Plain, ink),
            count(step.waiting, Tone::Plain, ink),
            count(failed, Tone::Bad, ink),
        ];
        if full {
            let retries = u32::try_from(step.retries).unwrap_or(u32::MAX);
            cells.extend([
                count(step.degraded, Tone::Care, ink),
                count(step.not_run, Tone::Plain, ink),
                count(step.undone, Tone::Care, ink),
                count(retries, Tone::Plain, ink),
                (step.typical_ms.map_or_else(|| "-".to_owned(), report::span), ink.of(Tone::Plain)),
            ]);
        } else {
            cells.push(count(step.not_run + step.undone, Tone::Plain, ink));
        }
        row(buffer, line(area, at), &columns, &cells);
    }
}

/// Steps in trouble first, then those that run, that have begun, that are to come, that are done; drawn in the plan's
/// order.
fn pick(steps: &[Step], room: usize) -> Vec<&Step> {
    let rank = |step: &Step| match () {
        () if step.failed + step.degraded > 0 => 0,
        () if step.running > 0 => 1,
        () if step.waiting > 0 && step.waiting < step.of() => 2,
        () if step.waiting > 0 => 3,
        () => 4,
    };
    let mut order: Vec<usize> = (0..steps.len()).collect();
    order.sort_by_key(|&at| rank(&steps[at]));
    order.truncate(room);
    order.sort_unstable();
    order.into_iter().map(|at| &steps[at]).collect()
}

/// Draws the batches, from the first that is not settled if not all fit.
pub(super) fn batches(buffer: &mut Buffer, area: Rect, seen: &Snapshot, scroll: usize, ink: Ink) {
    if area.height == 0 {
        return;
    }
    let (_, room) = window(area, 0, 0);
    let open = seen.batches.iter().position(|batch| batch.state != "settled").unwrap_or(seen.batches.len());
    let (from, _) = window(area, seen.batches.len(), open.saturating_sub(1).saturating_add(scroll));
    let settled = seen.batches.iter().filter(|batch| batch.state == "settled").count();
    heading(buffer, area, &format!("batches ({settled} of {} settled)", seen.batches.len()), ink);
    let ended = wide("ended", seen.batches.iter().map(|batch| ended(batch).len()));
    let out = wide("out/max", seen.batches.iter().map(|batch| out(batch).len()));
    let others = [number("ended", ended), number("out/max", out)];
    let columns = first("batch", area, &others);
    names(buffer, area, &columns, ink);
    for (at, batch) in (2..).zip(seen.batches.iter().skip(from).take(room)) {
        row(buffer, line(area, at), &columns, &batch_cells(batch, ink));
    }
}

fn batch_cells(batch: &Batch, ink: Ink) -> [(String, Style); 3] {
    let over = batch.out > batch.budget;
    let state_tone = match batch.state {
        "settled" => Tone::Good,
        "approval" => Tone::Care,
        "cut short" | "never opened" => Tone::Bad,
        _ => Tone::Plain,
    };
    let tone = match (over, batch.out) {
        (true, _) => Tone::Bad,
        (false, 0) => Tone::Plain,
        (false, _) => Tone::Care,
    };
    [
        (format!("{} {}", batch.number, batch.state), ink.of(state_tone)),
        (ended(batch), ink.of(Tone::Plain)),
        (out(batch), ink.of(tone)),
    ]
}

fn ended(batch: &Batch) -> String {
    format!("{}/{}", batch.ended, batch.sites)
}

/// Sites out and the budget; more than it allows is marked.
fn out(batch: &Batch) -> String {
    format!("{}{}/{}", if batch.out > batch.budget { "!" } else { "" }, batch.out, batch.budget)
}

/// Draws the pools, those that hold most back first if not all fit.
pub(super) fn pools(buffer: &mut Buffer, area: Rect, seen: &Snapshot, scroll: usize, ink: Ink) {
    if area.height == 0 {
        return;
    }
    heading(buffer, area, "pools", ink);
    let longest = wide("used", seen.pools.iter().map(|pool| used(pool).len()));
    let columns = first("pool", area, &[number("used", longest), number("waiting", 7)]);
    names(buffer, area, &columns, ink);
    let (from, room) = window(area, seen.pools.len(), scroll);
    let mut pools: Vec<&Pool> = seen.pools.iter().collect();
    if pools.len() > room && scroll == 0 {
        pools.sort_by_key(|pool| std::cmp::Reverse((pool.waiting, pool.used)));
    }
    for (at, pool) in (2..).zip(pools.into_iter().skip(from).take(room)) {
        let name = if pool.instances > 1 { format!("{} x{}", pool.name, pool.instances) } else { pool.name.clone() };
        let cells = [
            (name, ink.of(Tone::Plain)),
            (used(pool), ink.of(if pool.full > 0 { Tone::Care } else { Tone::Plain })),
            count(pool.waiting, Tone::Plain, ink),
        ];
        row(buffer, line(area, at), &columns, &cells);
    }
}

/// Slots in use of all; a pool of which an instance is full is marked.
fn used(pool: &Pool) -> String {
    let slots = pool.slots.map_or_else(|| "-".to_owned(), |slots| slots.to_string());
    format!("{}{}/{slots}", if pool.full > 0 { "!" } else { "" }, pool.used)
}

/// Draws events, the newest last; `scroll` goes back in time.
pub(super) fn events(buffer: &mut Buffer, area: Rect, seen: &Snapshot, scroll: usize, ink: Ink) {
    if area.height == 0 {
        return;
    }
    heading(buffer, area, "events (UTC)", ink);
    let room = usize::from(area.height - 1);
    let end = seen.events.len() - scroll.min(seen.events.len().saturating_sub(room));
    let from = end.saturating_sub(room);
    if seen.events.is_empty() {
        put(buffer, line(area, 1), 0, "none yet", ink.of(Tone::Faint));
    }
    for (at, event) in (1..).zip(&seen.events[from..end]) {
        let time = report::clock(event.at);
        let time = time.get(11..19).unwrap_or_default();
        let place = line(area, at);
        put(buffer, place, 0, time, ink.of(Tone::Faint));
        put(buffer, place, u16::try_from(width(time)).unwrap_or(8) + 2, &event.text, ink.of(Tone::Plain));
    }
}
