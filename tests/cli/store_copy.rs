//! Runs that are copied from one store to another, or not.

use reinstate_tests::postgres::Cluster;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::place::{Place, holds, runbook, wait};

/// A place with a run that is over, and a server with an empty store.
fn with_a_run() -> (Place, Cluster, String) {
    let place = Place::new();
    place.write("r.yaml", runbook("r", "", "  work: { uses: noop@1 }\n"));
    let _ = place.run("r.yaml", "april", 0);
    let cluster = Cluster::start();
    let to = cluster.url("postgres");
    let _ = place.said(&["runs", "--store", &to], 0);
    (place, cluster, to)
}

const COPY: [&str; 3] = ["store", "copy", "sqlite:runs.db"];

#[test]
fn a_copy_that_is_killed_half_way_leaves_nothing_and_is_given_again() {
    let (place, cluster, to) = with_a_run();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut lock = runtime.block_on(PgConnection::connect(&to)).unwrap();
    let mut say = |text: &str| {
        runtime.block_on(sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut lock)).unwrap();
    };
    say("BEGIN; LOCK TABLE reinstate_store.groups IN EXCLUSIVE MODE");
    let mut child = place.command(&[&COPY[..], &[&to, "april"]].concat()).spawn().unwrap();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    while cluster.sql("postgres", waiting) != "1" {
        assert!(child.try_wait().unwrap().is_none(), "it did not wait");
    }
    // The run, its plan and its sites are in the open transaction.
    child.kill().unwrap();
    let _ = wait(child);
    say("COMMIT");
    let others = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'reinstate'";
    while cluster.sql("postgres", others) != "0" {}
    for table in ["runs", "plans", "positions", "groups", "held_sites"] {
        let rows = cluster.sql("postgres", &format!("SELECT count(*) FROM reinstate_store.{table}"));
        assert_eq!(rows, "0", "{table}");
    }
    for told in ["is copied", "was there already"] {
        holds(&place.said(&[&COPY[..], &[&to, "april"]].concat(), 0).out, &["run april: ", told, "whole"]);
    }
    holds(&place.said(&["audit", "verify", "april", "--store", &to], 0).out, &["run april"]);
}

#[test]
fn a_name_that_is_spent_in_the_new_store_is_refused() {
    let (place, _cluster, to) = with_a_run();
    let copy = [&COPY[..], &[&to]].concat();
    holds(&place.said(&copy, 0).out, &["run april: is copied"]);
    let prune = ["runs", "prune", "--older-than", "0s", "--yes", "--store", &to];
    holds(&place.said(&prune, 0).out, &["april ", "deleted"]);
    holds(&place.said(&copy, 2).err, &["error[journal-name-spent]", "april", "hint:"]);
    assert_eq!(place.said(&["runs", "--json", "--store", &to], 0).json().as_array().unwrap().len(), 0);
    holds(&place.said(&["status", "april"], 0).out, &["succeeded: 4 of 4"]);
}
