//! `help`: pages, codes and commands by one word.

use reinstate_tests::process::reinstate;
use server::guide::{TOPICS, entries};

use crate::place::{BINARY, Said, expect, holds};

fn help(words: &[&str], code: i32) -> Said {
    expect(reinstate(BINARY).arg("help").args(words), code)
}

#[test]
fn what_there_is_is_listed_with_the_help_of_clap() {
    let said = help(&[], 0);
    holds(&said.out, &["Exit codes:", "Usage: ", "Pages of the guide", "`reinstate help CODE`"]);
    for topic in TOPICS {
        holds(&said.out, &[topic.name, topic.summary]);
    }
    let json = help(&["--json"], 0).json();
    assert_eq!(json.as_array().map(Vec::len), Some(TOPICS.len()));
}

#[test]
fn a_page_is_plain_where_nobody_sees_colour() {
    let said = help(&["operating"], 0);
    assert!(said.out.starts_with("Operating a run\n") && !said.out.contains('\u{1b}'), "{}", said.out);
    assert!(said.out.lines().all(|line| line.chars().count() <= 100 || line.starts_with("    ")), "{}", said.out);
    let coloured = help(&["operating", "--color", "always"], 0).out;
    assert!(coloured.starts_with("\u{1b}[1mOperating a run"), "{coloured}");
    assert_eq!(help(&["operating", "--json"], 0).json()["title"], "Operating a run");
}

#[test]
fn every_code_is_explained_however_it_is_copied() {
    for word in ["RB0107", "rb0107", "error[RB0107]:"] {
        holds(&help(&[word], 0).out, &["RB0107", "A key is not part of the language.", "Cause:", "What to do:"]);
    }
    let json = help(&["journal-held", "--json"], 0).json();
    assert_eq!(json["code"], "journal-held");
    assert!(json["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{json}");
    let list = help(&["codes"], 0).out;
    for entry in entries() {
        holds(&list, &[entry.code]);
    }
}

#[test]
fn commands_are_explained_as_before_and_their_names_lead_on_from_pages() {
    for words in [&["lab", "build"][..], &["resume"]] {
        let own = expect(reinstate(BINARY).args(words).arg("--help"), 0).out;
        assert_eq!(help(words, 0).out, own.replace("reinstate-under-test", "reinstate"));
    }
    holds(&help(&["sites"], 0).out, &["Site lists\n", "`reinstate sites --help`"]);
}

#[test]
fn what_is_misspelt_is_refused_with_what_it_could_be() {
    for (word, like) in
        [("runbok", "runbook"), ("RB107", "RB0107"), ("aprove", "approve"), ("postgres.conflct", "postgres.conflict")]
    {
        let said = help(&[word], 2);
        holds(&said.err, &["error[help-topic]", &format!("`{word}`"), &format!("`reinstate help {like}`?")]);
        assert_eq!(said.out, "");
    }
    holds(&help(&["something", "else"], 2).err, &["error[help-topic]", "`something`", "`reinstate help` lists"]);
}
