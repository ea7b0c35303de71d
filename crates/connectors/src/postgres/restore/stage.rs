//! A tenant's rows beside the live ones: what is there already, what is in the way, and what is missing.
//!
//! The rows of the backup go into temporary tables of the transaction, and SQL compares. This costs more than writing
//! them at once, and is done only where live rows are in the way, or where nothing is to be written at all.

use sqlx::{AssertSqlSafe, PgConnection};

use super::error::{Conflict, ConflictKind, RestoreError, failed};
use super::pair::Pair;
use super::session::run;
use super::sheet::Sheet;
use crate::postgres::catalog::{Index, Table};
use crate::postgres::closure::Rows;
use crate::postgres::quote::{columns, literal, name};

/// Conflicts of one kind and constraint that are listed at most.
const LISTED: usize = 1_000;

/// A table with its temporary twin `s`.
pub(crate) struct Stage<'a> {
    pub(crate) sheet: &'a Sheet,
    table: &'a Table,
    /// The temporary table.
    pub(crate) twin: String,
    /// Live rows of the tenant.
    own: Rows,
}

/// What stands in the way, and what does not.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Rows that are there and equal.
    pub(crate) already: u64,
    /// Rows of the tenant that are there and differ.
    pub(crate) differs: u64,
    /// Everything that is in the way.
    pub(crate) conflicts: Vec<Conflict>,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(pair: &'a Pair, sheets: &'a [Sheet], at: usize, wanted: &str) -> Option<Self> {
        let sheet = &sheets[at];
        let own = pair.closure.rows(&pair.backup, sheet.place, wanted)?;
        Some(Self { sheet, table: &pair.backup.tables[sheet.place], twin: format!("pg_temp.reinstate_{at}"), own })
    }

    /// Makes the twin, empty; it goes with the transaction.
    pub(crate) async fn create(&self, live: &mut PgConnection) -> Result<(), RestoreError> {
        let create = format!(
            "CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} AS t WITH NO DATA",
            self.twin.trim_start_matches("pg_temp."),
            self.sheet.list("t"),
            self.sheet.qualified
        );
        run(live, &create, "make a temporary table").await
    }

    /// The statement that fills the twin with all columns, computed ones too.
    pub(crate) fn copy_in(&self) -> String {
        format!("COPY {} FROM STDIN (FORMAT {})", self.twin, self.sheet.form.option())
    }

    /// Tells the server how many rows there are.
    pub(crate) async fn analyse(&self, live: &mut PgConnection) -> Result<(), RestoreError> {
        run(live, &format!("ANALYZE {}", self.twin), "count the staged rows").await
    }

    /// `s."a" = t."a" AND ...` over the primary key; `None` without one.
    fn by_key(&self) -> Option<String> {
        let key = self.table.primary_key();
        (!key.is_empty()).then(|| equal(key))
    }

    /// Whether rows `s` and `t` have the same contents, type for type.
    fn same(&self) -> String {
        format!("ROW({})::text = ROW({})::text", self.sheet.list("s"), self.sheet.list("t"))
    }

    fn own(&self) -> String {
        self.own.select("t.tableoid AS relation, t.ctid AS place")
    }

    /// Looks at every row.
    pub(crate) async fn look(&self, live: &mut PgConnection, survey: &mut Survey) -> Result<(), RestoreError> {
        match self.by_key() {
            Some(by_key) => {
                self.keyed(live, &by_key, survey).await?;
            }
            None => self.unkeyed(live, survey).await?,
        }
        for index in &self.table.indexes {
            // Expressions and exclusions are judged by the server when the row is written.
            if index.unique && !index.primary && !index.expressions {
                self.unique(live, index, survey).await?;
            }
        }
        Ok(())
    }

    async fn keyed(&self, live: &mut PgConnection, by_key: &str, survey: &mut Survey) -> Result<(), RestoreError> {
        let key = self.table.primary_key();
        let constraint = self.table.indexes.iter().find(|index| index.primary).map(|index| index.name.clone());
        let same = self.same();
        let counts = format!(
            "SELECT count(*) FILTER (WHERE {same}), count(*) FILTER (WHERE NOT {same} AND {own}) \
             FROM {twin} AS s JOIN {live} AS t ON {by_key}",
            own = self.is_own(),
            twin = self.twin,
            live = self.sheet.qualified
        );
        let (already, differs): (i64, i64) = self.one(live, counts).await?;
        survey.already += unsigned(already);
        survey.differs += unsigned(differs);
        let differ = format!(
            "SELECT {text}, {own}, {owner} FROM {twin} AS s JOIN {live} AS t ON {by_key} WHERE NOT {same} ORDER BY 1 LIMIT {LISTED}",
            text = shown("t", key),
            own = self.is_own(),
            owner = self.owner(),
            twin = self.twin,
            live = self.sheet.qualified
        );
        for (key, own, owner) in self.listed(live, differ).await? {
            let kind = if own { ConflictKind::Differs } else { ConflictKind::Foreign };
            survey.conflicts.push(self.conflict(kind, constraint.clone(), key, owner.filter(|_| !own)));
        }
        let extra = format!(
            "SELECT {text}, true, NULL::text FROM ({own}) AS o JOIN {live} AS t ON t.tableoid = o.relation AND t.ctid = o.place \
             WHERE NOT EXISTS (SELECT FROM {twin} AS s WHERE {by_key}) ORDER BY 1 LIMIT {LISTED}",
            text = shown("t", key),
            own = self.own(),
            twin = self.twin,
            live = self.sheet.qualified
        );
        for (key, _, _) in self.listed(live, extra).await? {
            survey.conflicts.push(self.conflict(ConflictKind::Extra, None, key, None));
        }
        Ok(())
    }

    /// Without a key, equal rows can only be counted.
    async fn unkeyed(&self, live: &mut PgConnection, survey: &mut Survey) -> Result<(), RestoreError> {
        let (already, extra): (i64, i64) = self
            .one(
                live,
                format!(
                    "SELECT coalesce(sum(least(coalesce(s.n, 0), coalesce(t.n, 0))), 0)::int8, coalesce(sum(greatest(coalesce(t.n, 0) - coalesce(s.n, 0), 0)), 0)::int8 \
                     FROM ({staged}) AS s FULL JOIN ({own}) AS t ON s.r = t.r",
                    staged = self.counted_staged(),
                    own = self.counted_own()
                ),
            )
            .await?;
        survey.already += unsigned(already);
        if extra > 0 {
            let key = format!("{extra} rows, in a table without a key");
            survey.conflicts.push(self.conflict(ConflictKind::Extra, None, key, None));
        }
        Ok(())
    }

    /// Values that must be there once, and are there in another row.
    async fn unique(&self, live: &mut PgConnection, index: &Index, survey: &mut Survey) -> Result<(), RestoreError> {
        let only = index.predicate.as_ref().map_or(String::new(), |predicate| format!(" WHERE {predicate}"));
        let another = self.by_key().map_or_else(|| format!("NOT {}", self.same()), |by_key| format!("NOT ({by_key})"));
        let taken = format!(
            "SELECT {text}, {own}, {owner} FROM (SELECT * FROM {twin}{only}) AS s JOIN \
             (SELECT tableoid, ctid, * FROM {live}{only}) AS t ON {by} WHERE {another} ORDER BY 1 LIMIT {LISTED}",
            text = shown("t", &index.columns),
            own = self.is_own(),
            owner = self.owner(),
            twin = self.twin,
            live = self.sheet.qualified,
            by = equal(&index.columns)
        );
        for (key, _, owner) in self.listed(live, taken).await? {
            survey.conflicts.push(self.conflict(ConflictKind::Unique, Some(index.name.clone()), key, owner));
        }
        Ok(())
    }

    /// Inserts what is missing; returns how many rows.
    pub(crate) async fn insert(&self, live: &mut PgConnection) -> Result<u64, RestoreError> {
        let missing = match self.by_key() {
            Some(by_key) => format!(
                "SELECT {} FROM {} AS s WHERE NOT EXISTS (SELECT FROM {} AS t WHERE {by_key})",
                columns("s", &self.sheet.stored),
                self.twin,
                self.sheet.qualified
            ),
            // Of rows that are equal, as many as are not there.
            None => format!(
                "SELECT {stored} FROM (SELECT s.*, row_number() OVER (PARTITION BY ROW({list})::text) AS reinstate_n FROM {twin} AS s) AS s \
                 LEFT JOIN ({own}) AS o ON o.r = ROW({list})::text WHERE s.reinstate_n > coalesce(o.n, 0)",
                stored = columns("s", &self.sheet.stored),
                list = self.sheet.list("s"),
                twin = self.twin,
                own = self.counted_own()
            ),
        };
        let insert = format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE {missing}",
            self.sheet.qualified,
            self.sheet.stored_list()
        );
        self.write(live, insert).await
    }

    /// Gives live rows of the tenant the contents of the backup; returns how many.
    pub(crate) async fn replace(&self, live: &mut PgConnection) -> Result<u64, RestoreError> {
        let Some(by_key) = self.by_key() else { return Ok(0) };
        let key = self.table.primary_key();
        let sets: Vec<String> = self
            .sheet
            .stored
            .iter()
            .filter(|column| !key.contains(column))
            .map(|column| format!("{0} = s.{0}", name(column)))
            .collect();
        if sets.is_empty() {
            return Ok(0);
        }
        let update = format!(
            "UPDATE {} AS t SET {} FROM {} AS s WHERE {by_key} AND NOT {} AND {}",
            self.sheet.qualified,
            sets.join(", "),
            self.twin,
            self.same(),
            self.is_own()
        );
        self.write(live, update).await
    }

    /// Returns how many staged rows have an equal live row.
    pub(crate) async fn equal(&self, live: &mut PgConnection) -> Result<u64, RestoreError> {
        let count = match self.by_key() {
            Some(by_key) => format!(
                "SELECT count(*), 0::int8 FROM {} AS s JOIN {} AS t ON {by_key} AND {}",
                self.twin,
                self.sheet.qualified,
                self.same()
            ),
            None => format!(
                "SELECT coalesce(sum(least(s.n, t.n)), 0)::int8, 0::int8 FROM ({}) AS s JOIN ({}) AS t ON s.r = t.r",
                self.counted_staged(),
                self.counted_own()
            ),
        };
        self.one(live, count).await.map(|(count, _)| unsigned(count))
    }

    fn counted_staged(&self) -> String {
        format!("SELECT ROW({})::text AS r, count(*) AS n FROM {} AS s GROUP BY 1", self.sheet.list("s"), self.twin)
    }

    fn counted_own(&self) -> String {
        let rows = self.own.select(&format!("ROW({})::text AS r", self.sheet.list("t")));
        format!("SELECT r, count(*) AS n FROM ({rows}) AS own GROUP BY r")
    }

    fn is_own(&self) -> String {
        format!("(t.tableoid, t.ctid) IN ({})", self.own())
    }

    /// The tenant of a live row `t`, as text.
    fn owner(&self) -> String {
        // Inside, `t` is the whole table again; the row outside is known by its place, under names of its own.
        format!(
            "(SELECT inside.tenant::text FROM (SELECT t.tableoid AS relation, t.ctid AS place) AS outside, LATERAL \
             (SELECT {} AS tenant FROM {} WHERE t.tableoid = outside.relation AND t.ctid = outside.place) AS inside LIMIT 1)",
            self.own.tenant, self.own.from
        )
    }

    fn conflict(&self, kind: ConflictKind, constraint: Option<String>, key: String, owner: Option<String>) -> Conflict {
        Conflict { table: self.sheet.label.clone(), kind, constraint, key, owner }
    }

    async fn one(&self, live: &mut PgConnection, select: String) -> Result<(i64, i64), RestoreError> {
        let doing = || failed(format!("compare rows of {}", self.sheet.label));
        sqlx::query_as(AssertSqlSafe(select)).fetch_one(live).await.map_err(doing())
    }

    async fn listed(
        &self,
        live: &mut PgConnection,
        select: String,
    ) -> Result<Vec<(String, bool, Option<String>)>, RestoreError> {
        let doing = || failed(format!("compare rows of {}", self.sheet.label));
        sqlx::query_as(AssertSqlSafe(select)).fetch_all(live).await.map_err(doing())
    }

    async fn write(&self, live: &mut PgConnection, text: String) -> Result<u64, RestoreError> {
        match sqlx::query(AssertSqlSafe(text)).execute(live).await {
            Ok(done) => Ok(done.rows_affected()),
            Err(error) => Err(failed(format!("write rows of {}", self.sheet.label))(error)),
        }
    }
}

/// `s."a" = t."a" AND ...`
fn equal(key: &[String]) -> String {
    key.iter().map(|column| format!("s.{0} = t.{0}", name(column))).collect::<Vec<_>>().join(" AND ")
}

/// A key as people read it: `(id)=(5)`.
fn shown(alias: &str, key: &[String]) -> String {
    let names = literal(&format!("({})=(", key.join(", ")));
    let values: Vec<String> = key.iter().map(|column| format!("{alias}.{}::text", name(column))).collect();
    format!("{names} || concat_ws(', ', {}) || ')'", values.join(", "))
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
