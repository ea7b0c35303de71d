//! What is asked of live servers before a run, and that nothing of it changes them.

use std::collections::BTreeMap;
use std::time::Duration;

use reinstate_tests::postgres::Cluster;
use reinstate_tests::process::{expect, reinstate};
use runtime::{Call, Finding, Intent, SecretText, Severity};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const BINARY: &str = env!("CARGO_BIN_EXE_reinstate-under-test");

const SHOP: &str = "CREATE TABLE plans (id int PRIMARY KEY); \
    CREATE TABLE tenants (id int PRIMARY KEY, plan_id int NOT NULL REFERENCES plans); \
    CREATE TABLE items (id bigserial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, name text NOT NULL); \
    INSERT INTO plans VALUES (1); INSERT INTO tenants VALUES (1, 1); \
    INSERT INTO items (tenant_id, name) VALUES (1, 'a'); \
    CREATE ROLE app LOGIN; GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA public TO app; \
    GRANT UPDATE (id) ON plans TO app; GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO app; \
    GRANT CREATE ON DATABASE live TO app";

/// A live database `live` with tenants, and a role `app` that may do just what a restore needs.
fn shop() -> Cluster {
    let cluster = Cluster::start();
    cluster.create("live");
    let _ = cluster.sql("live", SHOP);
    cluster
}

/// Asks what an action would ask.
async fn asked(uses: &str, with: Value, secrets: BTreeMap<String, secrecy::SecretString>) -> Vec<Finding> {
    let all = connectors::all(&connectors::Settings::default());
    let connector = all.iter().find(|it| it.actions().iter().any(|action| action.uses == uses)).unwrap();
    let mut found = Vec::new();
    for with in connector.questions(&Intent { uses: uses.into(), with, from: BTreeMap::new() }) {
        let call = Call {
            uses: uses.to_owned(),
            key: "preflight".to_owned(),
            undoes: None,
            token: 0,
            with,
            secrets: SecretText::new(secrets.clone()),
            timeout: Duration::from_secs(60),
            cancel: CancellationToken::new(),
            log: runtime::Log::default(),
        };
        found.extend(connector.preflight(call).await);
    }
    assert!(!format!("{found:?}").contains("hunter2"), "a secret got out: {found:?}");
    found
}

async fn restore(cluster: &Cluster, role: &str, more: Value) -> Vec<Finding> {
    let mut with = json!({ "to": cluster.url_as(role, "live"), "root": { "table": "tenants" }, "tenant": 1 });
    for (name, value) in more.as_object().unwrap() {
        with[name] = value.clone();
    }
    asked("postgres/restore@1", with, BTreeMap::new()).await
}

#[track_caller]
fn well(found: &[Finding]) {
    assert!(!found.is_empty() && found.iter().all(|it| it.severity == Severity::Good), "{found:?}");
}

/// The only finding that is not well.
#[track_caller]
fn wrong<'f>(found: &'f [Finding], severity: Severity, code: &str) -> &'f str {
    let bad: Vec<&Finding> = found.iter().filter(|it| it.severity != Severity::Good).collect();
    match bad.as_slice() {
        [one] if one.code == code && one.severity == severity && !one.hint.is_empty() => &one.fact,
        _ => panic!("not {code} alone: {found:?}"),
    }
}

fn error<'f>(found: &'f [Finding], code: &str) -> &'f str {
    wrong(found, Severity::Error, code)
}

#[tokio::test]
async fn a_server_that_will_do_is_well_and_not_changed() {
    let cluster = shop();
    let before = cluster.sql("live", "SELECT count(*), sum(oid::int8) FROM pg_class");
    for role in ["postgres", "app"] {
        let found = restore(&cluster, role, json!({})).await;
        well(&found);
        assert_eq!(found.len(), 2, "the copy is not there yet, its schema is not asked: {found:?}");
        assert!(found[0].fact.contains(&format!("may be written as {role}")), "{found:?}");
        assert!(found[0].fact.contains("of 100 connections left"), "{found:?}");
        assert!(found[1].fact.starts_with("2 tables of tenants, 1 shared"), "{found:?}");
    }
    let url = || cluster.url_as("app", "live");
    let root = || json!({ "table": "tenants" });
    well(&asked("postgres/verify@1", json!({ "to": url(), "root": root() }), BTreeMap::new()).await);
    well(&asked("postgres/remove@1", json!({ "to": url(), "root": root() }), BTreeMap::new()).await);
    well(&asked("check/sql@1", json!({ "url": url(), "query": "SELECT 1" }), BTreeMap::new()).await);
    let wal = cluster.data().join("pg_wal");
    let found = asked("postgres/bystanders@1", json!({ "live": url(), "wal": wal }), BTreeMap::new()).await;
    well(&found);
    assert!(found[1].fact.contains("pg_waldump"), "{found:?}");
    let lost = asked("postgres/bystanders@1", json!({ "live": url(), "wal": "/no/such" }), BTreeMap::new()).await;
    error(&lost, "postgres.waldump");
    assert_eq!(cluster.sql("live", "SELECT count(*), sum(oid::int8) FROM pg_class"), before);
}

/// What preflight calls enough is enough, and what it calls missing is missed.
#[tokio::test]
async fn the_rights_that_are_asked_for_are_those_that_a_restore_needs() {
    let cluster = shop();
    let _ = cluster.sql("postgres", "CREATE DATABASE copy TEMPLATE live");
    let _ = cluster.sql("live", "DELETE FROM items; DELETE FROM tenants");
    let all = connectors::all(&connectors::Settings::default());
    let connector =
        all.iter().find(|it| it.actions().iter().any(|action| action.uses == "postgres/restore@1")).unwrap();
    let from = cluster.url_as("app", "copy");
    let with =
        json!({ "from": from, "to": cluster.url_as("app", "live"), "root": { "table": "tenants" }, "tenant": 1 });
    for (missing, given) in [
        // First, because the schema that needs it is made once.
        ("REVOKE CREATE ON DATABASE live FROM app", "GRANT CREATE ON DATABASE live TO app"),
        ("REVOKE UPDATE (id) ON plans FROM app", "GRANT UPDATE (id) ON plans TO app"),
        ("REVOKE SELECT ON items_id_seq FROM app", "GRANT SELECT ON items_id_seq TO app"),
        ("REVOKE INSERT ON items FROM app", "GRANT INSERT ON items TO app"),
    ] {
        let _ = cluster.sql("live", missing);
        error(&asked("postgres/restore@1", with.clone(), BTreeMap::new()).await, "postgres.rights");
        let outcome = connector.apply(crate::stage::call("postgres/restore@1", &with)).await;
        let text = format!("{outcome:?}");
        assert!(text.contains("Refused") && text.contains("permission denied"), "{missing}: {text}");
        let _ = cluster.sql("live", given);
    }
    well(&asked("postgres/restore@1", with.clone(), BTreeMap::new()).await);
    let outcome = connector.apply(crate::stage::call("postgres/restore@1", &with)).await;
    assert_eq!(crate::stage::done(&outcome)["rows"], 2);
    assert_eq!(cluster.sql("live", "SELECT count(*) FROM items"), "1");
}

#[tokio::test]
async fn what_is_asked_of_many_tenants_is_asked_once() {
    let all = connectors::all(&connectors::Settings::default());
    let connector =
        all.iter().find(|it| it.actions().iter().any(|action| action.uses == "postgres/restore@1")).unwrap();
    let of = |tenant: u32| {
        let with = json!({ "to": "postgres://h/live", "root": { "table": "tenants" }, "tenant": tenant });
        connector.questions(&Intent { uses: "postgres/restore@1".into(), with, from: BTreeMap::new() })
    };
    assert_eq!(of(1), of(2));
    assert_eq!(of(1).len(), 2);
    let nothing = Intent { uses: "postgres/restore@1".into(), with: json!({ "tenant": 1 }), from: BTreeMap::new() };
    assert!(connector.questions(&nothing).is_empty(), "the database is not known yet");
}

#[tokio::test]
async fn rights_that_are_missing_are_named() {
    let cluster = shop();
    let sql = |text: &str| drop(cluster.sql("live", text));
    let look = || restore(&cluster, "app", json!({}));
    sql("REVOKE CREATE ON DATABASE live FROM app");
    assert!(error(&look().await, "postgres.rights").contains("CREATE on the database"));
    // What another role made is enough, if it may be used.
    sql("CREATE SCHEMA reinstate");
    assert!(error(&look().await, "postgres.rights").contains("USAGE on the schema"));
    sql("GRANT USAGE ON SCHEMA reinstate TO app; CREATE TABLE reinstate.ledger (key text)");
    assert!(error(&look().await, "postgres.rights").contains("reinstate.ledger"));
    sql("GRANT SELECT, INSERT, UPDATE ON reinstate.ledger TO app");
    well(&look().await);

    sql("REVOKE INSERT ON items FROM app");
    assert!(error(&look().await, "postgres.rights").contains("items (INSERT)"));
    sql("GRANT INSERT ON items TO app; REVOKE UPDATE (id) ON plans FROM app; REVOKE SELECT ON items_id_seq FROM app");
    assert!(error(&look().await, "postgres.rights").contains("plans (UPDATE); items_id_seq (SELECT)"));
    sql("GRANT UPDATE (id) ON plans TO app; GRANT SELECT ON items_id_seq TO app; REVOKE INSERT ON items FROM app");
    let only = restore(&cluster, "app", json!({ "tables": ["tenants"] })).await;
    well(&only);
    sql("GRANT INSERT ON items TO app");
    let replace = restore(&cluster, "app", json!({ "on_conflict": "replace" })).await;
    assert!(error(&replace, "postgres.rights").contains("items (UPDATE); tenants (UPDATE)"));

    sql("ALTER TABLE items ENABLE ROW LEVEL SECURITY");
    assert!(error(&look().await, "postgres.rights").contains("BYPASSRLS"));
    sql("ALTER ROLE app BYPASSRLS");
    well(&look().await);
    sql("REVOKE TEMP ON DATABASE live FROM PUBLIC");
    assert!(error(&look().await, "postgres.rights").contains("temporary"));
    sql("GRANT TEMP ON DATABASE live TO PUBLIC; ALTER ROLE app CONNECTION LIMIT 2");
    let few = look().await;
    assert!(wrong(&few, Severity::Warning, "postgres.connections").contains("take"), "{few:?}");
    sql("ALTER ROLE app CONNECTION LIMIT -1; ALTER ROLE app SET default_transaction_read_only = on");
    error(&look().await, "postgres.read_only");
}

#[tokio::test]
async fn triggers_and_circles_want_the_right_to_keep_them_quiet() {
    let cluster = shop();
    let sql = |text: &str| drop(cluster.sql("live", text));
    sql("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
         CREATE TRIGGER touch BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION f()");
    let found = restore(&cluster, "app", json!({})).await;
    assert!(error(&found, "postgres.rights").contains("the trigger touch would fire"), "{found:?}");
    well(&restore(&cluster, "postgres", json!({})).await);
    sql("GRANT SET ON PARAMETER session_replication_role TO app");
    well(&restore(&cluster, "app", json!({})).await);
    sql("ALTER TABLE items ENABLE ALWAYS TRIGGER touch");
    let found = restore(&cluster, "app", json!({})).await;
    assert!(error(&found, "postgres.triggers").contains("touch on items"), "{found:?}");
    well(&restore(&cluster, "app", json!({ "triggers": "fire" })).await);
    sql("DROP TRIGGER touch ON items; REVOKE SET ON PARAMETER session_replication_role FROM app; \
         ALTER TABLE tenants ADD main_item bigint REFERENCES items");
    let found = restore(&cluster, "app", json!({})).await;
    assert!(error(&found, "postgres.rights").contains("circle"), "{found:?}");
}

#[tokio::test]
async fn tables_that_nobody_can_class_stop_the_run_before_it_starts() {
    let cluster = shop();
    let _ = cluster.sql("live", "CREATE TABLE notes (id int PRIMARY KEY, owner_type text, owner_id int)");
    let found = restore(&cluster, "postgres", json!({})).await;
    assert!(error(&found, "postgres.unclassed").contains("notes"), "{found:?}");
    let root = json!({ "root": { "table": "tenants", "declare": ["notes=shared"] } });
    well(&restore(&cluster, "postgres", root).await);
    error(&restore(&cluster, "postgres", json!({ "root": { "table": "sites" } })).await, "tenant.root");
    let root = json!({ "root": { "table": "tenants", "declare": ["notes"] } });
    error(&restore(&cluster, "postgres", root).await, "inputs");
}

#[tokio::test]
async fn a_copy_that_is_there_is_compared() {
    let cluster = shop();
    let _ = cluster.sql("postgres", "CREATE DATABASE copy TEMPLATE live");
    let from = || json!({ "from": cluster.url("copy") });
    let found = restore(&cluster, "postgres", from()).await;
    well(&found);
    assert_eq!(found[2].fact, "2 tables as in the recovered copy");
    let _ = cluster.sql("live", "ALTER TABLE items ADD price int");
    let found = restore(&cluster, "postgres", from()).await;
    assert!(error(&found, "postgres.schema_drift").contains("items.price"), "{found:?}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_or_let_us_in_is_told_without_secrets() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("postgres://me:hunter2@{nobody}/live");
    let with = |url: &str| json!({ "url": url, "query": "SELECT 1" });
    let found = asked("check/sql@1", with(&url), BTreeMap::new()).await;
    error(&found, "postgres.refused");
    assert_eq!(found[0].subject, format!("postgres://me@{nobody}/live"));
    let secret = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned().into())]);
    let part = format!("postgres://me:⟦secret:word⟧@{nobody}/live");
    error(&asked("check/sql@1", with(&part), secret("word", "hunter2")).await, "postgres.refused");
    // Only now is it known that it is a server and no file.
    error(&asked("check/sql@1", with("⟦secret:url⟧"), secret("url", &url)).await, "postgres.refused");
    let cluster = shop();
    let found = restore(&cluster, "nobody_here", json!({})).await;
    assert!(found.iter().all(|it| it.code == "postgres.refused" && it.severity == Severity::Error), "{found:?}");
}

#[test]
fn check_asks_servers_and_names_the_steps() {
    let cluster = shop();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "book.yaml",
        "schema: runbook/v1\nname: back\ntargets: { id: \"^[0-9]+$\" }\n\
         defaults: { timeout: 1m, retry: { attempts: 1 } }\n\
         steps:\n  restore:\n    uses: postgres/restore@1\n    with: { from: \"postgres://localhost/none\", to: \
         \"${{ estate.live }}\", root: { table: tenants }, tenant: \"${{ site.id }}\" }\n",
    );
    let live = cluster.url_as("app", "live");
    write("estate.yaml", &format!("schema: estate/v1\nname: shop\nsandbox: true\nvariables: {{ live: \"{live}\" }}\n"));
    write("sites.csv", "id\n1\n2\n");
    let _ = cluster.sql("live", "REVOKE INSERT ON items FROM app");
    let mut command = reinstate(BINARY);
    command.current_dir(folder.path()).args(["check", "book.yaml", "--sites", "sites.csv", "--estate", "estate.yaml"]);
    command.args(["--preflight", "--format", "json"]);
    let said: Value = serde_json::from_slice(&expect(&mut command, 2).stdout).unwrap();
    let preflight = &said[0]["preflight"];
    assert_eq!(preflight["asked"], 3, "{said}");
    let findings = preflight["findings"].as_array().unwrap();
    let rights = findings.iter().find(|it| it["code"] == "postgres.rights").unwrap();
    assert_eq!((&rights["severity"], &rights["steps"]), (&json!("error"), &json!(["restore"])));
    assert!(rights["fact"].as_str().unwrap().contains("items (INSERT)"), "{rights}");
}
