//! Every code that the sources can say has its entry in the guide, and no entry is of a code that nobody says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;
use server::guide::entries;

/// Literals that look like codes and are none, each with what it is.
const NO_CODES: &[(&str, &str)] = &[
    ("exec.program", "a question of the preflight"),
    ("sqlite.backup", "a question of the preflight"),
    ("sqlite.live", "a question of the preflight"),
    ("sqlite.schema", "a question of the preflight"),
    ("postgres.backup", "a question of the preflight"),
    ("postgres.live", "a question of the preflight"),
    ("postgres.schema", "a question of the preflight"),
    ("postgres.tenants", "a question of the preflight"),
    ("postgres.wal", "a question of the preflight"),
    ("opening", "a statement of the store, not a code"),
    ("forecast", "drawn failures of a simulated run, shown nowhere"),
];

/// Beginnings of codes that are written with a dot.
const FAMILIES: &str = "http|exec|objects|sqlite|postgres|remap|check|tenant|preflight|restore_point|secret|run|connector|approval|action|expect|notify|email|drill";

/// Calls and fields that take a code, with what may stand before it.
const TAKES: &[&str] = &[
    r#"(?:Failure|Problem|Trouble|Finding|Self)::(?:new|input|trouble|missing|conflict|never|retry|retry_after|unknown|error|warning)\(\s*(?:[A-Za-z_:]+,\s*)?"([A-Za-z0-9_.-]+)""#,
    r#"\bcode: (?:Some\()?"([A-Za-z0-9_.-]+)""#,
    r#"\b(?:failure|refused)\(\s*"([A-Za-z0-9_.-]+)""#,
];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            // Tests name codes; what the lab's services answer is part of the model, like a vendor's codes.
            if !path.ends_with("tests") && !path.ends_with("lab/src/serve") {
                sources(&path, into);
            }
        } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("tests.rs") {
            into.push(path);
        }
    }
}

/// Library code of all crates, without tests at the end of files and without comments.
fn texts() -> Vec<(PathBuf, String)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut paths = vec![crates.join("lab/src/serve/mod.rs")];
    for entry in std::fs::read_dir(crates).unwrap().flatten() {
        let source = entry.path().join("src");
        if source.is_dir() && !entry.path().ends_with("xtask") {
            sources(&source, &mut paths);
        }
    }
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let library = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = library.lines().filter(|line| !line.trim_start().starts_with("//"));
        (path, lines.collect::<Vec<_>>().join("\n"))
    };
    paths.into_iter().map(read).collect()
}

/// Bodies of functions that give a code.
fn bodies<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let begins = text.match_indices(name).map(|(at, _)| &text[at..]);
    begins.map(|rest| rest.split("\n    }").next().unwrap_or_default()).collect()
}

/// Every code of the sources, with a file that says it.
fn said() -> BTreeMap<String, PathBuf> {
    let takes: Vec<Regex> = TAKES.iter().map(|text| Regex::new(text).unwrap()).collect();
    let dotted = Regex::new(&format!(r#""((?:{FAMILIES})\.[a-z_0-9]+)""#)).unwrap();
    let literal = Regex::new(r#"=> "([A-Za-z0-9_.-]+)""#).unwrap();
    let mut all = BTreeMap::new();
    for (path, text) in texts() {
        let found =
            takes.iter().chain([&dotted]).flat_map(|regex| regex.captures_iter(&text)).map(|found| found[1].to_owned());
        let of_errors = bodies(&text, "fn code(&self) -> &'static str").into_iter();
        let of_errors = of_errors.flat_map(|body| literal.captures_iter(body)).map(|found| found[1].to_owned());
        let codes: Vec<String> = found.chain(of_errors).collect();
        all.extend(codes.into_iter().map(|code| (code, path.clone())));
    }
    let people = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/report/src/fold/people.rs");
    let text = std::fs::read_to_string(&people).unwrap();
    let body = text
        .split("fn name(self)")
        .nth(1)
        .and_then(|rest| rest.split("\n    }").next())
        .expect("names of what people did");
    all.extend(literal.captures_iter(body).map(|found| (format!("operator.{}", &found[1]), people.clone())));
    all.extend(runbook::codes::ALL.iter().map(|code| (code.id.to_owned(), PathBuf::from("runbook::codes"))));
    all
}

#[test]
fn every_code_is_explained_and_every_explanation_is_of_a_code() {
    let said = said();
    let explained: BTreeSet<&str> = entries().iter().map(|entry| entry.code).collect();
    let none: BTreeSet<&str> = NO_CODES.iter().map(|(code, _)| *code).collect();
    let missing: Vec<String> = said
        .iter()
        .filter(|(code, _)| !explained.contains(code.as_str()) && !none.contains(code.as_str()))
        .filter(|(code, _)| {
            !code.contains('.') || !["db", "html", "csv", "yaml"].contains(&code.rsplit('.').next().unwrap_or_default())
        })
        .map(|(code, path)| format!("{code} ({})", path.display()))
        .collect();
    assert!(missing.is_empty(), "codes without an entry in crates/server/guide/codes:\n{}", missing.join("\n"));
    let idle: Vec<&str> = explained.iter().chain(&none).copied().filter(|code| !said.contains_key(*code)).collect();
    assert!(idle.is_empty(), "explained, or excused, and said nowhere:\n{}", idle.join("\n"));
    assert!(said.len() > 350, "the sources were not read: {}", said.len());
}

#[test]
fn the_exit_codes_are_on_the_page_of_the_codes() {
    let page = server::guide::topic("codes").unwrap().text;
    let help = crate::place::finish(reinstate_tests::process::reinstate(crate::place::BINARY).arg("--help")).out;
    let codes = help.split_once("Exit codes:").unwrap().1.lines().filter_map(|line| line.trim().split_once("  "));
    let mut count = 0;
    for (code, meaning) in codes {
        assert!(page.contains(&format!("| {code} | {meaning} |")), "{code}  {meaning}");
        count += 1;
    }
    assert_eq!(count, 11);
}
