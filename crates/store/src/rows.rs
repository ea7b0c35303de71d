//! What rows mean, for both engines: each says how it reads a column, and what becomes of the columns is told here once.

use std::collections::BTreeSet;

use runtime::engine::{Millis, Mode};
use runtime::{
    ClaimedOrder, DrillClaim, DrillEntry, DrillResult, Fate, HeldSite, JournalError, Lease, LeftOrder, LivingWorker,
    LogHead, LogLine, LogTally, Order, OrderFate, Posted, RunHead, Settled, StoredGroup, Voice, WorkClaim, Worker,
};
use sqlx::Error;

use crate::checksum;

/// Bytes of a part of a plan.
pub(crate) const PART: usize = 1 << 20;

/// When a withdrawn request expired: before all time, so that no clock brings it back.
pub(crate) const WITHDRAWN: Millis = Millis::MIN;

/// What became of an order: nothing yet, whether it is claimed or not.
pub(crate) const OPEN: i64 = 0;
/// Its worker answered.
pub(crate) const ANSWERED: i64 = 1;
/// It was settled without an answer, because its worker lives no more.
pub(crate) const LOST: i64 = 2;
/// It was claimed when a newer driver withdrew it.
pub(crate) const WITHDRAWN_ORDER: i64 = 3;

/// It was taken back before anybody had claimed it; its worker is [`NOBODY`], so that it is not among those that wait.
pub(crate) const TAKEN_BACK: i64 = 4;
/// Who has an order that was taken back; workers are numbered from 1.
pub(crate) const NOBODY: i64 = 0;

/// When a lease that was given back expired: before all time.
pub(crate) const RELEASED: Millis = Millis::MIN;

/// When one expired that was left to whoever stands by.
pub(crate) const HANDED_ON: Millis = Millis::MIN + 1;

/// A row whose columns are read by their names.
pub(crate) trait Columns {
    fn text(&self, column: &str) -> Result<String, Error>;
    fn maybe_bytes(&self, column: &str) -> Result<Option<Vec<u8>>, Error>;
    fn maybe_number(&self, column: &str) -> Result<Option<i64>, Error>;
    fn flag(&self, column: &str) -> Result<bool, Error>;

    fn bytes(&self, column: &str) -> Result<Vec<u8>, Error> {
        self.maybe_bytes(column)?.ok_or_else(|| broken(column))
    }

    fn number(&self, column: &str) -> Result<i64, Error> {
        self.maybe_number(column)?.ok_or_else(|| broken(column))
    }

    /// A number that was written from one without a sign.
    fn count(&self, column: &str) -> Result<u64, Error> {
        self.number(column).map(i64::unsigned_abs)
    }
}

/// What is not as it was written.
pub(crate) fn broken(column: &str) -> Error {
    Error::Decode(format!("{column} is not what was written").into())
}

/// Both engines' numbers are signed; what does not fit is larger than all that is stored.
pub(crate) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn head(row: &impl Columns) -> Result<RunHead, Error> {
    Ok(RunHead { run: row.text("name")?, plan_hash: row.text("plan_hash")?, created_at: row.number("created_at")? })
}

/// A run and its plan, if they are what was stored.
pub(crate) fn plan<E>(row: &impl Columns, plan: Vec<u8>) -> Result<(RunHead, Vec<u8>), E>
where
    E: From<Error> + From<JournalError>,
{
    let head = head(row)?;
    let is_whole = integer(plan.len() as u64) == row.number("plan_size")?;
    if !is_whole || checksum::plan(&head, &plan)[..] != row.bytes("checksum")? {
        return Err(JournalError::Corrupt(format!("the plan of run {} is not what was stored", head.run)).into());
    }
    Ok((head, plan))
}

/// The group of a number, if it is the one of that number and what was stored.
pub(crate) fn group<E>(row: &impl Columns, run: &str, seq: u64) -> Result<StoredGroup, E>
where
    E: From<Error> + From<JournalError>,
{
    let found = row.number("seq")?;
    if found != integer(seq) {
        return Err(JournalError::Corrupt(format!("group {seq} of run {run} is missing before group {found}")).into());
    }
    let (epoch, bytes) = (row.count("epoch")?, row.bytes("bytes")?);
    if checksum::group(run, seq, epoch, &bytes)[..] != row.bytes("checksum")? {
        return Err(JournalError::Corrupt(format!("group {seq} of run {run} fails its checksum")).into());
    }
    Ok(StoredGroup { seq, bytes })
}

/// Refuses a page that ends before the number of groups that the run had.
pub(crate) fn reaches(
    run: &str,
    (from, found, limit): (u64, usize, u32),
    had: u64,
    when: &str,
) -> Result<(), JournalError> {
    let end = from.saturating_add(found as u64);
    if found >= limit as usize || end >= had {
        return Ok(());
    }
    Err(JournalError::Corrupt(format!("run {run} ends after {end} groups, and had {had}{when}")))
}

/// Refuses unless the run exists and this is its newest epoch.
pub(crate) fn is_newest(lease: &Lease, epoch: Option<i64>) -> Result<(), JournalError> {
    match epoch {
        None => Err(JournalError::NoSuchRun(lease.run.clone())),
        Some(epoch) if epoch > 0 && epoch.unsigned_abs() == lease.epoch => Ok(()),
        Some(_) => Err(JournalError::Fenced { run: lease.run.clone(), epoch: lease.epoch }),
    }
}

pub(crate) fn held_site(row: &impl Columns) -> Result<HeldSite, Error> {
    Ok(HeldSite { site: row.text("site")?, run: row.text("run")? })
}

pub(crate) fn claim(row: &impl Columns) -> Result<WorkClaim, Error> {
    let notes = serde_json::from_slice(&row.bytes("notes")?).map_err(|error| Error::Decode(Box::new(error)))?;
    Ok(WorkClaim {
        subject: row.text("subject")?,
        who: row.text("who")?,
        since: row.number("since")?,
        until: row.number("until")?,
        notes,
    })
}

pub(crate) fn posted(row: &impl Columns) -> Result<Posted, Error> {
    Ok(Posted { id: row.count("id")?, bytes: row.bytes("bytes")? })
}

/// What became of a request, if there is one.
pub(crate) fn fate(row: Option<&impl Columns>) -> Result<Fate, Error> {
    let Some(row) = row else { return Ok(Fate::Gone) };
    if let Some(answer) = row.maybe_bytes("answer")? {
        return Ok(Fate::Answered(answer));
    }
    Ok(match (row.flag("taken")?, row.flag("live")?) {
        (true, true) => Fate::Taken,
        (true, false) => Fate::Lost,
        (false, _) if row.number("expires_at")? == WITHDRAWN => Fate::Withdrawn,
        (false, _) => Fate::Waiting,
    })
}

pub(crate) fn drill(row: &impl Columns) -> Result<DrillEntry, Error> {
    let claim = DrillClaim {
        drill: row.text("drill")?,
        slot: row.number("slot")?,
        run: row.text("run")?,
        at: row.number("claimed_at")?,
        runbook_hash: row.text("runbook_hash")?,
    };
    let result = match row.maybe_bytes("result")? {
        Some(bytes) => Some(DrillResult {
            ended_at: row.number("ended_at")?,
            good: row.flag("good")?,
            proves: row.flag("proves")?,
            sites: row.number("sites")?.try_into().unwrap_or(u32::MAX),
            bytes,
        }),
        None => None,
    };
    Ok(DrillEntry { claim, result })
}

pub(crate) fn log_head(row: &impl Columns) -> Result<LogHead, Error> {
    let tally = LogTally {
        lines: row.count("lines")?,
        bytes: row.count("bytes")?,
        cut_lines: row.count("cut_lines")?,
        cut_bytes: row.count("cut_bytes")?,
        beyond: row.count("beyond")?,
        lost: row.count("lost")?,
    };
    Ok(LogHead { attempt: row.number("attempt")?.try_into().unwrap_or(u32::MAX), tally })
}

pub(crate) fn log_line(row: &impl Columns) -> Result<LogLine, Error> {
    let voice = usize::try_from(row.number("voice")?).ok().and_then(|at| Voice::ALL.get(at)).copied();
    Ok(LogLine {
        number: row.count("number")?,
        at: row.number("at")?,
        voice: voice.unwrap_or(Voice::Action),
        text: row.text("text")?,
    })
}

/// An order that is claimed; each engine reads labels in its own way.
pub(crate) fn order(row: &impl Columns, labels: BTreeSet<String>) -> Result<ClaimedOrder, Error> {
    let order = Order {
        number: row.count("number")?,
        unit: row.text("unit")?,
        attempt: attempt(row)?,
        mode: mode(row)?,
        labels,
        timeout_ms: row.count("timeout_ms")?,
        call: row.bytes("call")?,
    };
    Ok(ClaimedOrder { id: row.count("id")?, run: row.text("run")?, epoch: row.count("epoch")?, order })
}

pub(crate) fn settled(row: &impl Columns) -> Result<Settled, Error> {
    Ok(Settled { number: row.count("number")?, fate: order_fate(row)? })
}

pub(crate) fn left_order(row: &impl Columns) -> Result<LeftOrder, Error> {
    Ok(LeftOrder { unit: row.text("unit")?, attempt: attempt(row)?, mode: mode(row)?, fate: order_fate(row)? })
}

fn order_fate(row: &impl Columns) -> Result<OrderFate, Error> {
    match row.number("fate")? {
        ANSWERED => Ok(OrderFate::Answered(row.bytes("answer")?)),
        LOST => Ok(OrderFate::Lost),
        TAKEN_BACK => Ok(OrderFate::TakenBack),
        _ => Err(broken("fate")),
    }
}

fn attempt(row: &impl Columns) -> Result<u32, Error> {
    row.number("attempt")?.try_into().map_err(|_| broken("attempt"))
}

fn mode(row: &impl Columns) -> Result<Mode, Error> {
    let at = usize::try_from(row.number("mode")?).ok();
    at.and_then(|at| MODES.get(at)).copied().ok_or_else(|| broken("mode"))
}

pub(crate) fn worker(row: &impl Columns, labels: BTreeSet<String>) -> Result<LivingWorker, Error> {
    let slots = row.number("slots")?.try_into().map_err(|_| broken("slots"))?;
    Ok(LivingWorker {
        id: row.count("id")?,
        worker: Worker { name: row.text("name")?, labels, slots, version: row.text("version")? },
        drains: row.flag("drains")?,
        holds: row.count("holds")?,
        until: row.number("expires_at")?,
    })
}

/// Modes of orders; the place in this list is kept, and never changes.
const MODES: [Mode; 4] = [Mode::Apply, Mode::Probe, Mode::Undo, Mode::ProbeUndo];

/// Under which number a mode is kept.
pub(crate) fn mode_number(mode: Mode) -> i64 {
    match mode {
        Mode::Apply => 0,
        Mode::Probe => 1,
        Mode::Undo => 2,
        Mode::ProbeUndo => 3,
    }
}

/// Under which number a voice is kept.
pub(crate) fn voice(voice: Voice) -> usize {
    Voice::ALL.iter().position(|one| *one == voice).unwrap_or_default()
}
