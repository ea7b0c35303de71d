//! Sites that come back under a new ID: the report says which, for as long as that stands.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod support;

use engine::{ActionUse, Command, Outcome, PlanSpec, SiteIx, TakeOut, Work};
use reinstate_report::{new_id_steps, render_html, render_text};
use support::*;

/// The catalogue makes an ID for each site.
fn making(sites: usize) -> PlanSpec {
    let mut spec = spec(&ids(sites), 2);
    let step = &mut spec.steps[usize::from(CATALOGUE)];
    if let Work::Action(action) = &mut step.work {
        action.with = r#"{"outputs":{"new_id":"/id"}}"#.to_owned();
    }
    step.keeps_outputs = true;
    spec
}

/// Each site but the last gets `new-` and its number.
fn world(sites: u32) -> World {
    Box::new(move |run, unit, _| {
        let (step, key) = at(run, unit);
        let outputs = match step {
            CATALOGUE if key + 1 < sites => format!(r#"{{"status":200,"new_id":"new-{key}"}}"#),
            _ => r#"{"status":200}"#.to_owned(),
        };
        (took(step, unit), Outcome::Done { outputs: Some(outputs.into()) })
    })
}

#[test]
fn each_new_id_stands_beside_the_old_one() {
    let mut drive = Drive::new(making(30), world(30));
    assert_eq!(new_id_steps(drive.fold.plan()), ["catalogue"]);
    drive.run_to_rest();
    let report = drive.fold.report(drive.now);
    for (ix, site) in report.sites.iter().enumerate() {
        let wanted = (ix < 29).then(|| format!("new-{ix}"));
        assert_eq!(site.new_id, wanted);
        assert_eq!(site.note(), wanted.map(|id| format!("new ID {id}")).unwrap_or_default());
    }
    let text = render_text(&report, 100, false);
    let first = format!("{} -> new-0", ids(30)[0]);
    for words in ["New IDs (29 sites)", &first, "and 9 more sites"] {
        assert!(text.contains(words), "{words} not in\n{text}");
    }
    assert!(render_html(&report).contains("new ID new-28"));
}

#[test]
fn an_id_that_was_taken_back_is_not_told_and_one_that_is_a_number_is() {
    let mut spec = making(3);
    let make = &mut spec.steps[usize::from(CATALOGUE)];
    if let Work::Action(action) = &make.work {
        make.undo = Some(ActionUse { with: "{}".to_owned(), ..action.clone() });
    }
    let world: World = Box::new(|run, unit, _| {
        let (step, key) = at(run, unit);
        let undo = run.flight(unit).is_some_and(|flight| flight.mode.is_undo());
        let outputs = match step {
            CATALOGUE if !undo => format!(r#"{{"new_id":{}}}"#, 900 + key),
            _ => "{}".to_owned(),
        };
        (took(step, unit), Outcome::Done { outputs: Some(outputs.into()) })
    });
    let mut drive = Drive::new(spec, world);
    drive.run_to_rest();
    let told = |drive: &Drive| {
        drive.fold.report(drive.now).sites.into_iter().map(|site| site.new_id.unwrap_or_default()).collect::<Vec<_>>()
    };
    assert_eq!(told(&drive), ["900", "901", "902"]);
    drive.command(Command::TakeOut { site: SiteIx(1), how: TakeOut::Undo }, "the customer wants the old one");
    drive.run_to_rest();
    assert_eq!(told(&drive), ["900", "", "902"]);
}
