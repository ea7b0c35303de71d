//! What the driver of a run asks and changes, as messages.
//!
//! Each change writes the row of `sent_orders` first, where the epoch is the run's newest: so the changes of one run come one
//! after the other, whichever driver they are of. A late one of an older epoch comes before what a newer one writes there,
//! and then its orders are there to be withdrawn, or after it, and then the row turns it away. What a lease that ends in that
//! very moment still changes are orders of its own, which the next one withdraws, and the answer to it is that it is fenced.

use runtime::{Lease, LeftOrder, Order, Settled, WaitingOrders};
use sqlx::Row;

use crate::postgres::lease;
use crate::postgres::sql::{self, Answer};
use crate::postgres::trouble::Failure;
use crate::postgres::work::{MESSAGE, ROWS};
use crate::rows::{self, ANSWERED, LOST, NOBODY, OPEN, TAKEN_BACK, WITHDRAWN_ORDER, integer};

/// A run and the epoch that speaks, as SQL.
struct Sender<'a> {
    s: &'a str,
    name: &'a str,
    run: String,
    epoch: String,
}

impl<'a> Sender<'a> {
    fn new(s: &'a str, lease: &'a Lease) -> Self {
        let run = format!("(SELECT id FROM {s}.runs WHERE name = {})", sql::text(&lease.run));
        Self { s, name: &lease.run, run, epoch: sql::unsigned(lease.epoch) }
    }

    /// Writes the row that all changes of the run wait for.
    fn enter(&self, set: &str) -> String {
        let Self { s, run, epoch, .. } = self;
        format!(
            "UPDATE {s}.sent_orders SET {set} WHERE run = {run} AND epoch <= {epoch} AND {epoch} > 0 \
             AND EXISTS (SELECT 1 FROM {s}.positions p WHERE p.run = sent_orders.run AND p.epoch = {epoch})"
        )
    }

    /// As [`Sender::enter`], for what first withdraws what lower epochs have sent. `last` is what this one sends no more.
    fn enter_withdrawing(&self, last: &str) -> String {
        let epoch = &self.epoch;
        let last = format!("last = greatest(CASE WHEN epoch = {epoch} THEN last ELSE 0 END, {last})");
        self.enter(&format!("epoch = {epoch}, {last}"))
    }

    /// Whether this epoch has sent or withdrawn orders, and is the newest still.
    fn is_in(&self) -> String {
        let Self { s, run, epoch, .. } = self;
        format!(
            "EXISTS (SELECT 1 FROM {s}.sent_orders q JOIN {s}.positions p ON p.run = q.run AND p.epoch = q.epoch \
             WHERE q.run = {run} AND q.epoch = {epoch} AND q.epoch > 0)"
        )
    }

    /// Whether this epoch is the newest, be it that it has sent nothing yet.
    fn is_newest(&self) -> String {
        let Self { s, run, epoch, .. } = self;
        format!("{epoch} > 0 AND EXISTS (SELECT 1 FROM {s}.positions p WHERE p.run = {run} AND p.epoch = {epoch})")
    }

    fn standing(&self) -> String {
        lease::standing(self.s, self.name)
    }

    /// Withdraws orders: what nobody has claimed and what is settled goes, the rest is marked.
    ///
    /// The rows are locked before either is done, in the order in which answers lock theirs. Who claims passes by what is
    /// locked, who answers waits and then finds the mark, and nobody sends more: so none is claimed or answered between the
    /// two statements, and missed by both.
    fn withdraw(&self, which: &str) -> String {
        let Self { s, run, .. } = self;
        let which = format!("run = {run} AND ({which}) AND {}", self.is_in());
        format!(
            "SELECT count(*) FROM (SELECT id FROM {s}.orders WHERE {which} ORDER BY id FOR UPDATE) AS locked;\n\
             DELETE FROM {s}.orders WHERE {which} AND (worker IS NULL OR fate NOT IN ({OPEN}, {WITHDRAWN_ORDER}));\n\
             UPDATE {s}.orders SET fate = {WITHDRAWN_ORDER} WHERE {which} AND fate = {OPEN}"
        )
    }

    /// Forgets withdrawn orders of workers that were struck off.
    fn forget(&self) -> String {
        let Self { s, run, .. } = self;
        format!(
            "DELETE FROM {s}.orders WHERE run = {run} AND fate = {WITHDRAWN_ORDER} \
             AND NOT EXISTS (SELECT 1 FROM {s}.workers w WHERE w.id = orders.worker)"
        )
    }

    fn settled(&self, limit: u32) -> String {
        let Self { s, run, epoch, .. } = self;
        format!(
            "SELECT number, fate, encode(answer, 'hex') AS answer FROM {s}.orders \
             WHERE run = {run} AND epoch = {epoch} AND fate IN ({ANSWERED}, {LOST}, {TAKEN_BACK}) ORDER BY number LIMIT {limit}"
        )
    }
}

/// Strikes off the workers that have expired. It is their rows that decide: who beats, claims or drains writes its row, too.
/// So a worker that was struck off never beats again, and one that beats in this moment is passed by, and lives. What is
/// settled because of it is settled after this statement, by whose row is gone.
pub(super) fn strike(s: &str) -> String {
    format!(
        "DELETE FROM {s}.workers WHERE id IN \
         (SELECT id FROM {s}.workers WHERE expires_at <= {s}.now_ms() FOR UPDATE SKIP LOCKED)"
    )
}

/// The messages that send orders, each one piece.
pub(super) fn send(s: &str, lease: &Lease, orders: &[Order]) -> Vec<String> {
    let by = Sender::new(s, lease);
    let (mut messages, mut last) = (Vec::new(), 0);
    let mut orders = orders.iter().peekable();
    loop {
        let mut message = by.enter_withdrawing("0");
        if messages.is_empty() {
            message.push_str(&format!(";\n{}", by.withdraw(&format!("epoch < {}", by.epoch))));
        }
        let mut values = String::new();
        let mut count = 0;
        while count < ROWS
            && values.len() < MESSAGE
            && let Some(order) = orders.next()
        {
            // What does not ascend is there already.
            if order.number <= last {
                continue;
            }
            last = order.number;
            values.push_str(if count == 0 { "" } else { ", " });
            values.push_str(&value(order));
            count += 1;
        }
        if count > 0 {
            let (run, epoch, newest) = (&by.run, &by.epoch, by.is_in());
            message.push_str(&format!(
                ";\nINSERT INTO {s}.orders (run, epoch, number, unit, attempt, mode, labels, timeout_ms, call, fate) \
                 SELECT q.run, q.epoch, v.number, v.unit, v.attempt, v.mode, v.labels, v.timeout_ms, v.call, {OPEN} \
                 FROM {s}.sent_orders q JOIN (VALUES {values}) AS v (number, unit, attempt, mode, labels, timeout_ms, call) \
                 ON v.number > q.last WHERE q.run = {run} AND q.epoch = {epoch} AND {newest} ORDER BY v.number;\n\
                 UPDATE {s}.sent_orders SET last = greatest(last, {last}) WHERE run = {run} AND epoch = {epoch}",
                last = sql::unsigned(last),
            ));
        }
        message.push_str(&format!(";\n{}", by.standing()));
        messages.push(message);
        if orders.peek().is_none() {
            return messages;
        }
    }
}

fn value(order: &Order) -> String {
    format!(
        "({}, {}, {}, {}, {}, {}, {})",
        sql::unsigned(order.number),
        sql::text(&order.unit),
        sql::signed(order.attempt.into()),
        sql::signed(rows::mode_number(order.mode)),
        sql::hexes(order.labels.iter().map(String::as_str)),
        sql::unsigned(order.timeout_ms),
        sql::bytes(&order.call),
    )
}

/// The message that reads whether something is to be settled, and what is.
pub(super) fn look(s: &str, lease: &Lease, limit: u32) -> String {
    let by = Sender::new(s, lease);
    let (run, epoch) = (&by.run, &by.epoch);
    format!(
        "{standing};\n\
         SELECT EXISTS (SELECT 1 FROM {s}.orders o WHERE o.run = {run} AND o.worker IS NOT NULL \
         AND (o.fate = {WITHDRAWN_ORDER} OR (o.fate = {OPEN} AND o.epoch = {epoch})) AND NOT EXISTS \
         (SELECT 1 FROM {s}.workers w WHERE w.id = o.worker AND w.expires_at > (SELECT {s}.now_ms()))) AS due;\n\
         {settled}",
        standing = by.standing(),
        settled = by.settled(limit),
    )
}

/// The message that forgets what is done, settles what is lost, and reads what is settled.
///
/// An order of a worker that was struck off is answered before it is lost, and then it is not lost, or lost before it is
/// answered, and then the answer finds it so: both want its row, and look at it again. An order that is claimed at the same
/// time is not yet claimed here, or its worker's row is there.
pub(super) fn settle(s: &str, lease: &Lease, done: &[u64], limit: u32) -> String {
    let by = Sender::new(s, lease);
    let (run, epoch, newest) = (&by.run, &by.epoch, by.is_in());
    format!(
        "{enter};\n\
         {strike};\n\
         DELETE FROM {s}.orders WHERE run = {run} AND epoch = {epoch} AND number = ANY ({done}) \
         AND fate IN ({ANSWERED}, {LOST}, {TAKEN_BACK}) AND {newest};\n\
         UPDATE {s}.orders SET fate = {LOST} WHERE run = {run} AND epoch = {epoch} AND fate = {OPEN} \
         AND worker IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {s}.workers w WHERE w.id = orders.worker) AND {newest};\n\
         {forget};\n\
         {standing};\n\
         {settled}",
        enter = by.enter("last = last"),
        strike = strike(s),
        done = sql::numbers(done.iter().map(|&number| integer(number))),
        forget = by.forget(),
        standing = by.standing(),
        settled = by.settled(limit),
    )
}

/// The message that takes orders back. Who claims one at the same time has its row, or finds that somebody has it.
pub(super) fn take_back(s: &str, lease: &Lease, numbers: &[u64]) -> String {
    let by = Sender::new(s, lease);
    format!(
        "{enter};\n\
         UPDATE {s}.orders SET fate = {TAKEN_BACK}, worker = {NOBODY} WHERE run = {run} AND epoch = {epoch} \
         AND number = ANY ({numbers}) AND worker IS NULL AND {newest};\n\
         {standing}",
        enter = by.enter("last = last"),
        run = by.run,
        epoch = by.epoch,
        numbers = sql::numbers(numbers.iter().map(|&number| integer(number))),
        newest = by.is_in(),
        standing = by.standing(),
    )
}

/// The message that takes back what would be withdrawn and nobody has claimed, and reads what is known of the rest. It does not
/// enter: nobody else sends, claims or takes back what is of older drives.
pub(super) fn left(s: &str, lease: &Lease, below: u64) -> String {
    let by = Sender::new(s, lease);
    let Sender { run, epoch, .. } = &by;
    let which = format!("run = {run} AND ({}) AND {}", older(epoch, below), by.is_newest());
    format!(
        "UPDATE {s}.orders SET fate = {TAKEN_BACK}, worker = {NOBODY} WHERE {which} AND worker IS NULL;\n\
         SELECT encode(unit, 'hex') AS unit, attempt, mode, fate, encode(answer, 'hex') AS answer FROM {s}.orders \
         WHERE {which} AND fate IN ({ANSWERED}, {TAKEN_BACK}) ORDER BY id;\n\
         {standing}",
        standing = by.standing(),
    )
}

/// What was sent by lower epochs, or by this one with numbers below `below`, as SQL.
fn older(epoch: &str, below: u64) -> String {
    format!("epoch < {epoch} OR (epoch = {epoch} AND number < {})", sql::unsigned(below))
}

/// Reads what older drives have left.
pub(super) fn read_left(answer: &Answer) -> Result<Vec<LeftOrder>, Failure> {
    Ok(answer.rows.iter().map(rows::left_order).collect::<Result<_, _>>()?)
}

/// The message that withdraws orders and counts those that living workers still have.
pub(super) fn withdraw(s: &str, lease: &Lease, below: u64) -> String {
    let by = Sender::new(s, lease);
    let (run, epoch) = (&by.run, &by.epoch);
    format!(
        "{enter};\n\
         {withdraw};\n\
         {strike};\n\
         {forget};\n\
         SELECT count(*) AS held FROM {s}.orders WHERE run = {run} AND fate = {WITHDRAWN_ORDER} \
         AND EXISTS (SELECT 1 FROM {s}.workers w WHERE w.id = orders.worker AND w.expires_at > (SELECT {s}.now_ms()));\n\
         {standing}",
        enter = by.enter_withdrawing(&sql::unsigned(below.saturating_sub(1))),
        withdraw = by.withdraw(&older(epoch, below)),
        strike = strike(s),
        forget = by.forget(),
        standing = by.standing(),
    )
}

/// Reads what is settled.
pub(super) fn settled(answer: &Answer) -> Result<Vec<Settled>, Failure> {
    Ok(answer.rows.iter().map(rows::settled).collect::<Result<_, _>>()?)
}

/// The message that reads what waits.
pub(super) fn look_at_waiting(s: &str, run: &str) -> String {
    let name = sql::text(run);
    format!(
        "SELECT id FROM {s}.runs WHERE name = {name};\n\
         SELECT g.labels, g.orders, EXISTS (SELECT 1 FROM {s}.workers w WHERE w.expires_at > (SELECT {s}.now_ms()) \
         AND NOT w.drains AND g.labels <@ w.labels) AS fits FROM (SELECT o.labels, count(*) AS orders FROM {s}.orders o \
         JOIN {s}.positions p ON p.run = o.run AND p.epoch = o.epoch \
         WHERE o.run = (SELECT id FROM {s}.runs WHERE name = {name}) AND o.worker IS NULL GROUP BY o.labels) AS g"
    )
}

/// Reads what waits.
pub(super) fn waiting(answer: &Answer) -> Result<Vec<WaitingOrders>, Failure> {
    let mut waiting = Vec::with_capacity(answer.rows.len());
    for row in &answer.rows {
        let orders: i64 = row.try_get("orders")?;
        let labels = sql::texts(row, "labels")?;
        waiting.push(WaitingOrders { labels, orders: orders.unsigned_abs(), fits: row.try_get("fits")? });
    }
    waiting.sort_by(|one, next| one.labels.cmp(&next.labels));
    Ok(waiting)
}
