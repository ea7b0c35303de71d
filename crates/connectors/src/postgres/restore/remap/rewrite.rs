//! A table's rows with other IDs, as SQL: to the new ones and, for the proof, back to the old ones.

use super::declared::Step;
use super::map;
use super::plan::{Plan, Spot};
use crate::postgres::catalog::Catalog;
use crate::postgres::quote::{literal, name};
use crate::postgres::restore::sheet::Sheet;

/// A word of a text, as a regular expression.
pub(super) const WORD: &str = "[[:alnum:]_-]+";

/// Which way IDs are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    ToNew,
    ToOld,
}

impl Direction {
    /// What is looked up in the map, and what is found there.
    fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::ToNew => ("old", "new"),
            Self::ToOld => ("new", "old"),
        }
    }
}

/// Writes a query of rows `t` of `from` with other IDs: the columns of the sheet, under their names.
pub(super) fn select(plan: &Plan, catalog: &Catalog, at: usize, from: &str, direction: Direction) -> String {
    let sheet = &plan.sheets[at];
    let list: Vec<String> = sheet
        .stored
        .iter()
        .chain(&sheet.computed)
        .map(|column| format!("{} AS {}", value(plan, catalog, at, column, direction), name(column)))
        .collect();
    format!("SELECT {} FROM {from}{}", list.join(", "), joins(plan, at, direction))
}

/// Joins what the map holds of the columns of `t` that change.
pub(super) fn joins(plan: &Plan, at: usize, direction: Direction) -> String {
    let (key, _) = direction.columns();
    let mut joins = String::new();
    for (place, change) in plan.tables[at].columns.iter().enumerate() {
        let when = condition(change.when.as_ref()).map(|when| format!(" AND {when}")).unwrap_or_default();
        joins.push_str(&format!(
            " LEFT JOIN {} AS m{place} ON m{place}.domain = {} AND m{place}.{key} = t.{}::text{when}",
            map::TABLE,
            change.domain,
            name(&change.column)
        ));
    }
    joins
}

/// The value of a column of `t`, with [`joins`] in place.
pub(super) fn value(plan: &Plan, catalog: &Catalog, at: usize, column: &str, direction: Direction) -> String {
    let own = format!("t.{}", name(column));
    match data_type(catalog, &plan.sheets[at], column) {
        Some(data_type) => typed(plan, at, column, direction, (own, data_type)),
        None => own,
    }
}

/// The same as a text of any length, whatever the column's type would cut off. Not of JSON.
pub(super) fn as_text(plan: &Plan, at: usize, column: &str, direction: Direction) -> String {
    typed(plan, at, column, direction, (format!("t.{}::text", name(column)), "text"))
}

fn typed(plan: &Plan, at: usize, column: &str, direction: Direction, (own, data_type): (String, &str)) -> String {
    let changes = &plan.tables[at];
    let (_, found) = direction.columns();
    let mapped: Vec<String> = changes
        .columns
        .iter()
        .enumerate()
        .filter(|(_, change)| change.column == column)
        .map(|(place, _)| format!("m{place}.{found}::{data_type}"))
        .collect();
    let mut value = if mapped.is_empty() { own } else { format!("coalesce({}, {own})", mapped.join(", ")) };
    let spots: Vec<&Spot> = changes.json.iter().chain(&changes.text).filter(|spot| spot.column == column).collect();
    // Back through the same places in the opposite order, so that each undoes what it did.
    let ordered: Vec<&Spot> = if direction == Direction::ToOld { spots.into_iter().rev().collect() } else { spots };
    for (place, spot) in ordered.into_iter().enumerate() {
        let given = format!("p{place}.v");
        let is_json = changes.json.iter().any(|json| std::ptr::eq(json, spot));
        let replaced = match is_json {
            true => in_json(&given, &spot.path, spot.domain, direction, place * 100),
            false => format!("({})::{data_type}", in_text(&given, spot.domain, direction)),
        };
        let replaced = match condition(spot.when.as_ref()) {
            Some(when) => format!("CASE WHEN {when} THEN {replaced} ELSE {given} END"),
            None => replaced,
        };
        // OFFSET keeps the planner from writing what is inside wherever it is named, which would multiply with each place.
        value = format!("(SELECT {replaced} FROM (SELECT {value} AS v OFFSET 0) AS p{place})");
    }
    value
}

/// What must hold for a column to hold such IDs.
pub(super) fn condition(when: Option<&(String, String)>) -> Option<String> {
    when.map(|(column, value)| format!("t.{}::text = {}", name(column), literal(value)))
}

fn data_type<'c>(catalog: &'c Catalog, sheet: &Sheet, column: &str) -> Option<&'c str> {
    catalog.tables[sheet.place].column(column).map(|column| column.data_type.as_str())
}

/// Replaces the ID at the end of a path, in whatever arrays and objects the path leads through; what is not there, or is
/// of another form, stays.
fn in_json(given: &str, path: &[Step], domain: usize, direction: Direction, depth: usize) -> String {
    let inner = |given: &str| in_json(given, path.get(1..).unwrap_or_default(), domain, direction, depth + 1);
    match path.first() {
        None => {
            let (key, found) = direction.columns();
            // A number stays a number, a text a text.
            format!(
                "coalesce((SELECT CASE WHEN jsonb_typeof({given}) = 'number' AND m.{found} ~ '^-?[0-9]+$' \
                 THEN m.{found}::jsonb ELSE to_jsonb(m.{found}) END FROM {} AS m WHERE m.domain = {domain} \
                 AND m.{key} = {given} #>> '{{}}' AND jsonb_typeof({given}) IN ('number', 'string')), {given})",
                map::TABLE
            )
        }
        Some(Step::Key(key)) => {
            let (key, below) = (literal(key), format!("d{depth}.v"));
            format!(
                "(SELECT CASE WHEN jsonb_typeof({given}) = 'object' AND {below} IS NOT NULL \
                 THEN jsonb_set({given}, ARRAY[{key}], {}) ELSE {given} END FROM (SELECT {given} -> {key} AS v OFFSET 0) AS d{depth})",
                inner(&below)
            )
        }
        Some(Step::Each) => format!(
            "CASE WHEN jsonb_typeof({given}) = 'array' THEN coalesce((SELECT jsonb_agg({} ORDER BY d{depth}.i) \
             FROM jsonb_array_elements({given}) WITH ORDINALITY AS d{depth}(v, i)), {given}) ELSE {given} END",
            inner(&format!("d{depth}.v"))
        ),
        Some(Step::Values) => format!(
            "CASE WHEN jsonb_typeof({given}) = 'object' THEN coalesce((SELECT jsonb_object_agg(d{depth}.k, {}) \
             FROM jsonb_each({given}) AS d{depth}(k, v)), {given}) ELSE {given} END",
            inner(&format!("d{depth}.v"))
        ),
    }
}

/// Writes a query of the values at the end of a path.
pub(super) fn leaves(given: &str, path: &[Step], depth: usize) -> String {
    let Some((step, below)) = path.split_first() else { return format!("SELECT {given}") };
    let is = |kind: &str, then: &str, or: &str| {
        format!("CASE WHEN jsonb_typeof({given}) = '{kind}' THEN {given}{then} ELSE {or} END")
    };
    let values = match step {
        Step::Key(key) => format!("(SELECT {})", is("object", &format!(" -> {}", literal(key)), "NULL")),
        Step::Each => format!("(SELECT * FROM jsonb_array_elements({}))", is("array", "", "'[]'")),
        Step::Values => format!("(SELECT value FROM jsonb_each({}))", is("object", "", "'{}'")),
    };
    let below = leaves(&format!("e{depth}.v"), below, depth + 1);
    format!("SELECT l{depth}.v FROM {values} AS e{depth}(v), LATERAL ({below}) AS l{depth}(v)")
}

/// Replaces words of a text that are IDs as a whole: a word is a run of letters, digits, `_` and `-`.
fn in_text(given: &str, domain: usize, direction: Direction) -> String {
    let (key, found) = direction.columns();
    format!(
        "coalesce((SELECT string_agg(coalesce((SELECT m.{found} FROM {} AS m WHERE m.domain = {domain} AND m.{key} = w.part[1]), w.part[1]), '' \
         ORDER BY w.i) FROM regexp_matches({given}::text, '{WORD}|[^[:alnum:]_-]+', 'g') WITH ORDINALITY AS w(part, i)), {given}::text)",
        map::TABLE
    )
}
