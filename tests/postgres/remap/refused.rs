//! What makes it unclear what a value becomes is refused by name, before anything is written.

use std::time::Duration;

use connectors::postgres::{Guard, Mention, OnConflict, Remap, RestoreError};

use super::world::{NEW, OLD, OTHER, refused, remap, world};
use crate::restore::world::{World, conflicts, words};

const TENANTS: &str =
    "CREATE TABLE tenants (id int PRIMARY KEY, host text UNIQUE); INSERT INTO tenants VALUES (1, 'one'), (2, 'two');";

fn numbered(rest: &str) -> World {
    let mut world = World::new(&format!("{TENANTS}{rest}"), "tenants");
    world.job.remap = Some(Remap { tenant: "9".into(), ..Remap::default() });
    world
}

/// Refused with this code and these words, and nothing was written.
async fn stays(world: &World, tenant: &str, code: &str, part: &str) {
    let before = world.rows("live");
    let (is, message) = match world.try_restore(&[tenant]).await {
        Ok(mut done) => refused(done.tenants.remove(0).result),
        Err(error) => (error.code(), error.to_string()),
    };
    assert!(is == code && message.contains(part), "{is}: {message}");
    assert_eq!(world.rows("live"), before);
}

#[tokio::test]
async fn declarations_are_held_against_the_catalogue() {
    let mut world = world().await;
    let cases = [
        (Mention::json("nowhere(a $.b)->issues(id)"), "remap.missing", "the table nowhere"),
        (Mention::json("issues(nothing $.b)->issues(id)"), "remap.missing", "the column issues.nothing"),
        (Mention::json("issues(payload $.b)->projects"), "remap.missing", "a primary key of one column in projects"),
        (Mention::json("issues(payload $.b)->projects(number)"), "remap.not_remapped", "projects.number"),
        (Mention::json("issues(payload $.b)->plans(id)"), "remap.not_remapped", "plans.id"),
        (Mention::json("comments(body $.b)->issues(id)"), "remap.type", "comments.body is of type text"),
        (Mention::json("plans(name $.b)->issues(id)"), "remap.not_tenants", "plans"),
    ];
    for (mention, code, part) in cases {
        world.job.remap = Some(Remap { json: vec![mention.unwrap()], ..remap() });
        stays(&world, OLD, code, part).await;
    }
    let computed = Mention::text("users(lower_mail)->sites(id)").unwrap();
    world.job.remap = Some(Remap { text: vec![computed], ..remap() });
    stays(&world, OLD, "remap.type", "text, computed").await;
}

#[tokio::test]
async fn the_new_id_is_one_and_another_than_the_old_one_and_nothing_guards_it() {
    let mut world = world().await;
    world.job.remap = Some(Remap { tenant: OLD.to_uppercase(), ..remap() });
    stays(&world, OLD, "remap.same", OLD).await;
    world.job.remap = Some(Remap { tenant: "site-7".into(), ..remap() });
    stays(&world, OLD, "postgres.bad_id", "site-7").await;
    world.job.remap = Some(remap());
    let error = world.try_restore(&[OLD, OTHER]).await.unwrap_err();
    assert_eq!(error.code(), "remap.several");
    let guard = Guard { latency: Some(Duration::from_millis(20)), lag_bytes: None };
    for guard in [guard, Guard { latency: None, lag_bytes: Some(1) }] {
        world.job.guard = guard;
        stays(&world, OLD, "remap.guard", "a guard cannot slow down").await;
    }
    world.job.guard = Guard::default();
    stays(&world, "00000000-0000-4000-8000-0000000000ff", "postgres.no_tenant", "ff").await;
    // Under one key a tenant has one new ID.
    let _ = world.restore(OLD).await.unwrap();
    world.job.remap = Some(Remap { tenant: OTHER.into(), ..remap() });
    stays(&world, OLD, "remap.other", NEW).await;
}

#[tokio::test]
async fn numbers_that_nothing_gives_out_are_refused_or_kept() {
    let mut world = numbered(
        "CREATE TABLE things (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
         CREATE TABLE parts (thing_id int NOT NULL REFERENCES things, n int, PRIMARY KEY (thing_id, n)); \
         INSERT INTO things VALUES (1, 1), (2, 2); INSERT INTO parts VALUES (1, 1), (1, 2), (2, 1)",
    );
    world.delete(&["1"]).await;
    stays(&world, "1", "remap.no_sequence", "things.id").await;
    // A number that others have in the meantime cannot be kept.
    world.job.remap.as_mut().unwrap().keep = vec!["thing*.id".into()];
    let _ = world.live("INSERT INTO things VALUES (1, 2)");
    assert_eq!(conflicts(world.restore("1").await), ["foreign things (id)=(1) of 2"]);
    let _ = world.live("DELETE FROM things WHERE id = 1");
    let restored = world.restore("1").await.unwrap();
    assert_eq!(restored.remapped.unwrap().ids.into_iter().collect::<Vec<_>>(), [("tenants".to_owned(), 1)]);
    assert_eq!(world.live("SELECT id, tenant_id FROM things ORDER BY 1"), "1|9\n2|2");
    // What has to follow cannot stay.
    world.job.key = "other".into();
    world.job.remap.as_mut().unwrap().keep.push("*.tenant_id".into());
    stays(&world, "2", "remap.kept", "things.tenant_id").await;
    world.job.remap.as_mut().unwrap().keep = vec!["tenants.id".into()];
    stays(&world, "2", "remap.kept", "tenants.id").await;
}

#[tokio::test]
async fn a_column_of_two_meanings_is_refused() {
    let mut world = numbered(
        "CREATE TABLE a (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
         CREATE TABLE b (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
         CREATE TABLE c (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, it int NOT NULL REFERENCES a REFERENCES b)",
    );
    world.delete(&["1"]).await;
    stays(&world, "1", "remap.ambiguous", "c.it").await;
    world.job.remap.as_mut().unwrap().keep = vec!["a.id".into(), "b.id".into(), "c.it".into()];
    assert!(world.restore("1").await.is_ok());
}

#[tokio::test]
async fn a_name_that_somebody_has_taken_is_a_conflict_and_so_are_rows_of_the_new_id() {
    let mut world = world().await;
    let _ = world.live(&format!(
        "UPDATE users SET mail = 'Boss@1' WHERE mail = 'Boss@2'; INSERT INTO sites VALUES ('{NEW}', 'made', 1)"
    ));
    let found = words(&world.look(OLD).await.conflicts);
    let named = format!("unique users (mail)=(Boss@1) of {OTHER}");
    assert_eq!(found, [format!("differs sites (id)=({NEW})"), named]);
    let before = world.rows("live");
    assert_eq!(conflicts(world.restore(OLD).await), found);
    assert_eq!(world.rows("live"), before);
    // The site itself may have been made before by the product: its own row stays, the rest comes.
    let _ = world.live("UPDATE users SET mail = 'Boss@2' WHERE mail = 'Boss@1'");
    world.job.on_conflict = OnConflict::KeepLive;
    let kept = world.restore(OLD).await.unwrap();
    assert_eq!((kept.kept, kept.inserted), (1, kept.rows - 1));
    assert_eq!(world.live(&format!("SELECT host, owner_id IS NULL FROM sites WHERE id = '{NEW}'")), "made|t");
    // What came is the copy's, with the map in between; who refers to whom stays the same.
    for query in [
        "SELECT mail, tag = id * 10, lower_mail, (SELECT m.mail FROM users m WHERE m.id = u.manager_id) FROM users u WHERE site_id = 'SITE' ORDER BY 1",
        "SELECT number, (SELECT mail FROM users WHERE id = lead_id) FROM projects WHERE site_id = 'SITE' ORDER BY number",
        "SELECT project, payload ->> 'site' = site_id::text, payload -> 'n', (payload #>> '{links,0,issue_id}')::uuid = t.target, \
            (SELECT mail FROM users WHERE id = (payload #>> '{links,0,user}')::int) FROM issues LEFT JOIN links t ON source = id WHERE site_id = 'SITE' ORDER BY project",
        "SELECT i.project, position(i.id::text IN c.body) > 0, position('SITE' IN c.body) > 0, p.body IS NULL, count(r) FROM comments c JOIN issues i ON i.id = issue_id \
            LEFT JOIN comments p ON p.id = c.parent_id LEFT JOIN reactions r ON r.comment_id = c.id WHERE site_id = 'SITE' GROUP BY 1, 2, 3, 4 ORDER BY 1",
        "SELECT url, status FROM hooks JOIN hook_calls ON hook_id = hooks.id WHERE site_id = 'SITE' ORDER BY 2",
    ] {
        let (meant, is) = (world.copy(&query.replace("SITE", OLD)), world.live(&query.replace("SITE", NEW)));
        assert!(!is.is_empty(), "{query}");
        assert_eq!(is, meant, "{query}");
    }
    // Once more under a key of its own: nothing is doubled, and the row of the product stays.
    let rows = world.rows("live");
    world.job.key = "second".into();
    let again = world.restore(OLD).await.unwrap();
    assert_eq!((again.kept, again.already, again.inserted), (1, kept.rows - 1, 0));
    assert_eq!(world.rows("live"), rows);
}

#[tokio::test]
async fn a_reference_to_a_row_that_is_nowhere_rolls_back() {
    let world = numbered(
        "CREATE TABLE things (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, of int REFERENCES things); \
         INSERT INTO things (tenant_id, of) VALUES (2, NULL), (1, 1), (1, 2)",
    );
    world.delete(&["1", "2"]).await;
    match world.restore("1").await {
        Err(RestoreError::References { missing, .. }) => {
            assert_eq!(missing, ["things (things_of_fkey) -> things (1)"]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.live("SELECT count(*) FROM tenants"), "0");
}
