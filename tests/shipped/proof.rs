//! What is proved of each runbook.

use std::collections::{BTreeMap, BTreeSet};

use engine::Mode;
use reinstate_tests::process::{expect, strike_when};

use crate::books::{Book, World, verb};
use crate::journal::{Seen, cut_after, seen, steps};
use crate::variant;

fn id(row: &str) -> &str {
    row.split(',').next().unwrap_or_default()
}

/// Each step of one target after or in which it fails; every target is taken back, and the estate is as before.
pub fn whichever_step_fails(book: &Book) {
    let text = book.text();
    let mut all = variant::steps(&text);
    // Steps with items come first, as the targets that have some do.
    all.sort_by_key(|step| !step.listed);
    // On servers, where every target takes its time, what fails after a check is left to what fails before it.
    let has_after = |step: &variant::Step| !book.renews || !step.each || step.has_undo || step.asks;
    let world = World::new(book, all.len() + all.iter().filter(|step| has_after(step)).count());
    let mut rows = world.rows.clone().into_iter();
    let (mut list, mut fails, mut book_text) = (Vec::new(), BTreeMap::new(), variant::all_at_once(&text));
    for step in &all {
        // A step that stands for a rule of the list refuses the row that breaks it, and no other.
        let reaches_nothing = step.each && !step.asks && variant::unreachable(&text, &step.name, None).is_none();
        if reaches_nothing {
            let row = rows.next().unwrap().replace(",true", ",false");
            fails.insert(id(&row).to_owned(), (step.name.clone(), "in"));
            list.push(row);
            continue;
        }
        if has_after(step) {
            let row = rows.next().unwrap();
            book_text = variant::failing_after(&book_text, &step.name, id(&row));
            fails.insert(id(&row).to_owned(), (step.name.clone(), "after"));
            list.push(row);
        }
        // A decision reaches for nothing, and here nobody is asked.
        if step.each && !step.asks {
            let row = rows.next().unwrap();
            book_text = variant::unreachable(&book_text, &step.name, Some(id(&row))).unwrap();
            fails.insert(id(&row).to_owned(), (step.name.clone(), "in"));
            list.push(row);
        }
    }
    let store = world.store("each");
    let _ = expect(&mut world.run(&store, "each", &book_text, &list), 4);

    let attempts = seen(&store, "each");
    for (target, (step, how)) in &fails {
        let of = |event: &str, step: &str| {
            attempts.iter().any(|one| one.is(event, step, Mode::Apply) && one.unit.contains(target.as_str()))
        };
        let wide = all.iter().any(|one| one.name == *step && (!one.each || one.asks));
        if *how == "after" {
            assert!(wide || of("succeeded", step), "{step} succeeded for {target}");
            assert!(of("refused", &format!("after_{step}")), "{target} failed after {step}");
        } else {
            assert!(of("refused", step) && !of("succeeded", step), "{step} failed for {target}");
        }
    }
    let undone = steps(&attempts, "succeeded", Mode::Undo);
    let missing: Vec<&str> = all
        .iter()
        .filter(|step| step.each && step.has_undo && !undone.contains(&step.name))
        .map(|step| step.name.as_str())
        .collect();
    let never_ran: Vec<&str> = fails.values().filter(|(_, how)| *how == "in").map(|(step, _)| step.as_str()).collect();
    assert!(
        missing
            .iter()
            .all(|step| never_ran.contains(step) && !steps(&attempts, "succeeded", Mode::Apply).contains(*step)),
        "not taken back: {missing:?}"
    );
    let output = expect(&mut verb(&store, &["sites", "each", "--json"]), 0);
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let site: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(site["state"], "undone", "it fails {:?}: {line}", fails.get(site["id"].as_str().unwrap()));
    }
    let blame = |changed: Vec<lab::Changed>| -> Vec<String> {
        let of = |table: &lab::Changed, site: &String| {
            format!("{}.{}: fails {:?}", table.store, table.table, fails.get(site))
        };
        changed.iter().flat_map(|table| table.sites.iter().map(move |site| of(table, site))).collect()
    };
    assert_eq!(blame(world.changed()), Vec::<String>::new());
    // What the targets shared goes with the whole run.
    world.take_back(&store, "each");
    assert_eq!(blame(world.changed()), Vec::<String>::new());
    assert_eq!(world.recovered(), Vec::<std::path::PathBuf>::new());
    shared_step_fails(&world, &text, &all);
}

/// A step that several targets share fails for all of them.
fn shared_step_fails(world: &World, text: &str, all: &[variant::Step]) {
    for step in all.iter().filter(|step| !step.each) {
        let store = world.store(&step.name);
        let text = variant::unreachable(&variant::all_at_once(text), &step.name, None).unwrap();
        let output = world.run(&store, "one", &text, &world.rows[..3]).output().unwrap();
        assert!(matches!(output.status.code(), Some(3..=5)), "{}: {:?}", step.name, output.status);
        assert!(seen(&store, "one").iter().any(|one| one.is("refused", &step.name, Mode::Apply)), "{}", step.name);
        world.take_back(&store, "one");
        assert_eq!(world.changed(), [], "{} fails", step.name);
        assert_eq!(world.recovered(), Vec::<std::path::PathBuf>::new(), "{} fails", step.name);
    }
}

/// Every undo is delivered twice: the journal forgets that it was.
pub fn each_undo_twice(book: &Book) {
    let text = book.text();
    let world = World::new(book, 4);
    let rows = &world.rows[..4];
    let first = world.store("first");
    let _ = expect(&mut world.run(&first, "r", &text, rows), 0);
    let done = world.lab.fingerprint();
    assert_ne!(done.hash, world.before.hash, "it did something");
    let second = world.store("second");
    for entry in std::fs::read_dir(first.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, second.with_file_name(path.file_name().unwrap())).unwrap();
    }
    let wanted: BTreeSet<String> =
        variant::steps(&text).into_iter().filter(|step| step.has_undo).map(|step| step.name).collect();
    for store in [&first, &second] {
        world.take_back(store, "r");
        let attempts = seen(store, "r");
        let ran = steps(&attempts, "succeeded", Mode::Apply);
        let wanted: BTreeSet<String> = wanted.intersection(&ran).cloned().collect();
        assert!(!wanted.is_empty());
        assert_eq!(steps(&attempts, "succeeded", Mode::Undo), wanted);
        assert_eq!(world.changed(), []);
        assert_eq!(world.recovered(), Vec::<std::path::PathBuf>::new());
    }
    // The way is free for another run.
    let _ = expect(&mut world.run(&world.store("again"), "again", &text, rows), 0);
    world.is_as(&done, rows.len(), "another run");
}

/// Killed with each step under way, on the way there and on the way back.
pub fn killed_at_each_step(book: &Book) {
    let text = book.text();
    let world = World::new(book, 3);
    let rows = &world.rows[..3];
    let undisturbed = world.store("undisturbed");
    let _ = expect(&mut world.run(&undisturbed, "r", &text, rows), 0);
    let done = world.lab.fingerprint();
    let attempts = seen(&undisturbed, "r");
    world.take_back(&undisturbed, "r");
    assert_eq!(world.changed(), []);

    let there = steps(&attempts, "succeeded", Mode::Apply);
    let back = steps(&seen(&undisturbed, "r"), "succeeded", Mode::Undo);

    // A step that is over before the kill comes is tried again in the next round.
    let (mut struck_there, mut struck_back) = (BTreeSet::new(), BTreeSet::new());
    let mut rounds = 0..10;
    while (&struck_there, &struck_back) != (&there, &back) {
        let round =
            rounds.next().unwrap_or_else(|| panic!("{struck_there:?} of {there:?}, {struck_back:?} of {back:?}"));
        let store = world.store(&format!("killed-{round}"));
        let mut start = Some(world.run(&store, "k", &text, rows));
        let resume = || verb(&store, &["resume", "k", "--json"]);
        strike_each(&store, Mode::Apply, 0, &mut struck_there, || start.take().unwrap_or_else(resume));
        world.is_as(&done, rows.len(), "as without a kill");
        assert_eq!(world.lab.diff()["effects_applied_twice"], 0);

        let _ = expect(&mut verb(&store, &["cancel", "k", "--undo", "--reason", "a test"]), 0);
        strike_each(&store, Mode::Undo, 4, &mut struck_back, resume);
        assert_eq!(world.changed(), []);
        assert_eq!(world.recovered(), Vec::<std::path::PathBuf>::new());
    }
}

/// Kills the run `k` as soon as a step starts in this mode that was never under way at a kill, until it ends; adds those that
/// were.
fn strike_each(
    store: &std::path::Path,
    mode: Mode,
    code: i32,
    struck: &mut BTreeSet<String>,
    mut command: impl FnMut() -> std::process::Command,
) {
    // Each step once in a round, so that every round ends.
    let mut tried = struck.clone();
    loop {
        let mut now = None;
        let (status, ended) = strike_when(&mut command(), "-KILL", |line| {
            let Ok(event) = serde_json::from_str::<serde_json::Value>(line) else { return false };
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            let is = match mode {
                Mode::Undo => text("detail").ends_with(", an undo"),
                _ => !text("detail").contains(','),
            };
            let step = text("subject").split('/').next().unwrap_or_default().to_owned();
            let strike = text("event") == "started" && is && !tried.contains(&step);
            if strike {
                now = Some(step);
            }
            strike
        });
        let Some(step) = now else {
            let is_over = ended && status.code() == Some(code);
            let told = || String::from_utf8(verb(store, &["report", "k"]).output().unwrap().stdout).unwrap();
            assert!(is_over, "it ended with {status}:\n{}", told());
            return;
        };
        tried.insert(step);
        // Answers that came in after the last start are taken away, as if the kill had been a little earlier. A start is
        // not: nothing acts before its start is durable.
        let mut attempts = seen(store, "k");
        let group = attempts.iter().rfind(|one| one.event == "started").expect("a start was printed").group;
        cut_after(store, "k", group);
        attempts.retain(|one| one.group <= group);
        struck.extend(under_way(&attempts, mode));
    }
}

/// The steps of which a unit has started in this mode and not ended since.
fn under_way(attempts: &[Seen], mode: Mode) -> BTreeSet<String> {
    let mut last: BTreeMap<&str, &Seen> = BTreeMap::new();
    // A probe that was begun changes nothing about what is under way; its answer does.
    for one in attempts.iter().filter(|one| one.event != "started" || !one.mode.is_probe()) {
        last.insert(&one.unit, one);
    }
    let open = last.into_values().filter(|one| one.event == "started" && one.mode == mode);
    open.map(|one| one.step.clone()).collect()
}
