//! A thousand malformed runbooks and site lists: every one is refused with place and hint, in this process; every
//! tenth by the real binary too.

use reinstate_tests::process::shipped;
use runbook::{Diagnostic, Format, SiteList, Source};

use crate::place::{Place, Said, holds};

const HEADER: &str = "id,shard,region,products,users,apps,deleted_at";
const ROWS: [&str; 3] = [
    "d47a695d-8e0c-4dc7-bf4e-82114443670b,shard-00,eu,jira;insight,5,9fdb727e-0882-4ea3-8595-387acf3af191,2022-04-05T07:38:00Z",
    "35b3d685-0817-4494-8997-a4df8ff58eb0,shard-01,ap,confluence,16,,2022-04-05T07:40:52.375Z",
    "adb6bc79-e7c0-4b78-a769-13770973b19c,shard-01,us,access,17,,2022-04-05T07:43:44.750Z",
];

/// Lines of the shipped runbook that hold `key:`, each spoilt in several ways.
fn runbooks(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut all = Vec::new();
    for (ix, line) in lines.iter().enumerate() {
        let content = line.trim_start();
        let Some((key, rest)) = content.split_once(':') else { continue };
        if content.starts_with('#') || key.contains(' ') {
            continue;
        }
        let indent = &line[..line.len() - content.len()];
        // Half of what could be done to a line; the next line gets the other half.
        let mut turn = ix;
        let mut push = |what: &str, new: String| {
            turn += 1;
            if turn % 2 == 0 {
                return;
            }
            let mut copy = lines.clone();
            copy[ix] = &new;
            all.push((format!("line {}: {what}", ix + 1), copy.join("\n")));
        };
        push("tab", format!("\t{line}"));
        push("nul", format!("{line}\0"));
        push("stray key", format!("{indent}stray-{ix}: {{ odd: 1 }}\n{line}"));
        push("key twice", format!("{indent}{key}: 1\n{line}"));
        push("colon lost", format!("{indent}{key}{}", rest.replace(':', " ")));
        push("bracket", format!("{indent}{key}: [{rest}"));
    }
    all
}

fn lists() -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut push = |name: String, lines: &[&str]| all.push((name, lines.join("\n")));
    let bad: [(usize, &[&str]); 3] = [
        (0, &["", "site-1", "D47A695D-8E0C-4DC7-BF4E-82114443670B", "d47a695d8e0c4dc7bf4e82114443670b", "\u{0}", "*"]),
        (4, &["", "ten", "1.5", "99999999999999999999", "0x10", "-"]),
        (
            6,
            &[
                "",
                "yesterday",
                "2022-04-05",
                "2022-13-05T00:00:00Z",
                "2022-04-05T07:38:00",
                "1649144280",
                "2022-04-05T25:00:00Z",
            ],
        ),
    ];
    for row in 0..ROWS.len() {
        let with = |new: &str| {
            let mut lines = vec![HEADER];
            lines.extend(ROWS);
            lines[row + 1] = new;
            lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>()
        };
        let fields: Vec<&str> = ROWS[row].split(',').collect();
        for (field, values) in bad {
            for value in values {
                let mut copy = fields.clone();
                copy[field] = value;
                let lines = with(&copy.join(","));
                push(format!("row {row}: {value:?}"), &lines.iter().map(String::as_str).collect::<Vec<_>>());
            }
        }
        for field in 0..fields.len() {
            let mut copy = fields.clone();
            copy.remove(field);
            let lines = with(&copy.join(","));
            push(format!("row {row}: field {field} lost"), &lines.iter().map(String::as_str).collect::<Vec<_>>());
            let mut names: Vec<&str> = HEADER.split(',').collect();
            names.remove(field);
            push(format!("column {field} lost"), &[&names.join(","), ROWS[0], ROWS[1], ROWS[2]]);
        }
        let lines = with(&format!("{},more", ROWS[row]));
        push(format!("row {row}: field too many"), &lines.iter().map(String::as_str).collect::<Vec<_>>());
        push(format!("row {row} twice"), &[HEADER, ROWS[0], ROWS[1], ROWS[2], ROWS[row]]);
    }
    for (name, text) in [("empty", ""), ("blank", " \n\n"), ("header only", HEADER), ("prose", "please restore site 1")]
    {
        push(name.into(), &[text]);
    }
    push("open quote".into(), &[HEADER, "\"a", ROWS[0]]);
    let object = r#"[{"id": "d47a695d-8e0c-4dc7-bf4e-82114443670b", "shard": "a", "region": "eu", "products": ["jira"], "users": 1, "apps": [], "deleted_at": "2022-04-05T07:38:00Z"}]"#;
    for at in 1..object.len() {
        push(format!("json cut at {at}"), &[&object[..at]]);
    }
    all
}

/// Insists that what was found says where and what to do; returns the name if nothing was found.
fn well_formed(name: &str, found: &[Diagnostic]) -> Option<String> {
    for one in found.iter().filter(|one| one.is_error()) {
        let hinted = one.hint.as_ref().is_some_and(|hint| !hint.is_empty());
        assert!(hinted && one.place().line >= 1 && one.place().column >= 1, "{name}: {one:?}");
    }
    (!runbook::has_errors(found)).then(|| name.to_owned())
}

/// What every refusal of a file looks like.
pub fn refused(name: &str, file: &str, said: &Said) {
    assert_eq!(said.status.code(), Some(2), "{name}: {said:?}");
    assert_eq!(said.out, "", "{name}");
    holds(&said.err, &["error[", "hint: "]);
    assert!(said.err.lines().any(|line| is_place(line, file)), "{name}: no place in {}", said.err);
}

/// Whether a line names `file:LINE:COLUMN`.
fn is_place(line: &str, file: &str) -> bool {
    let Some((_, after)) = line.split_once(&format!("{file}:")) else { return false };
    let mut numbers = after.trim_end().split(':').map(|number| number.parse::<u32>().is_ok_and(|number| number > 0));
    numbers.next() == Some(true) && numbers.next() == Some(true)
}

#[test]
fn a_thousand_malformed_files_are_refused_with_place_and_hint() {
    let path = shipped("restoration-2.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let catalogue = connectors::catalogue();
    let good = runbook::check(&Source::new("good", text.clone()), &catalogue).runbook.unwrap();
    let runbooks = runbooks(&text);
    let lists = lists();
    assert!(runbooks.len() + lists.len() >= 1_000, "{} + {}", runbooks.len(), lists.len());
    let mut accepted = Vec::new();
    for (name, text) in &runbooks {
        accepted
            .extend(well_formed(name, &runbook::check(&Source::new("input", text.clone()), &catalogue).diagnostics));
    }
    for (name, text) in &lists {
        accepted.extend(well_formed(
            name,
            &SiteList::parse(&Source::new("input", text.clone()), Format::guess(text), &good).1,
        ));
    }
    assert!(accepted.is_empty(), "accepted: {accepted:#?}");
    let place = Place::new();
    for (name, text) in runbooks.iter().step_by(17) {
        place.write("bad.yaml", text);
        refused(name, "bad.yaml", &crate::place::finish(&mut place.command(&["check", "bad.yaml"])));
    }
    let path = path.display().to_string();
    for (name, text) in lists.iter().step_by(7) {
        place.write("bad.csv", text);
        let mut check = place.command(&["check", &path, "--sites", "bad.csv"]);
        refused(name, "bad.csv", &crate::place::finish(&mut check));
    }
}
