//! From the journal to a run: the fold, and nothing else.

use std::sync::Arc;

use engine::{Chain, EncodedGroup, GroupError, GroupWriter, Link, Misfit, Plan, PlanError, Record, Run};

use crate::ports::{Journal, JournalError, RunHead};

/// A run as its journal tells it.
#[derive(Debug)]
pub struct Recovered {
    /// Name, plan hash and time of creation.
    pub head: RunHead,
    /// The run.
    pub run: Run,
    /// Number that the next group carries.
    pub next: u64,
    /// The chain that the next group is written to.
    pub chain: Chain,
}

/// Why a run could not be recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The journal did not give it.
    #[error("failed to read the journal")]
    Journal(#[from] JournalError),
    /// The stored plan is not one that this version executes.
    #[error("failed to read the plan of run {run}")]
    Plan {
        /// The run.
        run: String,
        /// Why.
        #[source]
        source: PlanError,
    },
    /// The stored plan is not the one that the run was created with.
    #[error("the plan of run {run} has hash {found}, the run was created with {expected}")]
    PlanHash {
        /// The run.
        run: String,
        /// Hash of the stored plan.
        found: String,
        /// Hash stored with the run.
        expected: String,
    },
    /// A group cannot be decoded, or was not written after the one before it.
    #[error("failed to read group {seq} of run {run}")]
    Group {
        /// The run.
        run: String,
        /// The group's number.
        seq: u64,
        /// Why.
        #[source]
        source: GroupError,
    },
    /// A record does not fit.
    #[error("failed to replay group {seq} of run {run}")]
    Record {
        /// The run.
        run: String,
        /// The group's number.
        seq: u64,
        /// Why.
        #[source]
        source: Misfit,
    },
}

/// Folds the journal of a run; `each` sees every record before it is applied, with the run as it was.
///
/// # Errors
/// If the journal cannot be read to its end; nothing is changed.
pub async fn recover(
    journal: &dyn Journal,
    run: &str,
    mut each: impl FnMut(&Run, &Record),
) -> Result<Recovered, RecoverError> {
    let mut tail = Tail::open(journal, run).await?;
    let mut folded = Run::new(tail.plan.clone());
    loop {
        let groups = tail.read(journal).await?;
        if groups.is_empty() {
            return Ok(Recovered { head: tail.head, run: folded, next: tail.next, chain: tail.chain });
        }
        for (seq, records) in groups {
            for record in records {
                each(&folded, &record);
                folded.apply(&record).map_err(|source| RecoverError::Record { run: run.to_owned(), seq, source })?;
            }
        }
    }
}

/// The journal of a run, read once from its start and then as it grows.
#[derive(Debug)]
pub struct Tail {
    head: RunHead,
    plan: Arc<Plan>,
    next: u64,
    chain: Chain,
}

impl Tail {
    /// Groups read at once; bounds the memory of a recovery. Fewer came if the journal's present end was reached.
    pub const PAGE: u32 = 256;

    /// Reads the plan that a run was created with; no group is read yet.
    ///
    /// # Errors
    /// If there is no such run, or its plan is not what was stored.
    pub async fn open(journal: &dyn Journal, run: &str) -> Result<Self, RecoverError> {
        let (head, plan) = journal.plan(run).await?;
        let plan = Plan::decode(&plan).map_err(|source| RecoverError::Plan { run: run.to_owned(), source })?;
        if plan.hash() != head.plan_hash {
            let (found, expected) = (plan.hash().to_owned(), head.plan_hash);
            return Err(RecoverError::PlanHash { run: run.to_owned(), found, expected });
        }
        let chain = Chain::of(run, &head.plan_hash);
        Ok(Self { head, plan, next: 0, chain })
    }

    /// The plan that the run was created with; what it was amended to is in the records.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The link of the newest group that was read.
    #[must_use]
    pub fn link(&self) -> Link {
        self.chain.head()
    }

    /// Groups read so far.
    #[must_use]
    pub fn groups(&self) -> u64 {
        self.next
    }

    /// Reads the next groups with their numbers, a page at most; empty at the journal's present end.
    ///
    /// # Errors
    /// If the journal cannot be read; the same groups come with the next call then.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the same groups come with the next call.
    pub async fn read(&mut self, journal: &dyn Journal) -> Result<Vec<(u64, Vec<Record>)>, RecoverError> {
        self.read_up_to(journal, Self::PAGE).await
    }

    pub(super) async fn read_up_to(
        &mut self,
        journal: &dyn Journal,
        limit: u32,
    ) -> Result<Vec<(u64, Vec<Record>)>, RecoverError> {
        let run = &self.head.run;
        let groups = journal.load(run, self.next, limit).await?;
        let mut chain = self.chain.clone();
        let decoded: Result<Vec<_>, _> = groups
            .into_iter()
            .map(|group| match chain.follow(&group.bytes) {
                Ok(records) => Ok((group.seq, records)),
                Err(source) => Err(RecoverError::Group { run: run.clone(), seq: group.seq, source }),
            })
            .collect();
        let decoded = decoded?;
        if let Some((seq, _)) = decoded.last() {
            (self.next, self.chain) = (seq + 1, chain);
        }
        Ok(decoded)
    }
}

/// Creates a run in the journal; its plan is durable on return.
///
/// # Errors
/// [`JournalError::Exists`] if the name is taken; else the journal's trouble.
pub async fn open(journal: &dyn Journal, name: &str, plan: &Arc<Plan>, at: engine::Millis) -> Result<(), JournalError> {
    let (head, bytes) = created(name, plan, at)?;
    journal.create(&head, &bytes).await
}

/// What a run is created with: its head and its encoded plan.
///
/// # Errors
/// If the plan cannot be encoded: a defect.
pub fn created(name: &str, plan: &Plan, at: engine::Millis) -> Result<(RunHead, Vec<u8>), JournalError> {
    let head = RunHead { run: name.to_owned(), plan_hash: plan.hash().to_owned(), created_at: at };
    let bytes = plan.encode().map_err(|error| JournalError::Unavailable {
        context: "encoding the plan".to_owned(),
        source: Some(Box::new(error)),
    })?;
    Ok((head, bytes))
}

/// Encodes records as the group that follows another.
pub(super) fn encode(records: &[Record], after: Link) -> EncodedGroup {
    let mut writer = GroupWriter::after(after);
    for record in records {
        writer.push(record);
    }
    writer.finish()
}
