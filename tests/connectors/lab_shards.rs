//! The shards of a damaged lab come back, other tenants unchanged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::world::{World, call, done, keyed, undoing};

struct Site {
    id: String,
    shard: String,
}

/// Reads the list and the restore point of each shard: five minutes before its first deletion.
fn listed(dir: &Path) -> (Vec<Site>, BTreeMap<String, String>) {
    let mut reader = csv::Reader::from_path(dir.join("sites.csv")).unwrap();
    let (mut sites, mut first) = (Vec::new(), BTreeMap::<String, chrono::DateTime<chrono::Utc>>::new());
    for row in reader.deserialize::<BTreeMap<String, String>>() {
        let row = row.unwrap();
        let deleted_at = row["deleted_at"].parse().unwrap();
        let earliest = first.entry(row["shard"].clone()).or_insert(deleted_at);
        *earliest = deleted_at.min(*earliest);
        sites.push(Site { id: row["id"].clone(), shard: row["shard"].clone() });
    }
    let points = first.into_iter().map(|(shard, at)| (shard, (at - chrono::Duration::minutes(5)).to_rfc3339()));
    (sites, points.collect())
}

/// Damages a lab, recovers its shards, restores every site twice, compares, and takes all of it back.
async fn bring_back(sites: usize, shards: usize, deleted: usize) -> BTreeMap<&'static str, u128> {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().canonicalize().unwrap();
    lab::build(&dir, &lab::BuildOptions { sites, shards, ..lab::BuildOptions::default() }).await.unwrap();
    lab::damage(&dir, &lab::DamageOptions { sites: deleted, ..lab::DamageOptions::default() }).await.unwrap();
    let (sites, points) = listed(&dir);
    let damaged = lab::fingerprint(&dir).await.unwrap();
    let world = Arc::new(World::new());
    let mut times = BTreeMap::new();

    let start = Instant::now();
    let mut recovered = BTreeMap::new();
    for (shard, at) in &points {
        let with = json!({ "backup": dir.join("backups").join(shard), "at": at, "into": dir.join("recovered") });
        recovered.insert(shard.clone(), done(&world.apply(call("sqlite/recover@1", with)).await)["path"].clone());
    }
    times.insert("recover_ms", start.elapsed().as_millis());

    for (name, uses) in
        [("restore_ms", "sqlite/restore@1"), ("again_ms", "sqlite/restore@1"), ("verify_ms", "sqlite/verify@1")]
    {
        let start = Instant::now();
        let mut running = JoinSet::new();
        for site in &sites {
            let with = json!({
                "from": recovered[&site.shard], "to": dir.join("stores").join(format!("{}.db", site.shard)),
                "root": { "table": "sites", "key": "site_id", "column": "site_id" }, "tenant": site.id,
            });
            if running.len() == 16 {
                done(&running.join_next().await.unwrap().unwrap());
            }
            let (world, key) = (Arc::clone(&world), format!("lab/databases/{}/", site.id));
            running.spawn(async move { world.apply(keyed(uses, with, &key, 1)).await });
        }
        while let Some(outcome) = running.join_next().await {
            assert!(done(&outcome.unwrap())["rows"].as_u64().unwrap() > 0);
        }
        times.insert(name, start.elapsed().as_millis());
    }
    let mut restored = 0;
    for shard in points.keys() {
        let live = dir.join("stores").join(format!("{shard}.db"));
        let stood = done(
            &world
                .apply(call("sqlite/bystanders@1", json!({ "live": live, "run": "lab", "root": { "table": "sites" } })))
                .await,
        );
        assert_eq!((&stood["foreign"], &stood["changed_since"]), (&Value::from(0), &Value::from(0)));
        restored += stood["restored_sites"].as_u64().unwrap();
        times.insert("rows", times.get("rows").unwrap_or(&0) + u128::from(stood["rows"].as_u64().unwrap()));
    }
    assert_eq!(restored, deleted as u64);
    assert_eq!(lab::diff(&dir).await.unwrap().bystanders_changed, 0);
    let changed = damaged.differences(&lab::fingerprint(&dir).await.unwrap());
    let restored: BTreeSet<&String> = changed.iter().flat_map(|table| &table.sites).collect();
    assert_eq!(restored, sites.iter().map(|site| &site.id).collect());

    let start = Instant::now();
    for site in sites.iter().rev() {
        let with = json!({
            "to": dir.join("stores").join(format!("{}.db", site.shard)), "tenant": site.id,
            "root": { "table": "sites", "key": "site_id", "column": "site_id" },
        });
        let undo = undoing("sqlite/remove@1", with, &format!("lab/databases/{}/", site.id), 1);
        assert!(done(&world.apply(undo).await)["rows"].as_u64().unwrap() > 0);
    }
    times.insert("remove_ms", start.elapsed().as_millis());
    for (shard, at) in &points {
        let with = json!({ "backup": dir.join("backups").join(shard), "at": at, "into": dir.join("recovered") });
        assert_eq!(done(&world.apply(call("sqlite/drop-recovered@1", with)).await)["removed"], true);
    }
    assert_eq!(std::fs::read_dir(dir.join("recovered")).unwrap().count(), 0);
    assert_eq!(damaged.differences(&lab::fingerprint(&dir).await.unwrap()), []);
    times
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_lab_comes_back_and_goes_again() {
    bring_back(60, 2, 25).await;
}
