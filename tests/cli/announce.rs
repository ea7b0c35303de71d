//! Milestones told while a run goes on, each once whatever happens; and the status message at any time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::place::{Place, finish, holds, runbook, signal};

/// A service that keeps what it is told.
struct Service {
    url: String,
    told: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Service {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let told: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let kept = Arc::clone(&told);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut key, mut length) = (String::new(), 0);
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                    let lower = line.trim().to_lowercase();
                    if let Some(value) = lower.strip_prefix("idempotency-key: ") {
                        key = value.to_owned();
                    }
                    if let Some(value) = lower.strip_prefix("content-length: ") {
                        length = value.parse().unwrap();
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                // A look before the run connects and says nothing.
                if length == 0 || reader.read_exact(&mut body).is_err() {
                    continue;
                }
                let mut kept = kept.lock().unwrap();
                // A key that it knows is the same message once more; a chat has no keys.
                if key.is_empty() || kept.iter().all(|(known, _)| *known != key) {
                    kept.push((key, serde_json::from_slice(&body).unwrap()));
                }
                drop(kept);
                let mut stream = stream;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
            }
        });
        Self { url, told }
    }

    fn estate(&self, place: &Place) -> String {
        format!(
            r#"schema: estate/v1
name: bench
sandbox: true
announce:
  ledger: {}
  name: Sites deleted by mistake
  what: A script deleted sites.
  support: https://support.example
  components: [abc123]
  messages:
    - uses: notify/webhook@1
      on: [started, batch, 25%, 50%, exceptions, ended]
      with: {{ url: "{}/hook", body: {{ line: "{{{{headline}}}}", page: "{{{{statuspage}}}}" }} }}
    - uses: notify/slack@1
      on: [started, ended]
      with: {{ url: "{}/chat", text: "{{{{text}}}}" }}
"#,
            place.path("announced.db").display(),
            self.url,
            self.url
        )
    }

    /// Names of the milestones that the webhook was told of.
    fn milestones(&self) -> Vec<String> {
        let told = self.told.lock().unwrap();
        let keys = told.iter().filter(|(key, _)| !key.is_empty());
        keys.map(|(key, _)| key.rsplit('/').next().unwrap().to_owned()).collect()
    }

    fn chats(&self) -> Vec<Value> {
        let told = self.told.lock().unwrap();
        told.iter().filter(|(key, _)| key.is_empty()).map(|(_, body)| body.clone()).collect()
    }
}

const BATCHES: &str = "batches: { sizes: [1, rest], max_failures: [4, 4] }\n";

#[test]
fn a_killed_run_is_told_of_once_and_its_end_as_well() {
    let (place, service) = (Place::new(), Service::start());
    place.write("estate.yaml", service.estate(&place));
    place.write(
        "r.yaml",
        runbook(
            "r",
            BATCHES,
            &format!("  slow: {}\n", place.gated("retry: { attempts: 3 },"))
                .replace("command:", "idempotent: true, command:"),
        ),
    );
    let mut child = place.start("r.yaml", "r1");
    place.await_file("began-s1", &mut child);
    while service.milestones().is_empty() {
        std::thread::yield_now();
    }
    signal(child.id(), "-KILL");
    child.wait().unwrap();
    place.go();
    let _ = place.said(&["resume", "r1"], 0);
    let told = service.milestones();
    assert_eq!(told.first().map(String::as_str), Some("started"));
    assert_eq!(told.last().map(String::as_str), Some("ended"), "{told:?}");
    let chats = service.chats();
    assert!((1..=2).contains(&chats.len()), "at most once each: {chats:?}");
    let mut unique = told.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), told.len(), "each once: {told:?}");
}

#[test]
fn what_is_told_is_what_the_run_did() {
    let (place, service) = (Place::new(), Service::start());
    place.write("estate.yaml", service.estate(&place));
    let steps = "  a: { uses: noop@1 }\n  b: { needs: a, on_failure: degrade, if: site.shard == 'b', uses: exec/run@1, with: { command: [\"false\"], failure_means: refused } }\n";
    place.write("r.yaml", runbook("r", BATCHES, steps));
    let _ = place.run("r.yaml", "r1", 3);
    let milestones = service.milestones();
    assert_eq!(milestones.last().map(String::as_str), Some("ended"), "{milestones:?}");
    let (_, last) = service.told.lock().unwrap().iter().rfind(|(key, _)| !key.is_empty()).cloned().unwrap();
    assert_eq!(last["line"], "Ended, not all is well: 2 of 4 sites back and checked (50 %)");
    assert_eq!(last["page"]["incident"]["status"], "monitoring");
    assert_eq!(last["page"]["incident"]["components"]["abc123"], "degraded_performance");
    let chats = service.chats();
    let chat = chats.last().unwrap();
    holds(chat["text"].as_str().unwrap(), &["2 sites are back with parts missing.", "https://support.example"]);
    // A run that is over is told of no more.
    let _ = place.said(&["resume", "r1"], 3);
    assert_eq!(service.milestones(), milestones);
    assert_eq!(service.chats(), chats);

    let text = place.said(&["report", "r1", "--format", "status"], 0).out;
    holds(&text, &["A script deleted sites.", "2 of 4 sites are back and checked: 50 %.", "https://support.example"]);
    let page =
        place.said(&["report", "r1", "--format", "statuspage", "--incident", "Other", "--component", "x"], 0).json();
    assert_eq!(
        (&page["incident"]["name"], &page["incident"]["components"]["x"]),
        (&"Other".into(), &"degraded_performance".into())
    );
    let markdown = place.said(&["report", "r1", "--format", "status-md", "--what", "Other words."], 0).out;
    holds(&markdown, &["**What happened.** Other words.", "## Ended"]);
    place.write("t.txt", "{{percent}} of {{given}}\n");
    assert_eq!(place.said(&["report", "r1", "--format", "status", "--template", "t.txt"], 0).out, "50 % of 4\n");
    place.write("t.txt", "all good\n{{restored}}\n");
    let refused = place.said(&["report", "r1", "--format", "status", "--template", "t.txt"], 2);
    holds(&refused.err, &["template-name", "line 2", "returned"]);
}

#[test]
fn who_cannot_be_told_does_not_hold_the_run_up() {
    let place = Place::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let estate = format!(
        "schema: estate/v1\nname: bench\nsandbox: true\nannounce:\n  ledger: {}\n  messages:\n    - {{ uses: notify/webhook@1, on: ended, with: {{ url: \"http://{free}/\", body: {{}} }} }}\n",
        place.path("announced.db").display()
    );
    place.write("estate.yaml", estate);
    place.write("r.yaml", runbook("r", "", "  a: { uses: noop@1 }\n"));
    let said = place.run("r.yaml", "r1", 0);
    holds(&said.err, &["announcement ended by notify/webhook@1: not sent [http.connect]"]);
}

#[test]
fn what_would_go_wrong_in_the_night_is_found_at_check() {
    let place = Place::new();
    place.write("r.yaml", runbook("r", "", "  a: { uses: noop@1 }\n"));
    let head = "schema: estate/v1\nname: bench\nsandbox: true\nsecrets: { hook: \"env:HOOK\" }\nannounce:\n  ledger: sent.db\n  messages:\n";
    for (message, wanted) in [
        ("{ uses: exec/run@1, on: ended, with: { command: [x] } }", "RB0815"),
        ("{ uses: notify/pigeon@1, on: ended }", "RB0501"),
        ("{ uses: notify/slack@1, on: finished, with: { url: x, text: y } }", "RB0815"),
        ("{ uses: notify/slack@1, on: 101%, with: { url: x, text: y } }", "RB0815"),
        ("{ uses: notify/slack@1, with: { url: x, text: y } }", "RB0815"),
        ("{ uses: notify/slack@1, on: ended, with: { url: x } }", "RB0503"),
        ("{ uses: notify/slack@1, on: ended, with: { url: x, text: y, colour: red } }", "RB0502"),
        ("{ uses: notify/slack@1, on: ended, every: soon, with: { url: x, text: y } }", "`every`"),
        ("{ uses: notify/slack@1, on: ended, with: { url: \"${{ secrets.other }}\", text: y } }", "RB0802"),
        ("{ uses: notify/slack@1, on: ended, with: { url: \"${{ site.id }}\", text: y } }", "RB0815"),
        ("{ uses: notify/slack@1, on: ended, with: { url: x, text: \"{{restored}}\" } }", "template-name"),
        (
            "{ uses: notify/email@1, on: ended, with: { server: { host: h, tls: none, user: u, password: hunter2 }, from: a@b.c, to: a@b.c, subject: s, text: t } }",
            "RB0603",
        ),
    ] {
        place.write("estate.yaml", format!("{head}    - {message}\n"));
        let said = place.said(&["check", "r.yaml", "--estate", "estate.yaml"], 2);
        assert!(said.all().contains(wanted), "{message}: {wanted} is not in {}", said.all());
        assert!(!said.all().contains("hunter2"), "{}", said.all());
    }
    let good = "{ uses: notify/slack@1, on: [started, 25%, ended], every: 2h, with: { url: \"${{ secrets.hook }}\", text: \"{{text}}\" } }";
    place.write("estate.yaml", format!("{head}    - {good}\n"));
    let said = finish(&mut place.command(&["check", "r.yaml", "--estate", "estate.yaml"]));
    assert_eq!(said.status.code(), Some(0), "{said:?}");
}

#[test]
fn mail_is_tried_again_only_with_a_ledger() {
    let place = Place::new();
    let step = |more: &str| {
        format!(
            "  tell: {{ retry: {{ attempts: 3 }}, uses: notify/email@1, with: {{ server: {{ host: mail.example, tls: starttls }}, from: a@b.example, to: c@d.example, subject: s, text: t{more} }} }}\n"
        )
    };
    place.write("r.yaml", runbook("r", "", &step("")));
    let said = place.said(&["check", "r.yaml"], 2);
    holds(&said.all(), &["RB0602", "give `with.once`, which sees to it that it acts once"]);
    place.write("r.yaml", runbook("r", "", &step(", once: { ledger: sent.db }")));
    let _ = place.said(&["check", "r.yaml"], 0);
}

#[test]
fn before_anybody_is_written_to_it_is_shown_who_would_get_what() {
    let place = Place::new();
    place.write("contacts.csv", "site,email,language\ns1,ada@a.example,de\ns2,bob@b.example,\ns3,eve@c.example,\n");
    let step = "  tell: { uses: notify/contacts@1, with: { contacts: contacts.csv, site: \"${{ site.id }}\", kind: returned, server: { host: mail.example, tls: starttls, user: u, password: \"${{ secrets.smtp }}\" }, from: desk@v.example, subject: \"Site ${{ site.id }} is back\", text: x, languages: { de: { subject: \"Site ${{ site.id }} ist da\", text: y } }, ledger: sent.db } }\n";
    place.write("r.yaml", runbook("r", "", step));
    place.write(
        "estate.yaml",
        "schema: estate/v1\nname: bench\nsandbox: true\nsecrets: { smtp: \"env:NOT_SET_HERE\" }\n",
    );
    let said = place.said(&["messages", "r.yaml", "--sites", "sites.csv", "--estate", "estate.yaml"], 2);
    let expected = "tell/s1  to be sent  ada@a.example  Site s1 ist da\ntell/s2  to be sent  bob@b.example  Site s2 is back\ntell/s3  to be sent  eve@c.example  Site s3 is back\ntell/s4  [notify.nobody] contacts.csv has no contact of site s4; ";
    assert!(said.out.starts_with(expected), "{}", said.out);
    holds(&said.err, &["messages: 3, sites without a contact: 0, troubles: 1; nothing was sent"]);
    assert!(!place.path("sent.db").exists());
    place.write("contacts.csv", "site,email\ns1,a@a.example\ns2,b@b.example\ns3,c@c.example\ns4,d@d.example\n");
    let rows =
        place.said(&["--json", "messages", "r.yaml", "--sites", "sites.csv", "--estate", "estate.yaml"], 0).json();
    assert_eq!(rows.as_array().unwrap().len(), 4);
    assert_eq!(rows[3]["to"], "d@d.example");
}

#[test]
fn what_announcements_need_is_looked_at_before_the_run_and_does_not_stop_it() {
    let place = Place::new();
    place.write("r.yaml", runbook("r", "", "  a: { uses: noop@1 }\n"));
    // A port that was free a moment ago, a ledger in no folder, and a secret that is not set.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let estate = format!(
        r#"schema: estate/v1
name: bench
sandbox: true
secrets: {{ chat: "env:REINSTATE_TEST_NOT_SET" }}
announce:
  ledger: {}
  messages:
    - {{ uses: notify/webhook@1, on: [ended], with: {{ url: "http://127.0.0.1:{port}/", body: {{ line: "{{{{headline}}}}" }} }} }}
    - {{ uses: notify/slack@1, on: [ended], with: {{ url: "${{{{ secrets.chat }}}}", text: "{{{{text}}}}" }} }}
"#,
        place.path("nowhere/announced.db").display()
    );
    place.write("estate.yaml", estate);
    let plan = ["plan", "r.yaml", "--sites", "sites.csv", "--estate", "estate.yaml", "--preflight"];
    let said = place.said(&plan, 0).out;
    let port = format!("127.0.0.1:{port}");
    holds(&said, &["0 errors, 3 warnings", &port, "nowhere/announced.db", "secret chat", "(announce)"]);
    let said = place.run("r.yaml", "r", 0).all();
    holds(&said, &["3 warnings", "announcement ended by notify/webhook@1"]);
}
