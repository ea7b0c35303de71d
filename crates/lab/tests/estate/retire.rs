//! Retiring an app the right way, and what customers report when it goes wrong.

use std::collections::BTreeMap;

use reinstate_lab::{diff, fingerprint};
use serde_json::json;

use crate::support::{Client, Lab, built, damaged, execute, open};

fn apps(lab: &Lab) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(lab.dir.join("apps.csv")).unwrap();
    assert_eq!(reader.headers().unwrap(), vec!["id", "site", "app", "shard", "region", "own"]);
    reader.deserialize().map(Result::unwrap).collect()
}

async fn count(client: &Client) -> (i64, i64) {
    let (_, body) = client.get("/catalogue/count").await;
    (body["active_sites"].as_i64().unwrap(), body["active_apps"].as_i64().unwrap())
}

#[tokio::test]
async fn an_app_is_retired_and_comes_back() {
    let lab = built(40).await;
    let (served, client) = lab.quiet().await;
    let apps = apps(&lab);
    let own = apps.iter().filter(|app| app["own"] == "true").count();
    assert!(own > 0 && own < apps.len());
    assert_eq!(count(&client).await, (40, apps.len() as i64));
    let before = fingerprint(&lab.dir).await.unwrap();

    let (app, site) = (&apps[0]["id"], &apps[0]["site"]);
    let (_, body) = client.get(&format!("/catalogue/ids/{app}")).await;
    assert_eq!((&body["kind"], &body["site"], &body["vendor"]), (&json!("app"), &json!(site), &json!(apps[0]["app"])));
    let retire = format!("/catalogue/apps/{app}/retire");
    let restore = format!("/catalogue/apps/{app}/restore");
    let (uninstall, reinstall) = (format!("/vendors/apps/{app}/uninstall"), format!("/vendors/apps/{app}/reinstall"));
    let code = |answer: (u16, serde_json::Value)| answer.1["error"]["code"].as_str().unwrap_or("none").to_owned();

    // The vendor goes second; a site's ID is no app's.
    assert_eq!(code(client.plainly(&uninstall, "early").await), "out-of-order");
    assert_eq!(code(client.plainly(&format!("/catalogue/apps/{site}/retire"), "site").await), "wrong-kind");
    assert_eq!(code(client.plainly(&format!("/vendors/apps/{site}/uninstall"), "site").await), "wrong-kind");
    // Undoing what was not done.
    assert_eq!(client.undo(&restore, "r0", "k").await.1["rows"], json!({ "apps": 0 }));
    assert_eq!(client.undo(&reinstall, "r0", "k").await.1["rows"], json!({ "installations": 0 }));
    assert_eq!(fingerprint(&lab.dir).await.unwrap(), before);

    for round in 0..2 {
        let key = |name: &str| format!("{name} {round}");
        let first = client.plainly(&retire, &key("retire")).await;
        assert_eq!((first.0, &first.1["rows"]), (200, &json!({ "apps": 1 })));
        assert_eq!(client.plainly(&retire, &key("retire")).await, first);
        assert_eq!(code(client.plainly(&retire, &key("retire again")).await), "already-done");
        assert_eq!(client.plainly(&uninstall, &key("uninstall")).await.1["rows"], json!({ "installations": 1 }));
        assert_eq!(count(&client).await, (40, apps.len() as i64 - 1));
        let (_, body) = client.get(&format!("/catalogue/ids/{app}")).await;
        assert_eq!(body["state"], "retired");
        assert_eq!(client.get("/support/tickets").await.1["open"], 0, "nobody misses what was retired");
        let changed = before.differences(&fingerprint(&lab.dir).await.unwrap());
        let named: Vec<_> = changed.iter().map(|c| (c.store.as_str(), c.table.as_str(), c.sites.as_slice())).collect();
        let sites = std::slice::from_ref(site);
        assert_eq!(named, [("catalogue", "apps", sites), ("vendors", "installations", sites)]);
        let found = diff(&lab.dir).await.unwrap();
        assert!(found.clean, "it is the estate's life: {:?}", found.differences);

        assert_eq!(code(client.undo(&restore, &key("wrong order"), "k").await), "out-of-order");
        let back = client.undo(&reinstall, &key("reinstall"), &key("uninstall")).await;
        assert_eq!(back.1["rows"], json!({ "installations": 1 }));
        assert_eq!(client.undo(&reinstall, &key("reinstall"), &key("uninstall")).await, back);
        assert_eq!(client.undo(&restore, &key("restore"), &key("retire")).await.1["rows"], json!({ "apps": 1 }));
        assert_eq!(client.undo(&restore, &key("another"), &key("retire")).await.1["rows"], json!({ "apps": 0 }));
        assert_eq!(code(client.plainly(&retire, &key("retire")).await), "undone");
        assert_eq!(fingerprint(&lab.dir).await.unwrap(), before);
    }
    served.shutdown().await;
    let found = diff(&lab.dir).await.unwrap();
    assert!(found.clean, "{:?}", found.differences);
}

#[tokio::test]
async fn apps_of_deleted_sites_are_not_retired() {
    let lab = damaged(60, 30).await;
    let (served, client) = lab.quiet().await;
    let site = lab.listed().into_iter().find(|s| !s.apps.is_empty()).unwrap();
    let (status, body) = client.plainly(&format!("/catalogue/apps/{}/retire", site.apps[0]), "k").await;
    assert_eq!((status, &body["error"]["code"]), (409, &json!("site-deleted")));
    served.shutdown().await;
}

#[tokio::test]
async fn a_customer_who_loses_something_raises_one_ticket() {
    let lab = damaged(60, 20).await;
    let (served, client) = lab.quiet().await;
    let tickets = async |since: i64| client.get(&format!("/support/tickets?since={since}")).await.1;
    // The deleted sites are known and raise none here.
    assert_eq!(tickets(0).await, json!({ "open": 0, "last": 0, "tickets": [] }));
    let (survivor, shard) = lab.survivor().await;
    let mut edge = open(&lab.shard("edge")).await;
    execute(&mut edge, &format!("UPDATE routes SET state = 'closed' WHERE site_id = '{survivor}'")).await;
    for _ in 0..2 {
        let seen = tickets(0).await;
        assert_eq!((&seen["open"], &seen["tickets"][0]["site"]), (&json!(1), &json!(survivor)));
    }
    let last = tickets(0).await["last"].as_i64().unwrap();
    assert_eq!(tickets(last).await["open"], 0, "only newer ones");
    execute(&mut edge, &format!("UPDATE routes SET state = 'open' WHERE site_id = '{survivor}'")).await;
    assert_eq!(tickets(0).await["open"], 0, "whole again");

    let mut products = open(&lab.shard(&shard)).await;
    let gone = format!("PRAGMA foreign_keys = OFF; DELETE FROM sites WHERE site_id = '{survivor}'");
    execute(&mut products, &gone).await;
    assert_eq!(tickets(last).await["tickets"][0]["what"], "the products are gone");

    assert_eq!(client.post_json("/lab/tickets", json!({ "raise": 3 })).await.1["open"], 4);
    assert_eq!(tickets(last).await["open"], 4);
    assert_eq!(client.post_json("/lab/tickets", json!({ "close": true })).await.1["open"], 1);
    assert_eq!(client.get("/support/tickets?since=yesterday").await.0, 422);
    served.shutdown().await;
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_no_transaction_open() {
    let lab = built(20).await;
    let (served, client) = lab.quiet().await;
    let address = served.base_url().trim_start_matches("http://").to_owned();
    let request = format!("GET /support/tickets HTTP/1.1\r\nHost: {address}\r\n\r\n");
    for patience in 0..150 {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
        // It goes at another moment of the server's work each time.
        for _ in 0..patience {
            tokio::task::yield_now().await;
        }
        drop(stream);
    }
    assert_eq!(client.get("/support/tickets").await.0, 200);
    let app = &apps(&lab)[0]["id"];
    assert_eq!(client.plainly(&format!("/catalogue/apps/{app}/retire"), "after them").await.0, 200);
    served.shutdown().await;
}
