//! Finding ways to the root, the surest first: each round gives ways to the tables whose best reason is the best of all.

use super::declaration::{Declaration, Options};
use super::edges::{self, Edge};
use super::model::{Class, ClosureError, Hop, Link, Way};
use super::names;
use super::several::WAYS_MAX;
use crate::postgres::catalog::{Catalog, TableKind};

/// How sure a way is; less is surer. Then how far it is.
type Rank = (Reason, u8, usize);

/// Why a table is taken to be a tenant's, in the order in which reasons are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    Declared,
    /// A column of its own, kept by a foreign key, says the tenant; NULL means a shared row.
    OwnColumn,
    /// Keys that are never NULL lead to a table whose rows all belong to tenants.
    Keys,
    /// A column of its own is named as those of other tables that say the tenant, and never NULL.
    OwnColumnByName,
    /// Keys that are never NULL and say who did something lead to a table whose rows all belong to tenants.
    ActorKeys,
    /// Keys that may be NULL, of which one leads to the tenant.
    SomeKey,
    /// References that only names suggest.
    ByName,
    /// A tenant's row points here, and no second one can.
    OwnedParent,
    /// It was declared a tenant's, and a tenant's row points here.
    DeclaredParent,
}

/// What is known while ways are found.
pub(super) struct Growth<'c> {
    pub(super) catalog: &'c Catalog,
    pub(super) root: usize,
    pub(super) key: String,
    pub(super) known: Vec<Edge>,
    pub(super) by_name: Vec<Edge>,
    /// Ways of each table; none yet, or none at all.
    pub(super) ways: Vec<Vec<Way>>,
    /// What was declared of each table.
    pub(super) declared: Vec<Option<Class>>,
    /// Names of columns that hold a tenant's ID.
    pub(super) tenant_columns: Vec<String>,
    listed: Vec<String>,
    /// Whether tables wait for what their declared references lead to.
    patient: bool,
    /// Whether keys of this schema are emptied by habit when their aim goes, so that it says nothing of one of them.
    pub(super) forgetful: bool,
}

impl<'c> Growth<'c> {
    pub(super) fn new(catalog: &'c Catalog, root: usize, key: &str, options: &Options) -> Result<Self, ClosureError> {
        let known = edges::known(catalog, options)?;
        let by_name = if options.by_name { edges::by_name(catalog, &known) } else { Vec::new() };
        let mut declared = vec![None; catalog.tables.len()];
        for declaration in &options.declarations {
            if let Declaration::Class { table, class } = declaration {
                declared[edges::find(catalog, table)?] = Some(*class);
            }
        }
        let mut ways = vec![Vec::new(); catalog.tables.len()];
        ways[root].push(Way { path: Vec::new(), joins: 0, column: key.to_owned(), strict: true });
        let mut growth = Self {
            catalog,
            root,
            key: key.to_owned(),
            by_name,
            ways,
            declared,
            tenant_columns: Vec::new(),
            listed: options.tenant_columns.clone(),
            patient: true,
            forgetful: edges::forget_by_habit(&known),
            known,
        };
        growth.tenant_columns = growth.names_of_the_tenant(options);
        Ok(growth)
    }

    /// Finds all ways.
    pub(super) fn grown(mut self) -> Self {
        loop {
            let candidates: Vec<(Rank, usize, Vec<Way>)> = (0..self.ways.len())
                .filter(|at| self.ways[*at].is_empty() && self.may_have_ways(*at))
                .filter_map(|at| self.best(at).map(|(rank, ways)| (rank, at, ways)))
                .collect();
            let Some(best) = candidates.iter().map(|(rank, ..)| *rank).min() else {
                if std::mem::take(&mut self.patient) {
                    continue;
                }
                break;
            };
            for (_, at, ways) in candidates.into_iter().filter(|(rank, ..)| *rank == best) {
                self.ways[at] = ways;
            }
        }
        self.add_late_ways();
        self
    }

    /// Whether a table is one that may turn out to be a tenant's.
    fn may_have_ways(&self, table: usize) -> bool {
        let it = &self.catalog.tables[table];
        let open = self.declared[table].is_none() || self.declared[table] == Some(Class::Tenant);
        let rows = matches!(it.kind, TableKind::Plain | TableKind::Partitioned);
        open && rows && (!it.unlogged || self.declared[table].is_some()) && it.extension.is_none()
    }

    /// Names that columns have which hold a tenant's ID: those listed, those of foreign keys to the root, and those
    /// that the root's name suggests.
    fn names_of_the_tenant(&self, options: &Options) -> Vec<String> {
        let mut found = options.tenant_columns.clone();
        if !options.by_name {
            return found;
        }
        let root = &self.catalog.tables[self.root].name;
        let mut counted: Vec<(String, usize)> = Vec::new();
        for hop in self.known.iter().map(|edge| &edge.hop).filter(|hop| hop.to == self.root && hop.table != self.root) {
            if let ([column], [to]) = (hop.columns.as_slice(), hop.to_columns.as_slice())
                && *to == self.key
            {
                match counted.iter_mut().find(|(name, _)| name == column) {
                    Some((_, count)) => *count += 1,
                    None => counted.push((column.clone(), 1)),
                }
            }
        }
        let most = counted.iter().map(|(_, count)| *count).max().unwrap_or(0);
        found.extend(counted.into_iter().filter(|(_, count)| *count >= 2 && *count == most).map(|(name, _)| name));
        for column in self.catalog.tables.iter().flat_map(|table| &table.columns) {
            if names::refers_to(&column.name, root) && !found.contains(&column.name) {
                found.push(column.name.clone());
            }
        }
        found
    }

    /// Whether a column is named as those that hold a tenant's ID.
    pub(super) fn names_the_tenant(&self, column: &str) -> bool {
        self.tenant_columns.iter().any(|name| name == column)
    }

    fn is_strict(&self, table: usize) -> bool {
        matches!(self.ways[table].as_slice(), [one] if one.strict)
    }

    /// Returns the ways over one reference: one for each of the aim's.
    pub(super) fn over(&self, edge: &Edge) -> Vec<Way> {
        self.ways[edge.hop.to].iter().filter_map(|way| self.longer(&edge.hop, edge.always, way)).collect()
    }

    /// Puts a hop before a way. Where the hop's own columns already hold the tenant, nothing need be joined.
    fn longer(&self, hop: &Hop, always: bool, way: &Way) -> Option<Way> {
        if way.path.iter().any(|later| later.table == hop.table || later.to == hop.table) {
            return None;
        }
        let path: Vec<Hop> = std::iter::once(hop.clone()).chain(way.path.iter().cloned()).collect();
        let carried = hop.to_columns.iter().position(|column| way.joins == 0 && *column == way.column);
        Some(match carried.filter(|_| hop.when.is_none() && !hop.up) {
            Some(at) => {
                let column = hop.columns[at].clone();
                let strict = self.catalog.tables[hop.table].column(&column).is_some_and(|column| column.not_null);
                Way { path, joins: 0, column, strict }
            }
            None => {
                Way { path, joins: way.joins + 1, column: way.column.clone(), strict: always && self.is_strict(hop.to) }
            }
        })
    }

    /// Returns the best reason for a table, and the ways that it gives.
    fn best(&self, table: usize) -> Option<(Rank, Vec<Way>)> {
        if let Some(found) = self.declared_ways(table) {
            return Some(found);
        }
        // A reference to the table itself leads nowhere.
        let edges = || self.known.iter().filter(move |edge| edge.hop.table == table && edge.hop.to != table);
        let mut singles: Vec<(Rank, usize, Way)> = Vec::new();
        for edge in edges().filter(|edge| !self.is_mention(edge)) {
            for way in self.over(edge) {
                let doubt = edge.doubt(self.catalog);
                let named = usize::from(!self.names_the_tenant(&way.column));
                if way.joins == 0 {
                    if named > 0 && !way.strict {
                        // Whoever this tenant is: what the row is part of says more.
                        continue;
                    }
                    // Of several columns that hold a tenant: one that is never NULL, named as usual, that cascades.
                    let rank = (Reason::OwnColumn, 0, way.path.len());
                    let order = usize::from(!way.strict) * 100 + named * 10 + usize::from(doubt);
                    singles.push((rank, order, way));
                } else if way.strict {
                    let reason = if doubt < 3 { Reason::Keys } else { Reason::ActorKeys };
                    singles.push(((reason, doubt, way.joins), way.path.len(), way));
                }
            }
        }
        let own = self.own_column_by_name(table);
        for way in own.iter().filter(|way| way.strict) {
            singles.push(((Reason::OwnColumnByName, 0, 0), 0, way.clone()));
        }
        singles.sort_by_key(|(rank, order, way)| (rank.0, rank.1, *order, rank.2, way.path.len()));
        if let Some((rank, _, way)) = singles.into_iter().next() {
            let mut ways = vec![way];
            if !ways[0].strict {
                // Where its column is NULL a row may still be part of a tenant's row, and go with it.
                self.add_arms(table, &mut ways);
            }
            return Some((rank, ways));
        }
        if self.patient && self.waits(table) {
            return None;
        }
        let mut some: Vec<Way> = own;
        self.add_arms(table, &mut some);
        if !some.is_empty() {
            return Some(((Reason::SomeKey, 0, some.iter().map(|way| way.joins).min().unwrap_or(0)), some));
        }
        self.suggested(table).or_else(|| self.owned(table))
    }

    /// What was declared of a table counts before all else, once all that it leads to is known or can no longer be.
    fn declared_ways(&self, table: usize) -> Option<(Rank, Vec<Way>)> {
        let edges = || self.known.iter().filter(|edge| edge.hop.table == table && edge.hop.by == Link::Declared);
        let mut ways: Vec<Way> = edges().flat_map(|edge| self.over(edge)).collect();
        if let Some(column) = self.listed.iter().find(|name| self.catalog.tables[table].column(name).is_some()) {
            ways.insert(0, self.named_column(table, column, Link::Declared));
        }
        let waits = self.waits(table);
        if ways.is_empty() || ways.len() > WAYS_MAX {
            return None;
        }
        // The last of all reasons, so that everything that can be found is found before.
        Some(((if waits { Reason::DeclaredParent } else { Reason::Declared }, 0, 0), ways))
    }

    /// Whether something that was declared of a table leads to one that may still turn out to be a tenant's.
    fn waits(&self, table: usize) -> bool {
        let mut edges = self.known.iter().filter(|edge| edge.hop.table == table && edge.hop.by == Link::Declared);
        edges.any(|edge| self.ways[edge.hop.to].is_empty() && self.may_have_ways(edge.hop.to))
    }

    fn named_column(&self, table: usize, column: &str, by: Link) -> Way {
        let hop = Hop {
            table,
            columns: vec![column.to_owned()],
            to: self.root,
            to_columns: vec![self.key.clone()],
            up: false,
            one: true,
            when: None,
            by,
        };
        let strict = self.catalog.tables[table].column(column).is_some_and(|column| column.not_null);
        Way { path: vec![hop], joins: 0, column: column.to_owned(), strict }
    }

    /// Finds a column that is named and typed as those that hold a tenant's ID, and that no foreign key says more of.
    fn own_column_by_name(&self, table: usize) -> Vec<Way> {
        let root = &self.catalog.tables[self.root];
        let Some(key) = root.column(&self.key) else { return Vec::new() };
        let it = &self.catalog.tables[table];
        let free = |name: &str| {
            !self.known.iter().any(|edge| edge.hop.table == table && edge.hop.columns.contains(&name.to_owned()))
        };
        self.tenant_columns
            .iter()
            .filter_map(|name| it.column(name))
            .filter(|column| names::comparable(&column.base_type, &key.base_type) && free(&column.name))
            .map(|column| self.named_column(table, &column.name, Link::ByName))
            .take(1)
            .collect()
    }

    /// Ways over references that only names suggest: the first that is never NULL, else all.
    fn suggested(&self, table: usize) -> Option<(Rank, Vec<Way>)> {
        let edges = self.by_name.iter().filter(|edge| edge.hop.table == table && edge.hop.to != table);
        let mut ways: Vec<(u8, Way)> =
            edges.flat_map(|edge| self.over(edge).into_iter().map(|way| (edge.doubt(self.catalog), way))).collect();
        ways.sort_by_key(|(doubt, way)| (!way.strict, *doubt, way.joins));
        let (doubt, first) = ways.first()?;
        let rank = (Reason::ByName, *doubt, first.joins);
        if first.strict {
            return Some((rank, vec![first.clone()]));
        }
        (ways.len() <= WAYS_MAX).then(|| (rank, ways.into_iter().map(|(_, way)| way).collect()))
    }

    /// Ways up: tenants' rows point at this table, and no row here can be pointed at twice.
    fn owned(&self, table: usize) -> Option<(Rank, Vec<Way>)> {
        let declared = self.declared[table] == Some(Class::Tenant);
        let pointers = || {
            self.known
                .iter()
                .filter(move |edge| edge.hop.to == table && edge.hop.table != table && !edge.hop.up)
                .filter(|edge| !self.ways[edge.hop.table].is_empty() && edge.hop.when.is_none())
        };
        let single = |edge: &Edge| self.catalog.tables[edge.hop.table].is_unique(&edge.hop.columns);
        if pointers().next().is_none() || !(declared || pointers().all(single)) {
            return None;
        }
        let mut ways = Vec::new();
        for edge in pointers() {
            let hop = Hop {
                table,
                columns: edge.hop.to_columns.clone(),
                to: edge.hop.table,
                to_columns: edge.hop.columns.clone(),
                up: true,
                one: single(edge),
                when: None,
                by: edge.hop.by.clone(),
            };
            // Rows at which nobody points belong to nobody, so that no such way is strict.
            ways.extend(self.ways[edge.hop.table].iter().filter_map(|way| self.longer(&hop, false, way)));
        }
        if ways.is_empty() || ways.len() > WAYS_MAX {
            return None;
        }
        let reason = if declared { Reason::DeclaredParent } else { Reason::OwnedParent };
        Some(((reason, 0, ways[0].joins), ways))
    }
}
