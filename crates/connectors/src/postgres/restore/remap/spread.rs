//! From the columns that get new values to all that follow them, over every reference that there is.

use std::collections::BTreeMap;

use super::declared::Remap;
use super::error::RemapError;
use super::overlap;
use super::plan::{Change, Domain, Source};
use crate::glob;
use crate::postgres::catalog::Table;
use crate::postgres::closure::{Class, Hop, Link, Options, references};
use crate::postgres::restore::error::RestoreError;
use crate::postgres::restore::pair::Pair;

/// What is known while new IDs spread.
pub(super) struct Spread<'p> {
    pair: &'p Pair,
    keep: &'p [String],
    hops: Vec<Hop>,
    pub(super) domains: Vec<Domain>,
    changes: BTreeMap<(usize, String), Vec<Change>>,
    /// Numbers that nothing gives out.
    numberless: Vec<String>,
}

impl<'p> Spread<'p> {
    /// Gives new IDs to the tenant and to every key that would be taken otherwise, and lets them spread.
    pub(super) fn over(pair: &'p Pair, options: &Options, remap: &'p Remap) -> Result<Self, RestoreError> {
        let hops = all_references(pair, options)?;
        let mut spread = Self {
            pair,
            keep: &remap.keep,
            hops,
            domains: Vec::new(),
            changes: BTreeMap::new(),
            numberless: Vec::new(),
        };
        let (root, key) = (pair.closure.root, pair.closure.key.clone());
        if spread.keeps(root, &key) {
            let parent = "the tenant's new ID".to_owned();
            return Err(RemapError::Kept { column: spread.label(root, &key), parent }.into());
        }
        spread.add(root, &key, Source::Tenant);
        spread.on()?;
        // Keys of one column first: whether a longer one already tells the tenants apart follows from them.
        for long in [false, true] {
            for &place in &pair.closure.order {
                for unique in spread.keys(place).into_iter().filter(|columns| (columns.len() > 1) == long) {
                    spread.renew(place, &unique)?;
                }
            }
        }
        if spread.numberless.is_empty() { Ok(spread) } else { Err(RemapError::NoSequence(spread.numberless).into()) }
    }

    /// Returns what changes in a table.
    pub(super) fn of(&self, place: usize) -> Vec<Change> {
        let columns = &self.pair.backup.tables[place].columns;
        let changes = columns.iter().filter_map(|column| self.changes.get(&(place, column.name.clone())));
        changes.flatten().cloned().collect()
    }

    /// Returns of which domain every value of a column is.
    pub(super) fn domain(&self, place: usize, column: &str) -> Option<usize> {
        let changes = self.changes.get(&(place, column.to_owned()))?;
        changes.iter().find(|change| change.when.is_none()).map(|change| change.domain)
    }

    /// Whether a column is to keep its values.
    pub(super) fn keeps(&self, place: usize, column: &str) -> bool {
        let label = self.label(place, column);
        self.keep.iter().any(|kept| glob::fits(kept, &label))
    }

    fn label(&self, place: usize, column: &str) -> String {
        format!("{}.{column}", self.pair.label(place))
    }

    fn table(&self, place: usize) -> &'p Table {
        &self.pair.backup.tables[place]
    }

    /// Unique keys of a table that rows may refer to: its primary key, and what is referred to.
    fn keys(&self, place: usize) -> Vec<Vec<String>> {
        let table = self.table(place);
        let mut keys: Vec<Vec<String>> = Vec::new();
        let referred = self.hops.iter().filter(|hop| hop.to == place && !hop.up).map(|hop| &hop.to_columns);
        for key in std::iter::once(&table.primary_key().to_vec()).chain(referred) {
            if !key.is_empty() && table.is_unique(key) && !keys.contains(key) {
                keys.push(key.clone());
            }
        }
        keys
    }

    /// Gives new values to the columns of a key, unless another of its columns changes already: then what is unique for
    /// one tenant stays unique.
    fn renew(&mut self, place: usize, key: &[String]) -> Result<(), RemapError> {
        if key.iter().any(|column| self.domain(place, column).is_some()) {
            return Ok(());
        }
        let table = self.table(place);
        let open: Vec<&String> =
            key.iter().filter(|column| !self.keeps(place, column) && !self.refers(place, column)).collect();
        let sources: Vec<(String, Option<Source>)> = open
            .into_iter()
            .filter_map(|name| table.column(name))
            .filter_map(|column| {
                let number = matches!(column.base_type.as_str(), "smallint" | "integer" | "bigint");
                match column.base_type.as_str() {
                    "uuid" => Some((column.name.clone(), Some(Source::Uuid))),
                    _ if number => Some((column.name.clone(), self.sequence(place, &column.name))),
                    _ => None,
                }
            })
            .collect();
        let restored = self.pair.sheets.all.iter().any(|sheet| sheet.place == place);
        for (column, source) in sources {
            match source {
                // Rows that another restore has written have their new IDs in the map.
                Some(_) | None if !restored => self.add(place, &column, Source::Earlier),
                Some(source) => self.add(place, &column, source),
                // Numbers within a longer key count something; alone they are an ID.
                None if key.len() == 1 => self.numberless.push(self.label(place, &column)),
                None => {}
            }
        }
        self.on()
    }

    /// Whether a column refers to something: then its values are not its own.
    fn refers(&self, place: usize, column: &str) -> bool {
        self.hops.iter().any(|hop| {
            let own = hop.table == place && hop.columns.iter().any(|name| name == column);
            own && hop.to != place && hop.when.is_none()
        })
    }

    fn sequence(&self, place: usize, column: &str) -> Option<Source> {
        let found = self.pair.numbers.iter().find(|it| it.table == place && it.column == column)?;
        let (schema, name, increment) = (found.schema.clone(), found.name.clone(), found.increment);
        Some(Source::Sequence { schema, name, increment })
    }

    fn add(&mut self, place: usize, column: &str, source: Source) {
        let Some(it) = self.table(place).column(column) else { return };
        let change = Change { column: column.to_owned(), domain: self.domains.len(), when: None };
        self.domains.push(Domain {
            place,
            table: self.pair.label(place),
            column: column.to_owned(),
            data_type: it.data_type.clone(),
            base_type: it.base_type.clone(),
            source,
        });
        self.changes.insert((place, column.to_owned()), vec![change]);
    }

    /// Lets what has changed spread over references until nothing more follows.
    fn on(&mut self) -> Result<(), RemapError> {
        loop {
            let mut more = Vec::new();
            for hop in &self.hops {
                for (own, theirs) in hop.columns.iter().zip(&hop.to_columns) {
                    if let Some(domain) = self.domain(hop.to, theirs)
                        && let Some(change) = self.follow(hop, own, domain)?
                    {
                        more.push((hop.table, change));
                    }
                }
            }
            if more.is_empty() {
                return Ok(());
            }
            for (place, change) in more {
                let known = self.changes.entry((place, change.column.clone())).or_default();
                if !known.contains(&change) {
                    known.push(change);
                }
            }
        }
    }

    /// Says how a column follows a domain by a reference; nothing if it does already, or is not to.
    fn follow(&self, hop: &Hop, column: &str, domain: usize) -> Result<Option<Change>, RemapError> {
        let named = |domain: usize| format!("{}.{}", self.domains[domain].table, self.domains[domain].column);
        if self.keeps(hop.table, column) {
            return match hop.by {
                Link::ForeignKey(_) | Link::Inherited(_) => {
                    Err(RemapError::Kept { column: self.label(hop.table, column), parent: named(domain) })
                }
                _ => Ok(None),
            };
        }
        let change = Change { column: column.to_owned(), domain, when: hop.when.clone() };
        let known = self.changes.get(&(hop.table, column.to_owned())).map(Vec::as_slice).unwrap_or_default();
        // What always holds needs no condition.
        if known.iter().any(|other| other.domain == domain && (other.when == change.when || other.when.is_none())) {
            return Ok(None);
        }
        let other = known
            .iter()
            .find(|other| other.domain != domain && !overlap::exclude(other.when.as_ref(), change.when.as_ref()));
        match other {
            None => Ok(Some(change)),
            // A name is no proof against what is known.
            Some(_) if hop.by == Link::ByName => Ok(None),
            Some(other) => Err(RemapError::Ambiguous {
                column: self.label(hop.table, column),
                one: named(other.domain),
                other: named(domain),
            }),
        }
    }
}

/// All references of tenants' tables: known, declared, by name, and columns that hold the tenant's ID.
fn all_references(pair: &Pair, options: &Options) -> Result<Vec<Hop>, RestoreError> {
    let mut hops = references(&pair.backup, options)?;
    let closure = &pair.closure;
    let holds = |table: usize, column: &str, by: Link| Hop {
        table,
        columns: vec![column.to_owned()],
        to: closure.root,
        to_columns: vec![closure.key.clone()],
        up: false,
        one: true,
        when: None,
        by,
    };
    for (table, class) in closure.tables.iter().enumerate() {
        for way in &class.ways {
            let first = way.path.first().filter(|hop| !hop.up && hop.table == table);
            if let Some(hop) = first {
                if hop.when.is_none() && way.joins == 0 {
                    hops.push(holds(table, &way.column, hop.by.clone()));
                }
                hops.push(hop.clone());
            }
        }
        for name in options.tenant_columns.iter().filter(|name| pair.backup.tables[table].column(name).is_some()) {
            hops.push(holds(table, name, Link::Declared));
        }
    }
    hops.retain(|hop| {
        closure.tables[hop.table].class == Class::Tenant
            && !(hop.table == closure.root && hop.to == closure.root && hop.columns == hop.to_columns)
    });
    Ok(hops)
}
