//! What the services refuse and remember.

use reinstate_lab::{ServeError, ServeOptions, diff, serve};

use crate::support::{Client, damaged};

#[tokio::test]
async fn ids_of_the_wrong_kind_and_live_sites_are_refused() {
    let lab = damaged(60, 30).await;
    let (served, client) = lab.quiet().await;
    let site = lab.listed().into_iter().find(|s| !s.apps.is_empty()).unwrap();
    let (app, point) = (&site.apps[0], site.point());

    let (status, body) = client.get(&format!("/catalogue/ids/{}", site.id)).await;
    assert_eq!((status, &body["kind"], &body["state"]), (200, &"site".into(), &"deleted".into()));
    let (status, body) = client.get(&format!("/catalogue/ids/{app}")).await;
    assert_eq!((status, &body["kind"], &body["state"]), (200, &"app".into(), &"deleted".into()));
    assert_eq!(client.get("/catalogue/ids/nothing").await.0, 404);

    let (status, body) = client.post(&format!("/catalogue/sites/{app}/undelete"), "a", &point).await;
    assert_eq!((status, &body["error"]["code"]), (422, &"wrong-kind".into()));
    let (survivor, _) = lab.survivor().await;
    let (status, body) = client.post(&format!("/catalogue/sites/{survivor}/undelete"), "b", &point).await;
    assert_eq!((status, &body["error"]["code"]), (409, &"site-live".into()));
    let late = "2022-04-05T09:00:00Z";
    let (status, body) = client.post(&format!("/catalogue/sites/{}/undelete", site.id), "c", late).await;
    assert_eq!((status, &body["error"]["code"]), (422, &"restore-point-after-deletion".into()));
    let (status, body) = client.post(&format!("/catalogue/sites/{}/undelete", site.id), "d", "soon").await;
    assert_eq!((status, &body["error"]["code"]), (422, &"restore-point-malformed".into()));
    assert_eq!(client.anonymous_post(&format!("/vendors/apps/{app}/reinstall"), &point).await, 401);
    served.shutdown().await;
    assert_eq!(diff(&lab.dir).await.unwrap().bystanders_changed, 0);
}

#[tokio::test]
async fn order_is_kept_and_a_key_is_answered_from_memory() {
    let lab = damaged(40, 10).await;
    let (served, client) = lab.quiet().await;
    let site = &lab.listed()[0];
    let point = site.point();
    let path = |tail: &str| {
        let (system, operation) = tail.split_once('/').unwrap();
        format!("/{system}/sites/{}/{operation}", site.id)
    };

    let (status, body) = client.post(&path("identity/sync-users"), "1", &point).await;
    assert_eq!((status, &body["error"]["code"]), (409, &"out-of-order".into()));
    let (status, first) = client.post(&path("catalogue/undelete"), "2", &point).await;
    assert_eq!(status, 200);
    let (status, again) = client.post(&path("catalogue/undelete"), "2", &point).await;
    assert_eq!((status, again), (200, first.clone()));
    let (status, body) = client.post(&path("catalogue/undelete"), "3", &point).await;
    assert_eq!((status, &body["error"]["code"]), (409, &"already-done".into()));
    let (status, body) = client.post(&path("catalogue/restore-apps"), "2", &point).await;
    assert_eq!((status, &body["error"]["code"]), (422, &"key-reused".into()));
    let (status, body) = client.post(&format!("/search/sites/{}/rebuild/confluence", site.id), "4", &point).await;
    assert_eq!((status, &body["error"]["code"]), (409, &"product-database-missing".into()));
    served.shutdown().await;

    // What was answered outlives the server, too.
    let (served, client) = lab.quiet().await;
    assert_eq!(client.post(&path("catalogue/undelete"), "2", &point).await, (200, first));
    served.shutdown().await;
    let found = diff(&lab.dir).await.unwrap();
    assert_eq!((found.effects_applied_twice, found.bystanders_changed), (0, 0));
}

#[tokio::test]
async fn a_job_outlives_its_server_and_a_second_server_is_refused() {
    let lab = damaged(40, 10).await;
    let (served, client) = lab.quiet().await;
    let site = &lab.listed()[0];
    client.insist(&format!("/catalogue/sites/{}/undelete", site.id), &site.point()).await;
    let path = format!("/identity/sites/{}/sync-users", site.id);
    let (status, body) = client.post(&path, "k", &site.point()).await;
    assert_eq!(status, 202);
    let job = body["job"].as_i64().unwrap();
    assert!(matches!(serve(&lab.dir, &ServeOptions::default()).await, Err(ServeError::AddressTaken { .. })));
    served.shutdown().await;

    let (served, client) = lab.quiet().await;
    client.finished(job).await;
    let (status, body) = client.post(&path, "k", &site.point()).await;
    assert_eq!((status, body["job"].as_i64()), (202, Some(job)));
    served.shutdown().await;
    assert_eq!(diff(&lab.dir).await.unwrap().effects_applied_twice, 0);
}

#[tokio::test]
async fn live_tenants_write_and_the_truth_follows() {
    let lab = damaged(40, 10).await;
    let log = |shard: &str| std::fs::read_to_string(lab.dir.join("backups").join(shard).join("log.jsonl")).unwrap();
    let before = log("shard-00").lines().count();
    let options = ServeOptions { live_rate: 500, ..ServeOptions::default() };
    let served = serve(&lab.dir, &options).await.unwrap();
    let _client = Client::new(&served, &lab.dir);
    while log("shard-00").lines().count() < before + 50 {
        tokio::task::yield_now().await;
    }
    served.shutdown().await;
    let found = diff(&lab.dir).await.unwrap();
    assert_eq!((found.bystanders_changed, found.sites_different), (0, 10), "{:?}", found.differences);
    // A torn last line is repaired by the next server.
    let path = lab.dir.join("backups/shard-00/log.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let served = serve(&lab.dir, &ServeOptions { live_rate: 1, ..ServeOptions::default() }).await.unwrap();
    served.shutdown().await;
    let repaired = std::fs::read_to_string(&path).unwrap();
    assert!(repaired.starts_with(&whole) && repaired.ends_with('\n'));
}
