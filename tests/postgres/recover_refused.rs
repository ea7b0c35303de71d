//! What `postgres/recover` refuses: it never takes "latest available" for the point that was asked for.

use runtime::engine::Advice;
use serde_json::{Value, json};

use crate::stage::{Stage, apply, drop_it, path, postmaster, recover, refused, rows};

async fn refuse(with: &Value, code: &str, advice: Advice) -> String {
    refused(&apply("postgres/recover@1", with).await, code, advice)
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
async fn wal_that_does_not_reach_the_point_is_refused_until_it_is_there() {
    let stage = Stage::new();
    let mut last = String::new();
    for n in 1..=4 {
        last = stage.mark(n);
        stage.live.archive_now();
    }
    let with = stage.with_at(&last);
    // All that was committed is archived, but nothing proves that there was no more before the point.
    let text = refuse(&with, "postgres.wal_too_short", Advice::Retry).await;
    assert!(text.starts_with(&format!("the WAL does not reach {last}: it ends at 0/")), "{text}");
    assert!(text.contains("its last transaction is of "), "{text}");
    stage.archive();

    // A missing segment with later ones behind it is named.
    let all = segments(&stage);
    let (gap, aside) = (&all[all.len() - 2], stage.instances().join("aside"));
    std::fs::rename(stage.live.archive().join(gap), &aside).unwrap();
    drop_it(&with).await;
    let text = refuse(&with, "postgres.wal_too_short", Advice::Retry).await;
    assert!(text.contains(&format!("segment *{} is missing, later ones are there", &gap[8..])), "{text}");
    let text = refuse(&with, "postgres.wal_too_short", Advice::Retry).await;
    assert!(text.contains("is missing"), "again: {text}");

    // When it is there the same instance goes on; nothing is copied again.
    let data = || std::fs::metadata(stage.instances().join(instance(&stage)).join("data")).unwrap().created().unwrap();
    let before = data();
    std::fs::rename(&aside, stage.live.archive().join(gap)).unwrap();
    let outputs = recover(&with).await;
    assert_eq!((rows(&outputs).await.as_str(), data()), ("0,1,2,3,4", before));
    drop_it(&with).await;
}

/// Name of the only instance.
fn instance(stage: &Stage) -> std::ffi::OsString {
    let entries = std::fs::read_dir(stage.instances()).unwrap().flatten();
    let mut names: Vec<_> = entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name()).collect();
    assert_eq!(names.len(), 1);
    names.remove(0)
}

#[tokio::test]
async fn half_a_segment_is_damage_and_no_end() {
    let stage = Stage::new();
    let at = stage.mark(1);
    stage.archive();
    let last = stage.live.archive().join(segments(&stage).pop().unwrap());
    let whole = std::fs::read(&last).unwrap();
    std::fs::write(&last, &whole[..whole.len() / 2]).unwrap();
    let text = refuse(&stage.with_at(&at), "postgres.wal_damaged", Advice::Retry).await;
    assert!(text.contains("has wrong size"), "{text}");
    std::fs::write(&last, &whole).unwrap();
    assert_eq!(rows(&recover(&stage.with_at(&at)).await).await, "0,1");
    drop_it(&stage.with_at(&at)).await;
}

#[tokio::test]
async fn a_point_before_the_end_of_the_backup_is_refused() {
    let stage = Stage::new();
    // A backup during which rows are written, as every backup of a live server is.
    let during = stage.live.data().parent().unwrap().join("during");
    let script = format!(
        "SELECT pg_backup_start('by hand', true) \\g /dev/null\n\
         INSERT INTO t VALUES (1);\n\
         SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"');\n\
         INSERT INTO t VALUES (2);\n\
         \\! cp -a {} {}\n\
         SELECT labelfile FROM pg_backup_stop(false);",
        stage.live.data().display(),
        during.display(),
    );
    let said = stage.live.sql("shop", &script);
    let (inside, label) = said.split_once('\n').unwrap();
    std::fs::write(during.join("backup_label"), format!("{}\n", label.trim_end())).unwrap();
    let after = stage.mark(3);
    stage.archive();
    let mut with = stage.with_at(inside);
    with["backup"] = json!({ "base": during, "wal": stage.live.archive() });
    // By what the archive says of its end if that is later, else by what the server finds.
    let text = refuse(&with, "postgres.backup_after_point", Advice::Never).await;
    assert!(text.contains(inside) || text.contains("the backup ends after"), "{text}");
    for entry in std::fs::read_dir(stage.live.archive()).unwrap().flatten() {
        if entry.file_name().to_string_lossy().ends_with(".backup") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    assert_eq!(
        refuse(&with, "postgres.backup_after_point", Advice::Never).await,
        format!("the backup ends after {inside}")
    );
    drop_it(&with).await;
    with["at"] = after.clone().into();
    assert_eq!(rows(&recover(&with).await).await, "0,1,2,3");
    drop_it(&with).await;

    // Long before, nothing is copied at all.
    let old = stage.with_at("2022-04-05T07:33:00Z");
    let text = refuse(&old, "postgres.backup_after_point", Advice::Never).await;
    assert!(text.contains("/base ends at 20") && text.ends_with("after 2022-04-05T07:33:00.000000Z"), "{text}");
    assert!(std::fs::read_dir(stage.instances()).unwrap().flatten().all(|entry| !entry.path().is_dir()));
}

#[tokio::test]
async fn of_several_backups_the_latest_before_the_point_is_taken() {
    let stage = Stage::new();
    let (bases, home) =
        (stage.live.data().parent().unwrap().join("bases"), stage.live.data().parent().unwrap().to_owned());
    std::fs::create_dir(&bases).unwrap();
    let mut points = Vec::new();
    for n in 1..=3_u32 {
        // Ends are known to the second: points lie in the seconds between.
        let taken = stage.live.base_backup(&format!("base-{n}"));
        std::fs::rename(&taken, bases.join(format!("{n}"))).unwrap();
        let _ = stage.live.sql("shop", "SELECT pg_sleep(1.1)");
        points.push(stage.mark(n));
    }
    stage.archive();
    // What else lies there is no backup.
    std::fs::create_dir(bases.join("unfinished")).unwrap();
    std::fs::write(bases.join("unfinished/PG_VERSION"), "15\n").unwrap();
    // One of another version does not stand in the way.
    std::fs::create_dir(bases.join("old")).unwrap();
    std::fs::write(bases.join("old/PG_VERSION"), "9.6\n").unwrap();
    std::fs::write(bases.join("old/backup_label"), "START WAL LOCATION: 0/1\n").unwrap();
    for (n, point) in points.iter().enumerate() {
        let mut with = stage.with_at(point);
        with["backup"] = json!({ "bases": bases, "wal": stage.live.archive() });
        let outputs = recover(&with).await;
        assert_eq!(outputs["backup"]["path"], bases.join(format!("{}", n + 1)).display().to_string());
        assert_eq!(rows(&outputs).await, ["0,1", "0,1,2", "0,1,2,3"][n]);
        drop_it(&with).await;
    }
    // The same as a folder with its parts in their places.
    std::os::unix::fs::symlink(stage.live.archive(), home.join("wal")).unwrap();
    let mut with = stage.with_at(&points[1]);
    with["backup"] = home.display().to_string().into();
    let outputs = recover(&with).await;
    assert_eq!((rows(&outputs).await.as_str(), &outputs["backup"]["path"]), ("0,1,2", &json!(bases.join("2"))));
    drop_it(&with).await;
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_anything_is_made() {
    let stage = Stage::new();
    let at = stage.mark(1);
    stage.archive();
    let wal = stage.live.archive();
    let data = stage.live.data();
    let other = stage.live.data().parent().unwrap().join("other");
    let copied = std::process::Command::new("cp").arg("-a").args([&stage.base, &other]).status().unwrap();
    assert!(copied.success());
    std::fs::write(other.join("PG_VERSION"), "16\n").unwrap();
    let base = stage.base.clone();
    let cases: Vec<(&str, Value, &str, Advice, &str)> = vec![
        ("reserve", json!("100TB"), "postgres.disk", Advice::Retry, "100 TB to be left free"),
        ("reserve", json!("much"), "inputs", Advice::Never, "is not a size"),
        ("at", json!("yesterday"), "inputs", Advice::Never, "is no time"),
        ("backup", json!({ "base": data, "wal": wal }), "postgres.backup_invalid", Advice::Never, "no backup_label"),
        ("backup", json!({ "base": wal, "wal": wal }), "postgres.backup_invalid", Advice::Never, "PG_VERSION"),
        ("backup", json!({ "bases": wal, "wal": wal }), "postgres.backup_invalid", Advice::Never, "no base backup"),
        (
            "backup",
            json!({ "base": other, "wal": wal, "bin": crate::stage::bin() }),
            "postgres.version",
            Advice::Never,
            "needs a server of version 16; found",
        ),
        ("backup", json!({ "base": base, "wal": wal, "bin": "/nowhere" }), "postgres.programs", Advice::Never, "15"),
        ("backup", json!({ "base": base, "wal": wal, "user": "root" }), "postgres.user", Advice::Never, "root"),
        ("backup", json!({ "base": base }), "inputs", Advice::Never, "either wal or wal_command"),
        ("backup", json!({ "wal": wal }), "inputs", Advice::Never, "exactly one of"),
        ("backup", json!({ "base": base, "bases": wal, "wal": wal }), "inputs", Advice::Never, "exactly one of"),
        ("backup", json!({ "base": base, "wall": wal }), "inputs", Advice::Never, "wall"),
        ("backup", json!({ "create": ["true"] }), "inputs", Advice::Never, "create without drop"),
    ];
    for (key, value, code, advice, said) in cases {
        let mut with = stage.with_at(&at);
        with[key] = value;
        let text = refuse(&with, code, advice).await;
        assert!(text.contains(said), "{with}: {text}");
        let folders = std::fs::read_dir(stage.instances()).into_iter().flatten().flatten();
        assert_eq!(folders.filter(|entry| entry.path().is_dir()).count(), 0, "{with}");
    }

    // Whom the backup does not know cannot read it; the instance itself is fine.
    let mut with = stage.with_at(&at);
    with["role"] = "nobody".into();
    let text = refuse(&with, "postgres.refused", Advice::Retry).await;
    assert!(text.contains("role \"nobody\" does not exist"), "{text}");
    let outputs = recover(&stage.with_at(&at)).await;
    assert_eq!(rows(&outputs).await, "0,1");
    assert!(postmaster(&outputs) > 0 && path(&outputs).exists());
    drop_it(&stage.with_at(&at)).await;
}
