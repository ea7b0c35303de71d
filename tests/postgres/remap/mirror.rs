//! Rows under new IDs lead back to the backup's before any live row is written, also where live rows stay in the way.

use connectors::postgres::{Job, Mention, OnConflict, OnDangling, Remap, preview};

use super::world::refused;
use crate::restore::world::World;

/// The product has made the new site already, so that its own row is kept and live rows are not the backup's alone.
async fn world(items: &str, json: &[&str], text: &[&str]) -> World {
    let script = format!(
        "CREATE TABLE tenants (id int PRIMARY KEY, host text); INSERT INTO tenants VALUES (1, 'one'), (2, 'two'); \
         CREATE TABLE items (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, of jsonb, body text, short varchar(2), small smallint); \
         INSERT INTO items (tenant_id, of, body, short, small) VALUES {items}"
    );
    let mut world = World::new(&script, "tenants");
    let all = |all: &[&str], read: fn(&str) -> Result<Mention, _>| all.iter().map(|text| read(text).unwrap()).collect();
    world.job.remap = Some(Remap {
        tenant: "9".into(),
        json: all(json, Mention::json),
        text: all(text, Mention::text),
        ..Remap::default()
    });
    world.job.on_conflict = OnConflict::KeepLive;
    world.delete(&["1"]).await;
    let _ = world.live("INSERT INTO tenants VALUES (9, 'made')");
    world
}

/// Refused with this code and these words, in a look and for good, and nothing was written.
async fn stays(world: &World, code: &str, part: &str) {
    let rows = world.rows("live");
    let mut looked = preview(&Job { tenants: vec!["1".into()], ..world.job.clone() }).await.unwrap();
    let looked = looked.tenants.remove(0).1.unwrap_err();
    let (is, message) = refused(world.restore("1").await);
    assert!(is == code && message.contains(part), "{is}: {message}");
    assert_eq!(looked.to_string(), message);
    assert!(!looked.hint().is_empty());
    assert_eq!(world.rows("live"), rows);
}

#[tokio::test]
async fn a_number_in_json_that_equals_a_new_id_is_a_clash_and_another_attempt_draws_others() {
    let json = ["items(of $.see)->items(id)", "items(of $.all[*].*)->items(id)"];
    for of in ["{\"see\": 4}", "{\"all\": [{\"x\": \"4\"}, 7]}"] {
        let world = world(
            &format!("(1, '{of}', NULL, NULL, NULL), (2, NULL, NULL, NULL, NULL), (1, NULL, NULL, NULL, NULL)"),
            &json,
            &[],
        )
        .await;
        stays(&world, "remap.clash", "1 rows of items.of").await;
        // The attempt has used two numbers up.
        let restored = world.restore("1").await.unwrap();
        assert_eq!((restored.kept, restored.inserted), (1, 2));
        let is = world.live("SELECT id, of FROM items WHERE tenant_id = 9 ORDER BY 1");
        assert_eq!(is, format!("6|{of}\n7|"));
    }
}

#[tokio::test]
async fn the_tenants_new_id_clashes_as_any_other_and_no_attempt_draws_another() {
    let world = world("(1, NULL, 'call 9', NULL, NULL)", &[], &["items(body)->tenants(id)"]).await;
    stays(&world, "remap.clash", "1 rows of items.body").await;
    assert!(world.restore("1").await.unwrap_err().hint().contains("take another new ID"));
    let _ = world.copy("UPDATE items SET body = 'call 1'");
    assert!(world.restore("1").await.is_ok());
    assert_eq!(world.live("SELECT body FROM items"), "call 9");
}

#[tokio::test]
async fn a_new_id_that_is_cut_off_is_refused_by_column_and_type() {
    let mut world = world("(1, NULL, NULL, '#1', NULL)", &[], &["items(short)->items(id)"]).await;
    // Cut off, it would be what it was.
    let _ = world.live("SELECT setval('items_id_seq', 9)");
    stays(&world, "remap.unfit", "items.short: 1 values are longer than character varying(2)").await;
    // Where the number stays, it fits.
    world.job.remap.as_mut().unwrap().keep = vec!["items.id".into()];
    world.job.remap.as_mut().unwrap().text.clear();
    world.job.remap.as_mut().unwrap().dangling = OnDangling::Report;
    assert!(world.restore("1").await.is_ok());
    assert_eq!(world.live("SELECT short FROM items WHERE tenant_id = 9"), "#1");
}

#[tokio::test]
async fn a_new_id_out_of_a_columns_range_is_refused_by_table() {
    let mut world = world("(1, NULL, NULL, NULL, 1)", &[], &[]).await;
    world.declare(&["items(small)->items(id)"]);
    let _ = world.live("SELECT setval('items_id_seq', 40000)");
    stays(&world, "remap.unfit", "items: value \"40001\" is out of range for type smallint").await;
}

#[tokio::test]
async fn an_id_that_is_written_as_a_number_and_as_a_text_is_refused() {
    let script = "CREATE TABLE tenants (id text PRIMARY KEY, host text, of jsonb); \
         INSERT INTO tenants VALUES ('5', 'one', '{\"a\": 5, \"b\": \"5\"}'), ('6', 'two', NULL)";
    let mut world = World::new(script, "tenants");
    let json = vec![Mention::json("tenants(of $.*)->tenants(id)").unwrap()];
    world.job.remap = Some(Remap { tenant: "five".into(), json, ..Remap::default() });
    world.delete(&["5"]).await;
    let before = world.rows("live");
    let (code, message) = refused(world.restore("5").await);
    assert!(code == "remap.no_way_back" && message.starts_with("1 values of tenants.of "), "{code}: {message}");
    assert_eq!(world.rows("live"), before);
    let _ = world.copy("UPDATE tenants SET of = '{\"b\": \"5\"}'");
    assert!(world.restore("5").await.is_ok());
    assert_eq!(world.live("SELECT of FROM tenants WHERE id = 'five'"), "{\"b\": \"five\"}");
}
