//! `exec/run` with real processes.

use std::path::Path;
use std::time::Duration;

use runtime::engine::Advice;
use serde_json::{Value, json};

use crate::world::{World, call, done, keyed, refused, undoing, unknown};

fn shell(script: &str) -> Value {
    json!({ "command": ["sh", "-c", script], "grace": "50ms" })
}

/// Waits until a condition holds; the test's own time-out is the limit.
async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn alive(pid: &str) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        // A zombie is dead; nobody has looked yet.
        Ok(stat) => !stat.rsplit(')').next().unwrap().trim().starts_with('Z'),
        Err(_) => false,
    }
}

fn pids(file: &Path, count: usize) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(file).ok()?;
    let pids: Vec<String> = text.lines().map(str::to_owned).collect();
    (pids.len() == count && text.ends_with('\n')).then_some(pids)
}

/// Starts a shell with a child and a grandchild that ignore SIGTERM, each writing its process ID.
fn family(file: &Path) -> String {
    let file = file.display();
    format!(
        "trap '' TERM; echo $$ >> {file}; sh -c 'echo $$ >> {file}; sh -c \"echo \\$\\$ >> {file}; sleep 600\"; sleep 600' & wait; sleep 600"
    )
}

#[tokio::test]
async fn outputs_come_from_the_last_line() {
    let world = World::new();
    let mut with = shell(
        "cat; echo; echo \"{\\\"key\\\": \\\"$REINSTATE_KEY\\\", \\\"token\\\": $REINSTATE_TOKEN, \\\"inputs\\\": $REINSTATE_INPUTS, \\\"env\\\": \\\"$REGION\\\"}\"",
    );
    with["env"] = json!({ "REGION": "eu" });
    with["inputs"] = json!({ "site": 7 });
    let outputs = done(&world.apply(keyed("exec/run@1", with, "r/apps/s/", 4)).await);
    assert_eq!(outputs, json!({ "key": "r/apps/s/", "token": 4, "inputs": { "site": 7 }, "env": "eu", "exit": 0 }));
    let stdin = shell("read line; echo \"$line\"");
    let outputs = done(&world.apply(keyed("exec/run@1", stdin, "k", 1)).await);
    assert_eq!(outputs, json!({ "key": "k", "token": 1, "with": null, "exit": 0 }));
    assert_eq!(done(&world.apply(call("exec/run@1", shell("echo text"))).await), json!({ "exit": 0 }));
}

#[tokio::test]
async fn an_undo_is_told_what_it_takes_back() {
    let world = World::new();
    let script = "read line; echo \"{\\\"stdin\\\": $line, \\\"env\\\": \\\"$REINSTATE_UNDOES\\\"}\"";
    let outputs = done(&world.apply(undoing("exec/run@1", shell(script), "r/apps/s/", 1)).await);
    let stdin = json!({ "key": "r/apps/s//undo", "token": 1, "undoes": "r/apps/s/", "with": null });
    assert_eq!(outputs, json!({ "stdin": stdin, "env": "r/apps/s/", "exit": 0 }));
    let outputs =
        done(&world.apply(call("exec/run@1", shell("echo \"{\\\"set\\\": \\\"${REINSTATE_UNDOES-no}\\\"}\""))).await);
    assert_eq!(outputs["set"], "no");
}

#[tokio::test]
async fn exits_say_what_is_known() {
    let world = World::new();
    refused(&world.apply(call("exec/run@1", shell("exit 75"))).await, "exec.exit", Advice::Retry);
    let outcome = world.apply(call("exec/run@1", shell("echo half done >&2; exit 3"))).await;
    assert_eq!(unknown(&outcome, "exec.exit"), "sh ended with 3: half done");
    let mut with = shell("exit 3");
    with["failure_means"] = json!("refused");
    refused(&world.apply(call("exec/run@1", with)).await, "exec.exit", Advice::Retry);
    unknown(&world.apply(call("exec/run@1", shell("kill -9 $$"))).await, "exec.signal");
    let outcome = world.apply(call("exec/run@1", json!({ "command": ["/no/such/program"] }))).await;
    refused(&outcome, "exec.spawn", Advice::Never);
    refused(&world.apply(call("exec/run@1", json!({ "command": [] }))).await, "inputs", Advice::Never);
}

#[tokio::test]
async fn a_probe_tells_whether_it_was_done() {
    let world = World::new();
    let probe = async |script: &str| {
        let mut with = shell("exit 9");
        with["probe"] = json!(["sh", "-c", script]);
        world.probe(call("exec/run@1", with)).await
    };
    assert_eq!(done(&probe("echo '{\"rows\": 3}'").await), json!({ "rows": 3, "exit": 0 }));
    refused(&probe("exit 1").await, "exec.not_done", Advice::Retry);
    unknown(&probe("exit 2").await, "exec.probe");
    unknown(&world.probe(call("exec/run@1", shell("true"))).await, "exec.no_probe");
}

#[tokio::test]
async fn secrets_reach_the_command_and_nothing_else() {
    let world = World::new();
    let mut with = shell("echo \"$TOKEN\" >&2; cat >&2; exit 3");
    with["env"] = json!({ "TOKEN": "⟦secret:canary⟧" });
    let outcome = world.apply(call("exec/run@1", with)).await;
    assert!(unknown(&outcome, "exec.exit").contains("***"));
    let mut with = shell("test \"$1\" = 'canary-7d1f-\"quoted\"' && printf '{\"said\": \"%s\"}' canary");
    with["command"].as_array_mut().unwrap().extend([json!("sh"), json!("⟦secret:canary⟧")]);
    assert_eq!(done(&world.apply(call("exec/run@1", with)).await)["said"], "canary");
    let with = json!({ "command": ["/no/⟦secret:canary⟧"] });
    refused(&world.apply(call("exec/run@1", with)).await, "exec.spawn", Advice::Never);
}

#[tokio::test]
async fn much_output_is_cut_and_unread_input_is_fine() {
    let world = World::new();
    let mut with = shell("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo '{\"end\": true}'");
    with["inputs"] = json!("y".repeat(1_000_000));
    assert_eq!(done(&world.apply(call("exec/run@1", with)).await), json!({ "end": true, "exit": 0 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_ends_the_whole_group() {
    let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("pids");
    let mut attempt = call("exec/run@1", shell(&family(&file)));
    attempt.timeout = Duration::from_millis(300);
    unknown(&world.apply(attempt).await, "exec.timeout");
    for pid in std::fs::read_to_string(&file).unwrap().lines() {
        until(|| !alive(pid)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_ends_the_whole_group() {
    let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("pids");
    let attempt = call("exec/run@1", shell(&family(&file)));
    let cancel = attempt.cancel.clone();
    let stop = async {
        until(|| pids(&file, 3).is_some()).await;
        cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(world.apply(attempt), stop);
    unknown(&outcome, "exec.cancelled");
    for pid in pids(&file, 3).unwrap() {
        until(|| !alive(&pid)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_attempt_ends_the_whole_group() {
    let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("pids");
    let attempt = call("exec/run@1", shell(&family(&file)));
    tokio::select! {
        outcome = world.apply(attempt) => panic!("{outcome:?}"),
        () = until(|| pids(&file, 3).is_some()) => {}
    }
    for pid in pids(&file, 3).unwrap() {
        until(|| !alive(&pid)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_leaves_behind_ends_with_it() {
    let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("pids");
    let script = format!("sleep 600 & echo $! > {}; echo '{{\"a\": 1}}'", file.display());
    assert_eq!(done(&world.apply(call("exec/run@1", shell(&script))).await)["a"], 1);
    for pid in pids(&file, 1).unwrap() {
        until(|| !alive(&pid)).await;
    }
}
