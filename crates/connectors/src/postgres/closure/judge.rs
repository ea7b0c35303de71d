//! Judging every table: those with ways are tenants', the others are told apart by what points where.

use super::grow::Growth;
use super::model::{Class, Link, TableClass, Way};
use super::names;
use super::notes::notes;
use super::several::WAYS_MAX;
use super::suspects::{is_text, mentions, suspects};
use super::words;
use crate::postgres::catalog::{Catalog, TableKind};

/// Classes all tables.
pub(super) fn classes(growth: &Growth<'_>) -> Vec<TableClass> {
    let mut verdicts: Vec<(Class, String)> = (0..growth.catalog.tables.len()).map(|at| verdict(growth, at)).collect();
    doubt_what_hangs_on_unknown(growth, &mut verdicts);
    let judged = verdicts.into_iter().enumerate().map(|(at, (class, reason))| {
        let table = &growth.catalog.tables[at];
        let ways = if class == Class::Tenant { growth.ways[at].clone() } else { Vec::new() };
        let notes = notes(growth, at, class);
        TableClass { schema: table.schema.clone(), name: table.name.clone(), class, reason, ways, notes }
    });
    judged.collect()
}

/// A table that is only tied to one of which nobody knows whose it is may be a tenant's as well.
fn doubt_what_hangs_on_unknown(growth: &Growth<'_>, verdicts: &mut [(Class, String)]) {
    let catalog = growth.catalog;
    loop {
        let ties = catalog.foreign_keys.iter().map(|key| (key.child, key.parent, true));
        let ties = ties.chain(growth.by_name.iter().map(|edge| (edge.hop.table, edge.hop.to, false)));
        let mut doubted = None;
        for (child, parent, kept) in ties.filter(|(child, parent, _)| child != parent) {
            let unknown = |at: usize| verdicts[at].0 == Class::Unknown && growth.declared[at].is_none();
            let open = |at: usize| {
                let table = &catalog.tables[at];
                let plain = table.extension.is_none() && !words::is_bookkeeping(&table.name);
                plain && verdicts[at].0 == Class::Shared && growth.declared[at].is_none()
            };
            if unknown(parent) && open(child) && !is_pointed_at(growth, child) {
                doubted = Some((child, format!("it points at {}", catalog.tables[parent].label())));
            } else if unknown(child)
                && open(parent)
                && !is_pointed_at(growth, parent)
                // What all use has a name more often than not; where a key says more, that is too little.
                && (kept || !has_name(catalog, parent))
            {
                doubted = Some((parent, format!("only {} points at it", catalog.tables[child].label())));
            }
            if doubted.is_some() {
                break;
            }
        }
        let Some((at, why)) = doubted else { return };
        verdicts[at] =
            (Class::Unknown, format!("{why}, of which nobody knows whose it is; declare that one, or the class"));
    }
}

/// Whether rows of tenants point at a table.
fn is_pointed_at(growth: &Growth<'_>, at: usize) -> bool {
    let keys = growth.known.iter().chain(&growth.by_name);
    keys.filter(|edge| edge.hop.to == at).any(|edge| !growth.ways[edge.hop.table].is_empty())
}

/// Whether a text keeps a table's rows apart, such as a name: a sign of something that all use.
fn has_name(catalog: &Catalog, at: usize) -> bool {
    let table = &catalog.tables[at];
    table.indexes.iter().any(|index| {
        let text = |name: &String| table.column(name).is_some_and(|column| is_text(&column.base_type));
        index.unique && index.columns.iter().any(text)
    })
}

fn verdict(growth: &Growth<'_>, at: usize) -> (Class, String) {
    let table = &growth.catalog.tables[at];
    match growth.declared[at] {
        Some(Class::Tenant) if growth.ways[at].is_empty() => {
            let why = "it was declared a tenant's, but nothing leads from its rows to a tenant: declare a reference";
            return (Class::Unknown, why.to_owned());
        }
        Some(class) if class != Class::Tenant => return (class, "it was declared so".to_owned()),
        _ => {}
    }
    if let Some(why) = too_many(growth, at) {
        return (Class::Unknown, why);
    }
    if let Some(way) = growth.ways[at].first() {
        return (Class::Tenant, belonging(growth.catalog, growth.root, way, growth.ways[at].len()));
    }
    match table.kind {
        TableKind::MaterializedView => return (Class::Derived, "a materialized view: refresh it".to_owned()),
        TableKind::Foreign => return (Class::Unknown, "its rows lie on another server".to_owned()),
        TableKind::Plain | TableKind::Partitioned => {}
    }
    if let Some(extension) = &table.extension {
        return (Class::Shared, format!("it belongs to the extension {extension}"));
    }
    if table.unlogged {
        return (Class::Ephemeral, "it is unlogged: empty after a crash, and in every recovered copy".to_owned());
    }
    without_way(growth, at)
}

/// Says of a table, or of one on its rows' way, that more ways lead to a tenant than can be walked: rows that only one of
/// those that are left out would find must not stay away unseen.
fn too_many(growth: &Growth<'_>, at: usize) -> Option<String> {
    let many = |at: usize| growth.ways[at].len() > WAYS_MAX;
    if many(at) {
        return Some(format!(
            "its rows lead to a tenant in more than {WAYS_MAX} ways, by keys that may be NULL; declare the reference that counts"
        ));
    }
    let through = growth.ways[at].iter().flat_map(|way| &way.path).find(|hop| many(hop.to))?;
    let label = growth.catalog.tables[through.to].label();
    Some(format!(
        "it leads on over {label}, from which more than {WAYS_MAX} ways lead; declare a reference of that one"
    ))
}

/// Judges a table of whose rows nothing leads to a tenant.
fn without_way(growth: &Growth<'_>, at: usize) -> (Class, String) {
    let catalog = growth.catalog;
    let table = &catalog.tables[at];
    let filled = catalog
        .triggers
        .iter()
        .find(|trigger| trigger.writes.contains(&at) && trigger.table != at && !growth.ways[trigger.table].is_empty());
    let suspects = suspects(growth, at);
    if let Some(trigger) = filled {
        let on = catalog.tables[trigger.table].label();
        return (
            Class::Derived,
            format!("the trigger {} of {on} fills it, and no key leads to a tenant", trigger.name),
        );
    }
    let pointed = catalog.foreign_keys.iter().find(|key| key.parent == at && !growth.ways[key.child].is_empty());
    let kinds = names::polymorphic(table);
    // People are mentioned everywhere. Anything else that forgets a tenant's row may have been part of it.
    let forgetting = mentions(growth, at, |edge| edge.forgets);
    if let (Some(why), false) = (forgetting.first(), words::are_people(&table.name)) {
        return (Class::Unknown, format!("{why}; declare the reference, or the class"));
    }
    if let Some(key) = pointed {
        let child = catalog.tables[key.child].label();
        let by = key.columns.join(", ");
        if let Some((kind, id)) = kinds.first() {
            let why = format!(
                "rows of tenants point at it ({child}.{by}), but {kind} and {id} say that a row is about another row, of \
                 a table that the catalogue does not name; if each is of one tenant, declare {}=tenant",
                table.label()
            );
            return (Class::Unknown, why);
        }
        let why = format!(
            "rows of tenants point at it ({child}.{by}), and nothing keeps those of two tenants from the same row"
        );
        return (Class::Shared, why);
    }
    let named = growth.by_name.iter().find(|edge| edge.hop.to == at && !growth.ways[edge.hop.table].is_empty());
    if let (Some(edge), true) = (named, kinds.is_empty()) {
        let child = catalog.tables[edge.hop.table].label();
        let why = format!("rows of tenants point at it, by name only ({child}.{})", edge.hop.columns.join(", "));
        return (Class::Shared, why);
    }
    if words::is_known_queue(&table.name) {
        return (Class::Ephemeral, "its name is that of a queue or a store of sessions".to_owned());
    }
    if let Some(why) = suspects.first() {
        return (Class::Unknown, format!("{why}; declare the reference, or the class"));
    }
    if words::is_bookkeeping(&table.name) {
        return (Class::Shared, "by its name, it says which migrations have run".to_owned());
    }
    if words::sounds_ephemeral(&table.name) {
        return (
            Class::Ephemeral,
            "by its name it is of use for a short time, and nothing leads to a tenant".to_owned(),
        );
    }
    let neighbour = catalog.foreign_keys.iter().find_map(|key| match (key.child == at, key.parent == at) {
        (true, false) => Some(key.parent),
        (false, true) => Some(key.child),
        _ => None,
    });
    let named = growth.by_name.iter().find(|edge| edge.hop.table == at && edge.hop.to != at).map(|edge| edge.hop.to);
    if let Some(other) = neighbour.or(named) {
        let other = catalog.tables[other].label();
        return (Class::Shared, format!("it is tied to {other}, which no tenant owns, and to nothing that one does"));
    }
    let natural = has_name(catalog, at);
    if let Some(column) = table.columns.iter().find(|column| may_hold_anything(&column.base_type)).filter(|_| !natural)
    {
        let why = format!(
            "no key leads to or from it, and {} ({}) may name a tenant; declare the class",
            column.name, column.data_type
        );
        return (Class::Unknown, why);
    }
    (Class::Shared, "no key leads to or from it, and none of its columns is named or typed as a reference".to_owned())
}

/// Says how a table's rows belong to a tenant.
fn belonging(catalog: &Catalog, root: usize, way: &Way, ways: usize) -> String {
    let Some(first) = way.path.first() else { return "the tenants themselves".to_owned() };
    let column = first.columns.join(", ");
    let to = catalog.tables[first.to].label();
    let mut text = if first.up {
        let of = first.to_columns.join(", ");
        if first.one {
            format!("an owned parent: {to}.{of} points at it, and no two rows there at the same one")
        } else {
            format!("an owned parent, as declared: {to}.{of} points at it")
        }
    } else if first.to == root {
        format!("{column} names the tenant")
    } else if way.joins == 0 {
        format!("{} names the tenant, by its key to {to}", way.column)
    } else {
        format!("part of {to}, by {column}")
    };
    text.push_str(match &first.by {
        Link::ForeignKey(_) => "",
        Link::Declared => ", as declared",
        Link::Inherited(_) => ", inherited",
        Link::ByName => ", by name only: no foreign key says so",
    });
    if first.by != Link::ByName && way.by_name() {
        text.push_str(" (further on by name only)");
    }
    if ways > 1 {
        text.push_str(&format!("; or by one of {} other ways", ways - 1));
    } else if !way.strict && !first.up {
        text.push_str(if way.joins == 0 {
            "; rows where it is NULL are shared"
        } else {
            "; rows that it does not lead on are shared"
        });
    }
    text
}

fn may_hold_anything(base: &str) -> bool {
    matches!(base, "json" | "jsonb" | "bytea" | "xml") || base.ends_with("hstore") || base.ends_with("[]")
}
