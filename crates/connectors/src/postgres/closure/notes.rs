//! What to know of a table before its rows are restored.

use super::grow::Growth;
use super::model::{Class, Hop};
use super::suspects::suspects;
use super::words;
use crate::postgres::catalog::{Table, TriggerState};

pub(super) fn notes(growth: &Growth<'_>, at: usize, class: Class) -> Vec<String> {
    let catalog = growth.catalog;
    let table = &catalog.tables[at];
    let mut notes = Vec::new();
    if class == Class::Tenant {
        of_tenants(growth, at, table, &mut notes);
    }
    if class == Class::Shared {
        notes.extend(suspects(growth, at));
    }
    for trigger in catalog.triggers.iter().filter(|trigger| trigger.table == at && class == Class::Tenant) {
        if matches!(trigger.state, TriggerState::Always | TriggerState::Replica) {
            notes.push(format!("the trigger {} fires though others are kept quiet", trigger.name));
        }
        for written in trigger.writes.iter().filter(|written| **written != at) {
            notes.push(format!("the trigger {} writes {}", trigger.name, catalog.tables[*written].label()));
        }
        if trigger.dynamic {
            notes.push(format!("what the trigger {} writes cannot be read from its text", trigger.name));
        }
    }
    notes
}

fn of_tenants(growth: &Growth<'_>, at: usize, table: &Table, notes: &mut Vec<String>) {
    let catalog = growth.catalog;
    if table.unlogged {
        notes.push("it is unlogged: a recovered copy has none of its rows".to_owned());
    }
    if table.primary_key().is_empty() {
        notes.push("it has no primary key: equal rows can only be counted".to_owned());
    }
    if table.row_security {
        let owner = if table.force_row_security { ", of its owner too" } else { "" };
        notes.push(format!("policies hide rows{owner}: read it as a role with BYPASSRLS"));
    }
    if let Some(column) = table.columns.iter().find(|column| column.large_object) {
        notes.push(format!("{} may hold numbers of large objects, which lie outside of tables", column.name));
    }
    if words::sounds_ephemeral(&table.name) {
        notes.push(format!("it sounds as if of use for a short time; if so, declare {}=ephemeral", table.label()));
    }
    if at == growth.root {
        return;
    }
    let first = growth.ways[at].first().and_then(|way| way.path.first());
    let to_the_root = |hop: &Hop| hop.to == growth.root && hop.table == at && !hop.up;
    for edge in growth.known.iter().filter(|edge| to_the_root(&edge.hop) && Some(&edge.hop) != first) {
        notes.push(format!("{} points at a tenant too, who may be another", edge.hop.columns.join(", ")));
    }
    for index in table.indexes.iter().filter(|index| (index.unique || index.exclusion) && !index.primary) {
        let columns = growth.ways[at].iter().filter(|way| way.joins == 0).map(|way| &way.column);
        let within = columns.into_iter().any(|column| index.columns.contains(column))
            || catalog.foreign_keys.iter().any(|key| {
                key.child == at
                    && !growth.ways[key.parent].is_empty()
                    && key.columns.iter().any(|c| index.columns.contains(c))
            });
        if !within {
            notes.push(format!("{} keeps rows of different tenants apart: a newcomer may hold the value", index.name));
        }
    }
}
