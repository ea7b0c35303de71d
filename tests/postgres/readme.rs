//! The README's restore of one tenant, as it is typed there, on a server of the test's own.

use reinstate_tests::postgres::Cluster;
use reinstate_tests::typed::{self, Prompt};

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
    let scratch = tempfile::tempdir().unwrap();
    let prompt = Prompt::new(env!("CARGO_BIN_EXE_reinstate-under-test"), scratch.path(), scratch.path());
    let prompt = ["app", "copy"].iter().fold(prompt, |prompt, database| {
        prompt.replacing(&format!("postgres://postgres@localhost/{database}"), format!("'{}'", cluster.url(database)))
    });
    let mut said = Vec::new();
    for line in typed::commands(typed::section(README, "## One tenant of a PostgreSQL database")) {
        let before = cluster.sql("app", "SELECT count(*) FROM items");
        for answer in prompt.type_in(std::slice::from_ref(&line)) {
            assert_eq!(answer.code, 0, "{line}\n{}", answer.said);
            said.push(answer.said);
        }
        let changed = cluster.sql("app", "SELECT count(*) FROM items") != before;
        assert_eq!(changed, line.contains("tenant restore") && !line.contains("--dry-run"), "{line}");
    }
    assert_eq!(said.len(), 3);
    assert!(said[1].contains("42: 11 rows in 2 tables, 0 there already"), "{}", said[1]);
    assert!(said[2].contains("42: 11 rows in 2 tables, verified"), "{}", said[2]);
    assert_eq!(cluster.sql("app", "SELECT count(*) FROM items WHERE tenant_id = 42"), "10");
}
