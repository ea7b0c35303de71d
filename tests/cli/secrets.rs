//! Values of secrets reach no journal, log, report or answer.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use crate::place::{Place, expect, file_holding, holds, runbook, wait};

const CANARIES: [&str; 2] = ["canary-7f3a-of-a-file", "canary-19bc-of-the-env"];

/// A service that refuses everything and repeats what it was told, in its body and in a header.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
            let line = head.lines().find(|line| line.to_lowercase().starts_with("x-token")).unwrap_or("").to_owned();
            let body = format!("{{\"error\": \"bad {line}\", \"request\": {head:?}}}");
            let said = format!(
                "HTTP/1.1 400 Bad\r\nX-Echo: {line}\r\nContent-Type: application/json\r\nConnection: close\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(said.as_bytes());
        }
    });
    url
}

/// A mail server that refuses everybody and repeats what it was told. Returns its port.
fn rude_mail() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.write_all(b"220 mail\r\n");
            for line in BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok) {
                let said = match line.split(' ').next() {
                    Some("EHLO") => "250-mail\r\n250 AUTH PLAIN LOGIN\r\n".to_owned(),
                    Some("QUIT") => "221 bye\r\n".to_owned(),
                    _ => format!("535 5.7.8 not you: {line}\r\n"),
                };
                let _ = stream.write_all(said.as_bytes());
            }
        }
    });
    port
}

fn clean(text: &str, what: &str) {
    for canary in CANARIES {
        assert!(!text.contains(canary), "{what} holds {canary}:\n{text}");
    }
}

#[test]
fn canaries_are_found_nowhere() {
    let place = Place::new();
    let vault = tempfile::tempdir().unwrap();
    let token = vault.path().join("token");
    std::fs::write(&token, format!("{}\n", CANARIES[0])).unwrap();
    let (url, mail) = (echo(), rude_mail());
    place.write(
        "estate.yaml",
        format!(
            "schema: estate/v1\nname: bench\nsandbox: true\nvariables: {{ echo: \"{url}\" }}\nsecrets: {{ file: \
             \"file:{}\", env: \"env:CANARY\" }}\nannounce:\n  ledger: {}\n  messages:\n    - {{ uses: notify/webhook@1, \
             on: [started, ended], with: {{ url: \"{url}/f\", key: \"${{{{ secrets.env }}}}\", headers: {{ X-Token: \
             \"${{{{ secrets.file }}}}\" }}, body: {{ t: \"${{{{ secrets.env }}}}\" }} }} }}\n",
            token.display(),
            place.path("announced.db").display()
        ),
    );
    let steps = format!(
        r#"  refused: {{ uses: http/request@1, on_failure: degrade, with: {{ url: "${{{{ estate.echo }}}}/a", method: POST, headers: {{ X-Token: "Bearer ${{{{ secrets.file }}}}" }}, body: {{ t: "${{{{ secrets.env }}}}" }} }} }}
  expects: {{ uses: check/http@1, on_failure: degrade, with: {{ url: "${{{{ estate.echo }}}}/b", headers: {{ X-Token: "${{{{ secrets.env }}}}" }}, expect: {{ body: {{ error: no }} }} }} }}
  answers: {{ uses: http/request@1, with: {{ url: "${{{{ estate.echo }}}}/c", headers: {{ X-Token: "${{{{ secrets.file }}}}" }}, expect_status: [400] }} }}
  fails: {{ uses: exec/run@1, on_failure: degrade, with: {{ command: [sh, -c, "echo out $T; echo err $T >&2; cat; cat >&2; exit 3"], env: {{ T: "${{{{ secrets.env }}}}" }}, inputs: {{ t: "${{{{ secrets.file }}}}" }}, failure_means: refused }} }}
  prints: {{ uses: exec/run@1, with: {{ command: [sh, -c, "echo \"{{\\\"leak\\\": \\\"$T\\\"}}\""], env: {{ T: "${{{{ secrets.file }}}}" }} }} }}
  hook: {{ uses: notify/webhook@1, on_failure: degrade, with: {{ url: "${{{{ estate.echo }}}}/d", key: "${{{{ secrets.env }}}}", headers: {{ X-Token: "${{{{ secrets.file }}}}" }}, body: {{ t: "${{{{ secrets.env }}}}" }} }} }}
  chat: {{ uses: notify/slack@1, on_failure: degrade, with: {{ url: "${{{{ estate.echo }}}}/e", text: "${{{{ secrets.file }}}}", once: {{ ledger: sent.db }} }} }}
  mail: {{ uses: notify/email@1, on_failure: degrade, with: {{ server: {{ host: 127.0.0.1, port: {mail}, tls: none, user: u, password: "${{{{ secrets.env }}}}" }}, from: a@b.example, to: c@d.example, subject: s, text: "${{{{ secrets.file }}}}", once: {{ ledger: sent.db }} }} }}
  slow: {}
"#,
        place.gated("needs: [refused, expects, answers, fails, prints, hook, chat, mail],")
    );
    place.write("r.yaml", runbook("r", "", &steps));
    let planned = ["--sites", "sites.csv", "--estate", "estate.yaml", "--log", "trace"];
    let seen = |args: &[&str], code: i32| {
        let said = expect(place.command(args).env("CANARY", CANARIES[1]), code);
        clean(&said.all(), &args.join(" "));
        said
    };
    let _ = seen(&[&["check", "r.yaml"], &planned[..]].concat(), 0);
    let _ = seen(&[&["plan", "r.yaml"], &planned[..]].concat(), 0);
    let _ = seen(&[&["plan", "r.yaml", "--json"], &planned[..]].concat(), 0);
    let mut child = place
        .command(&[&["run", "r.yaml", "--run", "r", "--yes"], &planned[..]].concat())
        .env("CANARY", CANARIES[1])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::from(std::fs::File::create(place.path("stderr.txt")).unwrap()))
        .spawn()
        .unwrap();
    place.await_file("began-s1", &mut child);
    let nowhere = |when: &str| {
        for canary in CANARIES {
            assert_eq!(file_holding(&place.path("."), canary.as_bytes()), None, "{when}: {canary}");
        }
    };
    assert!(place.path("runs.db-wal").exists(), "the newest groups lie beside the store");
    nowhere("mid-run");
    place.go();
    let said = wait(child);
    // Every site came back, degraded.
    assert_eq!(said.status.code(), Some(3), "{said:?} {}", std::fs::read_to_string(place.path("stderr.txt")).unwrap());
    clean(&said.out, "stdout of run");
    nowhere("afterwards");

    for form in ["text", "json", "html", "junit"] {
        let report = seen(&["report", "r", "--format", form, "--log", "trace"], 0).out;
        assert_ne!(report, "");
    }
    for command in [
        &["logs", "r", "--log", "trace"][..],
        &["logs", "r", "--json"],
        &["status", "r", "--json"],
        &["sites", "r", "--json"],
        &["why", "r", "s1", "--json"],
        &["runs", "--json"],
    ] {
        let said = seen(command, if command[0] == "status" { 3 } else { 0 });
        if command[0] == "logs" {
            // The failures are told, only not with the values.
            holds(&said.out, &["http.status", "check.mismatch", "exec.exit", "email.auth"]);
        }
    }
    for (step, says) in
        [("fails", "stdout  out ***"), ("prints", "leak"), ("refused", "POST http"), ("hook", "POST http")]
    {
        let said = seen(&["logs", "r", "--unit", &format!("{step}/s1"), "--log", "trace"], 0);
        holds(&said.out, &[says]);
        let _ = seen(&["logs", "r", "--unit", &format!("{step}/s1"), "--json"], 0);
    }
    nowhere("after looking");
}

#[test]
fn a_secret_that_cannot_be_read_is_named_without_guessing_its_value() {
    let place = Place::new();
    place.write("estate.yaml", "schema: estate/v1\nname: b\nsandbox: true\nsecrets: { a: \"file:no/such/file\", b: \"env:NOT_SET_HERE\", c: \"command:exit 3\" }\n");
    for (secret, why) in [("a", "no/such/file"), ("b", "NOT_SET_HERE"), ("c", "command")] {
        let step = format!(
            "  s: {{ uses: exec/run@1, with: {{ command: [\"true\"], env: {{ T: \"${{{{ secrets.{secret} }}}}\" }} }} }}\n"
        );
        place.write("r.yaml", runbook("r", "batches: { sizes: [rest], max_failures: [4] }\n", &step));
        let early = place.run("r.yaml", secret, 2);
        holds(&early.err, &[&format!("secret {secret}"), why, "nothing was changed"]);
        let planned = ["--sites", "sites.csv", "--estate", "estate.yaml", "--run", secret, "--yes", "--no-preflight"];
        let said = place.said(&[&["run", "r.yaml"][..], &planned[..]].concat(), 4);
        holds(&said.err, &["refused [secret.unavailable]", why]);
        holds(&said.out, &["0 of 4 sites returned", "4 quarantined"]);
    }
}
