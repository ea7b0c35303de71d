//! One tenant into the live database under new IDs: staged, rewritten as sets, written, and read back through the map.

use std::time::Instant;

use super::dangling::{self, Sought};
use super::map::{self, Draw};
use super::plan::Plan;
use super::{Ids, Remap, RemapError, Remapped, clash, earlier, kept, mirror, overlap, proof};
use crate::postgres::closure::Options;
use crate::postgres::quote::columns;
use crate::postgres::restore::back;
use crate::postgres::restore::careful::{self, Looked};
use crate::postgres::restore::differing::Shared;
use crate::postgres::restore::error::RestoreError;
use crate::postgres::restore::load::{self, Opened, Restored, Ticket};
use crate::postgres::restore::origin::Origin;
use crate::postgres::restore::pair::Pair;
use crate::postgres::restore::sequences::Raised;
use crate::postgres::restore::session::{Live, run};
use crate::postgres::restore::stage::Stage;
use crate::postgres::restore::statements::Statements;
use crate::postgres::restore::tally::Tally;
use crate::postgres::restore::ties::Open;
use crate::postgres::restore::work::OnConflict;
use crate::postgres::restore::{large_objects, ledger, references};

/// The parts of a restore under new IDs.
struct Carry<'a> {
    pair: &'a Pair,
    plan: Plan,
    remap: &'a Remap,
    ids: Ids,
}

impl<'a> Carry<'a> {
    async fn of(
        live: &mut Live,
        pair: &'a Pair,
        options: &Options,
        remap: &'a Remap,
        was: &str,
    ) -> Result<Self, RestoreError> {
        let ids = ids(live, pair, remap, was).await?;
        Ok(Self { pair, plan: Plan::of(pair, options, remap)?, remap, ids })
    }
}

/// Writes the new ID as the root's key is written.
pub(super) async fn ids(live: &mut Live, pair: &Pair, remap: &Remap, was: &str) -> Result<Ids, RestoreError> {
    let tenant = pair.canonical(&mut live.connection, &remap.tenant).await?;
    if tenant == was {
        return Err(RemapError::Same(tenant).into());
    }
    Ok(Ids { was: was.to_owned(), tenant })
}

/// Restores a tenant of the backup under new IDs, by the policy for live rows of the new one.
///
/// Either everything is committed and verified, with its map of IDs, or nothing was changed. Numbers that sequences have
/// given out are not given back.
///
/// # Cancel safety
/// As [`load::fast`].
pub(crate) async fn restore(
    live: &mut Live,
    origin: &mut Origin,
    (pair, options): (&Pair, &Options),
    remap: &Remap,
    ticket: Ticket<'_>,
    policy: OnConflict,
) -> Result<Restored, RestoreError> {
    let carry = Carry::of(live, pair, options, remap, ticket.tenant).await?;
    let ticket = Ticket { tenant: &carry.ids.tenant, ..ticket };
    load::begin(&mut live.connection).await?;
    let done = carry.attempt(live, origin, ticket, policy).await;
    load::end(&mut live.connection, done).await
}

/// Looks what a restore under new IDs would do once sequences are raised; no number of one is used up.
pub(crate) async fn look(
    live: &mut Live,
    origin: &mut Origin,
    (pair, options): (&Pair, &Options),
    remap: &Remap,
    (was, raised): (&str, &[Raised]),
) -> Result<Looked, RestoreError> {
    let carry = Carry::of(live, pair, options, remap, was).await?;
    load::begin(&mut live.connection).await?;
    let found = carry.looked(live, origin, raised).await;
    load::rollback(&mut live.connection).await?;
    found
}

/// Rows under their new IDs, staged.
struct Rewritten<'c> {
    stages: Vec<Stage<'c>>,
    /// What was seen of the backup's rows.
    tallies: Vec<Tally>,
    left: Vec<(usize, usize, Open)>,
    dangling: Vec<super::Dangling>,
}

impl Carry<'_> {
    async fn attempt(
        &self,
        live: &mut Live,
        origin: &mut Origin,
        ticket: Ticket<'_>,
        policy: OnConflict,
    ) -> Result<Restored, RestoreError> {
        let (pair, plan, tenant) = (self.pair, &self.plan, self.ids.tenant.as_str());
        let statements = Statements::new(pair);
        let before = match load::open(live, &statements, ticket).await? {
            Opened::Before(restored) => return self.is_this(restored),
            Opened::New { before, .. } => before,
        };
        // An undo that came first may have known the tenant by its new ID only.
        let renamed = format!("{}/{tenant}", ticket.unit);
        if let Some(by) = ledger::row(&mut live.connection, &renamed).await?.and_then(|entry| entry.undone_by) {
            return Err(RestoreError::Undone(by));
        }
        kept::claim(&mut live.connection, &pair.label(pair.closure.root), tenant).await?;
        let rewritten = self.stage(live, origin, Draw::Real).await?;
        let connection = &mut live.connection;
        let put = careful::put(connection, &rewritten.stages, tenant, policy).await?;
        let settled = references::settle(connection, origin, pair, ticket, rewritten.left).await?;
        if pair.has_large_objects() {
            large_objects::restore(connection, origin, pair, &self.ids.was).await?;
        }
        let begun = Instant::now();
        let tables = if put.is_whole() {
            let back = proof::back(connection, plan, pair, tenant).await?;
            back::compare(pair, tenant, &rewritten.tallies, &back)?;
            let rows = rewritten.tallies.iter().map(|tally| tally.rows).sum();
            back::read_back(connection, pair, &statements, tenant, rows).await?
        } else {
            careful::verify(&rewritten.stages, &rewritten.tallies, connection, tenant, put.kept).await?;
            rewritten.tallies.clone()
        };
        let verifying = begun.elapsed();
        let put = put.restored();
        let wrote = put.inserted + put.replaced > 0;
        let restored = Restored {
            rows: rewritten.tallies.iter().map(|tally| tally.rows).sum(),
            tables: back::named(pair, &tables),
            shared: settled.made,
            shared_differs: settled.differs,
            verifying,
            remapped: Some(Box::new(Remapped {
                was: self.ids.was.clone(),
                tenant: tenant.to_owned(),
                ids: kept::keep(connection, plan, pair, &self.ids, (ticket, wrote)).await?,
                dangling: rewritten.dangling,
                backup: back::named(pair, &rewritten.tallies),
            })),
            ..put
        };
        load::close(live, pair, &statements, ticket, &restored, &before).await?;
        Ok(restored)
    }

    /// Whether what was done under this key is what is asked for.
    fn is_this(&self, restored: Restored) -> Result<Restored, RestoreError> {
        let done = restored.remapped.as_ref().map_or(&self.ids.was, |remapped| &remapped.tenant);
        if *done == self.ids.tenant {
            Ok(restored)
        } else {
            Err(RemapError::Other { done: done.clone(), asked: self.ids.tenant.clone() }.into())
        }
    }

    async fn looked(&self, live: &mut Live, origin: &mut Origin, raised: &[Raised]) -> Result<Looked, RestoreError> {
        let mut rewritten = self.stage(live, origin, Draw::Pretended(raised)).await?;
        let connection = &mut live.connection;
        let mut survey = careful::survey(&rewritten.stages, connection).await?;
        if let Some(backup) = origin.server()
            && self.pair.has_large_objects()
        {
            survey.conflicts.extend(large_objects::look(connection, backup, self.pair, &self.ids.was).await?.1);
        }
        // What refers to rows of the tenant itself can be asked for only when they are there.
        rewritten.left.retain(|(.., open)| !open.all_rows);
        let none = |_| None;
        let with = (self.ids.was.as_str(), &[][..], &Shared::default());
        let (missing, shared_differs) =
            references::missing(connection, origin, self.pair, with, rewritten.left, none).await?;
        Ok(Looked {
            tables: back::named(self.pair, &rewritten.tallies),
            rows: rewritten.tallies.iter().map(|tally| tally.rows).sum(),
            already: survey.already,
            conflicts: survey.conflicts,
            missing,
            shared_differs,
        })
    }

    /// Brings the backup's rows beside the live ones, under new IDs, and looks for old ones that are left.
    async fn stage(&self, live: &mut Live, origin: &mut Origin, draw: Draw<'_>) -> Result<Rewritten<'_>, RestoreError> {
        let (pair, plan) = (self.pair, &self.plan);
        let connection = &mut live.connection;
        kept::agree(connection, plan, pair, &self.ids).await?;
        run(connection, back::BY_SIZE, "set up the session").await?;
        let mut seen = proof::Seen::of(plan, pair);
        let ties = careful::fill(connection, origin, pair, &self.ids.was, |table, row, fields| {
            seen.add(table, row, fields);
        })
        .await?;
        let wanted = pair.wanted([self.ids.tenant.as_str()]);
        let mut stages: Vec<Stage<'_>> =
            (0..plan.sheets.len()).filter_map(|at| Stage::new(pair, &plan.sheets, at, &wanted)).collect();
        map::draw(connection, plan, pair, &stages, &self.ids, draw).await?;
        earlier::find(connection, origin, plan, pair, &self.ids).await?;
        overlap::find(connection, plan).await?;
        clash::find(connection, plan, &stages).await?;
        let filled = |at: usize| seen.tallies[at].rows > 0;
        for (at, stage) in stages.iter_mut().enumerate().filter(|(at, _)| filled(*at)) {
            mirror::rewrite(connection, plan, pair, (at, stage), &seen.tallies[at]).await?;
        }
        let twin = |at: usize| filled(at).then(|| format!("{} AS t", stages[at].twin));
        let sought = Sought::gather(connection, plan, &self.ids).await?;
        let found = dangling::find(connection, plan, pair, &sought, twin).await?;
        let dangling = dangling::judge(self.remap, &self.ids, found)?;
        let mut left = ties.left(&pair.sheets);
        for (table, at, open) in &mut left {
            let reference = &pair.sheets.all[*table].references[*at];
            // Seen were the old values; the live rows are asked for the new ones.
            open.all_rows |= reference.columns.iter().any(|column| plan.tables[*table].touches(column));
        }
        Ok(Rewritten { stages, tallies: seen.tallies, left, dangling })
    }
}

/// Columns of a sheet as they stand after an alias, for rows of a query inside.
pub(super) fn listed(plan: &Plan, at: usize, alias: &str) -> String {
    let sheet = &plan.sheets[at];
    let all: Vec<String> = sheet.stored.iter().chain(&sheet.computed).cloned().collect();
    columns(alias, &all)
}
