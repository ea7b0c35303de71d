//! A tenant under the same new ID more than once, and two tenants under one: the kept map is asked first.

use connectors::postgres::{Job, OnConflict, Remap, preview, restore};

use super::world::{NEW, OLD, OTHER, refused, world};
use crate::restore::world::World;

/// IDs in the kept map, and how many of them differ.
const MAP: &str = "SELECT count(*), count(DISTINCT (\"table\", \"column\", old)) FROM reinstate.id_map";

#[tokio::test]
async fn a_second_restore_under_another_key_adds_nothing_twice() {
    let mut world = world().await;
    let first = world.restore(OLD).await.unwrap();
    let (rows, map) = (world.rows("live"), world.live(MAP));
    for (key, policy) in [("second", OnConflict::Fail), ("third", OnConflict::KeepLive), ("4th", OnConflict::Replace)] {
        (world.job.key, world.job.on_conflict) = (key.into(), policy);
        let looked = world.look(OLD).await;
        assert_eq!((looked.already, looked.conflicts), (first.rows, vec![]), "{key}");
        let again = world.restore(OLD).await.unwrap();
        assert_eq!(
            (again.rows, again.already, again.inserted, again.replaced),
            (first.rows, first.rows, 0, 0),
            "{key}"
        );
        let (again, first) = (again.remapped.unwrap(), first.remapped.clone().unwrap());
        assert_eq!((again.ids, again.backup), (first.ids, first.backup), "{key}");
        assert_eq!((world.rows("live"), world.live(MAP)), (rows.clone(), map.clone()), "{key}");
    }
}

#[tokio::test]
async fn a_second_restore_adds_the_rest_under_the_same_ids() {
    let mut world = world().await;
    let first = world.restore(OLD).await.unwrap();
    let rows = world.rows("live");
    // Some of what came is lost again, rows that others refer to among it.
    let own = format!("IN (SELECT id FROM issues WHERE site_id = '{NEW}')");
    let _ = world.live(&format!(
        "SET session_replication_role = replica; DELETE FROM reactions WHERE comment_id IN (SELECT id FROM comments WHERE issue_id {own}); \
         DELETE FROM comments WHERE issue_id {own}; DELETE FROM users WHERE site_id = '{NEW}' AND mail LIKE 'Boss%'"
    ));
    let lost = rows.len() - world.rows("live").len();
    // One comment has two lines.
    assert_eq!(lost, 2 + 3 + 1);
    world.job.key = "second".into();
    let again = world.restore(OLD).await.unwrap();
    assert_eq!((again.inserted, again.already), (5, first.rows - 5));
    assert_eq!(world.rows("live"), rows);
    assert_eq!(again.remapped.unwrap().ids, first.remapped.unwrap().ids);
}

#[tokio::test]
async fn a_row_that_came_into_the_copy_since_gets_an_id_beside_the_kept_ones() {
    let mut world = numbered(
        "CREATE TABLE things (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, of int REFERENCES things); \
         INSERT INTO things (tenant_id) VALUES (1), (2), (1)",
    );
    world.delete(&["1"]).await;
    let _ = world.restore("1").await.unwrap();
    // A later point in time.
    let _ = world.copy("INSERT INTO things (tenant_id, of) VALUES (1, 3)");
    world.job.key = "later".into();
    let later = world.restore("1").await.unwrap();
    assert_eq!((later.inserted, later.remapped.unwrap().ids["things"]), (1, 3));
    // 3 was raised to 5 by the first restore, and 4 of the copy is not an ID of the live database.
    let things = "SELECT count(*), count(*) FILTER (WHERE t.of IS NOT NULL), bool_and(t.of IS NULL OR t.of = p.id) \
                  FROM things t LEFT JOIN things p ON p.id = t.of AND p.tenant_id = 9 WHERE t.tenant_id = 9";
    assert_eq!(world.live(things), "3|1|t");
    assert_eq!(world.live("SELECT m.new::int = t.of FROM things t, reinstate.id_map m WHERE t.of IS NOT NULL AND m.\"table\" = 'things' AND m.old = '3'"), "t");
}

#[tokio::test]
async fn two_restores_at_once_under_one_new_id_come_one_after_the_other() {
    let world = world().await;
    let job = |key: &str| Job { tenants: vec![OLD.into()], key: key.into(), ..world.job.clone() };
    let (one, two) = (job("one"), job("two"));
    let (one, two) = tokio::join!(restore(&one), restore(&two));
    let wrote = [one, two].map(|done| done.unwrap().tenants.remove(0).result.unwrap().inserted);
    assert!(wrote.contains(&0) && wrote.iter().sum::<u64>() > 20, "{wrote:?}");
    assert_eq!(world.live("SELECT count(*), count(DISTINCT key) FROM reinstate.id_map"), "15|1");
}

#[tokio::test]
async fn a_new_id_that_stands_for_another_tenant_is_refused_by_its_name() {
    let mut world = world().await;
    let _ = world.restore(OLD).await.unwrap();
    world.delete(&[OTHER]).await;
    let rows = world.rows("live");
    for policy in [OnConflict::Fail, OnConflict::KeepLive, OnConflict::Replace] {
        (world.job.key, world.job.on_conflict) = ("other".into(), policy);
        let (code, message) = refused(world.restore(OTHER).await);
        assert_eq!(code, "remap.taken");
        assert!(message.contains(&format!("{NEW} stands for {OLD} already")) && message.contains("test/"), "{message}");
    }
    let mut looked = preview(&Job { tenants: vec![OTHER.into()], ..world.job.clone() }).await.unwrap();
    assert_eq!(looked.tenants.remove(0).1.unwrap_err().code(), "remap.taken");
    assert_eq!(world.rows("live"), rows);
    // Each under an ID of its own.
    world.job.remap.as_mut().unwrap().tenant = "bbbbbbbb-0000-4000-8000-00000000000b".into();
    assert!(world.restore(OTHER).await.is_ok());
}

#[tokio::test]
async fn what_one_restore_kept_and_another_is_to_change_is_refused_by_name() {
    let keeps = |world: &mut World, key: &str, keep: &[&str]| {
        world.job.key = key.into();
        world.job.remap.as_mut().unwrap().keep = keep.iter().map(|&glob| glob.to_owned()).collect();
    };
    for kept_first in [true, false] {
        let mut world = numbered(
            "CREATE TABLE things (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
             INSERT INTO things (tenant_id) VALUES (1), (2), (1)",
        );
        world.delete(&["1"]).await;
        world.job.on_conflict = OnConflict::KeepLive;
        let (first, second): (&[&str], &[&str]) =
            if kept_first { (&["things.id"], &[]) } else { (&[], &["things.id"]) };
        keeps(&mut world, "first", first);
        assert!(world.restore("1").await.is_ok());
        let rows = world.rows("live");
        keeps(&mut world, "second", second);
        let (code, message) = refused(world.restore("1").await);
        assert_eq!(code, "remap.otherwise");
        assert!(message.starts_with("things.id: the restore first/1 under this new ID "), "{message}");
        assert_eq!(world.rows("live"), rows);
        keeps(&mut world, "third", first);
        assert_eq!(world.restore("1").await.unwrap().inserted, 0);
        assert_eq!(world.rows("live"), rows);
    }
}

#[tokio::test]
async fn a_map_that_gives_one_number_twice_is_refused() {
    let mut world = numbered(
        "CREATE TABLE things (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
         INSERT INTO things (tenant_id) VALUES (1), (2)",
    );
    world.delete(&["1"]).await;
    let _ = world.restore("1").await.unwrap();
    // Somebody sets the sequence back, and the copy has one row more.
    let _ = world.live("SELECT setval('things_id_seq', 2)");
    let _ = world.copy("INSERT INTO things (id, tenant_id) VALUES (0, 1)");
    world.job.key = "second".into();
    let rows = world.rows("live");
    assert_eq!(refused(world.restore("1").await).0, "remap.twice");
    assert_eq!(world.rows("live"), rows);
}

#[tokio::test]
async fn a_look_counts_on_from_where_the_sequence_would_be_raised_to() {
    let mut world = numbered(
        "CREATE TABLE things (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants); \
         INSERT INTO things (tenant_id) VALUES (1), (2), (1)",
    );
    world.delete(&["1"]).await;
    // Live numbers were counted anew. Were they counted on from there, this row would be in the way; it is not.
    let _ = world.live("SELECT setval('things_id_seq', 1, false); UPDATE things SET id = 1");
    let looked = world.look("1").await;
    assert_eq!(looked.conflicts, []);
    let _ = world.live("INSERT INTO things VALUES (4, 2)");
    let looked = world.look("1").await;
    assert_eq!(crate::restore::world::words(&looked.conflicts), ["foreign things (id)=(4) of 2"]);
    assert_eq!(world.live("SELECT last_value, is_called FROM things_id_seq"), "1|f", "a look uses nothing up");
    assert_eq!(world.live("SELECT to_regclass('reinstate.id_map') IS NULL"), "t");
    // What the look said is what comes.
    assert_eq!(crate::restore::world::conflicts(world.restore("1").await), ["foreign things (id)=(4) of 2"]);
    world.job.key = "again".into();
    assert!(world.restore("1").await.is_ok());
}

fn numbered(rest: &str) -> World {
    let tenants = "CREATE TABLE tenants (id int PRIMARY KEY); INSERT INTO tenants VALUES (1), (2);";
    let mut world = World::new(&format!("{tenants}{rest}"), "tenants");
    world.job.remap = Some(Remap { tenant: "9".into(), ..Remap::default() });
    world
}
