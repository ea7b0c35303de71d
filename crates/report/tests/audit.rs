//! The restore-point audit: what stores say about their point, held against what the plan asks.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod support;

use engine::{Command, Decree, Event, GroupIx, Mode, Outcome, PlanSpec, Record, Scope, SiteIx, TakeOut, UnitIx, Work};
use reinstate_report::{AuditReport, Fold, Report, Verdict, render_html, render_junit, render_text, stamp};
use support::*;

/// The inputs of a step.
fn with(spec: &mut PlanSpec, step: u16, with: &str) {
    if let Work::Action(action) = &mut spec.steps[usize::from(step)].work {
        action.with = with.to_owned();
    }
    spec.steps[usize::from(step)].keeps_outputs = true;
}

/// Recover is asked for the shard's point, catalogue and media for the site's, identity for none.
fn asking(sites: usize) -> PlanSpec {
    let mut spec = spec(&ids(sites), 2);
    // All sites of a shard share its earliest point.
    let earliest = spec.sites.restore_points[0];
    spec.sites.restore_points = vec![earliest; sites];
    spec.groups[0].restore_points = vec![earliest; 2];
    with(&mut spec, RECOVER, r#"{"at":"${{ restore_point }}"}"#);
    with(&mut spec, CATALOGUE, r#"{"body":{"restore_point":"${{ site.restore_point }}"}}"#);
    with(&mut spec, MEDIA, r#"{"at":"${{ restore_point | string }}"}"#);
    with(&mut spec, IDENTITY, r#"{"restore_point":{"reached":"/restored_to"}}"#);
    spec
}

fn said(text: String) -> Outcome {
    Outcome::Done { outputs: Some(text.into()) }
}

/// Every store says where it stands; `other` may say something else for a step and key.
fn telling(other: impl Fn(u16, u32, i64) -> Option<String> + 'static) -> World {
    Box::new(move |run, unit, _| {
        let (step, key) = at(run, unit);
        let point = run.plan().spec().sites.restore_points[0];
        let usual = match step {
            RECOVER => format!(
                r#"{{"path":"x","restore_point":{{"store":"shard","reached":"{}","until":"{}","evidence":"log"}}}}"#,
                stamp(point - 90_000),
                stamp(point + 1)
            ),
            CATALOGUE => format!(r#"{{"status":200,"restore_point":"{}"}}"#, stamp(point)),
            MEDIA => format!(r#"{{"restore_point":{{"store":"media","reached":"{}"}}}}"#, stamp(point)),
            _ => String::from("{}"),
        };
        (took(step, unit), said(other(step, key, point).unwrap_or(usual)))
    })
}

fn report(spec: PlanSpec, world: World) -> (Report, AuditReport) {
    let mut drive = Drive::new(spec, world);
    drive.run_to_rest();
    let report = drive.fold.report(drive.now);
    let audit = report.audit.clone().unwrap();
    (report, audit)
}

#[test]
fn stores_that_stand_where_they_should_are_counted_and_nothing_else() {
    let (report, audit) = report(asking(12), telling(|_, _, _| None));
    assert_eq!((audit.sites, audit.agreeing, audit.differing), (12, 12, 0));
    assert_eq!(report.verdict, Verdict::Succeeded);
    assert!(report.exceptions.is_empty() && audit.differences.is_empty());
    let stores: Vec<(&str, u32, u32)> =
        audit.stores.iter().map(|store| (store.store.as_str(), store.sites, store.agrees)).collect();
    assert_eq!(stores, [("recover per shard", 12, 12), ("catalogue", 12, 12), ("media", 12, 12)]);
    assert_eq!(audit.stores[0].evidence, "log");
    assert_eq!(audit.stores[0].earliest, audit.stores[0].latest);
    assert!(render_text(&report, 100, false).contains("12 sites are back: 12 proved to stand at one point"));
}

#[test]
fn a_store_at_another_point_is_an_exception_that_names_site_and_stores() {
    // Media of site 3 came back from a day before, as 57 databases did in 2022.
    let world = telling(|step, key, point| {
        (step == MEDIA && key == 3).then(|| {
            format!(
                r#"{{"restore_point":{{"store":"media","reached":"{}","evidence":"snapshot 41"}}}}"#,
                stamp(point - 86_400_000)
            )
        })
    });
    let (report, audit) = report(asking(12), world);
    assert_eq!((audit.agreeing, audit.differing), (11, 1));
    let [exception] = report.exceptions.as_slice() else { panic!("{:?}", report.exceptions) };
    let id = &ids(12)[3];
    assert_eq!((&exception.site, exception.state, exception.step.as_str()), (id, "returned", "media"));
    assert_eq!(exception.code, "restore_point.elsewhere");
    let point = spec(&ids(1), 1).sites.restore_points[0];
    for words in ["media stands at", &stamp(point - 86_400_000), &stamp(point), "2 other stores stand there"] {
        assert!(exception.message.contains(words), "{words} not in {}", exception.message);
    }
    assert_eq!(report.verdict, Verdict::SucceededWithExceptions);
    assert!(report.headline.contains("1 site whose stores disagree"), "{}", report.headline);
    let [site] = audit.differences.as_slice() else { panic!("{:?}", audit.differences) };
    let told: Vec<(&str, &str, &str)> =
        site.stores.iter().map(|store| (store.store.as_str(), store.verdict, store.evidence.as_str())).collect();
    assert_eq!(told, [("shard", "agrees", "log"), ("catalogue", "agrees", ""), ("media", "elsewhere", "snapshot 41")]);
    assert_eq!(site.stores[1].reached, Some(stamp(point)), "what agrees is told as well");
    let page = render_html(&report);
    let parsed = roxmltree::Document::parse(page.strip_prefix("<!DOCTYPE html>\n").unwrap()).unwrap();
    assert!(parsed.descendants().any(|node| node.text() == Some("snapshot 41")), "the page has the evidence");
    let text = render_text(&report, 100, false);
    assert!(
        text.contains(id.as_str()) && text.contains("snapshot 41") && text.contains("2 stores at the point asked"),
        "{text}"
    );
    let junit = render_junit(&report);
    assert!(junit.contains("failures=\"1\"") && junit.contains("type=\"restore_point\""), "{junit}");
}

#[test]
fn between_two_changes_a_store_is_the_same() {
    // (reached, until) in milliseconds from the point asked, and whether that is the point.
    for (reached, until, stands) in [
        (0, None, true),
        (-1, None, false),
        (1, None, false),
        (-5000, Some(1), true),
        (-5000, Some(0), false),
        (0, Some(5000), true),
        (1, Some(5000), false),
    ] {
        let world = telling(move |step, _, point| {
            let until = until.map(|until| format!(r#","until":"{}""#, stamp(point + until))).unwrap_or_default();
            (step == CATALOGUE)
                .then(|| format!(r#"{{"restore_point":{{"reached":"{}"{until}}}}}"#, stamp(point + reached)))
        });
        let (_, audit) = report(asking(4), world);
        assert_eq!(audit.differing == 0, stands, "{reached} {until:?}");
    }
}

#[test]
fn silence_counts_against_a_site_only_where_others_are_told_of() {
    let none = |step: u16| telling(move |asked, _, _| (asked == step).then(|| String::from(r#"{"status":200}"#)));
    let (told, audit) = report(asking(12), none(CATALOGUE));
    let silent: Vec<&str> = audit.stores.iter().filter(|store| store.silent).map(|store| store.step.as_str()).collect();
    assert_eq!((silent, audit.agreeing, audit.differing), (vec!["catalogue"], 0, 0), "told once, not twelve times");
    assert_eq!(told.verdict, Verdict::Succeeded);
    let text = render_text(&told, 100, false);
    assert!(
        text.contains("no evidence at all from catalogue") && text.contains("12 not proved in every store"),
        "{text}"
    );
    let one = telling(|step, key, _| (step == CATALOGUE && key == 5).then(|| String::from("{}")));
    let (told, audit) = report(asking(12), one);
    assert_eq!(audit.differing, 1);
    assert_eq!(told.exceptions[0].code, "restore_point.unproven");
    assert_eq!(audit.differences[0].stores[1].reached, None);
    // A word that is no time, or a lie about what was asked, is no evidence.
    let strange = telling(|step, key, point| match (step, key) {
        (CATALOGUE, 1) => Some(String::from(r#"{"restore_point":"yesterday"}"#)),
        (CATALOGUE, 2) => {
            Some(format!(r#"{{"restore_point":{{"asked":"{}","reached":"{}"}}}}"#, stamp(point - 60_000), stamp(point)))
        }
        _ => None,
    });
    let (told, _) = report(asking(12), strange);
    let codes: Vec<&str> = told.exceptions.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(codes, ["restore_point.unproven", "restore_point.asked"]);
}

#[test]
fn a_shard_that_is_asked_for_one_point_and_sites_for_theirs_differ() {
    let mut spec = asking(8);
    let first = spec.sites.restore_points[0];
    // Each site its own point, a minute apart; the shard is recovered to the earliest of its sites.
    spec.sites.restore_points = (0..8).map(|site| first + site * 60_000).collect();
    spec.groups[0].restore_points = vec![first, first + 60_000];
    let world: World = Box::new(|run, unit, _| {
        let (step, key) = at(run, unit);
        let sites = &run.plan().spec().sites.restore_points;
        let text = match step {
            RECOVER => {
                format!(r#"{{"restore_point":"{}"}}"#, stamp(run.plan().spec().groups[0].restore_points[key as usize]))
            }
            CATALOGUE | MEDIA => format!(r#"{{"restore_point":"{}"}}"#, stamp(sites[key as usize])),
            _ => String::new(),
        };
        (took(step, unit), if text.is_empty() { done() } else { said(text) })
    });
    let (told, audit) = report(spec.clone(), world);
    assert_eq!((audit.agreeing, audit.differing), (2, 6), "only the earliest site of each shard has what it asked");
    assert!(told.exceptions.iter().all(|one| one.code == "restore_point.asked" && one.step == "recover"));
    // The same shard, advanced from point to point: a list, an entry for each site.
    with(&mut spec, RECOVER, r#"{"points":"${{ restore_points }}"}"#);
    let list = |late: i64| -> World {
        Box::new(move |run, unit, _| {
            let (step, key) = at(run, unit);
            let plan = run.plan();
            let points = &plan.spec().sites.restore_points;
            let text = match step {
                RECOVER => {
                    let of = |site: SiteIx| {
                        let late = if site.0 == 6 { late } else { 0 };
                        format!(
                            r#"{{"site":"{}","reached":"{}"}}"#,
                            plan.spec().sites.id(site),
                            stamp(points[site.ix()] + late)
                        )
                    };
                    let all: Vec<String> =
                        plan.sites_of(Scope::Group(GroupIx(0)), engine::KeyIx(key)).map(of).collect();
                    format!(r#"{{"restore_point":[{}]}}"#, all.join(","))
                }
                CATALOGUE | MEDIA => format!(r#"{{"restore_point":"{}"}}"#, stamp(points[key as usize])),
                _ => String::from("{}"),
            };
            (took(step, unit), said(text))
        })
    };
    let (_, audit) = report(spec.clone(), list(0));
    assert_eq!((audit.agreeing, audit.differing), (8, 0));
    let (told, audit) = report(spec, list(-1));
    assert_eq!((audit.agreeing, audit.differing), (7, 1));
    assert_eq!(told.exceptions[0].site, ids(8)[6]);
}

#[test]
fn a_check_proves_the_steps_that_it_names() {
    // Catalogue and media answer nothing; a look at the system afterwards says where both stand.
    let proving = |late: i64| {
        telling(move |step, key, point| match step {
            CATALOGUE | MEDIA => Some(String::from("{}")),
            IDENTITY => Some(format!(
                r#"{{"restore_point":{{"store":"system","of":["catalogue","media"],"reached":"{}"}}}}"#,
                stamp(point + if key == 2 { late } else { 0 })
            )),
            _ => None,
        })
    };
    let (_, audit) = report(asking(6), proving(0));
    assert_eq!((audit.agreeing, audit.differing), (6, 0));
    let proved: Vec<(&str, String)> =
        audit.stores.iter().map(|store| (store.step.as_str(), store.proves.join(" "))).collect();
    assert_eq!(proved, [("recover", String::new()), ("identity", "catalogue media".to_owned())]);
    let (told, audit) = report(asking(6), proving(-1000));
    assert_eq!((audit.agreeing, audit.differing), (5, 1));
    assert_eq!(
        (told.exceptions[0].step.as_str(), told.exceptions[0].code.as_str()),
        ("identity", "restore_point.elsewhere")
    );
    // A system that holds nothing of a site says null: then what was asked of it stays unproved.
    let nothing = telling(|step, key, point| match step {
        CATALOGUE => Some(String::from("{}")),
        IDENTITY if key == 4 => Some(String::from(r#"{"restore_point":{"of":["catalogue"],"reached":null}}"#)),
        IDENTITY => Some(format!(r#"{{"restore_point":{{"of":["catalogue"],"reached":"{}"}}}}"#, stamp(point))),
        _ => None,
    });
    let (_, audit) = report(asking(6), nothing);
    assert_eq!((audit.agreeing, audit.differing), (5, 0), "catalogue itself never gives evidence");
}

#[test]
fn what_a_person_says_and_what_was_taken_back_is_no_evidence() {
    let mut spec = asking(6);
    spec.batches.ends = vec![6];
    spec.batches.max_failures = vec![6];
    let tell = telling(|_, _, _| None);
    let mut drive = Drive::new(
        spec,
        Box::new(move |run, unit, attempt| match at(run, unit) {
            (CATALOGUE, 1) => (10, refused("http.status", "404", "", engine::Advice::Never)),
            _ => tell(run, unit, attempt),
        }),
    );
    drive.run_until(|run| run.site_end(SiteIx(1)).is_some());
    let plan = drive.fold.plan();
    let node = plan.node(engine::StepIx(CATALOGUE), engine::KeyIx(1));
    let point = stamp(plan.spec().sites.restore_points[0]);
    let outputs = Some(format!(r#"{{"restore_point":"{point}"}}"#).into());
    drive.command(Command::Overrule { node, item: None, how: Decree::Done { outputs } }, "I saw it");
    drive.run_to_rest();
    let told = drive.fold.report(drive.now);
    let audit = told.audit.as_ref().unwrap();
    assert_eq!((audit.sites, audit.agreeing, audit.differing), (6, 5, 1), "{:?}", told.exceptions);
    let of_site = &audit.differences[0];
    let catalogue = of_site.stores.iter().find(|store| store.step == "catalogue").unwrap();
    assert_eq!((&of_site.site, catalogue.verdict, &catalogue.reached), (&ids(6)[1], "unproven", &None));
}

#[test]
fn only_sites_that_are_back_are_audited() {
    let mut drive = Drive::new(asking(12), telling(|_, _, _| None));
    drive.run_until(|run| run.site_end(SiteIx(0)).is_some());
    let audit = drive.fold.report(drive.now).audit.unwrap();
    assert_eq!((audit.sites, audit.agreeing), (1, 1));
    drive.run_until(|run| run.batch_times(engine::BatchIx(1)).0.is_some());
    drive.command(Command::TakeOut { site: SiteIx(2), how: TakeOut::Quarantine }, "found wrong");
    drive.run_to_rest();
    let audit = drive.fold.report(drive.now).audit.unwrap();
    assert_eq!((audit.sites, audit.agreeing, audit.differing), (11, 11, 0));
}

#[test]
fn a_hundred_thousand_sites_cost_a_byte_a_unit() {
    let mut spec = asking(100_000);
    spec.steps.truncate(2);
    spec.steps[1].needs.clear();
    spec.batches.ends = vec![100_000];
    spec.batches.max_failures = vec![0];
    let plan = engine::Plan::new(spec).unwrap();
    let point = stamp(plan.spec().sites.restore_points[0]);
    let mut fold = Fold::new(plan.clone());
    let mut at = T0;
    let mut push = |event: Event| {
        at += 1;
        fold.push(&Record { at, event }).unwrap();
    };
    push(Event::Opened { actor: "mia".into(), plan: plan.hash().into() });
    push(Event::Adopted { epoch: 1, holder: "driver".into() });
    push(Event::BatchOpened { batch: engine::BatchIx(0) });
    for unit in (0..plan.unit_count()).map(UnitIx) {
        push(Event::Started { unit, attempt: 1, mode: Mode::Apply });
        let outputs = format!(r#"{{"restore_point":{{"store":"x","reached":"{point}"}}}}"#);
        push(Event::Succeeded { unit, outputs: Some(outputs.into()) });
    }
    for site in (0..plan.site_count()).map(SiteIx) {
        push(Event::SiteEnded { site, end: engine::SiteEnd::Returned });
    }
    let audit = fold.report(at).audit.unwrap();
    assert_eq!((audit.sites, audit.agreeing), (100_000, 100_000));
}
