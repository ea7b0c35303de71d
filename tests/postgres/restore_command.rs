//! `reinstate tenant restore`, as it is typed.

use std::process::Command;

use reinstate_tests::postgres::Cluster;
use reinstate_tests::process::{expect, reinstate};
use serde_json::{Value, json};

const SHOP: &str = "CREATE TABLE tenants (id int PRIMARY KEY, host text UNIQUE); \
    CREATE TABLE items (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, name text); \
    INSERT INTO tenants SELECT n, 'host ' || n FROM generate_series(1, 3) AS n; \
    INSERT INTO items (tenant_id, name) SELECT 1 + n % 3, 'item ' || n FROM generate_series(1, 30) AS n";

fn shop() -> Cluster {
    let cluster = Cluster::start();
    cluster.create("copy");
    let _ = cluster.sql("copy", SHOP);
    let _ = cluster.sql("postgres", "CREATE DATABASE live TEMPLATE copy");
    let _ = cluster.sql("live", "DELETE FROM items WHERE tenant_id < 3; DELETE FROM tenants WHERE id < 3");
    cluster
}

fn restore(cluster: &Cluster, more: &[&str]) -> Command {
    let mut command = reinstate(env!("CARGO_BIN_EXE_reinstate-under-test"));
    // A password that is not asked for; it must not be seen all the same.
    let with_password = |database: &str| cluster.url(database).replace("postgres@", "postgres:hunter2@");
    command.args(["tenant", "restore", "--from", &with_password("copy"), "--to", &with_password("live")]);
    command.args(["--root", "tenants"]).args(more);
    command
}

fn said(command: &mut Command, exit: i32) -> String {
    let output = expect(command, exit);
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    text
}

fn answer(command: &mut Command, exit: i32) -> Value {
    serde_json::from_str(&said(command.arg("--json"), exit)).unwrap()
}

#[test]
fn a_look_changes_nothing_and_a_restore_says_what_was_proven() {
    let cluster = shop();
    let looked = answer(&mut restore(&cluster, &["--id", "1", "2", "--dry-run"]), 0);
    assert_eq!(looked["dry_run"], true);
    let states: Vec<&Value> = looked["tenants"].as_array().unwrap().iter().map(|tenant| &tenant["state"]).collect();
    assert_eq!(states, [&json!("clear"), &json!("clear")]);
    assert_eq!(looked["tenants"][0]["tables"]["items"]["rows"], 10);
    assert_eq!(cluster.sql("live", "SELECT count(*) FROM tenants"), "1");
    assert_eq!(cluster.sql("live", "SELECT to_regnamespace('reinstate') IS NULL"), "t", "not even a ledger");

    let done = answer(&mut restore(&cluster, &["--id", "1", "--id", "2"]), 0);
    assert_eq!((&done["restored"], &done["failed"], &done["rows"]), (&json!(2), &json!(0), &json!(22)));
    let first = &done["tenants"][0];
    assert_eq!((&first["id"], &first["state"], &first["verified"]), (&json!("1"), &json!("restored"), &json!(true)));
    assert_eq!(first["tables"]["items"]["hash"], looked["tenants"][0]["tables"]["items"]["hash"]);
    assert_eq!(cluster.sql("live", "SELECT count(*) FROM items"), "30");
    let again = answer(&mut restore(&cluster, &["--id", "1"]), 0);
    assert_eq!((&again["tenants"][0]["state"], &again["tenants"][0]["already"]), (&json!("there-already"), &json!(11)));
}

#[test]
fn what_is_in_the_way_is_told_with_its_own_exit_code() {
    let cluster = shop();
    let _ = cluster.sql("live", "INSERT INTO tenants VALUES (9, 'host 1')");
    let text = said(&mut restore(&cluster, &["--id", "1", "2", "77"]), 3);
    for part in [
        "1: not restored: [postgres.conflict]",
        "tenants has taken (host)=(host 1) (tenants_host_key) of 9",
        "77: not restored: [postgres.no_tenant]",
        "1 of 3 tenants, 11 rows",
        "hint: ",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let looked = answer(&mut restore(&cluster, &["--id", "1", "--dry-run"]), 3);
    assert_eq!(looked["tenants"][0]["conflicts"][0]["kind"], "unique");
    // Live rows are not overwritten by a slip.
    let text = said(&mut restore(&cluster, &["--id", "1", "--on-conflict", "replace"]), 2);
    assert!(text.contains("--yes"), "{text}");
}

#[test]
fn what_is_wrong_as_a_whole_is_told_before_anything_is_written() {
    let cluster = shop();
    let text = said(&mut restore(&cluster, &["--id", "1", "app-1", "2"]), 2);
    assert!(text.contains("postgres.bad_id") && text.contains("app-1 is no value of the tenants' key"), "{text}");
    let _ = cluster.sql("live", "ALTER TABLE items ADD must int NOT NULL DEFAULT 1");
    let text = said(&mut restore(&cluster, &["--id", "1"]), 2);
    assert!(text.contains("items.must (integer NOT NULL) is new"), "{text}");
    assert_eq!(cluster.sql("live", "SELECT count(*) FROM tenants"), "1");
}

#[test]
fn a_tenant_comes_back_under_a_new_id_and_what_holds_the_old_one_is_named() {
    let cluster = shop();
    for database in ["copy", "live"] {
        let _ = cluster.sql(database, "ALTER TABLE items ADD note jsonb");
    }
    let _ = cluster.sql("copy", "UPDATE items SET note = jsonb_build_object('same', id) WHERE tenant_id = 1");
    let new = ["--id", "1", "--new-id", "7", "--remap-json", "items(note $.same)->items(id)"];
    let looked = answer(&mut restore(&cluster, &[&new[..], &["--dry-run"]].concat()), 0);
    assert_eq!((&looked["tenants"][0]["state"], &looked["tenants"][0]["rows"]), (&json!("clear"), &json!(11)));
    let done = answer(&mut restore(&cluster, &new), 0);
    let remapped = &done["tenants"][0]["remapped"];
    assert_eq!((&remapped["was"], &remapped["tenant"]), (&json!("1"), &json!("7")));
    assert_eq!(remapped["ids"], json!({ "items": 10, "tenants": 1 }));
    let same = "SELECT count(*), bool_and((note ->> 'same')::int = id) FROM items WHERE tenant_id = 7";
    assert_eq!(cluster.sql("live", same), "10|t");
    let text = said(&mut restore(&cluster, &["--id", "2", "--new-id", "8"]), 0);
    assert!(text.contains("is 8 now; new IDs: items 10, tenants 1"), "{text}");

    let text = said(&mut restore(&cluster, &["--id", "2", "--new-id", "9", "--remap-text", "items(name)"]), 2);
    assert!(text.contains("remap.declaration") && text.contains("TABLE(COLUMN)->TABLE(COLUMN)"), "{text}");
    let text = said(&mut restore(&cluster, &["--id", "1", "2", "--new-id", "9"]), 2);
    assert!(text.contains("remap.several"), "{text}");
    let _ = said(&mut restore(&cluster, &["--id", "1", "--remap-keep", "items.*"]), 2);
}

#[test]
fn shared_rows_that_differ_are_told_in_text_and_json() {
    let cluster = shop();
    for database in ["copy", "live"] {
        let _ = cluster.sql(
            database,
            "CREATE TABLE plans (id int PRIMARY KEY, name text); INSERT INTO plans VALUES (1, 'small'), (2, 'large'); \
             ALTER TABLE items ADD plan_id int REFERENCES plans DEFAULT 1",
        );
    }
    let _ = cluster.sql("live", "UPDATE plans SET name = 'smaller'");
    let differs = json!({ "plans": { "rows": 1, "keys": ["(id)=(1)"] } });
    let line = "differs from the backup, and stays as it is live: 1 shared rows of plans: (id)=(1)\n";
    assert!(said(&mut restore(&cluster, &["--id", "1", "--dry-run"]), 0).contains(line));
    let looked = answer(&mut restore(&cluster, &["--id", "1", "--dry-run"]), 0);
    assert_eq!(looked["tenants"][0]["shared_differs"], differs);
    assert!(said(&mut restore(&cluster, &["--id", "1"]), 0).contains(line));
    assert_eq!(answer(&mut restore(&cluster, &["--id", "2"]), 0)["tenants"][0]["shared_differs"], differs);
    assert_eq!(cluster.sql("live", "SELECT name FROM plans WHERE id = 1"), "smaller");
}
