//! Words for the outside: what they say of runs of every kind, and what they must never say.
#![allow(clippy::unwrap_used)]

mod support;

use engine::{Command, SiteIx, TakeOut};
use reinstate_report::{Incident, STATUS_NAMES, StatusTemplate, TemplateError, Verdict, status_message};
use serde_json::json;
use support::snapshot::snapshot;
use support::{Drive, T0, calm, ids, rough, rough_run, spec};

fn incident() -> Incident {
    Incident {
        name: Some("Sites deleted by mistake".to_owned()),
        what: Some("On 5 April 2022 a script deleted sites of customers.".to_owned()),
        support: Some("https://support.vendor.example, +1 555 0100".to_owned()),
        components: vec!["abc123".to_owned()],
    }
}

#[test]
fn a_run_under_way_says_what_is_known_and_what_is_not() {
    let mut drive = Drive::new(spec(&ids(60), 3), rough());
    let early = status_message(&drive.fold.report(T0), &incident());
    assert_eq!(early.value("forecast"), Some("It is not known yet how long the rest will take."));
    assert!(early.value("confidence").unwrap().starts_with("None yet"));
    assert_eq!(early.value("affected"), Some("60 sites are affected. All of them are away."));
    assert_eq!(early.statuspage(None)["incident"]["impact_override"], "critical");
    drive.run_until(|run| run.tally().returned >= 25);
    let message = status_message(&drive.fold.report(drive.now), &incident());
    snapshot("status.txt", &message.text(None));
    snapshot("status.md", &message.markdown(None));
    let page = message.statuspage(None);
    assert_eq!(page["incident"]["name"], "Sites deleted by mistake");
    assert_eq!(page["incident"]["status"], "identified");
    assert_eq!(page["incident"]["components"], json!({ "abc123": "partial_outage" }));
    assert_eq!(page["incident"]["body"], message.text(None).trim_end());
    drive.command(Command::Pause, "secret inner reason: blame Joe");
    let paused = status_message(&drive.fold.report(drive.now), &incident()).text(None);
    assert!(paused.contains("Paused: ") && paused.contains("It is not known when it will end."));
    assert!(!paused.contains("Joe") && !paused.contains("mia"), "nothing of the inside:\n{paused}");
}

#[test]
fn what_is_not_back_is_never_called_back() {
    let drive = rough_run();
    let report = drive.fold.report(drive.now);
    let message = status_message(&report, &incident());
    snapshot("status-rough.txt", &message.text(None));
    let (tally, text) = (report.sites_by_state, message.text(None));
    assert_eq!(report.verdict, Verdict::SucceededWithExceptions);
    assert_eq!((tally.returned, tally.degraded, tally.quarantined), (36, 2, 2));
    assert!(text.contains("36 of 40 sites are back and checked: 90 %."), "{text}");
    assert!(text.contains("2 sites are back with parts missing."));
    assert!(text.contains("2 sites are not back: something failed"));
    for word in ["restored", "resolved", "all sites", "success"] {
        assert!(!text.to_lowercase().contains(word), "{word}:\n{text}");
    }
    for inside in ["page count", "attachments", "vendor confirms", "mia", "driver-1", &ids(40)[4]] {
        assert!(!text.contains(inside), "{inside}:\n{text}");
    }
    let page = message.statuspage(None);
    assert_eq!(
        (&page["incident"]["status"], &page["incident"]["impact_override"]),
        (&json!("identified"), &json!("major"))
    );
}

#[test]
fn only_a_run_without_any_exception_is_resolved() {
    let mut drive = Drive::new(spec(&ids(12), 2), calm());
    drive.run_to_rest();
    let message = status_message(&drive.fold.report(drive.now), &incident());
    let page = message.statuspage(None);
    assert_eq!(
        (&page["incident"]["status"], &page["incident"]["impact_override"]),
        (&json!("resolved"), &json!("none"))
    );
    assert_eq!(page["incident"]["components"]["abc123"], "operational");
    assert_eq!(message.value("forecast"), Some("Nothing is left to do."));
    // One that a person left out is not back, whatever became of the others.
    let mut drive = Drive::new(spec(&ids(12), 2), calm());
    drive.command(Command::TakeOut { site: SiteIx(11), how: TakeOut::Exclude }, "not ours");
    drive.run_to_rest();
    let message = status_message(&drive.fold.report(drive.now), &incident());
    assert_eq!(message.statuspage(None)["incident"]["status"], "identified");
    assert_eq!(message.value("percent"), Some("91.6 %"), "rounded down");
    assert!(message.value("back").unwrap().contains("1 site is not part of this work, and not back."));
}

#[test]
fn templates_know_their_names() {
    let mut drive = Drive::new(spec(&ids(12), 2), calm());
    drive.run_to_rest();
    let message = status_message(&drive.fold.report(drive.now), &Incident::default());
    let template = StatusTemplate::parse("{{ percent }} of {{given}}\n{{support}} }} {x}").unwrap();
    let filled = message.text(Some(&template));
    assert_eq!(filled, "100 % of 12\nThe usual ways of reaching support are open. }} {x}");
    assert_eq!(message.markdown(Some(&template)), filled);
    for name in STATUS_NAMES {
        assert!(message.value(name).is_some_and(|value| !value.is_empty()), "{name}");
        assert!(StatusTemplate::parse(&format!("{{{{{name}}}}}")).is_ok());
    }
    let unknown = StatusTemplate::parse("a\nb {{restored}}").unwrap_err();
    assert_eq!(unknown, TemplateError::Unknown { name: "restored".to_owned(), line: 2 });
    assert!(unknown.hint().contains("returned") && unknown.code() == "template-name");
    for open in ["{{percent", "x {{\npercent}}", "{{{{percent}}"] {
        assert!(StatusTemplate::parse(open).is_err(), "{open}");
    }
    // Values are not read again.
    let sly = Incident { what: Some("{{run}} \u{1b}[31m".to_owned()), ..Incident::default() };
    let message = status_message(&drive.fold.report(drive.now), &sly);
    assert_eq!(message.text(Some(&StatusTemplate::parse("{{what}}").unwrap())), "{{run}} \\u{1b}[31m");
}
