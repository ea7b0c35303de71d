//! Spans of a run by OTLP to a collector, and lines with the same fields.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use crate::place::{Place, expect, holds, runbook};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Path and body of each request.
type Kept = Mutex<Vec<(String, Vec<u8>)>>;

/// A collector that keeps what it is sent.
fn collector() -> (String, Arc<Kept>) {
    listener(|| ())
}

/// Whoever keeps what it is sent, and does something before it answers.
fn listener(act: impl Fn() + Send + 'static) -> (String, Arc<Kept>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let kept: Arc<Kept> = Arc::default();
    let seen = Arc::clone(&kept);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut path, mut length, mut line) = (String::new(), 0, String::new());
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                let lower = line.trim().to_lowercase();
                if let Some(post) = lower.strip_prefix("post ") {
                    path = post.split(' ').next().unwrap_or_default().to_owned();
                }
                if let Some(value) = lower.strip_prefix("content-length: ") {
                    length = value.parse().unwrap();
                }
                line.clear();
            }
            // Whoever only asks whether somebody listens sends nothing.
            let mut body = vec![0; length];
            if !path.is_empty() && reader.read_exact(&mut body).is_ok() {
                seen.lock().unwrap().push((path, body));
                act();
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
            }
        }
    });
    (url, kept)
}

/// How often a text stands in what was sent; in protobuf texts stand as they are.
fn count(kept: &Kept, text: &str) -> usize {
    let kept = kept.lock().unwrap();
    kept.iter().map(|(_, body)| body.windows(text.len()).filter(|window| *window == text.as_bytes()).count()).sum()
}

fn place() -> Place {
    let place = Place::new();
    let steps = "  a: { uses: noop@1 }\n  b: { needs: a, on_failure: degrade, if: site.shard == 'b', uses: exec/run@1, with: \
         { command: [sh, -c, \"echo hush-hush; exit 3\"], failure_means: refused } }\n";
    place.write("r.yaml", runbook("traced", "", steps));
    place
}

fn run(place: &Place, name: &str) -> std::process::Command {
    let order = ["run", "r.yaml", "--sites", "sites.csv", "--estate", "estate.yaml", "--yes", "--run", name];
    place.command(&order)
}

#[test]
fn each_attempt_is_a_span_with_its_place_and_its_end() {
    let (url, kept) = collector();
    let place = place();
    expect(run(&place, "r").env(ENDPOINT, &url), 3);
    assert!(kept.lock().unwrap().iter().all(|(path, _)| path == "/v1/traces"));
    for unit in ["a/s1", "a/s2", "a/s3", "a/s4", "b/s3", "b/s4"] {
        assert_eq!(count(&kept, unit), 1, "{unit}");
    }
    for (text, times) in
        [("exec.exit", 2), ("refused", 2), ("done", 4), ("traced", 1), ("service.name", 1), ("bench", 1)]
    {
        assert!(count(&kept, text) >= times, "{text}");
    }
    // What systems outside say may hold anything, and stays here.
    assert_eq!(count(&kept, "hush-hush"), 0);
}

#[test]
fn what_is_logged_within_an_attempt_is_not_sent() {
    let (url, kept) = collector();
    let place = Place::new();
    // A message is taken, and its ledger is a folder by then: a line of the log has the words of the system about it.
    let ledger = place.path("sent.db");
    let (chat, told) = listener(move || {
        std::fs::remove_file(&ledger).unwrap();
        std::fs::create_dir(&ledger).unwrap();
    });
    let step = format!(
        "  a: {{ if: site.id == 's1', uses: notify/slack@1, with: {{ url: \"{chat}/x\", text: t, once: {{ ledger: sent.db }} }} }}\n"
    );
    place.write("r.yaml", runbook("traced", "", &step));
    let said = expect(run(&place, "r").args(["--log", "warn"]).env(ENDPOINT, &url), 0);
    assert_eq!(told.lock().unwrap().len(), 1);
    holds(&said.err, &["sent, but that could not be noted", "sent.db: "]);
    assert_eq!(count(&kept, "a/s1"), 1, "the attempt is a span");
    for words in ["could not be noted", "sent.db"] {
        assert_eq!(count(&kept, words), 0, "{words}");
    }
}

#[test]
fn a_collector_that_is_away_is_not_waited_for_and_without_one_nothing_is_sent() {
    let (url, kept) = collector();
    let place = place();
    expect(&mut run(&place, "none"), 3);
    expect(run(&place, "off").env(ENDPOINT, &url).env("OTEL_SDK_DISABLED", "true"), 3);
    assert!(kept.lock().unwrap().is_empty());
    let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = expect(run(&place, "away").env(ENDPOINT, format!("http://{away}")), 3);
    holds(&said.all(), &["run away succeeded with exceptions"]);
}

#[test]
fn lines_for_programs_say_which_attempt_they_are_of() {
    let place = place();
    let said = expect(run(&place, "r").args(["--json", "--log", "debug"]), 3);
    let lines = said.err.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let in_attempt = lines.filter(|line| line["span"]["name"] == "attempt").collect::<Vec<_>>();
    assert!(!in_attempt.is_empty(), "{}", said.err);
    for line in in_attempt {
        let span = &line["span"];
        assert!(span["run"] == "r" && span["step"].is_string() && span["attempt"].is_number(), "{line}");
    }
}

#[test]
fn a_log_in_a_file_has_no_colours_in_it() {
    let place = place();
    let said = expect(run(&place, "r").args(["--log", "debug"]).env_remove("NO_COLOR"), 3);
    holds(&said.err, &["the attempt has ended"]);
    assert!(!said.err.contains('\u{1b}'), "{:?}", said.err);
}
