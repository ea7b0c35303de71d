//! A tenant of which the live database has rows already, or may have: looked at row by row before anything is written.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::back;
use super::copy_stream::{BINARY_HEAD, BINARY_TAIL, Fields, Form};
use super::differing::{Differing, Shared};
use super::error::{Conflict, ConflictKind, RestoreError, failed};
use super::large_objects;
use super::load::{self, Opened, Restored, Ticket};
use super::origin::Origin;
use super::pair::Pair;
use super::references;
use super::send;
use super::session::{Live, run};
use super::sheet::Sheet;
use super::source::Cutter;
use super::stage::{Stage, Survey};
use super::statements::Statements;
use super::tally::Tally;
use super::ties::{Open, Ties};
use super::work::OnConflict;

/// What a look without writing found.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// Rows of the tenant in the backup, by table.
    pub tables: BTreeMap<String, super::tally::TableTally>,
    /// All of them.
    pub rows: u64,
    /// Rows that are there and equal.
    pub already: u64,
    /// What is in the way.
    pub conflicts: Vec<Conflict>,
    /// References to rows that the live database does not have, as far as they cannot be made again.
    pub missing: Vec<String>,
    /// Rows of shared tables that rows of the tenant refer to and that differ from the backup's; they would stay as they are.
    pub shared_differs: Differing,
}

/// Restores a tenant though live rows are in the way, by the policy for it.
///
/// # Errors
/// Lists every conflict that the policy does not settle; nothing was changed then.
///
/// # Cancel safety
/// As [`load::fast`].
pub(crate) async fn restore(
    live: &mut Live,
    origin: &mut Origin,
    pair: &Pair,
    statements: &Statements,
    ticket: Ticket<'_>,
    policy: OnConflict,
) -> Result<Restored, RestoreError> {
    load::begin(&mut live.connection).await?;
    let done = attempt(live, origin, pair, statements, ticket, policy).await;
    load::end(&mut live.connection, done).await
}

/// Looks what a restore of a tenant, and of others with it, would do; everything that it writes is temporary and rolled back.
pub(crate) async fn look(
    live: &mut Live,
    origin: &mut Origin,
    pair: &Pair,
    tenant: (&str, &[String], &Shared),
) -> Result<Looked, RestoreError> {
    load::begin(&mut live.connection).await?;
    let found = looked(&mut live.connection, origin, pair, tenant).await;
    load::rollback(&mut live.connection).await?;
    found
}

async fn looked(
    live: &mut PgConnection,
    origin: &mut Origin,
    pair: &Pair,
    (tenant, run, shared): (&str, &[String], &Shared),
) -> Result<Looked, RestoreError> {
    let staged = stage(live, origin, pair, tenant).await?;
    let mut survey = survey(&staged.stages, live).await?;
    if let Some(backup) = origin.server()
        && pair.has_large_objects()
    {
        survey.conflicts.extend(large_objects::look(live, backup, pair, tenant).await?.1);
    }
    let left = staged.ties.left(&pair.sheets);
    let twin = |place| staged.stages.iter().find(|stage| stage.sheet.place == place).map(|stage| stage.twin.clone());
    let (missing, shared_differs) = references::missing(live, origin, pair, (tenant, run, shared), left, twin).await?;
    Ok(Looked {
        tables: back::named(pair, &staged.tallies),
        rows: staged.tallies.iter().map(|tally| tally.rows).sum(),
        already: survey.already,
        conflicts: survey.conflicts,
        missing,
        shared_differs,
    })
}

async fn attempt(
    live: &mut Live,
    origin: &mut Origin,
    pair: &Pair,
    statements: &Statements,
    ticket: Ticket<'_>,
    policy: OnConflict,
) -> Result<Restored, RestoreError> {
    let before = match load::open(live, statements, ticket).await? {
        Opened::Before(restored) => return Ok(restored),
        Opened::New { before, .. } => before,
    };
    let connection = &mut live.connection;
    run(connection, back::BY_SIZE, "set up the session").await?;
    let staged = stage(connection, origin, pair, ticket.tenant).await?;
    let put = put(connection, &staged.stages, ticket.tenant, policy).await?;
    let left: Vec<(usize, usize, Open)> = staged.ties.left(&pair.sheets);
    let settled = references::settle(connection, origin, pair, ticket, left).await?;
    if pair.has_large_objects() {
        large_objects::restore(connection, origin, pair, ticket.tenant).await?;
    }
    let begun = std::time::Instant::now();
    verify(&staged.stages, &staged.tallies, connection, ticket.tenant, put.kept).await?;
    if put.is_whole() {
        let back = back::read_back(connection, pair, statements, ticket.tenant, u64::MAX).await?;
        back::compare(pair, ticket.tenant, &staged.tallies, &back)?;
    }
    let restored = Restored {
        rows: staged.tallies.iter().map(|tally| tally.rows).sum(),
        tables: back::named(pair, &staged.tallies),
        shared: settled.made,
        shared_differs: settled.differs,
        verifying: begun.elapsed(),
        ..put.restored()
    };
    load::close(live, pair, statements, ticket, &restored, &before).await?;
    Ok(restored)
}

/// What was done with staged rows.
pub(crate) struct Put {
    inserted: u64,
    replaced: u64,
    already: u64,
    /// Live rows that were kept.
    pub(crate) kept: u64,
    /// Whether live rows stay that were not staged.
    extra: bool,
}

impl Put {
    /// Whether the live rows of the tenant are now the staged ones, and no others.
    pub(crate) fn is_whole(&self) -> bool {
        self.kept == 0 && !self.extra
    }

    pub(crate) fn restored(&self) -> Restored {
        Restored {
            inserted: self.inserted,
            already: self.already,
            replaced: self.replaced,
            kept: self.kept,
            ..Restored::default()
        }
    }
}

/// Looks at every staged row and writes it, unless something is in the way that the policy does not settle.
pub(crate) async fn put(
    live: &mut PgConnection,
    stages: &[Stage<'_>],
    tenant: &str,
    policy: OnConflict,
) -> Result<Put, RestoreError> {
    let survey = survey(stages, live).await?;
    let stays = |conflict: &&Conflict| match conflict.kind {
        ConflictKind::Differs | ConflictKind::Extra => policy == OnConflict::Fail,
        _ => true,
    };
    let conflicts: Vec<Conflict> = survey.conflicts.iter().filter(stays).cloned().collect();
    if !conflicts.is_empty() {
        return Err(RestoreError::Conflict { tenant: tenant.to_owned(), conflicts });
    }
    let (mut inserted, mut replaced) = (0, 0);
    for stage in stages {
        if policy == OnConflict::Replace && survey.differs > 0 {
            replaced += stage.replace(live).await?;
        }
        inserted += stage.insert(live).await.map_err(|error| taken(tenant, stage.sheet, error))?;
    }
    Ok(Put {
        inserted,
        replaced,
        already: survey.already,
        kept: if policy == OnConflict::KeepLive { survey.differs } else { 0 },
        extra: survey.conflicts.iter().any(|conflict| conflict.kind == ConflictKind::Extra),
    })
}

/// An exclusion, or a unique expression, that only the server can judge.
fn taken(tenant: &str, sheet: &Sheet, error: RestoreError) -> RestoreError {
    let kind = match &error {
        RestoreError::Database { state: Some(state), .. } if state == "23P01" => ConflictKind::Exclusion,
        RestoreError::Database { state: Some(state), .. } if state == "23505" => ConflictKind::Unique,
        _ => return error,
    };
    let RestoreError::Database { why, .. } = &error else { return error };
    // The server names the constraint in quotes; the row's key is in its log.
    let constraint = why.split('"').nth(1).map(str::to_owned);
    let conflict = Conflict { table: sheet.label.clone(), kind, constraint, key: "a row".to_owned(), owner: None };
    RestoreError::Conflict { tenant: tenant.to_owned(), conflicts: vec![conflict] }
}

/// All rows of a tenant, staged.
pub(crate) struct Staged<'a> {
    pub(crate) stages: Vec<Stage<'a>>,
    pub(crate) tallies: Vec<Tally>,
    pub(crate) ties: Ties,
}

pub(crate) async fn survey(stages: &[Stage<'_>], live: &mut PgConnection) -> Result<Survey, RestoreError> {
    let mut survey = Survey::default();
    for stage in stages {
        stage.look(live, &mut survey).await?;
    }
    Ok(survey)
}

/// Checks that each staged row has an equal live one, but for those that were kept.
pub(crate) async fn verify(
    stages: &[Stage<'_>],
    tallies: &[Tally],
    live: &mut PgConnection,
    tenant: &str,
    mut kept: u64,
) -> Result<(), RestoreError> {
    let mut differences = Vec::new();
    for (stage, tally) in stages.iter().zip(tallies) {
        let without = tally.rows - stage.equal(live).await?.min(tally.rows);
        let excused = without.min(kept);
        kept -= excused;
        if without > excused {
            differences.push(format!("{}: {} of {} rows", stage.sheet.label, without - excused, tally.rows));
        }
    }
    if differences.is_empty() { Ok(()) } else { Err(RestoreError::Mismatch { tenant: tenant.to_owned(), differences }) }
}

async fn stage<'a>(
    live: &mut PgConnection,
    origin: &mut Origin,
    pair: &'a Pair,
    tenant: &str,
) -> Result<Staged<'a>, RestoreError> {
    let wanted = pair.wanted([tenant]);
    let all = &pair.sheets.all;
    let stages: Vec<Stage<'a>> = (0..all.len()).filter_map(|at| Stage::new(pair, all, at, &wanted)).collect();
    let mut tallies = vec![Tally::default(); all.len()];
    let see = |table: usize, row: &[u8], fields: &Fields| tallies[table].add(fields.span(row, 1, fields.len()));
    let ties = fill(live, origin, pair, tenant, see).await?;
    Ok(Staged { stages, tallies, ties })
}

/// Makes the twin of each table, and fills it with a tenant's rows; each is seen, the tenant's ID in its first field.
pub(crate) async fn fill(
    live: &mut PgConnection,
    origin: &mut Origin,
    pair: &Pair,
    tenant: &str,
    mut see: impl FnMut(usize, &[u8], &Fields),
) -> Result<Ties, RestoreError> {
    let wanted = pair.wanted([tenant]);
    let mut ties = Ties::new(&pair.sheets);
    for (table, sheet) in pair.sheets.all.iter().enumerate() {
        let Some(stage) = Stage::new(pair, &pair.sheets.all, table, &wanted) else { continue };
        stage.create(live).await?;
        let mut cutter = Cutter::default();
        let mut rows = Vec::new();
        let doing = || failed(format!("stage rows of {}", sheet.label));
        let mut copy = live.copy_in_raw(&stage.copy_in()).await.map_err(doing())?;
        if sheet.form == Form::Binary {
            rows.extend_from_slice(BINARY_HEAD);
        }
        let mut messages = origin.rows(pair, table, tenant).await?;
        let mut splitter = super::copy_stream::Splitter::new(sheet.form);
        while let Some(message) = futures::TryStreamExt::try_next(&mut messages).await? {
            splitter.feed(&message, |row| {
                cutter.fields.find(sheet.form, row)?;
                cutter.pass_all(sheet, row, &mut rows)?;
                see(table, row, &cutter.fields);
                ties.see(&pair.sheets, table, row, &cutter.fields, 1);
                Ok(())
            })?;
            if rows.len() >= send::CHUNK {
                copy.send(std::mem::take(&mut rows)).await.map_err(doing())?;
            }
        }
        splitter.finish()?;
        if sheet.form == Form::Binary {
            rows.extend_from_slice(BINARY_TAIL);
        }
        copy.send(rows).await.map_err(doing())?;
        copy.finish().await.map_err(doing())?;
        stage.analyse(live).await?;
    }
    Ok(ties)
}
