//! What one store should hold: the full backup and the log, replayed for each site to its instant.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::moved::{Moves, Pairs};
use super::{Difference, Expect, Expectations};
use crate::log::{self, Change, parse};
use crate::schema::{Owner, Schema, Table};
use crate::sql::{self, Mode, Session, StoreError};
use crate::value::{Row, Value};

/// The site of a row; `None` for rows that all share or whose owner is not to be found.
pub(crate) type Site = Option<Arc<str>>;

/// The rows that a store should hold, by key, each with its site.
pub(super) struct Truth<'a> {
    schema: &'static Schema,
    store: &'a str,
    expectations: &'a Expectations,
    tables: Vec<HashMap<Row, (Site, Row)>>,
    names: HashMap<String, Arc<str>>,
    /// Beside all that: the sites that came back under another ID.
    pub(super) moved: Pairs<'a>,
}

/// Finds the site of rows that come table by table, parents first.
pub(crate) struct Owners {
    schema: &'static Schema,
    by_id: Vec<HashMap<i64, Arc<str>>>,
}

impl Owners {
    pub(crate) fn new(schema: &'static Schema) -> Self {
        Self { schema, by_id: vec![HashMap::new(); schema.tables.len()] }
    }

    pub(crate) fn of(&mut self, table: usize, row: &Row, names: &mut HashMap<String, Arc<str>>) -> Site {
        let definition = &self.schema.tables[table];
        let site = match definition.owner {
            Owner::Shared => None,
            Owner::Site(column) => {
                let text = row.get(definition.column(column)?)?.as_text()?;
                Some(intern(names, text))
            }
            Owner::Through(column, parent) => {
                let id = row.get(definition.column(column)?)?.as_int()?;
                self.by_id[self.schema.position(parent)?].get(&id).cloned()
            }
        };
        if let (Some(site), Some(Value::Int(id))) = (&site, row.first()) {
            self.by_id[table].insert(*id, Arc::clone(site));
        }
        site
    }
}

fn intern(names: &mut HashMap<String, Arc<str>>, text: &str) -> Arc<str> {
    if let Some(name) = names.get(text) {
        return Arc::clone(name);
    }
    let name: Arc<str> = Arc::from(text);
    names.insert(text.to_owned(), Arc::clone(&name));
    name
}

impl<'a> Truth<'a> {
    pub(super) fn new(
        schema: &'static Schema,
        store: &'a str,
        expectations: &'a Expectations,
        moves: &'a Moves,
    ) -> Self {
        let tables = vec![HashMap::new(); schema.tables.len()];
        Self { schema, store, expectations, tables, names: HashMap::new(), moved: Pairs::new(schema, moves) }
    }

    fn expected(&self, site: &Site) -> Option<Expect> {
        site.as_deref().and_then(|site| self.expectations.get(site)).copied()
    }

    /// Takes in the full backup.
    pub(super) async fn load_base(&mut self, path: &Path) -> Result<(), StoreError> {
        let mut conn = sql::open(path, Mode::Read).await?;
        let mut owners = Owners::new(self.schema);
        for (position, table) in self.schema.tables.iter().enumerate() {
            let rows = scan(&mut conn, table).await.map_err(StoreError::sql(path))?;
            self.tables[position].reserve(rows.len());
            for row in rows {
                let site = owners.of(position, &row, &mut self.names);
                self.moved.held(site.as_deref().unwrap_or(""), position, &row);
                if self.expected(&site) != Some(Expect::Anything) {
                    self.tables[position].insert(row[..table.key].to_vec(), (site, row));
                }
            }
        }
        conn.close().await.map_err(StoreError::sql(path))
    }

    /// Replays the log in the store: to the restore point for restored sites, to its end for all others.
    pub(super) async fn load_log(&mut self, conn: &mut Session, path: &Path) -> Result<(), StoreError> {
        let query = log::history(conn);
        let entries = sql::rows(conn, query, &[]).await.map_err(StoreError::sql(path))?;
        for entry in entries {
            let [Value::Int(at), Value::Text(site), Value::Text(changes), Value::Int(seq)] = entry.as_slice() else {
                let place = format!("{} lab_log", path.display());
                return Err(StoreError::Corrupt { place, fact: "an entry without its instant".to_owned() });
            };
            let (name, site) = (site, Some(intern(&mut self.names, site)));
            let applies = match self.expected(&site) {
                Some(Expect::At(point)) => *at <= point,
                Some(Expect::Anything) => false,
                None => true,
            };
            if !applies {
                continue;
            }
            let place = format!("{} lab_log {seq}", path.display());
            for change in parse(self.schema, changes, &place)? {
                self.moved.changed(name, *at, &change);
                match change {
                    Change::Put { table, row } => {
                        let key = row[..self.schema.tables[table].key].to_vec();
                        self.tables[table].insert(key, (site.clone(), row));
                    }
                    Change::Delete { table, key } => {
                        self.tables[table].remove(&key);
                    }
                }
            }
        }
        Ok(())
    }

    /// Sets what the first table should hold of these sites.
    pub(super) fn replace(&mut self, sites: &[(String, Vec<Row>)]) {
        let Self { tables, names, expectations, schema, .. } = self;
        let (Some(table), Some(definition)) = (tables.first_mut(), schema.tables.first()) else {
            return;
        };
        table.retain(|_, (site, _)| site.as_deref().is_none_or(|site| !expectations.contains_key(site)));
        for (site, rows) in sites {
            for row in rows {
                let site = Some(intern(names, site));
                table.insert(row[..definition.key].to_vec(), (site, row.clone()));
            }
        }
    }

    /// The rows that one table should hold.
    pub(super) fn rows(&self, table: usize) -> Vec<&Row> {
        self.tables.get(table).map(|t| t.values().map(|(_, row)| row).collect()).unwrap_or_default()
    }

    /// All rows of the chosen sites, with table and site.
    pub(super) fn rows_of<'s>(
        &'s self,
        chosen: impl Fn(&str) -> bool + Clone + 's,
    ) -> impl Iterator<Item = (usize, &'s str, &'s Row)> + Clone {
        self.tables.iter().enumerate().flat_map(move |(position, rows)| {
            let chosen = chosen.clone();
            rows.values().filter_map(move |(site, row)| {
                let site = site.as_deref().filter(|site| chosen(site))?;
                Some((position, site, row))
            })
        })
    }

    /// Compares with the store in use, as the snapshot that the log was read in has it.
    ///
    /// Also gives the rows of sites that came back under another ID.
    pub(super) async fn compare(mut self, session: &mut Session) -> Result<(Vec<Difference>, Pairs<'a>), sqlx::Error> {
        let mut owners = Owners::new(self.schema);
        let mut out = Vec::new();
        for (position, table) in self.schema.tables.iter().enumerate() {
            for row in scan(session, table).await? {
                let owner = owners.of(position, &row, &mut self.names);
                let Some(row) = self.moved.found(owner.as_deref(), position, row) else { continue };
                match self.tables[position].remove(&row[..table.key]) {
                    Some((_, wanted)) if wanted == row => {}
                    Some((site, wanted)) => {
                        out.push(self.difference(table, &site, &row, changed(table, &wanted, &row)));
                    }
                    None if self.expected(&owner) == Some(Expect::Anything) => {}
                    None => out.push(self.difference(table, &owner, &row, "should not be there".to_owned())),
                }
            }
            for (site, row) in self.tables[position].values() {
                out.push(self.difference(table, site, row, "is missing".to_owned()));
            }
        }
        out.extend(self.moved.compare(self.store));
        Ok((out, self.moved))
    }

    fn difference(&self, table: &Table, site: &Site, row: &Row, what: String) -> Difference {
        let key: Vec<String> = row.iter().take(table.key).map(display).collect();
        Difference {
            site: site.as_deref().unwrap_or("").to_owned(),
            store: self.store.to_owned(),
            table: table.name.to_owned(),
            key: key.join(" "),
            what,
        }
    }
}

async fn scan(session: &mut Session, table: &Table) -> Result<Vec<Row>, sqlx::Error> {
    sql::rows(session, &table.select(), &[]).await
}

fn changed(table: &Table, wanted: &Row, found: &Row) -> String {
    let columns: Vec<String> = table
        .columns
        .iter()
        .zip(wanted.iter().zip(found))
        .filter(|(_, (wanted, found))| wanted != found)
        .map(|((name, _), (wanted, found))| format!("{name} is {} instead of {}", display(found), display(wanted)))
        .collect();
    columns.join(", ")
}

pub(super) fn display(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Text(plain) => text.push_str(plain),
        other => other.write_json(&mut text),
    }
    if text.chars().count() > 60 {
        text = text.chars().take(59).chain(['…']).collect();
    }
    text
}
