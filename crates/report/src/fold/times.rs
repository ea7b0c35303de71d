//! What is kept of the timings of a step, and of points in time of many things.

use engine::Mode;

use crate::fold::histogram::Histogram;

/// Timings of one step over all its units; lengths of time in milliseconds. What takes its effect back is apart.
#[derive(Clone, Debug, Default)]
pub struct StepTimes {
    /// Successful attempts that called the action.
    pub durations: Histogram,
    /// From the settling of a unit's last need to the start of its first attempt.
    pub waits: Histogram,
    /// Attempts started, probes among them.
    pub attempts: u64,
    /// Attempts that were probes.
    pub probes: u64,
    /// Attempts after a unit's first that called the action again.
    pub retries: u64,
    /// Attempts that surely changed nothing.
    pub refused: u64,
    /// Attempts whose effect was not known at their end.
    pub doubtful: u64,
    /// Attempts that were in flight when a driver was gone.
    pub interrupted: u64,
    /// Sum of the time that attempts were in flight.
    pub busy_ms: u64,
    /// Start of the first attempt, from the run's opening.
    pub first_start_ms: Option<i64>,
    /// Attempts at taking its effect back.
    pub undo: UndoTimes,
}

/// Timings of what takes the effect of a step back; lengths of time in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct UndoTimes {
    /// Successful attempts that called the undo.
    pub durations: Histogram,
    /// Attempts started, probes among them.
    pub attempts: u64,
    /// Attempts that were probes.
    pub probes: u64,
    /// Attempts that surely changed nothing.
    pub refused: u64,
    /// Attempts whose effect was not known at their end.
    pub doubtful: u64,
    /// Attempts that were in flight when a driver was gone.
    pub interrupted: u64,
    /// Sum of the time that attempts were in flight.
    pub busy_ms: u64,
}

impl StepTimes {
    pub(super) fn started(&mut self, offset: i64, attempt: u32, mode: Mode, waited: Option<i64>) {
        if mode.is_undo() {
            self.undo.attempts += 1;
            self.undo.probes += u64::from(mode.is_probe());
            return;
        }
        self.attempts += 1;
        if mode.is_probe() {
            self.probes += 1;
        } else if attempt > 1 {
            self.retries += 1;
        }
        if let Some(waited) = waited {
            self.waits.add(waited);
        }
        self.first_start_ms.get_or_insert(offset);
    }

    /// An attempt that nobody began was none.
    pub(super) fn not_begun(&mut self, attempt: u32, mode: Mode) {
        let less = |count: &mut u64| *count = count.saturating_sub(1);
        let (attempts, probes) = match mode.is_undo() {
            true => (&mut self.undo.attempts, &mut self.undo.probes),
            false => (&mut self.attempts, &mut self.probes),
        };
        less(attempts);
        if mode.is_probe() {
            less(probes);
        } else if attempt > 1 && !mode.is_undo() {
            less(&mut self.retries);
        }
    }

    pub(super) fn succeeded(&mut self, mode: Mode, took: i64) {
        self.busy(mode, took);
        match mode {
            Mode::Apply => self.durations.add(took),
            Mode::Undo => self.undo.durations.add(took),
            Mode::Probe | Mode::ProbeUndo => {}
        }
    }

    pub(super) fn fell_short(&mut self, mode: Mode, took: i64, doubt: bool) {
        self.busy(mode, took);
        let (refused, doubtful) = if mode.is_undo() {
            (&mut self.undo.refused, &mut self.undo.doubtful)
        } else {
            (&mut self.refused, &mut self.doubtful)
        };
        if doubt {
            *doubtful += 1;
        } else if !mode.is_probe() {
            *refused += 1;
        }
    }

    pub(super) fn interrupted(&mut self, mode: Mode, took: i64) {
        self.busy(mode, took);
        let interrupted = if mode.is_undo() { &mut self.undo.interrupted } else { &mut self.interrupted };
        *interrupted += 1;
    }

    fn busy(&mut self, mode: Mode, took: i64) {
        let busy = if mode.is_undo() { &mut self.undo.busy_ms } else { &mut self.busy_ms };
        *busy = busy.saturating_add(u64::try_from(took).unwrap_or(0));
    }
}

/// One optional point in time each, in milliseconds from the run's opening: 4 bytes.
#[derive(Clone, Debug)]
pub(crate) struct Offsets(Vec<u32>);

const UNSET: u32 = u32::MAX;

impl Offsets {
    pub(crate) fn new(len: usize) -> Self {
        Self(vec![UNSET; len])
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, ix: usize) -> Option<u32> {
        self.0.get(ix).copied().filter(|&ms| ms != UNSET)
    }

    /// Sets it unless it is set; grows to hold it.
    pub(crate) fn set_first(&mut self, ix: usize, ms: i64) {
        if ix >= self.0.len() {
            self.0.resize(ix + 1, UNSET);
        }
        if self.0[ix] == UNSET {
            self.0[ix] = u32::try_from(ms.max(0)).unwrap_or(UNSET).min(UNSET - 1);
        }
    }

    /// Sets it, whatever it was; grows to hold it.
    pub(crate) fn set(&mut self, ix: usize, ms: i64) {
        self.clear(ix);
        self.set_first(ix, ms);
    }

    /// Unsets it; says whether it was set.
    pub(crate) fn clear(&mut self, ix: usize) -> bool {
        self.0.get_mut(ix).is_some_and(|ms| std::mem::replace(ms, UNSET) != UNSET)
    }
}
