//! The sites that stand in for deleted ones, while the lab is served: who they are, and whose rows they get.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::past::past;
use super::problem::Problem;
use crate::moves::{Move, renumbered};
use crate::schema::Schema;
use crate::sql::{self, Session};
use crate::value::{Row, Value};

/// A site and, if it stands in for another, which.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) site: String,
    pub(super) moved: Option<Arc<Move>>,
}

impl Subject {
    /// The site whose history is its own.
    pub(super) fn source(&self) -> &str {
        self.moved.as_ref().map_or(&self.site, |moved| &moved.old)
    }
}

/// All that were ever made.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// By the new ID; `false` if it was taken back.
    by_new: HashMap<String, (Arc<Move>, bool)>,
    by_old: HashMap<String, Arc<Move>>,
    /// New IDs of apps, with the new site and the old app.
    apps: HashMap<String, (String, String)>,
}

impl Moves {
    pub(super) fn set(&mut self, moved: Arc<Move>, there: bool) {
        for (old, new) in &moved.apps {
            self.apps.insert(new.clone(), (moved.new.clone(), old.clone()));
        }
        if there {
            self.by_old.insert(moved.old.clone(), Arc::clone(&moved));
        } else if self.by_old.get(&moved.old) == Some(&moved) {
            self.by_old.remove(&moved.old);
        }
        self.by_new.insert(moved.new.clone(), (moved, there));
    }

    /// The site with this new ID, unless it was taken back.
    pub(super) fn get(&self, new: &str) -> Option<Arc<Move>> {
        self.by_new.get(new).filter(|(_, there)| *there).map(|(moved, _)| Arc::clone(moved))
    }

    /// The same, even if it was taken back.
    pub(super) fn known(&self, new: &str) -> bool {
        self.by_new.contains_key(new)
    }

    /// The site that stands in for this one.
    pub(super) fn of(&self, old: &str) -> Option<Arc<Move>> {
        self.by_old.get(old).map(Arc::clone)
    }

    /// New site and old app of an app with a new ID.
    pub(super) fn app(&self, new: &str) -> Option<(&str, &str)> {
        self.apps.get(new).map(|(site, app)| (site.as_str(), app.as_str()))
    }
}

/// What a store should hold of a site at an instant (`None`: at the end of its history), by table.
pub(super) async fn due(
    conn: &mut Session,
    schema: &'static Schema,
    subject: &Subject,
    at: Option<i64>,
) -> Result<Vec<Vec<Row>>, Problem> {
    let rows = past(conn, schema, subject.source(), at).await?;
    let Some(moved) = &subject.moved else { return Ok(rows) };
    let renamed: Vec<Vec<Row>> =
        rows.into_iter().map(|rows| rows.into_iter().map(|row| moved.renamed(row)).collect()).collect();
    let numbers = numbers(conn, schema, &moved.new, &renamed).await?;
    let renumbered = renamed.into_iter().enumerate().map(|(position, rows)| {
        let rows = rows.into_iter().map(|row| renumbered(schema, position, row, &numbers));
        let mut rows: Vec<Row> = rows.collect();
        rows.sort();
        rows
    });
    Ok(renumbered.collect())
}

/// The new IDs that a store gave the numbered rows of a site: their names tell which is which.
async fn numbers(
    conn: &mut Session,
    schema: &'static Schema,
    new: &str,
    rows: &[Vec<Row>],
) -> Result<BTreeMap<&'static str, BTreeMap<i64, i64>>, Problem> {
    let mut out = BTreeMap::new();
    for (position, table) in schema.tables.iter().enumerate().filter(|(_, table)| table.is_numbered()) {
        let found = sql::rows(conn, &format!("{} WHERE site_id = ?", table.select()), &[new.into()]).await?;
        let by_name: HashMap<&[Value], i64> =
            found.iter().filter_map(|row| Some((&row[1..], row.first()?.as_int()?))).collect();
        let pairs = rows[position].iter().filter_map(|row| Some((row.first()?.as_int()?, *by_name.get(&row[1..])?)));
        out.insert(table.name, pairs.collect());
    }
    Ok(out)
}
