//! The pages without a browser: who may see and do what, and that text from outside stays text.

use serde_json::json;

use crate::client::{Answer, Request};
use crate::daemon::{Daemon, Home};

/// A browser's request: a cookie in place of a token, and a page wanted.
pub struct Visitor {
    pub cookie: String,
}

impl Visitor {
    pub fn of(daemon: &Daemon<'_>, token: &str) -> Self {
        let body = format!("token={token}&to=%2Fruns");
        let answer = form(daemon, "/sign-in", &body, None);
        assert_eq!((answer.status, answer.header("location")), (303, Some("/runs")), "{answer:?}");
        let cookie = answer.header("set-cookie").expect("a session").to_owned();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        Self { cookie: cookie.split(';').next().expect("its first part").to_owned() }
    }

    pub fn get(&self, daemon: &Daemon<'_>, path: &str) -> Answer {
        daemon.ask(&Request::new("GET", path).with("Cookie", &self.cookie).with("Accept", "text/html"))
    }

    pub fn post(&self, daemon: &Daemon<'_>, path: &str, body: &str) -> Answer {
        form(daemon, path, body, Some(&self.cookie))
    }
}

fn form(daemon: &Daemon<'_>, path: &str, body: &str, cookie: Option<&str>) -> Answer {
    let mut request = Request::new("POST", path)
        .with("Content-Type", "application/x-www-form-urlencoded")
        .with("Accept", "text/html")
        .with("Origin", &format!("http://{}", daemon.address));
    if let Some(cookie) = cookie {
        request = request.with("Cookie", cookie);
    }
    request.body = body.as_bytes().to_vec();
    daemon.ask(&request)
}

#[test]
fn each_role_sees_and_does_what_is_its_own() {
    let home = Home::new(5);
    let roles = ["viewer", "validator", "approver", "operator", "admin"];
    let tokens: Vec<String> = roles.iter().map(|role| home.token(role, role)).collect();
    let daemon = Daemon::start(&home);
    daemon.launch(&tokens[3], "paced.yaml", "r");
    let acts = [
        ("pause", "operator"),
        ("continue", "operator"),
        ("resume", "operator"),
        ("cancel", "operator"),
        ("approve", "approver"),
        ("reject", "approver"),
        ("pass", "validator"),
        ("fail", "validator"),
        ("retry", "operator"),
        ("retry-quarantined", "operator"),
        ("retry-from", "operator"),
        ("skip", "operator"),
        ("mark-done", "operator"),
        ("resolve", "operator"),
        ("undo", "operator"),
        ("quarantine", "operator"),
        ("exclude", "operator"),
        ("release", "operator"),
        ("adopt", "operator"),
        ("pool", "operator"),
    ];
    for (role, token) in roles.iter().zip(&tokens) {
        // None of that name is there; who may not is refused before that is looked for.
        let drill = Visitor::of(&daemon, token).post(&daemon, "/drills/none/run", "");
        assert_eq!(drill.status, if matches!(*role, "operator" | "admin") { 404 } else { 403 }, "{role}");
        let visitor = Visitor::of(&daemon, token);
        for page in [
            "/runs",
            "/queue",
            "/runs/r",
            "/runs/r/sites",
            "/runs/r/sites/s0",
            "/runs/r/sites/s0/history",
            "/runs/r/queue",
            "/runs/r/report",
            "/drills",
            "/guide",
        ] {
            assert_eq!(visitor.get(&daemon, page).status, 200, "{role} {page}");
        }
        assert_eq!(visitor.get(&daemon, "/audit").status, if *role == "admin" { 200 } else { 403 }, "{role}");
        let launches = matches!(*role, "operator" | "admin");
        assert_eq!(visitor.get(&daemon, "/runs/r/amend").status, if launches { 200 } else { 403 }, "{role}");
        let amends = visitor.post(&daemon, "/runs/r/amend/go", "plan=01234567&from=01234567&reason=x");
        assert_eq!(amends.status, if launches { 409 } else { 403 }, "{role}: {amends:?}");
        assert_eq!(visitor.get(&daemon, "/launch").status, if launches { 200 } else { 403 }, "{role}");
        assert_eq!(visitor.post(&daemon, "/launch/run", "count=1").status == 403, !launches, "{role}");
        for (act, needs) in acts {
            // Nothing of it can be done: without a reason every act is refused.
            let answer = visitor.post(&daemon, &format!("/runs/r/act/{act}"), "subject=s0");
            let may = *role == needs || *role == "admin" || (needs == "validator" && *role == "approver");
            assert_eq!(answer.status == 403, !may, "{role} {act}: {answer:?}");
        }
    }
}

#[test]
fn who_is_not_known_is_led_to_the_form_and_back_and_nowhere_else() {
    let home = Home::new(5);
    let token = home.token("vera", "viewer");
    let daemon = Daemon::start(&home);
    let asked = daemon.ask(&Request::new("GET", "/runs?from=0").with("Accept", "text/html"));
    assert_eq!((asked.status, asked.header("location")), (303, Some("/sign-in?to=%2Fruns%3Ffrom%3D0")));
    assert_eq!(daemon.ask(&Request::new("GET", "/runs")).status, 401, "a program is told so");
    let elsewhere = form(&daemon, "/sign-in", &format!("token={token}&to=https%3A%2F%2Fexample.org"), None);
    assert_eq!(elsewhere.header("location"), Some("/runs"));
    let wrong = form(&daemon, "/sign-in", "token=guessed&to=%2Fruns", None);
    assert_eq!(wrong.status, 401);
    assert!(wrong.body.contains("role=\"alert\"") && !wrong.body.contains("guessed"), "{wrong:?}");
    let foreign = Request::new("POST", "/sign-out").with("Cookie", "reinstate_session=x").with("Origin", "http://evil");
    let foreign = daemon.ask(&foreign);
    assert_eq!((foreign.status, foreign.code().as_str()), (403, "origin-foreign"), "another's page signs nobody out");
}

#[test]
fn text_from_outside_stays_text() {
    let home = Home::new(5);
    let daemon = Daemon::start(&home);
    daemon.launch("", "paced.yaml", "r");
    let _ = daemon.until("", "r", |run| run["state"]["over"] == true);
    let pause = json!({ "reason": "<img src=x onerror=alert(2)>" });
    let _ = daemon.post("", "/api/v1/runs/r/cancel", &pause);
    let visit = |path: &str| daemon.ask(&Request::new("GET", path).with("Accept", "text/html"));
    for path in [
        "/runs/r",
        "/runs/r/act?verb=retry&subject=%3Cscript%3Ealert(3)%3C%2Fscript%3E",
        "/runs/%3Cscript%3Ealert(4)%3C%2Fscript%3E",
        "/runs/r/sites?q=%22%3E%3Cscript%3Ealert(5)%3C%2Fscript%3E",
        "/sign-in?to=%22%3E%3Cscript%3Ealert(6)%3C%2Fscript%3E",
        "/audit",
    ] {
        let answer = visit(path);
        assert!(!answer.body.contains("<script>alert") && !answer.body.contains("<img src=x"), "{path}: {answer:?}");
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{path}: {policy}");
    }
    assert!(visit("/runs/r").body.contains("/assets/live.js?"), "its own script alone");
}

#[test]
fn the_stream_of_a_page_brings_its_parts_and_then_what_changes() {
    let home = Home::new(400);
    home.write("runbooks/slow.yaml", &crate::daemon::paced(100));
    let daemon = Daemon::start(&home);
    daemon.launch("", "slow.yaml", "r");
    let mut parts = std::collections::BTreeSet::new();
    let mut letters = 0;
    for (kind, data) in Request::new("GET", "/runs/r/live").follow(&daemon.address) {
        match kind.as_str() {
            "part" => {
                let id = data["id"].as_str().expect("its place").to_owned();
                let over =
                    id == "part-head" && data["html"].as_str().is_some_and(|html| html.contains("ended: succeeded"));
                parts.insert(id);
                if over {
                    break;
                }
            }
            "grid" | "sites" => letters += 1,
            other => panic!("{other}"),
        }
    }
    let all = ["batches", "curve", "drive", "events", "graph", "head", "pools", "sites", "steps", "waits"];
    assert_eq!(parts.into_iter().collect::<Vec<_>>(), all.map(|name| format!("part-{name}")));
    assert!(letters > 1, "sites came back one after the other");
}

#[test]
fn what_is_said_after_an_act_is_so_and_no_link_can_say_it() {
    let home = Home::new(5);
    let asked = "{ sites: 1, approval: { from: [leads], min: 2, timeout: 1h, on_timeout: pause } }";
    let approvers = "approvers: { leads: [ben, sam] }";
    home.write("estates/e.yaml", &format!("schema: estate/v1\nname: e\nsandbox: true\n{approvers}\nguard: {asked}\n"));
    let (operator, ben, sam) =
        (home.token("otto", "operator"), home.token("ben", "approver"), home.token("sam", "approver"));
    let daemon = Daemon::start(&home);
    daemon.launch(&operator, "paced.yaml", "r");
    let (ben, sam) = (Visitor::of(&daemon, &ben), Visitor::of(&daemon, &sam));
    let approves = |visitor: &Visitor| {
        let answer = visitor.post(&daemon, "/runs/r/act/approve", "subject=start&reason=looked");
        assert_eq!((answer.status, answer.header("location")), (303, Some("/runs/r")), "{answer:?}");
    };
    let first = || ben.get(&daemon, "/runs/r").body;
    approves(&ben);
    let said = first();
    assert!(said.contains("It waits for 1 more.") && !said.contains("It is approved."), "{said}");
    assert!(!first().contains("It waits for 1 more."), "once");
    let linked = sam.get(&daemon, "/runs/r?did=approve").body;
    assert!(!linked.contains("It is approved.") && !linked.contains("is recorded"), "{linked}");
    approves(&sam);
    assert!(sam.get(&daemon, "/runs/r").body.contains("It is approved."));
}

#[test]
fn whoever_cancels_is_told_what_is_taken_back_and_what_stays() {
    let home = Home::new(400);
    home.write("runbooks/slow.yaml", &crate::daemon::paced(100));
    let daemon = Daemon::start(&home);
    daemon.launch("", "slow.yaml", "r");
    let _ = daemon.until("", "r", |run| run["sites"]["returned"].as_u64() > Some(5));
    let asked = daemon.ask(&Request::new("GET", "/runs/r/act?verb=cancel").with("Accept", "text/html")).body;
    for told in
        ["returned sites, gone again", "s0, s1", "degraded sites, gone again", "steps that cannot be taken back"]
    {
        assert!(asked.contains(told), "{told}: {asked}");
    }
}

#[test]
fn each_tile_counts_what_its_link_lists_and_no_other_state_is_known() {
    let home = Home::new(40);
    let daemon = Daemon::start(&home);
    let mut planning = crate::daemon::planning("paced.yaml");
    planning["exclude"] = json!({ "s7": "not ours" });
    let planned = daemon.done("", "/api/v1/plans", &planning);
    let launch = json!({ "plan": planned["plan"]["hash"], "count": 39, "name": "r" });
    let _ = daemon.done("", "/api/v1/runs", &launch);
    let _ = daemon.until("", "r", |run| run["state"]["over"] == true);
    let _ = daemon.done("", "/api/v1/runs/r/sites/s3/undo", &json!({ "reason": "not ours either" }));
    let _ = daemon.until("", "r", |run| run["sites"]["undone"] == 1 && run["sites"]["undoing"] == 0);
    let page = daemon.get("", "/runs/r").body;
    let tiles: Vec<(&str, usize)> = page
        .split("<li class=\"tile\"><a href=\"")
        .skip(1)
        .map(|tile| {
            let (link, rest) = tile.split_once('"').expect("a link");
            let count = rest.split_once("\">").and_then(|(_, rest)| rest.split_once('<')).expect("a count").0;
            (link, count.parse().expect("a number"))
        })
        .collect();
    assert!(tiles.len() == 10 && tiles.iter().filter(|(_, count)| *count > 0).count() == 4, "{tiles:?}");
    for (link, count) in tiles {
        let list = daemon.get("", link);
        let found = list.body.split(" found").next().and_then(|text| text.rsplit(' ').next());
        let found = if list.body.contains("No site of this run") { Some("0") } else { found };
        assert_eq!(found, Some(count.to_string().as_str()), "{link}: {}", list.body);
        let state = link.split_once('?').map_or("", |(_, query)| query);
        assert_eq!(daemon.seen("", &format!("/api/v1/runs/r/sites?{state}"))["total"], count, "{link}");
    }
    for path in ["/runs/r/sites?state=lost", "/api/v1/runs/r/sites?state=lost"] {
        let answer = daemon.get("", path);
        assert!(answer.status == 400 && answer.body.contains("sites-state"), "{path}: {answer:?}");
        assert!(answer.body.contains("use one of waiting, restoring"), "{path}: {answer:?}");
    }
}

#[test]
fn a_site_goes_from_one_run_to_another_by_the_pages() {
    let home = Home::new(9);
    home.write("runbooks/slow.yaml", &crate::daemon::paced(1));
    let token = home.token("otto", "operator");
    let daemon = Daemon::start(&home);
    let visitor = Visitor::of(&daemon, &token);
    daemon.launch(&token, "slow.yaml", "first");
    let done = |path: &str, body: &str| {
        let answer = visitor.post(&daemon, path, body);
        assert_eq!(answer.status, 303, "{path}: {answer:?}");
    };
    // With nothing in flight and not begun at its pace, so that it can be let go; the other run has it from its plan, and leaves
    // it out.
    done("/runs/first/act/pause", "reason=wait");
    let _ = daemon.until(&token, "first", |run| run["state"]["paused"] == true && run["in_flight"] == 0);
    done("/runs/first/act/release", "subject=s8&reason=theirs");
    assert!(visitor.get(&daemon, "/runs/first/sites/s8").body.contains("/runs/first/act?verb=adopt"));
    let others: String = (100..140).map(|site| format!("s{site},shard-1\n")).collect();
    home.write("sites/s.csv", &format!("id,shard\n{others}s8,shard-2\n"));
    daemon.launch(&token, "slow.yaml", "second");
    done("/runs/second/act/pause", "reason=wait");
    let _ = daemon.until(&token, "second", |run| run["state"]["paused"] == true && run["in_flight"] == 0);
    done("/runs/second/act/exclude", "subject=s8&reason=back+to+first");
    let form = visitor.get(&daemon, "/runs/second/act?verb=adopt&subject=s8").body;
    assert!(form.contains("From which run"), "{form}");
    done("/runs/second/act/adopt", "subject=s8&from=first&reason=it+goes+on+here");
    assert!(visitor.get(&daemon, "/runs/second").body.contains("The site is taken in."));
}

#[test]
fn a_report_is_a_page_that_may_do_nothing_wherever_it_is_asked_for() {
    let home = Home::new(3);
    let daemon = Daemon::start(&home);
    daemon.launch("", "paced.yaml", "r");
    let of = |path: &str| daemon.get("", path).header("content-security-policy").map(str::to_owned);
    let policy = of("/runs/r/report").expect("a policy");
    assert!(policy.contains("sandbox") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(of("/api/v1/runs/r/report?format=html"), Some(policy));
}

#[test]
fn a_plan_that_was_not_launched_is_shown_as_it_was_made_and_not_as_the_browser_says() {
    let home = Home::new(3);
    let token = home.token("otto", "operator");
    let daemon = Daemon::start(&home);
    let planned = daemon.done(&token, "/api/v1/plans", &crate::daemon::planning("paced.yaml"));
    let hash = planned["plan"]["hash"].as_str().expect("a hash");
    let summary = "%7B%22estate%22%3A%22harmless%22%7D";
    let body = format!("plan={hash}&count=4&no_preflight=yes&summary={summary}");
    let refused = Visitor::of(&daemon, &token).post(&daemon, "/launch/run", &body);
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.body.contains("Plan of paced: 3 sites") && !refused.body.contains("harmless"), "{}", refused.body);
    assert!(refused.body.contains("value=\"yes\" checked"), "what was chosen stays: {}", refused.body);
}
