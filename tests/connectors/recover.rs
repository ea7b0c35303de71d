//! `sqlite/recover` from a base and a log.

use std::path::PathBuf;

use runtime::engine::Advice;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::shard::{dump, open, run, scalar};
use crate::world::{World, call, done, dropped_after, keyed, refused, undoing};

const SCHEMA: &str = "
create table plans (id integer primary key);
create table issues (id integer primary key, k text not null unique, data blob, w real, plan integer references plans(id),
  loud text generated always as (upper(k)) virtual);
create table pairs (a text, b integer, v text, primary key (a, b)) without rowid;
create table audit (what text);
create trigger on_put after insert on issues begin insert into audit values ('fired'); end;
insert into plans values (1);
insert into issues (id, k, data, w, plan) values (1, 'one', x'00', 1.5, 1), (2, 'two', null, null, null);
delete from audit;
insert into pairs values ('a', 1, 'x'), ('a', 2, 'y');";

pub(crate) struct Backup {
    folder: TempDir,
}

pub(crate) fn at(second: u32) -> String {
    format!("2022-04-05T07:{:02}:{:02}.000Z", second / 60, second % 60)
}

fn put(id: i64, k: &str) -> Value {
    json!({ "op": "put", "table": "issues", "key": { "id": id }, "row": { "id": id, "k": k, "data": { "$blob": "00fF" }, "w": 2, "plan": 1 } })
}

fn delete(id: i64) -> Value {
    json!({ "op": "delete", "table": "issues", "key": { "id": id } })
}

impl Backup {
    /// A base of second 10; each item is a transaction's second and changes.
    pub(crate) async fn new(log: &[(u32, Value)]) -> Self {
        let backup = Self { folder: tempfile::tempdir().unwrap() };
        let path = backup.path();
        std::fs::create_dir(&path).unwrap();
        run(&mut open(&path.join("base.db")).await, SCHEMA).await;
        let manifest = json!({ "format": "sqlite-backup/v1", "base": "base.db", "base_at": at(10), "log": "log.jsonl", "store": "shard-03" });
        std::fs::write(path.join("manifest.json"), manifest.to_string()).unwrap();
        let lines = log.iter().enumerate().map(|(number, (second, changes))| {
            json!({ "seq": 41 + number, "at": at(*second), "changes": changes }).to_string() + "\n"
        });
        std::fs::write(path.join("log.jsonl"), lines.collect::<String>()).unwrap();
        backup
    }

    async fn usual() -> Self {
        // The unique name moves from row 1 to row 3 and back through a third name.
        Self::new(&[
            (5, json!([put(1, "before the base")])),
            (12, json!([put(1, "tmp"), put(3, "one")])),
            (20, json!([delete(2), { "op": "put", "table": "pairs", "key": { "a": "a", "b": 1 }, "row": { "a": "a", "b": 1, "v": null } }])),
            (20, json!([put(3, "two"), put(1, "one")])),
            (30, json!([{ "op": "delete", "table": "pairs", "key": { "a": "a", "b": 2 } }, delete(1)])),
            (40, json!([])),
        ])
        .await
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("shard-03")
    }

    fn with(&self, second: u32) -> Value {
        json!({ "backup": self.path(), "at": at(second) })
    }
}

fn file(outputs: &Value) -> PathBuf {
    PathBuf::from(outputs["path"].as_str().unwrap())
}

#[tokio::test]
async fn every_point_is_reached() {
    let (world, backup) = (World::new(), Backup::usual().await);
    for (second, reached, transactions, issues) in [
        (10, 10, 0, "1:one,2:two"),
        (12, 12, 1, "1:tmp,2:two,3:one"),
        (19, 12, 1, "1:tmp,2:two,3:one"),
        (20, 20, 3, "1:one,3:two"),
        (30, 30, 4, "3:two"),
        (40, 40, 5, "3:two"),
    ] {
        let outputs = done(&world.apply(call("sqlite/recover@1", backup.with(second))).await);
        assert_eq!(outputs["reached"], at(reached), "{second}");
        assert_eq!(outputs["base_at"], at(10));
        assert_eq!(outputs["transactions"], transactions);
        let stands = &outputs["restore_point"];
        assert_eq!((&stands["store"], &stands["reached"]), (&"shard-03".into(), &outputs["reached"]));
        // The first transaction that is not in it lies behind the point asked; where the log ends there is none.
        let until = [12, 20, 30, 40].into_iter().find(|next| *next > second).map(at);
        assert_eq!(stands.get("until").and_then(Value::as_str), until.as_deref(), "{second}");
        let evidence = stands["evidence"].as_str().unwrap();
        assert!(evidence.contains(&at(10)) && until.is_none_or(|until| evidence.contains(&until)), "{evidence}");
        let found =
            scalar(&file(&outputs), "select group_concat(id || ':' || k) from (select * from issues order by id)")
                .await;
        assert_eq!(found, issues, "{second}");
        assert_eq!(
            scalar(&file(&outputs), "select count(*) from audit").await,
            "0",
            "what triggers wrote is in the log"
        );
        assert_eq!(scalar(&file(&outputs), "select count(*) from sqlite_schema where type = 'trigger'").await, "1");
    }
    let last = done(&world.apply(call("sqlite/recover@1", backup.with(40))).await);
    assert_eq!(scalar(&file(&last), "select quote(data) || typeof(w) || loud from issues").await, "X'00FF'realTWO");
    assert_eq!(scalar(&file(&last), "select group_concat(quote(v)) from pairs").await, "NULL");
    assert_eq!(file(&last).parent().unwrap(), backup.folder.path().canonicalize().unwrap().join("recovered"));
}

#[tokio::test]
async fn a_complete_file_is_used_again() {
    let (world, backup) = (World::new(), Backup::usual().await);
    let first = done(&world.apply(keyed("sqlite/recover@1", backup.with(30), "a", 1)).await);
    let before = std::fs::metadata(file(&first)).unwrap().modified().unwrap();
    std::fs::remove_file(backup.path().join("log.jsonl")).unwrap();
    let again = done(&world.apply(keyed("sqlite/recover@1", backup.with(30), "b", 2)).await);
    assert_eq!(first, again);
    assert_eq!(std::fs::metadata(file(&first)).unwrap().modified().unwrap(), before);
}

#[tokio::test]
async fn a_log_that_does_not_reach_is_refused() {
    let (world, backup) = (World::new(), Backup::usual().await);
    let outcome = world.apply(call("sqlite/recover@1", backup.with(41))).await;
    let message = refused(&outcome, "sqlite.log_too_short", Advice::Never);
    assert!(message.ends_with(&format!("the log ends at {}, before {}", at(40), at(41))), "{message}");
    refused(&world.apply(call("sqlite/recover@1", backup.with(9))).await, "sqlite.before_base", Advice::Never);
    // A torn last line is as if it were not there.
    let log = backup.path().join("log.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, &text[..text.len() - 3]).unwrap();
    refused(&world.apply(call("sqlite/recover@1", backup.with(40))).await, "sqlite.log_too_short", Advice::Never);
    done(&world.apply(call("sqlite/recover@1", backup.with(30))).await);
    assert_eq!(std::fs::read_dir(backup.folder.path().join("recovered")).unwrap().count(), 1, "no scratch is left");
}

#[tokio::test]
async fn damage_is_named_with_its_line() {
    let world = World::new();
    let line = |text: &str, number: usize| text.lines().nth(number).unwrap().to_owned() + "\n";
    type Harm = fn(&str, &dyn Fn(&str, usize) -> String) -> String;
    let cases: [(Harm, &str, &str); 5] = [
        (|text, line| text.replace(&line(text, 2), ""), "sqlite.log_gap", "log.jsonl:3: transaction 44 follows 42"),
        (|text, line| text.replace(&line(text, 2), "{\"seq\": 43,\n"), "sqlite.log_damaged", "log.jsonl:3: "),
        (|text, _| text.replace(&at(30), &at(13)), "sqlite.log_damaged", "log.jsonl:5: "),
        (|text, _| text.replace("\"v\":null", "\"x\":null"), "sqlite.log_damaged", "lacks column v"),
        (|text, _| text.replace("00fF", "0"), "sqlite.log_damaged", "half a byte"),
    ];
    for (harm, code, expected) in cases {
        let backup = Backup::usual().await;
        let log = backup.path().join("log.jsonl");
        let text = std::fs::read_to_string(&log).unwrap();
        std::fs::write(&log, harm(&text, &line)).unwrap();
        let outcome = world.apply(call("sqlite/recover@1", backup.with(40))).await;
        let message = refused(&outcome, code, Advice::Never);
        assert!(message.contains(expected), "{expected}: {message}");
    }
    let backup = Backup::new(&[
        (20, json!([put(9, "orphan")])),
        (21, json!([{ "op": "delete", "table": "plans", "key": { "id": 1 } }])),
    ])
    .await;
    let outcome = world.apply(call("sqlite/recover@1", backup.with(21))).await;
    assert!(refused(&outcome, "sqlite.damaged", Advice::Never).contains("{\"issues\": 2}"));
    std::fs::write(backup.path().join("manifest.json"), "{\"format\": 1}").unwrap();
    refused(&world.apply(call("sqlite/recover@1", backup.with(21))).await, "sqlite.backup_invalid", Advice::Never);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_in_the_middle_no_half_file_looks_whole() {
    let (world, backup) = (World::new(), Backup::usual().await);
    let whole = done(&world.apply(call("sqlite/recover@1", backup.with(30))).await);
    let expected = dump(&file(&whole)).await;
    for polls in 1..30 {
        std::fs::remove_file(file(&whole)).ok();
        dropped_after(polls, world.apply(keyed("sqlite/recover@1", backup.with(30), "k", u64::from(polls)))).await;
        if file(&whole).exists() {
            assert_eq!(dump(&file(&whole)).await, expected);
        }
        let again = done(&world.apply(keyed("sqlite/recover@1", backup.with(30), "k", u64::from(polls) + 1)).await);
        assert_eq!(again, whole);
        assert_eq!(dump(&file(&whole)).await, expected);
    }
}

#[tokio::test]
async fn a_recovered_file_is_dropped_and_nothing_else() {
    let (world, backup) = (World::new(), Backup::usual().await);
    let drop_it = |second: u32, token: u64| undoing("sqlite/drop-recovered@1", backup.with(second), "k", token);
    // Nothing was recovered yet, not even the folder is there.
    assert_eq!(done(&world.apply(drop_it(30, 1)).await)["removed"], false);
    assert!(!backup.folder.path().join("recovered").exists());
    let first = done(&world.apply(keyed("sqlite/recover@1", backup.with(30), "k", 1)).await);
    let other = done(&world.apply(keyed("sqlite/recover@1", backup.with(40), "other", 1)).await);
    let expected = dump(&file(&first)).await;
    // What a killed attempt of this unit, and one of another, left behind.
    let folder = file(&first).parent().unwrap().to_owned();
    let scratch = |key: &str| {
        let own = blake3::hash(key.as_bytes()).to_hex();
        let name = file(&first).file_name().unwrap().to_str().unwrap().to_owned();
        folder.join(format!(".{name}.{}.7.part", &own[..12]))
    };
    std::fs::write(scratch("k"), "half").unwrap();
    std::fs::write(scratch("another"), "half").unwrap();
    let dropped = done(&world.apply(drop_it(30, 1)).await);
    assert_eq!(dropped, json!({ "path": first["path"], "removed": true }));
    assert_eq!(done(&world.apply(drop_it(30, 2)).await)["removed"], false);
    assert!(!file(&first).exists() && !scratch("k").exists());
    assert!(file(&other).exists() && scratch("another").exists());
    let again = done(&world.apply(keyed("sqlite/recover@1", backup.with(30), "k2", 1)).await);
    assert_eq!((&again, &dump(&file(&again)).await), (&first, &expected));
    // A file of somebody else under that name stays.
    std::fs::remove_file(file(&first)).unwrap();
    run(&mut open(&file(&first)).await, "create table precious (a)").await;
    refused(&world.apply(drop_it(30, 3)).await, "sqlite.damaged", Advice::Never);
    std::fs::write(file(&first), "no database at all, but long enough to be read as one".repeat(40)).unwrap();
    refused(&world.apply(drop_it(30, 4)).await, "sqlite.damaged", Advice::Never);
    assert!(file(&first).exists());
}
