//! An ID that is no deleted site stops the run before anything changes, and the row is named.

use std::path::Path;

use reinstate_tests::process::{ServedLab, shipped};

use crate::place::{BINARY, expect, holds};
use reinstate_tests::process::reinstate;

async fn first(store: &Path, sql: &'static str) -> String {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(store).read_only(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let value = sqlx::query_scalar::<_, String>(sql).fetch_one(&pool).await.unwrap();
    pool.close().await;
    value
}

async fn effects(stores: &Path) -> i64 {
    let mut all = 0;
    for entry in std::fs::read_dir(stores).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "db") {
            continue;
        }
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).read_only(true);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let has = "select count(*) from sqlite_master where name = 'lab_effects'";
        if sqlx::query_scalar::<_, i64>(has).fetch_one(&pool).await.unwrap() > 0 {
            let sum = "select coalesce(sum(count), 0) from lab_effects";
            all += sqlx::query_scalar::<_, i64>(sum).fetch_one(&pool).await.unwrap();
        }
        let ledger = "select count(*) from sqlite_master where name like '%ledger%'";
        all += sqlx::query_scalar::<_, i64>(ledger).fetch_one(&pool).await.unwrap();
        pool.close().await;
    }
    all
}

#[tokio::test]
async fn an_id_of_an_app_or_of_a_live_site_changes_nothing_and_is_named_with_its_row() {
    let mut lab = ServedLab::damaged(BINARY, 24, 8, 2, 4);
    let catalogue = lab.dir().join("stores/catalogue.db");
    let live = first(&catalogue, "select site_id from sites where state = 'active' order by site_id").await;
    let app = first(&catalogue, "select id from apps where state = 'active' order by id").await;
    let deleted_app = first(&catalogue, "select id from apps where state = 'deleted' order by id").await;
    let sites = lab.dir().join("sites.csv");
    let good = std::fs::read_to_string(&sites).unwrap();
    let store = format!("sqlite:{}", lab.beside("runs.db").display());
    let cases = [
        ("live", live, "state is \"active\", expected \"deleted\""),
        ("app", app, "kind is \"app\", expected \"site\""),
        ("deleted-app", deleted_app, "kind is \"app\", expected \"site\""),
    ];
    for (name, id, why) in cases {
        // The last row: the largest site, the canary, is a good one.
        let row = good.lines().count() + 1;
        std::fs::write(&sites, format!("{good}{id},shard-00,us-east,confluence,1,,2022-04-05T07:58:06.625Z\n"))
            .unwrap();
        let mut run = reinstate(BINARY);
        run.arg("run").args(lab.planned(&shipped("restoration-2.yaml")));
        let said = expect(run.args(["--run", name, "--yes", "--store", &store]), 4);
        let place = format!("sites.csv:{row}");
        holds(&said.err, &[&id, &place, why]);
        holds(&said.out, &["failed", "0 of 9 sites returned", "1 quarantined", "8 not restored"]);
        let of_run = |command: &str, code: i32| {
            expect(reinstate(BINARY).args([command, name, "--store", &store, "--json"]), code).json()
        };
        let report = of_run("report", 0);
        assert_eq!(report["sites_by_state"]["given"], 9);
        assert_eq!(report["sites_by_state"]["returned"], 0, "nothing was done, so nothing came back");
        let named = report["exceptions"].as_array().unwrap().iter().find(|one| one["site"] == id.as_str()).unwrap();
        assert_eq!(named["row"], row);
        holds(named["message"].as_str().unwrap(), &[&id, &place, why]);
        let text = expect(reinstate(BINARY).args(["report", name, "--store", &store]), 0);
        holds(&text.out, &[&id, &place]);
        assert_eq!(of_run("status", 4)["quarantined"], 1);
    }
    assert_eq!(effects(&lab.dir().join("stores")).await, 0, "nothing was applied by any service or shard");
    let restored = first(&catalogue, "select cast(count(*) as text) from lab_restores").await;
    assert_eq!(restored, "0", "nothing was undeleted");
    let deleted = first(&catalogue, "select cast(count(*) as text) from sites where state = 'deleted'").await;
    assert_eq!(deleted, "8");
    // Other tenants go on writing all the while.
    for _ in 0..5 {
        let diff = lab.diff();
        assert_eq!(diff["bystanders_changed"], 0, "{diff:#}");
    }
    lab.stop();
    let diff = lab.diff();
    assert_eq!(diff["sites_equal"], 0, "{diff:#}");
    assert_eq!(diff["bystanders_changed"], 0, "{diff:#}");
    assert_eq!(diff["differences_found"], 8, "only that the sites are not restored: {diff:#}");
}
