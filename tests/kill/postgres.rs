//! The same on PostgreSQL, where servers die too: while a restore goes on it is killed at random moments, the live server
//! of a shard is shut down at once and started again, and the recovered server is killed.
//!
//! `REINSTATE_KILLS=50` is the long version, `REINSTATE_SEED` another order of events.

use std::path::Path;
use std::process::{Command, Stdio};

use reinstate_tests::postgres::{as_server, tool};
use reinstate_tests::process::{ServedLab, expect, reinstate, servers_in, shipped, strike_when};
use reinstate_tests::random::Random;

use crate::{BINARY, lab_has_run};

const SHARDS: u32 = 2;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What happens to a database server while the run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    /// Shut down without a checkpoint, and started again.
    LiveRestarts,
    /// All processes of the recovered server are killed; nobody starts it but the run.
    RecoveredDies,
    /// One connection of the recovered server is killed: it starts anew by itself, at an earlier point.
    RecoveredCrashes,
}

/// Does it; says whether there was anything to do it to.
fn harm(lab: &Path, shard: u64, harm: Harm) -> bool {
    let shard = format!("shard-{shard:02}");
    let (cluster, recovered) = (lab.join("clusters").join(&shard), lab.join("backups").join(&shard).join("recovered"));
    let kill = |pids: &[u32]| {
        let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
        // One that has ended meanwhile is fine.
        let _ = Command::new("kill").arg("-KILL").args(&pids).stderr(Stdio::null()).status().unwrap();
        !pids.is_empty()
    };
    match harm {
        Harm::LiveRestarts => {
            let log = cluster.join("server.log");
            let mut restart = as_server(&tool("pg_ctl"));
            restart.args(["restart", "--mode=immediate", "--silent", "--wait", "-D"]).arg(cluster.join("data"));
            let restart = restart.arg("-l").arg(log).stdin(Stdio::null()).stdout(Stdio::null());
            assert!(restart.status().unwrap().success(), "{shard} does not start again");
            true
        }
        Harm::RecoveredDies => kill(&servers_in(&recovered)),
        Harm::RecoveredCrashes => {
            let is_backend = |pid: &&u32| {
                let title = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&title).contains("[local]")
            };
            kill(servers_in(&recovered).iter().find(is_backend).map(std::slice::from_ref).unwrap_or_default())
        }
    }
}

#[test]
fn servers_and_runs_that_die_leave_the_estate_as_an_undisturbed_run() {
    let (kills, seed) = (number("REINSTATE_KILLS", 3), number("REINSTATE_SEED", 5));
    let damaged = 12 + kills as u32;
    eprintln!("seed {seed}, {kills} kills, {damaged} sites");
    let mut random = Random::new(seed);
    let lab = ServedLab::on_postgres(BINARY, damaged * 2, damaged, SHARDS, seed);
    let store = format!("sqlite:{}", lab.beside("runs.db").display());
    let most = (u64::from(damaged) * 70 / kills.max(1)).max(20);
    let (mut struck, mut asked, mut harmed, mut created) = (0, 0, Vec::new(), false);
    let mut troubles = Vec::new();
    let harms = [Harm::LiveRestarts, Harm::RecoveredDies, Harm::RecoveredCrashes];
    for n in 0.. {
        let mut command = reinstate(BINARY);
        if created {
            command.args(["resume", "k"]);
        } else {
            let planned = lab.planned(&shipped("restoration-2.yaml"));
            command.arg("run").args(planned).args(["--input", "margin=5s", "--run", "k", "--yes"]);
        }
        command.args(["--json", "--store", &store]);
        let last = struck >= kills;
        let until = random.between(1, most);
        let when = random.between(1, until);
        let (what, shard) = (harms[n % harms.len()], random.between(0, u64::from(SHARDS) - 1));
        let (mut line, mut done) = (0, false);
        let (status, ended) = strike_when(&mut command, "-KILL", |text| {
            line += 1;
            if !["\"succeeded\"", "\"started\"", "/vendors/"].iter().any(|usual| text.contains(usual)) {
                troubles.push(text.to_owned());
            }
            // Nothing can be done to a server that is not there yet.
            if line >= when && !done && harm(&lab.dir(), shard, what) {
                done = true;
                harmed.push(what);
            }
            line >= until && !last
        });
        if ended && status.code() == Some(5) {
            // More kills met one unit than the runbook tries it: it is left to people, who try again.
            asked += 1;
            assert!(asked <= kills, "seed {seed}, after {struck} kills and {harmed:?}:\n{}", troubles.concat());
            let why = ["--reason", "its servers are there", "--store", &store];
            let _ = expect(reinstate(BINARY).args(["retry", "k", "--quarantined"]).args(why), 0);
            let _ = expect(reinstate(BINARY).args(["continue", "k"]).args(why), 0);
            continue;
        }
        if ended {
            let said = troubles.concat();
            assert_eq!(status.code(), Some(0), "seed {seed}, after {struck} kills and {harmed:?}:\n{said}");
            break;
        }
        struck += 1;
        created = created || lab_has_run(&store);
    }
    let _ = expect(reinstate(BINARY).args(["resume", "k", "--json", "--store", &store]), 0);
    for shard in 0..SHARDS {
        let recovered = lab.dir().join("backups").join(format!("shard-{shard:02}")).join("recovered");
        assert_eq!(servers_in(&recovered), Vec::<u32>::new(), "seed {seed}: a recovered server outlives its run");
    }
    let diff = lab.diff();
    assert_eq!(diff["clean"], true, "seed {seed}: {diff:#}");
    assert_eq!(diff["sites_equal"], damaged, "seed {seed}");
    assert_eq!((&diff["effects_applied_twice"], &diff["bystanders_changed"]), (&0.into(), &0.into()), "seed {seed}");
    assert!(struck * 2 >= kills, "only {struck} of {kills} strikes met a running process");
    eprintln!("{struck} kills of the run survived, {asked} times with a retry by hand, and of servers: {harmed:?}");
    if asked > 0 {
        eprintln!("{}", troubles.concat());
    }
}
