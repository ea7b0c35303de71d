//! Sites of the list that a plan leaves out, each for a reason that somebody gave.

use std::collections::{BTreeMap, BTreeSet};

use engine::ExcludedSite;

use crate::codes;
use crate::diagnostic::{Diagnostic, Text};
use crate::plan::groups::MAX_SHOWN;
use crate::sites::SiteList;
use crate::source::Span;
use crate::words;

/// Returns the rows that stay and the sites that do not, both in the order of the list.
pub(super) fn kept(
    list: &SiteList,
    exclude: &BTreeMap<String, String>,
    text: &Text<'_>,
    found: &mut Vec<Diagnostic>,
) -> (Vec<usize>, Vec<ExcludedSite>) {
    let mut rows = Vec::with_capacity(list.len());
    let mut excluded = Vec::new();
    let mut unknown: BTreeSet<&str> = exclude.keys().map(String::as_str).collect();
    for (row, id) in list.sites.ids.iter().enumerate() {
        let Some(reason) = exclude.get(id) else {
            rows.push(row);
            continue;
        };
        unknown.remove(id);
        excluded.push(ExcludedSite {
            id: id.to_owned(),
            row: list.sites.source_rows.get(row).copied().unwrap_or_default(),
            reason: reason.clone(),
        });
    }
    let mut error = |fact: String, hint: &str| {
        found.push(Diagnostic::error(codes::PLAN_EXCLUDED, fact, hint).at(text, Span::default(), ""));
    };
    for id in unknown.iter().take(MAX_SHOWN) {
        let id = words::short(id);
        error(format!("`{id}` is to be left out, but is not in {}", list.name), "check the ID, or do not name it");
    }
    if unknown.len() > MAX_SHOWN {
        let fact = format!("{} sites in all are to be left out but are not in the list", unknown.len());
        error(fact, "check that the IDs and the list belong together");
    }
    if rows.is_empty() {
        error(format!("every site of {} is to be left out", list.name), "leave at least one site in");
    }
    (rows, excluded)
}
