//! `postgres/extract`: every tenant at its own point, from one server that moves forward; and back from the files.

use runtime::Call;
use runtime::engine::{Advice, Outcome};
use serde_json::{Value, json};

use crate::stage::{apply, call, connector, done, refused};
use reinstate_tests::postgres::Cluster;

const SHOP: &str = "CREATE TYPE mood AS ENUM ('up', 'down'); CREATE TABLE kinds (id int PRIMARY KEY); INSERT INTO kinds VALUES (1), (2); \
    CREATE TABLE tenants (id text PRIMARY KEY, kind int NOT NULL REFERENCES kinds); \
    CREATE TABLE notes (id bigserial PRIMARY KEY, tenant_id text NOT NULL REFERENCES tenants, body text, moods mood[]); \
    CREATE TABLE days (tenant_id text NOT NULL REFERENCES tenants, day date NOT NULL) PARTITION BY RANGE (day); \
    CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM ('2022-01-01') TO ('2022-07-01'); \
    CREATE TABLE days_2 PARTITION OF days FOR VALUES FROM ('2022-07-01') TO ('2023-01-01'); \
    INSERT INTO tenants SELECT 'site ' || n, 1 FROM generate_series(1, 14) AS n; \
    INSERT INTO notes (tenant_id, body) SELECT 'site ' || 1 + n % 14, repeat('x', n % 90) FROM generate_series(1, 2800) AS n; \
    INSERT INTO days SELECT id, '2022-02-02' FROM tenants; INSERT INTO days SELECT 'site 3', '2022-08-08'";

/// A shard of fourteen sites of which the first twelve were deleted one after another, while each was at work to its end.
struct Shard {
    live: Cluster,
    with: Value,
    folder: tempfile::TempDir,
}

impl Shard {
    fn new() -> Self {
        let live = Cluster::with().archive().start();
        live.create("shop");
        let _ = live.sql("shop", SHOP);
        let base = live.base_backup("base");
        let mut points = serde_json::Map::new();
        for n in 1..=12 {
            // Its last work before the point, and what the point loses: nothing of another site's.
            let script = format!("INSERT INTO notes (tenant_id, body) VALUES ('site {n}', 'last')");
            let _ = live.sql("shop", &script);
            let at = live.sql(
                "shop",
                "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
            );
            let _ = live.sql("shop", &format!("INSERT INTO notes (tenant_id, body) VALUES ('site {n}', 'lost')"));
            let delete = format!(
                "DELETE FROM notes WHERE tenant_id = 'site {n}'; DELETE FROM days WHERE tenant_id = 'site {n}'; DELETE FROM tenants WHERE id = 'site {n}'"
            );
            let _ = live.sql("shop", &delete);
            points.insert(format!("site {n}"), at.into());
        }
        live.archive_now();
        let folder = tempfile::Builder::new().prefix("re-extract-").tempdir().unwrap();
        reinstate_tests::postgres::give(folder.path());
        let with = json!({
            "backup": { "base": base, "wal": live.archive(), "database": "shop" },
            "points": points,
            "root": { "table": "tenants" },
            "into": folder.path().join("taken"),
            "server_into": folder.path(),
        });
        Self { live, with, folder }
    }

    fn restore(&self, tenant: &str) -> Call {
        let from = format!("extract:{}", self.folder.path().join("taken").display());
        let with =
            json!({ "from": from, "to": self.live.url("shop"), "root": { "table": "tenants" }, "tenant": tenant });
        Call { key: format!("run1/restore/{tenant}"), ..call("postgres/restore@1", &with) }
    }

    fn verify(&self, tenants: Value) -> Call {
        let from = format!("extract:{}", self.folder.path().join("taken").display());
        call(
            "postgres/verify@1",
            &json!({ "from": from, "to": self.live.url("shop"), "root": { "table": "tenants" }, "tenants": tenants }),
        )
    }

    fn instances(&self) -> usize {
        std::fs::read_dir(self.folder.path())
            .unwrap()
            .flatten()
            .filter(|entry| entry.path().join("data").is_dir())
            .count()
    }
}

#[tokio::test]
async fn every_site_comes_back_as_it_was_at_its_own_point() {
    let shard = Shard::new();
    let outputs = done(&apply("postgres/extract@1", &shard.with).await);
    assert_eq!((&outputs["sites"], &outputs["points"]), (&json!(12), &json!(12)));
    assert_eq!(outputs["starts"], 2, "WAL is replayed once, however many points there are");
    assert_eq!(shard.instances(), 0, "the server is gone when everything is on disk");
    // Each stands at its point: what it reached is not later, and the next transaction is.
    for stands in outputs["restore_point"].as_array().unwrap() {
        let asked = shard.with["points"][stands["site"].as_str().unwrap()].as_str().unwrap();
        let (reached, until) = (stands["reached"].as_str().unwrap(), stands["until"].as_str().unwrap());
        assert!(reached <= asked && asked < until, "{stands} for {asked}");
    }

    let connector = connector();
    let sites: Vec<String> = (1..=12).map(|n| format!("site {n}")).collect();
    for site in &sites {
        done(&connector.apply(shard.restore(site)).await);
    }
    let count = "SELECT count(*) FILTER (WHERE body = 'last'), count(*) FILTER (WHERE body = 'lost'), count(*), count(DISTINCT tenant_id) FROM notes";
    assert_eq!(shard.live.sql("shop", count), "12|0|2812|14");
    assert_eq!(
        shard.live.sql("shop", "SELECT tableoid::regclass, count(*) FROM days GROUP BY 1 ORDER BY 1"),
        "days_1|14\ndays_2|1"
    );
    done(&connector.apply(shard.verify(json!(sites))).await);
    let _ = shard.live.sql("shop", "UPDATE notes SET body = 'another' WHERE body = 'last' AND tenant_id = 'site 7'");
    let said = refused(&connector.apply(shard.verify(json!(sites))).await, "postgres.differ", Advice::Never);
    assert!(said.contains("site 7: notes"), "{said}");
}

#[tokio::test]
async fn wal_that_ends_before_a_point_is_told_and_the_points_before_it_are_kept() {
    let mut shard = Shard::new();
    shard.with["points"]["site 13"] = "2999-01-01T00:00:00Z".into();
    let said = refused(&apply("postgres/extract@1", &shard.with).await, "postgres.wal_too_short", Advice::Retry);
    assert!(said.contains("2999-01-01"), "{said}");
    let taken = std::fs::read_dir(shard.folder.path().join("taken")).unwrap().flatten();
    assert_eq!(taken.filter(|entry| entry.path().join("manifest.json").exists()).count(), 12);
    done(&apply("postgres/drop-extract@1", &shard.with).await);
    assert_eq!(shard.instances(), 0);
}

#[tokio::test]
async fn a_site_comes_back_from_the_files_under_a_new_id() {
    let shard = Shard::new();
    done(&apply("postgres/extract@1", &shard.with).await);
    let renamed = |mut call: Call| {
        call.with["remap"] = json!({ "tenant": "site 103" });
        call
    };
    // A table that is left out has IDs in the files, and none of them a new one.
    let mut part = renamed(shard.restore("site 3"));
    part.with["tables"] = json!(["days"]);
    part.with["remap"]["text"] = json!(["days(day)->notes(id)"]);
    let said = refused(&connector().apply(part.clone()).await, "remap.unrestored", Advice::Never);
    assert!(said.contains("201 IDs of notes.id"), "{said}");
    let restored = done(&connector().apply(renamed(shard.restore("site 3"))).await);
    assert_eq!((&restored["tenant"], &restored["ids"]), (&json!("site 103"), &json!({ "notes": 201, "tenants": 1 })));
    done(&connector().apply(renamed(shard.verify(json!(["site 3"])))).await);
    // One that another restore has lost is missed, too.
    let one = "DELETE FROM reinstate.id_map WHERE old = (SELECT min(old) FROM reinstate.id_map WHERE \"table\" LIKE '%notes')";
    let kept = shard.live.sql(
        "shop",
        &format!("BEGIN; CREATE TABLE kept AS TABLE reinstate.id_map; {one}; COMMIT; SELECT count(*) FROM kept"),
    );
    assert!(kept.ends_with("202"), "{kept}");
    part.key = "another part".into();
    let said = refused(&connector().apply(part).await, "remap.unrestored", Advice::Never);
    assert!(said.contains("1 IDs of notes.id"), "{said}");
    let _ = shard.live.sql("shop", "TRUNCATE reinstate.id_map; INSERT INTO reinstate.id_map TABLE kept");
    let _ = shard.live.sql("shop", "UPDATE days SET day = day + 1 WHERE tenant_id = 'site 103'");
    let verify = renamed(shard.verify(json!(["site 3"])));
    let said = refused(&connector().apply(verify).await, "postgres.differ", Advice::Never);
    assert!(said.contains("site 103: days: 2 rows, with other contents"), "{said}");
}

#[tokio::test]
async fn what_is_complete_stays_and_only_the_rest_is_taken_out_again() {
    let shard = Shard::new();
    let first = done(&apply("postgres/extract@1", &shard.with).await);
    let taken = shard.folder.path().join("taken");
    let folder = |site: &str| taken.join(site.bytes().map(|byte| format!("{byte:02x}")).collect::<String>());
    let made = |site: &str| std::fs::metadata(folder(site)).unwrap().created().unwrap();
    let (five, six) = (made("site 5"), made("site 6"));
    // As a kill in the middle would leave it: one tenant half there, another not at all.
    std::fs::remove_file(folder("site 6").join("manifest.json")).unwrap();
    std::fs::remove_dir_all(folder("site 9")).unwrap();
    let again = done(&apply("postgres/extract@1", &shard.with).await);
    assert_eq!((&again["rows"], &again["sites"]), (&first["rows"], &first["sites"]));
    assert!(made("site 5") == five && made("site 6") > six && folder("site 9").join("manifest.json").exists());

    // A tenant that is not there is told, and one whose schema has moved on is not written.
    let said = refused(&connector().apply(shard.restore("site 99")).await, "postgres.no_tenant", Advice::Never);
    assert!(said.contains("site 99"), "{said}");
    let _ = shard.live.sql("shop", "DROP TABLE days_2");
    let said = refused(&connector().apply(shard.restore("site 3")).await, "postgres.schema_drift", Advice::Never);
    assert!(said.contains("days_2"), "{said}");
    done(&connector().apply(shard.restore("site 4")).await);

    let dropped = done(&apply("postgres/drop-extract@1", &shard.with).await);
    assert_eq!((&dropped["sites"], taken.exists()), (&json!(12), false));
    assert_eq!(done(&apply("postgres/drop-extract@1", &shard.with).await)["sites"], 0);
}

#[tokio::test]
async fn a_live_row_in_the_way_of_an_extract_is_named() {
    let shard = Shard::new();
    done(&apply("postgres/extract@1", &shard.with).await);
    let _ = shard.live.sql("shop", "INSERT INTO tenants VALUES ('site 2', 2)");
    let said = refused(&connector().apply(shard.restore("site 2")).await, "postgres.conflict", Advice::Never);
    assert!(said.contains("tenants holds another row under (id)=(site 2)"), "{said}");
    let outcome = connector()
        .apply(Call {
            with: {
                let mut with = shard.restore("site 2").with;
                with["on_conflict"] = "keep-live".into();
                with
            },
            ..shard.restore("site 2")
        })
        .await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    assert_eq!(shard.live.sql("shop", "SELECT kind FROM tenants WHERE id = 'site 2'"), "2");
}

#[tokio::test]
async fn rows_in_a_form_that_the_live_server_does_not_read_are_refused_not_misread() {
    let shard = Shard::new();
    done(&apply("postgres/extract@1", &shard.with).await);
    // The same schema made anew: its enum, and so the array of it, has another number.
    shard.live.create("again");
    let _ = shard.live.sql(
        "again",
        &format!(
            "CREATE TYPE before AS ENUM ('shifts'); {SHOP}; DELETE FROM notes; DELETE FROM days; DELETE FROM tenants"
        ),
    );
    for action in ["restore", "verify"] {
        let mut with = shard.restore("site 2").with;
        with["to"] = shard.live.url("again").into();
        let call = Call { key: "run1/again".into(), ..call(&format!("postgres/{action}@1"), &with) };
        let said = refused(&connector().apply(call).await, "postgres.schema_drift", Advice::Never);
        assert!(said.contains("rows of notes are in a form"), "{action}: {said}");
    }
    assert_eq!(shard.live.sql("again", "SELECT count(*) FROM tenants"), "0");
}
