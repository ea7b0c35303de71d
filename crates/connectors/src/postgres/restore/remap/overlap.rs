//! Whether one value could be replaced twice: by two declarations of one column, the second taking what the first gave.

use sqlx::{AssertSqlSafe, PgConnection};

use super::declared::Step;
use super::error::RemapError;
use super::map;
use super::plan::{Changes, Domain, Plan};
use crate::postgres::restore::error::{RestoreError, failed};

/// Two domains whose IDs may meet in one value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meeting {
    /// The column, with its table.
    column: String,
    one: usize,
    other: usize,
}

/// Finds which domains meet in the columns of a table.
///
/// # Errors
/// Names two whose IDs are both numbers: what 12 becomes after 3 became 12 would depend on the order.
pub(super) fn meetings(domains: &[Domain], table: &str, changes: &Changes) -> Result<Vec<Meeting>, RemapError> {
    let columns = changes.columns.iter().map(|it| (&it.column, In::Value, it.domain, it.when.as_ref()));
    let json = changes.json.iter().map(|it| (&it.column, In::Json(&it.path), it.domain, it.when.as_ref()));
    let text = changes.text.iter().map(|it| (&it.column, In::Text, it.domain, it.when.as_ref()));
    let all = columns.chain(json).chain(text);
    let places: Vec<Place<'_>> =
        all.map(|(column, within, domain, when)| Place { column, within, domain, when }).collect();
    let mut meetings = Vec::new();
    for (at, other) in places.iter().enumerate() {
        for one in places[..at].iter().filter(|one| one.meets(other)) {
            let column = format!("{table}.{}", one.column);
            let named = |domain: usize| format!("{}.{}", domains[domain].table, domains[domain].column);
            let (first, second) = (&domains[one.domain], &domains[other.domain]);
            if first.is_number() && second.is_number() {
                return Err(RemapError::Ambiguous { column, one: named(one.domain), other: named(other.domain) });
            }
            let apart = |one: &Domain, other: &Domain| one.is_number() && other.is_uuid();
            if !apart(first, second) && !apart(second, first) {
                meetings.push(Meeting { column, one: one.domain, other: other.domain });
            }
        }
    }
    Ok(meetings)
}

/// Checks that domains which meet share no ID, old or new.
///
/// UUIDs do not by chance; a key of two tables, or a tenant's ID that is a text, may.
pub(super) async fn find(live: &mut PgConnection, plan: &Plan) -> Result<(), RestoreError> {
    for Meeting { column, one, other } in &plan.meetings {
        // Within one domain, each old ID has one new one: only a chain is in question.
        let chains = [("new", "old"), ("old", "new")];
        let same = [("old", "old"), ("new", "new")];
        let ways = chains.iter().chain(same.iter().filter(|_| one != other));
        let exists: Vec<String> = ways
            .map(|(a, b)| {
                format!(
                    "EXISTS (SELECT FROM {0} AS a JOIN {0} AS b ON a.{a} = b.{b} WHERE a.domain = {one} AND b.domain = {other})",
                    map::TABLE
                )
            })
            .collect();
        let select = format!("SELECT {}", exists.join(" OR "));
        let (meet,): (bool,) = sqlx::query_as(AssertSqlSafe(select))
            .fetch_one(&mut *live)
            .await
            .map_err(failed(format!("compare IDs that {column} may hold")))?;
        if meet {
            let named = |at: usize| format!("{}.{}", plan.domains[at].table, plan.domains[at].column);
            let (one, other) = (named(*one), named(*other));
            return Err(RemapError::Ambiguous { column: column.clone(), one, other }.into());
        }
    }
    Ok(())
}

/// Whether no row fulfils both conditions.
pub(super) fn exclude(one: Option<&(String, String)>, other: Option<&(String, String)>) -> bool {
    matches!((one, other), (Some((column, value)), Some((theirs, other))) if column == theirs && value != other)
}

/// Where IDs of a domain are within a column.
struct Place<'c> {
    column: &'c str,
    within: In<'c>,
    domain: usize,
    when: Option<&'c (String, String)>,
}

enum In<'c> {
    /// Each value is an ID as a whole. Several are looked up at once, and one is taken.
    Value,
    Json(&'c [Step]),
    Text,
}

impl Place<'_> {
    fn meets(&self, other: &Self) -> bool {
        let apart = match (&self.within, &other.within) {
            (In::Value, In::Value) => self.domain == other.domain,
            (In::Json(one), In::Json(other)) => !cross(one, other),
            _ => false,
        };
        self.column == other.column && !apart && !exclude(self.when, other.when)
    }
}

/// Whether two paths may lead to one value: an ID ends a path, so that none leads on from it.
fn cross(one: &[Step], other: &[Step]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|steps| match steps {
            (Step::Key(one), Step::Key(other)) => one == other,
            (Step::Each, it) | (it, Step::Each) => *it == Step::Each,
            (Step::Values, _) | (_, Step::Values) => true,
        })
}
