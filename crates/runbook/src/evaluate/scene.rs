//! The names that expressions read, looked up in a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use engine::{ForEach, KeyIx, NO_KEY, Outputs, PlanSpec, Scope, SiteIx, StepIx, Values};
use minijinja::Value;
use serde_json::Value as Json;

use crate::evaluate::members::Members;
use crate::expr::{Compiled, Path, value};
use crate::time;

/// What is the same for all steps and keys of a plan.
#[derive(Debug)]
pub(crate) struct Scene {
    inputs: Json,
    variables: Json,
    inputs_value: Value,
    variables_value: Value,
    pub(crate) secrets: BTreeSet<String>,
    /// Sites of each key of each group, found when they are first asked for.
    members: OnceLock<Vec<Members>>,
}

/// Where an expression is evaluated.
#[derive(Clone, Copy)]
pub(crate) struct Spot<'a> {
    pub(crate) spec: &'a PlanSpec,
    pub(crate) scope: Scope,
    pub(crate) key: u32,
    pub(crate) item: Option<&'a Json>,
    pub(crate) outputs: Option<&'a dyn Outputs>,
    /// In an undo: the step that is undone and the number of its item, whose outputs it sees as the step's.
    pub(crate) undone: Option<(StepIx, usize)>,
}

impl Scene {
    /// Reads the inputs and the estate that a plan stores.
    pub(crate) fn new(inputs: &str, estate: &str) -> Result<Self, String> {
        let inputs: Json = serde_json::from_str(inputs).map_err(|_| "the plan's inputs are no JSON".to_owned())?;
        let estate: Json = serde_json::from_str(estate).map_err(|_| "the plan's estate is no JSON".to_owned())?;
        let variables = estate.get("variables").cloned().unwrap_or_else(|| Json::Object(serde_json::Map::new()));
        let secrets = estate.get("secrets").and_then(Json::as_object).map(|all| all.keys().cloned().collect());
        Ok(Self {
            inputs_value: value(&inputs),
            variables_value: value(&variables),
            inputs,
            variables,
            secrets: secrets.unwrap_or_default(),
            members: OnceLock::new(),
        })
    }

    /// Evaluates an expression.
    pub(crate) fn evaluate(&self, compiled: &Compiled, spot: Spot<'_>) -> Result<Json, String> {
        if compiled.only_path
            && let Some(path) = compiled.paths.first()
        {
            return self.lookup(path, spot)?.ok_or_else(|| absent(path));
        }
        compiled.evaluate(self.context(compiled, spot)?)
    }

    fn lookup(&self, path: &Path, spot: Spot<'_>) -> Result<Option<Json>, String> {
        let rest = &path.names[1..];
        Ok(match path.root() {
            "inputs" => dig(&self.inputs, rest),
            "estate" => dig(&self.variables, rest),
            "site" if rest.is_empty() => self.whole_site(spot),
            "site" => site_value(spot, &rest[0]).and_then(|value| dig(&value, &rest[1..])),
            "steps" => match path.second() {
                Some(name) => step_value(spot, name)?.and_then(|value| dig(&value, &rest[1..])),
                None => None,
            },
            "secrets" => match path.second() {
                Some(name) => Some(self.secret(name)?.into()),
                None => None,
            },
            "restore_points" => self.points(spot).and_then(|value| dig(&value, rest)),
            root => plain(spot, root).and_then(|value| dig(&value, rest)),
        })
    }

    fn secret(&self, name: &str) -> Result<String, String> {
        if self.secrets.contains(name) {
            return Ok(super::secret_marker(name));
        }
        Err(format!("the estate has no secret `{name}`"))
    }

    /// Restore points of the sites at a spot of a wider scope, by their IDs: all that the plan has there.
    ///
    /// Sites that are out by then are among them: what an attempt is asked to do must be the same whenever it is tried.
    fn points(&self, spot: Spot<'_>) -> Option<Json> {
        let sites = &spot.spec.sites;
        if sites.restore_points.is_empty() {
            return None;
        }
        let all = u32::try_from(sites.len()).unwrap_or(u32::MAX);
        let range = |sites: std::ops::Range<u32>| sites.collect::<Vec<u32>>();
        let covered = match spot.scope {
            Scope::Site => return None,
            Scope::Run => range(0..all),
            Scope::Batch => {
                let ends = &spot.spec.batches.ends;
                let start = spot.key.checked_sub(1).and_then(|before| ends.get(before as usize)).copied();
                range(start.unwrap_or(0)..*ends.get(spot.key as usize)?)
            }
            Scope::Group(group) => {
                let members = self.members.get_or_init(|| spot.spec.groups.iter().map(Members::of).collect());
                members.get(group.ix())?.of_key(spot.key).to_vec()
            }
        };
        let named = covered.into_iter().filter_map(|site| {
            let point = sites.restore_points.get(site as usize)?;
            Some((sites.ids.get(site as usize)?.to_owned(), time::show(*point).into()))
        });
        Some(Json::Object(named.collect()))
    }

    fn whole_site(&self, spot: Spot<'_>) -> Option<Json> {
        if spot.scope != Scope::Site {
            return None;
        }
        let names = ["id", "restore_point"]
            .into_iter()
            .chain(spot.spec.sites.columns.iter().map(|column| column.name.as_str()));
        Some(Json::Object(names.filter_map(|name| Some((name.to_owned(), site_value(spot, name)?))).collect()))
    }

    /// Builds the names that an expression reads, and no others.
    fn context(&self, compiled: &Compiled, spot: Spot<'_>) -> Result<Value, String> {
        let mut top: BTreeMap<String, Value> = BTreeMap::new();
        let mut site: Option<BTreeMap<String, Value>> = None;
        let mut steps: BTreeMap<String, Value> = BTreeMap::new();
        let mut secrets: BTreeMap<String, Value> = BTreeMap::new();
        for path in &compiled.paths {
            match (path.root(), path.second()) {
                ("inputs", _) => {
                    top.insert("inputs".into(), self.inputs_value.clone());
                }
                ("estate", _) => {
                    top.insert("estate".into(), self.variables_value.clone());
                }
                ("site", Some(name)) => {
                    if let Some(found) = site_value(spot, name) {
                        site.get_or_insert_default().insert(name.to_owned(), value(&found));
                    }
                }
                ("site", None) => {
                    if let Some(Json::Object(all)) = self.whole_site(spot) {
                        site.get_or_insert_default()
                            .extend(all.iter().map(|(name, found)| (name.clone(), value(found))));
                    }
                }
                ("steps", Some(name)) => {
                    if let Some(found) = step_value(spot, name)? {
                        steps.insert(name.to_owned(), value(&found));
                    }
                }
                ("secrets", Some(name)) => {
                    secrets.insert(name.to_owned(), Value::from(self.secret(name)?));
                }
                ("restore_points", _) => {
                    if let Some(found) = self.points(spot) {
                        top.insert("restore_points".into(), value(&found));
                    }
                }
                (root, _) => {
                    if let Some(found) = plain(spot, root) {
                        top.insert(root.to_owned(), value(&found));
                    }
                }
            }
        }
        if let Some(site) = site {
            top.insert("site".into(), Value::from_pairs(site));
        }
        if !steps.is_empty() {
            top.insert("steps".into(), Value::from_pairs(steps));
        }
        if !secrets.is_empty() {
            top.insert("secrets".into(), Value::from_pairs(secrets));
        }
        Ok(Value::from_pairs(top))
    }
}

fn absent(path: &Path) -> String {
    format!("`{}` is not there", path.names.join("."))
}

fn dig(value: &Json, names: &[String]) -> Option<Json> {
    let mut at = value;
    for name in names {
        at = at.get(name)?;
    }
    Some(at.clone())
}

/// An attribute of the site at a spot; times as text.
fn site_value(spot: Spot<'_>, name: &str) -> Option<Json> {
    if spot.scope != Scope::Site {
        return None;
    }
    let sites = &spot.spec.sites;
    let site = SiteIx(spot.key);
    match name {
        "id" => sites.ids.get(site.ix()).map(Json::from),
        "restore_point" => sites.restore_points.get(site.ix()).map(|&point| time::show(point).into()),
        _ => {
            let column = sites.column(name)?;
            match &column.values {
                Values::Timestamp(times) => times.get(site.ix()).map(|&at| time::show(at).into()),
                _ => Some(sites.value(column, site)),
            }
        }
    }
}

/// Key of a scope at a spot of the same or a narrower scope.
pub(crate) fn key_at(spot: Spot<'_>, scope: Scope) -> Option<u32> {
    match (scope, spot.scope) {
        (Scope::Run, _) => Some(0),
        (wanted, here) if wanted == here => Some(spot.key),
        (Scope::Batch, Scope::Site) => {
            u32::try_from(spot.spec.batches.ends.partition_point(|&end| end <= spot.key)).ok()
        }
        (Scope::Group(group), Scope::Site) => {
            let key = *spot.spec.groups.get(group.ix())?.keys.rows.get(spot.key as usize)?;
            (key != NO_KEY).then_some(key)
        }
        _ => None,
    }
}

fn plain(spot: Spot<'_>, root: &str) -> Option<Json> {
    match root {
        "item" => spot.item.cloned(),
        "restore_point" => match spot.scope {
            Scope::Site => site_value(spot, "restore_point"),
            Scope::Group(group) => {
                let points = &spot.spec.groups.get(group.ix())?.restore_points;
                points.get(spot.key as usize).map(|&point| time::show(point).into())
            }
            Scope::Run | Scope::Batch => None,
        },
        "batch" => Some(serde_json::json!({ "number": key_at(spot, Scope::Batch)? + 1 })),
        _ => {
            let group = spot.spec.groups.iter().position(|group| group.name == root)?;
            let key = key_at(spot, Scope::Group(group.into()))?;
            spot.spec.groups[group].keys.dictionary.get(key as usize).map(|name| name.as_str().into())
        }
    }
}

/// `{outputs: ...}` of a step as seen from a spot; `{}` if it was skipped, degraded or has no key here.
fn step_value(spot: Spot<'_>, name: &str) -> Result<Option<Json>, String> {
    let Some(ix) = spot.spec.steps.iter().position(|step| step.name == name) else { return Ok(None) };
    let Some(outputs) = spot.outputs else { return Ok(None) };
    let step = &spot.spec.steps[ix];
    let mut value = serde_json::Map::new();
    if let Some(key) = key_at(spot, step.scope) {
        let recorded = outputs.of(StepIx::from(ix), KeyIx(key));
        let parse = |text: &Option<&str>| match text {
            None => Ok(Json::Object(serde_json::Map::new())),
            Some(text) => {
                serde_json::from_str(text).map_err(|_| format!("the recorded outputs of `{name}` are no JSON"))
            }
        };
        let undone = spot.undone.filter(|&(step, _)| step.ix() == ix);
        if let Some((_, item)) = undone {
            if let Some(text) = recorded.get(item) {
                value.insert("outputs".into(), parse(text)?);
            }
        } else if step.for_each != ForEach::Once {
            let all: Result<Vec<Json>, String> = recorded.iter().map(parse).collect();
            value.insert("outputs".into(), Json::Array(all?));
        } else if let Some(text) = recorded.first() {
            value.insert("outputs".into(), parse(text)?);
        }
    }
    Ok(Some(Json::Object(value)))
}
