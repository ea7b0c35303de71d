//! How a drill stands, as plain data.

use engine::Millis;
use report::stamp;
use runbook::Overlap;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::drills::row::Row;

/// Next slots that are shown.
const NEXT: usize = 5;

/// How a drill stands. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DrillShown {
    /// Name; that of the file for one that was never read without an error.
    pub drill: String,
    /// What it is for.
    pub description: String,
    /// Its file in `drills/`.
    pub file: String,
    /// `name:` of its runbook.
    pub runbook: Option<String>,
    /// Name of its estate.
    pub estate: Option<String>,
    /// Pattern of its schedule; `null` for one that somebody starts.
    pub cron: Option<String>,
    /// Whose clocks.
    pub time_zone: Option<String>,
    /// What becomes of a slot that comes while it goes on: `skip`, `queue`, `cancel`.
    pub overlap: Option<&'static str>,
    /// The next slots.
    pub next: Vec<DrillNext>,
    /// The one that takes place here.
    pub going: Option<DrillGoing>,
    /// Whether another process conducts it.
    pub elsewhere: bool,
    /// Slots that wait for it to end.
    pub queued: usize,
    /// Slots that came and did not take place, since the process began.
    pub dropped: u32,
    /// The newest of its history.
    pub last: Option<DrillLast>,
    /// When the last good one ended.
    pub last_good: Option<String>,
    /// Seconds without a good drill after which it raises the alarm.
    pub alarm_after_s: Option<f64>,
    /// Since when a good drill is missing: the alarm.
    pub alarm_since: Option<String>,
    /// What stands in its way: the first error of its files, that its history cannot be read, or why the last slot did not
    /// take place.
    pub trouble: Option<String>,
    /// Findings, by text, with places and hints.
    #[schema(value_type = Vec<Object>)]
    pub findings: Vec<Value>,
}

/// A slot to come.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DrillNext {
    /// When.
    pub at: String,
    /// The same as the clocks of its place show it.
    pub there: String,
}

/// A drill that takes place.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DrillGoing {
    /// Its slot.
    pub slot: String,
    /// Name of its run; those before and after are named by it: `-set-up`, `-clean-up`.
    pub run: String,
    /// When it began.
    pub since: String,
    /// Whether it is being called off.
    pub called_off: bool,
}

/// An entry of the history, in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DrillLast {
    /// Its slot.
    pub slot: String,
    /// Name of its run.
    pub run: String,
    /// `good`, `not good` or `not ended`.
    pub result: &'static str,
    /// When it was over.
    pub ended: Option<String>,
}

pub(super) fn show(name: &str, row: &Row, elsewhere: bool, now: Millis) -> DrillShown {
    let drill = row.drill.as_ref();
    let schedule = drill.and_then(|loaded| loaded.drill.schedule());
    let mut next = Vec::new();
    let mut at = now;
    while let Some(slot) = schedule.filter(|_| next.len() < NEXT).and_then(|schedule| schedule.next_after(at)) {
        next.push(DrillNext { at: stamp(slot), there: schedule.map(|of| of.shown(slot)).unwrap_or_default() });
        at = slot;
    }
    DrillShown {
        drill: name.to_owned(),
        description: drill.map(|loaded| loaded.drill.description().to_owned()).unwrap_or_default(),
        file: row.read.file.clone(),
        runbook: drill.map(|loaded| loaded.runbook.name().to_owned()),
        estate: drill.map(|loaded| loaded.estate.name.clone()),
        cron: schedule.map(|schedule| schedule.pattern().to_owned()),
        time_zone: schedule.map(|schedule| schedule.time_zone().to_owned()),
        overlap: schedule.map(|schedule| match schedule.overlap() {
            Overlap::Skip => "skip",
            Overlap::Queue => "queue",
            Overlap::Cancel => "cancel",
        }),
        next,
        going: row.going.as_ref().map(|going| DrillGoing {
            slot: stamp(going.slot),
            run: going.run.clone(),
            since: stamp(going.since),
            called_off: going.stop.is_cancelled(),
        }),
        elsewhere,
        queued: row.queue.len(),
        dropped: row.dropped,
        last: row.last.as_ref().map(|entry| DrillLast {
            slot: stamp(entry.claim.slot),
            run: entry.claim.run.clone(),
            result: match &entry.result {
                None => "not ended",
                Some(result) if result.good => "good",
                Some(_) => "not good",
            },
            ended: entry.result.as_ref().map(|result| stamp(result.ended_at)),
        }),
        last_good: row.last_good.map(stamp),
        alarm_after_s: row.alarm_after_ms.map(|ms| ms as f64 / 1_000.0),
        alarm_since: row.alarm.map(stamp),
        trouble: [&row.read.first, &row.unread, &row.blocked, &row.trouble].into_iter().find_map(Clone::clone),
        findings: row.read.findings.clone(),
    }
}
