//! Drill files: what is refused, in one pass and with its place, and what plans come of one that is right.

use engine::{ChaosMark, Disturbance, DrillPart, Plan, PlanSpec, Work};
use runbook::{
    CheckedDrill, Diagnostic, Drill, DrillFiles, Estate, Format, Occasion, Prepared, Runbook, SiteList, Source,
    check_drill, render_text,
};

use crate::fixture;

const DRILL: &str = r#"schema: drill/v1
name: weekly
description: Bring three sites back every Monday.
runbook: restore.yaml
estate: lab/estate.yaml
sites: sites.csv
inputs: { margin: 10m }
schedule: { cron: "30 3 * * 1", time_zone: Europe/Berlin, overlap: skip, catch_up: { all: 3 } }
sample: { count: 2, stratify_by: [region, products, users], seed: 7 }
restore_point: { random: 1h }
objectives: { rto_p95: 30m, rpo_max: 1h, throughput_min: 1.5 }
alarm_after: 8d
defaults: { timeout: 1m }
set_up:
  delete: { uses: http/request@1, with: { method: POST, url: "${{ estate.catalogue }}/sites/${{ site.id }}/delete" } }
  ready: { scope: shard, needs: delete, uses: check/site@1, with: { shard: "${{ shard }}", at: "${{ restore_point }}" } }
take_back: true
clean_up:
  delete_again: { uses: http/request@1, with: { method: DELETE, url: "${{ estate.catalogue }}/sites/${{ site.id }}" } }
  told: { scope: run, needs: delete_again, uses: identity/sync@1, with: { margin: "${{ inputs.margin }}" } }
"#;

fn estate(text: &str) -> Estate {
    Estate::parse_for(&Source::new("estate.yaml", text), &fixture::catalogue()).0.unwrap()
}

fn runbook() -> Runbook {
    let source = Source::new("restore.yaml", fixture::RUNBOOK);
    runbook::check_for(&source, &fixture::catalogue(), &estate(fixture::ESTATE)).runbook.unwrap()
}

fn checked(text: &str) -> CheckedDrill {
    let source = Source::new("weekly.yaml", text);
    check_drill(&source, &fixture::catalogue(), Some(&runbook()), Some(&estate(fixture::ESTATE)))
}

fn shown(found: &[Diagnostic], text: &str) -> String {
    render_text(found, &Source::new("weekly.yaml", text), false)
}

fn drill(text: &str) -> Drill {
    let CheckedDrill { drill, diagnostics } = checked(text);
    drill.unwrap_or_else(|| panic!("{}", shown(&diagnostics, text)))
}

fn prepared(drill: &Drill, seed: Option<u64>) -> Prepared {
    prepared_as(drill, fixture::ESTATE, seed, None)
}

fn prepared_as(drill: &Drill, on: &str, seed: Option<u64>, chaos: Option<ChaosMark>) -> Prepared {
    let runbook = runbook();
    let (list, _) = SiteList::parse(&Source::new("sites.csv", fixture::SITES), Format::Csv, &runbook);
    let slot = 1_775_439_000_000;
    let occasion = Occasion { slot, seed, chaos };
    drill.prepare(&runbook, &estate(on), &list.unwrap(), &occasion).unwrap()
}

/// Findings of a text as `code line:column`.
fn codes(text: &str) -> Vec<String> {
    let found = checked(text).diagnostics;
    found.iter().map(|found| format!("{} {}:{}", found.code, found.place().line, found.place().column)).collect()
}

#[test]
fn a_drill_is_read_whole() {
    let drill = drill(DRILL);
    assert_eq!((drill.name(), drill.takes_back(), drill.alarm_after_ms()), ("weekly", true, Some(8 * 86_400_000)));
    let files =
        DrillFiles { runbook: "restore.yaml".into(), estate: "lab/estate.yaml".into(), sites: "sites.csv".into() };
    assert_eq!(drill.files(), &files);
    assert_eq!(DrillFiles::of(drill.source()), files);
    let objectives = drill.objectives();
    assert_eq!((objectives.rto_p95_ms, objectives.throughput_min), (Some(1_800_000), Some(1.5)));
    assert_eq!(objectives.exceptions, Some(0), "nothing said is nothing given away");
    let schedule = drill.schedule().unwrap();
    assert_eq!((schedule.pattern(), schedule.time_zone()), ("30 3 * * 1", "Europe/Berlin"));
}

#[test]
fn every_mistake_is_found_in_one_pass_with_its_place() {
    let text = r#"schema: drill/v1
name: week ly
runbook: restore.yaml
estate: lab/estate.yaml
sites: sites.csv
inputs: { margine: 10m }
schedule: { cron: "0 3 31 2 *", time_zone: Europe/Berlim, overlap: skpi }
sample: { count: 2, share: 5%, stratify_by: [reigon] }
restore_point: random
objectives: { rto_p95: 30, exeptions: 0 }
alarm_aftr: 8d
defaults: { timeout: 1m }
set_up:
  first: { uses: noop@1, approval: { from: [a], timeout: 1h } }
clean_up:
  last: { uses: http/requst@1, undo: { uses: noop@1 }, needs: first }
"#;
    let expected = [
        "RB0110 2:7",
        "RB0803 6:11",
        "RB0911 7:19",
        "RB0912 7:44",
        "RB0111 7:68",
        "RB0913 8:21",
        "RB0308 8:46",
        "RB0915 9:16",
        "RB0201 10:24",
        "RB0107 10:28",
        "RB0107 11:1",
        "RB0310 14:3",
        "RB0916 14:26",
        "RB0312 16:32",
        "RB0301 16:63",
        "RB0501 16:17",
    ];
    let (mut found, mut wanted) = (codes(text), expected.map(str::to_owned).to_vec());
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted, "{}", shown(&checked(text).diagnostics, text));
    let text = shown(&checked(text).diagnostics, text);
    for hint in [
        "did you mean `margin`?",
        "did you mean `Europe/Berlin`?",
        "did you mean `skip`?",
        "did you mean `region`?",
        "did you mean `exceptions`?",
        "did you mean `alarm_after`?",
        "did you mean `http/request@1`?",
        "there is no such day",
    ] {
        assert!(text.contains(hint), "{hint}:\n{text}");
    }
}

#[test]
fn what_can_be_checked_without_a_runbook_is() {
    let text = DRILL.replace("30 3 * * 1", "@daily").replace("alarm_after", "alarm_aftr");
    let CheckedDrill { drill, diagnostics } =
        check_drill(&Source::new("weekly.yaml", text.as_str()), &fixture::catalogue(), None, None);
    assert!(drill.is_none());
    let codes: Vec<&str> = diagnostics.iter().map(|found| found.code).collect();
    assert_eq!(codes, ["RB0911", "RB0107"]);
}

#[test]
fn patterns_of_other_lengths_and_days_that_never_come_are_refused() {
    for (pattern, fact) in [
        ("0 30 3 * * 1", "it has 6 fields, not five"),
        ("0 30 3 * * 1 2027", "it has 7 fields"),
        ("@weekly", "it has 1 field, not five"),
        ("", "it has 0 fields"),
        ("61 3 * * 1", "no schedule"),
        ("0 3 31 2,4,6 *", "there is no such day"),
    ] {
        let text = DRILL.replace("30 3 * * 1", pattern);
        let found = checked(&text).diagnostics;
        assert!(
            found.iter().any(|found| found.code == "RB0911" && found.message.contains(fact)),
            "{pattern}: {found:?}"
        );
    }
    assert!(checked(&DRILL.replace("30 3 * * 1", "0 3 29 2 *")).drill.is_some(), "a day that comes every four years");
}

#[test]
fn only_a_sandbox_is_drilled_in() {
    let production = estate(&fixture::ESTATE.replace("sandbox: true\n", ""));
    let source = Source::new("weekly.yaml", DRILL);
    let CheckedDrill { drill, diagnostics } =
        check_drill(&source, &fixture::catalogue(), Some(&runbook()), Some(&production));
    assert!(drill.is_none());
    let [found] = diagnostics.as_slice() else { panic!("{diagnostics:?}") };
    assert_eq!((found.code, found.place().line), ("RB0914", 5));
    assert_eq!(found.message, "the estate `lab` is no sandbox");
}

#[test]
fn a_runbook_that_waits_for_people_is_warned_of() {
    let book = fixture::RUNBOOK.replace("  drop:", "  asked: { approval: { from: [dr], timeout: 1h } }\n  drop:");
    let catalogue = fixture::catalogue();
    let runbook = runbook::check(&Source::new("restore.yaml", book), &catalogue).runbook.unwrap();
    let found =
        check_drill(&Source::new("weekly.yaml", DRILL), &catalogue, Some(&runbook), Some(&estate(fixture::ESTATE)));
    assert!(found.drill.is_some());
    assert_eq!(found.diagnostics.len(), 1);
    assert!(found.diagnostics[0].message.contains("`asked` waits for people"), "{:?}", found.diagnostics);
}

#[test]
fn the_plans_of_a_drill_are_over_one_sample_and_say_what_they_are() {
    let drill = drill(DRILL);
    let Prepared { seed, set_up, run, clean_up, compare } = prepared(&drill, None);
    assert!(compare.is_none(), "nothing was asked to be compared");
    assert_eq!(seed, 7);
    let set_up = set_up.unwrap();
    let mut ids: Vec<&str> = run.sites.ids.iter().collect();
    ids.sort_unstable();
    assert_eq!(ids.len(), 2);
    for (plan, part) in [(&set_up, DrillPart::SetUp), (&run, DrillPart::Run), (&clean_up, DrillPart::CleanUp)] {
        let mark = plan.extras.drill.as_ref().unwrap();
        assert_eq!((mark.name.as_str(), mark.part, mark.seed, mark.listed, mark.asked), ("weekly", part, 7, 3, 2));
        let mut theirs: Vec<&str> = plan.sites.ids.iter().collect();
        theirs.sort_unstable();
        assert_eq!(theirs, ids);
        Plan::new(plan.clone()).unwrap();
    }
    let names = |spec: &PlanSpec| spec.steps.iter().map(|step| step.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        (names(&set_up), names(&clean_up)),
        (vec!["delete".into(), "ready".into()], vec!["delete_again".into(), "told".into()])
    );
    assert!(clean_up.steps.iter().all(|step| step.finally), "clean-up is done whatever comes");
    assert!(
        run.steps.iter().any(|step| matches!(&step.work, Work::Action(action) if action.uses == "catalogue/lookup@1"))
    );
    // The runbook's text is the run's own: it is what a good drill proves.
    assert_eq!(run.origin.runbook_text, fixture::RUNBOOK);
}

#[test]
fn every_plan_of_a_chaos_drill_says_so_and_only_there_is_anything_compared() {
    let compare = "compare: { all: { scope: run, uses: identity/sync@1, with: { margin: 1m } } }\ntake_back:";
    let drill = drill(&DRILL.replace("take_back:", compare));
    assert!(prepared(&drill, None).compare.is_none());
    let against = "weekly-1".to_owned();
    let chaos = Some(ChaosMark::Disturbed { by: Disturbance::All, step: None, against });
    let Prepared { set_up, run, compare, clean_up, .. } = prepared_as(&drill, fixture::ESTATE, None, chaos.clone());
    let compare = compare.unwrap();
    assert!(compare.steps.iter().all(|step| step.keeps_outputs));
    assert_eq!(compare.extras.drill.as_ref().unwrap().part, DrillPart::Compare);
    for plan in [&set_up.unwrap(), &run, &compare, &clean_up] {
        assert_eq!(plan.extras.drill.as_ref().unwrap().chaos, chaos);
    }
}

#[test]
fn the_approval_of_a_large_run_is_kept_and_a_clean_up_waits_for_nobody() {
    let guard = "approvers: { dr-leads: [anna] }\nguard: { sites: 1, approval: { from: [dr-leads], timeout: 1h, checklist: [Count the sites] } }\n";
    let guarded = format!("{}\n{guard}", fixture::ESTATE);
    let Prepared { set_up, run, clean_up, .. } = prepared_as(&drill(DRILL), &guarded, None, None);
    assert!(set_up.unwrap().extras.start.is_some() && run.extras.start.is_some(), "2 sites are more than 1");
    assert_eq!((&clean_up.extras.start, clean_up.extras.checklists.len()), (&None, 0));
    assert_eq!(run.extras.checklists.len(), 1);
    for spec in [run, clean_up] {
        assert!(engine::Plan::new(spec).is_ok(), "a list without its approval would be refused");
    }
}

#[test]
fn a_seed_gives_the_same_plans_again() {
    let random = drill(&DRILL.replace("seed: 7", "seed: random"));
    assert_eq!(prepared(&random, None), prepared(&random, None), "the seed comes of the slot");
    assert_eq!(prepared(&random, Some(7)).run, prepared(&drill(DRILL), None).run);
    let samples: std::collections::BTreeSet<Vec<String>> =
        (0..40).map(|seed| prepared(&random, Some(seed)).run.sites.ids.iter().map(str::to_owned).collect()).collect();
    assert!(samples.len() > 1, "other seeds give other samples");
}

#[test]
fn restore_points_are_drawn_within_the_window_and_all_moved_alike() {
    let (random, latest) = (drill(DRILL), drill(&DRILL.replace("{ random: 1h }", "latest")));
    let mut moved = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let (drawn, own) = (prepared(&random, Some(seed)).run, prepared(&latest, Some(seed)).run);
        let earlier = drawn.extras.drill.as_ref().unwrap().earlier_ms;
        assert!(earlier <= 3_600_000 && earlier.is_multiple_of(1_000), "seed {seed}");
        let by = i64::try_from(earlier).unwrap();
        let expected: Vec<i64> = own.sites.restore_points.iter().map(|point| point - by).collect();
        assert_eq!(drawn.sites.restore_points, expected, "seed {seed}");
        assert_eq!(own.extras.drill.unwrap().earlier_ms, 0);
        moved.insert(earlier);
    }
    assert!(moved.len() > 30, "{moved:?}");
}

#[test]
fn a_drill_without_steps_of_its_own_is_whole_too() {
    let text = DRILL.split("set_up:").next().unwrap();
    let Prepared { set_up, clean_up, .. } = prepared(&drill(text), None);
    assert!(set_up.is_none() && clean_up.steps.is_empty());
    Plan::new(clean_up).unwrap();
}

#[test]
fn the_alarm_looks_at_the_last_good_drill_only() {
    let drill = drill(DRILL);
    let day = 86_400_000;
    assert_eq!(drill.alarm(Some(0), 5 * day, 8 * day), None);
    assert_eq!(drill.alarm(Some(0), 5 * day, 8 * day + 1), Some(8 * day));
    assert_eq!(drill.alarm(None, 5 * day, 12 * day), None);
    assert_eq!(drill.alarm(None, 5 * day, 14 * day), Some(13 * day));
}
