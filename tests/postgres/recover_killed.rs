//! `postgres/recover` in a process that is killed at every kind of moment: the next one finds what is there, or makes
//! it anew, and leaves one instance and nothing else.

use std::path::Path;

use reinstate_tests::process::{expect, strike_when};
use runtime::engine::Advice;
use serde_json::Value;

use crate::stage::{Stage, apply, command, drop_it, kill, path, postmaster, recover, refused, rows, servers};

fn phase(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("reinstate-recovered.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["phase"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_killed_starter_leaves_what_the_next_one_finds() {
    let stage = Stage::new();
    let at = stage.mark(1);
    stage.mark(2);
    stage.archive();
    let with = stage.with_at(&at);
    let folder = {
        let outputs = recover(&with).await;
        assert!(drop_it(&with).await);
        path(&outputs)
    };
    // What it says when it is killed, how often it has said so, and how far the instance has come by then at least.
    let moments = [
        ("phase=Filling", 1, vec!["filling"]),
        ("copying", 1, vec!["filling"]),
        ("copying", 400, vec!["filling"]),
        ("phase=Moving", 1, vec!["moving", "filled"]),
        ("phase=Filled", 1, vec!["filled"]),
        ("phase=Standing", 1, vec!["standing"]),
    ];
    for (n, (said, times, phases)) in moments.into_iter().enumerate() {
        let run = format!("r{n}");
        let args = ["run", "recover.yaml", "--sites", "sites.csv", "--estate", "estate.yaml", "--run", &run, "--yes"];
        let mut left = times;
        let (_, ended) = strike_when(&mut command(&stage, "recover", &with, &args), "-KILL", |line| {
            left -= i32::from(line.contains(said));
            left == 0
        });
        assert!(!ended, "{said}: it ended by itself");
        assert!(phases.contains(&phase(&folder).as_str()), "{said}: {}", phase(&folder));
        // A half copy is of no use, and a mark in it must not be seen again; a whole one is used.
        let mark = folder.join("data/mark");
        let marked = folder.join("data").is_dir() && std::fs::write(&mark, "").is_ok();
        let alive = servers(&folder.join("data"));

        let output = expect(&mut command(&stage, "recover", &with, &["resume", &run]), 0);
        assert_eq!(mark.exists(), marked && phases != ["filling"], "{said}: {output:?}");
        assert_eq!(phase(&folder), "standing", "{said}");
        let outputs = recover(&with).await;
        assert_eq!(rows(&outputs).await, "0,1", "{said}");
        if phases == ["standing"] {
            assert!(alive.contains(&postmaster(&outputs)), "{said}: it was found, not made");
        }
        assert_eq!(std::fs::read_dir(stage.instances()).unwrap().flatten().filter(|e| e.path().is_dir()).count(), 1);
        assert!(drop_it(&with).await);
        assert_eq!((folder.exists(), servers(&folder).len()), (false, 0), "{said}");
    }
}

#[tokio::test]
async fn a_kill_on_the_way_to_the_next_point_costs_no_point_and_no_copy() {
    let stage = Stage::new();
    let points: Vec<String> = (1..=5).map(|n| stage.mark(n)).collect();
    stage.archive();
    let with = |n: usize| {
        let mut with = stage.with_at(&points[n]);
        with["name"] = "shard-1".into();
        with
    };
    let folder = path(&recover(&with(0)).await);
    std::fs::write(folder.join("data/mark"), "").unwrap();
    let mut expected = "0,1".to_owned();
    for (n, said) in [(1, "phase=Moving"), (2, "phase=Filled"), (3, "phase=Standing")] {
        let run = format!("r{n}");
        let args = ["run", "recover.yaml", "--sites", "sites.csv", "--estate", "estate.yaml", "--run", &run, "--yes"];
        let (_, ended) =
            strike_when(&mut command(&stage, "recover", &with(n), &args), "-KILL", |line| line.contains(said));
        assert!(!ended, "{said}: it ended by itself");
        let passed = apply("postgres/recover@1", &with(n - 1)).await;
        refused(&passed, "postgres.point_passed", Advice::Never);
        let _ = expect(&mut command(&stage, "recover", &with(n), &["resume", &run]), 0);
        expected.push_str(&format!(",{}", n + 1));
        let outputs = recover(&with(n)).await;
        assert_eq!((rows(&outputs).await, &outputs["asked"]), (expected.clone(), &Value::from(points[n].as_str())));
    }
    // A server that is killed with all its processes on the way is no loss either.
    servers(&folder.join("data")).into_iter().for_each(kill);
    assert_eq!(rows(&recover(&with(4)).await).await, "0,1,2,3,4,5");
    assert!(folder.join("data/mark").exists(), "one base was copied");
    assert!(drop_it(&with(4)).await);
}
