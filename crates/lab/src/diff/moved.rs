//! What a store should hold of sites that came back under another ID, and what it holds.

use std::collections::HashMap;

use super::Difference;
use super::alike::{self, Of};
use super::truth::display;
use crate::log::Change;
use crate::moves::Move;
use crate::schema::{Schema, Table};
use crate::value::Row;

/// The sites that came back under another ID, by either.
#[derive(Debug, Default)]
pub(super) struct Moves {
    all: Vec<Move>,
    by_old: HashMap<String, usize>,
    by_new: HashMap<String, usize>,
}

impl Moves {
    pub(super) fn new(all: Vec<Move>) -> Self {
        let by = |id: fn(&Move) -> &String| all.iter().enumerate().map(|(at, one)| (id(one).clone(), at)).collect();
        Self { by_old: by(|one| &one.old), by_new: by(|one| &one.new), all }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Move> {
        self.all.iter()
    }

    pub(super) fn of_old(&self, old: &str) -> Option<&Move> {
        self.by_old.get(old).map(|at| &self.all[*at])
    }

    pub(super) fn of_new(&self, new: &str) -> Option<&Move> {
        self.by_new.get(new).map(|at| &self.all[*at])
    }
}

/// The rows of one site that came back under another ID.
struct Pair {
    /// What the old site held at its point, by table and key.
    wanted: Vec<HashMap<Row, Row>>,
    found: Vec<(usize, Row)>,
}

/// The same of all such sites, in one store.
pub(super) struct Pairs<'a> {
    schema: &'static Schema,
    moves: &'a Moves,
    /// In the order of the moves.
    pairs: Vec<Pair>,
}

impl<'a> Pairs<'a> {
    pub(super) fn new(schema: &'static Schema, moves: &'a Moves) -> Self {
        let pair = || Pair { wanted: vec![HashMap::new(); schema.tables.len()], found: Vec::new() };
        Self { schema, moves, pairs: moves.all.iter().map(|_| pair()).collect() }
    }

    /// Takes in a row that a site held in the full backup.
    pub(super) fn held(&mut self, site: &str, table: usize, row: &Row) {
        if let Some(at) = self.moves.by_old.get(site) {
            let key = row[..self.schema.tables[table].key].to_vec();
            self.pairs[*at].wanted[table].insert(key, row.clone());
        }
    }

    /// Takes in what a site did, if it came before its point.
    pub(super) fn changed(&mut self, site: &str, at: i64, change: &Change) {
        let Some(index) = self.moves.by_old.get(site).filter(|index| at <= self.moves.all[**index].point) else {
            return;
        };
        let wanted = &mut self.pairs[*index].wanted;
        match change {
            Change::Put { table, row } => {
                wanted[*table].insert(row[..self.schema.tables[*table].key].to_vec(), row.clone());
            }
            Change::Delete { table, key } => drop(wanted[*table].remove(key)),
        }
    }

    /// Takes a row that is there, if it is a moved site's; gives it back otherwise.
    pub(super) fn found(&mut self, site: Option<&str>, table: usize, row: Row) -> Option<Row> {
        match site.and_then(|site| self.moves.by_new.get(site)) {
            Some(at) => self.pairs[*at].found.push((table, row)),
            None => return Some(row),
        }
        None
    }

    /// Says what the first table should hold of a moved site, in place of what its history says.
    pub(super) fn replace(&mut self, old: &str, rows: Vec<Row>) {
        if let (Some(at), Some(table)) = (self.moves.by_old.get(old), self.schema.tables.first()) {
            self.pairs[*at].wanted[0] = rows.into_iter().map(|row| (row[..table.key].to_vec(), row)).collect();
        }
    }

    /// The rows that one table should hold of a moved site, under its new ID.
    pub(super) fn rows(&self, moved: &Move, table: usize) -> Vec<Row> {
        let Some(at) = self.moves.by_old.get(&moved.old) else { return Vec::new() };
        self.pairs[*at].wanted[table].values().map(|row| moved.renamed(row.clone())).collect()
    }

    /// All rows that are there of moved sites, with table and site: what a rebuilt index holds is made of their numbers.
    pub(super) fn rows_found(&self) -> impl Iterator<Item = (usize, &str, &Row)> + Clone {
        let pairs = self.moves.all.iter().zip(&self.pairs);
        pairs.flat_map(|(moved, pair)| pair.found.iter().map(|(table, row)| (*table, moved.new.as_str(), row)))
    }

    /// Compares site by site.
    pub(super) fn compare(&self, store: &str) -> Vec<Difference> {
        let mut out = Vec::new();
        for (moved, pair) in self.moves.all.iter().zip(&self.pairs) {
            let renamed = pair.wanted.iter().enumerate();
            let renamed: Vec<(usize, Row)> =
                renamed.flat_map(|(at, rows)| rows.values().map(move |row| (at, moved.renamed(row.clone())))).collect();
            let unlike = alike::compare(self.schema, &of(&renamed), &of(&pair.found));
            let mut tell = |rows: Vec<Of<'_>>, what: &str| {
                out.extend(
                    rows.into_iter().map(|(at, row)| difference(store, &self.schema.tables[at], moved, row, what)),
                );
            };
            tell(unlike.missing, "is missing");
            tell(unlike.extra, "should not be there");
        }
        out
    }
}

fn of(rows: &[(usize, Row)]) -> Vec<Of<'_>> {
    rows.iter().map(|(at, row)| (*at, row)).collect()
}

fn difference(store: &str, table: &Table, moved: &Move, row: &Row, what: &str) -> Difference {
    let key: Vec<String> = row.iter().take(table.key).map(display).collect();
    let values: Vec<String> = row.iter().skip(table.key).map(display).collect();
    Difference {
        site: moved.old.clone(),
        store: store.to_owned(),
        table: table.name.to_owned(),
        key: key.join(" "),
        what: format!("{what} under the new ID {}: {}", moved.new, values.join(", ")),
    }
}
