//! The values of inputs: overrides first, then defaults.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::codes;
use crate::diagnostic::{Diagnostic, Text};
use crate::lower::values;
use crate::model::Runbook;
use crate::source::Span;
use crate::words;

pub(super) fn resolve(
    runbook: &Runbook,
    overrides: &BTreeMap<String, String>,
    text: &Text<'_>,
    found: &mut Vec<Diagnostic>,
) -> Json {
    for name in overrides.keys() {
        if !runbook.inputs.iter().any(|input| input.name == *name) {
            let known = runbook.inputs.iter().map(|input| input.name.as_str());
            found.push(
                Diagnostic::error(
                    codes::PLAN_INPUT,
                    format!("the runbook has no input `{}`", words::short(name)),
                    words::suggest(name, "inputs", known),
                )
                .at(text, Span::default(), ""),
            );
        }
    }
    let mut all = serde_json::Map::new();
    for input in &runbook.inputs {
        let value = match (overrides.get(&input.name), &input.default) {
            (Some(given), _) => values::from_text(input.ty, given),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => Err("it has no default and was not given".into()),
        };
        match value {
            Ok(value) => {
                all.insert(input.name.clone(), value);
            }
            Err(fact) => found.push(
                Diagnostic::error(
                    codes::PLAN_INPUT,
                    format!("the input `{}`: {fact}", input.name),
                    format!("give it as `--input {}=VALUE`, of type {}", input.name, input.ty.word()),
                )
                .at(text, input.span, ""),
            ),
        }
    }
    Json::Object(all)
}
