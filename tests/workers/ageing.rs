//! Measurements of a store: what they tell where the store does not tell all, and that nothing of theirs is left in it.

use reinstate_tests::postgres::{Cluster, Options};
use reinstate_tests::process::{expect, strike_when};
use serde_json::Value;

use crate::place::Place;

/// Exit code of a command that a signal ended.
const STOPPED: i32 = 6;

/// A place whose store is a database of a cluster.
fn place(options: Options, prepared: &str) -> (Cluster, Place) {
    let cluster = options.start();
    cluster.create("runs");
    let _ = cluster.sql("runs", prepared);
    let place = Place::new(Some(cluster.url("runs")), 1);
    (cluster, place)
}

/// What `bench store` says of the store.
fn measured(place: &Place, args: &[&str]) -> Value {
    let said = expect(place.command(&["bench", "store", "--store", &place.store, "--json"]).args(args), 0);
    serde_json::from_slice(&said.stdout).unwrap()
}

/// Insists that nothing is left of a measurement: no run, no piece of one, no order, no worker.
fn nothing_is_left(cluster: &Cluster) {
    for table in ["runs", "groups", "plans", "orders", "workers", "discarded"] {
        let rows = cluster.sql("runs", &format!("SELECT count(*) FROM reinstate_store.{table}"));
        assert_eq!(rows, "0", "{table}");
    }
}

#[test]
fn a_soak_by_workers_tells_of_every_table_and_leaves_nothing() {
    let (cluster, place) = place(Cluster::with(), "");
    let mut other = place.start("other", &["worker", "--labels", "reinstate-bench"]);
    place.until("the other worker", || !place.workers().is_empty());
    let figures = measured(&place, &["--soak", "2s", "--sites", "20", "--workers", "1"]);
    assert!(figures["runs"].as_u64() >= Some(1), "{figures:#}");
    assert_eq!(figures["steps"].as_u64(), figures["runs"].as_u64().map(|runs| runs * 600));
    let tables = figures["tables"].as_array().unwrap();
    let groups = tables.iter().find(|table| table["name"] == "groups").unwrap();
    assert!(groups["bytes"][3].as_u64() > Some(0) && groups["dead"][3].is_u64(), "{groups:#}");
    other.signal("-TERM");
    assert!(other.ended().success());
    let said = place.log("other");
    assert!(said.contains("ended; 0 attempts executed"), "the measurement has workers of its own: {said}");
    nothing_is_left(&cluster);
}

#[test]
fn what_statements_took_is_found_in_whatever_schema() {
    let options = Cluster::with().set("shared_preload_libraries", "pg_stat_statements");
    let (cluster, place) =
        place(options, "CREATE SCHEMA \"Told here\"; CREATE EXTENSION pg_stat_statements SCHEMA \"Told here\"");
    let figures = measured(&place, &["--history", "210", "--sites", "5"]);
    let statements = figures["statements"].as_array().unwrap();
    assert!(statements.iter().any(|one| one["us"]["with"].as_f64() > Some(0.0)), "{figures:#}");
    nothing_is_left(&cluster);
}

#[test]
fn a_server_that_does_not_tell_of_its_statements_is_measured_all_the_same() {
    for prepared in ["", "CREATE EXTENSION pg_stat_statements"] {
        let (cluster, place) = place(Cluster::with().set("track_counts", "off"), prepared);
        let figures = measured(&place, &["--history", "210", "--sites", "5"]);
        assert_eq!((&figures["statements"], figures["units"].as_u64()), (&Value::Null, Some(210)), "{prepared}");
        let figures = measured(&place, &["--soak", "1s", "--sites", "5"]);
        let tables = figures["tables"].as_array().unwrap();
        assert!(tables.iter().all(|table| table["dead"][3].is_null()), "nobody counts: {figures:#}");
        let said = expect(
            &mut place.command(&["bench", "store", "--store", &place.store, "--history", "210", "--sites", "5"]),
            0,
        );
        let said = String::from_utf8(said.stdout).unwrap();
        assert!(said.contains("what each statement took is not known"), "{said}");
        nothing_is_left(&cluster);
    }
}

#[test]
fn a_measurement_of_a_store_that_is_stopped_leaves_nothing() {
    let (cluster, place) = place(Cluster::with(), "");
    for (what, sites) in [(["--soak", "1h"], "20"), (["--history", "1000000"], "5")] {
        for workers in ["0", "1"] {
            let mut command = place.command(&["bench", "store", "--store", &place.store, "--sites", sites]);
            command.args(what).args(["--workers", workers]);
            let (status, is_over) = strike_when(&mut command, "-INT", |line| line.contains(" steps/s"));
            assert_eq!((status.code(), is_over), (Some(STOPPED), false), "{what:?}");
            nothing_is_left(&cluster);
        }
    }
}

#[test]
fn a_measurement_of_the_engine_that_is_stopped_leaves_no_run_that_a_daemon_would_go_on_with() {
    let (cluster, place) = place(Cluster::with(), "");
    let args = ["bench", "engine", "--store", &place.store, "--sites", "883", "--rate", "100", "--workers", "1"];
    let mut engine = place.start("engine", &args);
    let runs = || cluster.try_sql("runs", "SELECT count(*) FROM reinstate_store.groups").unwrap_or_default();
    place.until("it is at work", || !["", "0"].contains(&runs().as_str()));
    engine.signal("-INT");
    assert_eq!(engine.ended().code(), Some(STOPPED), "{}", place.log("engine"));
    assert!(place.log("engine").contains("error[bench-stopped]"), "{}", place.log("engine"));
    nothing_is_left(&cluster);
}

#[test]
fn the_store_that_is_filled_and_emptied_must_be_typed() {
    let place = Place::new(None, 1);
    // The variable is set, as for all commands here.
    let said = expect(&mut place.command(&["bench", "store", "--soak", "1s"]), 2);
    assert!(String::from_utf8_lossy(&said.stderr).contains("--store"), "{said:?}");
    for (args, why) in [(["--soak", "999ms"], "at least 1s"), (["--history", "6"], "from 7")] {
        let mut command = place.command(&["bench", "store", "--store", &place.store]);
        let said = expect(command.args(args), 2);
        assert!(String::from_utf8_lossy(&said.stderr).contains(why), "{said:?}");
    }
    assert!(!place.path("runs.db").exists(), "nothing was opened");
}
