//! The lab on PostgreSQL as processes: servers that outlive what started them, and what is said when it cannot be.
#![allow(clippy::unwrap_used, missing_docs)]

mod served;

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use reinstate_tests::process::{expect, reinstate};
use served::{BINARY, Served, build};

fn error_of(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn servers_are_found_again_after_kills_and_stopped_at_the_end() {
    let mut lab = Served::damaged(12, 4);
    let first = lab.servers();
    assert_eq!(first.len(), 2);

    // The lab's process is killed: its servers go on, and are taken over and stopped by the next who uses them.
    assert_eq!(lab.signal("-KILL"), None);
    assert_eq!(lab.servers(), first);
    let found = lab.diff();
    assert_eq!((&found["sites_different"], &found["bystanders_changed"]), (&4.into(), &0.into()), "{found}");
    assert!(lab.servers().is_empty());

    // A database server is killed under a lab that is served: whoever uses the lab next starts it again, and the
    // tenants go on working.
    lab.serve();
    let second = lab.servers();
    lab.kill(second[0]);
    // Who needs it is told to come again.
    while lab.status("/support/tickets") != 503 {
        std::thread::yield_now();
    }
    let found = lab.diff();
    assert_eq!((&found["sites_different"], &found["bystanders_changed"]), (&4.into(), &0.into()), "{found}");
    let third = lab.servers();
    assert!(third.len() == 2 && third != second, "{second:?}, then {third:?}");
    assert_eq!(lab.status("/support/tickets"), 200);
    let failed = lab.latency()["phases"][0]["failed"].as_u64();
    lab.phase("again");
    lab.until(|latency| latency["phases"][1]["transactions"].as_u64() >= Some(60));
    assert_eq!(lab.latency()["phases"][1]["failed"], 0, "and {failed:?} before");

    // Asked to stop, it stops everything.
    assert_eq!(lab.signal("-TERM"), Some(0));
    assert!(lab.servers().is_empty());
    let found = lab.diff();
    assert_eq!(found["bystanders_changed"], 0, "{found}");
    let file: serde_json::Value =
        serde_json::from_slice(&std::fs::read(lab.dir().join("latency.json")).unwrap()).unwrap();
    assert_eq!((&file["phases"][0]["name"], &file["phases"][1]["name"]), (&"before".into(), &"again".into()));

    // A lab of a version that is not installed.
    std::fs::write(lab.dir().join("clusters/shard-00/data/PG_VERSION"), "8\n").unwrap();
    let said = error_of(&expect(reinstate(BINARY).args(["lab", "diff"]).arg(lab.dir()), 1));
    assert!(said.contains("lab-no-postgres") && said.contains("version 8"), "{said}");
    assert!(said.contains("hint: apt-get install postgresql"), "{said}");
}

#[test]
fn a_build_that_is_stopped_leaves_no_server_behind() {
    let mut lab = Served::building(12);
    while lab.servers().len() < 2 {
        std::thread::yield_now();
    }
    let servers = lab.servers();
    assert_eq!(lab.signal("-TERM"), Some(6));
    assert!(lab.servers().is_empty(), "{servers:?}");
    // Not even one that was just being started.
    for server in servers {
        let file = format!("/proc/{server}/stat");
        while std::fs::read_to_string(&file).is_ok_and(|stat| !stat.contains(") Z ")) {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_folder_that_the_servers_cannot_enter_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    // Not as root, servers run as we do and go where we go.
    let output = expect(&mut build(&folder.path().join("lab"), 3), if root { 1 } else { 0 });
    let said = error_of(&output);
    assert_eq!(said.contains("lab-place") && said.contains("hint: chmod o+x"), root, "{said}");
}

#[test]
fn rows_want_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = reinstate(BINARY);
    command.args(["lab", "build", "--rows", "1000"]).arg(folder.path().join("lab"));
    let said = error_of(&expect(&mut command, 2));
    assert!(said.contains("1000 rows") && said.contains("hint: the PostgreSQL backend"), "{said}");
}

#[test]
fn an_address_that_names_no_host_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for address in ["0.0.0.0", "::"] {
        let lab = folder.path().join("lab");
        let said = error_of(&expect(reinstate(BINARY).args(["lab", "build", "--address", address]).arg(&lab), 2));
        assert!(said.contains(&format!("error[lab]: {address} names no host")), "{said}");
        assert!(said.contains("hint: ") && !lab.exists(), "{said}");
    }
}
