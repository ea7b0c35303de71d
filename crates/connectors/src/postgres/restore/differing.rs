//! Rows of shared tables that restored rows refer to, held against the backup's: never updated, but told if they differ.
//!
//! Plans, regions or global users are few, and many tenants refer to the same ones. So what is compared are different
//! rows, all tables in one query a side, and what one tenant's restore has found holds for the others of its job.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgConnection};

use super::drift;
use super::error::{RestoreError, SHOWN, failed};
use super::pair::Pair;
use super::references::Key;
use super::sheet::Reference;
use crate::postgres::catalog::{Catalog, Generated};
use crate::postgres::closure::{Class, Closure};
use crate::postgres::quote::{columns, name};

/// Rows of one shared table that are there live with other contents than in the backup.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct SharedDiffers {
    /// How many; of several tenants with more than are named, at least so many.
    pub rows: u64,
    /// Keys of the first few, as `(id)=(5)`.
    pub keys: Vec<String>,
}

/// Shared rows that differ, by table.
pub(crate) type Differing = BTreeMap<String, SharedDiffers>;

/// What restored rows refer to in shared tables: table and columns of the key, and its values as texts.
#[derive(Debug, Default)]
pub(crate) struct Asked(BTreeMap<(usize, Vec<String>), BTreeSet<Vec<String>>>);

impl Asked {
    /// Adds values of a reference, given as one list for each column, if it refers to a shared table.
    pub(crate) fn add(&mut self, pair: &Pair, reference: &Reference, values: &[Vec<String>]) {
        if pair.closure.tables[reference.parent].class != Class::Shared {
            return;
        }
        let known = self.0.entry((reference.parent, reference.parent_columns.clone())).or_default();
        let rows = values.first().map_or(0, Vec::len);
        known.extend((0..rows).map(|at| values.iter().map(|column| column[at].clone()).collect()));
    }
}

/// Values of a key, each with the key of the row as people read it if that row differs.
type Known = HashMap<Vec<String>, Option<String>>;

/// What a job knows of shared rows.
#[derive(Debug, Default)]
pub(crate) struct Shared(Mutex<HashMap<(usize, Vec<String>), Known>>);

impl Shared {
    /// Tells which of the rows referred to differ; asks for those only that nobody of this job has asked for.
    ///
    /// Rows that are missing on either side are no difference here.
    pub(crate) async fn differing(
        &self,
        live: &mut PgConnection,
        backup: &mut PgConnection,
        pair: &Pair,
        asked: Asked,
    ) -> Result<Differing, RestoreError> {
        let open = self.open(pair, &asked);
        if !open.is_empty() {
            let (is, was) = futures::try_join!(texts(live, pair, &open), texts(backup, pair, &open))?;
            self.learn(open, &was, is);
        }
        Ok(self.told(pair, &asked))
    }

    /// What nobody has asked for yet.
    fn open(&self, pair: &Pair, asked: &Asked) -> Vec<Question> {
        let Ok(known) = self.0.lock() else { return Vec::new() };
        let mut open = Vec::new();
        for (key, values) in &asked.0 {
            let Some(columns) = pair.shared.get(&key.0).filter(|columns| !columns.is_empty()) else { continue };
            let known = known.get(key);
            let new = values.iter().filter(|value| known.is_none_or(|known| !known.contains_key(*value)));
            let values: Vec<Vec<String>> = new.cloned().collect();
            if !values.is_empty() {
                open.push(Question { key: key.clone(), columns: columns.clone(), values });
            }
        }
        open
    }

    fn learn(&self, open: Vec<Question>, was: &Texts, mut is: Texts) {
        let Ok(mut known) = self.0.lock() else { return };
        for (at, question) in open.into_iter().enumerate() {
            let known = known.entry(question.key).or_default();
            for (row, value) in question.values.into_iter().enumerate() {
                let place = (at, row);
                let differs = is.remove(&place).zip(was.get(&place)).filter(|(is, was)| is.texts != was.texts);
                known.insert(value, differs.map(|(is, _)| is.key));
            }
        }
    }

    /// What is known to differ of the rows that were asked for.
    pub(super) fn told(&self, pair: &Pair, asked: &Asked) -> Differing {
        let Ok(known) = self.0.lock() else { return Differing::new() };
        let mut keys = BTreeMap::<String, BTreeSet<String>>::new();
        for (key, values) in &asked.0 {
            let Some(known) = known.get(key) else { continue };
            let differ: Vec<String> = values.iter().filter_map(|value| known.get(value)?.clone()).collect();
            if !differ.is_empty() {
                keys.entry(pair.label(key.0)).or_default().extend(differ);
            }
        }
        keys.into_iter().map(|(table, keys)| (table, SharedDiffers::of(keys.len() as u64, keys))).collect()
    }
}

impl SharedDiffers {
    fn of(rows: u64, keys: impl IntoIterator<Item = String>) -> Self {
        Self { rows, keys: keys.into_iter().take(SHOWN).collect() }
    }
}

/// Puts together what several tenants' restores have found: rows that they share count once.
pub(crate) fn joined<'a>(all: impl IntoIterator<Item = &'a Differing>) -> Differing {
    let mut tables = BTreeMap::<&String, (bool, u64, BTreeSet<&String>)>::new();
    for (table, differs) in all.into_iter().flatten() {
        let (whole, most, keys) = tables.entry(table).or_insert((true, 0, BTreeSet::new()));
        *whole &= differs.rows == differs.keys.len() as u64;
        *most = (*most).max(differs.rows);
        keys.extend(&differs.keys);
    }
    let sum = |(whole, most, keys): (bool, u64, BTreeSet<&String>)| {
        let named = keys.len() as u64;
        SharedDiffers::of(if whole { named } else { named.max(most) }, keys.into_iter().cloned())
    };
    tables.into_iter().map(|(table, found)| (table.clone(), sum(found))).collect()
}

/// The columns of each shared table that both databases have: a column that came or went since is no difference of rows.
pub(crate) fn comparable(was: &Catalog, is: &Catalog, closure: &Closure) -> BTreeMap<usize, Vec<String>> {
    let common = |place: usize| {
        let table = &was.tables[place];
        let live = &is.tables[drift::place(is, table)?];
        let both = table.columns.iter().filter(|column| live.column(&column.name).is_some());
        // What is computed when it is read has nothing of its own.
        let stored = both.filter(|column| column.generated != Some(Generated::Virtual));
        Some((place, stored.map(|column| column.name.clone()).collect()))
    };
    closure.of_class(Class::Shared).filter_map(common).collect()
}

/// Values of a key that nobody has asked for.
struct Question {
    key: (usize, Vec<String>),
    /// Columns that are compared.
    columns: Vec<String>,
    values: Vec<Vec<String>>,
}

/// The row, or where a key is not unique the rows, of a value.
#[derive(Default)]
struct Found {
    key: String,
    /// Of each row a hash of all its values as texts.
    texts: Vec<String>,
}

/// Rows found, by question and value.
type Texts = HashMap<(usize, usize), Found>;

/// Reads the rows of all questions in one query.
async fn texts(connection: &mut PgConnection, pair: &Pair, open: &[Question]) -> Result<Texts, RestoreError> {
    let mut first = 1;
    let mut selects = Vec::with_capacity(open.len());
    for (at, question) in open.iter().enumerate() {
        let (table, of) = &question.key;
        let key = Key::new(pair, *table, of);
        let arrays: Vec<String> = (first..first + of.len()).map(|at| format!("${at}::text[]")).collect();
        let names: Vec<String> = (0..of.len()).map(|at| format!("c{at}")).collect();
        let shown: Vec<String> = of.iter().map(|column| format!("t.{}::text", name(column))).collect();
        selects.push(format!(
            "SELECT {at}::int4, v.n, concat_ws(', ', {}), encode(sha256(convert_to(ROW({})::text, 'UTF8')), 'hex') \
             FROM unnest({}) WITH ORDINALITY AS v({}, n) JOIN {} AS t ON {}",
            shown.join(", "),
            columns("t", &question.columns),
            arrays.join(", "),
            names.join(", "),
            key.qualified,
            key.matches
        ));
        first += of.len();
    }
    let mut query = sqlx::query_as::<_, (i32, i64, String, String)>(AssertSqlSafe(selects.join(" UNION ALL ")));
    for question in open {
        for column in 0..question.key.1.len() {
            query = query.bind(question.values.iter().map(|value| value[column].clone()).collect::<Vec<String>>());
        }
    }
    let rows = query.fetch_all(connection).await.map_err(failed("compare shared rows"))?;
    let mut texts = Texts::new();
    for (at, n, key, text) in rows {
        let (Ok(at), Ok(n)) = (usize::try_from(at), usize::try_from(n)) else { continue };
        let Some(question) = open.get(at) else { continue };
        let found = texts.entry((at, n.saturating_sub(1))).or_default();
        found.key = format!("({})=({key})", question.key.1.join(", "));
        found.texts.push(text);
    }
    texts.values_mut().for_each(|found| found.texts.sort_unstable());
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rows: u64, keys: &[&str]) -> Differing {
        let keys = keys.iter().map(|key| (*key).to_owned());
        [("plans".to_owned(), SharedDiffers::of(rows, keys))].into()
    }

    #[test]
    fn a_row_that_several_tenants_refer_to_counts_once() {
        assert_eq!(joined([&found(2, &["a", "b"]), &found(2, &["b", "c"])]), found(3, &["a", "b", "c"]));
        assert_eq!(joined([&found(900, &["a", "b"]), &found(1, &["c"])]), found(900, &["a", "b", "c"]));
        assert_eq!(joined([]), Differing::new());
    }
}
