//! Schemas that are hard in other ways: every trait of real ones, keys of several columns.

use connectors::postgres::{Mention, Remap, preview};

use super::world::{NEW, OLD};
use crate::restore::world::World;

const TRAITS: &str = include_str!("../schemas/traits.sql");
const ROWS: &str = include_str!("../schemas/traits_rows.sql");

#[tokio::test]
async fn a_schema_with_every_trait_comes_back_under_another_number() {
    let mut world = World::new(&format!("{TRAITS}{ROWS}; ALTER TABLE pages DISABLE TRIGGER keep"), "tenants");
    world.declare(&[
        "votes(subject_id)->issues(id) when subject_type=Issue",
        "votes(subject_id)->pages(id) when subject_type=Page",
        "imports=ephemeral",
        "inbox_raw=shared",
    ]);
    world.job.remap = Some(Remap { tenant: "77".into(), ..Remap::default() });
    let before = world.rows("copy");
    world.delete(&["2"]).await;
    let damaged = world.rows("live");
    let restored = world.restore("2").await.unwrap();
    let now = world.rows("live");
    assert!(damaged.iter().all(|row| now.contains(row)));
    assert_eq!(now.len(), before.len());
    assert_eq!(restored.rows as usize, now.len() - damaged.len());
    let remapped = restored.remapped.unwrap();
    for (table, ids) in
        [("addresses", 1), ("users", 1), ("issues", 2), ("crm.Deals", 1), ("crm.DealNotes", 1), ("tenants", 1)]
    {
        assert_eq!(remapped.ids.get(table), Some(&ids), "{table}: {:?}", remapped.ids);
    }
    // Local numbers stay; what others share stays.
    assert_eq!(world.live("SELECT id FROM projects WHERE tenant_id = 77 ORDER BY 1"), "1\n2");
    assert_eq!(world.live("SELECT person_id FROM memberships WHERE tenant_id = 77 ORDER BY 1"), "2\n3");
    let joined = "SELECT count(*) FROM tenants t JOIN users o ON o.id = t.owner_id AND o.tenant_id = t.id JOIN addresses a ON a.id = t.address_id \
        JOIN geocodes g ON g.address_id = a.id JOIN issues i ON i.tenant_id = t.id JOIN projects p ON p.tenant_id = t.id AND p.id = i.project_id \
        JOIN comments c ON c.issue_id = i.id AND c.author_id = o.id JOIN reactions r ON r.comment_id = c.id JOIN votes v ON v.subject_id = i.id AND v.subject_type = 'Issue' \
        JOIN webhooks w ON w.tenant_id = t.id JOIN webhook_calls wc ON wc.webhook_id = w.id JOIN crm.\"Deals\" d ON d.\"tenantId\" = t.id \
        JOIN crm.\"DealNotes\" n ON n.\"dealId\" = d.\"Id\" JOIN events e ON e.tenant_id = t.id AND e.user_id = o.id WHERE t.id = 77";
    assert_eq!(world.live(joined), world.copy(&joined.replace("= 77", "= 2")));
    assert_ne!(world.live(joined), "0");
}

#[tokio::test]
async fn a_key_beside_the_primary_one_names_the_tenant() {
    let script = "CREATE TABLE sites (id serial PRIMARY KEY, cloud_id uuid NOT NULL UNIQUE); \
         CREATE TABLE things (site_id int NOT NULL REFERENCES sites, cloud_id uuid NOT NULL, n bigserial, PRIMARY KEY (n, cloud_id)); \
         CREATE TABLE parts (n bigint, cloud_id uuid, k int, PRIMARY KEY (n, cloud_id, k), FOREIGN KEY (n, cloud_id) REFERENCES things); \
         INSERT INTO sites (cloud_id) VALUES ('00000000-0000-4000-8000-000000000001'), ('00000000-0000-4000-8000-000000000002'); \
         INSERT INTO things (site_id, cloud_id) SELECT id, cloud_id FROM sites; INSERT INTO parts SELECT n, cloud_id, 1 FROM things";
    let mut world = World::new(script, "sites");
    world.job.scope.closure.key = Some("cloud_id".into());
    world.job.scope.closure.tenant_columns = vec!["cloud_id".into()];
    world.job.remap = Some(Remap { tenant: NEW.into(), ..Remap::default() });
    world.delete(&[OLD]).await;
    let restored = world.restore(OLD).await.unwrap();
    assert_eq!(restored.remapped.unwrap().ids.into_iter().collect::<Vec<_>>(), [("sites".to_owned(), 2)]);
    let of = "SELECT s.id, t.n, p.k FROM sites s JOIN things t ON t.site_id = s.id AND t.cloud_id = s.cloud_id JOIN parts p ON (p.n, p.cloud_id) = (t.n, t.cloud_id)";
    assert_eq!(world.live(&format!("{of} WHERE s.cloud_id = '{NEW}'")), "3|1|1");
}

#[tokio::test]
async fn ids_are_found_in_whatever_form_they_are_written() {
    let script = "CREATE TABLE tenants (id int PRIMARY KEY, at jsonb); INSERT INTO tenants VALUES (1), (2); \
         CREATE TABLE items (id smallserial PRIMARY KEY, tenant_id bigint NOT NULL REFERENCES tenants, whole jsonb, plain json, ids int[], short varchar(9), \
           kind text, odd jsonb); \
         INSERT INTO items (tenant_id) VALUES (2), (1), (1); UPDATE items SET whole = to_jsonb(id), plain = ('{ \"a\":  ' || id || ', \"a\": 0}')::json, \
           ids = ARRAY[id, NULL, 77], short = '#' || id || ';1', kind = CASE id WHEN 2 THEN 'item' ELSE 'none' END, \
           odd = jsonb_build_array(jsonb_build_object('id', id::text), jsonb_build_object('id', jsonb_build_array(id)), id, NULL); \
         UPDATE tenants SET at = '{\"items\": {\"x\": 2, \"y\": 3, \"z\": 99}}' WHERE id = 1";
    let mut world = World::new(script, "tenants");
    let read =
        |all: &[&str], read: fn(&str) -> Result<Mention, _>| all.iter().map(|text| read(text).unwrap()).collect();
    world.job.remap = Some(Remap {
        tenant: "9".into(),
        json: read(
            &[
                "items(whole $)->items(id)",
                "items(odd $[*].id)->items when kind=item",
                "tenants(at $.items.*)->items(id)",
            ],
            Mention::json,
        ),
        text: read(&["items(plain)->items(id)", "items(ids)->items", "items(short)->items(id)"], Mention::text),
        ..Remap::default()
    });
    world.delete(&["1"]).await;
    let restored = world.restore("1").await.unwrap();
    assert_eq!(restored.rows, 3);
    assert_eq!(
        world.live("SELECT id, whole, plain, ids, short, odd FROM items WHERE tenant_id = 9 ORDER BY id"),
        "4|4|{ \"a\":  4, \"a\": 0}|{4,NULL,77}|#4;1|[{\"id\": \"4\"}, {\"id\": [2]}, 2, null]\n\
         5|5|{ \"a\":  5, \"a\": 0}|{5,NULL,77}|#5;1|[{\"id\": \"3\"}, {\"id\": [3]}, 3, null]"
    );
    assert_eq!(world.live("SELECT at FROM tenants WHERE id = 9"), "{\"items\": {\"x\": 4, \"y\": 5, \"z\": 99}}");
}

#[tokio::test]
async fn a_number_that_is_taken_for_a_new_id_lets_another_attempt_draw_others() {
    let script = "CREATE TABLE tenants (id int PRIMARY KEY); INSERT INTO tenants VALUES (1), (2); \
         CREATE TABLE items (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, body text); \
         INSERT INTO items (tenant_id, body) VALUES (1, 'see 2'), (1, 'of 1, or 4?'), (2, '4')";
    let mut world = World::new(script, "tenants");
    let text = vec![Mention::text("items(body)->items(id)").unwrap()];
    world.job.remap = Some(Remap { tenant: "9".into(), text, ..Remap::default() });
    world.delete(&["1"]).await;
    let error = world.restore("1").await.unwrap_err();
    assert_eq!((error.code(), error.to_string().contains("1 rows of items.body")), ("remap.clash", true), "{error}");
    assert_eq!(world.live("SELECT count(*) FROM items"), "1");
    assert!(world.restore("1").await.is_ok());
    assert_eq!(world.live("SELECT id, body FROM items WHERE tenant_id = 9 ORDER BY 1"), "6|see 7\n7|of 6, or 4?");
}

#[tokio::test]
async fn many_rows_are_renamed_as_sets() {
    let script = "CREATE TABLE tenants (id int PRIMARY KEY); INSERT INTO tenants VALUES (1), (2); \
         CREATE TABLE things (id bigserial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, parent_id bigint REFERENCES things, of jsonb); \
         CREATE INDEX ON things (tenant_id); CREATE INDEX ON things (parent_id); \
         INSERT INTO things (tenant_id, parent_id, of) SELECT 1 + n % 2, nullif(greatest(n - 100, 0), 0), jsonb_build_object('see', n) FROM generate_series(1, 40000) AS n";
    let mut world = World::new(script, "tenants");
    let json = vec![Mention::json("things(of $.see)->things(id)").unwrap()];
    world.job.remap = Some(Remap { tenant: "3".into(), json, ..Remap::default() });
    world.delete(&["1"]).await;
    let restored = world.restore("1").await.unwrap();
    assert_eq!((restored.rows, restored.remapped.unwrap().ids["things"]), (20_001, 20_000));
    let same = "SELECT count(*), count(DISTINCT id), bool_and((of ->> 'see')::bigint = id), bool_and(parent_id IS NULL OR parent_id < id) FROM things WHERE tenant_id = 3";
    assert_eq!(world.live(same), "20000|20000|t|t");
    let none = preview(&connectors::postgres::Job { tenants: vec!["1".into(), "2".into()], ..world.job.clone() }).await;
    assert_eq!(none.unwrap_err().code(), "remap.several");
}
