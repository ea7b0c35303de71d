//! Several declarations of one column: none may replace what another one has just put there.

use connectors::postgres::{Mention, Remap};

use super::world::refused;
use crate::restore::world::World;

/// Numbers of three tables, so that 3 may become 12 and 12 something else; and UUIDs.
const SCHEMA: &str = "CREATE TABLE tenants (id int PRIMARY KEY); INSERT INTO tenants VALUES (1), (2); \
     CREATE TABLE users (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
     CREATE TABLE items (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
     CREATE TABLE files (id uuid PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
     CREATE TABLE pages (id uuid PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
     CREATE TABLE notes (tenant_id int NOT NULL REFERENCES tenants, kind text, sort text, body text, of jsonb, it int, PRIMARY KEY (tenant_id)); \
     INSERT INTO users (id, tenant_id) VALUES (3, 1), (4, 2); SELECT setval('users_id_seq', 11); \
     INSERT INTO items (id, tenant_id) VALUES (12, 1), (13, 2); SELECT setval('items_id_seq', 39); \
     INSERT INTO files VALUES ('00000000-0000-4000-8000-0000000000f1', 1); INSERT INTO pages VALUES ('00000000-0000-4000-8000-0000000000a1', 1)";

async fn world(note: &str, json: &[&str], text: &[&str]) -> World {
    let script = format!("{SCHEMA}; INSERT INTO notes (tenant_id, kind, body, of, it) VALUES (1, {note})");
    let mut world = World::new(&script, "tenants");
    world.job.remap = Some(declared(json, text));
    world.delete(&["1"]).await;
    world
}

fn declared(json: &[&str], text: &[&str]) -> Remap {
    let all = |all: &[&str], read: fn(&str) -> Result<Mention, _>| all.iter().map(|text| read(text).unwrap()).collect();
    let (json, text) = (all(json, Mention::json), all(text, Mention::text));
    Remap { tenant: "9".into(), json, text, ..Remap::default() }
}

async fn is_ambiguous(world: &World, part: &str) {
    let before = world.rows("live");
    let code = match world.try_restore(&["1"]).await {
        Ok(mut done) => refused(done.tenants.remove(0).result),
        Err(error) => (error.code(), error.to_string()),
    };
    assert!(code.0 == "remap.ambiguous" && code.1.contains(part), "{part}: {code:?}");
    assert_eq!(world.rows("live"), before);
}

#[tokio::test]
async fn two_numbers_that_may_stand_in_one_place_are_refused() {
    let mut world = world("'a', 'see 3', '{\"a\": {\"b\": 3, \"c\": [3]}}', 3", &[], &[]).await;
    let users = "notes(of $.a.b)->users(id)";
    for (json, text, part) in [
        (&[][..], &["notes(body)->users(id)", "notes(body)->items(id)"][..], "notes.body"),
        // The tenant's ID is a number as well.
        (&[], &["notes(body)->users(id)", "notes(body)->tenants(id)"], "users.id"),
        (&[users, "notes(of $.a.b)->items(id)"], &[], "notes.of"),
        (&[users, "notes(of $.a.*)->items(id)"], &[], "items.id"),
        (&[users, "notes(of $.*.b)->users(id)"], &[], "of users.id and of users.id"),
        (&["notes(of $.a.c[*])->users(id)", "notes(of $.*.*[*])->items(id)"], &[], "notes.of"),
        // One condition says nothing of another column's.
        (&[], &["notes(body)->users(id) when kind=a", "notes(body)->items(id) when sort=a"], "notes.body"),
        (&[], &["notes(body)->users(id) when kind=a", "notes(body)->items(id)"], "notes.body"),
    ] {
        world.job.remap = Some(declared(json, text));
        is_ambiguous(&world, part).await;
    }
}

#[tokio::test]
async fn a_reference_and_a_declared_place_of_one_column_are_refused() {
    let mut world = world("'a', NULL, NULL, 3", &[], &["notes(it)->items(id)"]).await;
    world.declare(&["notes(it)->users(id) when kind=a"]);
    is_ambiguous(&world, "notes.it").await;
    world.job.remap.as_mut().unwrap().text = vec![Mention::text("notes(it)->items(id) when kind=b").unwrap()];
    assert!(world.restore("1").await.is_ok());
    assert_eq!(world.live("SELECT it FROM notes"), "12");
}

#[tokio::test]
async fn references_under_conditions_of_different_columns_are_refused() {
    let mut world = world("'a', NULL, NULL, 3", &[], &[]).await;
    world.declare(&["notes(it)->users(id) when kind=a", "notes(it)->items(id) when sort=a"]);
    is_ambiguous(&world, "notes.it").await;
}

#[tokio::test]
async fn what_cannot_meet_is_replaced_once_each() {
    // Both numbers begin a chain: 3 becomes 12, and 12 becomes 40.
    let note = "'a', '3 and 00000000-0000-4000-8000-0000000000f1', '{\"a\": {\"b\": 3, \"c\": [12, 3], \"d\": {\"b\": 12}}, \"b\": [3]}', 3";
    let json = [
        "notes(of $.a.b)->users(id)",
        "notes(of $.a.c[*])->items(id)",
        "notes(of $.a.*.b)->items(id)",
        "notes(of $.b[*])->users(id)",
        "notes(of $.b[*])->users(id)",
    ];
    let text = [
        "notes(body)->users(id) when kind=a",
        "notes(body)->items(id) when kind=b",
        "notes(body)->files(id)",
        "notes(body)->pages(id)",
    ];
    let world = world(note, &json, &text).await;
    assert!(world.restore("1").await.is_ok());
    let of = world.live("SELECT of FROM notes");
    assert_eq!(of, "{\"a\": {\"b\": 12, \"c\": [40, 3], \"d\": {\"b\": 40}}, \"b\": [12]}");
    assert_eq!(world.live("SELECT body = '12 and ' || files.id FROM notes, files"), "t");
}

#[tokio::test]
async fn one_uuid_of_two_tables_is_refused_where_either_may_be_meant() {
    let one = "00000000-0000-4000-8000-0000000000f1";
    let both = ["notes(body)->files(id)", "notes(body)->pages(id)"];
    let world = world("'a', NULL, NULL, 3", &[], &both).await;
    let _ = world.copy(&format!("UPDATE pages SET id = '{one}'"));
    is_ambiguous(&world, "notes.body would hold IDs of files.id and of pages.id").await;
    let _ = world.copy("UPDATE pages SET id = '00000000-0000-4000-8000-0000000000a1'");
    assert!(world.restore("1").await.is_ok());
}
