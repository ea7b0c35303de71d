//! The tables of tenants, by the live database's own catalogue: is each classed, and may the role do what is needed?

use runtime::Finding;
use serde_json::Value;
use sqlx::PgConnection;

use super::super::trouble::trouble;
use super::{live, scope};
use crate::answer::Trouble;
use crate::glob;
use crate::postgres::catalog::Catalog;
use crate::postgres::closure::{Class, Closure};
use crate::postgres::restore::{RestoreError, failed, listed, loud, needs_quiet};

/// Whether the role may keep triggers quiet, which it may be granted from version 15 on.
const QUIET: &str = "SELECT coalesce((SELECT rolsuper FROM pg_roles WHERE rolname = current_user), false)";
const QUIET_BY_GRANT: &str = "SELECT has_parameter_privilege('session_replication_role', 'SET')";

/// Names of relations that are among those given and lack something.
const HIDDEN: &str = "SELECT x.name FROM unnest($1::text[], $2::text[], $3::text[]) AS x(schema, relation, name) \
      JOIN pg_namespace AS n ON n.nspname = x.schema \
      JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = x.relation \
      WHERE row_security_active(c.oid) ORDER BY 1";
const LACKING: &str = "SELECT x.name || ' (' || r || ')' \
      FROM unnest($1::text[], $2::text[], $3::text[]) AS x(schema, relation, name) CROSS JOIN unnest($4::text[]) AS r \
      JOIN pg_namespace AS n ON n.nspname = x.schema \
      JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = x.relation \
      WHERE NOT (has_schema_privilege(n.oid, 'USAGE') \
        AND CASE r WHEN 'UPDATE' THEN has_any_column_privilege(c.oid, r) ELSE has_table_privilege(c.oid, r) END) \
      ORDER BY 1";

/// Answers whether rows of tenants can be told and handled.
pub(super) async fn answer(subject: &str, question: &Value) -> Result<Vec<Finding>, Trouble> {
    let scope = scope(question)?;
    let mut connection = live::open(question.get(super::TENANTS)).await?;
    let said = |error: RestoreError| trouble(&error);
    let catalog = Catalog::read(&mut connection).await.map_err(|error| said(error.into()))?;
    let closure = Closure::of(&catalog, &scope.root, &scope.closure).map_err(|error| said(error.into()))?;
    let label = |at: usize| catalog.tables[at].label();
    let wanted = |at: &usize| scope.tables.is_empty() || scope.tables.iter().any(|glob| glob::fits(glob, &label(*at)));
    let tables: Vec<usize> = closure.order.iter().copied().filter(wanted).collect();
    let rights: Vec<String> = question
        .get("rights")
        .and_then(Value::as_array)
        .map(|rights| rights.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default();
    let inserts = rights.iter().any(|right| right == "INSERT");
    let writes = inserts || rights.iter().any(|right| right == "DELETE");

    let mut found = Vec::new();
    let mut error = |error: &RestoreError| {
        found.push(Finding::error(error.code(), subject, error.to_string(), error.hint()));
    };
    let unknown: Vec<String> = closure.of_class(Class::Unknown).map(label).collect();
    if !unknown.is_empty() {
        error(&RestoreError::Unclassed(unknown));
    }
    let fires = loud(&catalog, |at| tables.contains(&at));
    if inserts && !fires.is_empty() && !scope.allow_triggers {
        error(&RestoreError::Triggers(fires));
    }
    if writes
        && let Some(why) = needs_quiet(&catalog, &closure, |at| tables.contains(&at))
        && !may_be_quiet(&mut connection, catalog.server_version).await?
    {
        error(&why);
    }
    let named = |at: usize| Relation::of(&catalog.tables[at].schema, &catalog.tables[at].name);
    let own: Vec<Relation> = tables.iter().map(|at| named(*at)).collect();
    let hidden = of(&mut connection, HIDDEN, &own, None).await?;
    if !hidden.is_empty() {
        let why = format!("row-level security hides rows of {}", listed(&hidden));
        error(&RestoreError::Rights { what: "the role lacks BYPASSRLS", why });
    }
    let mut lacking = of(&mut connection, LACKING, &own, Some(&rights)).await?;
    if inserts {
        // Rows referred to are locked until the commit, which takes the right to update them.
        let refers = |at: usize| catalog.foreign_keys.iter().any(|key| key.parent == at && tables.contains(&key.child));
        let parents: Vec<Relation> = closure.of_class(Class::Shared).filter(|at| refers(*at)).map(named).collect();
        let locks = ["SELECT", "UPDATE"].map(str::to_owned);
        lacking.extend(of(&mut connection, LACKING, &parents, Some(&locks)).await?);
        let sequences = catalog.sequences.iter().filter(|sequence| tables.contains(&sequence.table));
        let sequences: Vec<Relation> =
            sequences.map(|sequence| Relation::of(&sequence.schema, &sequence.name)).collect();
        lacking.extend(of(&mut connection, LACKING, &sequences, Some(&locks[..1])).await?);
    }
    if !lacking.is_empty() {
        error(&RestoreError::Rights { what: "the role lacks rights", why: listed(&lacking) });
    }
    if found.is_empty() {
        let count = |class| closure.of_class(class).count();
        let fact = format!(
            "{} tables of tenants, {} shared, {} derived, {} ephemeral, none unknown; the role may do what is needed",
            count(Class::Tenant),
            count(Class::Shared),
            count(Class::Derived),
            count(Class::Ephemeral)
        );
        found.push(Finding::good(super::TENANTS, subject, fact));
    }
    Ok(found)
}

async fn may_be_quiet(connection: &mut PgConnection, version: i32) -> Result<bool, Trouble> {
    let select = if version >= 150_000 { QUIET_BY_GRANT } else { QUIET };
    let (may,): (bool,) = sqlx::query_as(select)
        .fetch_one(connection)
        .await
        .map_err(|error| trouble(&failed("ask for the rights of the role")(error)))?;
    Ok(may)
}

/// A table or sequence.
struct Relation {
    schema: String,
    name: String,
}

impl Relation {
    fn of(schema: &str, name: &str) -> Self {
        Self { schema: schema.to_owned(), name: name.to_owned() }
    }

    /// The name for people.
    fn label(&self) -> String {
        if self.schema == "public" { self.name.clone() } else { format!("{}.{}", self.schema, self.name) }
    }
}

/// Names of those relations for which a query answers.
async fn of(
    connection: &mut PgConnection,
    query: &'static str,
    relations: &[Relation],
    rights: Option<&[String]>,
) -> Result<Vec<String>, Trouble> {
    let column = |text: fn(&Relation) -> String| relations.iter().map(text).collect::<Vec<String>>();
    let mut query = sqlx::query_as(query)
        .bind(column(|relation| relation.schema.clone()))
        .bind(column(|relation| relation.name.clone()))
        .bind(column(Relation::label));
    if let Some(rights) = rights {
        query = query.bind(rights.to_vec());
    }
    let names: Vec<(String,)> =
        query.fetch_all(connection).await.map_err(|error| trouble(&failed("ask for the rights of the role")(error)))?;
    Ok(names.into_iter().map(|(name,)| name).collect())
}
