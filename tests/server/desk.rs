//! Many people who look at what came back: each at another thing, in shifts, with a list to go by.

use std::collections::BTreeSet;

use reinstate_tests::process::expect;
use serde_json::{Value, json};

use crate::client::Answer;
use crate::daemon::{Daemon, Home};
use crate::pages::Visitor;

/// A run of some sites, each of which waits for one of `people`, with a list of two things to confirm.
pub fn home(sites: u32, people: &str) -> Home {
    let home = Home::new(sites);
    home.write(
        "runbooks/looked.yaml",
        "schema: runbook/v1
name: looked
targets: { id: '^s[0-9]+$', attributes: { shard: string } }
defaults: { timeout: 1m }
steps:
  work: { uses: exec/run@1, with: { command: [echo, '{\"page\": \"https://new.example/home\"}'] } }
  customer:
    needs: work
    if: steps.work.outputs.page is defined
    approval: { from: [support], timeout: 72h, checklist: [Log in as the customer, Open the newest page] }
",
    );
    home.write(
        "estates/e.yaml",
        &format!("schema: estate/v1\nname: e\nsandbox: true\napprovers: {{ support: [{people}] }}\n"),
    );
    home
}

/// Launches it and waits until all sites wait for people.
pub fn launched(daemon: &Daemon<'_>, operator: &str, sites: usize) {
    daemon.launch(operator, "looked.yaml", "r");
    let _ = daemon.until(operator, "r", |run| {
        run["waits"].as_array().is_some_and(|waits| !waits.is_empty()) && run["in_flight"] == 0
    });
    let all = || daemon.seen(operator, "/api/v1/runs/r/approvals").as_array().map_or(0, Vec::len);
    let _ = daemon.until(operator, "r", |_| all() == sites);
}

pub const CHECKED: [&str; 2] = ["Log in as the customer", "Open the newest page"];

#[test]
fn fifty_people_who_ask_at_once_are_given_fifty_different_things() {
    let people: Vec<String> = (0..50).map(|person| format!("p{person}")).collect();
    let home = home(55, &people.join(", "));
    let operator = home.token("otto", "operator");
    let tokens: Vec<String> = people.iter().map(|person| home.token(person, "validator")).collect();
    let daemon = Daemon::start(&home);
    launched(&daemon, &operator, 55);
    let next = |token: &str| daemon.done(token, "/api/v1/runs/r/claims/next", &json!({ "step": "customer" }));
    let given: BTreeSet<String> = std::thread::scope(|scope| {
        let asking: Vec<_> = tokens.iter().map(|token| scope.spawn(move || next(token))).collect();
        asking.into_iter().map(|asked| asked.join().expect("an answer")["gate"].to_string()).collect()
    });
    assert_eq!(given.len(), 50);
    let board = &daemon.seen(&tokens[0], "/api/v1/runs/r/claims")["board"];
    assert_eq!((&board["free"], &board["with_others"]), (&json!(5), &json!(49)), "{board:#}");
    assert_eq!(board["mine"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        daemon.post(&operator, "/api/v1/runs/r/claims/next", &json!({})).status,
        403,
        "who steers decides nothing"
    );
}

#[test]
fn what_is_claimed_is_decided_by_whose_it_is_and_taken_over_only_openly() {
    let home = home(3, "val, mia");
    let (otto, ada) = (home.token("otto", "operator"), home.token("ada", "admin"));
    let (val, mia) = (home.token("val", "validator"), home.token("mia", "validator"));
    let daemon = Daemon::start(&home);
    launched(&daemon, &otto, 3);
    let claims = |token: &str, what: &str, body: &Value| -> Answer {
        daemon.post(token, &format!("/api/v1/runs/r/claims/{what}"), body)
    };
    let code = |answer: &Answer| (answer.status, answer.code());
    let stranger = claims(&ada, "next", &json!({}));
    assert_eq!(code(&stranger), (404, "claims-none".to_owned()), "in no group: {stranger:?}");
    let given = claims(&val, "next", &json!({})).json();
    assert_eq!((&given["gate"], &given["with"]), (&json!("customer/s0"), &json!("val")), "{given:#}");
    assert_eq!(given["checklist"], json!(CHECKED));
    assert_eq!(given["links"][0], json!({ "what": "page of work", "at": "https://new.example/home" }));
    // Another person is told whose it is, and may take it only with a reason.
    let pass = json!({ "unit": "customer/s0", "pass": true, "note": "looks right", "checked": CHECKED });
    let theirs = daemon.post(&mia, "/api/v1/runs/r/validate", &pass);
    assert_eq!(code(&theirs), (409, "claimed".to_owned()));
    assert!(theirs.body.contains("val has customer/s0 in hand until"), "{theirs:?}");
    let s0 = json!({ "gate": "customer/s0" });
    assert_eq!(code(&claims(&mia, "take", &s0)), (409, "claimed".to_owned()));
    let silent = json!({ "gate": "customer/s0", "from": "val" });
    assert_eq!(code(&claims(&mia, "take", &silent)), (422, "reason-missing".to_owned()));
    let wrong = json!({ "gate": "customer/s0", "from": "ada", "reason": "she went home" });
    assert_eq!(code(&claims(&mia, "take", &wrong)), (409, "claim-other".to_owned()));
    let over = json!({ "gate": "customer/s0", "from": "val", "reason": "she went home" });
    assert_eq!(claims(&mia, "take", &over).json()["who"], "mia");
    assert_eq!(code(&claims(&val, "renew", &s0)), (409, "claim-lost".to_owned()));
    assert_eq!(claims(&mia, "renew", &s0).status, 200);
    let told = daemon.seen(&ada, "/api/v1/audit");
    let acts = told.as_array().expect("records").iter();
    let taken = acts.filter(|row| row["action"] == "POST /api/v1/runs/r/claims/take" && row["outcome"] == "ok");
    assert_eq!(taken.map(|row| row["what"]["reason"].clone()).collect::<Vec<_>>(), ["she went home"]);
    // It is handed over to somebody who can go on with it, and to nobody else.
    let hand = |to: &str| json!({ "gate": "customer/s0", "to": to, "note": "logged in; the page is left" });
    assert_eq!(code(&claims(&mia, "hand-over", &hand("nobody"))), (409, "claim-person".to_owned()));
    assert_eq!(claims(&mia, "hand-over", &hand("val")).json()["handed_over"], 1);
    // Everything on the list has to be confirmed, by its own words.
    let mut open = pass.clone();
    open["checked"] = json!(CHECKED[..1]);
    let refused = daemon.post(&val, "/api/v1/runs/r/validate", &open);
    assert_eq!(code(&refused), (422, "checklist-open".to_owned()));
    assert!(refused.body.contains(CHECKED[1]) && !refused.body.contains(CHECKED[0]), "{refused:?}");
    open["checked"] = json!(["Log in as the customer", "Open the newest page", "Have lunch"]);
    assert_eq!(code(&daemon.post(&val, "/api/v1/runs/r/validate", &open)), (422, "checklist-other".to_owned()));
    let _ = daemon.done(&val, "/api/v1/runs/r/validate", &pass);
    let seen = daemon.seen(&mia, "/api/v1/runs/r/claims");
    assert_eq!(
        (&seen["claims"], &seen["board"]["decided"], &seen["board"]["free"]),
        (&json!([]), &json!(1), &json!(2))
    );
    let report = daemon.get(&otto, "/api/v1/runs/r/report?format=text").body;
    let words = report.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("looks right (checked: Log in as the customer; Open the newest page)"), "{report}");
    // To fail takes no list.
    let fail = json!({ "unit": "customer/s1", "pass": false, "note": "the newest page is missing" });
    let _ = daemon.done(&mia, "/api/v1/runs/r/validate", &fail);
}

#[test]
fn the_command_line_shows_who_has_what_and_confirms_the_whole_list() {
    let me =
        String::from_utf8(std::process::Command::new("id").arg("-un").output().expect("id").stdout).expect("a name");
    let home = home(2, &format!("val, {}", me.trim()));
    let (otto, val) = (home.token("otto", "operator"), home.token("val", "validator"));
    let daemon = Daemon::start(&home);
    launched(&daemon, &otto, 2);
    let _ = daemon.done(&val, "/api/v1/runs/r/claims/next", &json!({}));
    let listed = expect(&mut home.command(&["approvals", "r"]), 0);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("val has it in hand until") && listed.contains("[ ] Open the newest page"), "{listed}");
    let approve = ["approve", "r", "customer/s0", "--reason", "looked"];
    let open = expect(&mut home.command(&approve), 2);
    let open = String::from_utf8_lossy(&open.stderr).into_owned();
    assert!(open.contains("checklist-open") && open.contains("Log in as the customer"), "{open}");
    let _ = expect(home.command(&approve).arg("--checked"), 0);
    let seen = daemon.seen(&val, "/api/v1/runs/r/claims");
    assert_eq!(
        (&seen["claims"], &seen["board"]["decided"]),
        (&json!([]), &json!(1)),
        "the claim goes with the decision"
    );
}

#[test]
fn two_people_work_a_shift_with_their_browsers() {
    let home = home(4, "val, mia");
    let otto = home.token("otto", "operator");
    let tokens = [home.token("val", "validator"), home.token("mia", "validator")];
    let daemon = Daemon::start(&home);
    launched(&daemon, &otto, 4);
    let [val, mia] = tokens.map(|token| Visitor::of(&daemon, &token));
    let leads = |visitor: &Visitor, path: &str, body: &str| {
        let answer = visitor.post(&daemon, &format!("/runs/r/desk/{path}"), body);
        assert_eq!(answer.status, 303, "{path} {body}: {answer:?}");
        answer.header("location").expect("a way on").to_owned()
    };
    assert!(val.get(&daemon, "/runs/r").body.contains("href=\"/runs/r/desk\""));
    assert!(val.get(&daemon, "/runs/r/desk").body.contains("Take the next one"));
    let first = leads(&val, "next", "step=");
    assert_eq!(first, "/runs/r/desk/work?gate=customer%2Fs0");
    assert_eq!(leads(&mia, "next", ""), "/runs/r/desk/work?gate=customer%2Fs1");
    let work = val.get(&daemon, &first).body;
    for shown in
        ["Log in as the customer", "https://new.example/home", "/runs/r/sites/s0", "data-renew", "Hand it over"]
    {
        assert!(work.contains(shown), "{shown}: {work}");
    }
    // Another's is shown as another's, with nothing to decide.
    let theirs = mia.get(&daemon, &first).body;
    assert!(theirs.contains("Take it over from val") && !theirs.contains("desk/pass"), "{theirs}");
    let acted = mia.post(
        &daemon,
        "/runs/r/act/pass",
        "subject=customer%2Fs0&reason=x&check-0=Log+in+as+the+customer&check-1=Open+the+newest+page",
    );
    assert!(acted.status == 409 && acted.body.contains("val has customer"), "{acted:?}");
    // What is open on the list is named, and what was ticked and written stays.
    let half =
        val.post(&daemon, "/runs/r/desk/pass", "gate=customer%2Fs0&note=all+fine&check-0=Log+in+as+the+customer");
    assert!(half.status == 422 && half.body.contains("not confirmed yet"), "{half:?}");
    assert_eq!(half.body.matches("all fine").count(), 1, "what was written stays where it was written");
    assert!(half.body.contains("required checked"), "{}", half.body);
    let all = "gate=customer%2Fs0&note=all+fine&check-0=Log+in+as+the+customer&check-1=Open+the+newest+page";
    let second = leads(&val, "pass", all);
    assert_eq!(second, "/runs/r/desk/work?gate=customer%2Fs2", "straight to the next");
    let silent = val.post(&daemon, "/runs/r/desk/fail", "gate=customer%2Fs2&note=");
    assert!(silent.status == 422 && silent.body.contains("reason-missing"), "{silent:?}");
    // A shift ends: what is in hand goes to the other, with the note.
    assert_eq!(leads(&val, "end-shift", "to=mia&note=look+at+the+attachments"), "/runs/r/desk");
    assert!(val.get(&daemon, "/runs/r/desk").body.contains("1 handed over, 0 given back"));
    let handed = mia.get(&daemon, &second).body;
    assert!(handed.contains("look at the attachments") && handed.contains("desk/pass"), "{handed}");
    assert_eq!(leads(&mia, "give-back", "gate=customer%2Fs1&note=the+customer+sleeps"), "/runs/r/desk");
    // What is in hand already comes before anything new.
    assert_eq!(leads(&mia, "take", "gate=customer%2Fs3"), "/runs/r/desk/work?gate=customer%2Fs3");
    assert_eq!(leads(&mia, "fail", "gate=customer%2Fs3&note=nothing+there"), "/runs/r/desk/work?gate=customer%2Fs2");
    assert_eq!(leads(&val, "next", ""), "/runs/r/desk/work?gate=customer%2Fs1");
    assert!(val.get(&daemon, "/runs/r/desk/work?gate=customer%2Fs1").body.contains("the customer sleeps"));
    let none = val.post(&daemon, "/runs/r/desk/next", "");
    assert!(none.status == 404 && none.body.contains("nothing is free for val"), "{none:?}");
    let viewer = Visitor::of(&daemon, &home.token("vera", "viewer"));
    assert_eq!(viewer.get(&daemon, "/runs/r/desk").status, 200);
    assert_eq!(viewer.post(&daemon, "/runs/r/desk/next", "").status, 403);
}

#[test]
fn the_queue_goes_by_heaps_and_pages() {
    let home = home(60, "val");
    let (otto, val) = (home.token("otto", "operator"), home.token("val", "validator"));
    let daemon = Daemon::start(&home);
    launched(&daemon, &otto, 60);
    let val = Visitor::of(&daemon, &val);
    let cards = |path: &str| {
        let body = val.get(&daemon, path).body;
        (body.matches("/runs/r/act?verb=pass").count(), body)
    };
    let (few, all) = cards("/queue");
    assert!(few == 10 && all.contains("Step customer (60)") && all.contains("/runs/r/desk"), "{all}");
    let (most, first) = cards("/runs/r/queue?heap=step%3Acustomer");
    assert!(most == 50 && first.contains("1 to 50 of 60") && first.contains("from=50"), "{first}");
    let (rest, last) = cards("/runs/r/queue?heap=step%3Acustomer&from=50");
    assert!(rest == 10 && last.contains("51 to 60 of 60") && !last.contains(">Next<"), "{last}");
}
