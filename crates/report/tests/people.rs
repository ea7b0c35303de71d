//! What the report says of a run in which people decide, skip, take out and take back.
#![allow(clippy::unwrap_used)]

mod support;

use engine::{
    Again, ApprovalAt, Checklist, Command, Decree, Gate, Input, Rejection, SiteIx, Status, TakeOut, UnitState,
};
use reinstate_report::{MomentKind, Typed, Verdict, render_html, render_junit, render_text, sites, status_line, why};
use support::people::*;
use support::snapshot::snapshot;
use support::*;

fn why_lines(drive: &Drive, subject: &str) -> String {
    let typed = Typed { run: "april-1".to_owned(), store: None };
    why(drive.fold.run(), subject, drive.now, &typed).unwrap().join("\n")
}

#[test]
fn what_people_did_is_told_as_it_was() {
    let drive = story();
    let report = drive.fold.report(drive.now);
    snapshot("people.txt", &render_text(&report, 100, false));
    snapshot("people.xml", &render_junit(&report));
    let sites = report.sites_by_state;
    assert_eq!((sites.given, sites.excluded, sites.excluded_by_plan, sites.released), (16, 3, 2, 1));
    assert_eq!(report.verdict, Verdict::SucceededWithExceptions);
    assert_eq!(report.sites.len(), 16, "every given site is accounted for");
    let marked = report.overruled.iter().find(|row| row.how == "marked_done").unwrap();
    assert_eq!((marked.site.as_deref(), &*marked.step, &*marked.actor), (Some(&*ids(7)[6]), "apps", "mia"));
    let row = |site: usize| report.sites.iter().find(|row| row.id == ids(14)[site]).unwrap();
    assert_eq!((row(6).state, &row(6).overruled[..]), ("returned", &["apps".to_owned()][..]));
    assert_eq!(report.returned_then_out, [ids(4)[3].clone()]);
    assert!(report.finally_failures.iter().all(|failure| failure.finally) && report.shared_failures.is_empty());
    let databases = report.steps.iter().find(|step| step.name == "databases").unwrap();
    let undo = databases.undo.as_ref().unwrap();
    assert_eq!((databases.units.undone, databases.units.stays, databases.units.failed), (1, 1, 0));
    assert_eq!((undo.attempts, undo.refused, undo.p50_s), (6, 6, None), "apart from the step's own attempts");
    assert_eq!(databases.attempts, databases.units.total - 5, "excluded and released sites were not begun");
    assert_eq!(drive.fold.on_a_persons_word(), report.overruled.len(), "status counts what the report lists");
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(json["overruled"].as_array().unwrap().len(), 4);
    assert_eq!(json["timeline"][0]["actor"], "ann");
}

#[test]
fn the_sites_add_up_at_every_moment_of_a_story() {
    let drive = story();
    let mut fold = reinstate_report::Fold::new(engine::Plan::new(guarded(14)).unwrap());
    let mut ends = 0;
    for record in &drive.records {
        fold.push(record).unwrap();
        let report = fold.report(record.at);
        let sites = report.sites_by_state;
        let back = sites.returned + sites.degraded;
        let out = sites.quarantined + sites.undone + sites.undoing + sites.excluded + sites.released;
        assert_eq!(back + out + sites.restoring + sites.waiting, sites.given);
        assert_eq!(report.ended.is_some(), matches!(fold.run().status(), Status::Ended(_)), "reopened is not ended");
        ends += u32::from(report.ended.is_some());
        for row in &report.sites {
            let is_back = matches!(row.state, "returned" | "degraded");
            assert_eq!(row.back_after_s.is_some(), is_back, "{} is {}", row.id, row.state);
        }
        let units = report.units;
        let open = units.waiting + units.ready + units.running + units.backoff + units.for_operator;
        assert_eq!(open + units.asked + units.undoing + units.settled(), units.total);
    }
    assert!(ends >= 2);
}

#[test]
fn a_retried_site_is_back_when_it_is_back_again() {
    let drive = story();
    let report = drive.fold.report(drive.now);
    let reopened = report.timeline.iter().find(|moment| moment.kind == MomentKind::Reopened).unwrap();
    let late = report.sites.iter().find(|row| row.id == ids(14)[13]).unwrap();
    assert_eq!(late.state, "returned");
    assert!(late.back_after_s.unwrap() > reopened.after_s, "its first, bad end does not count");
    assert_eq!((report.reopened, report.over_s), (1, 3600.0));
    let returned: Vec<u32> = report.returned_over_time.iter().map(|&(_, sites)| sites).collect();
    assert_eq!(returned.last(), Some(&9), "sites that are back now, and no other");
}

#[test]
fn why_names_approvers_and_what_to_type() {
    let mut drive = opened();
    drive.advance();
    let start = why_lines(&drive, &ids(1)[0]);
    assert!(start.contains("the approval of start: 2 approvals of leads missing; nobody has approved yet"), "{start}");
    assert!(start.contains("`reinstate approve april-1 start --reason ...`"), "{start}");
    assert!(start.contains("not by mia, who asked for the run"), "{start}");
    drive.command_by("ann", Command::Approve { gate: Gate::Start, checked: Vec::new() }, "fine");
    assert!(why_lines(&drive, "catalogue").contains("1 approval of leads missing; approved by ann"));
    assert!(status_line(drive.fold.run(), drive.now).contains("1 gate waits for approval"));
    let standing = serde_json::to_value(reinstate_report::standing(drive.fold.run())).unwrap();
    assert_eq!((&standing["approvals"][0]["gate"], &standing["approvals"][0]["missing"]), (&"start".into(), &1.into()));
    assert_eq!(standing["sites_by_state"]["excluded_by_plan"], 2);
    assert_eq!(standing["pools"][0]["pool"], "identity_api", "instances without use are left out");
    let report = drive.fold.report(drive.now);
    assert_eq!((report.approvals[0].state, report.approvals[0].missing), ("waiting", 1));
    assert_eq!(report.approvals[0].decisions.len(), 1);
    let text = render_text(&report, 100, false);
    assert!(text.contains("Waits for approval (1 gate)") && text.contains("approved by ann: fine"), "{text}");
    assert!(why_lines(&drive, "ffffffff-closed-1").contains("left out by the plan: closed its account"));
    let rows: Vec<_> = sites(drive.fold.run()).collect();
    assert_eq!((rows.len(), rows[15].state, rows[15].reason), (16, "excluded", Some("closed its account")));
}

#[test]
fn what_to_type_confirms_a_list_where_there_is_one() {
    let mut spec = guarded(14);
    spec.extras.checklists.push(Checklist { of: ApprovalAt::Start, items: vec!["Read the plan".to_owned()] });
    let drive = Drive::new(spec, Box::new(|_, _, _| (1, done())));
    let start = why_lines(&drive, &ids(1)[0]);
    assert!(start.contains("`reinstate approve april-1 start --reason ... --checked`"), "{start}");
    assert!(start.contains("`reinstate reject april-1 start --reason ...`"), "to reject takes no list: {start}");
}

#[test]
fn what_is_open_to_somebody_is_what_each_gate_says_of_them() {
    let drive = story();
    let mut fold = reinstate_report::Fold::new(engine::Plan::new(guarded(14)).unwrap());
    let mut open = 0;
    for record in &drive.records {
        fold.push(record).unwrap();
        let run = fold.run();
        for actor in ["ann", "bob", "mia", "nobody"] {
            let gates = run.requests().map(|request| request.gate);
            let each: Vec<Gate> = gates.filter(|&gate| run.may_be_approved_by(gate, actor).is_ok()).collect();
            let all: Vec<Gate> = run.requests_open_to(actor).map(|request| request.gate).collect();
            assert_eq!(all, each, "{actor}");
            open += all.len();
        }
    }
    assert!(open > 0);
}

#[test]
fn why_names_holders_and_the_place_in_the_queue() {
    let mut drive = Drive::new(spec(&ids(40), 1), calm());
    let full = |run: &engine::Run| run.ready_units() > 8 && run.pools()[0].used == 4;
    drive.run_until(full);
    let waiting: Vec<String> =
        ids(40).into_iter().filter(|id| why_lines(&drive, id).contains("a slot of pool shard_writes")).collect();
    let last = why_lines(&drive, waiting.last().unwrap());
    assert!(last.contains("4 of 4 in use, by databases/"), "{last}");
    assert!(last.contains("and 1 more;") && last.contains("ready units come before it"), "{last}");
    let first = why_lines(&drive, &waiting[0]);
    assert!(first.contains("before it") || first.contains("the first in the queue"), "{first}");
}

#[test]
fn a_stuck_undo_is_told_with_its_verbs() {
    let mut drive = opened();
    drive.command_by("ann", Command::Approve { gate: Gate::Start, checked: Vec::new() }, "");
    go_until(&mut drive, |run| run.site_end(SiteIx(3)).is_some());
    drive.command(Command::TakeOut { site: SiteIx(3), how: TakeOut::Undo }, "wrong backup");
    assert_eq!(drive.fold.report(drive.now).sites_by_state.undoing, 1);
    go_until(&mut drive, |run| run.for_operator().count() == 2);
    let lines = why_lines(&drive, &ids(4)[3]);
    assert!(lines.contains("is being taken back") && lines.contains("its undo failed"), "{lines}");
    for verb in ["retry", "mark-done", "skip"] {
        assert!(lines.contains(&format!("`reinstate {verb} april-1 databases/{}/jira", ids(4)[3])), "{lines}");
    }
    let report = drive.fold.report(drive.now);
    assert!(report.waiting_for_operator.iter().all(|unit| unit.undo && unit.state == "stuck"));
    assert_eq!(report.remains.iter().filter(|row| row.why == "stuck").count(), 2);
}

#[test]
fn a_run_that_is_taken_back_says_what_remains() {
    let mut drive = opened();
    drive.command_by("ann", Command::Approve { gate: Gate::Start, checked: Vec::new() }, "");
    go_until(&mut drive, |run| run.tally().returned >= 2);
    drive.command(Command::Cancel { undo: true }, "the wrong list");
    let report = drive.fold.report(drive.now);
    assert_eq!(report.verdict, Verdict::Unwinding);
    assert!(report.headline.starts_with("Taking everything back: "), "{}", report.headline);
    let ended = |run: &engine::Run| matches!(run.status(), Status::Ended(_));
    go_until(&mut drive, |run| ended(run) || (run.for_operator().next().is_some() && run.in_flight() == 0));
    let first = |drive: &Drive| drive.fold.run().for_operator().next();
    while let Some(unit) = first(&drive) {
        assert_eq!(drive.fold.run().unit_state(unit), Some(UnitState::Stuck));
        let (node, _) = drive.fold.run().unit_at(unit).unwrap();
        drive.command(Command::Overrule { node, item: None, how: Decree::Skip }, "");
    }
    go_until(&mut drive, |run| matches!(run.status(), Status::Ended(_)));
    let report = drive.fold.report(drive.now);
    assert_eq!((report.verdict, report.sites_by_state.returned), (Verdict::Cancelled, 0));
    assert!(
        report.remains.iter().any(|row| row.unit == "recover/shard-00" && row.why == "no_undo"),
        "shared steps too"
    );
    assert_eq!(report.returned_then_out.len(), 2, "{:?}", report.returned_then_out);
}

#[test]
fn what_was_skipped_is_skipped_no_more_once_it_ran() {
    let mut drive = opened();
    drive.command_by("ann", Command::Approve { gate: Gate::Start, checked: Vec::new() }, "");
    go_until(&mut drive, |run| run.batch_times(engine::BatchIx(1)).0.is_some());
    let apps = node(drive.fold.run(), APPS, 4);
    drive.command(Command::Overrule { node: apps, item: None, how: Decree::Skip }, "retired");
    go_until(&mut drive, |run| run.site_end(SiteIx(4)).is_some());
    assert_eq!(drive.fold.report(drive.now).overruled.len(), 1);
    drive.command(Command::Retry { what: Again::Site(SiteIx(4)) }, "not retired after all");
    assert!(drive.fold.report(drive.now).overruled.is_empty());
    go_until(&mut drive, |run| run.site_end(SiteIx(4)).is_some());
    let report = drive.fold.report(drive.now);
    assert_eq!(report.sites.iter().find(|row| row.id == ids(5)[4]).unwrap().state, "returned");
    assert!(report.by_people.len() == 2, "that it was skipped once stays on record");
}

#[test]
fn hostile_names_and_reasons_of_people_stay_text() {
    let hostile = "<script>alert(1)</script>\u{1b}[31m\u{202e}\u{7}&\"'";
    let mut drive = opened();
    drive.command_by("ann", Command::Approve { gate: Gate::Start, checked: Vec::new() }, hostile);
    drive.command_by(hostile, Command::TakeOut { site: SiteIx(10), how: TakeOut::Exclude }, hostile);
    go_until(&mut drive, |run| run.batch_times(engine::BatchIx(1)).0.is_some());
    let apps = node(drive.fold.run(), APPS, 4);
    drive.command_by(
        hostile,
        Command::Overrule { node: apps, item: None, how: Decree::Done { outputs: None } },
        hostile,
    );
    go_until(&mut drive, |run| matches!(run.status(), Status::Ended(_)));
    let report = drive.fold.report(drive.now);
    let html = render_html(&report);
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let page = roxmltree::Document::parse_with_options(&html, options).unwrap();
    assert!(page.descendants().all(|node| !node.has_tag_name("script")));
    assert!(page.descendants().any(|node| node.text().is_some_and(|text| text.contains("<script>alert(1)</script>"))));
    let junit = render_junit(&report);
    roxmltree::Document::parse(&junit).unwrap();
    let text = render_text(&report, 100, false);
    for rendered in [&html, &junit, &text] {
        assert!(!rendered.contains(['\u{1b}', '\u{202e}', '\u{7}']));
    }
}

#[test]
fn what_was_confirmed_stands_with_the_decision() {
    let mut spec = guarded(14);
    let items: Vec<String> = ["Read the plan", "Tell support"].map(str::to_owned).into();
    spec.extras.checklists.push(Checklist { of: ApprovalAt::Start, items: items.clone() });
    let mut drive = Drive::new(spec, Box::new(|_, _, _| (1, done())));
    let ticked = |ticks: &[&str]| {
        let ticks: Vec<String> = ticks.iter().map(|&tick| tick.to_owned()).collect();
        drive.fold.run().is_checked(Gate::Start, &ticks)
    };
    assert_eq!(ticked(&[]), Err(Rejection::Unchecked(items.clone())));
    assert_eq!(ticked(&["Tell support"]), Err(Rejection::Unchecked(vec!["Read the plan".to_owned()])));
    assert_eq!(ticked(&["Read the plan", "Tell all"]), Err(Rejection::NotOnChecklist("Tell all".to_owned())));
    let open = Input::Command {
        actor: "ann".to_owned(),
        reason: "fine".to_owned(),
        command: Command::Approve { gate: Gate::Start, checked: Vec::new() },
    };
    let refused = drive.fold.run().decide(drive.now, open, &NoExpressions);
    assert_eq!(refused, Err(Rejection::Unchecked(items.clone())), "the run itself asks, whoever brings the verb");
    drive.command_by("ann", Command::Approve { gate: Gate::Start, checked: items }, "fine");
    let report = drive.fold.report(drive.now);
    let said = &report.approvals[0].decisions[0];
    assert_eq!(said.reason, "fine (checked: Read the plan; Tell support)");
}
