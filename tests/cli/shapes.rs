//! Files that are made to hurt, through the real binary: refused with a code, a place where there is one, and a hint.

use std::fmt::Write as _;

use crate::malformed::refused;
use crate::place::{Place, finish, holds, runbook};

fn utf16(text: &str) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xfe];
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    bytes
}

/// Bytes without any sense, always the same.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

fn runbooks() -> Vec<(&'static str, Vec<u8>)> {
    let step = "  a: { uses: noop@1 }\n";
    let with = |more: &str, steps: &str| runbook("r", more, steps).into_bytes();
    let mut bomb = String::from("a: &a [x, x]\n");
    for level in 1..10 {
        let _ = writeln!(bomb, "b{level}: &b{level} [*a, *a, *a, *a, *a]");
    }
    vec![
        ("empty", vec![]),
        ("blank", b" \n\n".to_vec()),
        ("comment", b"# nothing\n".to_vec()),
        ("text", b"restore everything, please".to_vec()),
        ("list", b"- a\n- b\n".to_vec()),
        ("noise", noise(10_000)),
        ("utf-16", utf16("schema: runbook/v1\n")),
        ("latin-1", b"schema: runbook/v1\nname: caf\xe9\n".to_vec()),
        ("nul", b"schema: runbook/v1\nname: \0\n".to_vec()),
        ("only nul", vec![0; 5_000]),
        ("huge", b"a: b\n".repeat(2_000_000)),
        ("long line", b"a".repeat(3_000_000)),
        ("brackets", b"[".repeat(100_000)),
        ("closed brackets", [b"[".repeat(100_000), b"]".repeat(100_000)].concat()),
        ("braces", b"{a: ".repeat(100_000)),
        ("dashes", b"- ".repeat(100_000)),
        ("deep", (0..200).map(|level| format!("{}a:\n", " ".repeat(level))).collect::<String>().into_bytes()),
        ("quotes", b"\"".repeat(99_999)),
        ("alias bomb", bomb.into_bytes()),
        ("alias to itself", b"a: &a [*a]\n".to_vec()),
        ("tab", b"schema: runbook/v1\nsteps:\n\ta: { uses: noop@1 }\n".to_vec()),
        ("two documents", [with("", step), b"---\n".to_vec(), with("", step)].concat()),
        ("duplicate top key", with("name: again\n", step)),
        ("duplicate step", with("", &format!("{step}{step}"))),
        ("unknown key", with("pool: {}\n", step)),
        ("unknown step key", with("", "  a: { uses: noop@1, need: [] }\n")),
        ("unknown action", with("", "  a: { uses: nope@1 }\n")),
        ("unknown version of an action", with("", "  a: { uses: noop@9 }\n")),
        ("unknown need", with("", "  a: { uses: noop@1, needs: b }\n")),
        ("self-need", with("", "  a: { uses: noop@1, needs: a }\n")),
        (
            "cycle",
            with(
                "",
                "  a: { uses: noop@1, needs: c }\n  b: { uses: noop@1, needs: a }\n  c: { uses: noop@1, needs: b }\n",
            ),
        ),
        ("needs of a wrong type", with("", "  a: { uses: noop@1, needs: { b: 1 } }\n")),
        ("steps as list", with("", "  - { uses: noop@1 }\n")),
        ("no steps", with("", "  {}\n")),
        ("step is a number", with("", "  a: 7\n")),
        ("timeout of a wrong type", with("", "  a: { uses: noop@1, timeout: [1m] }\n")),
        ("negative timeout", with("", "  a: { uses: noop@1, timeout: -1m }\n")),
        ("endless timeout", with("", "  a: { uses: noop@1, timeout: 99999999999999999999h }\n")),
        ("unknown pool", with("", "  a: { uses: noop@1, pool: p }\n")),
        ("slots over the pool", with("pools: { p: { slots: 2 } }\n", "  a: { uses: noop@1, pool: { p: 3 } }\n")),
        ("rest first", with("batches: { sizes: [rest, 1] }\n", step)),
        ("unknown attribute", with("", "  a: { uses: noop@1, if: site.shart == 'a' }\n")),
        ("condition is no condition", with("", "  a: { uses: noop@1, if: site.shard }\n")),
        ("open expression", with("", "  a: { uses: noop@1, with: { outputs: { x: \"${{ site.id\" } } }\n")),
        ("hostile expression", with("", "  a: { uses: noop@1, if: \"range(1000000000)\" }\n")),
        (
            "retry of what is not idempotent",
            with("", "  a: { uses: exec/run@1, retry: { attempts: 3 }, with: { command: [x] } }\n"),
        ),
        ("command of a wrong type", with("", "  a: { uses: exec/run@1, with: { command: 7 } }\n")),
        ("missing input", with("", "  a: { uses: exec/run@1, with: {} }\n")),
        (
            "unknown schema",
            b"schema: runbook/v99\nname: a\ntargets: {}\nsteps: { a: { uses: noop@1, timeout: 1m } }\n".to_vec(),
        ),
        ("bad pattern", String::from_utf8(with("", step)).unwrap().replace("^s[0-9]+$", "^(s").into_bytes()),
        ("a schema instead", br#"{"$schema": "x"}"#.to_vec()),
        ("byte order mark in the middle", "schema: runbook/v1\n\u{feff}name: x\n".into()),
        ("right-to-left", "schema: runbook/v1\n\u{202e}eman: x\n".into()),
    ]
}

fn lists() -> Vec<(&'static str, Vec<u8>)> {
    let row = |text: &str| format!("id,shard\n{text}").into_bytes();
    vec![
        ("empty", vec![]),
        ("blank", b"\n\n".to_vec()),
        ("header only", row("")),
        ("no header", b"s1,a\ns2,b\n".to_vec()),
        ("missing column", b"id\ns1\n".to_vec()),
        ("missing id", b"shard\na\n".to_vec()),
        ("column twice", b"id,shard,shard\ns1,a,a\n".to_vec()),
        ("column unnamed", b"id,\ns1,a\n".to_vec()),
        ("short row", row("s1\n")),
        ("long row", row("s1,a,b\n")),
        ("ragged", row("s1,a\ns2\ns3,a,b,c\n")),
        ("id twice", row("s1,a\ns2,a\ns1,a\n")),
        ("id wrong", row("s1,a\nx2,a\n")),
        ("id empty", row(",a\n")),
        ("open quote", row("\"s1,a\ns2,b\n")),
        ("quote in the middle", row("s\"1,a\n")),
        ("nul", row("s1\0,a\n")),
        ("noise", noise(10_000)),
        ("utf-16", utf16("id,shard\ns1,a\n")),
        ("latin-1", b"id,shard\ns1,caf\xe9\n".to_vec()),
        ("semicolons", b"id;shard\ns1;a\n".to_vec()),
        ("tabs", b"id\tshard\ns1\ta\n".to_vec()),
        ("a runbook", runbook("r", "", "  a: { uses: noop@1 }\n").into_bytes()),
        ("json text", b"[\"s1\", \"s2\"]".to_vec()),
        ("json map", br#"{"id": "s1", "shard": "a"}"#.to_vec()),
        ("json open", br#"[{"id": "s1", "shard": "a"}"#.to_vec()),
        ("json trailing", br#"[{"id": "s1", "shard": "a"}] x"#.to_vec()),
        ("json comma", br#"[{"id": "s1", "shard": "a"},]"#.to_vec()),
        ("json twice", br#"[{"id": "s1", "shard": "a"}, {"id": "s1", "shard": "a"}]"#.to_vec()),
        ("json key twice", br#"[{"id": "s1", "id": "s2", "shard": "a"}]"#.to_vec()),
        ("json missing", br#"[{"id": "s1"}]"#.to_vec()),
        ("json number", br#"[{"id": 1, "shard": "a"}]"#.to_vec()),
        ("json null", br#"[{"id": null, "shard": null}]"#.to_vec()),
        ("json empty", b"[]".to_vec()),
        ("json brackets", b"[".repeat(100_000)),
        ("json deep", [b"[{\"id\": \"s1\", \"shard\": ".to_vec(), b"[".repeat(100_000)].concat()),
        ("wide", [b"id,shard".to_vec(), b",x".repeat(50_000), b"\n".to_vec()].concat()),
        ("many wrong rows", row(&"nope,a\n".repeat(50_000))),
        ("long field", row(&format!("s{},a\n", "x".repeat(1_000_000)))),
    ]
}

#[test]
fn hostile_runbooks() {
    let place = Place::new();
    for (name, bytes) in runbooks() {
        place.write("bad.yaml", bytes);
        let said = finish(&mut place.command(&["check", "bad.yaml"]));
        refused(name, "bad.yaml", &said);
        assert!(said.err.len() < 1_000_000, "{name}: {} bytes of findings", said.err.len());
    }
}

#[test]
fn hostile_site_lists() {
    let place = Place::new();
    place.write("good.yaml", runbook("r", "", "  a: { uses: noop@1 }\n"));
    for (name, bytes) in lists() {
        place.write("bad.csv", bytes);
        let said = finish(&mut place.command(&["check", "good.yaml", "--sites", "bad.csv"]));
        refused(name, "bad.csv", &said);
        assert!(said.err.len() < 1_000_000, "{name}: {} bytes of findings", said.err.len());
    }
}

#[test]
fn hostile_estates_and_things_that_are_no_files() {
    let place = Place::new();
    place.write("good.yaml", runbook("r", "", "  a: { uses: noop@1 }\n"));
    for (name, bytes) in [
        ("empty", vec![]),
        ("noise", noise(5_000)),
        ("unknown key", b"schema: estate/v1\nname: a\nvariable: {}\n".to_vec()),
        ("a secret itself", b"schema: estate/v1\nname: a\nsecrets: { a: hunter2hunter2 }\n".to_vec()),
        ("a runbook", runbook("r", "", "  a: { uses: noop@1 }\n").into_bytes()),
    ] {
        place.write("bad.yaml", bytes);
        let said = finish(&mut place.command(&["check", "good.yaml", "--estate", "bad.yaml"]));
        refused(name, "bad.yaml", &said);
    }
    std::fs::create_dir(place.path("folder")).unwrap();
    for path in ["folder", "missing.yaml", "good.yaml/inside"] {
        for args in [
            &["check", path][..],
            &["check", "good.yaml", "--sites", path],
            &["check", "good.yaml", "--estate", path],
            &["graph", path],
            &["plan", path, "--sites", "sites.csv", "--estate", "estate.yaml"],
            &["run", "good.yaml", "--sites", path, "--estate", "estate.yaml", "--yes"],
        ] {
            let said = place.said(args, 2);
            holds(&said.err, &["error[file-unreadable]", "hint:"]);
            assert_eq!(said.out, "");
        }
    }
}
