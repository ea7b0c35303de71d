//! The backup and the live database side by side: compared, and every table's part in the restore settled.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection};

use super::drift::{self, LostPartition};
use super::error::{RestoreError, failed};
use super::sheet::Sheets;
use super::types::Facts;
use crate::glob;
use crate::postgres::catalog::{Catalog, TriggerState};
use crate::postgres::closure::{Class, Closure, Options};
use crate::postgres::quote::{literal, qualified};

/// Which tables of which tenants are restored.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Table of the tenants.
    pub root: String,
    /// What is known beside the catalogue.
    pub closure: Options,
    /// Globs (`*`, `?`) of names of tables; none means all.
    pub tables: Vec<String>,
    /// Whether triggers that fire in any role may fire.
    pub allow_triggers: bool,
}

/// What is the same for every tenant of a restore.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) backup: Catalog,
    pub(crate) closure: Closure,
    pub(crate) sheets: Sheets,
    pub(crate) lost: Vec<LostPartition>,
    /// Whether triggers may write beside us, so that counters may exceed what we wrote.
    pub(crate) noisy: bool,
}

impl Pair {
    /// Reads both catalogues and compares them; changes nothing.
    pub(crate) async fn read(
        backup: &mut PgConnection,
        live: &mut PgConnection,
        scope: &Scope,
    ) -> Result<Self, RestoreError> {
        let was = Catalog::read(backup).await?;
        let is = Catalog::read(live).await?;
        let closure = Closure::of(&was, &scope.root, &scope.closure)?;
        let unknown: Vec<String> = closure.of_class(Class::Unknown).map(|at| was.tables[at].label()).collect();
        if !unknown.is_empty() {
            return Err(RestoreError::Unclassed(unknown));
        }
        let wanted = |label: &str| scope.tables.is_empty() || scope.tables.iter().any(|glob| glob::fits(glob, label));
        let tables: Vec<usize> = closure.order.iter().copied().filter(|at| wanted(&was.tables[*at].label())).collect();
        let mut names: Vec<String> = tables
            .iter()
            .flat_map(|at| was.tables[*at].columns.iter().map(|column| column.data_type.clone()))
            .collect();
        names.sort_unstable();
        names.dedup();
        let facts = Facts::read(backup, &names).await?;
        // A type that the live server does not know is a difference, and would be an error here.
        let (known,): (Vec<String>,) = sqlx::query_as(
            "SELECT coalesce(array_agg(n), '{}') FROM unnest($1::text[]) AS n WHERE to_regtype(n) IS NOT NULL",
        )
        .bind(&names)
        .fetch_one(&mut *live)
        .await
        .map_err(failed("read the types of columns"))?;
        let live_facts = Facts::read(live, &known).await?;
        let (differences, lost) = drift::compare((&was, &facts), (&is, &live_facts), &tables);
        if !differences.is_empty() {
            return Err(RestoreError::Drift(differences));
        }
        let loud: Vec<String> = is
            .triggers
            .iter()
            .filter(|trigger| matches!(trigger.state, TriggerState::Always | TriggerState::Replica))
            .filter(|trigger| tables.iter().any(|at| drift::place(&is, &was.tables[*at]) == Some(trigger.table)))
            .map(|trigger| format!("{} on {}", trigger.name, is.tables[trigger.table].label()))
            .collect();
        if !loud.is_empty() && !scope.allow_triggers {
            return Err(RestoreError::Triggers(loud));
        }
        let sheets = Sheets::of(&was, &closure, (&facts, &live_facts), wanted);
        Ok(Self { backup: was, closure, sheets, lost, noisy: !loud.is_empty() })
    }

    /// Finds tenants with rows in partitions that the live database has not, with the names of these.
    pub(crate) async fn homeless(
        &self,
        backup: &mut PgConnection,
        tenants: &[String],
    ) -> Result<BTreeMap<String, Vec<String>>, RestoreError> {
        let mut found = BTreeMap::<String, Vec<String>>::new();
        let wanted = self.wanted(tenants.iter().map(String::as_str));
        for partition in &self.lost {
            let Some(rows) = self.closure.rows(&self.backup, partition.table, &wanted) else { continue };
            let name = qualified(&partition.schema, &partition.name);
            let select = format!(
                "SELECT DISTINCT r.tenant::text FROM ({}) AS r WHERE r.relation = {}::regclass",
                rows.select("{tenant} AS tenant, t.tableoid AS relation"),
                literal(&name)
            );
            let doing = failed(format!("look for rows of the partition {}", partition.name));
            let those: Vec<(String,)> =
                sqlx::query_as(AssertSqlSafe(select)).fetch_all(&mut *backup).await.map_err(doing)?;
            for (tenant,) in those {
                found.entry(tenant).or_default().push(format!("{}.{}", partition.schema, partition.name));
            }
        }
        Ok(found)
    }

    /// Checks that a session that cannot keep triggers quiet needs not to.
    pub(crate) fn may_be_loud(&self) -> Result<(), RestoreError> {
        let mine = |at: usize| self.sheets.all.iter().any(|sheet| sheet.place == at);
        let trigger = self.backup.triggers.iter().find(|it| mine(it.table) && it.state != TriggerState::Disabled);
        let circle = self.closure.cycles.iter().find(|group| group.len() > 1 && group.iter().all(|at| mine(*at)));
        let why = if let Some(trigger) = trigger {
            format!("the trigger {} would fire", trigger.name)
        } else if let Some(group) = circle {
            let names: Vec<String> = group.iter().map(|at| self.backup.tables[*at].label()).collect();
            format!("foreign keys lead around in a circle: {}", names.join(", "))
        } else {
            return Ok(());
        };
        let what = "the role may not set session_replication_role (GRANT SET ON PARAMETER, from version 15 on)";
        Err(RestoreError::Rights { what, why })
    }

    /// Writes tenants as the SQL of an array of the root's key.
    pub(crate) fn wanted<'t>(&self, tenants: impl IntoIterator<Item = &'t str>) -> String {
        let quoted: Vec<String> = tenants
            .into_iter()
            .map(|tenant| format!("\"{}\"", tenant.replace('\\', "\\\\").replace('"', "\\\"")))
            .collect();
        format!("{}::{}[]", literal(&format!("{{{}}}", quoted.join(","))), self.closure.key_type)
    }

    /// Returns whether rows may name large objects.
    pub(crate) fn has_large_objects(&self) -> bool {
        self.sheets.all.iter().any(|sheet| !sheet.large_objects.is_empty())
    }

    /// Writes an ID as the root's key is written.
    pub(crate) async fn canonical(&self, live: &mut PgConnection, id: &str) -> Result<String, RestoreError> {
        let select = format!("SELECT ($1::text::{})::text", self.closure.key_type);
        let (id,): (String,) =
            sqlx::query_as(AssertSqlSafe(select)).bind(id).fetch_one(live).await.map_err(|error| {
                match failed("read an ID")(error) {
                    // Only what the server says of the value is about the value.
                    RestoreError::Database { state: Some(state), why, .. } if state.starts_with("22") => {
                        RestoreError::BadId { id: id.to_owned(), why }
                    }
                    other => other,
                }
            })?;
        Ok(id)
    }

    /// Returns the label of a table.
    pub(crate) fn label(&self, place: usize) -> String {
        self.backup.tables[place].label()
    }
}
