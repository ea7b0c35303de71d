//! What connectors ask of the estate before a run: what is well, what is not, and that nothing changes.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use runtime::{Finding, Intent, Severity, Source};
use serde_json::{Value, json};

use crate::http::Service;
use crate::recover::Backup;
use crate::shard::Shard;
use crate::world::{World, call};

pub(crate) fn questions(uses: &str, with: Value) -> Vec<Value> {
    World::new().connector(uses).questions(&Intent { uses: uses.into(), with, from: BTreeMap::new() })
}

/// Asks what an action would ask, and returns what was found.
pub(crate) async fn found(uses: &str, with: Value) -> Vec<Finding> {
    asked(uses, questions(uses, with)).await
}

async fn asked(uses: &str, questions: Vec<Value>) -> Vec<Finding> {
    let mut all = Vec::new();
    for question in questions {
        let findings = World::new().connector(uses).preflight(call(uses, question)).await;
        assert!(!format!("{findings:?}").contains("canary-7d1f"), "a secret got out: {findings:?}");
        all.extend(findings);
    }
    all
}

#[track_caller]
pub(crate) fn good(findings: &[Finding]) -> &str {
    match findings {
        [Finding { severity: Severity::Good, fact, .. }] => fact,
        other => panic!("not well: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn error<'f>(findings: &'f [Finding], code: &str) -> &'f str {
    match findings {
        [found] if found.severity == Severity::Error && found.code == code && !found.hint.is_empty() => &found.fact,
        other => panic!("not {code}: {other:?}"),
    }
}

#[tokio::test]
async fn a_service_is_connected_to_and_never_asked_for_anything() {
    let service = Service::start().await;
    for uses in ["http/request@1", "check/http@1"] {
        let with = json!({ "url": format!("{}/sites/1/undelete?x=1", service.url), "method": "POST" });
        assert_eq!(questions(uses, with.clone()), [json!({ "http.connect": service.url })], "whoever asks, once");
        assert_eq!(good(&found(uses, with).await), "accepts connections");
    }
    assert_eq!(service.calls(), 0, "a connection is not a request");
    let https = service.url.replace("http:", "https:");
    let why = found("http/request@1", json!({ "url": https })).await;
    assert!(!error(&why, "http.tls").is_empty(), "it speaks no TLS");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    error(&found("http/request@1", json!({ "url": format!("http://{nobody}/") })).await, "http.connect");
    error(&found("http/request@1", json!({ "url": "nowhere" })).await, "http.invalid");
    error(&found("http/request@1", json!({ "url": "ftp://127.0.0.1/" })).await, "http.invalid");
    let secret = json!({ "url": format!("http://me:⟦secret:canary⟧@{nobody}/x") });
    let refused = found("http/request@1", secret).await;
    error(&refused, "http.connect");
    assert_eq!(refused[0].subject, format!("http://{nobody}"), "no user is shown");
    assert!(questions("http/request@1", json!({ "method": "GET" })).is_empty(), "the URL is not known yet");
}

#[tokio::test]
async fn a_program_is_looked_for_and_never_run() {
    let folder = tempfile::tempdir().unwrap();
    let script = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let ran = folder.path().join("ran");
    script("good.sh", &format!("#!/bin/sh\ntouch {}\n", ran.display()), 0o755);
    script("plain.txt", "no program", 0o644);
    script("lost.sh", "#!/no/such/shell -e\n", 0o755);
    let cwd = folder.path().display().to_string();
    let of = |command: &str| json!({ "command": [command, "x"], "cwd": cwd });
    assert!(good(&found("exec/run@1", of("sh")).await).ends_with("/sh"));
    assert!(good(&found("exec/run@1", of("./good.sh")).await).ends_with("good.sh"), "relative to cwd");
    let by_path = json!({ "command": ["good.sh"], "env": { "PATH": cwd } });
    assert!(good(&found("exec/run@1", by_path).await).ends_with("good.sh"), "the path that the command gets");
    for (command, fact) in [
        ("good.sh", "no such program in"),
        ("./bad.sh", "is not there"),
        ("./plain.txt", "may not be executed"),
        ("./lost.sh", "/no/such/shell"),
    ] {
        let why = found("exec/run@1", of(command)).await;
        assert!(error(&why, "exec.spawn").contains(fact), "{why:?}");
    }
    let nowhere = json!({ "command": ["sh"], "cwd": "/no/such/folder" });
    assert!(error(&found("exec/run@1", nowhere).await, "exec.spawn").contains("/no/such/folder"));
    let both = json!({ "command": ["sh"], "probe": ["no-such-program-7d1f"] });
    assert_eq!(found("exec/run@1", both).await.len(), 2, "the probe as well");
    let later = Intent {
        uses: "exec/run@1".into(),
        with: json!({ "command": ["./good.sh"] }),
        from: BTreeMap::from([("cwd".to_owned(), Source::default())]),
    };
    assert!(World::new().connector("exec/run@1").questions(&later).is_empty(), "its folder is not known yet");
    assert!(!ran.exists(), "nothing was run");
}

/// Every file below a folder with its size and time of change.
fn listing(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let data = entry.metadata().unwrap();
            if data.is_dir() {
                open.push(entry.path());
            }
            all.push(format!("{} {} {:?}", entry.path().display(), data.len(), data.modified().unwrap()));
        }
    }
    all.sort();
    all
}

#[tokio::test]
async fn a_backup_is_held_against_the_restore_point() {
    let backup = Backup::new(&[(5, json!([])), (12, json!([])), (90, json!([]))]).await;
    let at = |second: u32| json!({ "backup": backup.path(), "at": crate::recover::at(second) });
    let before = listing(backup.path().parent().unwrap());
    for second in [10, 60, 90] {
        let well = found("sqlite/recover@1", at(second)).await;
        assert!(good(&well).contains("log to 2022-04-05T07:01:30.000Z"), "{well:?}");
        let claim = well[0].claim.as_ref().unwrap();
        let base = std::fs::metadata(backup.path().join("base.db")).unwrap().len();
        assert!(claim.bytes > base && claim.free > 0, "{claim:?}");
    }
    assert!(error(&found("sqlite/recover@1", at(9)).await, "sqlite.before_base").contains("07:00:10"));
    let short = found("sqlite/recover@1", at(91)).await;
    assert!(error(&short, "sqlite.log_too_short").contains("ends at 2022-04-05T07:01:30.000Z"), "{short:?}");
    assert_eq!(before, listing(backup.path().parent().unwrap()), "nothing changed, no folder was made");
    // A line that was being written does not count, and what is before it does.
    let log = backup.path().join("log.jsonl");
    let whole = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, format!("{whole}{{\"seq\": 44, \"at\": \"2022-04-05T08:00:00.000Z\", \"cha")).unwrap();
    error(&found("sqlite/recover@1", at(91)).await, "sqlite.log_too_short");
    let _ = good(&found("sqlite/recover@1", at(90)).await);
    // Longer than what is read first of the end.
    let long = json!({ "seq": 44, "at": crate::recover::at(200), "changes": [{ "op": "delete", "table": "x".repeat(200_000), "key": {} }] });
    std::fs::write(&log, format!("{whole}{long}\n")).unwrap();
    let _ = good(&found("sqlite/recover@1", at(200)).await);
    std::fs::write(&log, "").unwrap();
    assert!(error(&found("sqlite/recover@1", at(60)).await, "sqlite.log_too_short").contains("its start"));
    std::fs::write(backup.path().join("base.db"), "no database at all, but long enough").unwrap();
    std::fs::write(&log, whole).unwrap();
    error(&found("sqlite/recover@1", at(60)).await, "sqlite.damaged");
    std::fs::remove_file(backup.path().join("manifest.json")).unwrap();
    error(&found("sqlite/recover@1", at(60)).await, "sqlite.backup_invalid");
}

#[tokio::test]
async fn live_files_are_opened_and_their_schema_is_compared_with_the_backup() {
    let shard = Shard::new().await;
    let backup = shard.folder.path().join("backup");
    std::fs::create_dir(&backup).unwrap();
    std::fs::copy(&shard.from, backup.join("base.db")).unwrap();
    let manifest = json!({ "format": "sqlite-backup/v1", "base": "base.db", "base_at": crate::recover::at(0), "log": "log.jsonl", "store": "s" });
    std::fs::write(backup.join("manifest.json"), manifest.to_string()).unwrap();
    let mut with = shard.with(2);
    with.as_object_mut().unwrap().remove("from");
    let recovery = Source { uses: "sqlite/recover@1".into(), with: json!({ "backup": backup }) };
    let intent = |uses: &str| Intent {
        uses: uses.into(),
        with: with.clone(),
        from: BTreeMap::from([("from".to_owned(), recovery.clone())]),
    };
    let asks = |uses: &str| World::new().connector(uses).questions(&intent(uses));
    assert_eq!(asks("sqlite/restore@1").len(), 2);
    assert_eq!(asks("sqlite/restore@1")[1], asks("sqlite/verify@1")[1], "one look at the schemas for both");
    let told =
        |findings: Vec<Finding>| findings.into_iter().map(|found| (found.severity, found.fact)).collect::<Vec<_>>();
    let well = told(asked("sqlite/restore@1", asks("sqlite/restore@1")).await);
    assert_eq!(well[0], (Severity::Good, "opens, and may be written".into()));
    assert_eq!(well[1], (Severity::Good, "6 tables as in the backup".into()));
    assert_eq!(found("sqlite/remove@1", with.clone()).await.len(), 1);
    let read = json!({ "url": shard.live, "query": "select 1", "expect": 1 });
    assert_eq!(good(&found("check/sql@1", read).await), "opens for reading");
    shard.on_live("alter table issues add column colour text").await;
    let drift = asked("sqlite/restore@1", asks("sqlite/restore@1").split_off(1)).await;
    assert!(error(&drift, "sqlite.schema_drift").contains("column issues.colour is new"), "{drift:?}");
    let gone = json!({ "live": shard.folder.path().join("nothing.db") });
    error(&found("sqlite/bystanders@1", gone).await, "sqlite.open");
    assert!(!shard.folder.path().join("nothing.db").exists());
}
