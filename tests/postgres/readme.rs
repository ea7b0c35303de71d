//! The README's restore of one tenant, as it is typed there, on a server of the test's own.

use reinstate_tests::postgres::Cluster;
use reinstate_tests::process::{expect, reinstate};

const README: &str = include_str!("../../README.md");

const APP: &str = "CREATE TABLE tenants (id int PRIMARY KEY); \
    CREATE TABLE items (id bigserial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
    INSERT INTO tenants VALUES (41), (42); \
    INSERT INTO items (tenant_id) SELECT 41 + n % 2 FROM generate_series(1, 20) AS n";

#[test]
fn one_tenant_comes_back_as_typed() {
    let cluster = Cluster::start();
    cluster.create("copy");
    let _ = cluster.sql("copy", APP);
    let _ = cluster.sql("postgres", "CREATE DATABASE app TEMPLATE copy");
    let _ = cluster.sql("app", "DELETE FROM items WHERE tenant_id = 42; DELETE FROM tenants WHERE id = 42");
    let after = README.split_once("## One tenant of a PostgreSQL database").expect("the heading is there").1;
    let block = after.split_once("```console\n").expect("a block follows").1.split_once("\n```").expect("it ends").0;
    let block = block.replace("\\\n", " ");
    let mut said = Vec::new();
    for line in block.lines() {
        let mut command = reinstate(env!("CARGO_BIN_EXE_reinstate-under-test"));
        for word in line.split_whitespace().skip(1) {
            match word.strip_prefix("postgres://postgres@localhost/") {
                Some(database) => command.arg(cluster.url(database)),
                None => command.arg(word),
            };
        }
        let before = cluster.sql("app", "SELECT count(*) FROM items");
        said.push(String::from_utf8(expect(&mut command, 0).stdout).unwrap());
        let changed = cluster.sql("app", "SELECT count(*) FROM items") != before;
        assert_eq!(changed, line.contains("tenant restore") && !line.contains("--dry-run"), "{line}");
    }
    assert_eq!(said.len(), 3);
    assert!(said[1].contains("42: 11 rows in 2 tables, 0 there already"), "{}", said[1]);
    assert!(said[2].contains("42: 11 rows in 2 tables, verified"), "{}", said[2]);
    assert_eq!(cluster.sql("app", "SELECT count(*) FROM items WHERE tenant_id = 42"), "10");
}
