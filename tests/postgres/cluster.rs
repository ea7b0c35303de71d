//! The fixture itself: what other tests lean on.

use reinstate_tests::postgres::Cluster;

#[test]
fn a_cluster_outlives_a_kill_and_archives_its_wal() {
    let mut cluster = Cluster::with().archive().set("wal_level", "logical").start();
    cluster.create("shop");
    let _ = cluster.sql("shop", "CREATE TABLE kept (id int PRIMARY KEY); INSERT INTO kept VALUES (7); CHECKPOINT");
    let backup = cluster.base_backup("base");
    assert!(backup.join("backup_manifest").exists());
    cluster.archive_now();
    assert!(std::fs::read_dir(cluster.archive()).unwrap().count() >= 1);
    cluster.kill();
    cluster.start_again();
    assert_eq!(cluster.sql("shop", "SELECT id FROM kept"), "7");
    let error = cluster.try_sql("shop", "SELECT 1; SELECT nothing FROM nowhere").unwrap_err();
    assert!(error.contains("nowhere"), "{error}");
}

#[test]
fn clusters_know_nothing_of_each_other() {
    let (one, other) = (Cluster::start(), Cluster::start());
    one.create("shop");
    assert_eq!(other.sql("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'shop'"), "0");
}
