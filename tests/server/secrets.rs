//! Values of secrets are in no answer, in no log and in no file of the daemon.

use std::path::Path;

use crate::daemon::{Daemon, Home, log_of};

const CANARIES: [&str; 2] = ["canary-5d2c-of-a-file", "canary-88ab-of-the-env"];

const BOOK: &str = r#"schema: runbook/v1
name: leaky
targets: { id: '^s[0-9]+$', attributes: { shard: string } }
batches: { sizes: [rest], max_failures: [100%] }
defaults: { timeout: 1m, retry: { attempts: 1 } }
steps:
  fails: { uses: exec/run@1, on_failure: degrade, with: { command: [sh, -c, "echo out $T; echo err $T >&2; cat >&2; exit 3"], env: { T: "${{ secrets.env }}" }, inputs: { t: "${{ secrets.file }}" }, failure_means: refused } }
  prints: { uses: exec/run@1, with: { command: [sh, -c, "echo \"{\\\"leak\\\": \\\"$T\\\"}\""], env: { T: "${{ secrets.file }}" } } }
"#;

fn clean(text: &str, what: &str) {
    for canary in CANARIES {
        assert!(!text.contains(canary), "{what} holds {canary}");
    }
}

#[test]
fn canaries_are_found_nowhere() {
    let vault = tempfile::tempdir().unwrap();
    let file = vault.path().join("secret");
    std::fs::write(&file, format!("{}\n", CANARIES[0])).unwrap();
    let home = Home::new(3);
    home.write("runbooks/leaky.yaml", BOOK);
    let secrets = format!("secrets: {{ file: \"file:{}\", env: \"env:CANARY\" }}\n", file.display());
    home.write("estates/e.yaml", &format!("schema: estate/v1\nname: e\nsandbox: true\n{secrets}"));
    let token = home.token("ada", "admin");
    let daemon = Daemon::start_with(&home, &[], &[("CANARY", CANARIES[1]), ("REINSTATE_LOG", "trace")]);
    daemon.launch(&token, "leaky.yaml", "r");
    for event in daemon.follow(&token, "r") {
        clean(&event.1.to_string(), "an event");
        if event.1["state"]["over"] == true {
            break;
        }
    }
    let document = daemon.seen(&token, "/api/v1/openapi.json");
    let mut looked = 0;
    for (method, path) in crate::roles::operations(&document) {
        if method != "GET" || path.ends_with("/events") {
            continue;
        }
        for query in ["", "?format=html", "?format=text", "?subject=s1", "?subject=fails"] {
            let target = format!(
                "{}{query}",
                path.replace("{run}", "r")
                    .replace("{drill}", "r")
                    .replace("{site}", "s1")
                    .replace("{step}", "fails")
                    .replace("{key}", "s1")
                    .replace("{attempt}", "1")
            );
            let answer = daemon.get(&token, &target);
            clean(&answer.body, &target);
            looked += usize::from(answer.status == 200);
        }
    }
    assert!(looked > 40, "{looked}");
    let detail = daemon.get(&token, "/api/v1/runs/r/sites/s1").body;
    assert!(detail.contains("***"), "what it printed was redacted, not lost: {detail}");
    let said = daemon.get(&token, "/api/v1/runs/r/units/fails/s1/attempts/1/log?from=1&limit=2").body;
    assert!(said.contains("\"next\":3") && said.contains("out ***"), "ranges are read, and secrets replaced: {said}");
    let visitor = crate::pages::Visitor::of(&daemon, &token);
    for path in ["/runs/r/log?unit=fails%2Fs1", "/runs/r/sites/s1/history", "/runs/r/sites/s1", "/runs/r"] {
        let page = visitor.get(&daemon, path);
        assert_eq!(page.status, 200, "{page:?}");
        clean(&page.body, path);
    }
    clean(&log_of(&home.path("")), "the log");
    let files = |folder: &Path| -> Vec<_> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
    };
    for path in files(&home.path("")) {
        clean(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()), &path.display().to_string());
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        assert!(!text.contains(&token), "{} holds a token", path.display());
    }
}
