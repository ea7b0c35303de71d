//! `with` evaluated now where it needs no outputs, only to find what would fail during the run.
//!
//! Cost is bounded: keys for which an expression reads the same data form a class and are evaluated once, the same
//! expression of several steps is evaluated once, and beyond a budget only a sample of the keys is tried.

use std::collections::HashSet;

use engine::{ForEach, KeyIx, PlanSpec, Scope, StepIx, Values, When};
use serde_json::Value as Json;

use crate::codes;
use crate::diagnostic::{Diagnostic, Text};
use crate::evaluate::{Hole, Programs, Spot, key_at, key_words, scalar};
use crate::expr::Compiled;
use crate::model::{Runbook, Step};
use crate::source::Span;
use crate::words;
use crate::yaml::{Node, Value};

/// Evaluations of one plan after which only samples are tried.
const BUDGET: usize = 300_000;
/// Keys of a sample.
const SAMPLE: u32 = 500;

/// Number of keys of a scope.
pub(crate) fn keys_of(spec: &PlanSpec, scope: Scope) -> u32 {
    let len = match scope {
        Scope::Run => 1,
        Scope::Batch => spec.batches.ends.len(),
        Scope::Group(group) => spec.groups.get(group.ix()).map_or(0, |group| group.keys.dictionary.len()),
        Scope::Site => spec.sites.len(),
    };
    u32::try_from(len).unwrap_or(u32::MAX)
}

pub(super) fn spot(spec: &PlanSpec, scope: Scope, key: u32) -> Spot<'_> {
    Spot { spec, scope, key, item: None, outputs: None, undone: None }
}

/// One thing of a key that an expression reads, as a number.
enum Facet<'a> {
    Rows(&'a [u32]),
    Bits(&'a [bool]),
    Batch,
}

/// Keys for which an expression reads the same data.
pub(super) struct Classes<'a> {
    spec: &'a PlanSpec,
    /// `None` if each key is a class of its own.
    facets: Option<Vec<Facet<'a>>>,
    current: Vec<u32>,
}

impl<'a> Classes<'a> {
    pub(super) fn new(spec: &'a PlanSpec, scope: Scope, compiled: &Compiled) -> Self {
        let facets = if scope == Scope::Site { facets(spec, compiled) } else { None };
        Self { spec, facets, current: Vec::new() }
    }

    /// The class of a key; `None` if it is alone.
    pub(super) fn of(&mut self, key: u32) -> Option<&Vec<u32>> {
        let facets = self.facets.as_ref()?;
        self.current.clear();
        for facet in facets {
            self.current.push(match facet {
                Facet::Rows(rows) => rows.get(key as usize).copied().unwrap_or(u32::MAX),
                Facet::Bits(bits) => u32::from(bits.get(key as usize).copied().unwrap_or_default()),
                Facet::Batch => key_at(spot(self.spec, Scope::Site, key), Scope::Batch).unwrap_or_default(),
            });
        }
        Some(&self.current)
    }
}

fn facets<'a>(spec: &'a PlanSpec, compiled: &Compiled) -> Option<Vec<Facet<'a>>> {
    let mut all = Vec::new();
    for path in &compiled.paths {
        match path.root() {
            "inputs" | "estate" | "secrets" => {}
            "batch" => all.push(Facet::Batch),
            "site" => match &spec.sites.column(path.second()?)?.values {
                Values::Text(texts) => all.push(Facet::Rows(&texts.rows)),
                Values::Boolean(bits) => all.push(Facet::Bits(bits)),
                _ => return None,
            },
            root => {
                let group = spec.groups.iter().find(|group| group.name == root)?;
                all.push(Facet::Rows(&group.keys.rows));
            }
        }
    }
    Some(all)
}

pub(super) fn probe(
    runbook: &Runbook,
    spec: &PlanSpec,
    programs: &Programs,
    text: &Text<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let mut done: HashSet<(Scope, String, bool)> = HashSet::new();
    let mut spent = 0_usize;
    for (ix, step) in spec.steps.iter().enumerate() {
        if matches!(step.when, When::Later(_)) {
            // Whether it runs for a key is not known, so neither is whether its inputs would be read.
            continue;
        }
        let program = &programs.steps[ix];
        for hole in program.with.holes.iter().chain(program.undo.iter().flat_map(|undo| &undo.holes)) {
            let later_item = hole.compiled.reads("item") && matches!(step.for_each, ForEach::Later(_));
            if hole.compiled.reads("steps") || later_item || trivial(spec, step.scope, hole) {
                continue;
            }
            // With a condition or items the keys differ from step to step.
            let shared = matches!(step.when, When::Always) && !hole.compiled.reads("item");
            if shared && !done.insert((step.scope, hole.compiled.text.clone(), hole.whole)) {
                continue;
            }
            if let Some((key, count, fact)) = try_hole(spec, programs, ix, hole, &mut spent) {
                let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
                let name = &step.name;
                let key = key_words(spec, StepIx::from(ix), KeyIx(key));
                found.push(
                    Diagnostic::error(
                        codes::PLAN_EXPR,
                        format!("step `{name}`{key}{more}: `{}`: {fact}", words::short(&hole.compiled.text)),
                        if fact.contains("no secret") {
                            "declare it under `secrets` in the estate"
                        } else {
                            "add it to the estate or the list, or change the expression"
                        },
                    )
                    .at(text, place(text, &runbook.steps[ix], &hole.compiled.text), ""),
                );
            }
        }
    }
}

/// Says whether a hole cannot fail: it simply names what every key has, of a type that fits.
fn trivial(spec: &PlanSpec, scope: Scope, hole: &Hole) -> bool {
    let Some(path) = hole.compiled.paths.first().filter(|_| hole.compiled.only_path) else { return false };
    match (path.root(), path.names.len()) {
        ("site", 2) if scope == Scope::Site => {
            hole.whole
                || path.second().is_some_and(|name| {
                    spec.sites.column(name).is_none_or(|column| !matches!(column.values, Values::List { .. }))
                })
        }
        ("item", 1) => hole.whole,
        ("restore_point", 1) | ("batch", 2) => true,
        ("restore_points", 1) => hole.whole,
        _ => false,
    }
}

/// Evaluates a hole for each class of keys; returns the first key that fails, how many classes fail, and why.
fn try_hole(
    spec: &PlanSpec,
    programs: &Programs,
    ix: usize,
    hole: &Hole,
    spent: &mut usize,
) -> Option<(u32, usize, String)> {
    let step = &spec.steps[ix];
    let keys = keys_of(spec, step.scope);
    let stride = if *spent > BUDGET { (keys / SAMPLE).max(1) } else { 1 };
    let mut classes = Classes::new(spec, step.scope, &hole.compiled);
    if hole.compiled.reads("item") {
        classes.facets = None;
    }
    let mut tried: HashSet<Vec<u32>> = HashSet::new();
    let mut first: Option<(u32, usize, String)> = None;
    let mut items: Vec<Option<Json>> = vec![None];
    for key in (0..keys).step_by(stride as usize) {
        if let When::Planned(bits) = &step.when
            && !bits.get(key as usize).copied().unwrap_or(true)
        {
            continue;
        }
        if let Some(class) = classes.of(key) {
            if tried.contains(class) {
                continue;
            }
            tried.insert(class.clone());
        }
        if hole.compiled.reads("item") {
            items = items_of(spec, &step.for_each, key);
        }
        for item in &items {
            *spent += 1;
            let spot = Spot { item: item.as_ref(), ..spot(spec, step.scope, key) };
            let result = programs.scene.evaluate(&hole.compiled, spot);
            let result = result.and_then(|value| if hole.whole { Ok(()) } else { scalar(&value).map(|_| ()) });
            if let Err(fact) = result {
                match &mut first {
                    Some((_, count, _)) => *count += 1,
                    None => first = Some((key, 1, fact)),
                }
            }
        }
    }
    first
}

fn items_of(spec: &PlanSpec, for_each: &ForEach, key: u32) -> Vec<Option<Json>> {
    let ForEach::Planned { offsets, items } = for_each else { return Vec::new() };
    let (Some(&start), Some(&end)) = (offsets.get(key as usize), offsets.get(key as usize + 1)) else {
        return Vec::new();
    };
    items
        .get(start as usize..end as usize)
        .unwrap_or_default()
        .iter()
        .map(|&ix| spec.items.get(ix as usize).and_then(|item| serde_json::from_str(item).ok()))
        .collect()
}

/// The place of an expression inside a step's `with` or that of its undo.
fn place(text: &Text<'_>, step: &Step, expression: &str) -> Span {
    let undo = step.undo.as_ref().and_then(|undo| undo.with.as_ref());
    step.with.iter().chain(undo).find_map(|with| find(text, with, expression)).unwrap_or(step.span)
}

fn find(text: &Text<'_>, node: &Node, expression: &str) -> Option<Span> {
    match &node.value {
        Value::Text(value) if value.contains(expression) => {
            let at = text.source.slice(node.span).find(expression);
            Some(at.map_or(node.span, |at| Span::new(node.span.start + at, node.span.start + at + expression.len())))
        }
        Value::List(items) => items.iter().find_map(|item| find(text, item, expression)),
        Value::Map(entries) => entries.iter().find_map(|entry| find(text, &entry.value, expression)),
        _ => None,
    }
}
