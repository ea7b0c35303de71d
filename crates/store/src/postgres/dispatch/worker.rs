//! What a worker asks and changes, as messages.

use runtime::{ClaimedOrder, LivingWorker, OrderAnswer, Worker};

use super::driver::strike;
use crate::postgres::lease::expiry;
use crate::postgres::sql::{self, Answer};
use crate::postgres::trouble::Failure;
use crate::postgres::work::{MESSAGE, ROWS};
use crate::rows::{self, ANSWERED, Columns, LOST, OPEN, WITHDRAWN_ORDER, integer};

/// How many orders a worker has and has not answered.
fn held(s: &str, worker: &str) -> String {
    format!("SELECT count(*) FROM {s}.orders h WHERE h.worker = {worker} AND h.fate IN ({OPEN}, {WITHDRAWN_ORDER})")
}

/// Orders that a worker may claim, were it for slots.
fn claimable(s: &str, worker: &str) -> String {
    format!(
        "SELECT o.id FROM {s}.orders o JOIN {s}.positions p ON p.run = o.run AND p.epoch = o.epoch \
         JOIN {s}.workers w ON w.id = {worker} WHERE o.worker IS NULL AND o.labels <@ w.labels AND NOT w.drains \
         AND w.expires_at > (SELECT {s}.now_ms()) AND p.expires_at > (SELECT {s}.now_ms())"
    )
}

/// What a worker has claimed, but for what it holds.
fn select_claimed(s: &str, worker: &str, holds: &[u64]) -> String {
    format!(
        "SELECT o.id, encode(r.name, 'hex') AS run, o.epoch, o.number, encode(o.unit, 'hex') AS unit, o.attempt, o.mode, \
         o.labels, o.timeout_ms, encode(o.call, 'hex') AS call FROM {s}.orders o JOIN {s}.runs r ON r.id = o.run \
         WHERE o.worker = {worker} AND o.fate = {OPEN} AND o.id <> ALL ({holds}) ORDER BY o.id",
        holds = sql::numbers(holds.iter().map(|&id| integer(id))),
    )
}

/// The row of a worker, if it lives.
fn living(s: &str, worker: &str) -> String {
    format!("id = {worker} AND expires_at > {s}.now_ms()")
}

pub(super) fn enlist(s: &str, worker: &Worker, ttl_ms: u64) -> String {
    format!(
        "{strike};\n\
         INSERT INTO {s}.workers (name, labels, slots, version, drains, expires_at) \
         VALUES ({name}, {labels}, {slots}, {version}, false, {expiry}) RETURNING id",
        strike = strike(s),
        name = sql::text(&worker.name),
        labels = sql::hexes(worker.labels.iter().map(String::as_str)),
        slots = sql::signed(worker.slots.into()),
        version = sql::text(&worker.version),
        expiry = expiry(s, ttl_ms),
    )
}

pub(super) fn beat(s: &str, worker: u64, ttl_ms: u64) -> String {
    let worker = sql::unsigned(worker);
    format!(
        "UPDATE {s}.workers SET expires_at = {expiry} WHERE {living};\n\
         SELECT id FROM {s}.orders WHERE worker = {worker} AND fate IN ({LOST}, {WITHDRAWN_ORDER}) ORDER BY id",
        expiry = expiry(s, ttl_ms),
        living = living(s, &worker),
    )
}

pub(super) fn drain(s: &str, worker: u64) -> String {
    format!("UPDATE {s}.workers SET drains = true WHERE {}", living(s, &sql::unsigned(worker)))
}

/// The message that reads whether a worker can claim something, and what it has claimed.
pub(super) fn look(s: &str, worker: u64, holds: &[u64]) -> String {
    let worker = sql::unsigned(worker);
    format!(
        "SELECT slots > ({held}) AND EXISTS ({claimable}) AS can_claim FROM {s}.workers WHERE {living};\n{claimed}",
        held = held(s, &worker),
        claimable = claimable(s, &worker),
        living = living(s, &worker),
        claimed = select_claimed(s, &worker, holds),
    )
}

/// The message that claims orders, and reads what the worker has claimed.
///
/// The worker's row is written first: of two calls for one worker, as when an answer was lost and the message sent again, the
/// second counts what the first has claimed. Orders that somebody else has locked are passed by; one that was claimed, taken
/// back or withdrawn since the statement began is looked at again when it is locked, and left. Orders of an epoch that ends
/// in this very moment are there for the next one to withdraw, which waits for them.
pub(super) fn claim(s: &str, worker: u64, holds: &[u64]) -> String {
    let worker = sql::unsigned(worker);
    format!(
        "UPDATE {s}.workers SET slots = slots WHERE {living};\n\
         WITH next AS ({claimable} ORDER BY o.id \
         LIMIT (SELECT greatest(0, slots - ({held})) FROM {s}.workers WHERE id = {worker}) FOR UPDATE OF o SKIP LOCKED) \
         UPDATE {s}.orders SET worker = {worker} FROM next WHERE orders.id = next.id;\n\
         {claimed}",
        living = living(s, &worker),
        claimable = claimable(s, &worker),
        held = held(s, &worker),
        claimed = select_claimed(s, &worker, holds),
    )
}

/// The messages that answer orders, each one piece; the second statement of each says which answers count.
///
/// The rows are locked first, in order, so whoever settles or withdraws them at the same time comes before or after all of it.
pub(super) fn answer(s: &str, worker: u64, answers: &[OrderAnswer]) -> Vec<String> {
    let worker = sql::unsigned(worker);
    let lives = format!("EXISTS (SELECT 1 FROM {s}.workers WHERE {})", living(s, &worker));
    let mut messages = Vec::new();
    let mut rest = answers.iter().peekable();
    while rest.peek().is_some() {
        let (mut ids, mut values) = (Vec::new(), String::new());
        while ids.len() < ROWS
            && values.len() < MESSAGE
            && let Some(OrderAnswer { id, outcome }) = rest.next()
        {
            values.push_str(if ids.is_empty() { "" } else { ", " });
            values.push_str(&format!("({}, {})", sql::unsigned(*id), sql::bytes(outcome)));
            ids.push(integer(*id));
        }
        let these = format!("worker = {worker} AND id = ANY ({})", sql::numbers(ids.into_iter()));
        // The first answer stays. One to a withdrawn order ends it.
        messages.push(format!(
            "SELECT count(*) FROM (SELECT id FROM {s}.orders WHERE {these} ORDER BY id FOR UPDATE) AS locked;\n\
             UPDATE {s}.orders SET fate = {ANSWERED}, answer = coalesce(orders.answer, v.outcome) \
             FROM (VALUES {values}) AS v (id, outcome) WHERE orders.id = v.id AND worker = {worker} \
             AND fate IN ({OPEN}, {ANSWERED}) AND {lives} RETURNING orders.id;\n\
             DELETE FROM {s}.orders WHERE {these} AND fate = {WITHDRAWN_ORDER} AND {lives}"
        ));
    }
    messages
}

pub(super) fn look_at_all(s: &str) -> String {
    format!(
        "SELECT w.id, encode(w.name, 'hex') AS name, w.labels, w.slots, encode(w.version, 'hex') AS version, w.drains, \
         w.expires_at, ({held}) AS holds FROM {s}.workers w WHERE w.expires_at > (SELECT {s}.now_ms()) ORDER BY w.id",
        held = held(s, "w.id"),
    )
}

/// Reads numbers of orders.
pub(super) fn ids(answer: Option<&Answer>) -> Result<Vec<u64>, Failure> {
    let rows = answer.map(|answer| &answer.rows[..]).unwrap_or_default();
    Ok(rows.iter().map(|row| row.count("id")).collect::<Result<_, _>>()?)
}

/// Reads what a worker has claimed.
pub(super) fn claimed(answer: &Answer) -> Result<Vec<ClaimedOrder>, Failure> {
    let order = |row| rows::order(row, sql::texts(row, "labels")?);
    Ok(answer.rows.iter().map(order).collect::<Result<_, _>>()?)
}

/// Reads the workers that live.
pub(super) fn all(answer: &Answer) -> Result<Vec<LivingWorker>, Failure> {
    let worker = |row| rows::worker(row, sql::texts(row, "labels")?);
    Ok(answer.rows.iter().map(worker).collect::<Result<_, _>>()?)
}
