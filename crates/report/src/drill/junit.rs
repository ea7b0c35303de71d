//! A drill as JUnit XML: one test case for each objective, and for that it took place and left nothing behind.

use std::fmt::Write as _;

use crate::drill::data::DrillReport;
use crate::escape::Xml;

/// Renders a judgement as JUnit XML. Only what is met passes; what could not be measured fails.
#[must_use]
pub fn render_drill_junit(drill: &DrillReport) -> String {
    let mut cases: Vec<(String, Option<String>)> = vec![
        ("took_place".to_owned(), (!drill.troubles.is_empty()).then(|| drill.troubles.join("; "))),
        (
            "left_nothing_behind".to_owned(),
            (!drill.leftovers.is_empty()).then(|| {
                let told = drill.leftovers.iter().map(|left| format!("{} {}: {}", left.part, left.unit, left.message));
                told.collect::<Vec<_>>().join("; ")
            }),
        ),
    ];
    if let Some(chaos) = &drill.chaos {
        let found = chaos.findings.iter().map(|found| format!("{} {}: {}", found.kind, found.step, found.message));
        let all: Vec<String> = found.chain(chaos.differences.iter().cloned()).collect();
        cases.push(("bears_chaos".to_owned(), (!all.is_empty()).then(|| all.join("; "))));
    }
    cases.extend(drill.objectives.iter().map(|objective| {
        let measured = objective.measured.map_or_else(|| "nothing".to_owned(), |number| number.to_string());
        let missed = (!objective.passed).then(|| format!("asked {}, measured {measured}", objective.asked));
        (objective.name.clone(), missed)
    }));
    let failures = cases.iter().filter(|(_, failure)| failure.is_some()).count();
    let name = Xml(&drill.drill);
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let head = format!("name=\"{name}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\"", cases.len());
    let _ = writeln!(xml, "<testsuites {head}>\n  <testsuite {head} timestamp=\"{}\">", Xml(&drill.began));
    let _ = writeln!(xml, "    <properties>");
    let seed = drill.seed.to_string();
    for (key, value) in [("runbook", &drill.runbook), ("estate", &drill.estate), ("run", &drill.run), ("seed", &seed)] {
        let _ = writeln!(xml, "      <property name=\"{key}\" value=\"{}\"/>", Xml(value));
    }
    let _ = writeln!(xml, "    </properties>");
    for (case, failure) in cases {
        let _ = write!(xml, "    <testcase classname=\"{name}\" name=\"{}\"", Xml(&case));
        match failure {
            None => xml.push_str("/>\n"),
            Some(why) => {
                let _ = writeln!(xml, "><failure type=\"{}\" message=\"{}\"/></testcase>", Xml(&case), Xml(&why));
            }
        }
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}
