//! Bodies, paths and queries that nobody meant, made from the daemon's own document: it refuses them, and never breaks.
//!
//! `REINSTATE_FUZZ=20000` is the long version.

use reinstate_tests::random::Random;
use serde_json::{Map, Value, json};

use crate::client::Request;
use crate::daemon::{Daemon, Home, bearing};

/// Texts that are awkward somewhere.
const TEXTS: &[&str] = &[
    "",
    " ",
    "r",
    "s1",
    "start",
    "batch-1",
    "batch-0",
    "batch-65536",
    "work/s1",
    "work/s1/0",
    "work",
    "/",
    "..",
    "../x",
    "paced.yaml",
    "e.yaml",
    "s.csv",
    "\u{0}",
    "\n",
    "\u{1b}[2J",
    "ünï",
    "%00",
    "{}",
    "null",
    "00000000",
    "💥",
    "${{ estate.x }}",
    "schema: runbook/v1",
    "id\n",
    "[[[[[[[[",
    "*a",
    "&a [*a]",
    "- - - -",
];

fn text(random: &mut Random) -> String {
    match random.between(0, 20) {
        0 => "x".repeat(random.between(1, 5_000) as usize),
        1 => "[".repeat(random.between(1, 3_000) as usize),
        _ => random.pick(TEXTS).to_owned(),
    }
}

fn anything(random: &mut Random, depth: u32) -> Value {
    match random.between(0, if depth > 3 { 5 } else { 7 }) {
        0 => Value::Null,
        1 => json!(random.between(0, 1) == 1),
        2 => json!(random.between(0, u64::MAX - 1)),
        3 => json!(-1.5e300),
        4 | 5 => json!(text(random)),
        6 => (0..random.between(0, 4)).map(|_| anything(random, depth + 1)).collect(),
        _ => {
            (0..random.between(0, 4)).map(|_| (text(random), anything(random, depth + 1))).collect::<Map<_, _>>().into()
        }
    }
}

/// A value of a schema, more or less.
fn of_schema(random: &mut Random, document: &Value, schema: &Value, depth: u32) -> Value {
    if depth > 6 || random.between(0, 9) == 0 {
        return anything(random, depth);
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(reference.trim_start_matches('#')).expect("a schema that is there");
        return of_schema(random, document, schema, depth + 1);
    }
    if let Some(choices) = schema["oneOf"].as_array().or(schema["enum"].as_array()) {
        let choice = random.pick(choices);
        return if choice.is_object() { of_schema(random, document, &choice, depth + 1) } else { choice };
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => random.pick(kinds),
        kind => kind.clone(),
    };
    match kind.as_str() {
        Some("string") => json!(text(random)),
        Some("integer") => json!(random.between(0, 3) * random.between(0, 2_000_000_000)),
        Some("boolean") => json!(random.between(0, 1) == 1),
        Some("null") => Value::Null,
        Some("object") => {
            let mut object = Map::new();
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                if random.between(0, 9) > 0 {
                    object.insert(name.clone(), of_schema(random, document, schema, depth + 1));
                }
            }
            if random.between(0, 9) == 0 {
                object.insert(text(random), anything(random, depth));
            }
            object.into()
        }
        _ => anything(random, depth),
    }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A request to an operation, and bytes that may not even be JSON.
fn body(random: &mut Random, document: &Value, operation: &Value) -> Vec<u8> {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let value = if schema.is_null() { anything(random, 0) } else { of_schema(random, document, schema, 0) };
    let mut bytes = value.to_string().into_bytes();
    match random.between(0, 15) {
        0 => bytes.truncate(bytes.len() / 2),
        1 => bytes.push(0xff),
        2 => bytes = vec![b'['; 100_000],
        3 => bytes.clear(),
        _ => {}
    }
    bytes
}

#[test]
fn malformed_requests_are_refused_and_break_nothing() {
    let rounds = std::env::var("REINSTATE_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(600_u32);
    let mut random = Random::new(7);
    let home = Home::new(4);
    let tokens: Vec<String> = (0..8).map(|number| home.token(&format!("ada{number}"), "admin")).collect();
    let daemon = Daemon::start(&home);
    daemon.launch(&tokens[0], "paced.yaml", "r");
    let document = daemon.seen(&tokens[0], "/api/v1/openapi.json");
    let operations = crate::roles::operations(&document);
    let operations: Vec<_> = operations.into_iter().filter(|(_, path)| !path.ends_with("/events")).collect();
    let mut seen = std::collections::BTreeMap::new();
    for round in 0..rounds {
        let (method, path) = &random.pick(&operations);
        let operation = &document["paths"][path.as_str()][method.to_lowercase().as_str()];
        let run = if random.between(0, 3) == 0 { encoded(&text(&mut random)) } else { "r".to_owned() };
        let site = if random.between(0, 1) == 0 { encoded(&text(&mut random)) } else { "s1".to_owned() };
        let mut target = path
            .replace("{run}", &run)
            .replace("{drill}", &run)
            .replace("{site}", &site)
            .replace("{step}", &site)
            .replace("{key}", &site)
            .replace("{attempt}", "1");
        for (ix, parameter) in operation["parameters"].as_array().into_iter().flatten().enumerate() {
            if parameter["in"] == "query" && random.between(0, 2) > 0 {
                let name = parameter["name"].as_str().expect("a name");
                target.push_str(&format!(
                    "{}{name}={}",
                    if ix == 0 || !target.contains('?') { "?" } else { "&" },
                    encoded(&text(&mut random))
                ));
            }
        }
        let mut request = Request::new(method, &target);
        if method != "GET" {
            request.body = body(&mut random, &document, operation);
            let kind = if random.between(0, 20) == 0 { "text/plain" } else { "application/json" };
            request = request.with("Content-Type", kind);
        }
        let token = &tokens[round as usize % tokens.len()];
        let answer = daemon.ask(&bearing(request, token));
        let told = || {
            format!("seed 7 round {round}: {method} {target}\n{answer:?}\n{}", crate::daemon::log_of(&home.path("")))
        };
        assert!(answer.status < 500, "{}", told());
        *seen.entry(answer.status).or_insert(0_u32) += 1;
        if answer.status >= 400 {
            let problem: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{}", told()));
            assert!(problem["code"].as_str().is_some_and(|code| !code.is_empty()), "{}", told());
        }
    }
    assert!(seen.contains_key(&200) && seen.contains_key(&404) && seen.contains_key(&422), "{seen:?}");
    assert_eq!(daemon.get("", "/healthz").status, 200);
}
