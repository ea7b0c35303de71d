//! Every malformed text gives an error with place and hint, quickly; none panics.

use std::time::Instant;

use proptest::prelude::*;
use runbook::{Diagnostic, Format, Source};

use crate::fixture;
use crate::malformed::{Kind, cases};

fn findings(kind: Kind, text: &str) -> (Source, Vec<Diagnostic>) {
    let source = Source::new("input", text);
    let found = match kind {
        Kind::Runbook => runbook::check(&source, &fixture::catalogue()).diagnostics,
        Kind::Csv | Kind::Json => {
            let good = runbook::check(&Source::new("good", fixture::RUNBOOK), &fixture::catalogue()).runbook.unwrap();
            let format = if kind == Kind::Csv { Format::Csv } else { Format::Json };
            runbook::SiteList::parse(&source, format, &good).1
        }
    };
    (source, found)
}

fn well_formed(found: &[Diagnostic]) -> Result<(), String> {
    for one in found.iter().filter(|one| one.is_error()) {
        let hinted = one.hint.as_ref().is_some_and(|hint| !hint.is_empty());
        if one.labels.is_empty()
            || one.place().line == 0
            || one.place().column == 0
            || !hinted
            || one.message.is_empty()
        {
            return Err(format!("{one:?}"));
        }
    }
    Ok(())
}

#[test]
fn a_thousand_malformed_texts_are_refused() {
    let all = cases();
    assert!(all.len() >= 1_000, "{}", all.len());
    let mut accepted = Vec::new();
    for case in &all {
        let start = Instant::now();
        let (source, found) = findings(case.kind, &case.text);
        well_formed(&found).unwrap_or_else(|wrong| panic!("{:?} {}: {wrong}", case.kind, case.name));
        if !runbook::has_errors(&found) {
            accepted.push(format!("{:?} {}", case.kind, case.name));
        }
        let _ = runbook::render_text(&found, &source, false);
        assert!(start.elapsed().as_secs() < 5, "{}", case.name);
    }
    assert!(accepted.is_empty(), "accepted: {accepted:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutations_never_panic(at in 0..fixture::RUNBOOK.len(), len in 0_usize..40, new in "[-a-z0-9 {}\\[\\]:,'\"$|>&*!%#.\n\t\u{e9}]{0,12}", again in 0..fixture::RUNBOOK.len()) {
        let chars: Vec<char> = fixture::RUNBOOK.chars().collect();
        let at = at.min(chars.len());
        let mut text: String = chars[..at].iter().collect();
        text.push_str(&new);
        text.extend(&chars[(at + len).min(chars.len())..]);
        let again = again.min(text.chars().count());
        let text: String = text.chars().take(again).chain(new.chars()).chain(text.chars().skip(again)).collect();
        let (source, found) = findings(Kind::Runbook, &text);
        prop_assert!(well_formed(&found).is_ok(), "{:?}", well_formed(&found));
        let _ = runbook::render_text(&found, &source, true);
    }

    #[test]
    fn lists_never_panic(text in "[a-z0-9\\-,\";\n\r{}\\[\\]: ]{0,200}", csv in any::<bool>()) {
        let kind = if csv { Kind::Csv } else { Kind::Json };
        let (_, found) = findings(kind, &text);
        prop_assert!(runbook::has_errors(&found));
        prop_assert!(well_formed(&found).is_ok(), "{:?}", well_formed(&found));
    }
}
