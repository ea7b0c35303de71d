//! Runs that somebody else has opened: who asks for a run may not approve it.

use std::collections::BTreeMap;
use std::path::Path;

use engine::{Event, GroupWriter, Link, Plan, Record};
use runbook::{Estate, Format, SiteList, Source};
use runtime::{Holder, RunHead};

/// Records a run that anna has opened; nobody drives it yet. Who asks for a run may not approve it, so that whoever runs
/// this test can.
///
/// # Panics
/// If the run cannot be planned or recorded.
pub fn opened_by_anna(
    store: &str,
    name: &str,
    (runbook, sites, estate): (&Path, &Path, &Path),
    inputs: &[(&str, &str)],
) {
    let source = |path: &Path| Source::new(path.display().to_string(), std::fs::read_to_string(path).unwrap());
    let (estate, found) = Estate::parse(&source(estate));
    let estate = estate.unwrap_or_else(|| panic!("{found:?}"));
    let checked = runbook::check_for(&source(runbook), &connectors::catalogue(), &estate);
    let book = checked.runbook.unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
    let list = source(sites);
    let (list, found) = SiteList::parse(&list, Format::guess(&list.text), &book);
    let list = list.unwrap_or_else(|| panic!("{found:?}"));
    let inputs = inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let spec = runbook::plan(&book, &estate, &list, &inputs, &BTreeMap::new()).unwrap();
    let plan = Plan::new(spec).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = store::open(store).await.unwrap();
        let at = runtime::Clock::now(&runtime::SystemClock);
        let head = RunHead { run: name.to_owned(), plan_hash: plan.hash().to_owned(), created_at: at };
        let ids: Vec<String> = plan.spec().sites.ids.iter().map(str::to_owned).collect();
        let bytes = plan.encode().unwrap();
        store.create_holding(&head, &bytes, &plan.spec().origin.estate, &ids).await.unwrap();
        let holder = Holder { name: "anna".into(), pid: std::process::id(), host: "here".into() };
        let lease = store.acquire(name, &holder, 60_000).await.unwrap();
        let mut group = GroupWriter::after(Link::first(name, plan.hash()));
        group.push(&Record { at, event: Event::Opened { actor: "anna".into(), plan: plan.hash().into() } });
        store.append(&lease, 0, &group.finish().bytes).await.unwrap();
        store.release(&lease).await.unwrap();
    });
}

/// Who the binary takes this user for when nobody is behind `sudo`.
///
/// # Panics
/// If the system does not tell.
#[must_use]
pub fn me() -> String {
    let told = std::process::Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}
