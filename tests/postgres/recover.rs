//! `postgres/recover`: the rows of a point in time, found again, moved forward, dropped; the live cluster as it was.

use std::net::TcpStream;

use runtime::engine::Advice;
use serde_json::json;

use crate::stage::{
    Stage, apply, ask, call, connector, done, drop_it, fingerprint, kill, path, postmaster, recover, refused, rows,
    servers, try_ask,
};

#[tokio::test]
async fn what_was_committed_at_the_point_is_there_and_nothing_later() {
    let stage = Stage::new();
    let (_, at, _) = (stage.mark(1), stage.mark(2), stage.mark(3));
    stage.archive();
    let (backup, archive) = (fingerprint(&stage.base), fingerprint(&stage.live.archive()));
    let outputs = recover(&stage.with_at(&at)).await;
    assert_eq!(rows(&outputs).await, "0,1,2");

    // The evidence: it stopped before the first transaction after the point, and holds all before.
    assert_eq!(outputs["asked"], at);
    assert!(outputs["stopped_by"].as_str().unwrap().starts_with("before commit of transaction "), "{outputs}");
    assert!(outputs["reached"].as_str().unwrap() <= at.as_str() && outputs["reached"] == outputs["last_commit_at"]);
    assert_eq!(outputs["replay_lsn"], ask(&outputs, "SELECT pg_last_wal_replay_lsn()::text").await);
    let identifier = stage.live.sql("shop", "SELECT system_identifier FROM pg_control_system()");
    assert_eq!(outputs["backup"]["system_identifier"], identifier);
    assert_eq!(
        (&outputs["backup"]["label"], &outputs["backup"]["timeline"]),
        (&json!("pg_basebackup base backup"), &json!(1))
    );

    // It is alone: nothing is written, nothing is heard on the network, nothing goes to the live archive.
    assert!(try_ask(&outputs, "INSERT INTO t VALUES (9)").await.unwrap_err().contains("read-only"));
    for (name, value) in [("listen_addresses", ""), ("archive_mode", "off"), ("max_logical_replication_workers", "0")] {
        assert_eq!(ask(&outputs, &format!("SHOW {name}")).await, value, "{name}");
    }
    let port: u16 = ask(&outputs, "SHOW port").await.parse().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    let socket = std::fs::metadata(ask(&outputs, "SHOW unix_socket_directories").await.trim_matches('"')).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&socket.permissions()) & 0o777, 0o700);

    assert!(drop_it(&stage.with_at(&at)).await);
    assert_eq!((fingerprint(&stage.base), fingerprint(&stage.live.archive())), (backup, archive));
    assert_eq!(stage.live.sql("shop", "SELECT string_agg(n::text, ',' ORDER BY n) FROM t"), "0,1,2,3");
    assert!(!stage.live.log().contains("ERROR"), "{}", stage.live.log());
}

#[tokio::test]
async fn the_same_inputs_find_the_same_instance_also_after_its_server_died() {
    let stage = Stage::new();
    let at = stage.mark(1);
    stage.mark(2);
    stage.archive();
    let first = recover(&stage.with_at(&at)).await;
    let server = postmaster(&first);
    assert_eq!(recover(&stage.with_at(&at)).await, first);
    assert_eq!(postmaster(&first), server, "it was not started again");

    let data = std::fs::metadata(path(&first).join("data")).unwrap().created().unwrap();
    servers(&path(&first)).into_iter().for_each(kill);
    let again = recover(&stage.with_at(&at)).await;
    assert_eq!(
        (again["replay_lsn"].clone(), again["last_commit_at"].clone()),
        (first["replay_lsn"].clone(), first["last_commit_at"].clone())
    );
    assert_eq!(rows(&again).await, "0,1");
    assert_eq!(
        std::fs::metadata(path(&first).join("data")).unwrap().created().unwrap(),
        data,
        "nothing was copied again"
    );

    // One process of many: the server brings itself back, or dies and is started again.
    for pid in [postmaster(&again), *servers(&path(&again)).iter().max().unwrap()] {
        kill(pid);
        assert_eq!(rows(&recover(&stage.with_at(&at)).await).await, "0,1");
    }

    // One that somebody made a server of its own is of no use any more.
    ask(&again, "SELECT pg_promote()::text").await;
    let new = recover(&stage.with_at(&at)).await;
    assert_eq!(
        (rows(&new).await.as_str(), ask(&new, "SELECT pg_is_in_recovery()::text").await.as_str()),
        ("0,1", "true")
    );
    assert_ne!(std::fs::metadata(path(&new).join("data")).unwrap().created().unwrap(), data);

    // Two attempts at once make one instance.
    drop_it(&stage.with_at(&at)).await;
    let with = stage.with_at(&at);
    let (one, other) = tokio::join!(recover(&with), recover(&with));
    assert_eq!(one, other);
    drop_it(&stage.with_at(&at)).await;
}

#[tokio::test]
async fn one_instance_moves_forward_through_many_points() {
    let stage = Stage::new();
    let points: Vec<String> = (1..=6).map(|n| stage.mark(n)).collect();
    stage.archive();
    let at = |point: &str| {
        let mut with = stage.with_at(point);
        with["name"] = "shard-1".into();
        with
    };
    let mut expected = "0".to_owned();
    let mut copied = None;
    for (n, point) in points.iter().enumerate() {
        let outputs = recover(&at(point)).await;
        expected.push_str(&format!(",{}", n + 1));
        assert_eq!(rows(&outputs).await, expected);
        assert_eq!(outputs["asked"], *point);
        assert!(outputs["last_commit_at"].as_str().unwrap() <= point.as_str());
        assert!(n == 0 || outputs["last_commit_at"].as_str().unwrap() > points[n - 1].as_str());
        let made = std::fs::metadata(path(&outputs).join("data")).unwrap().created().unwrap();
        assert_eq!(*copied.get_or_insert(made), made, "one base was copied");
    }
    let passed = refused(&apply("postgres/recover@1", &at(&points[4])).await, "postgres.point_passed", Advice::Never);
    assert!(passed.contains(&points[4]) && passed.contains(&points[5]), "{passed}");
    assert!(drop_it(&at(&points[0])).await, "its name is enough");
    let outputs = recover(&at(&points[2])).await;
    assert_eq!(rows(&outputs).await, "0,1,2,3");
    drop_it(&at(&points[0])).await;
}

#[tokio::test]
async fn nothing_of_a_dropped_instance_is_left() {
    let stage = Stage::new();
    let at = stage.mark(1);
    stage.mark(2);
    stage.archive();
    let with = stage.with_at(&at);
    assert!(!drop_it(&with).await, "there was none");
    assert!(!stage.instances().exists());
    let outputs = recover(&with).await;
    let folder = path(&outputs);
    assert!(folder.starts_with(stage.instances()) && !servers(&folder).is_empty());
    // As an undo it is the same.
    let undo =
        runtime::Call { undoes: Some("run1/recover/shard-1".into()), ..call("postgres/drop-recovered@1", &with) };
    assert_eq!(done(&connector().apply(undo).await), json!({ "path": folder, "removed": true }));
    assert_eq!(servers(&folder), Vec::<u32>::new());
    assert_eq!(std::fs::read_dir(stage.instances()).unwrap().count(), 0);
    assert!(!drop_it(&with).await);

    // What a killed drop left is still ours; what somebody else put there is not.
    recover(&with).await;
    std::fs::remove_dir_all(folder.join("data/base")).unwrap();
    assert!(drop_it(&with).await);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("precious"), "").unwrap();
    for uses in ["postgres/drop-recovered@1", "postgres/recover@1"] {
        refused(&apply(uses, &with).await, "postgres.not_ours", Advice::Never);
    }
    assert!(folder.join("precious").exists());
}
