//! What differs between the backup's tables and the live ones that a restore relies on.

use super::types::Facts;
use crate::postgres::catalog::{Catalog, Column, Table};

/// A partition that the backup has and the live database has not: rows that lay there have no place to go.
#[derive(Clone, Debug)]
pub(crate) struct LostPartition {
    /// Its table, by place in the backup's catalogue.
    pub(crate) table: usize,
    pub(crate) schema: String,
    pub(crate) name: String,
}

/// Compares tables, by place in the backup's catalogue; returns differences in words, and lost partitions.
pub(crate) fn compare(
    backup: (&Catalog, &Facts),
    live: (&Catalog, &Facts),
    tables: &[usize],
) -> (Vec<String>, Vec<LostPartition>) {
    let mut found = Vec::new();
    let mut lost = Vec::new();
    if backup.1.encoding != live.1.encoding {
        found.push(format!("the encoding was {} and is {}", backup.1.encoding, live.1.encoding));
    }
    if backup.1.collation != live.1.collation {
        found.push(format!("the collation was {} and is {}", backup.1.collation, live.1.collation));
    }
    for &at in tables {
        let was = &backup.0.tables[at];
        let Some(place) = place(live.0, was) else {
            found.push(format!("{} is not there any more", was.label()));
            continue;
        };
        let is = &live.0.tables[place];
        if was.kind != is.kind {
            found.push(format!("{} was {:?} and is {:?}", was.label(), was.kind, is.kind));
        }
        columns(was, is, &mut found);
        labels(was, backup.1, live.1, &mut found);
        keys(was, is, &mut found);
        foreign_keys((backup.0, at), (live.0, place), &mut found);
        for partition in &was.partitions {
            if !is.partitions.iter().any(|other| other.bound == partition.bound) {
                lost.push(LostPartition { table: at, schema: partition.schema.clone(), name: partition.name.clone() });
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    (found, lost)
}

/// Returns where a table lies in another catalogue.
pub(crate) fn place(catalog: &Catalog, table: &Table) -> Option<usize> {
    catalog.tables.iter().position(|other| other.schema == table.schema && other.name == table.name)
}

fn columns(was: &Table, is: &Table, found: &mut Vec<String>) {
    let label = was.label();
    let words = |column: &Column| {
        let null = if column.not_null { " NOT NULL" } else { "" };
        let computed = if column.generated.is_some() { " GENERATED" } else { "" };
        format!("{}{null}{computed}", column.data_type)
    };
    for column in &was.columns {
        match is.column(&column.name) {
            None => found.push(format!("{label}.{} is not there any more", column.name)),
            Some(other) if words(column) != words(other) => {
                found.push(format!("{label}.{} was {} and is {}", column.name, words(column), words(other)));
            }
            Some(_) => {}
        }
    }
    for column in is.columns.iter().filter(|column| was.column(&column.name).is_none()) {
        found.push(format!("{label}.{} ({}) is new", column.name, words(column)));
    }
}

/// A label that is gone cannot be written; a new one does no harm.
fn labels(was: &Table, backup: &Facts, live: &Facts, found: &mut Vec<String>) {
    for column in &was.columns {
        let name = column.base_type.trim_end_matches("[]");
        let Some(labels) = backup.enums.get(name) else { continue };
        let there = live.enums.get(name).map(Vec::as_slice).unwrap_or_default();
        for label in labels.iter().filter(|label| !there.contains(label)) {
            found.push(format!("the type {name} has no label {label} any more"));
        }
    }
}

/// What keeps rows apart decides whether a row has a place. An index that is gone does no harm.
fn keys(was: &Table, is: &Table, found: &mut Vec<String>) {
    if was.primary_key() != is.primary_key() {
        let (was_key, is_key) = (was.primary_key().join(", "), is.primary_key().join(", "));
        found.push(format!("the primary key of {} was ({was_key}) and is ({is_key})", was.label()));
    }
    for index in is.indexes.iter().filter(|index| !index.primary) {
        let known = was.indexes.iter().any(|other| {
            (other.unique, other.exclusion, &other.columns, &other.predicate)
                == (index.unique, index.exclusion, &index.columns, &index.predicate)
        });
        if !known {
            found.push(format!("{} of {} is new", index.name, was.label()));
        }
    }
}

fn foreign_keys(backup: (&Catalog, usize), live: (&Catalog, usize), found: &mut Vec<String>) {
    let all = |(catalog, at): (&Catalog, usize)| -> Vec<String> {
        let own = catalog.foreign_keys.iter().filter(|key| key.child == at);
        own.map(|key| {
            let parent = catalog.tables[key.parent].label();
            format!(
                "({}) of {} to {parent} ({})",
                key.columns.join(", "),
                catalog.tables[at].label(),
                key.parent_columns.join(", ")
            )
        })
        .collect()
    };
    let (was, is) = (all(backup), all(live));
    found.extend(was.iter().filter(|key| !is.contains(key)).map(|key| format!("the key {key} is not there any more")));
    found.extend(is.iter().filter(|key| !was.contains(key)).map(|key| format!("the key {key} is new")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::catalog::{ForeignKey, Index, Partition};

    fn column(name: &str, data_type: &str, not_null: bool) -> Column {
        Column {
            name: name.into(),
            data_type: data_type.into(),
            base_type: data_type.into(),
            not_null,
            ..Column::default()
        }
    }

    fn index(name: &str, primary: bool, columns: &[&str]) -> Index {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Index { name: name.into(), primary, unique: true, whole: true, columns, ..Index::default() }
    }

    fn catalog() -> Catalog {
        let tables = ["issues", "projects"].map(|name| Table {
            schema: "public".into(),
            name: name.into(),
            columns: vec![column("id", "bigint", true), column("state", "state", false)],
            indexes: vec![index("pk", true, &["id"])],
            ..Table::default()
        });
        Catalog { tables: tables.into(), ..Catalog::default() }
    }

    fn facts(labels: &[&str]) -> Facts {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Facts { encoding: "UTF8".into(), enums: [("state".to_owned(), labels)].into(), ..Facts::default() }
    }

    #[test]
    fn each_difference_that_matters_is_named_and_no_other() {
        let check = |change: &dyn Fn(&mut Catalog), expected: &str| {
            let (was, mut is) = (catalog(), catalog());
            change(&mut is);
            let (found, _) = compare((&was, &facts(&["a"])), (&is, &facts(&["b", "a"])), &[0, 1]);
            assert_eq!(found.join("; "), expected);
        };
        check(&|_| {}, "");
        check(&|is| drop(is.tables.pop()), "projects is not there any more");
        check(&|is| is.tables[0].columns[1].not_null = true, "issues.state was state and is state NOT NULL");
        check(&|is| is.tables[0].columns.push(column("new", "text", true)), "issues.new (text NOT NULL) is new");
        check(&|is| is.tables[1].indexes.push(index("u", false, &["state"])), "u of projects is new");
        check(
            &|is| {
                is.foreign_keys.push(ForeignKey {
                    child: 0,
                    parent: 1,
                    columns: vec!["id".into()],
                    ..ForeignKey::default()
                })
            },
            "the key (id) of issues to projects () is new",
        );
        let is = catalog();
        let (found, _) = compare((&is, &facts(&["a", "gone"])), (&is, &facts(&["a"])), &[0]);
        assert_eq!(found, ["the type state has no label gone any more"]);
    }

    #[test]
    fn a_partition_that_is_gone_is_no_difference_but_lost() {
        let (mut was, is) = (catalog(), catalog());
        was.tables[0].partitions.push(Partition { schema: "s".into(), name: "p".into(), bound: "b".into() });
        let (found, lost) = compare((&was, &facts(&[])), (&is, &facts(&[])), &[0]);
        assert!(found.is_empty());
        assert_eq!((lost.len(), lost[0].name.as_str()), (1, "p"));
    }
}
