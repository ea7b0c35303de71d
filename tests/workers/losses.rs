//! Workers and drivers that are lost while an attempt is under way.

use reinstate_tests::postgres::Cluster;

use crate::place::Place;

/// A store on PostgreSQL, and one in a file.
fn on_both(check: impl Fn(&Place)) {
    let cluster = Cluster::start();
    cluster.create("runs");
    check(&Place::new(Some(cluster.url("runs")), 6));
    check(&Place::new(None, 6));
}

#[test]
fn what_a_killed_worker_had_is_probed_by_another_and_done_once() {
    on_both(|place| {
        let lost = place.worker("lost", "2s");
        let mut run = place.run("r");
        place.until("as many attempts as it has slots", || place.effects().len() == 4);
        lost.signal("-KILL");
        place.go();
        let _next = place.worker("next", "60s");
        assert!(run.ended().success(), "{}", place.log("r"));
        place.is_whole("r");
    });
}

#[test]
fn a_worker_that_stood_still_for_longer_than_its_lease_is_not_heard_any_more() {
    on_both(|place| {
        let still = place.worker("still", "2s");
        let mut run = place.run("r");
        place.until("as many attempts as it has slots", || place.effects().len() == 4);
        still.signal("-STOP");
        let _next = place.worker("next", "60s");
        place.until("the store gives it up", || place.workers().iter().all(|one| one["name"] == "next"));
        place.until("the other two", || place.effects().len() == 6);
        still.signal("-CONT");
        place.go();
        assert!(run.ended().success(), "{}", place.log("r"));
        place.until("a new life", || place.log("still").matches("takes orders").count() == 2);
        assert!(place.log("still").contains("gave up 4 attempts"), "{}", place.log("still"));
        place.is_whole("r");
    });
}

#[test]
fn a_worker_that_drains_finishes_what_it_has_and_takes_no_more() {
    on_both(|place| {
        let mut drains = place.worker("drains", "60s");
        let mut run = place.run("r");
        place.until("as many attempts as it has slots", || place.effects().len() == 4);
        drains.signal("-TERM");
        place.until("it is known", || place.workers().iter().any(|one| one["drains"] == true && one["holds"] == 4));
        assert!(!drains.is_over() && !run.is_over());
        place.go();
        assert!(drains.ended().success());
        assert!(place.log("drains").contains("ended; 4 attempts executed"), "{}", place.log("drains"));
        assert!(place.workers().is_empty(), "it is struck off");
        let _next = place.worker("next", "60s");
        assert!(run.ended().success(), "{}", place.log("r"));
        place.is_whole("r");
    });
}

#[test]
fn what_a_killed_driver_had_sent_is_probed_by_who_goes_on_and_done_once() {
    on_both(|place| {
        let _worker = place.worker("worker", "60s");
        let run = place.run("r");
        place.until("as many attempts as it has slots", || place.effects().len() == 4);
        run.signal("-KILL");
        drop(run);
        let mut resumed = place.start("again", &["resume", "r"]);
        place.until("the worker lets go of what the old one sent", || {
            if resumed.is_over() {
                // On PostgreSQL the lease has to expire first.
                assert!(place.log("again").contains("journal-held"), "{}", place.log("again"));
                resumed = place.start("again", &["resume", "r"]);
            }
            place.workers().iter().all(|one| one["holds"].as_u64() < Some(4))
        });
        place.go();
        assert!(resumed.ended().success(), "{}", place.log("again"));
        place.is_whole("r");
        assert!(place.workers().iter().all(|one| one["holds"] == 0), "nothing is left of the old one");
    });
}

#[test]
fn a_worker_that_is_stopped_at_once_lets_go_and_what_it_had_is_probed() {
    on_both(|place| {
        let mut stopped = place.worker("stopped", "60s");
        let mut run = place.run("r");
        place.until("as many attempts as it has slots", || place.effects().len() == 4);
        stopped.signal("-INT");
        place.until("it drains", || place.log("stopped").contains("takes no more; 4 attempts left"));
        stopped.signal("-INT");
        assert!(stopped.ended().success(), "{}", place.log("stopped"));
        place.go();
        let _next = place.worker("next", "60s");
        assert!(run.ended().success(), "{}", place.log("r"));
        place.is_whole("r");
    });
}
