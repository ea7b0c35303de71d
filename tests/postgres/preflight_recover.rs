//! What is asked of backups before a run: does WAL reach the point, by names, sizes and the last transactions?

use std::collections::BTreeMap;

use reinstate_tests::postgres::Cluster;
use runtime::{Finding, Intent, Severity};
use serde_json::{Value, json};

use crate::stage::{Stage, call, connector, fingerprint};

fn questions(with: &Value) -> Vec<Value> {
    let intent = Intent { uses: "postgres/recover@1".into(), with: with.clone(), from: BTreeMap::new() };
    connector().questions(&intent)
}

async fn look(with: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    for question in questions(with) {
        found.extend(connector().preflight(call("postgres/recover@1", &question)).await);
    }
    found
}

#[track_caller]
fn only<'f>(found: &'f [Finding], severity: Severity, code: &str) -> &'f str {
    match found {
        [one] if one.code == code && one.severity == severity => {
            assert!(severity == Severity::Good || !one.hint.is_empty(), "{one:?}");
            &one.fact
        }
        _ => panic!("not {code} alone: {found:?}"),
    }
}

/// Segments of WAL in the archive, the oldest first.
fn segments(stage: &Stage) -> Vec<String> {
    let names = std::fs::read_dir(stage.live.archive()).unwrap();
    let mut names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.len() == 24);
    names.sort();
    names
}

#[tokio::test]
async fn a_point_is_reached_if_a_later_transaction_is_archived_without_a_gap() {
    let stage = Stage::new();
    let mut points = Vec::new();
    for n in 1..=3 {
        points.push(stage.mark(n));
        stage.live.archive_now();
    }
    let with = |at: &str| stage.with_at(at);
    let early = look(&with(&points[0])).await;
    let fact = only(&early, Severity::Good, "postgres.backup");
    assert!(fact.starts_with(&format!("reaches {}: base ended ", points[0])), "{fact}");
    assert!(fact.contains("without a gap, in which a transaction ended at "), "{fact}");
    let claim = early[0].claim.as_ref().unwrap();
    assert!(claim.bytes > 20_000_000 && claim.free > claim.bytes, "{claim:?}");
    // Nothing but the point's own transaction and older ones are there.
    let late = look(&with(&points[2])).await;
    let fact = only(&late, Severity::Error, "postgres.wal_too_short");
    assert!(
        fact.starts_with(&format!("the WAL does not reach {}: its last transaction ended at ", points[2])),
        "{fact}"
    );
    stage.archive();
    only(&look(&with(&points[2])).await, Severity::Good, "postgres.backup");

    // After a gap nothing counts; before it everything does.
    let all = segments(&stage);
    let gap = stage.live.archive().join(&all[all.len() - 2]);
    let whole = std::fs::read(&gap).unwrap();
    std::fs::remove_file(&gap).unwrap();
    let found = look(&with(&points[2])).await;
    let missing = format!("{} is missing, later ones are there", all[all.len() - 2]);
    assert!(only(&found, Severity::Error, "postgres.wal_too_short").contains(&missing), "{found:?}");
    only(&look(&with(&points[0])).await, Severity::Good, "postgres.backup");
    std::fs::write(&gap, &whole[..whole.len() / 2]).unwrap();
    only(&look(&with(&points[2])).await, Severity::Error, "postgres.wal_damaged");
    assert!(!stage.instances().exists(), "nothing was made");
}

#[tokio::test]
async fn an_idle_server_proves_nothing_and_reading_changes_nothing() {
    let stage = Stage::with(Cluster::with().set("autovacuum", "off"));
    let _ = stage.mark(1);
    for _ in 0..9 {
        stage.live.archive_now();
    }
    let (base, archive) = (fingerprint(&stage.base), fingerprint(&stage.live.archive()));
    let found = look(&stage.with_at(&stage.now())).await;
    let fact = only(&found, Severity::Warning, "postgres.wal_unproven");
    assert!(fact.contains("with no transaction in its last 8 segments"), "{fact}");
    assert!(found[0].claim.is_some());
    assert_eq!((fingerprint(&stage.base), fingerprint(&stage.live.archive())), (base, archive));
}

#[tokio::test]
async fn what_the_recovery_would_refuse_is_refused_before() {
    let stage = Stage::new();
    let at = stage.mark(1);
    stage.archive();
    let good = stage.with_at(&at);
    only(&look(&good).await, Severity::Good, "postgres.backup");
    let changed = |pointer: &str, value: Value| {
        let mut with = good.clone();
        match pointer.strip_prefix("backup.") {
            Some(name) => with["backup"][name] = value,
            None => with[pointer] = value,
        }
        with
    };
    for (member, value, code) in [
        ("at", json!("2001-01-01T00:00:00Z"), "postgres.backup_after_point"),
        ("at", json!("noon"), "inputs"),
        ("reserve", json!("100PB"), "postgres.disk"),
        ("reserve", json!("much"), "inputs"),
        ("backup.base", json!(stage.live.archive()), "postgres.backup_invalid"),
        ("backup.base", json!(stage.live.data()), "postgres.backup_invalid"),
        ("backup.bin", json!("/no/such"), "postgres.programs"),
        ("backup.user", json!("nobody-here"), "postgres.user"),
        ("backup.wal", json!("/no/such"), "postgres.files"),
    ] {
        only(&look(&changed(member, value)).await, Severity::Error, code);
    }
    // The segment that the backup brought along does not make up for an archive of something else.
    let found = look(&changed("backup.wal", json!(stage.base))).await;
    assert!(found[0].severity != Severity::Good, "{found:?}");
    let mut later = good.clone();
    later["at"] = Value::Null;
    assert!(questions(&later).is_empty(), "the point is not known yet");
    // One instance of a name is one claim, whatever the point.
    let named = |at: &str| {
        let mut with = changed("name", json!("shard-1"));
        with["at"] = at.into();
        with
    };
    let (one, other) = (look(&named(&at)).await, look(&named(&stage.now())).await);
    let what = |found: &[Finding]| found[0].claim.as_ref().map(|claim| claim.what.clone());
    assert!(what(&one).is_some());
    assert!(what(&other).is_none() || what(&other) == what(&one));
}

#[tokio::test]
async fn what_a_command_brings_is_said_to_be_unknown() {
    let stage = Stage::new();
    let at = stage.mark(1);
    stage.archive();
    let of = |backup: Value| {
        let mut with = stage.with_at(&at);
        with["backup"] = backup;
        with
    };
    let by_command = of(json!({ "base": stage.base, "wal_command": "cp /x/%f %p" }));
    let found = look(&by_command).await;
    assert!(only(&found, Severity::Warning, "postgres.not_asked").contains("a command brings its WAL"), "{found:?}");
    assert!(found[0].claim.is_some());
    let restored = of(json!({ "restore_command": ["no-such-program", "{target}"], "wal_command": "cp /x/%f %p" }));
    let found = look(&restored).await;
    assert_eq!(found.iter().map(|one| one.code).collect::<Vec<_>>(), ["postgres.not_asked", "exec.spawn"]);
    let managed = of(json!({ "create": ["sh", "-c", "x"], "drop": ["sh", "-c", "x"] }));
    let found = look(&managed).await;
    assert_eq!(
        found.iter().map(|one| one.code).collect::<Vec<_>>(),
        ["postgres.not_asked", "exec.program", "exec.program"]
    );
}

#[tokio::test]
async fn a_place_in_the_wal_is_not_looked_for_but_its_backup_is() {
    let stage = Stage::new();
    stage.archive();
    let mut with = stage.with_at("");
    with["at"] = json!({ "before_xid": 741 });
    let found = look(&with).await;
    let fact = only(&found, Severity::Warning, "postgres.not_asked");
    assert!(fact.starts_with("whether before_xid 741 can be reached is not known"), "{fact}");
    assert!(found[0].claim.as_ref().unwrap().bytes > 20_000_000, "{found:?}");
    with["at"] = json!({ "xid": 741 });
    only(&look(&with).await, Severity::Error, "inputs");
}
