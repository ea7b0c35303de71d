//! The lab whose shards are databases of PostgreSQL servers.

use std::os::unix::fs::PermissionsExt;

use reinstate_lab::{Backend, BuildOptions, DamageOptions, Diff, Served, build, damage, diff, fingerprint, serve};
use serde_json::Value;

use crate::recovered::{self, live, run, text};
use crate::restore::restore;
use crate::support::{Client, Lab, Listed};

/// A damaged lab of 20 sites and about 10,000 rows.
async fn damaged(gone: usize) -> Lab {
    let scratch = tempfile::tempdir().unwrap();
    // The servers' user passes it on the way to their data.
    std::fs::set_permissions(scratch.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let dir = scratch.path().join("lab");
    let options = BuildOptions {
        sites: 20,
        shards: 2,
        backend: Backend::Postgres,
        rows: 10_000,
        seed: 7,
        ..BuildOptions::default()
    };
    let built = build(&dir, &options).await.unwrap();
    assert!((9_000..=10_000).contains(&built.shard_rows), "{}", built.shard_rows);
    let clean = diff(&dir).await.unwrap();
    assert!(clean.clean, "{:?}", clean.differences);
    let lead = std::time::Duration::from_secs(2);
    damage(&dir, &DamageOptions { sites: gone, lead }).await.unwrap();
    Lab { _scratch: scratch, dir, margin: chrono::Duration::seconds(1) }
}

/// Restores every deleted site by hand, under live writes; gives the server.
async fn restored(lab: &Lab) -> (Served, Vec<Listed>) {
    let served = serve(&lab.dir, &Default::default()).await.unwrap();
    let client = Client::new(&served, &lab.dir);
    let sites = lab.listed();
    for site in &sites {
        restore(lab, &client, site, 0).await;
    }
    (served, sites)
}

/// The differences as `site table`, each once.
fn named(found: &Diff) -> Vec<String> {
    let mut named: Vec<String> = found.differences.iter().map(|d| format!("{} {}", d.site, d.table)).collect();
    named.dedup();
    named
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sites_restored_by_hand_from_a_recovered_instance_are_equal() {
    let lab = damaged(3).await;
    let gone = diff(&lab.dir).await.unwrap();
    assert_eq!((gone.sites_different, gone.bystanders_changed), (3, 0), "{:?}", gone.differences);

    let (served, sites) = restored(&lab).await;
    // While others go on writing, and after they stopped.
    let during = diff(&lab.dir).await.unwrap();
    assert!(during.clean, "{:?}", during.differences);
    let felt = served.latency();
    served.shutdown().await;
    let after = diff(&lab.dir).await.unwrap();
    assert!(after.clean && after.sites_equal == 3, "{:?}", after.differences);

    // They did write, and the file tells the same as the server.
    assert!(felt["phases"][0]["transactions"].as_u64().unwrap() > 0, "{felt}");
    let file: Value = serde_json::from_slice(&std::fs::read(lab.dir.join("latency.json")).unwrap()).unwrap();
    assert!(file["phases"][0]["transactions"].as_u64() >= felt["phases"][0]["transactions"].as_u64(), "{file}");
    assert_eq!(fingerprint(&lab.dir).await.unwrap(), fingerprint(&lab.dir).await.unwrap());
    assert!(!lab.dir.join("clusters/shard-00/data/postmaster.pid").exists(), "the last user stops the servers");
    assert_eq!(sites.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_in_a_database_is_found() {
    let lab = damaged(3).await;
    let (served, sites) = restored(&lab).await;
    let (site, shard) = (&sites[0], &sites[0].shard);
    let mut conn = live(&lab, shard).await;
    let other = {
        let gone: Vec<String> = sites.iter().map(|site| format!("'{}'", site.id)).collect();
        text(&mut conn, &format!("SELECT min(site_id) FROM sites WHERE site_id NOT IN ({})", gone.join(",")))
            .await
            .unwrap()
    };
    let issue =
        format!("SELECT min(i.id) FROM issues i JOIN projects p ON p.id = project_id WHERE site_id = '{}'", site.id);
    let issue = sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(issue)).fetch_one(&mut conn).await.unwrap();
    let quiet = "SET session_replication_role = replica;";
    let id = &site.id;
    // Each wrong, the right again, and what diff says to the wrong: sites different, bystanders changed, where.
    let wrongs = [
        (
            "a missing row",
            format!("CREATE TABLE kept AS TABLE issue_history; DELETE FROM issue_history WHERE issue_id = {issue}"),
            format!("INSERT INTO issue_history SELECT * FROM kept WHERE issue_id = {issue}; DROP TABLE kept"),
            (1, 0, format!("{id} issue_history")),
        ),
        (
            "a changed row",
            format!("{quiet} UPDATE issues SET summary = summary || '!' WHERE id = {issue}"),
            format!("{quiet} UPDATE issues SET summary = left(summary, -1) WHERE id = {issue}"),
            (1, 0, format!("{id} issues")),
        ),
        (
            "an instant that is off by a microsecond",
            format!("{quiet} UPDATE issues SET updated_at = updated_at + interval '1 us' WHERE id = {issue}"),
            format!("{quiet} UPDATE issues SET updated_at = updated_at - interval '1 us' WHERE id = {issue}"),
            (1, 0, format!("{id} issues")),
        ),
        (
            "an extra row, such as a trigger leaves",
            format!("UPDATE issues SET status = status WHERE id = {issue}"),
            format!(
                "DELETE FROM issue_history WHERE id = (SELECT max(id) FROM issue_history WHERE issue_id = {issue})"
            ),
            (1, 0, format!("{id} issue_history")),
        ),
        (
            "a missing activity",
            format!(
                "CREATE TABLE kept AS SELECT * FROM activity_fields; DELETE FROM activity_fields WHERE id = \
                (SELECT min(f.id) FROM activity_fields f JOIN activities a ON a.id = activity_id WHERE site_id = '{id}')"
            ),
            "INSERT INTO activity_fields SELECT * FROM kept ON CONFLICT DO NOTHING; DROP TABLE kept".to_owned(),
            (1, 0, format!("{id} activity_fields")),
        ),
        (
            "a changed activity",
            format!(
                "UPDATE activities SET detail = detail || '{{\"x\": 1}}' WHERE id = \
                (SELECT max(id) FROM activities WHERE site_id = '{id}')"
            ),
            format!("UPDATE activities SET detail = detail - 'x' WHERE site_id = '{id}'"),
            (1, 0, format!("{id} activities")),
        ),
        (
            "a bystander's change",
            format!("UPDATE sites SET name = name || '!' WHERE site_id = '{other}'"),
            format!("UPDATE sites SET name = left(name, -1) WHERE site_id = '{other}'"),
            (0, 1, format!("{other} sites")),
        ),
        (
            "a shared row",
            "UPDATE plans SET seats = seats + 1 WHERE id = 1".to_owned(),
            "UPDATE plans SET seats = seats - 1 WHERE id = 1".to_owned(),
            (0, 1, " plans".to_owned()),
        ),
        (
            "an orchestrator's own",
            "CREATE SCHEMA reinstate; CREATE TABLE reinstate.ledger AS SELECT 1 AS n".to_owned(),
            "DROP SCHEMA reinstate CASCADE".to_owned(),
            (0, 0, String::new()),
        ),
    ];
    for (what, wrong, right, (different, bystanders, place)) in wrongs {
        run(&mut conn, &wrong).await;
        let found = diff(&lab.dir).await.unwrap();
        assert_eq!((found.sites_different, found.bystanders_changed), (different, bystanders), "{what}: {found:?}");
        assert!(place.is_empty() && found.clean || named(&found) == [place], "{what}: {:?}", found.differences);
        run(&mut conn, &right).await;
        let found = diff(&lab.dir).await.unwrap();
        assert!(found.clean, "{what}, put right: {:?}", found.differences);
        run(&mut conn, "RESET session_replication_role").await;
    }

    // A database at an earlier point than everything else.
    let earlier = "SELECT to_char(min(pg_xact_commit_timestamp(xmin)) - interval '1 ms', 'YYYY-MM-DD HH24:MI:SS.US') \
        FROM lab_log WHERE kind = 'life' AND site = ";
    let mut tried = 0;
    for site in &sites {
        let mut conn = live(&lab, &site.shard).await;
        let Some(point) = text(&mut conn, &format!("{earlier}'{}'", site.id)).await else { continue };
        recovered::remove(&lab, site).await;
        recovered::restore(&lab, site, &format!("{point}+00")).await;
        let found = diff(&lab.dir).await.unwrap();
        assert!(named(&found).iter().any(|place| place.starts_with(&site.id)), "{:?}", found.differences);
        assert_eq!((found.sites_different, found.bystanders_changed), (1, 0), "{:?}", found.differences);
        recovered::remove(&lab, site).await;
        recovered::restore(&lab, site, &site.point()).await;
        assert!(diff(&lab.dir).await.unwrap().clean);
        tried += 1;
    }
    assert!(tried > 0, "no site changed before its deletion");
    served.shutdown().await;
}
