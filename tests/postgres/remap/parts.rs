//! A tenant in several restores: what an earlier one has renamed is followed, and what none has renamed is not let through.

use connectors::postgres::{Job, Mention, OnConflict, Remap, RestoreError, Restored, preview};

use super::world::{NEW, OLD, refused, world};
use crate::restore::world::World;

#[tokio::test]
async fn what_an_earlier_restore_has_renamed_is_followed_by_a_later_one() {
    let mut world = world().await;
    let alone = world.look(OLD).await;
    world.job.scope.tables = vec!["sites".into(), "users".into()];
    let first = world.restore(OLD).await.unwrap();
    assert_eq!(first.rows, 3);
    world.job.scope.tables =
        ["projects", "issues", "links", "comments", "profiles", "reactions"].map(str::to_owned).to_vec();
    world.job.key = "second".into();
    let second = world.restore(OLD).await.unwrap();
    assert_eq!(
        second.remapped.unwrap().ids.keys().map(String::as_str).collect::<Vec<_>>(),
        ["comments", "issues", "sites"]
    );
    let lead = format!(
        "SELECT count(*) FROM projects p JOIN users u ON u.id = lead_id AND u.site_id = p.site_id WHERE p.site_id = '{NEW}'"
    );
    assert_eq!(world.live(&lead), "1");
    // All of it once more: the rest comes, and nothing of the two twice.
    world.job.scope.tables = Vec::new();
    world.job.key = "third".into();
    let all = world.restore(OLD).await.unwrap();
    assert_eq!((all.already, all.inserted), (3 + second.rows, all.rows - 3 - second.rows));
    assert!(all.inserted > 5);
    assert_eq!((all.rows, all.remapped.unwrap().backup), (alone.rows, alone.tables));
}

#[tokio::test]
async fn ids_that_no_restore_has_given_are_refused_by_name_before_anything_is_written() {
    let mut world = world().await;
    let whole = world.job.remap.clone().unwrap();
    let plain = Remap { json: Vec::new(), text: Vec::new(), ..whole };
    let json = |text| Remap { json: vec![Mention::json(text).unwrap()], ..plain.clone() };
    let text = |text| Remap { text: vec![Mention::text(text).unwrap()], ..plain.clone() };
    let cases = [
        // A foreign key, a reference with a condition, one by its name alone, JSON and text.
        (plain.clone(), &["profiles"][..], "2 IDs of users.id"),
        (plain.clone(), &["pages", "votes"], "2 IDs of comments.id"),
        (plain.clone(), &["hook_calls"], "1 IDs of hooks.id"),
        (json("issues(payload $.links[*].user)->users"), &["issues"], "2 IDs of users.id"),
        (text("pages(title)->issues(id)"), &["pages"], "2 IDs of issues.id"),
    ];
    let rows = world.rows("live");
    for (remap, tables, part) in cases {
        world.job.remap = Some(remap);
        world.job.scope.tables = tables.iter().map(|&table| table.to_owned()).collect();
        let (code, message) = refused(world.restore(OLD).await);
        assert!(code == "remap.unrestored" && message.contains(part), "{part}: {code}: {message}");
        let mut looked = preview(&Job { tenants: vec![OLD.into()], ..world.job.clone() }).await.unwrap();
        assert_eq!(looked.tenants.remove(0).1.unwrap_err().to_string(), message);
        assert_eq!(world.rows("live"), rows);
    }
}

async fn part(world: &mut World, key: &str, table: &str) -> Result<Restored, RestoreError> {
    world.job.key = key.into();
    world.job.scope.tables = vec![table.into()];
    world.restore("1").await
}

#[tokio::test]
async fn a_later_copy_with_more_ids_than_were_given_is_refused_until_they_are() {
    let tenants = "CREATE TABLE tenants (id int PRIMARY KEY); INSERT INTO tenants VALUES (1), (2); \
         CREATE TABLE kinds (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
         CREATE TABLE items (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, of jsonb); \
         INSERT INTO items (tenant_id, of) VALUES (1, '{}'), (2, '{}')";
    let mut world = World::new(tenants, "tenants");
    let json = vec![Mention::json("items(of $.kind)->kinds(id)").unwrap()];
    world.job.remap = Some(Remap { tenant: "9".into(), json, ..Remap::default() });
    world.job.on_conflict = OnConflict::KeepLive;
    world.delete(&["1"]).await;
    // There are none, so that none is missed.
    assert!(part(&mut world, "first", "tenants").await.is_ok());
    assert_eq!(part(&mut world, "second", "items").await.unwrap().inserted, 1);
    let _ = world.copy(
        "INSERT INTO kinds (tenant_id) VALUES (2), (1); INSERT INTO items (tenant_id, of) VALUES (1, '{\"kind\": 2}')",
    );
    let (code, message) = refused(part(&mut world, "third", "items").await);
    assert!(code == "remap.unrestored" && message.contains("1 IDs of kinds.id"), "{code}: {message}");
    assert_eq!(part(&mut world, "4th", "kinds").await.unwrap().inserted, 1);
    assert_eq!(part(&mut world, "5th", "items").await.unwrap().inserted, 1);
    assert_eq!(world.live("SELECT count(*) FROM items JOIN kinds ON kinds.id = (of ->> 'kind')::int"), "1");
}
