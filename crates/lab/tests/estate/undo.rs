//! Whatever a service did can be taken back, and done again.

use reinstate_lab::{Fingerprint, diff, fingerprint};
use serde_json::{Value, json};

use crate::restore::{STEPS, empty_shard, restore};
use crate::support::{Client, Lab, Listed, damaged};

/// Paths of every call that `restore` makes, in its order, each with the path that takes it back.
fn calls(site: &Listed) -> Vec<(String, String)> {
    let mut calls = Vec::new();
    let mut add = |system: &str, operation: &str| {
        let base = format!("/{system}/sites/{}", site.id);
        calls.push((format!("{base}/{operation}"), format!("{base}/undo/{operation}")));
    };
    for step in STEPS {
        let (system, operation) = step.split_once('/').unwrap();
        add(system, operation);
    }
    for product in &site.products {
        add("search", &format!("rebuild/{product}"));
    }
    add("edge", "open");
    for app in &site.apps {
        calls.push((format!("/vendors/apps/{app}/reinstall"), format!("/vendors/apps/{app}/uninstall")));
    }
    calls
}

async fn no_rows(client: &Client, back: &str, key: &str) {
    let (status, body) = client.undo(back, key, "never asked").await;
    assert_eq!(status, 200, "{back}: {body}");
    assert!(body["rows"].as_object().unwrap().values().all(|rows| rows == 0), "{back}: {body}");
}

fn objects(lab: &Lab, site: &Listed) -> std::path::PathBuf {
    lab.dir.join("objects/media").join(&site.id)
}

fn named(before: &Fingerprint, after: &Fingerprint) -> Vec<String> {
    before.differences(after).into_iter().flat_map(|changed| changed.sites).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_site_is_taken_back_in_reverse_and_restored_again() {
    let lab = damaged(60, 30).await;
    let (served, client) = lab.quiet().await;
    let sites = lab.listed();
    let site = sites.iter().find(|site| !site.apps.is_empty() && !site.products.is_empty()).unwrap();
    let before = fingerprint(&lab.dir).await.unwrap();
    assert_eq!(before, fingerprint(&lab.dir).await.unwrap());

    // Undoing what was not done is no harm, in any order.
    for (_, back) in calls(site) {
        no_rows(&client, &back, &format!("too early {back}")).await;
    }
    assert_eq!(fingerprint(&lab.dir).await.unwrap(), before);

    for round in 0..2 {
        restore(&lab, &client, site, round).await;
        let restored = fingerprint(&lab.dir).await.unwrap();
        let changed = named(&before, &restored);
        assert!(!changed.is_empty() && changed.iter().all(|name| *name == site.id), "{changed:?}");
        assert_eq!(diff(&lab.dir).await.unwrap().sites_equal, 1, "round {round}");

        // What others build on stays.
        for base in ["catalogue", "identity", "region", "edge"] {
            let operation = ["undelete", "sync-users", "pin", "restore-route"]
                [["catalogue", "identity", "region", "edge"].iter().position(|name| *name == base).unwrap()];
            let path = format!("/{base}/sites/{}/undo/{operation}", site.id);
            let (status, body) = client.undo(&path, &format!("wrong order {round} {path}"), "k").await;
            assert_eq!((status, &body["error"]["code"]), (409, &json!("out-of-order")), "{path}");
        }
        assert_eq!(fingerprint(&lab.dir).await.unwrap(), restored);

        for (_, back) in calls(site).into_iter().rev() {
            let key = format!("undo {round} {back}");
            let first = client.undo(&back, &key, "k").await;
            assert_eq!(first.0, 200, "{back}: {}", first.1);
            assert_eq!(client.undo(&back, &key, "k").await, first, "twice is once");
            no_rows(&client, &back, &format!("another {round} {back}")).await;
        }
        empty_shard(&lab, site).await;
        if objects(&lab, site).exists() {
            std::fs::remove_dir_all(objects(&lab, site)).unwrap();
        }
        let after = fingerprint(&lab.dir).await.unwrap();
        assert_eq!(before.differences(&after), []);
        assert_eq!(before, after, "round {round}");
        let found = diff(&lab.dir).await.unwrap();
        assert_eq!((found.sites_equal, found.bystanders_changed, found.effects_applied_twice), (0, 0, 0));
    }
    restore(&lab, &client, site, 2).await;
    served.shutdown().await;
    let found = diff(&lab.dir).await.unwrap();
    assert_eq!((found.sites_equal, found.bystanders_changed, found.effects_applied_twice), (1, 0, 0));
}

#[tokio::test]
async fn what_was_taken_back_cannot_come_late() {
    let lab = damaged(40, 10).await;
    let (served, client) = lab.quiet().await;
    let site = &lab.listed()[0];
    let (path, back) = &calls(site)[0];
    let undone = |answer: (u16, Value)| assert_eq!((answer.0, &answer.1["error"]["code"]), (409, &json!("undone")));

    // Done, taken back: the old key is no answer from memory any more.
    let (status, _) = client.post(path, "k1", &site.point()).await;
    assert_eq!(status, 200);
    assert_eq!(client.undo(back, "k1/undo", "k1").await.1["rows"], json!({ "sites": 1 }));
    undone(client.post(path, "k1", &site.point()).await);
    // Never arrived, taken back, and then it arrives.
    assert_eq!(client.undo(back, "k2/undo", "k2").await.1["rows"], json!({ "sites": 0 }));
    undone(client.post(path, "k2", &site.point()).await);
    served.shutdown().await;

    let (served, client) = lab.quiet().await;
    undone(client.post(path, "k1", &site.point()).await);
    let (_, body) = client.get(&format!("/catalogue/ids/{}", site.id)).await;
    assert_eq!(body["state"], "deleted");
    assert_eq!(client.post(path, "k3", &site.point()).await.0, 200);
    served.shutdown().await;
    assert_eq!(diff(&lab.dir).await.unwrap().effects_applied_twice, 0);
}

#[tokio::test]
async fn a_job_that_runs_is_taken_back_too() {
    let lab = damaged(40, 10).await;
    let (served, client) = lab.quiet().await;
    let site = &lab.listed()[0];
    client.insist(&format!("/catalogue/sites/{}/undelete", site.id), &site.point()).await;
    let before = fingerprint(&lab.dir).await.unwrap();
    let (path, back) =
        (format!("/identity/sites/{}/sync-users", site.id), format!("/identity/sites/{}/undo/sync-users", site.id));
    for round in 0..5 {
        let (status, body) = client.post(&path, &format!("k{round}"), &site.point()).await;
        assert_eq!(status, 202);
        let job = body["job"].as_i64().unwrap();
        let undelete = format!("/catalogue/sites/{}/undo/undelete", site.id);
        let (status, body) = client.undo(&undelete, &format!("u{round}"), "k").await;
        assert_eq!((status, &body["error"]["code"]), (409, &json!("out-of-order")), "users are on their way");
        assert_eq!(client.undo(&back, &format!("b{round}"), &format!("k{round}")).await.0, 200);
        while client.get(&format!("/identity/jobs/{job}")).await.0 == 202 {
            tokio::task::yield_now().await;
        }
        assert_eq!(fingerprint(&lab.dir).await.unwrap(), before);
    }
    let (status, body) = client.post(&path, "last", &site.point()).await;
    assert_eq!(status, 202);
    client.finished(body["job"].as_i64().unwrap()).await;
    served.shutdown().await;
    assert_eq!(diff(&lab.dir).await.unwrap().effects_applied_twice, 0);
}

#[tokio::test]
async fn an_undo_touches_no_site_that_was_never_deleted() {
    let lab = damaged(60, 30).await;
    let (served, client) = lab.quiet().await;
    let (survivor, _) = lab.survivor().await;
    let before = fingerprint(&lab.dir).await.unwrap();
    let site = lab.listed().into_iter().find(|s| !s.apps.is_empty()).unwrap();
    for step in STEPS {
        let (system, operation) = step.split_once('/').unwrap();
        for (id, code) in [(&survivor, "site-live"), (&site.apps[0], "wrong-kind")] {
            let path = format!("/{system}/sites/{id}/undo/{operation}");
            let (_, body) = client.undo(&path, &path, "k").await;
            assert_eq!(body["error"]["code"], code, "{path}");
        }
    }
    let (status, body) = client.undo(&format!("/catalogue/sites/{}/undo/nothing", site.id), "x", "k").await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("unknown-operation")));
    served.shutdown().await;
    assert_eq!(fingerprint(&lab.dir).await.unwrap(), before);
}
