//! Old IDs that are left: found where nobody declared any, and never let through where somebody did.

use connectors::postgres::{Dangling, Mention, OnDangling, Remap, RestoreError, Restored};

use super::world::{NEW, OLD, SCHEMA, world};
use crate::restore::world::World;

fn found(result: Result<Restored, RestoreError>) -> Vec<String> {
    match result {
        Err(RestoreError::Dangling { found, .. }) => told(&found),
        other => panic!("nothing dangles: {other:?}"),
    }
}

fn told(found: &[Dangling]) -> Vec<String> {
    found.iter().map(|it| format!("{it}{}", if it.declared { " declared" } else { "" })).collect()
}

#[tokio::test]
async fn what_nobody_declared_is_found_by_table_and_column_or_accepted() {
    let mut world = world().await;
    let remap = world.job.remap.clone().unwrap();
    let key = |what: &str| {
        world.copy(&format!(
            "SELECT min({what}) FROM issues JOIN comments c ON c.issue_id = issues.id WHERE site_id = '{OLD}'"
        ))
    };
    let issue = world.copy(&format!("SELECT id FROM issues WHERE site_id = '{OLD}' AND project = 1"));
    let (comment, boss) = (key("c.id"), world.copy(&format!("SELECT min(id) FROM users WHERE site_id = '{OLD}'")));
    let meant = [
        format!("profiles.watched in 1 row, such as (user_id)=({boss})"),
        format!("comments.body in 1 row, such as (id)=({comment})"),
        format!("issues.payload in 1 row, such as (id)=({issue})"),
    ];
    world.job.remap = Some(Remap { json: Vec::new(), text: Vec::new(), ..remap.clone() });
    let before = world.rows("live");
    let mut seen = found(world.restore(OLD).await);
    assert_eq!(world.rows("live"), before);
    seen.sort_by_key(|text| meant.iter().position(|other| other == text));
    assert_eq!(seen, meant);
    let hint = world.restore(OLD).await.unwrap_err().hint();
    assert!(hint.contains("->TABLE(COLUMN)") && hint.contains("dangling: report"), "{hint}");

    // Kept on purpose, one by one.
    let keep = ["profiles.watched", "comments.*", "issues.payload"].map(str::to_owned);
    world.job.remap = Some(Remap { json: Vec::new(), text: Vec::new(), keep: keep[..1].to_vec(), ..remap.clone() });
    assert_eq!(found(world.restore(OLD).await).len(), 2);

    // Or as they are found.
    world.job.remap = Some(Remap { json: Vec::new(), text: Vec::new(), dangling: OnDangling::Report, ..remap });
    let mut left = told(&world.restore(OLD).await.unwrap().remapped.unwrap().dangling);
    left.sort_by_key(|text| meant.iter().position(|other| other == text));
    assert_eq!(left, meant);
    assert!(world.live("SELECT body FROM comments").contains(OLD));
}

#[tokio::test]
async fn what_is_no_whole_word_is_not_replaced_and_does_not_get_through() {
    let mut world = World::new(SCHEMA, "sites");
    world.declare(&super::world::DECLARED);
    world.delete(&[OLD]).await;
    for dangling in [OnDangling::Fail, OnDangling::Report] {
        world.job.remap = Some(Remap { dangling, ..super::world::remap() });
        let seen = found(world.restore(OLD).await);
        assert!(
            matches!(seen.as_slice(), [one] if one.starts_with("comments.body") && one.ends_with("declared")),
            "{seen:?}"
        );
    }
}

#[tokio::test]
async fn an_id_in_capitals_and_one_of_an_undeclared_kind_are_old_ids_too() {
    let script = "CREATE TABLE tenants (id uuid PRIMARY KEY); \
         CREATE TABLE items (id uuid PRIMARY KEY, tenant_id uuid NOT NULL REFERENCES tenants, note text); \
         CREATE TABLE marks (id serial PRIMARY KEY, tenant_id uuid NOT NULL REFERENCES tenants, kind text, item uuid); \
         INSERT INTO tenants VALUES ('00000000-0000-4000-8000-000000000001'); \
         INSERT INTO items SELECT gen_random_uuid(), id FROM tenants; UPDATE items SET note = upper(id::text); \
         INSERT INTO marks (tenant_id, kind, item) SELECT tenant_id, k, id FROM items, unnest(ARRAY['seen', 'lost']) AS k";
    let mut world = World::new(script, "tenants");
    world.declare(&["marks(item)->items(id) when kind=seen"]);
    world.job.remap = Some(Remap { tenant: NEW.into(), dangling: OnDangling::Report, ..Remap::default() });
    world.delete(&[OLD]).await;
    let seen = found(world.restore(OLD).await);
    assert!(seen[0].starts_with("items.note in 1 row"), "{seen:?}");
    assert_eq!(seen[1], "marks.item in 1 row, such as (id)=(2) declared");
    world.declare(&["marks(item)->items(id)"]);
    let left = world.restore(OLD).await.unwrap().remapped.unwrap().dangling;
    assert_eq!(left.len(), 1);
}

#[tokio::test]
async fn an_id_of_a_reference_that_is_written_otherwise_is_an_old_one() {
    let one = "00000000-0000-4000-8000-0000000000f1";
    let script = format!(
        "CREATE TABLE tenants (id int PRIMARY KEY); INSERT INTO tenants VALUES (1), (2); \
         CREATE TABLE files (id uuid PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); INSERT INTO files VALUES ('{one}', 1); \
         CREATE TABLE items (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); INSERT INTO items (tenant_id) VALUES (1), (2); \
         CREATE TABLE notes (tenant_id int PRIMARY KEY REFERENCES tenants, file text, item numeric, code varchar(9), large bigint); \
         INSERT INTO notes VALUES (1, '{one}', 1, '1', 1)"
    );
    let mut world = World::new(&script, "tenants");
    world.declare(&[
        "notes(file)->files(id)",
        "notes(item)->items(id)",
        "notes(code)->items(id)",
        "notes(large)->items(id)",
    ]);
    world.job.remap = Some(Remap { tenant: "9".into(), dangling: OnDangling::Report, ..Remap::default() });
    world.delete(&["1"]).await;
    let rows = world.rows("live");
    let (upper, bare) = (one.replace('f', "F"), one.replace('-', ""));
    for (column, value, meant) in [
        ("file", upper.as_str(), one),
        ("file", &bare, one),
        ("item", "1.00", "1"),
        ("code", "01", "1"),
        ("code", " +1.0", "1"),
    ] {
        let _ = world.copy(&format!("UPDATE notes SET {column} = '{value}'"));
        let seen = found(world.restore("1").await);
        let said = format!("notes.{column} in 1 row, such as (tenant_id)=(1) declared");
        assert!(seen.contains(&said), "{value}: {seen:?}");
        assert_eq!(world.rows("live"), rows);
        let _ = world.copy(&format!("UPDATE notes SET {column} = '{meant}'"));
    }
    // As the map has them, they are followed, whatever the type.
    assert!(world.restore("1").await.is_ok());
    let followed = "SELECT file = f.id::text, item = i.id, code = i.id::text, large = i.id FROM notes, files f, items i WHERE i.tenant_id = 9";
    assert_eq!(world.live(followed), "t|t|t|t");
}

#[tokio::test]
async fn a_name_as_an_id_is_sought_as_a_word_and_a_number_is_not_sought() {
    let script = "CREATE TABLE tenants (id text PRIMARY KEY, host text); \
         CREATE TABLE items (id serial PRIMARY KEY, tenant_id text NOT NULL REFERENCES tenants, note text, of jsonb); \
         INSERT INTO tenants VALUES ('a.b', 'a-b.example'), ('c', 'c.example'); \
         INSERT INTO items (tenant_id, note) VALUES ('a.b', 'xa.b aXb'), ('a.b', 'see 1 and 2'), ('c', 'a.b')";
    let mut world = World::new(script, "tenants");
    world.job.remap = Some(Remap { tenant: "new".into(), ..Remap::default() });
    world.delete(&["a.b"]).await;
    let _ = world.copy("UPDATE items SET note = 'at /a.b/x' WHERE id = 1");
    assert_eq!(found(world.restore("a.b").await), ["items.note in 1 row, such as (id)=(1)"]);
    let _ = world.copy("UPDATE items SET note = 'xa.b aXb' WHERE id = 1");
    assert!(world.restore("a.b").await.is_ok());
    // The attempt before has used up two numbers.
    assert_eq!(
        world.live("SELECT id, tenant_id, note FROM items ORDER BY 1"),
        "3|c|a.b\n6|new|xa.b aXb\n7|new|see 1 and 2"
    );
    // Numbers are replaced where they are declared, and nowhere else.
    world.job.key = "again".into();
    world.job.remap = Some(Remap {
        tenant: "newer".into(),
        text: vec![Mention::text("items(note)->items(id)").unwrap()],
        ..Remap::default()
    });
    assert!(world.restore("a.b").await.is_ok());
    assert_eq!(world.live("SELECT note FROM items WHERE tenant_id = 'newer' ORDER BY id"), "xa.b aXb\nsee 8 and 9");
}
