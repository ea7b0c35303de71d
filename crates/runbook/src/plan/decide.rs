//! `if` and `for_each` that need no outputs: decided now, for every key.

use std::collections::HashMap;

use engine::{ForEach, KeyIx, PlanSpec, Scope, SiteIx, StepIx, Values, When};
use serde_json::Value as Json;

use crate::codes;
use crate::diagnostic::{Diagnostic, Text};
use crate::evaluate::{Programs, key_words, kind};
use crate::expr::Compiled;
use crate::model::Runbook;
use crate::plan::groups::MAX_SHOWN;
use crate::plan::probe::{Classes, keys_of, spot};
use crate::source::Span;

/// Names a site for people: its ID and its row.
pub(super) fn site_words(spec: &PlanSpec, site: usize) -> String {
    let row = spec.sites.source_rows.get(site).copied().unwrap_or_default();
    format!("site `{}` (row {row} of {})", spec.sites.id(SiteIx::from(site)), spec.origin.sites_file)
}

pub(super) fn decide(
    runbook: &Runbook,
    spec: &mut PlanSpec,
    programs: &Programs,
    text: &Text<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let mut items = Items::default();
    // The same `if` in many steps is decided once for each scope.
    let mut bits: HashMap<(Scope, String), Vec<bool>> = HashMap::new();
    for ix in 0..spec.steps.len() {
        let declared = &runbook.steps[ix];
        let scope = spec.steps[ix].scope;
        let program = &programs.steps[ix];
        if let (Some(condition), Some(at)) = (&program.condition, &declared.condition)
            && !condition.reads("steps")
        {
            let known = (scope, condition.text.clone());
            let decided = match bits.get(&known) {
                Some(decided) => decided.clone(),
                None => {
                    let mut reporter = Reporter { spec, step: ix, span: at.span, text, found, count: 0 };
                    let decided = conditions(spec, programs, scope, condition, &mut reporter);
                    bits.insert(known, decided.clone());
                    decided
                }
            };
            spec.steps[ix].when = if decided.iter().all(|&runs| runs) { When::Always } else { When::Planned(decided) };
        }
        if let (Some(list), Some(at)) = (&program.for_each, &declared.for_each)
            && !list.reads("steps")
        {
            let mut reporter = Reporter { spec, step: ix, span: at.span, text, found, count: 0 };
            let planned = lists(spec, programs, scope, list, &mut items, &mut reporter);
            spec.steps[ix].for_each = planned;
        }
    }
    spec.items = items.all;
}

struct Reporter<'a, 'd> {
    spec: &'a PlanSpec,
    step: usize,
    span: Span,
    text: &'a Text<'a>,
    found: &'d mut Vec<Diagnostic>,
    count: usize,
}

impl Reporter<'_, '_> {
    fn error(&mut self, key: u32, fact: &str) {
        self.count += 1;
        if self.count <= MAX_SHOWN {
            let name = &self.spec.steps[self.step].name;
            let key = key_words(self.spec, StepIx::from(self.step), KeyIx(key));
            self.found.push(
                Diagnostic::error(
                    codes::PLAN_EXPR,
                    format!("step `{name}`{key}: {fact}"),
                    "change the expression, or the data it reads",
                )
                .at(self.text, self.span, ""),
            );
        }
    }
}

fn conditions(
    spec: &PlanSpec,
    programs: &Programs,
    scope: Scope,
    condition: &Compiled,
    reporter: &mut Reporter<'_, '_>,
) -> Vec<bool> {
    if let Some(Values::Boolean(column)) = column(spec, scope, condition) {
        return column.clone();
    }
    let mut classes = Classes::new(spec, scope, condition);
    let mut known: HashMap<Vec<u32>, bool> = HashMap::new();
    let mut all = Vec::with_capacity(keys_of(spec, scope) as usize);
    for key in 0..keys_of(spec, scope) {
        let class = classes.of(key);
        if let Some(&runs) = class.as_ref().and_then(|class| known.get(*class)) {
            all.push(runs);
            continue;
        }
        let runs = match programs.scene.evaluate(condition, spot(spec, scope, key)) {
            Ok(Json::Bool(runs)) => runs,
            Ok(other) => {
                reporter.error(key, &format!("`if` gives {}, not a boolean", kind(&other)));
                true
            }
            Err(fact) => {
                reporter.error(key, &format!("`{}`: {fact}", condition.text));
                true
            }
        };
        if let Some(class) = class {
            known.insert(class.clone(), runs);
        }
        all.push(runs);
    }
    all
}

/// Distinct items of all steps.
#[derive(Default)]
struct Items {
    all: Vec<String>,
    found: HashMap<String, u32>,
}

impl Items {
    fn ix(&mut self, item: &Json) -> u32 {
        let text = item.to_string();
        if let Some(&ix) = self.found.get(&text) {
            return ix;
        }
        let ix = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(text.clone());
        self.found.insert(text, ix);
        ix
    }
}

fn lists(
    spec: &PlanSpec,
    programs: &Programs,
    scope: Scope,
    list: &Compiled,
    items: &mut Items,
    reporter: &mut Reporter<'_, '_>,
) -> ForEach {
    if let Some(Values::List { offsets, items: column }) = column(spec, scope, list) {
        let translated: Vec<u32> = column.dictionary.iter().map(|item| items.ix(&Json::from(item.as_str()))).collect();
        let rows = column.rows.iter().filter_map(|&row| translated.get(row as usize).copied()).collect();
        return ForEach::Planned { offsets: offsets.clone(), items: rows };
    }
    let mut classes = Classes::new(spec, scope, list);
    let mut known: HashMap<Vec<u32>, Vec<u32>> = HashMap::new();
    let mut offsets = vec![0];
    let mut all: Vec<u32> = Vec::new();
    for key in 0..keys_of(spec, scope) {
        let class = classes.of(key);
        if let Some(found) = class.as_ref().and_then(|class| known.get(*class)) {
            all.extend_from_slice(found);
        } else {
            let found: Vec<u32> = match programs.scene.evaluate(list, spot(spec, scope, key)) {
                Ok(Json::Array(found)) => found.iter().map(|item| items.ix(item)).collect(),
                Ok(other) => {
                    reporter.error(key, &format!("`for_each` gives {}, not a list", kind(&other)));
                    Vec::new()
                }
                Err(fact) => {
                    reporter.error(key, &format!("`{}`: {fact}", list.text));
                    Vec::new()
                }
            };
            all.extend_from_slice(&found);
            if let Some(class) = class {
                known.insert(class.clone(), found);
            }
        }
        offsets.push(u32::try_from(all.len()).unwrap_or(u32::MAX));
    }
    ForEach::Planned { offsets, items: all }
}

/// The column that an expression of a site's step simply names.
fn column<'a>(spec: &'a PlanSpec, scope: Scope, compiled: &Compiled) -> Option<&'a Values> {
    let path =
        compiled.paths.first().filter(|path| compiled.only_path && path.names.len() == 2 && path.root() == "site")?;
    if scope != Scope::Site {
        return None;
    }
    spec.sites.column(path.second()?).map(|column| &column.values)
}
