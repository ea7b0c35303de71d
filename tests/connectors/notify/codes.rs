//! Every code that `notify/*` gives stands in the page that describes the actions.

use std::collections::BTreeSet;

const README: &str = include_str!("../../../crates/connectors/README.md");

/// Codes written out in the sources below a folder.
fn codes(folder: &std::path::Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            codes(&path, into);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for kind in ["notify", "email", "smtp"] {
            for piece in text.split(&format!("\"{kind}.")).skip(1) {
                let name: String = piece.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                if piece[name.len()..].starts_with('"') {
                    into.insert(format!("{kind}.{name}"));
                }
            }
        }
    }
}

#[test]
fn every_code_of_the_sources_is_in_the_page() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/connectors/src/notify");
    let mut all = BTreeSet::new();
    codes(std::path::Path::new(folder), &mut all);
    assert!(all.len() > 15, "{all:?}");
    let page = README.split_once("\n## notify/webhook@1").expect("the page has them").1;
    let missing: Vec<&String> = all.iter().filter(|code| !page.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "not in crates/connectors/README.md: {missing:?}");
}
