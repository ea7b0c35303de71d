//! What `diff` sees.

use reinstate_lab::{BuildOptions, DamageError, DamageOptions, build, damage, diff};

use crate::support::{built, damaged, execute, open};

#[tokio::test]
async fn a_built_lab_is_clean() {
    let lab = built(30).await;
    let diff = diff(&lab.dir).await.unwrap();
    assert!(diff.clean, "{:?}", diff.differences);
    assert_eq!((diff.sites_equal, diff.sites_different), (0, 0));
}

#[tokio::test]
async fn the_same_seed_builds_the_same_estate() {
    let scratch = tempfile::tempdir().unwrap();
    let mut logs = Vec::new();
    for name in ["a", "b"] {
        let dir = scratch.path().join(name);
        build(&dir, &BuildOptions { sites: 20, shards: 2, seed: 3, port: Some(1), ..BuildOptions::default() })
            .await
            .unwrap();
        damage(&dir, &DamageOptions { sites: 9, ..DamageOptions::default() }).await.unwrap();
        let mut files = vec![std::fs::read(dir.join("sites.csv")).unwrap()];
        for shard in ["shard-00", "shard-01"] {
            for file in ["base.db", "log.jsonl"] {
                files.push(std::fs::read(dir.join("backups").join(shard).join(file)).unwrap());
            }
        }
        logs.push(files);
    }
    assert!(logs[0] == logs[1]);
}

#[tokio::test]
async fn damage_is_seen_site_by_site_and_harms_nobody_else() {
    let lab = damaged(40, 15).await;
    let diff = diff(&lab.dir).await.unwrap();
    assert_eq!((diff.sites_equal, diff.sites_different, diff.bystanders_changed), (0, 15, 0), "{:?}", diff.differences);
    let mut named: Vec<String> = diff.differences.iter().map(|d| d.site.clone()).collect();
    let mut listed: Vec<String> = lab.listed().into_iter().map(|site| site.id).collect();
    named.sort();
    named.dedup();
    listed.sort();
    assert_eq!(named, listed);
    assert!(matches!(
        damage(&lab.dir, &DamageOptions { sites: 1, ..DamageOptions::default() }).await,
        Err(DamageError::Already)
    ));
}

#[tokio::test]
async fn deletions_are_spread_over_the_window() {
    let lab = damaged(40, 15).await;
    let times: Vec<_> = lab.listed().into_iter().map(|site| site.deleted_at).collect();
    assert!(times.is_sorted());
    assert_eq!(times[0].to_rfc3339(), "2022-04-05T07:38:00+00:00");
    assert!((times[14] - times[0]).num_minutes() >= 20);
}

#[tokio::test]
async fn one_changed_byte_of_a_bystander_is_found() {
    let lab = damaged(40, 10).await;
    let (survivor, shard) = lab.survivor().await;
    let mut conn = open(&lab.shard(&shard)).await;
    execute(&mut conn, &format!("UPDATE sites SET name = name || 'x' WHERE site_id = '{survivor}'")).await;
    let found = diff(&lab.dir).await.unwrap();
    assert_eq!(found.bystanders_changed, 1);
    let named = found.differences.iter().find(|d| d.site == survivor).unwrap();
    assert_eq!((named.store.as_str(), named.table.as_str(), &named.key), (shard.as_str(), "sites", &survivor));
    assert!(named.what.starts_with("name is "), "{}", named.what);
}

#[tokio::test]
async fn a_shared_row_and_an_object_count_too_and_foreign_tables_do_not() {
    let lab = damaged(60, 10).await;
    let mut conn = open(&lab.shard("shard-00")).await;
    execute(&mut conn, "CREATE TABLE reinstate_ledger (key TEXT); INSERT INTO reinstate_ledger VALUES ('k')").await;
    assert_eq!(diff(&lab.dir).await.unwrap().bystanders_changed, 0);

    execute(&mut conn, "UPDATE plans SET seats = 11 WHERE id = 1").await;
    let live = lab.dir.join("objects/media");
    let folder = std::fs::read_dir(&live).unwrap().next().unwrap().unwrap().path();
    let object = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&object, b"other").unwrap();
    std::fs::write(folder.join("intruder"), b"new").unwrap();
    let found = diff(&lab.dir).await.unwrap();
    assert_eq!(found.bystanders_changed, 2, "{:?}", found.differences);
    let what: Vec<&str> = found.differences.iter().filter(|d| d.store == "objects").map(|d| d.what.as_str()).collect();
    assert!(what.contains(&"has other bytes") && what.contains(&"should not be there"), "{what:?}");
}
