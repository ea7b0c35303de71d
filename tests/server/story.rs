//! What happened to a site and what its attempts printed, as pages that need no script.

use crate::client::Answer;
use crate::daemon::{Daemon, Home};
use crate::pages::Visitor;

/// The first attempt fails with hostile words, the second prints more than is kept of one.
const BOOK: &str = r#"schema: runbook/v1
name: wordy
targets: { id: '^s[0-9]+$', attributes: { shard: string } }
batches: { sizes: [rest], max_failures: [100%] }
defaults: { timeout: 1m }
steps:
  wordy:
    uses: exec/run@1
    retry: { attempts: 3, delay: 1ms }
    with:
      command: [sh, -c, 'if mkdir "$MARK" 2>/dev/null; then echo "<b>no</b>" >&2; exit 3; fi; seq -f "line %.0f of it" 1 20000']
      env: { MARK: "HOME/${{ site.id }}" }
      failure_means: refused
      idempotent: true
  quiet: { needs: wordy, uses: noop@1 }
"#;

/// Numbers of the lines that a page shows.
fn numbers(page: &Answer) -> Vec<u64> {
    let rows = page.body.split("<tr><td>").skip(1).filter_map(|row| row.split('<').next()?.parse().ok());
    rows.collect()
}

fn link<'a>(page: &'a Answer, word: &str) -> Option<&'a str> {
    let before = page.body.split(&format!("\">{word}</a>")).next().filter(|before| before.len() < page.body.len())?;
    before.rsplit("href=\"").next()
}

#[test]
fn what_attempts_printed_is_read_page_by_page_from_its_end_and_hostile_text_stays_text() {
    let home = Home::new(1);
    home.write("runbooks/wordy.yaml", &BOOK.replace("HOME", &home.path("").display().to_string()));
    let token = home.token("ada", "operator");
    let daemon = Daemon::start(&home);
    daemon.launch(&token, "wordy.yaml", "r");
    let over = daemon.until(&token, "r", |run| run["state"]["over"] == true);
    assert_eq!(over["sites"]["returned"], 1, "{over}");
    let visitor = Visitor::of(&daemon, &token);
    let page = |path: &str| visitor.get(&daemon, &path.replace("&amp;", "&"));

    let site = page("/runs/r/sites/s0");
    assert!(site.body.contains("href=\"/runs/r/log?unit=wordy%2Fs0\" aria-label=\"Logs of 2 attempts"), "{site:?}");
    let first = page("/runs/r/log?unit=wordy%2Fs0&attempt=1");
    assert!(first.body.contains("&#60;b&#62;no&#60;/b&#62;") && !first.body.contains("<b>no"), "{first:?}");
    assert!(link(&first, "2").is_some() && link(&first, "Before").is_none() && link(&first, "Next").is_none());

    let newest = page("/runs/r/log?unit=wordy%2Fs0");
    assert!(newest.body.contains("line 20000 of it") && newest.body.contains("in the middle"), "{newest:?}");
    assert_eq!(numbers(&newest).len(), 500);
    assert!(link(&newest, "Next").is_none(), "nothing is behind the newest");
    let mut seen = numbers(&newest);
    let mut at = newest;
    while let Some(before) = link(&at, "Before").map(str::to_owned) {
        at = page(&before);
        let older = numbers(&at);
        assert!(older.last() < seen.first() && !older.is_empty(), "{older:?}");
        seen.splice(0..0, older);
    }
    assert_eq!(seen.first(), Some(&0), "pages lead to the first line, across what is not kept");
    let mut forth = numbers(&at);
    while let Some(next) = link(&at, "Next").map(str::to_owned) {
        at = page(&next);
        forth.extend(numbers(&at));
    }
    assert_eq!(forth, seen, "and back to the last");
    assert!(seen.windows(2).any(|pair| pair[1] > pair[0] + 1), "a gap was among them");

    for (unit, status) in [("wordy%2Fs9", 404), ("quiet%2Fs0&attempt=9", 404), ("quiet%2Fs0&attempt=x", 400)] {
        assert_eq!(page(&format!("/runs/r/log?unit={unit}")).status, status, "{unit}");
    }
    assert!(page("/runs/r/log?unit=quiet%2Fs0").body.contains("It has written nothing"));
}

#[test]
fn the_history_of_a_site_is_its_events_and_no_others() {
    let home = Home::new(3);
    let token = home.token("ada", "operator");
    let daemon = Daemon::start(&home);
    daemon.launch(&token, "paced.yaml", "r");
    let _ = daemon.until(&token, "r", |run| run["state"]["over"] == true);
    let visitor = Visitor::of(&daemon, &token);
    let history = visitor.get(&daemon, "/runs/r/sites/s1/history").body;
    let events: Vec<&str> = history.split("<tr><th scope=\"row\">").skip(1).collect();
    assert!(events.first().is_some_and(|row| row.contains("site-ended")), "the newest first: {history}");
    assert!(events.iter().any(|row| row.contains("/s1")) && !history.contains("/s2"), "{history}");
    assert_eq!(daemon.seen(&token, "/api/v1/runs/r/log?site=s1").as_array().map(Vec::len), Some(events.len()));
    for path in ["/runs/r/sites/s9/history", "/api/v1/runs/r/log?site=s9", "/api/v1/runs/r/log?step=nope"] {
        let missing = daemon.get(&token, path);
        assert_eq!(missing.status, 404, "what the run does not have is no empty history: {path} {missing:?}");
    }
}
