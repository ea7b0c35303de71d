//! A table's ways as SQL.

use super::model::{Closure, Hop, Way};
use crate::postgres::catalog::Catalog;
use crate::postgres::quote::{columns, literal, name, qualified};

/// How to select rows of tenants from a table; the table itself is `t`, and each row comes once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// What stands after FROM when the whole table is read: every row of `t`, whosever it is.
    pub from: String,
    /// The tenant's ID of a row of `from`, as the root has it; NULL if the row is nobody's.
    pub tenant: String,
    /// FROM, tenant and condition of queries that find rows by their tenant, one for each way. No row is in two.
    branches: Vec<(String, String, String)>,
}

impl Rows {
    /// Returns a query of the rows of tenants.
    ///
    /// `list` is what is selected, in terms of `t`; what `{tenant}` stands for in it is put in. The condition's array is
    /// the text that [`Closure::rows`] was given.
    #[must_use]
    pub fn select(&self, list: &str) -> String {
        let queries = self.branches.iter().map(|(from, tenant, condition)| {
            format!("SELECT {} FROM {from} WHERE {condition}", list.replace("{tenant}", tenant))
        });
        queries.collect::<Vec<_>>().join("\nUNION ALL ")
    }
}

impl Closure {
    /// Returns how rows of a table are selected; `None` unless its class is `tenant`.
    ///
    /// `wanted` is the SQL of an array of tenant IDs: `$1`, or where nothing can be bound, as in COPY, a quoted literal
    /// cast to an array of [`Closure::key_type`].
    #[must_use]
    pub fn rows(&self, catalog: &Catalog, table: usize, wanted: &str) -> Option<Rows> {
        let ways = &self.tables.get(table)?.ways;
        let own = only(catalog, table);
        let mut whole = format!("{own} AS t");
        let mut tenants = Vec::new();
        let mut branches = Vec::new();
        for (at, way) in ways.iter().enumerate() {
            let outer = walk(catalog, way, "t", &format!("w{at}_"), Kind::Left);
            whole.push_str(&outer.joins);
            let inner = walk(catalog, way, "t", "w", Kind::Inner(wanted));
            let mut condition = format!("{} = ANY({wanted})", inner.tenant);
            for when in &inner.conditions {
                condition.push_str(&format!(" AND {when}"));
            }
            for (earlier, way) in ways[..at].iter().enumerate() {
                condition.push_str(&format!(" AND {} IS NULL", alone(catalog, way, &format!("e{earlier}_"))));
            }
            branches.push((format!("{own} AS t{}", inner.joins), inner.tenant, condition));
            tenants.push(guarded(&outer));
        }
        let tenant = match tenants.as_slice() {
            [] => return None,
            [one] => one.clone(),
            many => format!("coalesce({})", many.join(", ")),
        };
        Some(Rows { from: whole, tenant, branches })
    }
}

/// How the tables of a way are joined.
#[derive(Clone, Copy)]
enum Kind<'w> {
    /// Rows without a way stay.
    Left,
    /// Only rows of these tenants are wanted.
    Inner(&'w str),
}

struct Walk {
    joins: String,
    tenant: String,
    /// Conditions on `t` itself, under which the way holds.
    conditions: Vec<String>,
}

/// The tenant of a row, or NULL where a condition of the way does not hold.
fn guarded(walk: &Walk) -> String {
    if walk.conditions.is_empty() {
        walk.tenant.clone()
    } else {
        format!("CASE WHEN {} THEN {} END", walk.conditions.join(" AND "), walk.tenant)
    }
}

/// Joins the tables of a way, beginning after those of an alias.
fn walk(catalog: &Catalog, way: &Way, start: &str, prefix: &str, kind: Kind<'_>) -> Walk {
    let join = if matches!(kind, Kind::Left) { "LEFT JOIN" } else { "JOIN" };
    let mut walk = Walk { joins: String::new(), tenant: String::new(), conditions: Vec::new() };
    let mut near = start.to_owned();
    for (at, hop) in way.path[..way.joins].iter().enumerate() {
        let far = format!("{prefix}{at}");
        let when =
            hop.when.as_ref().map(|(column, value)| format!("{near}.{}::text = {}", name(column), literal(value)));
        if hop.one {
            let target = only(catalog, hop.to);
            walk.joins.push_str(&format!(" {join} {target} AS {far} ON {}", pairs(hop, &near, &far, when.as_deref())));
        } else {
            // Several rows there may mean this one: the rest of the way is walked first, and each row counted once.
            let rest = Way { path: way.path[at + 1..].to_vec(), joins: way.joins - at - 1, ..way.clone() };
            let inner = format!("{far}_");
            let beyond = self::walk(catalog, &rest, &inner, &format!("{inner}w"), kind);
            let wanted = match kind {
                Kind::Left => format!("{} IS NOT NULL", guarded(&beyond)),
                Kind::Inner(wanted) => format!("{} = ANY({wanted})", guarded(&beyond)),
            };
            let keys: Vec<String> = hop.to_columns.iter().map(|column| format!("{inner}.{}", name(column))).collect();
            let keys = keys.join(", ");
            // Rows of two tenants cannot mean one row of one; should it be so, the least is taken, every time.
            walk.joins.push_str(&format!(
                " {join} (SELECT DISTINCT ON ({keys}) {keys}, {} AS tenant FROM {} AS {inner}{} WHERE {wanted} \
                 ORDER BY {keys}, tenant) AS {far} ON {}",
                guarded(&beyond),
                only(catalog, hop.to),
                beyond.joins,
                pairs(hop, &near, &far, when.as_deref()),
            ));
            walk.tenant = format!("{far}.tenant");
            return walk;
        }
        near = far;
    }
    if way.joins == 0
        && let Some((column, value)) = way.path.first().and_then(|hop| hop.when.as_ref())
    {
        walk.conditions.push(format!("{near}.{}::text = {}", name(column), literal(value)));
    }
    walk.tenant = format!("{near}.{}", name(&way.column));
    walk
}

/// The tenant of a row of `t` by one way, as an expression.
fn alone(catalog: &Catalog, way: &Way, prefix: &str) -> String {
    let walk = walk(catalog, way, "t", prefix, Kind::Left);
    if walk.joins.is_empty() {
        guarded(&walk)
    } else {
        format!("(SELECT {} FROM (SELECT) AS {prefix}{})", guarded(&walk), walk.joins)
    }
}

fn pairs(hop: &Hop, near: &str, far: &str, when: Option<&str>) -> String {
    let one = columns(far, &hop.to_columns);
    let other = columns(near, &hop.columns);
    let equal = if hop.columns.len() == 1 { format!("{one} = {other}") } else { format!("({one}) = ({other})") };
    when.map_or(equal.clone(), |when| format!("{equal} AND {when}"))
}

/// A table without those that inherit from it: these are tables of their own.
fn only(catalog: &Catalog, table: usize) -> String {
    let it = &catalog.tables[table];
    let heirs = catalog.tables.iter().any(|other| other.inherits.contains(&table));
    format!("{}{}", if heirs { "ONLY " } else { "" }, qualified(&it.schema, &it.name))
}
