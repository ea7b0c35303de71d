//! `audit verify RUN`: whoever changes a journal is found out, also one who knows how it is written.

use engine::{DecodedGroup, Event, GroupWriter, Link, decode_group};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::place::{Place, holds, runbook};

const SEQ: &str = "id & 0xffffffffff";

/// A run of several groups that is over, and the hash that its report noted.
fn place() -> (Place, String) {
    let place = Place::new();
    let steps = "  a: { uses: noop@1 }\n  b: { needs: a, uses: noop@1 }\n  c: { needs: b, uses: noop@1 }\n";
    place.write("r.yaml", runbook("r", "batches: { sizes: [1, 1, rest], max_failures: 0 }\n", steps));
    place.run("r.yaml", "r", 0);
    std::fs::copy(place.path("runs.db"), place.path("kept.db")).unwrap();
    let head = place.said(&["report", "r", "--json"], 0).json()["evidence"]["head"].as_str().unwrap().to_owned();
    (place, head)
}

/// Changes the store as somebody with the file at hand would, beginning with the one that was kept.
fn change(place: &Place, change: impl AsyncFnOnce(&mut SqliteConnection)) {
    std::fs::copy(place.path("kept.db"), place.path("runs.db")).unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path("runs.db"));
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut connection = options.connect().await.unwrap();
        change(&mut connection).await;
        connection.close().await.unwrap();
    });
}

async fn sql(connection: &mut SqliteConnection, statement: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(connection).await.unwrap();
}

async fn group(connection: &mut SqliteConnection, seq: i64) -> (Vec<u8>, i64) {
    let row = format!("SELECT bytes, epoch FROM groups WHERE {SEQ} = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(row)).bind(seq).fetch_one(connection).await.unwrap()
}

/// Puts a group in, with the checksum that the store wants to see.
async fn put(connection: &mut SqliteConnection, seq: i64, (bytes, epoch): (Vec<u8>, i64)) {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&1_u64.to_le_bytes()).update(b"r");
    hasher.update(&seq.to_le_bytes()).update(&epoch.to_le_bytes()).update(&bytes);
    let row = format!("UPDATE groups SET bytes = $2, epoch = $3, checksum = $4 WHERE {SEQ} = $1");
    let put = sqlx::query(sqlx::AssertSqlSafe(row)).bind(seq).bind(&bytes).bind(epoch);
    let put = put.bind(&hasher.finalize().as_bytes()[..8]).execute(connection).await.unwrap();
    assert_eq!(put.rows_affected(), 1);
}

/// The same group with another opener, written after `link`.
fn forged(bytes: &[u8], link: Option<Link>) -> (Vec<u8>, Link) {
    let DecodedGroup { after, records, .. } = decode_group(bytes).unwrap();
    let mut writer = GroupWriter::after(link.or(after).unwrap());
    for mut record in records {
        if let Event::Opened { actor, .. } = &mut record.event {
            *actor = "mallory".into();
        }
        writer.push(&record);
    }
    let group = writer.finish();
    (group.bytes, group.link)
}

#[test]
fn a_journal_as_it_was_written_is_whole_and_has_the_head_of_its_report() {
    let (place, head) = place();
    let verified = place.said(&["audit", "verify", "r", "--head", &head, "--json"], 0).json();
    assert_eq!((&verified["head"], &verified["fault"]), (&head.as_str().into(), &serde_json::Value::Null));
    assert_eq!((&verified["as_noted"], &verified["noted_after"]), (&true.into(), &verified["groups"]));
    let records = place.said(&["report", "r", "--json"], 0).json()["evidence"]["records"].clone();
    assert_eq!(verified["records"], records);
    holds(&place.said(&["audit", "verify", "r"], 0).out, &["run r: ", "whole and in order", &head]);
    for format in ["text", "html"] {
        holds(&place.said(&["report", "r", "--format", format], 0).out.replace(['\n', ' '], ""), &[&head]);
    }
    // A run that went on since has it further up.
    place.said(&["undo", "r", "s1", "--reason", "another look"], 0);
    let said = place.said(&["audit", "verify", "r", "--head", &head], 0).out;
    holds(&said, &["whole and in order", "the hash given is that of group", "added since"]);
    holds(&place.said(&["audit", "verify", "r", "--head", "12"], 2).err, &["error[audit-head]", "hint:"]);
    holds(&place.said(&["audit", "verify", "another"], 2).err, &["there is no run another"]);
}

#[test]
fn a_group_that_was_changed_left_out_or_moved_is_named() {
    let (place, _) = place();
    let found = |words: &[&str], code: &str| {
        holds(&place.said(&["audit", "verify", "r"], 8).out, &[&["run r is NOT WHOLE"], words].concat());
        assert!(!place.said(&["audit", "verify", "r", "--json"], 8).json()["fault"].is_null());
        // Nothing is made of a journal that is not whole.
        holds(&place.said(&["report", "r"], 1).err, &[code, "hint:"]);
    };
    change(&place, async |file| {
        let (mut bytes, epoch) = group(file, 2).await;
        *bytes.last_mut().unwrap() ^= 1;
        let row = format!("UPDATE groups SET bytes = $1 WHERE {SEQ} = 2 AND epoch = $2");
        sqlx::query(sqlx::AssertSqlSafe(row)).bind(bytes).bind(epoch).execute(file).await.unwrap();
    });
    found(&["group 2 of run r fails its checksum", "2 groups"], "error[journal-corrupt]");
    change(&place, async |file| sql(file, &format!("DELETE FROM groups WHERE {SEQ} = 3")).await);
    found(&["group 3 of run r is missing"], "error[journal-corrupt]");
    change(&place, async |file| sql(file, "DELETE FROM groups WHERE id = (SELECT max(id) FROM groups)").await);
    found(&["when it was last left"], "error[journal-corrupt]");
    change(&place, async |file| {
        let (one, other) = (group(file, 2).await, group(file, 3).await);
        put(file, 2, other).await;
        put(file, 3, one).await;
    });
    found(&["group 2 of run r", "does not follow what is before it"], "error[journal-unchained]");
    change(&place, async |file| {
        let (bytes, epoch) = group(file, 0).await;
        put(file, 0, (forged(&bytes, None).0, epoch)).await;
    });
    found(&["group 1 of run r", "does not follow what is before it", "1 group with"], "error[journal-unchained]");
}

#[test]
fn a_journal_that_was_written_anew_from_end_to_end_has_another_head_than_was_noted() {
    let (place, head) = place();
    change(&place, async |file| {
        let (count,): (i64,) = sqlx::query_as("SELECT count(*) FROM groups").fetch_one(&mut *file).await.unwrap();
        let mut link = None;
        for seq in 0..count {
            let (bytes, epoch) = group(file, seq).await;
            let (bytes, next) = forged(&bytes, link);
            put(file, seq, (bytes, epoch)).await;
            link = Some(next);
        }
    });
    // Nobody can tell from the file alone.
    place.said(&["audit", "verify", "r"], 0);
    holds(&place.said(&["audit", "verify", "r", "--head", &head], 8).out, &["NOT AS NOTED"]);
}
