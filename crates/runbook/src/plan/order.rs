//! The order in which sites should finish.

use std::cmp::Ordering;

use engine::{Column, Interned, Sites, Values};

use crate::model::Targets;

/// Returns the sites of some rows in the order of `order_by`; equal ones keep the order of the list.
pub(super) fn sorted(targets: &Targets, sites: &Sites, mut rows: Vec<usize>) -> Sites {
    if targets.order_by.is_empty() && rows.len() == sites.len() {
        return sites.clone();
    }
    rows.sort_by(|&a, &b| {
        targets
            .order_by
            .iter()
            .map(|key| {
                let order = match key.attribute.and_then(|ix| sites.columns.get(ix)) {
                    Some(column) => compare(&column.values, a, b),
                    None => sites.ids.get(a).cmp(&sites.ids.get(b)),
                };
                if key.descending { order.reverse() } else { order }
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    subset(sites, &rows)
}

/// Returns the sites of some rows, in the order of the rows.
pub(crate) fn subset(sites: &Sites, rows: &[usize]) -> Sites {
    Sites {
        ids: rows.iter().map(|&row| sites.ids.get(row).unwrap_or_default()).collect(),
        source_rows: rows.iter().map(|&row| sites.source_rows.get(row).copied().unwrap_or_default()).collect(),
        columns: sites
            .columns
            .iter()
            .map(|column| Column { name: column.name.clone(), values: permuted(&column.values, rows) })
            .collect(),
        restore_points: Vec::new(),
    }
}

fn compare(values: &Values, a: usize, b: usize) -> Ordering {
    match values {
        Values::Text(texts) => texts.get(a).cmp(&texts.get(b)),
        Values::Integer(values) | Values::Timestamp(values) => values.get(a).cmp(&values.get(b)),
        Values::Number(values) => match (values.get(a), values.get(b)) {
            (Some(a), Some(b)) => a.total_cmp(b),
            _ => Ordering::Equal,
        },
        Values::Boolean(values) => values.get(a).cmp(&values.get(b)),
        Values::List { offsets, .. } => {
            let len = |row: usize| Some(offsets.get(row + 1)? - offsets.get(row)?);
            len(a).cmp(&len(b))
        }
    }
}

fn pick<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().filter_map(|&row| values.get(row).copied()).collect()
}

fn permuted(values: &Values, rows: &[usize]) -> Values {
    match values {
        Values::Text(texts) => {
            Values::Text(Interned { dictionary: texts.dictionary.clone(), rows: pick(&texts.rows, rows) })
        }
        Values::Integer(values) => Values::Integer(pick(values, rows)),
        Values::Number(values) => Values::Number(pick(values, rows)),
        Values::Boolean(values) => Values::Boolean(pick(values, rows)),
        Values::Timestamp(values) => Values::Timestamp(pick(values, rows)),
        Values::List { offsets, items } => {
            let mut new_offsets = vec![0];
            let mut new_rows = Vec::with_capacity(items.rows.len());
            for &row in rows {
                if let (Some(&start), Some(&end)) = (offsets.get(row), offsets.get(row + 1)) {
                    new_rows.extend_from_slice(items.rows.get(start as usize..end as usize).unwrap_or_default());
                }
                new_offsets.push(u32::try_from(new_rows.len()).unwrap_or(u32::MAX));
            }
            Values::List {
                offsets: new_offsets,
                items: Interned { dictionary: items.dictionary.clone(), rows: new_rows },
            }
        }
    }
}
