//! The backup and the live database side by side: compared, and every table's part in the restore settled.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection};

use super::differing;
use super::drift::{self, LostPartition};
use super::error::{RestoreError, failed};
use super::extracted::Described;
use super::sheet::Sheets;
use super::types::Facts;
use crate::glob;
use crate::postgres::catalog::{Catalog, Sequence, TriggerState};
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
    /// What shows in a tenant's own row of the backup that it was in use; asked of servers, not of extracts.
    pub active: BTreeMap<String, Option<String>>,
}

/// What is the same for every tenant of a restore.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) backup: Catalog,
    pub(crate) closure: Closure,
    pub(crate) sheets: Sheets,
    pub(crate) lost: Vec<LostPartition>,
    /// Sequences of the live database, their tables by place in the backup's catalogue.
    pub(crate) numbers: Vec<Sequence>,
    /// Columns of shared tables that both sides have.
    pub(crate) shared: BTreeMap<usize, Vec<String>>,
    /// Whether triggers may write beside us, so that counters may exceed what we wrote.
    pub(crate) noisy: bool,
}

impl Pair {
    /// Reads what a restore has to know of the backup; changes nothing.
    pub(crate) async fn describe(backup: &mut PgConnection, scope: &Scope) -> Result<Described, RestoreError> {
        let catalog = Catalog::read(backup).await?;
        let (_, tables) = classed(&catalog, scope)?;
        let facts = Facts::read(backup, &types(&catalog, &tables)).await?;
        Ok(Described { catalog, facts })
    }

    /// Settles each table's part without a live database: for taking rows out.
    pub(crate) fn alone(described: Described, scope: &Scope) -> Result<Self, RestoreError> {
        let Described { catalog: backup, facts } = described;
        let (closure, _) = classed(&backup, scope)?;
        let sheets = Sheets::of(&backup, &closure, (&facts, &facts), |label| wanted(scope, label));
        let (numbers, shared) = (Vec::new(), BTreeMap::new());
        Ok(Self { backup, closure, sheets, lost: Vec::new(), numbers, shared, noisy: false })
    }

    /// Reads the live catalogue and compares it with the backup's; changes nothing.
    pub(crate) async fn read(
        described: Described,
        live: &mut PgConnection,
        scope: &Scope,
    ) -> Result<Self, RestoreError> {
        let Described { catalog: was, facts } = described;
        let is = Catalog::read(live).await?;
        let (closure, tables) = classed(&was, scope)?;
        let names = types(&was, &tables);
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
        let mine = |at| tables.iter().any(|own| drift::place(&is, &was.tables[*own]) == Some(at));
        let loud = loud(&is, mine);
        if !loud.is_empty() && !scope.allow_triggers {
            return Err(RestoreError::Triggers(loud));
        }
        let sheets = Sheets::of(&was, &closure, (&facts, &live_facts), |label| wanted(scope, label));
        let numbers = is.sequences.iter().filter_map(|sequence| {
            let table = drift::place(&was, &is.tables[sequence.table])?;
            Some(Sequence { table, ..sequence.clone() })
        });
        let numbers = numbers.collect();
        let shared = differing::comparable(&was, &is, &closure);
        Ok(Self { backup: was, closure, sheets, lost, numbers, shared, noisy: !loud.is_empty() })
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
        needs_quiet(&self.backup, &self.closure, mine).map_or(Ok(()), Err)
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

/// Classes all tables and picks those of the scope, in order of insert.
fn classed(catalog: &Catalog, scope: &Scope) -> Result<(Closure, Vec<usize>), RestoreError> {
    let closure = Closure::of(catalog, &scope.root, &scope.closure)?;
    let unknown: Vec<String> = closure.of_class(Class::Unknown).map(|at| catalog.tables[at].label()).collect();
    if !unknown.is_empty() {
        return Err(RestoreError::Unclassed(unknown));
    }
    let tables = closure.order.iter().copied().filter(|at| wanted(scope, &catalog.tables[*at].label())).collect();
    Ok((closure, tables))
}

fn wanted(scope: &Scope, label: &str) -> bool {
    scope.tables.is_empty() || scope.tables.iter().any(|glob| glob::fits(glob, label))
}

/// Names of the types of tables' columns, each once.
fn types(catalog: &Catalog, tables: &[usize]) -> Vec<String> {
    let columns = tables.iter().flat_map(|at| &catalog.tables[*at].columns);
    let mut names: Vec<String> = columns.map(|column| column.data_type.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Triggers of some tables that fire in any role, or in the one in which others are quiet.
pub(crate) fn loud(catalog: &Catalog, mine: impl Fn(usize) -> bool) -> Vec<String> {
    let loud = |state| matches!(state, TriggerState::Always | TriggerState::Replica);
    let triggers = catalog.triggers.iter().filter(|trigger| loud(trigger.state) && mine(trigger.table));
    triggers.map(|trigger| format!("{} on {}", trigger.name, catalog.tables[trigger.table].label())).collect()
}

/// Says why tables can only be written by who may set `session_replication_role`; `None` if anybody can.
pub(crate) fn needs_quiet(catalog: &Catalog, closure: &Closure, mine: impl Fn(usize) -> bool) -> Option<RestoreError> {
    let trigger = catalog.triggers.iter().find(|it| mine(it.table) && it.state != TriggerState::Disabled);
    let circle = closure.cycles.iter().find(|group| group.len() > 1 && group.iter().all(|at| mine(*at)));
    let why = if let Some(trigger) = trigger {
        format!("the trigger {} would fire", trigger.name)
    } else {
        let names: Vec<String> = circle?.iter().map(|at| catalog.tables[*at].label()).collect();
        format!("foreign keys lead around in a circle: {}", names.join(", "))
    };
    let what = "the role may not set session_replication_role (GRANT SET ON PARAMETER, from version 15 on)";
    Some(RestoreError::Rights { what, why })
}
