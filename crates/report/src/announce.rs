//! When a run is to be told of: which milestones it has reached, and which of them nobody was told of yet.
//!
//! Pure. What was told is asked by name, so that whoever resumes a run goes on where the one before it ended. Of
//! several milestones that are reached and not told, one is told, the one that says most, and the others count as
//! passed: whoever was away for a night should not find five messages.

use engine::{BatchIx, Millis, Run, Status};

/// A milestone of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Milestone {
    /// The run was opened.
    Started,
    /// A batch has settled; each is one.
    Batch,
    /// So many percent of the given sites are back and checked, nothing degraded.
    Percent(u8),
    /// The first site did not come back cleanly.
    Exceptions,
    /// The run ended.
    Ended,
}

impl Milestone {
    /// Reads `started`, `batch`, `25%`, `exceptions` or `ended`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "started" => Some(Self::Started),
            "batch" => Some(Self::Batch),
            "exceptions" => Some(Self::Exceptions),
            "ended" => Some(Self::Ended),
            _ => {
                let percent: u8 = text.strip_suffix('%')?.parse().ok()?;
                (1..=100).contains(&percent).then_some(Self::Percent(percent))
            }
        }
    }
}

/// How far a run is, as its milestones see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stand {
    /// When it was opened.
    pub opened_at: Option<Millis>,
    /// Batches that have settled.
    pub batches: u32,
    /// Sites given, those that the plan leaves out among them.
    pub given: u32,
    /// Sites back and checked, nothing degraded.
    pub returned: u32,
    /// Sites degraded, out or taken back.
    pub exceptions: u32,
    /// Whether it has ended.
    pub ended: bool,
}

impl Stand {
    /// How far a run is. Costs time in proportion to its batches.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        let tally = run.tally();
        let left_out = u32::try_from(run.plan().spec().extras.excluded.len()).unwrap_or(u32::MAX);
        let batches =
            (0..run.plan().batch_count()).filter(|&ix| run.batch_times(BatchIx::from(ix as usize)).1.is_some());
        Self {
            opened_at: run.opened_at(),
            batches: u32::try_from(batches.count()).unwrap_or(u32::MAX),
            given: run.plan().site_count().saturating_add(left_out),
            returned: tally.returned,
            exceptions: tally.degraded + tally.quarantined + tally.undone,
            ended: matches!(run.status(), Status::Ended(_)),
        }
    }
}

/// What somebody wants to be told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Milestones.
    pub on: Vec<Milestone>,
    /// Also every so many milliseconds from the opening on, while the run goes on.
    pub every_ms: Option<u64>,
}

/// A message that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// When the run was opened.
    pub opened: Millis,
    /// Its name within the run: `started`, `batch-2`, `25%`, `exceptions`, `ended`, `every-3`.
    pub name: String,
    /// Milestones that need not be told of any more once this one was.
    pub passed: Vec<String>,
}

/// Says what is due now, if anything is.
#[must_use]
pub fn due(wish: &Wish, stand: &Stand, now: Millis, told: &dyn Fn(&str) -> bool) -> Option<Due> {
    let opened = stand.opened_at?;
    // From what says least to what says most.
    let mut reached: Vec<(u32, String)> = Vec::new();
    for milestone in &wish.on {
        match *milestone {
            Milestone::Started => reached.push((0, "started".to_owned())),
            Milestone::Batch => reached.extend((1..=stand.batches).map(|batch| (batch, format!("batch-{batch}")))),
            Milestone::Percent(percent) => {
                let enough = u64::from(stand.returned) * 100 >= u64::from(stand.given) * u64::from(percent);
                if stand.given > 0 && enough {
                    reached.push((1_000_000_000 + u32::from(percent), format!("{percent}%")));
                }
            }
            Milestone::Exceptions if stand.exceptions > 0 => reached.push((2_000_000_000, "exceptions".to_owned())),
            Milestone::Ended if stand.ended => reached.push((3_000_000_000, "ended".to_owned())),
            Milestone::Exceptions | Milestone::Ended => {}
        }
    }
    reached.sort();
    reached.dedup();
    let mut open: Vec<String> = reached.into_iter().map(|(_, name)| name).filter(|name| !told(name)).collect();
    if let Some(name) = open.pop() {
        return Some(Due { opened, name, passed: open });
    }
    let every = i64::try_from(wish.every_ms.filter(|&every| every > 0)?).ok()?;
    let count = now.saturating_sub(opened) / every;
    let name = format!("every-{count}");
    (count >= 1 && !stand.ended && !told(&name)).then_some(Due { opened, name, passed: Vec::new() })
}

/// When something becomes due by time alone, at the latest; `None` if nothing does.
#[must_use]
pub fn next_due(wish: &Wish, stand: &Stand, now: Millis) -> Option<Millis> {
    let opened = stand.opened_at.filter(|_| !stand.ended)?;
    let every = i64::try_from(wish.every_ms.filter(|&every| every > 0)?).ok()?;
    let count = now.saturating_sub(opened).max(0) / every;
    opened.checked_add(every.checked_mul(count + 1)?)
}
