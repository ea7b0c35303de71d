//! Drawings of graphs: small ones to the letter, hostile and large ones for what must hold.
#![allow(clippy::unwrap_used)]

mod support;

use reinstate_report::{Drawing, Tint};
use support::*;

#[test]
fn the_text_forms_are_what_they_were() {
    let drive = rough_run();
    let drawing = Drawing::of_run(drive.fold.run());
    assert_eq!(
        drawing.to_text(),
        "restoration-2 (8 steps, 4 layers)
  1  recover     [shard · 3/3]
     catalogue   [site · 40/40]
  2  identity    [site · 40/40] <- catalogue
     databases   [site · 88/88] <- recover, catalogue
     media       [site · 38/40 · 2 degraded] <- catalogue
  3  apps        [site · 40/40] <- identity, databases
     bystanders  [shard · 3/3] <- databases
  4  validate    [site · 38/40 · 2 failed] <- media, apps
"
    );
    assert_eq!(drawing.nodes[6].tint(), Tint::Failed);
    assert_eq!(drawing.nodes[4].tint(), Tint::Flawed);
    let plan = Drawing::of_plan(drive.fold.plan());
    assert!(
        plan.to_mermaid().starts_with("flowchart LR\n  s0([\"recover<br/>shard\"])\n  s1[\"catalogue<br/>site\"]\n")
    );
    assert!(plan.to_dot().contains("  s0 [id=\"step-0\", label=\"recover\\nshard\"];\n"));
    assert!(drawing.to_dot().contains("fillcolor=\"#fee2e2\""));
}

#[test]
fn svg_is_well_formed_and_its_boxes_carry_ids() {
    let drive = rough_run();
    let svg = Drawing::of_run(drive.fold.run()).to_svg();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let boxes: Vec<_> = document.descendants().filter(|node| node.attribute("data-step").is_some()).collect();
    assert_eq!(boxes.len(), 8);
    assert_eq!(boxes[6].attribute("id"), Some("step-6"));
    assert_eq!(boxes[6].attribute("class"), Some("failed"));
    assert_eq!(boxes[0].attribute("class"), Some("done shared"));
    let lines = document.descendants().filter(|node| node.attribute("data-from").is_some()).count();
    assert_eq!(lines, 9);
}

#[test]
fn what_belongs_to_finally_comes_last() {
    let steps =
        [("clear", "run", vec![]), ("a", "site", vec![]), ("b", "site", vec!["a"]), ("tell", "run", vec!["clear"])];
    let mut drawing = Drawing::of_steps("last", steps);
    (drawing.nodes[0].finally, drawing.nodes[3].finally) = (true, true);
    assert_eq!(
        drawing.to_text(),
        "last (4 steps, 4 layers)
  1  a      [site]
  2  b      [site] <- a
  3  clear  [run · finally]
  4  tell   [run · finally] <- clear
"
    );
    let svg = drawing.to_svg();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let lefts: Vec<f64> = document
        .descendants()
        .filter(|node| node.attribute("data-step").is_some())
        .map(|step| step.descendants().find_map(|node| node.attribute("x")).unwrap().parse().unwrap())
        .collect();
    assert!(lefts[1] < lefts[2] && lefts[2] < lefts[0] && lefts[0] < lefts[3], "{lefts:?}");
}

#[test]
fn hostile_names_stay_names() {
    let names = ["a\"];click b", "<script>", "x --> y", "\u{1b}[31m", "é\u{202e}"];
    let steps = names.iter().map(|name| (*name, "site", if *name == names[0] { vec![] } else { vec![names[0]] }));
    let drawing = Drawing::of_steps("t\"<", steps);
    roxmltree::Document::parse(&drawing.to_svg()).unwrap();
    let mermaid = drawing.to_mermaid();
    assert_eq!(mermaid.lines().count(), 1 + 5 + 4, "{mermaid}");
    assert!(!mermaid.contains("\"];click") && !mermaid.contains("<script"));
    assert!(drawing.to_dot().contains("a\\\"];click b"));
    assert!(drawing.to_text().chars().all(|char| !char.is_control() || char == '\n'));
}

#[test]
fn dense_deep_wide_cyclic_and_empty_graphs_are_drawn() {
    let names: Vec<String> = (0..1200).map(|ix| format!("s{ix}")).collect();
    // Every step needs all before it: without the reduction the layout would take seconds.
    let dense = Drawing::of_steps(
        "dense",
        names[..60]
            .iter()
            .enumerate()
            .map(|(ix, name)| (name.as_str(), "site", names[..ix].iter().map(String::as_str).collect())),
    );
    assert_eq!(dense.to_mermaid().matches("-->").count(), 59);
    roxmltree::Document::parse(&dense.to_svg()).unwrap();
    let wide = Drawing::of_steps(
        "wide",
        names
            .iter()
            .enumerate()
            .map(|(ix, name)| (name.as_str(), "site", if ix == 0 { vec![] } else { vec![names[ix / 40].as_str()] })),
    );
    roxmltree::Document::parse(&wide.to_svg()).unwrap();
    let cycle = Drawing::of_steps("cycle", [("a", "site", vec!["b"]), ("b", "site", vec!["a", "no-such", "b"])]);
    roxmltree::Document::parse(&cycle.to_svg()).unwrap();
    assert!(cycle.to_text().contains("a  [site] <- b"));
    roxmltree::Document::parse(&Drawing::default().to_svg()).unwrap();
    assert_eq!(Drawing::default().to_text(), "");
}
