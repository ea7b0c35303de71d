//! Changes that need more than one message: a transaction in which the server answers before the end.

use runtime::{Grant, JournalError, Lease, RunCopy, RunHead, Want};
use sqlx::Row;

use super::PostgresStore;
use super::attempts::Attempts;
use super::claims::{self, Change};
use super::connections::Taken;
use super::sites;
use super::sql::{self, Answer};
use super::trouble::{Failure, Trouble};
use super::{lease, pools, retention};
use crate::named::Named;
use crate::rows::PART;
use crate::{checksum, rows};

/// Characters after which a message with groups takes no more, and groups in it at most.
pub(super) const MESSAGE: usize = 512 << 10;
pub(super) const ROWS: usize = 1_000;

/// A change of several messages.
pub(super) enum Work<'a> {
    Create { head: &'a RunHead, plan: &'a [u8], hold: Option<&'a Named> },
    Copy { copy: &'a RunCopy, sites: &'a Named },
    Hold { run: &'a str, sites: &'a Named },
    SetClaim(Change<'a>),
    Discard { lease: &'a Lease },
    Share { lease: &'a Lease, estate: &'a str, wants: &'a [Want] },
}

/// What a change gives.
#[derive(Default)]
pub(super) struct Done {
    /// Of a claim: whether it was as expected.
    pub(super) changed: bool,
    /// Of shared pools.
    pub(super) grants: Vec<Grant>,
}

/// An open transaction.
pub(super) struct Transaction<'a> {
    taken: Taken<'a>,
    pub(super) schema: &'a str,
}

impl Transaction<'_> {
    pub(super) async fn send(&mut self, message: String) -> Result<Vec<Answer>, Failure> {
        self.taken.send(message).await
    }
}

impl PostgresStore {
    /// Does a change in one transaction. A refusal undoes it; a collision with another transaction has it done again.
    pub(super) async fn transact(&self, work: Work<'_>) -> Result<Done, JournalError> {
        let (mut attempts, schema) = (Attempts::new(&self.connections.door), self.connections.schema());
        loop {
            let taken = self.connections.take(attempts.until).await.map_err(Trouble::into_error)?;
            let mut transaction = Transaction { taken, schema };
            let done = work.execute(&mut transaction).await;
            let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
            let failure = match done {
                Err(failure @ (Failure::Sql(_) | Failure::Silent | Failure::ReadsNow)) => failure,
                Ok(_) | Err(Failure::Refused(_)) => match transaction.send(end.to_owned()).await {
                    Ok(_) => {
                        transaction.taken.give_back();
                        return done.map_err(|failure| match failure {
                            Failure::Refused(refusal) => refusal,
                            other => Trouble::new(&self.connections.door.place, "writing to", other).into_error(),
                        });
                    }
                    Err(failure) => failure,
                },
            };
            // Dropped with the transaction: whatever is open on the connection is undone by the server.
            drop(transaction);
            let twice = matches!(work, Work::Hold { .. } | Work::Share { .. });
            if !attempts.again(&failure, twice).await {
                let failure = attempts.last(failure);
                return Err(Trouble::new(&self.connections.door.place, "writing to", failure).into_error());
            }
        }
    }
}

impl Work<'_> {
    async fn execute(&self, transaction: &mut Transaction<'_>) -> Result<Done, Failure> {
        match self {
            Self::Create { head, plan, hold } => {
                let run = create(transaction, head, plan).await?;
                if let Some(sites) = hold {
                    sites::hold(transaction, run, sites).await?;
                }
                Ok(Done::default())
            }
            Self::Copy { copy, sites } => {
                let run = create(transaction, &copy.head, &copy.plan).await?;
                sites::hold(transaction, run, sites).await?;
                put(transaction, run, copy).await?;
                Ok(Done::default())
            }
            Self::Hold { run, sites } => {
                let s = transaction.schema;
                let id = id(&transaction.send(sql::begin() + &lease::lock_run(s, run)).await?)?;
                let id = id.ok_or_else(|| JournalError::NoSuchRun((*run).to_owned()))?;
                sites::hold(transaction, id, sites).await?;
                Ok(Done::default())
            }
            Self::SetClaim(change) => Ok(Done { changed: claims::set(transaction, change).await?, ..Done::default() }),
            Self::Discard { lease } => {
                retention::discard(transaction, lease).await?;
                Ok(Done::default())
            }
            Self::Share { lease, estate, wants } => {
                Ok(Done { grants: pools::share(transaction, lease, estate, wants).await?, ..Done::default() })
            }
        }
    }
}

/// The name is looked for among those that are spent once the row is there: of a run that is given up at the same moment,
/// the insert waits for the end, and what is asked after it sees what became of it.
async fn create(transaction: &mut Transaction<'_>, head: &RunHead, plan: &[u8]) -> Result<i64, Failure> {
    let s = transaction.schema;
    let message = format!(
        "{begin}WITH new AS (INSERT INTO {s}.runs (name, plan_hash, created_at, plan_size, checksum) \
         VALUES ({name}, {hash}, {created_at}, {size}, {checksum}) ON CONFLICT (name) DO NOTHING RETURNING id), \
         position AS (INSERT INTO {s}.positions (run, next, epoch, expires_at, goes_on, holder) \
         SELECT id, 0, 0, {never}, false, {nobody} FROM new), \
         sent AS (INSERT INTO {s}.sent_orders (run, epoch, last) SELECT id, 0, 0 FROM new) SELECT id FROM new;\n\
         SELECT 1 FROM {s}.spent WHERE name = {name}",
        begin = sql::begin(),
        name = sql::text(&head.run),
        hash = sql::text(&head.plan_hash),
        created_at = sql::signed(head.created_at),
        size = sql::unsigned(plan.len() as u64),
        checksum = sql::bytes(&checksum::plan(head, plan)),
        never = sql::signed(rows::RELEASED),
        nobody = sql::bytes(&[]),
    );
    let answers = transaction.send(message).await?;
    let [created @ .., spent] = &answers[..] else { return Err(sqlx::Error::RowNotFound.into()) };
    let run = id(created)?.ok_or_else(|| JournalError::Exists(head.run.clone()))?;
    if !spent.rows.is_empty() {
        return Err(JournalError::Spent(head.run.clone()).into());
    }
    for (part, bytes) in plan.chunks(PART).enumerate() {
        let bytes = sql::bytes(bytes);
        transaction.send(format!("INSERT INTO {s}.plans (run, part, bytes) VALUES ({run}, {part}, {bytes})")).await?;
    }
    Ok(run)
}

/// Puts the groups of a run in that came whole from another store.
async fn put(transaction: &mut Transaction<'_>, run: i64, copy: &RunCopy) -> Result<(), Failure> {
    let s = transaction.schema;
    let (mut next, epoch) = (0, sql::unsigned(copy.epoch));
    while next < copy.groups.len() {
        let mut message = format!("INSERT INTO {s}.groups (run, seq, epoch, checksum, bytes) VALUES ");
        let first = next;
        while let Some(bytes) = copy.groups.get(next)
            && (next == first || message.len() < MESSAGE && next - first < ROWS)
        {
            let checksum = sql::bytes(&checksum::group(&copy.head.run, next as u64, copy.epoch, bytes));
            message.push_str(if next == first { "" } else { ", " });
            message.push_str(&format!("({run}, {next}, {epoch}, {checksum}, {})", sql::bytes(bytes)));
            next += 1;
        }
        transaction.send(message).await?;
    }
    let position = format!("UPDATE {s}.positions SET next = {next}, epoch = {epoch} WHERE run = {run}");
    transaction.send(position).await?;
    Ok(())
}

/// The number of a run, if the last statement found one.
fn id(answers: &[Answer]) -> Result<Option<i64>, Failure> {
    let row = answers.last().and_then(|answer| answer.rows.first());
    Ok(row.map(|row| row.try_get("id")).transpose()?)
}
