//! Two sets of rows that should be the same but for the numbers of their rows.
//!
//! Nothing is assumed about how numbers were given. A row is known by its content and by what it refers to and what refers
//! to it: every row gets a colour from its own values, then again and again from the colours of its neighbours, until no two
//! rows are told apart that were not before. The two sets are the same if they have each colour equally often.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::schema::Schema;
use crate::value::{Row, Value};

/// A row of one of the sets, with the position of its table.
pub(super) type Of<'r> = (usize, &'r Row);

/// Rows that only one of the sets has.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Unlike<'r> {
    pub(super) missing: Vec<Of<'r>>,
    pub(super) extra: Vec<Of<'r>>,
}

type Colour = [u8; 16];

struct Node<'r> {
    of: Of<'r>,
    wanted: bool,
    /// Column and the node that its value refers to.
    refers: Vec<(usize, usize)>,
    colour: Colour,
}

/// Compares rows that should be there with rows that are.
pub(super) fn compare<'r>(schema: &Schema, wanted: &[Of<'r>], found: &[Of<'r>]) -> Unlike<'r> {
    let mut nodes = nodes(schema, wanted, true);
    let first = nodes.len();
    nodes.extend(self::nodes(schema, found, false).into_iter().map(|mut node| {
        node.refers.iter_mut().for_each(|(_, to)| *to += first);
        node
    }));
    let mut colours = 0;
    loop {
        // What differs by itself is told before it makes all that hangs on it different, too.
        let unlike = unlike(&nodes);
        if unlike != Unlike::default() {
            return unlike;
        }
        let now = nodes.iter().map(|node| node.colour).collect::<HashSet<_>>().len();
        if now == colours {
            return Unlike::default();
        }
        colours = now;
        refine(&mut nodes);
    }
}

/// The rows of one set, each with what it refers to and the colour of its own values.
fn nodes<'r>(schema: &Schema, rows: &[Of<'r>], wanted: bool) -> Vec<Node<'r>> {
    let mut by_id: HashMap<(usize, i64), usize> = HashMap::new();
    for (node, (position, row)) in rows.iter().enumerate() {
        if let (true, Some(id)) = (schema.tables[*position].is_numbered(), row.first().and_then(Value::as_int)) {
            by_id.insert((*position, id), node);
        }
    }
    let one = |(position, row): &Of<'r>| {
        let table = &schema.tables[*position];
        let to = |(column, parent): (usize, &str)| {
            let parent = schema.position(parent)?;
            let id = row.get(column)?.as_int()?;
            Some((column, *by_id.get(&(parent, id))?))
        };
        let refers: Vec<(usize, usize)> = table.references().filter_map(to).collect();
        let mut text = table.name.to_owned();
        for (column, value) in row.iter().enumerate() {
            text.push('\n');
            // A number that leads to no row of the set is what it is: it must be the same number.
            let numbered = (column == 0 && table.is_numbered()) || refers.iter().any(|(other, _)| *other == column);
            if numbered {
                text.push('#');
            } else {
                value.write_json(&mut text);
            }
        }
        Node { of: (*position, *row), wanted, refers, colour: hash([text.as_bytes()]) }
    };
    rows.iter().map(one).collect()
}

fn hash<'b>(parts: impl IntoIterator<Item = &'b [u8]>) -> Colour {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    let mut colour = Colour::default();
    colour.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    colour
}

/// Gives every row a colour that also tells those of the rows around it.
fn refine(nodes: &mut [Node<'_>]) {
    let mut around: Vec<Vec<Vec<u8>>> = vec![Vec::new(); nodes.len()];
    let told = |way: u8, table: usize, column: usize, colour: Colour| {
        [&[way][..], &(table as u64).to_le_bytes(), &(column as u64).to_le_bytes(), &colour].concat()
    };
    for (ix, node) in nodes.iter().enumerate() {
        for (column, to) in &node.refers {
            around[ix].push(told(0, node.of.0, *column, nodes[*to].colour));
            around[*to].push(told(1, node.of.0, *column, node.colour));
        }
    }
    for (node, mut around) in nodes.iter_mut().zip(around) {
        around.sort_unstable();
        node.colour = hash(std::iter::once(&node.colour[..]).chain(around.iter().map(Vec::as_slice)));
    }
}

fn unlike<'r>(nodes: &[Node<'r>]) -> Unlike<'r> {
    let mut by_colour: BTreeMap<Colour, (Vec<Of<'r>>, Vec<Of<'r>>)> = BTreeMap::new();
    for node in nodes {
        let (wanted, found) = by_colour.entry(node.colour).or_default();
        if node.wanted { wanted.push(node.of) } else { found.push(node.of) }
    }
    let mut out = Unlike::default();
    for (wanted, found) in by_colour.into_values() {
        let both = wanted.len().min(found.len());
        out.missing.extend(&wanted[both..]);
        out.extra.extend(&found[both..]);
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::schema::SHARD;

    fn page(id: i64, parent: Option<i64>, title: &str) -> (usize, Row) {
        let at = SHARD.position("pages").unwrap();
        (at, vec![id.into(), 1.into(), parent.into(), title.into(), "".into(), 1.into(), "a".into(), "t".into()])
    }

    fn judge(wanted: &[(usize, Row)], found: &[(usize, Row)]) -> (usize, usize) {
        fn of(rows: &[(usize, Row)]) -> Vec<Of<'_>> {
            rows.iter().map(|(at, row)| (*at, row)).collect()
        }
        let unlike = compare(&SHARD, &of(wanted), &of(found));
        (unlike.missing.len(), unlike.extra.len())
    }

    #[test]
    fn numbers_may_be_others_in_any_order_as_long_as_they_lead_to_the_same() {
        let wanted = [page(1, None, "a"), page(2, Some(1), "b"), page(3, Some(1), "c")];
        assert_eq!(judge(&wanted, &[page(70, None, "a"), page(9, Some(70), "b"), page(8, Some(70), "c")]), (0, 0));
        assert_eq!(judge(&wanted, &[page(70, None, "a"), page(9, Some(70), "b"), page(8, Some(70), "x")]), (1, 1));
        assert_ne!(judge(&wanted, &[page(70, None, "a"), page(9, Some(70), "b"), page(8, Some(9), "c")]), (0, 0));
        // A number that leads out of the site is no number of ours.
        assert_eq!(judge(&wanted, &[page(70, None, "a"), page(9, Some(1), "b"), page(8, Some(70), "c")]), (1, 1));
    }

    #[test]
    fn rows_of_equal_content_are_told_apart_by_what_hangs_on_them() {
        let wanted = [page(1, None, "a"), page(2, None, "a"), page(3, Some(1), "b"), page(4, Some(2), "b")];
        let swapped = [page(2, None, "a"), page(1, None, "a"), page(4, Some(1), "b"), page(3, Some(2), "b")];
        assert_eq!(judge(&wanted, &swapped), (0, 0));
        // Both children on one of two equal parents.
        let both = [page(1, None, "a"), page(2, None, "a"), page(3, Some(1), "b"), page(4, Some(1), "b")];
        assert_ne!(judge(&wanted, &both), (0, 0));
    }
}
