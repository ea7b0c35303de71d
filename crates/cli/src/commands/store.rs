//! `store copy`: runs from one store to another.

use std::sync::Arc;

use engine::Link;
use runtime::{JournalError, Lease, RunCopy, Store};
use serde_json::json;
use server::holder;

use crate::args::StoreCommand;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

/// Groups that are read at once.
const PAGE: u32 = 256;
/// Time that workers get to let go of a run.
const LETTING_GO: std::time::Duration = std::time::Duration::from_secs(15);
/// How long the lease of a run lasts that is copied, from each page on.
const LEASE_MS: u64 = 60_000;

/// Carries a command on stores out.
pub(crate) async fn store(command: StoreCommand, json: bool) -> Result<Exit, Failure> {
    let StoreCommand::Copy { from, to, mut runs } = command;
    let (source, target) = (from.open().await?, to.open().await?);
    if runs.is_empty() {
        // The oldest first, so that a list of the new store has them in the same order.
        runs.extend(source.list().await?.into_iter().rev().map(|listed| listed.head.run));
    }
    let mut told = Vec::new();
    for run in &runs {
        // Its lease keeps drivers away for as long as it takes.
        let lease = source.borrow(run, &holder(), LEASE_MS).await?;
        let copied = copy(&source, &target, &lease).await;
        // Nobody goes on here with what goes on there.
        if copied.is_ok() {
            source.release(&lease).await?
        } else {
            source.give_back(&lease).await?
        }
        let Copied { groups, was_there } = copied?;
        if !json {
            let what = if was_there { "was there already" } else { "is copied" };
            out::answer(&format!("run {run}: {what}, {groups} groups, whole"));
        }
        told.push(json!({ "run": run, "groups": groups, "was_there": was_there }));
    }
    if json {
        out::json(&told);
    } else if !runs.is_empty() {
        out::note(&format!("go on with these runs in {to} alone; {from} still has them"));
    }
    Ok(Exit::Done)
}

struct Copied {
    groups: u64,
    was_there: bool,
}

/// Takes a run from the workers that still execute attempts of it: whoever goes on with the copy probes what they did.
async fn free_of_workers(source: &dyn Store, lease: &Lease) -> Result<(), Failure> {
    let begun = tokio::time::Instant::now();
    loop {
        let held = source.withdraw_orders(lease, 0).await?;
        if held == 0 {
            return Ok(());
        }
        if begun.elapsed() > LETTING_GO {
            return Err(Failure::input(
                "store-copy-workers",
                format!("workers still execute {held} attempts of {}", lease.run),
                "they were asked to end: copy again in a minute, or stop them (`reinstate workers`)",
            ));
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// Copies one run whose lease we hold, and looks at what has become of it.
async fn copy(source: &Arc<dyn Store>, target: &Arc<dyn Store>, lease: &Lease) -> Result<Copied, Failure> {
    let run = &lease.run;
    free_of_workers(&**source, lease).await?;
    let recovered = runtime::recover(&**source, run, |_, _| {}).await?;
    let spec = recovered.run.plan().spec();
    let (head, plan) = source.plan(run).await?;
    let mut groups = Vec::new();
    loop {
        let page = source.load(run, groups.len() as u64, PAGE).await?;
        if page.is_empty() {
            break;
        }
        groups.extend(page.into_iter().map(|group| group.bytes));
        source.renew(lease, LEASE_MS).await?;
    }
    let estate = spec.origin.estate.clone();
    let ids: Vec<String> = spec.sites.ids.iter().map(str::to_owned).collect();
    let held = source.holders(&estate, &ids).await?.into_iter().filter(|held| held.run == *run);
    let sites = held.map(|held| held.site).collect();
    let (count, newest) = (groups.len() as u64, recovered.chain.head());
    let made = target.create_copy(&RunCopy { head, plan, epoch: lease.epoch, groups, estate, sites }).await;
    // Whoever drove it meanwhile, because this took longer than the lease, has more than was copied.
    source.renew(lease, LEASE_MS).await?;
    let was_there = match made {
        Ok(()) => false,
        Err(JournalError::Exists(_)) => true,
        Err(error) => return Err(error.into()),
    };
    if is_same(target, run, count, newest).await? {
        return Ok(Copied { groups: count, was_there });
    }
    if was_there {
        return Err(JournalError::Exists(run.clone()).into());
    }
    let fact = format!("run {run} is not in the new store as it is in the old one");
    Err(Failure::new(Exit::Trouble, "store-copy", fact, "keep both stores, and report this as a defect"))
}

async fn is_same(target: &Arc<dyn Store>, run: &str, groups: u64, newest: Link) -> Result<bool, Failure> {
    let found = runtime::verify(&**target, run, None).await?;
    Ok(found.fault.is_none() && found.groups == groups && (groups == 0 || found.head == Some(newest)))
}
