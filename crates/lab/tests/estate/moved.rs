//! A site comes back under another ID: every service, the product databases by hand with other numbers, and the judge.

use reinstate_lab::{diff, fingerprint};
use serde_json::{Value, json};
use sqlx::Row;

use crate::restore::{STEPS, SYSTEMS, aside, copy_objects, owned};
use crate::support::{Client, Lab, Listed, damaged, execute, open};

/// How far the numbers of the product databases are moved.
const SHIFT: i64 = 5_000_000;

/// What is done to a new site, in an order that is allowed, as `system/operation`; items have own paths.
fn operations() -> impl Iterator<Item = (&'static str, &'static str)> {
    let own = ["catalogue/migrate", "catalogue/commission"];
    STEPS.into_iter().skip(1).chain(own).map(|step| step.split_once('/').unwrap())
}

/// Makes the new site and brings everything into it; gives its ID and the IDs of its apps.
async fn replace(lab: &Lab, client: &Client, site: &Listed, round: u32) -> (String, Vec<String>) {
    let point = json!({ "restore_point": site.point() });
    let made = format!("/catalogue/sites/{}/replace", site.id);
    let made = client.insist_on(&format!("{round} {made}"), &made, point).await;
    let new = made["id"].as_str().unwrap().to_owned();
    assert!(made["hostname"].as_str().unwrap().ends_with(".lab.example"), "{made}");
    let body = json!({ "restore_point": site.point(), "from": site.id });
    let post = async |path: String| client.insist_on(&format!("{round} {path}"), &path, body.clone()).await;
    let mut apps = Vec::new();
    for (system, operation) in operations() {
        let answer = post(format!("/{system}/sites/{new}/{operation}")).await;
        if operation == "restore-apps" {
            let ids = answer["ids"].as_object().unwrap();
            apps = site.apps.iter().map(|app| ids[app].as_str().unwrap().to_owned()).collect();
        }
    }
    for product in &site.products {
        post(format!("/catalogue/sites/{new}/activate/{product}")).await;
    }
    for app in &apps {
        post(format!("/vendors/apps/{app}/reinstall")).await;
    }
    renumber(lab, site, &new).await;
    copy_objects(lab, &site.id, &new);
    for product in &site.products {
        post(format!("/search/sites/{new}/rebuild/{product}")).await;
    }
    post(format!("/edge/sites/{new}/open")).await;
    (new, apps)
}

/// Copies the product databases with other numbers, from the last row to the first, and the new ID.
async fn renumber(lab: &Lab, site: &Listed, new: &str) {
    let side = aside(lab, site).await;
    let mut conn = open(&lab.shard(&site.shard)).await;
    let attach = format!("ATTACH '{}' AS side; BEGIN IMMEDIATE; PRAGMA defer_foreign_keys = ON", side.display());
    execute(&mut conn, &attach).await;
    for (table, condition) in owned(&site.id) {
        let info = format!("SELECT name FROM pragma_table_info('{table}', 'side')");
        let columns = sqlx::query(sqlx::AssertSqlSafe(info)).fetch_all(&mut conn).await.unwrap();
        let columns: Vec<String> = columns.iter().map(|row| row.get(0)).collect();
        let moved: Vec<String> = columns.iter().map(|column| expression(column, &site.id, new)).collect();
        let into = format!("INSERT INTO main.{table} ({}) SELECT {}", columns.join(", "), moved.join(", "));
        execute(&mut conn, &format!("{into} FROM side.{table} WHERE {condition}")).await;
    }
    execute(&mut conn, "COMMIT; DETACH side").await;
}

fn expression(column: &str, old: &str, new: &str) -> String {
    match column {
        "type_id" | "plan_id" => column.to_owned(),
        "id" | "delivered_by" => format!("{SHIFT} - {column}"),
        _ if column.ends_with("_id") && !["site_id", "media_id"].contains(&column) => format!("{SHIFT} - {column}"),
        _ => format!("CASE typeof({column}) WHEN 'text' THEN replace({column}, '{old}', '{new}') ELSE {column} END"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_under_a_new_id_is_equal_but_for_that_and_its_numbers() {
    let lab = damaged(60, 30).await;
    let (served, client) = lab.quiet().await;
    let before = fingerprint(&lab.dir).await.unwrap();
    let sites = lab.listed();
    let rich = |site: &&Listed| {
        site.apps.len() > 1 && ["opsgenie", "confluence"].iter().all(|name| site.products.iter().any(|p| p == name))
    };
    let site = sites.iter().find(rich).unwrap();

    let (first, apps) = replace(&lab, &client, site, 0).await;
    for system in SYSTEMS {
        let (status, body) = client.get(&format!("/{system}/sites/{first}")).await;
        assert_eq!((status, &body["complete"]), (200, &json!(true)), "{system}: {body}");
        let (_, old) = client.get(&format!("/{system}/sites/{}", site.id)).await;
        assert_eq!(old["held"] == 0, system != "catalogue", "{system}: {old}");
    }
    let (_, old) = client.get(&format!("/catalogue/ids/{}", site.id)).await;
    assert_eq!((&old["state"], &old["replaced_by"]), (&json!("deleted"), &json!(first)));
    let (_, new) = client.get(&format!("/catalogue/ids/{first}")).await;
    assert_eq!((&new["state"], &new["replaces"], &new["kind"]), (&json!("active"), &json!(site.id), &json!("site")));
    let (_, ticket) = client.get("/support/tickets").await;
    assert_eq!(ticket["open"], 0, "{ticket}");
    let found = diff(&lab.dir).await.unwrap();
    let of_it: Vec<_> = found.differences.iter().filter(|one| one.site == site.id || one.site.is_empty()).collect();
    assert!(of_it.is_empty(), "{of_it:#?}");
    assert_eq!((found.sites_equal, found.sites_moved, found.sites_different), (1, 1, 29));
    assert_eq!((found.bystanders_changed, found.effects_applied_twice), (0, 0));

    everything_counts(&lab, site, &first).await;
    // In reverse order all of it goes, and another time the site gets another ID.
    take_back(&lab, &client, site, &first, &apps, 0).await;
    assert_eq!(before.differences(&fingerprint(&lab.dir).await.unwrap()), []);
    let (second, _) = replace(&lab, &client, site, 1).await;
    assert_ne!(first, second);
    served.shutdown().await;
    let (served, client) = lab.quiet().await;
    assert_eq!(client.get(&format!("/catalogue/ids/{second}")).await.1["replaces"], json!(site.id));
    assert_eq!(client.get(&format!("/catalogue/ids/{first}")).await.0, 404);
    served.shutdown().await;
    let found = diff(&lab.dir).await.unwrap();
    assert_eq!((found.sites_equal, found.sites_moved, found.bystanders_changed), (1, 1, 0), "{:#?}", found.differences);
}

/// One wrong row, a forgotten ID and a lost object are each seen.
async fn everything_counts(lab: &Lab, site: &Listed, new: &str) {
    let wrong = async |change: &str, back: &str| {
        let mut conn = open(&lab.shard(&site.shard)).await;
        execute(&mut conn, change).await;
        let found = diff(&lab.dir).await.unwrap();
        assert_eq!((found.sites_equal, found.bystanders_changed), (0, 0), "{change}: {:#?}", found.differences);
        execute(&mut conn, back).await;
    };
    let rotation = |id: &str, was: &str| format!("UPDATE schedules SET rotation = replace(rotation, '{was}', '{id}')");
    wrong(&rotation(&site.id, new), &rotation(new, &site.id)).await;
    let page = format!("SELECT min(id) FROM pages WHERE space_id IN (SELECT id FROM spaces WHERE site_id = '{new}')");
    let version = |by: &str| format!("UPDATE pages SET version = version {by} 1 WHERE id = ({page})");
    wrong(&version("+"), &version("-")).await;
    assert_eq!(diff(&lab.dir).await.unwrap().sites_equal, 1);
}

async fn take_back(lab: &Lab, client: &Client, site: &Listed, new: &str, apps: &[String], round: u32) {
    let undo = async |path: String, undoes: &str| {
        let (status, body) = client.undo(&path, &format!("undo {round} {path}"), undoes).await;
        assert_eq!(status, 200, "{path}: {body}");
    };
    let made = format!("/catalogue/sites/{}/undo/replace", site.id);
    let (status, body) = client.undo(&made, "too early", "k").await;
    assert_eq!((status, &body["error"]["code"]), (409, &json!("out-of-order")));
    undo(format!("/edge/sites/{new}/undo/open"), "k").await;
    for product in &site.products {
        undo(format!("/search/sites/{new}/undo/rebuild/{product}"), "k").await;
        undo(format!("/catalogue/sites/{new}/undo/activate/{product}"), "k").await;
    }
    for app in apps {
        undo(format!("/vendors/apps/{app}/uninstall"), "k").await;
    }
    let mut all: Vec<_> = operations().collect();
    all.reverse();
    for (system, operation) in all {
        undo(format!("/{system}/sites/{new}/undo/{operation}"), "k").await;
    }
    let mut conn = open(&lab.shard(&site.shard)).await;
    execute(&mut conn, "PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE").await;
    for (table, condition) in owned(new).into_iter().rev() {
        execute(&mut conn, &format!("DELETE FROM {table} WHERE {}", condition.replace("side.", ""))).await;
    }
    execute(&mut conn, "COMMIT").await;
    let folder = lab.dir.join("objects/media").join(new);
    if folder.exists() {
        std::fs::remove_dir_all(folder).unwrap();
    }
    undo(made, &format!("{round} /catalogue/sites/{}/replace", site.id)).await;
    // What was made under that key is not made by a request that arrives late.
    let path = format!("/catalogue/sites/{}/replace", site.id);
    let late = client.post(&path, &format!("{round} {path}"), &site.point()).await;
    assert_eq!((late.0, &late.1["error"]["code"]), (409, &json!("undone")));
}

#[tokio::test]
async fn a_site_comes_back_in_one_way_only() {
    let lab = damaged(40, 10).await;
    let (served, client) = lab.quiet().await;
    let sites = lab.listed();
    let refused = |answer: (u16, Value), status: u16, code: &str| {
        assert_eq!((answer.0, &answer.1["error"]["code"]), (status, &json!(code)), "{}", answer.1);
    };
    let path = |site: &Listed, operation: &str| format!("/catalogue/sites/{}/{operation}", site.id);
    let (one, two) = (&sites[0], &sites[1]);
    assert_eq!(client.post(&path(one, "replace"), "a", &one.point()).await.0, 200);
    let again = client.post(&path(one, "replace"), "a", &one.point()).await;
    let new = again.1["id"].as_str().unwrap();
    refused(client.post(&path(one, "replace"), "b", &one.point()).await, 409, "already-done");
    refused(client.post(&path(one, "undelete"), "c", &one.point()).await, 409, "replaced");
    assert_eq!(client.post(&path(two, "undelete"), "d", &two.point()).await.0, 200);
    refused(client.post(&path(two, "replace"), "e", &two.point()).await, 409, "undeleted");
    refused(client.post(&path(two, "migrate"), "f", &two.point()).await, 409, "not-a-stand-in");
    // It gets the records of the site that it stands in for, and says so.
    let account = format!("/commerce/sites/{new}/restore-account");
    refused(client.post(&account, "g", &one.point()).await, 422, "wrong-source");
    let other = json!({ "restore_point": one.point(), "from": two.id });
    refused(client.post_body(&account, "h", other).await, 422, "wrong-source");
    let (survivor, _) = lab.survivor().await;
    refused(client.post(&format!("/catalogue/sites/{survivor}/replace"), "i", &one.point()).await, 409, "site-live");
    served.shutdown().await;
}
