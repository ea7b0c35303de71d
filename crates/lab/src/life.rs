//! Customers at work: one small business transaction at a time, on a shard or on a service store.

use crate::clock::{Millis, rfc3339};
use crate::log::Change;
use crate::population::Site;
use crate::random::Random;
use crate::schema::Schema;
use crate::sql::{self, Session};
use crate::value::{Row, Value};

/// Lets a customer change something in the site's product databases; empty if nothing was there to change.
/// The caller holds the transaction and records the changes.
pub(crate) async fn on_shard(
    conn: &mut Session,
    schema: &'static Schema,
    site: &Site,
    random: &mut Random,
    at: Millis,
) -> Result<Vec<Change>, sqlx::Error> {
    let mut work = Work { conn, schema, site, at: rfc3339(at).into(), changes: Vec::new() };
    let product = site.products[random.index(site.products.len())];
    match product {
        "confluence" => work.confluence(random).await?,
        "opsgenie" => {
            if let Some(team) = work.some("teams", random).await? {
                let message = random.words(4);
                work.insert(
                    "alerts",
                    vec![
                        team[0].clone(),
                        message.into(),
                        Value::Int(3),
                        "open".into(),
                        Value::Blob(random.bytes(12)),
                        work.at.clone(),
                    ],
                )
                .await?;
            }
        }
        "statuspage" => {
            if let Some(component) = work.some("components", random).await? {
                let title = random.words(3);
                work.insert("incidents", vec![component[0].clone(), title.into(), "major".into(), work.at.clone()])
                    .await?;
            }
        }
        "access" => {
            if let Some(policy) = work.some("access_policies", random).await? {
                let subject = site.someone(random).to_owned();
                work.insert("access_rules", vec![policy[0].clone(), subject.into(), "deny".into()]).await?;
            }
        }
        "insight" => {
            if let Some(schema) = work.some("object_schemas", random).await? {
                let name = random.words(2);
                work.insert(
                    "assets",
                    vec![schema[0].clone(), "phone".into(), name.into(), Value::Blob(random.bytes(20))],
                )
                .await?;
            }
        }
        _ => work.jira(random).await?,
    }
    Ok(work.changes)
}

/// Lets an administrator change something that a service keeps; empty if nothing was there to change.
pub(crate) async fn on_service(
    conn: &mut Session,
    schema: &'static Schema,
    site: &Site,
    random: &mut Random,
    at: Millis,
) -> Result<Vec<Change>, sqlx::Error> {
    let mut work = Work { conn, schema, site, at: rfc3339(at).into(), changes: Vec::new() };
    match schema.name {
        "identity" if random.chance(0.5) => {
            let user = random.uuid();
            let email = format!("joined-{at}@{}", site.hostname);
            let row = vec![
                user.as_str().into(),
                site.id.as_str().into(),
                email.into(),
                random.words(1).into(),
                Value::Int(1),
            ];
            work.put("users", row).await?;
            if let Some(group) = work.some("groups", random).await? {
                work.put("memberships", vec![group[0].clone(), user.into(), site.id.as_str().into()]).await?;
            }
        }
        "events" => {
            if let Some(mut counter) = work.some("counters", random).await? {
                let delta = 1 + random.below(9) as i64;
                let event = [site.id.as_str().into(), Value::Int(at), counter[1].clone(), Value::Int(delta)];
                sql::execute(work.conn, crate::build::EVENT, &event).await?;
                counter[2] = Value::Int(counter[2].as_int().unwrap_or(0) + delta);
                work.put("counters", counter).await?;
            }
        }
        name => {
            let (table, column) = match name {
                "identity" => ("users", "name"),
                "commerce" => ("licences", "status"),
                "metadata" => ("configuration", "value"),
                "flags" => ("flags", "variant"),
                "media" => ("mapping", "name"),
                "vendors" => ("installations", "settings"),
                _ => return Ok(Vec::new()),
            };
            if let Some(mut row) = work.some(table, random).await? {
                let position = schema.position(table).and_then(|t| schema.tables[t].column(column));
                if let Some(position) = position {
                    row[position] = format!("{}-{}", random.words(1), random.below(1_000)).into();
                    work.put(table, row).await?;
                }
            }
        }
    }
    Ok(work.changes)
}

struct Work<'a> {
    conn: &'a mut Session,
    schema: &'static Schema,
    site: &'a Site,
    at: Value,
    changes: Vec<Change>,
}

impl Work<'_> {
    async fn jira(&mut self, random: &mut Random) -> Result<(), sqlx::Error> {
        let (kind, summary) = (random.below(10), random.words(5));
        let reporter: Value = self.site.someone(random).into();
        match kind {
            0..4 => {
                let Some(mut project) = self.some("projects", random).await? else {
                    return Ok(());
                };
                let number = project[6].clone();
                project[6] = Value::Int(number.as_int().unwrap_or(0) + 1);
                let issue = vec![
                    project[0].clone(),
                    Value::Int(1),
                    Value::Null,
                    Value::Null,
                    number,
                    summary.into(),
                    "open".into(),
                    reporter,
                    Value::Null,
                    self.at.clone(),
                ];
                self.insert("issues", issue).await?;
                self.put("projects", project).await
            }
            4..8 => {
                let Some(issue) = self.some("issues", random).await? else {
                    return Ok(());
                };
                self.insert("comments", vec![issue[0].clone(), reporter, summary.into(), self.at.clone()]).await
            }
            8 => {
                let Some(mut issue) = self.some("issues", random).await? else {
                    return Ok(());
                };
                issue[7] = random.pick(&["doing", "review", "done"]).into();
                issue[10] = self.at.clone();
                self.put("issues", issue).await
            }
            _ => match self.some("comments", random).await? {
                Some(comment) => self.delete("comments", &comment).await,
                None => Ok(()),
            },
        }
    }

    async fn confluence(&mut self, random: &mut Random) -> Result<(), sqlx::Error> {
        let Some(mut page) = self.some("pages", random).await? else {
            return Ok(());
        };
        let (title, body) = (random.words(3), random.words(20));
        let author: Value = self.site.someone(random).into();
        if random.chance(0.5) {
            let row = vec![
                page[1].clone(),
                page[0].clone(),
                title.into(),
                body.into(),
                Value::Int(1),
                author,
                self.at.clone(),
            ];
            self.insert("pages", row).await
        } else {
            page[4] = body.into();
            page[5] = Value::Int(page[5].as_int().unwrap_or(0) + 1);
            page[6] = author;
            page[7] = self.at.clone();
            self.put("pages", page).await
        }
    }

    /// A row of the site, any.
    async fn some(&mut self, table: &str, random: &mut Random) -> Result<Option<Row>, sqlx::Error> {
        let Some(position) = self.schema.position(table) else {
            return Ok(None);
        };
        let Some(condition) = self.schema.belongs(position) else {
            return Ok(None);
        };
        let site = Value::from(self.site.id.as_str());
        let count = format!("SELECT count(*) FROM {table} WHERE {condition}");
        let count = sql::number(self.conn, &count, std::slice::from_ref(&site)).await?;
        if count == 0 {
            return Ok(None);
        }
        let offset = random.below(count as u64) as i64;
        let select = self.schema.tables[position].select();
        let order = self.schema.tables[position].names()[..self.schema.tables[position].key].join(", ");
        // A server has several writers: what one will change, another must not change meanwhile.
        let hold = if self.conn.is_server() { " FOR NO KEY UPDATE" } else { "" };
        let query = format!("{select} WHERE {condition} ORDER BY {order} LIMIT 1 OFFSET ?2{hold}");
        sql::row(self.conn, &query, &[site, Value::Int(offset)]).await
    }

    /// Inserts behind the table's next free ID.
    async fn insert(&mut self, table: &str, columns: Vec<Value>) -> Result<(), sqlx::Error> {
        let Some(position) = self.schema.position(table) else {
            return Ok(());
        };
        let row = sql::insert_next(self.conn, &self.schema.tables[position], columns).await?.unwrap_or_default();
        self.changed(position, row).await
    }

    async fn put(&mut self, table: &str, row: Row) -> Result<(), sqlx::Error> {
        let Some(position) = self.schema.position(table) else {
            return Ok(());
        };
        sql::put(self.conn, &self.schema.tables[position], &row).await?;
        self.changed(position, row).await
    }

    /// Remembers a change of ours, and what a trigger made of it.
    async fn changed(&mut self, table: usize, row: Row) -> Result<(), sqlx::Error> {
        let issue = row.first().cloned();
        self.changes.push(Change::Put { table, row });
        let history = self.schema.position("issue_history");
        if let (Some(history), Some(issue), "issues") = (history, issue, self.schema.tables[table].name) {
            let newest =
                format!("{} WHERE issue_id = ? ORDER BY id DESC LIMIT 1", self.schema.tables[history].select());
            if let Some(row) = sql::row(self.conn, &newest, &[issue]).await? {
                self.changes.push(Change::Put { table: history, row });
            }
        }
        Ok(())
    }

    async fn delete(&mut self, table: &str, row: &Row) -> Result<(), sqlx::Error> {
        let Some(position) = self.schema.position(table) else {
            return Ok(());
        };
        let definition = &self.schema.tables[position];
        let key = row[..definition.key].to_vec();
        let statement = format!("DELETE FROM {table} WHERE {}", definition.key_match());
        sql::execute(self.conn, &statement, &key).await?;
        self.changes.push(Change::Delete { table: position, key });
        Ok(())
    }
}
