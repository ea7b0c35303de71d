//! The key of each site in each declared group.

use std::collections::HashMap;

use engine::{Group, Interned, NO_KEY, PlanSpec, Scope, Values};
use serde_json::Value as Json;

use crate::codes;
use crate::diagnostic::{Diagnostic, Text};
use crate::evaluate::{Scene, Spot};
use crate::expr::Compiled;
use crate::model::{GroupDecl, Runbook};
use crate::plan::decide::site_words;

/// Most errors of one expression that are shown.
pub(super) const MAX_SHOWN: usize = 20;

pub(super) fn fill(runbook: &Runbook, spec: &mut PlanSpec, text: &Text<'_>, found: &mut Vec<Diagnostic>) {
    let scene = match Scene::new(&spec.inputs, &spec.estate) {
        Ok(scene) => scene,
        Err(fact) => {
            found.push(Diagnostic::error(codes::PLAN_EXPR, fact, "check inputs and estate"));
            return;
        }
    };
    let mut groups = Vec::new();
    for declared in &runbook.targets.groups {
        groups.push(Group {
            name: declared.name.clone(),
            keys: keys(declared, spec, &scene, text, found),
            restore_points: Vec::new(),
        });
    }
    spec.groups = groups;
}

fn keys(
    declared: &GroupDecl,
    spec: &PlanSpec,
    scene: &Scene,
    text: &Text<'_>,
    found: &mut Vec<Diagnostic>,
) -> Interned {
    let compiled = match Compiled::unchecked(&declared.key.value) {
        Ok(compiled) => compiled,
        Err(wrong) => {
            found.push(Diagnostic::error(codes::EXPR_SYNTAX, wrong.fact, "check the runbook again").at(
                text,
                declared.key.span,
                "",
            ));
            return Interned::default();
        }
    };
    let mut dictionary: HashMap<String, u32> = HashMap::new();
    let mut keys = Interned::default();
    let mut failed = 0_usize;
    let column = column_of(&compiled, spec);
    for site in 0..spec.sites.len() {
        let spot = Spot {
            spec,
            scope: Scope::Site,
            key: u32::try_from(site).unwrap_or(u32::MAX),
            item: None,
            outputs: None,
            undone: None,
        };
        let key: Result<Option<String>, String> = match column {
            Some(texts) => Ok(texts.get(site).map(str::to_owned)),
            None => scene.evaluate(&compiled, spot).and_then(|value| match value {
                Json::String(text) => Ok(Some(text)),
                Json::Null => Ok(None),
                Json::Number(number) => Ok(Some(number.to_string())),
                other => Err(format!("it gives {}, not a text", crate::evaluate::kind(&other))),
            }),
        };
        let key =
            key.and_then(|key| if key.as_deref() == Some("") { Err("the key is empty".to_owned()) } else { Ok(key) });
        match key {
            Ok(None) => keys.rows.push(NO_KEY),
            Ok(Some(name)) => {
                let next = u32::try_from(dictionary.len()).unwrap_or(u32::MAX);
                let ix = *dictionary.entry(name).or_insert_with_key(|name| {
                    keys.dictionary.push(name.clone());
                    next
                });
                keys.rows.push(ix);
            }
            Err(fact) => {
                failed += 1;
                if failed <= MAX_SHOWN {
                    found.push(
                        Diagnostic::error(
                            codes::PLAN_EXPR,
                            format!("the {} of {}: {fact}", declared.name, site_words(spec, site)),
                            "give the site a value in the list",
                        )
                        .at(text, declared.key.span, ""),
                    );
                }
            }
        }
    }
    keys
}

/// The column that an expression simply names.
fn column_of<'a>(compiled: &Compiled, spec: &'a PlanSpec) -> Option<&'a Interned> {
    let path =
        compiled.paths.first().filter(|path| compiled.only_path && path.names.len() == 2 && path.root() == "site")?;
    match &spec.sites.column(path.second()?)?.values {
        Values::Text(texts) => Some(texts),
        _ => None,
    }
}
