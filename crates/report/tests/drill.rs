//! How a drill is judged: what is missing or not known is never good.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use engine::{ChaosMark, Disturbance, DrillMark, DrillObjectives, DrillPart};
use reinstate_report::{
    DrillChaos, DrillEvidence, DrillReport, Report, judge_drill, readiness, render_drill, render_drill_junit, trend,
};
use support::*;

const ASKED: DrillObjectives = DrillObjectives {
    rto_p95_ms: Some(86_400_000),
    rpo_max_ms: Some(300_000),
    throughput_min: Some(0.1),
    exceptions: Some(0),
};

fn mark(objectives: DrillObjectives) -> DrillMark {
    DrillMark {
        name: "weekly".into(),
        slot: T0,
        part: DrillPart::Run,
        seed: 7,
        listed: 883,
        asked: 1,
        earlier_ms: 0,
        take_back: false,
        objectives,
        chaos: None,
    }
}

fn disturbed() -> DrillMark {
    let (by, against) = (Disturbance::All, "weekly-0".into());
    DrillMark { chaos: Some(ChaosMark::Disturbed { by, step: None, against }), ..mark(ASKED) }
}

fn report_of(mut drive: Drive) -> Report {
    drive.run_to_rest();
    drive.fold.report(drive.now)
}

fn calm_run() -> Report {
    report_of(Drive::new(spec(&ids(20), 2), calm()))
}

fn judged<'a>(report: Option<&'a Report>, mark: &'a DrillMark, change: impl Fn(&mut DrillEvidence<'a>)) -> DrillReport {
    let mut evidence = DrillEvidence {
        drill: "weekly",
        slot: T0,
        run: "weekly-1",
        runbook_hash: "abc",
        began: T0,
        ended: T0 + 9_000,
        mark: Some(mark),
        set_up: None,
        compare: None,
        judged: report,
        now: report,
        clean_up: None,
        troubles: &[],
        chaos: None,
        last_good: None,
    };
    change(&mut evidence);
    judge_drill(&evidence)
}

fn missed(drill: &DrillReport) -> Vec<&str> {
    drill.objectives.iter().filter(|one| !one.passed).map(|one| one.name.as_str()).collect()
}

#[test]
fn a_run_that_meets_all_is_good() {
    let report = calm_run();
    let drill = judged(Some(&report), &mark(ASKED), |_| {});
    assert!(drill.good, "{drill:#?}");
    assert_eq!((drill.sites, drill.returned, drill.exceptions, drill.listed), (20, 20, 0, 883));
    assert_eq!(drill.rto_p95_s, report.rto.p95_s);
    assert!(render_drill(&drill).starts_with("GOOD: drill weekly"));
    roxmltree::Document::parse(&render_drill_junit(&drill)).unwrap();
    assert_eq!(DrillReport::from_json(drill.to_json().as_bytes()), Some(drill));
}

#[test]
fn sites_that_are_not_back_make_the_95th_percentile_unknown_and_the_drill_bad() {
    let drive = rough_run();
    let report = drive.fold.report(drive.now);
    let drill = judged(Some(&report), &mark(ASKED), |_| {});
    // Two of 40 are out, and two degraded: more than 5 in 100.
    assert_eq!((drill.rto_p95_s, drill.exceptions), (None, 4));
    assert_eq!(missed(&drill), ["rto_p95", "exceptions"]);
    let lenient =
        judged(Some(&report), &mark(DrillObjectives { exceptions: Some(4), ..DrillObjectives::default() }), |_| {});
    assert!(lenient.good, "{lenient:#?}");
}

#[test]
fn a_drill_that_did_not_take_place_meets_nothing() {
    let drill = judged(None, &mark(ASKED), |_| {});
    assert!(!drill.good);
    assert_eq!(missed(&drill), ["rto_p95", "rpo_max", "throughput_min", "exceptions"]);
    let nothing_asked = judged(None, &mark(DrillObjectives::default()), |_| {});
    assert!(!nothing_asked.good && !nothing_asked.troubles.is_empty());
    assert!(!judged(None, &mark(ASKED), |evidence| evidence.mark = None).good);
}

#[test]
fn what_the_restore_point_was_moved_back_by_is_no_loss() {
    let mut spec = spec(&ids(4), 1);
    spec.sites.restore_points.iter_mut().for_each(|point| *point -= 60_000);
    let report = report_of(Drive::new(spec, calm()));
    let moved = DrillMark { earlier_ms: 60_000, ..mark(ASKED) };
    let (own, drawn) = (judged(Some(&report), &mark(ASKED), |_| {}), judged(Some(&report), &moved, |_| {}));
    assert_eq!(own.rpo_max_s.unwrap() - drawn.rpo_max_s.unwrap(), 60.0);
}

#[test]
fn trouble_leftovers_and_a_failed_set_up_each_spoil_a_drill() {
    let report = calm_run();
    let rough = rough_run();
    let rough = rough.fold.report(rough.now);
    let troubles = ["it was".to_owned()];
    assert!(!judged(Some(&report), &mark(ASKED), |evidence| evidence.troubles = &troubles).good);
    assert!(!judged(Some(&report), &mark(ASKED), |evidence| evidence.set_up = Some(&rough)).good);
    let left = judged(Some(&report), &mark(ASKED), |evidence| evidence.clean_up = Some(&rough));
    assert!(!left.good && left.leftovers.iter().all(|left| left.part == "clean_up"), "{left:#?}");
}

#[test]
fn worse_than_the_last_good_drill_is_told_beyond_a_tolerance_only() {
    let report = calm_run();
    let now = judged(Some(&report), &mark(ASKED), |_| {});
    let rto = now.rto_p95_s.unwrap();
    let against = |factor: f64| {
        let before = DrillReport { rto_p95_s: Some(rto * factor), throughput: None, ..now.clone() };
        judged(Some(&report), &mark(ASKED), |evidence| evidence.last_good = Some(&before)).regressions.len()
    };
    assert_eq!((against(1.0), against(0.9), against(0.5), against(2.0)), (0, 0, 1, 0));
    let drill = judged(Some(&report), &mark(ASKED), |evidence| evidence.last_good = Some(&now));
    assert_eq!((drill.against.as_deref(), drill.good), (Some(now.slot.as_str()), true));
}

#[test]
fn history_names_what_no_drill_has_run() {
    let report = calm_run();
    let mut drill = judged(Some(&report), &mark(ASKED), |_| {});
    drill.steps[0].attempts = 0;
    drill.steps[1].undo_attempts = Some(3);
    drill.steps[2].failed = 2;
    let reports = [drill.clone(), DrillReport { good: false, ..drill.clone() }];
    let (a, b) = (drill.steps[0].name.clone(), drill.steps[1].name.clone());
    let steps = [(a.as_str(), true), (b.as_str(), true), ("new", false)];
    let ready = readiness(&drill.runbook, "abc", steps, &reports, Some(T0), T0 + 86_400_000);
    assert_eq!((ready.never_run, ready.never_undone), (vec![a.clone(), "new".to_owned()], vec![a.clone()]));
    assert_eq!((ready.days_since_good, ready.unchanged), (Some(1.0), true));
    assert!(!readiness(&drill.runbook, "abd", steps, &reports, Some(T0), T0).unchanged);
    let trend = trend(&reports);
    assert_eq!((trend.drills, trend.good), (2, 1));
    assert_eq!(trend.failures, [(drill.steps[2].name.clone(), 4)]);
}

#[test]
fn chaos_of_which_nothing_is_known_any_more_is_not_good() {
    let report = calm_run();
    let drill = judged(Some(&report), &disturbed(), |_| {});
    assert!(!drill.good && drill.troubles[0].contains("was lost"), "{drill:#?}");
}

#[test]
fn chaos_that_disturbed_nothing_is_not_good_and_names_the_steps() {
    let report = calm_run();
    let untouched = vec!["copy".to_owned(), "check".to_owned()];
    let idle = DrillChaos { untouched: untouched.clone(), ..DrillChaos::default() };
    let drill = judged(Some(&report), &disturbed(), |evidence| evidence.chaos = Some(&idle));
    assert!(!drill.good && drill.troubles[0].contains("disturbed nothing"), "{drill:#?}");
    assert!(render_drill(&drill).contains("never disturbed: copy, check"));
    let struck = DrillChaos { cut: 1, untouched, ..DrillChaos::default() };
    let drill = judged(Some(&report), &disturbed(), |evidence| evidence.chaos = Some(&struck));
    assert!(drill.good && render_drill(&drill).contains("never disturbed: copy, check"), "{drill:#?}");
}

#[test]
fn a_drill_that_was_less_than_what_was_asked_proves_nothing_and_says_so() {
    let report = calm_run();
    assert!(judged(Some(&report), &mark(ASKED), |_| {}).proves());
    let small = judged(Some(&report), &DrillMark { asked: 21, ..mark(ASKED) }, |_| {});
    assert!(small.good && !small.proves());
    assert_eq!(small.narrowed, ["the sample asks for 21 sites, and 20 took part"]);
    assert!(render_drill(&small).contains("proves nothing of the runbook: the sample asks for 21 sites"));
    let struck = DrillChaos { twice: 3, ..DrillChaos::default() };
    let chaos = judged(Some(&report), &disturbed(), |evidence| evidence.chaos = Some(&struck));
    assert!(chaos.good && !chaos.proves() && chaos.narrowed == ["attempts were disturbed"], "{chaos:#?}");
    let quiet = DrillMark { chaos: Some(ChaosMark::Undisturbed), ..mark(ASKED) };
    assert!(judged(Some(&report), &quiet, |_| {}).proves(), "nothing was done to it");
}

#[test]
fn a_comparison_that_did_not_succeed_is_a_trouble() {
    let (report, rough) = (calm_run(), rough_run());
    let rough = rough.fold.report(rough.now);
    let drill = judged(Some(&report), &mark(ASKED), |evidence| evidence.compare = Some(&rough));
    assert!(!drill.good && drill.troubles[0].contains("could not be compared"), "{drill:#?}");
}
