//! Ways of tables whose rows lead on by one of several keys, and keys that lead on to nothing that a row is part of.

use super::edges::Edge;
use super::grow::Growth;
use super::model::{Link, Way};
use super::words;

/// More ways than these are no answer: a table that has them is nobody's until it is declared whose.
pub(super) const WAYS_MAX: usize = 24;

/// How often ways are looked for that others' late ones open: once for each step between tables.
const ROUNDS_MAX: usize = 8;

impl Growth<'_> {
    /// Whether a reference says what a row has to do with another just now, or once had, and so is no belonging.
    ///
    /// One that is emptied when its aim goes is of that kind, unless all keys of the schema that may be NULL are: then it
    /// says nothing, but of people who are members of several tenants.
    pub(super) fn is_mention(&self, edge: &Edge) -> bool {
        if edge.always || edge.hop.by == Link::Declared {
            return false;
        }
        let columns = &edge.hop.columns;
        let usual = columns.iter().any(|column| self.names_the_tenant(column));
        columns.iter().any(|column| words::is_passing(column))
            || (edge.forgets && !usual && (!self.forgetful || self.are_members(edge.hop.table)))
    }

    /// Whether rows of a table are people whom a table of pairs ties to tenants, so that one may be with several.
    fn are_members(&self, table: usize) -> bool {
        let people = words::are_people(&self.catalog.tables[table].name);
        people && self.known.iter().any(|edge| edge.always && edge.hop.to == table && self.ties_to_tenants(edge))
    }

    /// Whether a table ties each row of another to a tenant, each pair once.
    fn ties_to_tenants(&self, edge: &Edge) -> bool {
        let pairs = &self.catalog.tables[edge.hop.table];
        let others = self.known.iter().filter(|other| other.hop.table == edge.hop.table && other.hop.to == self.root);
        others.filter(|other| other.always).any(|other| {
            let both: Vec<String> = edge.hop.columns.iter().chain(&other.hop.columns).cloned().collect();
            pairs.is_unique(&both) && !pairs.is_unique(&edge.hop.columns)
        })
    }

    /// Adds every other way to those of a table that may end in NULL, the likeliest first: what a row is part of before
    /// who did something with it.
    pub(super) fn add_arms(&self, table: usize, ways: &mut Vec<Way>) {
        // A name is worth no more than another one: where a key says the tenant, no name need help.
        let names = ways.iter().any(is_named);
        self.add_arms_of(table, names, ways);
    }

    fn add_arms_of(&self, table: usize, names: bool, ways: &mut Vec<Way>) {
        let mut arms: Vec<((bool, u8, usize), Way)> = Vec::new();
        let edges = self.known.iter().chain(self.by_name.iter().filter(|_| names));
        for edge in edges.filter(|edge| edge.hop.table == table && edge.hop.to != table && !self.is_mention(edge)) {
            for way in self.over(edge) {
                let place = match (way.joins == 0, edge.doubt(self.catalog)) {
                    (true, doubt) if doubt < 3 && self.names_the_tenant(&way.column) => 0,
                    (false, 1) | (_, 0) => 1,
                    (true, 1 | 2) => 2,
                    (false, 2) => 3,
                    _ => 4,
                };
                let own = |other: &Way| way.joins == 0 && other.joins == 0 && other.column == way.column;
                if !ways.iter().any(|other| other.path == way.path || own(other)) {
                    arms.push(((edge.hop.by == Link::ByName, place, way.path.len()), way));
                }
            }
        }
        arms.sort_by_key(|(place, _)| *place);
        ways.extend(arms.into_iter().map(|(_, way)| way));
        // One too many is kept, as the sign that there are too many; more would only multiply from table to table.
        ways.truncate(WAYS_MAX + 1);
    }

    /// Tables whose rows lead on by one of several ways may have got theirs before the last aim had its own.
    pub(super) fn add_late_ways(&mut self) {
        // What one table gains, those below it gain in the next round.
        for _ in 0..ROUNDS_MAX {
            let mut gained = false;
            for table in (0..self.ways.len()).filter(|table| *table != self.root) {
                let own = &self.ways[table];
                let open = !own.is_empty() && own.iter().all(|way| !way.strict);
                let settled = |way: &Way| {
                    way.path.iter().any(|hop| hop.up) || way.path.first().is_some_and(|hop| hop.by == Link::Declared)
                };
                if !open || own.iter().any(settled) {
                    continue;
                }
                // A late way may be likelier than those that were there: all are put in their order again.
                let names = own.iter().any(is_named);
                let mut ways: Vec<Way> = own.iter().filter(|way| way.joins == 0 && is_named(way)).cloned().collect();
                self.add_arms_of(table, names, &mut ways);
                if !ways.is_empty() && ways != *own {
                    self.ways[table] = ways;
                    gained = true;
                }
            }
            if !gained {
                return;
            }
        }
    }
}

/// Whether a way begins with a reference that only a name suggests.
fn is_named(way: &Way) -> bool {
    way.path.first().is_some_and(|hop| hop.by == Link::ByName)
}
