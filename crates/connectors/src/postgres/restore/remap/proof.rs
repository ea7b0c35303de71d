//! The proof: live rows, their IDs taken back through the map, are the backup's rows.

use sqlx::PgConnection;

use super::dangling::{self, Sought};
use super::plan::Plan;
use super::{Remap, carry, earlier, map, mirror};
use crate::postgres::restore::back;
use crate::postgres::restore::copy_stream::{Fields, Form};
use crate::postgres::restore::error::RestoreError;
use crate::postgres::restore::origin::Origin;
use crate::postgres::restore::pair::Pair;
use crate::postgres::restore::pairs::Pairs;
use crate::postgres::restore::tally::Tally;
use crate::postgres::restore::verify::{Checked, see};
use crate::postgres::restore::work::{self, Job};
use crate::postgres::restore::{references, session};

/// What is seen of the backup's rows while they pass by, without what the server computes from new IDs.
pub(super) struct Seen {
    pub(super) tallies: Vec<Tally>,
    /// For each table, the form and the fields that count; none if all do.
    counted: Vec<(Form, Option<Vec<usize>>)>,
    values: Vec<u8>,
}

impl Seen {
    pub(super) fn of(plan: &Plan, pair: &Pair) -> Self {
        let counted = pair.sheets.all.iter().zip(&plan.sheets).map(|(whole, reduced)| {
            let fields = (whole.computed != reduced.computed).then(|| {
                let computed = whole.computed.iter().enumerate().filter(|(_, name)| reduced.computed.contains(name));
                let stored = 0..whole.stored.len();
                stored.chain(computed.map(|(at, _)| whole.stored.len() + at)).map(|at| at + 1).collect()
            });
            (whole.form, fields)
        });
        Self { tallies: vec![Tally::default(); plan.sheets.len()], counted: counted.collect(), values: Vec::new() }
    }

    /// Counts a row, the tenant in its first field.
    pub(super) fn add(&mut self, table: usize, row: &[u8], fields: &Fields) {
        let (form, counted) = &self.counted[table];
        let Some(counted) = counted else {
            self.tallies[table].add(fields.span(row, 1, fields.len()));
            return;
        };
        self.values.clear();
        for (place, at) in counted.iter().enumerate() {
            if place > 0 && *form == Form::Text {
                self.values.push(b'\t');
            }
            self.values.extend_from_slice(fields.span(row, *at, *at + 1));
        }
        self.tallies[table].add(&self.values);
    }
}

/// The live rows of the new tenant, with columns named as in the table, as what stands after FROM.
fn live_rows(plan: &Plan, pair: &Pair, at: usize, tenant: &str) -> Option<String> {
    let rows = pair.closure.rows(&pair.backup, plan.sheets[at].place, &pair.wanted([tenant]))?;
    Some(format!("({}) AS t", rows.select(&carry::listed(plan, at, "t"))))
}

/// Reads the live rows of the new tenant with their IDs taken back.
pub(super) async fn back(
    live: &mut PgConnection,
    plan: &Plan,
    pair: &Pair,
    tenant: &str,
) -> Result<Vec<Tally>, RestoreError> {
    let mut tallies = vec![Tally::default(); plan.sheets.len()];
    for (at, tally) in tallies.iter_mut().enumerate() {
        if let Some(from) = live_rows(plan, pair, at, tenant) {
            *tally = mirror::back(live, plan, pair, (at, &from)).await?;
        }
    }
    Ok(tallies)
}

/// Compares a tenant under its new IDs with the recovered copy, by the map that the live database keeps; changes nothing.
///
/// # Errors
/// What keeps them from being compared.
pub(crate) async fn check(pairs: &Pairs, job: &Job, remap: &Remap) -> Result<Checked, RestoreError> {
    let (mut lane, pair, tenants) = work::begin(pairs, job).await?;
    let Some(was) = tenants.known.first().cloned() else {
        let why = tenants.left_out().find_map(|left| left.result.err());
        return Err(why.unwrap_or_else(|| RestoreError::NoTenant(job.tenants.join(", "))));
    };
    let ids = carry::ids(&mut lane.live, &pair, remap, &was).await?;
    let plan = Plan::of(&pair, &job.scope.closure, remap)?;
    let live = &mut lane.live.connection;
    // What is temporary has to be there before a transaction that only reads.
    map::recall(live, &plan, &pair, &ids).await?;
    let sought = Sought::gather(live, &plan, &ids).await?;
    session::snapshot(live).await?;
    let meant = meant(&mut lane.origin, &plan, &pair, &was).await?;
    earlier::find(live, &mut lane.origin, &plan, &pair, &ids).await?;
    let found = back(live, &plan, &pair, &ids.tenant).await?;
    let mut checked = Checked { tables: back::named(&pair, &found), ..Checked::default() };
    let differences = back::differences(&back::named(&pair, &meant), &checked.tables);
    checked.differences = differences.into_iter().map(|difference| format!("{}: {difference}", ids.tenant)).collect();
    for seen in see(live, &pair, std::slice::from_ref(&ids.tenant)).await? {
        let left = seen.ties.left(&pair.sheets);
        checked.dangling.extend(references::dangling(live, &pair, &ids.tenant, left).await?);
    }
    let rows = |at| live_rows(&plan, &pair, at, &ids.tenant);
    dangling::judge(remap, &ids, dangling::find(live, &plan, &pair, &sought, rows).await?)?;
    Ok(checked)
}

/// Reads the tenant's rows of the backup.
async fn meant(origin: &mut Origin, plan: &Plan, pair: &Pair, was: &str) -> Result<Vec<Tally>, RestoreError> {
    let mut seen = Seen::of(plan, pair);
    let mut fields = Fields::default();
    for (at, sheet) in pair.sheets.all.iter().enumerate() {
        let mut messages = origin.rows(pair, at, was).await?;
        let mut splitter = crate::postgres::restore::copy_stream::Splitter::new(sheet.form);
        while let Some(message) = futures::TryStreamExt::try_next(&mut messages).await? {
            splitter.feed(&message, |row| {
                fields.find(sheet.form, row)?;
                seen.add(at, row, &fields);
                Ok(())
            })?;
        }
        splitter.finish()?;
    }
    Ok(seen.tallies)
}
