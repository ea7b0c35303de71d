//! What a run did is taken back by it, and the estate is as it was.

use std::collections::BTreeSet;
use std::path::Path;

use lab::Fingerprint;
use reinstate_tests::process::{ServedLab, reinstate, strike};
use reinstate_tests::random::Random;

use crate::place::{BINARY, expect, holds};

/// One step of each kind that acts; the last one refuses every site.
const RUNBOOK: &str = r#"
schema: runbook/v1
name: there-and-back
targets:
  kind: site
  attributes: { shard: string, region: string, products: list<string>, users: integer, apps: list<string>, deleted_at: timestamp }
  scopes: { shard: site.shard }
restore_point: { before: site.deleted_at, margin: 5m, align: shard, max_loss: 1h }
batches: { sizes: [rest], max_failures: [100%] }
defaults: { scope: site, timeout: 1m, retry: { attempts: 5, backoff: exponential, delay: 50ms, max_delay: 1s } }
steps:
  recover:
    scope: shard
    uses: sqlite/recover@1
    with: { backup: "${{ estate.shards[shard].backup }}", at: "${{ restore_point }}" }
    undo: { uses: sqlite/drop-recovered@1, with: { backup: "${{ estate.shards[shard].backup }}", at: "${{ restore_point }}" } }
  catalogue:
    uses: http/request@1
    with: { method: POST, url: "${{ estate.catalogue }}/sites/${{ site.id }}/undelete", body: { restore_point: "${{ site.restore_point }}" } }
    undo: { uses: http/request@1, with: { method: POST, url: "${{ estate.catalogue }}/sites/${{ site.id }}/undo/undelete" } }
  app_records:
    needs: catalogue
    uses: http/request@1
    with: { method: POST, url: "${{ estate.catalogue }}/sites/${{ site.id }}/restore-apps", body: { restore_point: "${{ site.restore_point }}" } }
    undo: { uses: http/request@1, with: { method: POST, url: "${{ estate.catalogue }}/sites/${{ site.id }}/undo/restore-apps" } }
  users:
    needs: catalogue
    uses: http/request@1
    with:
      method: POST
      url: "${{ estate.identity }}/sites/${{ site.id }}/sync-users"
      body: { restore_point: "${{ site.restore_point }}" }
      poll: { interval: 10ms }
    undo: { uses: http/request@1, with: { method: POST, url: "${{ estate.identity }}/sites/${{ site.id }}/undo/sync-users" } }
  databases:
    needs: [catalogue, recover]
    uses: sqlite/restore@1
    with:
      from: "${{ steps.recover.outputs.path }}"
      to: "${{ estate.shards[site.shard].live }}"
      root: { table: sites, key: site_id, column: site_id }
      tenant: "${{ site.id }}"
    undo:
      uses: sqlite/remove@1
      with:
        to: "${{ estate.shards[site.shard].live }}"
        root: { table: sites, key: site_id, column: site_id }
        tenant: "${{ site.id }}"
  objects:
    needs: catalogue
    uses: objects/copy@1
    with: { from: "${{ estate.objects.backup }}", to: "${{ estate.objects.live }}", prefix: "${{ site.id }}" }
    undo:
      uses: objects/remove@1
      with: { from: "${{ estate.objects.backup }}", to: "${{ estate.objects.live }}", prefix: "${{ site.id }}" }
  apps:
    needs: [app_records, databases]
    for_each: site.apps
    uses: http/request@1
    with:
      method: POST
      url: "${{ estate.vendors }}/apps/${{ item }}/reinstall"
      headers: { Authorization: "Bearer ${{ secrets.vendor_token }}" }
      body: { restore_point: "${{ site.restore_point }}" }
    undo:
      uses: http/request@1
      with:
        method: POST
        url: "${{ estate.vendors }}/apps/${{ item }}/uninstall"
        headers: { Authorization: "Bearer ${{ secrets.vendor_token }}" }
  search:
    needs: databases
    for_each: site.products
    uses: http/request@1
    with: { method: POST, url: "${{ estate.search }}/sites/${{ site.id }}/rebuild/${{ item }}" }
    undo: { uses: http/request@1, with: { method: POST, url: "${{ estate.search }}/sites/${{ site.id }}/undo/rebuild/${{ item }}" } }
  judge:
    needs: [users, objects, apps, search]
    on_failure: undo
    retry: { attempts: 1 }
    uses: exec/run@1
    with: { command: [sh, -c, "exit 3"], failure_means: refused, idempotent: true }
"#;

fn fingerprint(dir: &Path) -> Fingerprint {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(lab::fingerprint(dir)).unwrap()
}

/// Names what differs of the listed sites; the other tenants go on writing.
fn differ(lab: &ServedLab, before: &Fingerprint) -> Vec<String> {
    let list = std::fs::read_to_string(lab.dir().join("sites.csv")).unwrap();
    let listed: BTreeSet<&str> = list.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    let changed = before.differences(&fingerprint(&lab.dir()));
    changed
        .iter()
        .flat_map(|table| table.sites.iter().map(move |site| (table, site)))
        .filter(|(_, site)| listed.contains(site.as_str()))
        .map(|(table, site)| format!("{site}: {}.{}", table.store, table.table))
        .collect()
}

#[test]
fn sites_that_fail_their_last_check_are_taken_back_and_the_estate_is_as_before() {
    let lab = ServedLab::damaged(BINARY, 40, 8, 2, 11);
    let store = format!("sqlite:{}", lab.beside("runs.db").display());
    let runbook = lab.beside("there-and-back.yaml");
    std::fs::write(&runbook, RUNBOOK).unwrap();
    let before = fingerprint(&lab.dir());
    let mut run = reinstate(BINARY);
    run.arg("run").args(lab.planned(&runbook)).args(["--run", "u", "--yes", "--store", &store]);
    let said = expect(&mut run, 4);
    holds(&said.all(), &["undone", "0 of 8 sites returned"]);
    assert_eq!(differ(&lab, &before), Vec::<String>::new());
    let diff = lab.diff();
    assert_eq!((&diff["effects_applied_twice"], &diff["bystanders_changed"]), (&0.into(), &0.into()), "{diff:#}");

    // The same sites come back under another run.
    std::fs::write(&runbook, RUNBOOK.replace("exit 3", "exit 0")).unwrap();
    let mut run = reinstate(BINARY);
    run.arg("run").args(lab.planned(&runbook)).args(["--run", "again", "--yes", "--store", &store]);
    holds(&expect(&mut run, 0).out, &["8 of 8 sites returned"]);
    assert!(!differ(&lab, &before).is_empty());
}

#[test]
fn a_run_that_is_killed_while_it_takes_back_takes_back_the_rest() {
    let seed = 5;
    let mut random = Random::new(seed);
    let lab = ServedLab::damaged(BINARY, 40, 10, 2, seed);
    let store = format!("sqlite:{}", lab.beside("runs.db").display());
    let runbook = lab.beside("there-and-back.yaml");
    std::fs::write(&runbook, RUNBOOK).unwrap();
    let before = fingerprint(&lab.dir());
    let mut struck = 0;
    for first in std::iter::once(true).chain(std::iter::repeat(false)) {
        let mut command = reinstate(BINARY);
        if first {
            command.arg("run").args(lab.planned(&runbook)).args(["--run", "k", "--yes"]);
        } else {
            command.args(["resume", "k"]);
        }
        command.args(["--json", "--store", &store]);
        // About 40 events a site, half of them on the way back.
        let (status, ended) = strike(&mut command, random.between(20, 120), "-9");
        if ended {
            assert_eq!(status.code(), Some(4), "seed {seed}");
            break;
        }
        struck += 1;
        assert!(struck < 100, "seed {seed}: it does not end");
    }
    assert!(struck > 1, "seed {seed}: struck {struck} times");
    assert_eq!(differ(&lab, &before), Vec::<String>::new(), "seed {seed}");
    let diff = lab.diff();
    assert_eq!((&diff["effects_applied_twice"], &diff["bystanders_changed"]), (&0.into(), &0.into()), "{diff:#}");
}
