//! A shard of many tenants: a recovered file, and the live file from which one was deleted.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Row, SqliteConnection};
use tempfile::TempDir;

pub(crate) const SCHEMA: &str = "
create table plans (id integer primary key, name text not null);
create table sites (id text primary key, host text not null unique, plan_id integer not null references plans(id),
  owner_id integer references users(id));
create table users (id integer primary key, site_id text not null references sites(id), mail text not null);
create index users_site on users(site_id);
create table projects (id integer primary key autoincrement, site_id text not null references sites(id), name text,
  label text generated always as (upper(name)) stored);
create index projects_site on projects(site_id);
create table issues (id integer primary key, project_id integer not null references projects(id),
  parent_id integer references issues(id), title text, weight real, data blob);
create index issues_project on issues(project_id);
create table comments (issue_id integer not null references issues(id), n integer not null, author_id integer references users(id),
  body text, primary key (issue_id, n)) without rowid;
create table links (issue_id integer references issues(id), user_id integer references users(id), note text);
create index links_issue on links(issue_id);
create index links_user on links(user_id);
create table settings (k text primary key, v text);
";

pub(crate) struct Shard {
    pub(crate) folder: TempDir,
    pub(crate) live: PathBuf,
    pub(crate) from: PathBuf,
}

pub(crate) async fn open(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    options.disable_statement_logging().connect().await.unwrap()
}

pub(crate) async fn run(connection: &mut SqliteConnection, text: &str) {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(connection).await.unwrap();
}

pub(crate) async fn scalar(path: &Path, text: &str) -> String {
    let mut connection = open(path).await;
    let row =
        sqlx::query(AssertSqlSafe(format!("select cast(({text}) as text)"))).fetch_one(&mut connection).await.unwrap();
    row.try_get::<Option<String>, _>(0).unwrap().unwrap_or_default()
}

/// Everything in a file, as text, without our ledger.
pub(crate) async fn dump(path: &Path) -> Vec<String> {
    let mut connection = open(path).await;
    let tables = "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' and name not like 'reinstate_%' order by 1";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut connection).await.unwrap();
    let mut all = Vec::new();
    for table in tables {
        let columns: Vec<String> = sqlx::query_scalar("select 'quote(\"' || name || '\")' from pragma_table_xinfo(?1)")
            .bind(&table)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let text = format!("select {} from \"{table}\" order by 1", columns.join(" || ',' || "));
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(text)).fetch_all(&mut connection).await.unwrap();
        all.extend(rows.into_iter().map(|row| format!("{table}: {row}")));
    }
    all
}

/// SQL that makes one tenant with its rows.
pub(crate) fn tenant(number: i64, issues: i64) -> String {
    let id = format!("site-{number}");
    let base = number * 1_000;
    let mut text = format!(
        "insert into sites values ('{id}', 'h{number}.example', 1, null);
         insert into users values ({base}, '{id}', 'a@{id}'), ({base} + 1, '{id}', 'b@{id}');
         update sites set owner_id = {base} where id = '{id}';
         insert into projects (id, site_id, name) values ({base}, '{id}', 'p{number}');"
    );
    for issue in 0..issues {
        let row = base + issue;
        let parent = if issue == 0 { "null".to_owned() } else { (row - 1).to_string() };
        text.push_str(&format!(
            "insert into issues values ({row}, {base}, {parent}, 'it''s ' || char({issue} + 32) || char(0) || 'x', {issue} + 0.5, x'00ff{:02x}');
             insert into comments values ({row}, 1, {base}, 'one'), ({row}, 2, null, null);
             insert into links values ({row}, null, 'dup'), ({row}, null, 'dup'), (null, {base}, 'u');",
            issue % 256
        ));
    }
    text
}

/// Deletes one tenant, children first.
pub(crate) fn deletion(number: i64) -> String {
    let id = format!("site-{number}");
    format!(
        "pragma defer_foreign_keys = on;
         delete from links where issue_id in (select id from issues where project_id in (select id from projects where site_id = '{id}'))
           or user_id in (select id from users where site_id = '{id}');
         delete from comments where issue_id in (select id from issues where project_id in (select id from projects where site_id = '{id}'));
         delete from issues where project_id in (select id from projects where site_id = '{id}');
         delete from projects where site_id = '{id}';
         delete from users where site_id = '{id}';
         delete from sites where id = '{id}';"
    )
}

impl Shard {
    /// Three tenants; the second is deleted from the live file, while the others went on writing.
    pub(crate) async fn new() -> Self {
        Self::with_schema("").await
    }

    pub(crate) async fn with_schema(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (live, from) = (folder.path().join("live db.sqlite"), folder.path().join("recovered.db"));
        let mut connection = open(&from).await;
        run(&mut connection, &format!("{SCHEMA}{more}")).await;
        run(&mut connection, "insert into plans values (1, 'free'); insert into settings values ('a', 'b')").await;
        run(&mut connection, &format!("begin; {}{}{} commit;", tenant(1, 3), tenant(2, 4), tenant(3, 2))).await;
        drop(connection);
        std::fs::copy(&from, &live).unwrap();
        let shard = Self { folder, live, from };
        let options = SqliteConnectOptions::new().filename(&shard.live).journal_mode(SqliteJournalMode::Wal);
        let mut connection = options.connect().await.unwrap();
        run(&mut connection, &format!("begin; {} commit;", deletion(2))).await;
        run(&mut connection, "insert into issues values (1500, 1000, null, 'newer', 1, null); insert into projects (id, site_id, name) values (9000, 'site-3', 'newest')").await;
        shard
    }

    pub(crate) fn with(&self, number: i64) -> Value {
        json!({
            "from": self.from, "to": self.live, "tenant": format!("site-{number}"),
            "root": { "table": "sites", "key": "id", "column": "site_id" },
        })
    }

    pub(crate) fn with_more(&self, number: i64, more: Value) -> Value {
        let mut with = self.with(number);
        for (name, value) in more.as_object().unwrap() {
            with[name] = value.clone();
        }
        with
    }

    pub(crate) async fn on_live(&self, text: &str) {
        run(&mut open(&self.live).await, text).await;
    }
}
