//! What the report says of a run with retries, degraded and quarantined sites, a crash and a ruling.
#![allow(clippy::unwrap_used)]

mod support;

use engine::{Command, Input, Ruling};
use reinstate_report::{Past, Typed, Verdict, render_html, render_junit, render_text, sites, status_line, why};
use support::snapshot::snapshot;
use support::*;

fn typed() -> Typed {
    Typed { run: "april-1".to_owned(), store: None }
}

#[test]
fn a_rough_run_is_told_as_it_was() {
    let drive = rough_run();
    let report = drive.fold.report(drive.now);
    assert_eq!(report.verdict, Verdict::SucceededWithExceptions);
    let sites = report.sites_by_state;
    assert_eq!((sites.given, sites.returned, sites.degraded, sites.quarantined), (40, 36, 2, 2));
    assert_eq!(sites.not_back(), 2);
    assert_eq!(report.exceptions.len(), 4);
    assert_eq!(report.rto.measured, 36);
    assert_eq!(report.rto.met, Some(false), "sites that are not back do not meet an objective");
    assert_eq!(report.rpo.met, Some(true));
    assert_eq!(report.rpo.max_s, Some(300.0));
    assert_eq!(report.resumes.len(), 1);
    assert!(report.interrupted > 0 && report.gap_s >= 45.0);
    assert!(report.rulings > 0);
    let quarantined = report.exceptions.iter().find(|exception| exception.state == "quarantined").unwrap();
    assert_eq!(quarantined.place, "runbooks/restoration-2.yaml:52:3");
    assert_eq!(quarantined.code, "check.mismatch");
    assert_eq!(quarantined.attempts, 1);
    let identity = report.steps.iter().find(|step| step.name == "identity").unwrap();
    // Seven sites are refused once; what the crash cut off is applied again too.
    assert!((7..=7 + identity.interrupted).contains(&identity.retries), "{identity:?}");
    for step in &report.steps {
        let units = step.units;
        assert_eq!(units.settled(), units.total, "{} is settled at the end", step.name);
        if let (Some(p50), Some(p95), Some(max)) = (step.p50_s, step.p95_s, step.max_s) {
            assert!(p50 <= p95 && p95 <= max, "{}", step.name);
        }
    }
    let apps = report.steps.iter().find(|step| step.name == "apps").unwrap();
    assert_eq!(apps.units.skipped, 10);
    snapshot("rough.txt", &render_text(&report, 100, false));
}

#[test]
fn the_numbers_add_up_at_every_moment() {
    let mut drive = Drive::new(spec(&ids(25), 2), rough());
    loop {
        let more = drive.step();
        let report = drive.fold.report(drive.now);
        let sites = report.sites_by_state;
        let sum = sites.returned
            + sites.degraded
            + sites.quarantined
            + sites.undone
            + sites.excluded
            + sites.released
            + sites.undoing
            + sites.restoring
            + sites.waiting;
        assert_eq!(sum, sites.given);
        let units = report.units;
        let open = units.waiting
            + units.ready
            + units.running
            + units.backoff
            + units.for_operator
            + units.asked
            + units.undoing;
        assert_eq!(open + units.settled(), units.total);
        assert_ne!(report.verdict, Verdict::Succeeded);
        assert_eq!(sites.returned, drive.fold.run().tally().returned);
        for batch in &report.batches {
            assert!(batch.back <= batch.sites && batch.over_budget == (batch.failures > batch.budget));
        }
        if !more {
            break;
        }
    }
}

#[test]
fn a_calm_run_succeeds_and_forecasts_on_the_way() {
    let mut spec = spec(&ids(60), 4);
    assert_eq!(Drive::new(spec.clone(), calm()).fold.report(T0).forecast, None, "nothing is known yet");
    // The last step of all: nothing of it is measured midway.
    spec.steps[BYSTANDERS as usize].expect_ms = (30_000, 60_000);
    let mut drive = Drive::new(spec, calm());
    drive.run_until(|run| run.tally().returned >= 20);
    let (midway, forecast) = (drive.now, drive.fold.report(drive.now).forecast.unwrap());
    assert!(forecast.p10_s <= forecast.p50_s && forecast.p50_s <= forecast.p90_s && forecast.measured >= 20);
    assert!(forecast.lower_bound_s <= forecast.p50_s && forecast.seeds == 9);
    drive.run_to_rest();
    let report = drive.fold.report(drive.now);
    assert_eq!(report.verdict, Verdict::Succeeded);
    assert_eq!((report.rto.met, report.rto.measured), (Some(true), 60));
    assert_eq!(report.forecast, None);
    assert!(report.exceptions.is_empty() && report.causes.is_empty());
    #[expect(clippy::cast_precision_loss)]
    let rest = (drive.now - midway) as f64 / 1000.0;
    let off = (rest - forecast.p50_s).abs();
    assert!(off <= rest * 0.15, "took {rest}, forecast {} to {}", forecast.p10_s, forecast.p90_s);
    snapshot("calm.txt", &render_text(&report, 80, false));
}

#[test]
fn the_fields_of_the_json_are_stable() {
    let drive = rough_run();
    let json = drive.fold.report(drive.now).to_json();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    fn keys(value: &serde_json::Value, path: &str, into: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    keys(value, &format!("{path}.{name}"), into);
                }
            }
            serde_json::Value::Array(items) => match items.first() {
                Some(first) => keys(first, &format!("{path}[]"), into),
                None => into.push(format!("{path}[]")),
            },
            _ => into.push(path.to_owned()),
        }
    }
    let mut all = Vec::new();
    keys(&value, "", &mut all);
    snapshot("json-keys.txt", &(all.join("\n") + "\n"));
}

#[test]
fn a_paused_run_says_so_and_why_names_the_cause() {
    // Four sites of the second batch fail: its budget is two.
    let mut drive = Drive::new(
        spec(&ids(30), 2),
        Box::new(|run, unit, _| {
            let (step, key) = at(run, unit);
            let outcome = if step == VALIDATE && (2..6).contains(&key) {
                refused("check.mismatch", "pages differ", "retry later", engine::Advice::Never)
            } else {
                done()
            };
            (took(step, unit), outcome)
        }),
    );
    drive.run_to_rest();
    let report = drive.fold.report(drive.now + 60_000);
    assert_eq!(report.verdict, Verdict::Paused);
    assert!(report.headline.starts_with("Paused: "), "{}", report.headline);
    assert!(report.batches[1].over_budget && report.paused_s >= 60.0);
    assert_eq!(report.forecast, None, "what stands still has no forecast");
    let text = render_text(&report, 100, false);
    assert!(text.contains("paused by failure budget"), "{text}");
    let run = drive.fold.run();
    let line = status_line(run, drive.now);
    assert!(line.starts_with("paused by failure budget") && line.contains("batch 2 of 3"), "{line}");
    let last = ids(30).pop().unwrap();
    let sentences = why(run, &last, drive.now, &typed()).unwrap().join("\n");
    assert!(sentences.contains("the run is paused by failure budget"), "{sentences}");
    assert!(sentences.contains("waits for batch 3, which is not open"), "{sentences}");
    let out = why(run, &ids(30)[2], drive.now, &typed()).unwrap().join("\n");
    assert!(out.contains("check.mismatch: pages differ; hint: retry later"), "{out}");
    drive.command(Command::Cancel { undo: false }, "enough");
    drive.advance();
    let report = drive.fold.report(drive.now);
    assert_eq!(report.verdict, Verdict::Cancelled);
    assert!(report.exceptions.iter().any(|exception| exception.state == "never_started"));
    assert_eq!(report.rto.met, Some(false));
}

#[test]
fn why_explains_pools_shared_steps_and_doubt() {
    let mut drive = Drive::new(spec(&ids(40), 2), calm());
    drive.advance();
    let run = drive.fold.run();
    let first = ids(40)[0].clone();
    let sentences = why(run, &first, drive.now, &typed()).unwrap().join("\n");
    assert!(sentences.contains("catalogue/00000000"), "{sentences}");
    drive.run_until(|run| run.node_state(engine::NodeIx(2)).is_settled());
    let sentences = why(drive.fold.run(), &first, drive.now, &typed()).unwrap().join("\n");
    assert!(sentences.contains("waits for step recover for shard shard-00"), "{sentences}");
    assert!(sentences.contains("recover/shard-00 is in flight: attempt 1"), "{sentences}");
    drive.run_until(|run| run.tally().returned > 9);
    let mut pooled = String::new();
    drive.run_until(|run| {
        pooled = why(run, "databases", run.now(), &typed()).unwrap().join("\n");
        pooled.contains("a slot of pool")
    });
    assert!(pooled.contains("a slot of pool shard_writes[shard-0"), "{pooled}");
    assert!(pooled.contains("4 of 4 in use"), "{pooled}");
    drive.run_until(|run| run.pending().any(|pending| at(run, pending.unit).0 == APPS));
    drive.adopt();
    drive.run_to_rest();
    let report = drive.fold.report(drive.now);
    assert!(!report.waiting_for_operator.is_empty());
    assert!(report.waiting_for_operator.iter().all(|unit| unit.state == "parked" && !unit.hint.is_empty()));
    let sentences = why(drive.fold.run(), "apps", drive.now, &typed()).unwrap().join("\n");
    assert!(sentences.contains("a ruling"), "{sentences}");
    assert!(why(drive.fold.run(), "no-such", drive.now, &typed()).is_err());
    assert!(why(drive.fold.run(), "recover/shard-01", drive.now, &typed()).unwrap()[0].contains("has succeeded"));
    drive.rule_all(Ruling::GiveUp, "vendor lost it");
    drive.run_to_rest();
    let report = drive.fold.report(drive.now);
    assert!(report.sites_by_state.quarantined > 0);
    assert_eq!(report.verdict, Verdict::SucceededWithExceptions);
}

#[test]
fn a_site_that_falls_after_its_return_is_told() {
    let mut drive = Drive::new(
        spec(&ids(12), 2),
        Box::new(|run, unit, _| {
            let (step, key) = at(run, unit);
            if (step, key) == (BYSTANDERS, 1) {
                let outcome = refused(
                    "bystanders.changed",
                    "3 rows of other tenants differ",
                    "stop and compare",
                    engine::Advice::Never,
                );
                return (300_000, outcome);
            }
            (took(step, unit), done())
        }),
    );
    drive.run_to_rest();
    let report = drive.fold.report(drive.now);
    assert_eq!(report.returned_then_out.len(), 6);
    assert_eq!(report.sites_by_state.quarantined, 6);
    assert_eq!(report.shared_failures.len(), 1);
    assert_eq!(report.shared_failures[0].sites, 6);
    assert!(report.exceptions.iter().all(|exception| exception.was_back && exception.unit == "bystanders/shard-01"));
    assert_eq!(report.rto.measured, 6, "a site that fell has no recovery time");
    assert_ne!(report.verdict, Verdict::Succeeded);
}

#[test]
fn the_rows_of_sites_say_what_each_is_at() {
    let mut drive = Drive::new(spec(&ids(12), 2), calm());
    drive.run_until(|run| run.tally().returned == 1);
    drive.run_until(|run| run.batch_times(engine::BatchIx(1)).0.is_some());
    drive.advance();
    let rows: Vec<_> = sites(drive.fold.run()).collect();
    assert_eq!(rows.len(), 12);
    assert_eq!((rows[0].state, rows[0].settled, rows[0].of), ("returned", 6, 6));
    assert_eq!((rows[1].state, rows[1].batch, rows[1].row), ("restoring", Some(2), 3));
    assert_eq!(rows[1].steps, ["catalogue"]);
    assert_eq!((rows[11].state, rows[11].attempts), ("waiting", 0));
}

#[test]
fn pages_and_junit_are_well_formed_and_escape_hostile_names() {
    let hostile = [
        "<script>alert(1)</script>",
        "a&b\"c'd",
        "]]>--><svg onload=x>",
        "esc\u{1b}[31m\u{7}bell",
        "turn\u{202e}ed",
        "l\ni\tne",
        "\u{0}nul\u{fffe}",
        "ok",
    ];
    let ids: Vec<String> = (0..30).map(|ix| format!("{}-{ix}", hostile[ix % hostile.len()])).collect();
    let mut spec = spec(&ids, 2);
    spec.origin.runbook = "<b>&\"run\u{1b}book".to_owned();
    spec.steps[6].name = "val<i>date&\"".to_owned();
    spec.groups[0].keys.dictionary[0] = "shard\"<0>".to_owned();
    let mut drive = Drive::new(
        spec,
        Box::new(|run, unit, _| {
            let (step, key) = at(run, unit);
            let outcome = if key % 3 == 1 && (step == VALIDATE || step == MEDIA) {
                refused("co<de>", "mess\u{1b}[2Jage <b>&", "hi'nt\"", engine::Advice::Never)
            } else {
                done()
            };
            (took(step, unit), outcome)
        }),
    );
    drive.run_to_rest();
    let report = drive.fold.report(drive.now);
    let html = render_html(&report);
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let page = roxmltree::Document::parse_with_options(&html, options).unwrap();
    assert!(page.descendants().all(|node| !node.has_tag_name("script") && node.attribute("onload").is_none()));
    let elements = page.descendants().filter(roxmltree::Node::is_element);
    for attribute in elements.flat_map(|node| node.attributes().collect::<Vec<_>>()) {
        assert!(!attribute.name().starts_with("on"), "{attribute:?}");
        assert!(!matches!(attribute.name(), "src" | "href"), "nothing is loaded: {attribute:?}");
    }
    assert!(
        page.descendants().any(|node| node.text().is_some_and(|text| text.contains("<script>alert(1)</script>-0")))
    );
    let junit = render_junit(&report);
    let junit = roxmltree::Document::parse(&junit).unwrap();
    let cases = || junit.descendants().filter(|node| node.has_tag_name("testcase"));
    assert_eq!(cases().count(), 30);
    let passed = cases().filter(|case| !case.children().any(|child| child.is_element())).count();
    assert_eq!(passed, report.sites_by_state.returned as usize);
    let text = render_text(&report, 80, false);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains('\u{7}'));
    assert!(status_line(drive.fold.run(), drive.now).chars().all(|char| !char.is_control()));
    let coloured = render_text(&report, 80, true);
    assert!(coloured.contains("\u{1b}[1;31m"));
}

#[test]
fn an_unopened_run_and_an_empty_list_have_reports() {
    let fold = reinstate_report::Fold::new(plan(3, 1));
    let report = fold.report(T0);
    assert_eq!((report.verdict, report.sites_by_state.waiting), (Verdict::New, 3));
    assert!(render_html(&report).contains("Not started"));
    let mut none = spec(&[], 1);
    none.batches.ends.clear();
    none.batches.max_failures.clear();
    let mut drive = Drive::new(none, calm());
    drive.run_to_rest();
    let report = drive.fold.report(drive.now);
    assert!(render_text(&report, 0, true).contains("0 of 0 sites returned"));
    assert!(render_junit(&report).contains("tests=\"0\""));
    let html = render_html(&report);
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    roxmltree::Document::parse_with_options(&html, options).unwrap();
}

#[test]
fn data_loss_counts_the_earliest_point_a_site_was_brought_back_to() {
    let mut spec = spec(&ids(10), 2);
    let earliest = spec.sites.restore_points[0];
    // One store of shard 1 was brought back to 90 minutes earlier: beyond the objective of one hour.
    spec.groups[0].restore_points = vec![earliest + 60_000_000, earliest - 5_400_000];
    let report = |asks: &str| {
        let mut spec = spec.clone();
        let recover = spec.steps.iter_mut().find(|step| step.name == "recover").unwrap();
        let engine::Work::Action(action) = &mut recover.work else { panic!("it is an action") };
        action.with = format!("{{\"at\": \"${{{{ {asks} }}}}\"}}");
        let mut drive = Drive::new(spec, calm());
        drive.run_to_rest();
        drive.fold.report(drive.now)
    };
    let shared = report("restore_point");
    assert_eq!(shared.verdict, Verdict::Succeeded);
    assert_eq!((shared.rpo.met, shared.rpo.beyond), (Some(false), 5));
    assert_eq!(shared.sites[0].data_loss_s, Some(300.0));
    assert!(shared.sites[1].data_loss_s > Some(5_700.0));
    // A step that takes every site at its own point brings nobody back further.
    let own = report("restore_points");
    assert_eq!((own.rpo.met, own.rpo.beyond), (Some(true), 0));
    assert_eq!(own.sites[1].data_loss_s, Some(300.0));
}

#[test]
fn waiting_time_is_counted_from_the_last_need() {
    let mut drive = Drive::new(spec(&ids(200), 2), calm());
    drive.run_to_rest();
    let report = drive.fold.report(drive.now);
    let step = |name: &str| report.steps.iter().find(|step| step.name == name).unwrap();
    // Without a pool a unit starts the moment its needs are settled, also behind steps that were skipped.
    for name in ["recover", "catalogue", "media", "apps", "validate", "bystanders"] {
        assert_eq!(step(name).wait_p50_s, Some(0.0), "{name}");
    }
    assert!(step("databases").wait_p50_s > Some(1.0), "the pool is the neck");
}

#[test]
fn an_attempt_that_nobody_began_is_none_and_what_follows_it_no_retry() {
    let mut drive = Drive::new(spec(&ids(12), 2), calm());
    let (mut taken_back, mut account) = (0, Past::new(drive.fold.run().plan().clone()));
    // Everything that starts in the first turns is taken back before anybody takes it up, some of it twice.
    for _ in 0..2 {
        drive.advance();
        let pending: Vec<_> = drive.fold.run().pending().collect();
        for engine::Pending { unit, flight } in pending {
            taken_back += drive.input(Input::NotBegun { unit, attempt: flight.attempt, mode: flight.mode });
        }
    }
    drive.run_to_rest();
    let report = drive.fold.report(drive.now);
    assert!(taken_back > 2, "{taken_back}");
    let told = |name: &str| drive.records.iter().filter(|record| record.event.name() == name).count() as u64;
    assert_eq!(told("not-begun"), taken_back as u64);
    assert_eq!((report.attempts, report.retries), (told("succeeded"), 0));
    assert!(report.steps.iter().all(|step| step.interrupted == 0 && step.in_doubt == 0), "{:?}", report.steps);
    drive.records.iter().for_each(|record| account.push(record).unwrap());
    let account = account.account().unwrap();
    let sum: f64 = account.chain.iter().map(|part| part.s).sum();
    assert!((sum - account.makespan_s).abs() < 1e-6 && account.lower_bound_s <= account.makespan_s, "{account:?}");
}
