//! A copy and a live database of one schema, and tenants that are deleted from the live one.

use std::time::Duration;

use connectors::postgres::{
    Catalog, Class, Closure, Conflict, ConflictKind, Guard, Job, Looked, OnConflict, Options, Outcome, RestoreError,
    Restored, Scope, connect, preview, restore,
};
use reinstate_tests::postgres::{Cluster, Options as Server};

/// A cluster with the databases `copy` and `live`, equal at first.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) job: Job,
}

impl World {
    /// Makes both from a script; the tenants are the rows of `root`.
    pub(crate) fn new(script: &str, root: &str) -> Self {
        Self::on(Cluster::with(), script, root)
    }

    /// As [`World::new`], on a server with settings of its own.
    pub(crate) fn on(options: Server, script: &str, root: &str) -> Self {
        let cluster = options.start();
        cluster.create("copy");
        let _ = cluster.sql("copy", script);
        let _ = cluster.sql("postgres", "CREATE DATABASE live TEMPLATE copy");
        let job = Job {
            from: cluster.url("copy"),
            to: cluster.url("live"),
            scope: Scope { root: root.into(), ..Scope::default() },
            tenants: Vec::new(),
            remap: None,
            replication_origin: None,
            on_conflict: OnConflict::Fail,
            connections: 2,
            chunk_rows: connectors::postgres::CHUNK_ROWS,
            lock_timeout: Duration::from_secs(5),
            guard: Guard::default(),
            run: "test".into(),
            key: "test".into(),
            token: 1,
        };
        Self { cluster, job }
    }

    pub(crate) fn live(&self, sql: &str) -> String {
        self.cluster.sql("live", sql)
    }

    pub(crate) fn copy(&self, sql: &str) -> String {
        self.cluster.sql("copy", sql)
    }

    pub(crate) fn declare(&mut self, declarations: &[&str]) {
        let declarations = declarations.iter().map(|text| text.parse().unwrap()).collect();
        self.job.scope.closure = Options { declarations, ..Options::default() };
    }

    /// Deletes all rows of tenants from the live database, as a script with ID lists would.
    pub(crate) async fn delete(&self, tenants: &[&str]) {
        let mut connection = connect(&self.cluster.url("live")).await.unwrap();
        let catalog = Catalog::read(&mut connection).await.unwrap();
        let closure = Closure::of(&catalog, &self.job.scope.root, &self.job.scope.closure).unwrap();
        let wanted = format!("'{{{}}}'::{}[]", tenants.join(","), closure.key_type);
        let mut script = "SET session_replication_role = replica; BEGIN;".to_owned();
        let tables: Vec<usize> = closure.of_class(Class::Tenant).collect();
        for &at in &tables {
            let rows = closure.rows(&catalog, at, &wanted).unwrap().select("t.tableoid AS r, t.ctid AS c");
            script.push_str(&format!("CREATE TEMP TABLE gone_{at} AS {rows};"));
        }
        for &at in &tables {
            let table = &catalog.tables[at];
            let only = if table.partitions.is_empty() { "ONLY " } else { "" };
            script.push_str(&format!(
                "DELETE FROM {only}\"{}\".\"{}\" AS t WHERE (t.tableoid, t.ctid) IN (SELECT r, c FROM gone_{at});",
                table.schema, table.name
            ));
        }
        let _ = self.live(&(script + "COMMIT;"));
    }

    pub(crate) async fn try_restore(&self, tenants: &[&str]) -> Result<Outcome, RestoreError> {
        let tenants = tenants.iter().map(|tenant| (*tenant).to_owned()).collect();
        restore(&Job { tenants, ..self.job.clone() }).await
    }

    /// Restores one tenant under a key of its own.
    pub(crate) async fn restore(&self, tenant: &str) -> Result<Restored, RestoreError> {
        let mut done = self.try_restore(&[tenant]).await?;
        assert_eq!(done.tenants.len(), 1);
        done.tenants.remove(0).result
    }

    pub(crate) async fn look(&self, tenant: &str) -> Looked {
        let tenants = vec![tenant.to_owned()];
        let mut looked = preview(&Job { tenants, ..self.job.clone() }).await.unwrap();
        looked.tenants.remove(0).1.unwrap()
    }

    /// Every row of every table of users, as text; for comparing a database with what it was.
    pub(crate) fn rows(&self, database: &str) -> Vec<String> {
        let tables = self.cluster.sql(
            database,
            "SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'reinstate') ORDER BY 1",
        );
        let mut all = Vec::new();
        for table in tables.lines() {
            let rows = self.cluster.sql(database, &format!("SELECT t::text FROM ONLY {table} AS t ORDER BY 1"));
            all.extend(rows.lines().map(|row| format!("{table}: {row}")));
        }
        all
    }
}

/// The conflicts of a refused restore as `kind table key`.
pub(crate) fn conflicts(result: Result<Restored, RestoreError>) -> Vec<String> {
    match result {
        Err(RestoreError::Conflict { conflicts, .. }) => words(&conflicts),
        other => panic!("no conflict: {other:?}"),
    }
}

pub(crate) fn words(conflicts: &[Conflict]) -> Vec<String> {
    let kind = |kind: ConflictKind| serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned();
    conflicts
        .iter()
        .map(|it| {
            let owner = it.owner.as_ref().map(|owner| format!(" of {owner}")).unwrap_or_default();
            format!("{} {} {}{owner}", kind(it.kind), it.table, it.key)
        })
        .collect()
}

pub(crate) fn code(result: Result<Restored, RestoreError>) -> &'static str {
    result.err().map_or("done", |error| error.code())
}
