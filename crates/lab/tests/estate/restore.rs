//! Restoring sites by hand: over HTTP, by SQL from the backup, by copying objects.

use std::collections::BTreeMap;
use std::path::Path;

use reinstate_lab::diff;
use serde_json::Value;

use crate::recovered;
use crate::support::{Client, Lab, Listed, damaged, execute, open};

pub(crate) async fn restore_shard(lab: &Lab, site: &Listed) {
    if lab.dir.join("clusters").exists() {
        return recovered::restore(lab, site, &site.point()).await;
    }
    let side = aside(lab, site).await;
    let mut conn = open(&lab.shard(&site.shard)).await;
    execute(
        &mut conn,
        &format!("ATTACH '{}' AS side; BEGIN IMMEDIATE; PRAGMA defer_foreign_keys = ON", side.display()),
    )
    .await;
    for (table, condition) in owned(&site.id) {
        execute(&mut conn, &format!("INSERT INTO main.{table} SELECT * FROM side.{table} WHERE {condition}")).await;
    }
    execute(&mut conn, "COMMIT; DETACH side").await;
}

/// A file beside the shard that holds what it held at the site's point.
pub(crate) async fn aside(lab: &Lab, site: &Listed) -> std::path::PathBuf {
    let backup = lab.dir.join("backups").join(&site.shard);
    let side = lab.dir.join(format!("side-{}.db", site.id));
    std::fs::copy(backup.join("base.db"), &side).unwrap();
    replay(&side, &backup.join("log.jsonl"), &site.point()).await;
    side
}

/// Takes the site out of its shard again; `restore_shard` left the file that says which rows those are.
pub(crate) async fn empty_shard(lab: &Lab, site: &Listed) {
    let side = lab.dir.join(format!("side-{}.db", site.id));
    let mut conn = open(&lab.shard(&site.shard)).await;
    let attach = format!("ATTACH '{}' AS side; BEGIN IMMEDIATE; PRAGMA defer_foreign_keys = ON", side.display());
    execute(&mut conn, &attach).await;
    for (table, condition) in owned(&site.id).into_iter().rev() {
        execute(&mut conn, &format!("DELETE FROM main.{table} WHERE {condition}")).await;
    }
    execute(&mut conn, "COMMIT; DETACH side").await;
}

/// Tables of a shard, parents first, each with the condition that its rows belong to a site.
pub(crate) fn owned(site: &str) -> Vec<(&'static str, String)> {
    let id = format!("'{site}'");
    let projects = format!("SELECT id FROM side.projects WHERE site_id = {id}");
    let issues = format!("SELECT id FROM side.issues WHERE project_id IN ({projects})");
    let boards = format!("SELECT id FROM side.boards WHERE project_id IN ({projects})");
    let pages =
        format!("SELECT id FROM side.pages WHERE space_id IN (SELECT id FROM side.spaces WHERE site_id = {id})");
    let owned = |table: &str| format!("SELECT id FROM side.{table} WHERE site_id = {id}");
    let components = format!("SELECT id FROM side.components WHERE status_page_id IN ({})", owned("status_pages"));
    let assets = format!("SELECT id FROM side.assets WHERE schema_id IN ({})", owned("object_schemas"));
    let mut plan: Vec<(&'static str, String)> = Vec::new();
    for table in ["sites", "projects", "spaces", "teams", "status_pages", "access_policies", "object_schemas"] {
        plan.push((table, format!("site_id = {id}")));
    }
    for (table, column, inner) in [
        ("boards", "project_id", &projects),
        ("sprints", "board_id", &boards),
        ("issues", "project_id", &projects),
        ("comments", "issue_id", &issues),
        ("attachments", "issue_id", &issues),
        ("issue_links", "source_id", &issues),
        ("queues", "project_id", &projects),
        ("ideas", "project_id", &projects),
        ("pages", "space_id", &owned("spaces")),
        ("page_attachments", "page_id", &pages),
        ("labels", "page_id", &pages),
        ("schedules", "team_id", &owned("teams")),
        ("alerts", "team_id", &owned("teams")),
        ("components", "status_page_id", &owned("status_pages")),
        ("incidents", "component_id", &components),
        ("access_rules", "policy_id", &owned("access_policies")),
        ("assets", "schema_id", &owned("object_schemas")),
        ("asset_issues", "asset_id", &assets),
    ] {
        plan.push((table, format!("{column} IN ({inner})")));
    }
    plan
}

/// Brings the copy of a full backup to a point by the documented log format alone.
async fn replay(side: &Path, log: &Path, point: &str) {
    let mut conn = open(side).await;
    execute(&mut conn, "BEGIN; PRAGMA defer_foreign_keys = ON").await;
    let mut reached = false;
    for line in std::fs::read_to_string(log).unwrap().lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        if entry["at"].as_str().unwrap() > point {
            reached = true;
            break;
        }
        for change in entry["changes"].as_array().unwrap() {
            let table = change["table"].as_str().unwrap();
            let literals = |object: &Value| -> BTreeMap<String, String> {
                object.as_object().unwrap().iter().map(|(k, v)| (k.clone(), literal(v))).collect()
            };
            let key: Vec<String> = literals(&change["key"]).iter().map(|(k, v)| format!("{k} = {v}")).collect();
            execute(&mut conn, &format!("DELETE FROM {table} WHERE {}", key.join(" AND "))).await;
            if change["op"] == "put" {
                let row = literals(&change["row"]);
                let (names, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
                execute(&mut conn, &format!("INSERT INTO {table} ({}) VALUES ({})", names.join(","), values.join(",")))
                    .await;
            }
        }
    }
    assert!(reached, "the log does not reach {point}");
    execute(&mut conn, "COMMIT").await;
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Object(blob) => format!("x'{}'", blob["$blob"].as_str().unwrap()),
        number => number.to_string(),
    }
}

pub(crate) fn copy_objects(lab: &Lab, from: &str, to: &str) {
    let (from, to) = (lab.dir.join("backups/objects").join(from), lab.dir.join("objects/media").join(to));
    if !from.exists() {
        return;
    }
    std::fs::create_dir_all(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Every operation of a site but those per product and app, in an order that is allowed.
pub(crate) const STEPS: [&str; 18] = [
    "catalogue/undelete",
    "catalogue/restore-products",
    "catalogue/restore-apps",
    "commerce/restore-account",
    "commerce/reinstate-licences",
    "commerce/restore-entitlements",
    "metadata/restore-core",
    "metadata/restore-configuration",
    "metadata/restore-product-settings",
    "region/pin",
    "region/restore-residency",
    "identity/sync-users",
    "identity/sync-groups",
    "identity/sync-permissions",
    "flags/restore",
    "media/restore-mapping",
    "events/replay",
    "edge/restore-route",
];

/// Every system that holds something of a site.
pub(crate) const SYSTEMS: [&str; 11] = [
    "catalogue",
    "commerce",
    "metadata",
    "region",
    "identity",
    "flags",
    "media",
    "search",
    "events",
    "vendors",
    "edge",
];

/// Restores a site; each round has keys of its own.
pub(crate) async fn restore(lab: &Lab, client: &Client, site: &Listed, round: u32) {
    let point = site.point();
    for step in STEPS {
        let (system, operation) = step.split_once('/').unwrap();
        client.insist_in(round, &format!("/{system}/sites/{}/{operation}", site.id), &point).await;
    }
    for app in &site.apps {
        client.insist_in(round, &format!("/vendors/apps/{app}/reinstall"), &point).await;
    }
    restore_shard(lab, site).await;
    copy_objects(lab, &site.id, &site.id);
    for product in &site.products {
        client.insist_in(round, &format!("/search/sites/{}/rebuild/{product}", site.id), &point).await;
    }
    for system in SYSTEMS {
        let (status, body) = client.get(&format!("/{system}/sites/{}", site.id)).await;
        assert_eq!((status, &body["complete"]), (200, &Value::Bool(true)), "{system}: {body}");
    }
    let (_, edge) = client.get(&format!("/edge/sites/{}", site.id)).await;
    assert_eq!(edge["state"], "closed");
    client.insist_in(round, &format!("/edge/sites/{}/open", site.id), &point).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sites_restored_by_hand_are_equal_and_the_rest_is_not() {
    let lab = damaged(40, 12).await;
    let served = reinstate_lab::serve(&lab.dir, &reinstate_lab::ServeOptions::default()).await.unwrap();
    let client = Client::new(&served, &lab.dir);
    let sites = lab.listed();
    for site in &sites[..4] {
        restore(&lab, &client, site, 0).await;
    }
    // A catalogue record alone is no restored site.
    client.insist(&format!("/catalogue/sites/{}/undelete", sites[4].id), &sites[4].point()).await;
    served.shutdown().await;
    let found = diff(&lab.dir).await.unwrap();
    let done: Vec<_> = found.differences.iter().filter(|d| sites[..4].iter().any(|s| s.id == d.site)).collect();
    assert!(done.is_empty(), "{done:?}");
    assert_eq!((found.sites_equal, found.sites_different), (4, 8));
    assert_eq!((found.bystanders_changed, found.effects_applied_twice), (0, 0), "{:?}", found.differences);
}
