//! A table's rows with other IDs, as SQL: to the new ones and, for the proof, back to the old ones.

use super::declared::Step;
use super::map;
use super::plan::{Domain, Plan, Spot};
use crate::postgres::catalog::Catalog;
use crate::postgres::quote::{literal, name};
use crate::postgres::restore::sheet::Sheet;

/// Which way IDs are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
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
pub(crate) fn select(plan: &Plan, catalog: &Catalog, at: usize, from: &str, direction: Direction) -> String {
    let sheet = &plan.sheets[at];
    let list: Vec<String> = sheet
        .stored
        .iter()
        .chain(&sheet.computed)
        .map(|column| format!("{} AS {}", value(plan, catalog, at, column, direction), name(column)))
        .collect();
    format!("SELECT {} FROM {from}{}", list.join(", "), joins(plan, catalog, at, direction))
}

/// Joins what maps hold of the columns of `t` that change.
pub(crate) fn joins(plan: &Plan, catalog: &Catalog, at: usize, direction: Direction) -> String {
    let (key, _) = direction.columns();
    let mut joins = String::new();
    for (place, change) in plan.tables[at].columns.iter().enumerate() {
        let domain = &plan.domains[change.domain];
        let own = format!("t.{}", name(&change.column));
        let equal = if comparable(catalog, &plan.sheets[at], &change.column, domain) {
            format!("m{place}.{key} = {own}")
        } else {
            format!("m{place}.{key}_text = {own}::text")
        };
        let when = condition(change.when.as_ref()).map(|when| format!(" AND {when}")).unwrap_or_default();
        joins.push_str(&format!(" LEFT JOIN {} AS m{place} ON {equal}{when}", map::table(change.domain)));
    }
    joins
}

/// The value of a column of `t`, with [`joins`] in place.
pub(crate) fn value(plan: &Plan, catalog: &Catalog, at: usize, column: &str, direction: Direction) -> String {
    let own = format!("t.{}", name(column));
    let changes = &plan.tables[at];
    let Some(data_type) = data_type(catalog, &plan.sheets[at], column) else { return own };
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
        value = format!("(SELECT {replaced} FROM (SELECT {value} AS v) AS p{place})");
    }
    value
}

fn condition(when: Option<&(String, String)>) -> Option<String> {
    when.map(|(column, value)| format!("t.{}::text = {}", name(column), literal(value)))
}

/// Whether values of a column are compared with those of a domain as they are; else as texts.
fn comparable(catalog: &Catalog, sheet: &Sheet, column: &str, domain: &Domain) -> bool {
    let number = |base: &str| matches!(base, "smallint" | "integer" | "bigint");
    let base = catalog.tables[sheet.place].column(column).map(|column| column.base_type.as_str());
    base.is_some_and(|base| base == domain.base_type || (number(base) && number(&domain.base_type)))
}

fn data_type<'c>(catalog: &'c Catalog, sheet: &Sheet, column: &str) -> Option<&'c str> {
    catalog.tables[sheet.place].column(column).map(|column| column.data_type.as_str())
}

/// Replaces the ID at the end of a path, in whatever arrays and objects the path leads through; what is not there, or is
/// of another form, stays.
fn in_json(given: &str, path: &[Step], domain: usize, direction: Direction, depth: usize) -> String {
    let inner = |given: &str| in_json(given, path.get(1..).unwrap_or_default(), domain, direction, depth + 1);
    let map = map::table(domain);
    match path.first() {
        None => {
            let (key, found) = direction.columns();
            // A number stays a number, a text a text.
            format!(
                "coalesce((SELECT CASE WHEN jsonb_typeof({given}) = 'number' AND m.{found}_text ~ '^-?[0-9]+$' \
                 THEN m.{found}_text::jsonb ELSE to_jsonb(m.{found}_text) END FROM {map} AS m \
                 WHERE m.{key}_text = {given} #>> '{{}}' AND jsonb_typeof({given}) IN ('number', 'string')), {given})"
            )
        }
        Some(Step::Key(key)) => {
            let (key, below) = (literal(key), format!("d{depth}.v"));
            format!(
                "(SELECT CASE WHEN jsonb_typeof({given}) = 'object' AND {below} IS NOT NULL \
                 THEN jsonb_set({given}, ARRAY[{key}], {}) ELSE {given} END FROM (SELECT {given} -> {key} AS v) AS d{depth})",
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

/// Replaces words of a text that are IDs as a whole: a word is a run of letters, digits, `_` and `-`.
fn in_text(given: &str, domain: usize, direction: Direction) -> String {
    let (key, found) = direction.columns();
    format!(
        "coalesce((SELECT string_agg(coalesce((SELECT m.{found}_text FROM {} AS m WHERE m.{key}_text = w.part[1]), w.part[1]), '' \
         ORDER BY w.i) FROM regexp_matches({given}::text, '[[:alnum:]_-]+|[^[:alnum:]_-]+', 'g') WITH ORDINALITY AS w(part, i)), {given}::text)",
        map::table(domain)
    )
}
