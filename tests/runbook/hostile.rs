//! Files that are made to hurt: a clear finding with a place. A parser that does not end is stopped by the test runner.

use std::fmt::Write as _;

use runbook::{Estate, Source, check};

use crate::fixture;

fn bounded(name: &str, text: String, codes: &[&str]) {
    let source = Source::new(name, text);
    let checked = check(&source, &fixture::catalogue());
    let (_, estate) = Estate::parse(&source);
    assert!(checked.runbook.is_none(), "{name} was accepted");
    for found in checked.diagnostics.iter().chain(&estate) {
        assert!(found.hint.as_ref().is_some_and(|hint| !hint.is_empty()), "{name}: {found:?}");
        assert!(found.place().line >= 1 && found.place().column >= 1, "{name}: {found:?}");
    }
    let seen: Vec<&str> = checked.diagnostics.iter().map(|found| found.code).collect();
    assert!(
        codes.iter().any(|code| seen.contains(code)),
        "{name}: {codes:?} not in {seen:?}: {:?}",
        checked.diagnostics.first()
    );
    let text = runbook::render_text(&checked.diagnostics, &source, false);
    assert!(text.len() < 10_000_000);
    let _ = runbook::render_github(&checked.diagnostics, &source);
    let _ = runbook::render_json(&checked.diagnostics, &source);
}

#[test]
fn hostile_files_are_refused() {
    let mut bomb = String::from("a: &a [x, x]\n");
    for level in 1..10 {
        let _ = writeln!(bomb, "b{level}: &b{level} [*a, *a, *a, *a, *a]");
    }
    bounded("laughs", bomb, &["RB0105"]);
    bounded("brackets", "[".repeat(100_000), &["RB0103", "RB0104"]);
    bounded("closed brackets", format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), &["RB0103", "RB0104"]);
    bounded("nested sequences", "- ".repeat(50_000), &["RB0103", "RB0104"]);
    bounded("deep", (0..200).map(|level| format!("{}a:\n", " ".repeat(level))).collect(), &["RB0103", "RB0104"]);
    bounded("huge", "a: b\n".repeat(300_000), &["RB0102"]);
    bounded("many keys", (0..60_000).map(|key| format!("k{key}: 1\n")).collect(), &["RB0107", "RB0102"]);
    bounded("duplicates", "a: 1\n".repeat(20_000), &["RB0106"]);
    bounded("nul", "schema: runbook/v1\nname: \0\n".into(), &["RB0104"]);
    bounded("tabs", "schema: runbook/v1\nsteps:\n\ta: 1\n".into(), &["RB0104"]);
    bounded("merge", "a: {b: 1}\nc:\n  <<: {d: 1}\n".into(), &["RB0105"]);
    bounded("tag", "schema: !!str runbook/v1\n".into(), &["RB0105"]);
    bounded("custom tag", "schema: !thing runbook/v1\n".into(), &["RB0105"]);
    bounded("documents", "a: 1\n---\nb: 2\n".into(), &["RB0105", "RB0104"]);
    bounded("empty", String::new(), &["RB0109", "RB0104"]);
    bounded("scalar", "hello".into(), &["RB0109"]);
    bounded("infinite", "schema: .inf\n".into(), &["RB0104", "RB0109", "RB0112"]);
    bounded("integer", "schema: 99999999999999999999999999\n".into(), &["RB0104", "RB0109", "RB0112"]);
    bounded("complex key", "{a: 1}: 2\n".into(), &["RB0104"]);
    let steps: String = (0..9_000)
        .map(|step| format!("  s{step}: {{ uses: noop@1, timeout: 1s, needs: s{} }}\n", (step + 1) % 9_000))
        .collect();
    bounded("many steps", format!("schema: runbook/v1\nname: a\ntargets: {{}}\nsteps:\n{steps}"), &["RB0806"]);
    let ring: String = (0..4_000)
        .map(|step| format!("  s{step}: {{ uses: noop@1, timeout: 1s, needs: s{} }}\n", (step + 1) % 4_000))
        .collect();
    bounded("long circle", format!("schema: runbook/v1\nname: a\ntargets: {{}}\nsteps:\n{ring}"), &["RB0303"]);
}

#[test]
fn hostile_expressions_are_refused() {
    let step = |condition: &str| {
        format!(
            "schema: runbook/v1\nname: a\ntargets: {{ attributes: {{ n: integer }} }}\nsteps:\n  a:\n    uses: noop@1\n    timeout: 1s\n    if: '{condition}'\n"
        )
    };
    bounded("long", step(&format!("site.n > {}1", "0 + ".repeat(300))), &["RB0411"]);
    bounded("minus", step(&format!("{}1 == 1", "-".repeat(5_000))), &["RB0411"]);
    bounded("minus, short enough", step(&format!("{}\"a\" == 1", "-".repeat(900))), &["RB0405"]);
    bounded("dots", step(&format!("site{}", ".a".repeat(450))), &["RB0408"]);
    bounded("memory", step("\"x\" * 100000000 == \"\""), &["RB0405", "RB0401"]);
    bounded("call", step("range(1000000000)"), &["RB0409"]);
    bounded("open", step("("), &["RB0401"]);
}

#[test]
fn bytes_that_are_no_utf8_are_named() {
    let found = Source::from_bytes("a.yaml", b"name: x\nb: \xff\xfe").unwrap_err();
    assert_eq!((found.code, found.place().line, found.place().column), ("RB0101", 2, 4));
    assert!(found.hint.is_some());
    assert_eq!(Source::from_bytes("a", b"\xef\xbb\xbfa: 1").unwrap().text, "a: 1");
}
