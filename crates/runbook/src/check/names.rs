//! What each name of an expression means in a step, and whether it may be read there.

use engine::Scope;

use crate::check::{Ancestors, schema};
use crate::codes::{self, Code};
use crate::expr::{Compiled, Path, Ty};
use crate::lower::steps_within as within;
use crate::model::{Action, Runbook, Step, Type};
use crate::words;

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// The key of a group: sites only.
    GroupKey,
    /// The margin of the restore point: inputs and estate only.
    Margin,
    /// `if` or `for_each` of a step.
    Control,
    /// `with` of a step.
    With,
    /// `with` of a step's undo: the step itself has run.
    Undo,
    /// `runs_on` of a step: what `with` may read, but no secrets.
    Place,
}

/// What may be read somewhere.
pub(crate) struct Names<'a> {
    pub(crate) runbook: &'a Runbook,
    pub(crate) ancestors: &'a Ancestors,
    pub(crate) spot: Spot,
    pub(crate) step: Option<usize>,
    /// Type of an item, in a step with `for_each`.
    pub(crate) item: Option<Ty>,
}

/// Why a name may not be read.
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) fact: String,
    pub(crate) hint: String,
}

fn refuse(code: Code, fact: impl Into<String>, hint: impl Into<String>) -> Refusal {
    Refusal { code, fact: fact.into(), hint: hint.into() }
}

/// The type of an attribute or input as expressions see it.
pub(crate) fn ty_of(ty: Type) -> Ty {
    match ty {
        Type::Text | Type::Timestamp | Type::Duration => Ty::Text,
        Type::Integer => Ty::Integer,
        Type::Number => Ty::Number,
        Type::Boolean => Ty::Boolean,
        Type::Texts => Ty::List(Box::new(Ty::Text)),
    }
}

impl Names<'_> {
    fn here(&self) -> Option<&Step> {
        self.step.map(|ix| &self.runbook.steps[ix])
    }

    fn scope(&self) -> Scope {
        match self.spot {
            Spot::GroupKey => Scope::Site,
            Spot::Margin => Scope::Run,
            Spot::Control | Spot::With | Spot::Undo | Spot::Place => self.here().map_or(Scope::Run, |step| step.scope),
        }
    }

    /// Resolves a path to its type.
    pub(crate) fn resolve(&self, path: &Path) -> Result<Ty, Refusal> {
        match path.root() {
            "site" => self.site(path),
            "inputs" => self.input(path),
            "estate" if self.spot != Spot::GroupKey => Ok(if path.names.len() == 1 { Ty::Map } else { Ty::Any }),
            "steps" if self.step.is_some() => self.output(path),
            "item" if self.step.is_some() => match &self.item {
                Some(ty) => Ok(ty.clone()).and_then(|ty| inside(path, 1, ty)),
                None if self.spot == Spot::Control => Err(refuse(
                    codes::EXPR_ITEM,
                    "`item` is not known here: `if` and `for_each` are decided once for all items",
                    "filter the list in `for_each` instead",
                )),
                None => Err(refuse(
                    codes::EXPR_ITEM,
                    "`item` is read in a step without `for_each`",
                    "add `for_each: site.NAME` to the step",
                )),
            },
            "restore_point" => self.restore_point(path),
            "restore_points" => self.restore_points(path),
            "batch" if self.step.is_some() => self.batch(path),
            "secrets" if matches!(self.spot, Spot::With | Spot::Undo) => {
                Ok(if path.names.len() == 1 { Ty::Map } else { Ty::Text })
            }
            "secrets" => Err(refuse(
                codes::EXPR_SECRET,
                "a secret may be read only inside `with`",
                "pass it to the action: `with: { token: \"${{ secrets.NAME }}\" }`",
            )),
            root => match self.runbook.targets.groups.iter().position(|group| group.name == root) {
                Some(group) if self.spot != Spot::GroupKey => self.group(path, group),
                _ => Err(self.unknown(root)),
            },
        }
    }

    fn unknown(&self, root: &str) -> Refusal {
        let mut known = vec!["site", "inputs"];
        if self.spot != Spot::GroupKey {
            known.push("estate");
        }
        if self.step.is_some() {
            known.extend(["steps", "item", "restore_point", "restore_points", "batch", "secrets"]);
            known.extend(self.runbook.targets.groups.iter().map(|group| group.name.as_str()));
        }
        refuse(
            codes::EXPR_NAME,
            format!("there is no name `{}` here", words::short(root)),
            words::suggest(root, "names", known),
        )
    }

    fn wider(&self, what: &str) -> Refusal {
        let scope = self.runbook.scope_name(self.scope());
        refuse(
            codes::EXPR_SCOPE,
            format!("a step of scope `{scope}` has no single {what}: it covers several"),
            "give the step the scope `site`, or read it in a step that has it",
        )
    }

    fn site(&self, path: &Path) -> Result<Ty, Refusal> {
        if self.scope() != Scope::Site {
            return Err(self.wider("`site`"));
        }
        let Some(name) = path.second() else { return Ok(Ty::Map) };
        match name {
            "id" => inside(path, 2, Ty::Text),
            "restore_point" if self.runbook.restore_point.is_some() && self.spot != Spot::GroupKey => {
                inside(path, 2, Ty::Text)
            }
            _ => match self.runbook.targets.attributes.iter().find(|known| known.name == name) {
                Some(attribute) => inside(path, 2, ty_of(attribute.ty)),
                None => {
                    let known = std::iter::once("id")
                        .chain(self.runbook.targets.attributes.iter().map(|known| known.name.as_str()));
                    Err(refuse(
                        codes::EXPR_ATTRIBUTE,
                        format!("a site has no attribute `{}`", words::short(name)),
                        words::suggest(name, "attributes", known),
                    ))
                }
            },
        }
    }

    fn input(&self, path: &Path) -> Result<Ty, Refusal> {
        let Some(name) = path.second() else { return Ok(Ty::Map) };
        match self.runbook.inputs.iter().find(|known| known.name == name) {
            Some(input) => inside(path, 2, ty_of(input.ty)),
            None => Err(refuse(
                codes::EXPR_INPUT,
                format!("there is no input `{}`", words::short(name)),
                words::suggest(name, "inputs", self.runbook.inputs.iter().map(|known| known.name.as_str())),
            )),
        }
    }

    fn points_declared(&self) -> Result<(), Refusal> {
        match self.runbook.restore_point {
            Some(_) => Ok(()),
            None => Err(refuse(
                codes::EXPR_NAME,
                "the runbook declares no restore point",
                "add `restore_point: { before: site.NAME }`",
            )),
        }
    }

    /// The restore points of the sites that a step covers, by their IDs.
    fn restore_points(&self, path: &Path) -> Result<Ty, Refusal> {
        self.points_declared()?;
        match self.scope() {
            _ if self.step.is_none() => Err(self.unknown("restore_points")),
            Scope::Site => Err(refuse(
                codes::EXPR_SCOPE,
                "a step of scope `site` covers one site, which has one restore point",
                "write `restore_point`, or give the step a wider scope",
            )),
            Scope::Run | Scope::Batch | Scope::Group(_) => inside(path, 1, Ty::MapOf(Box::new(Ty::Text))),
        }
    }

    fn restore_point(&self, path: &Path) -> Result<Ty, Refusal> {
        self.points_declared()?;
        match self.scope() {
            _ if self.step.is_none() => Err(self.unknown("restore_point")),
            Scope::Site | Scope::Group(_) => inside(path, 1, Ty::Text),
            Scope::Run | Scope::Batch => {
                let refusal = self.wider("restore point");
                Err(Refusal { hint: "read `restore_points`, the points of its sites by ID".into(), ..refusal })
            }
        }
    }

    fn batch(&self, path: &Path) -> Result<Ty, Refusal> {
        if !matches!(self.scope(), Scope::Site | Scope::Batch) {
            return Err(self.wider("`batch`"));
        }
        match path.second() {
            Some("number") => inside(path, 2, Ty::Integer),
            None => Ok(Ty::Map),
            Some(name) => Err(refuse(
                codes::EXPR_NAME,
                format!("a batch has no `{}`", words::short(name)),
                words::suggest(name, "known", ["number"]),
            )),
        }
    }

    fn group(&self, path: &Path, group: usize) -> Result<Ty, Refusal> {
        match self.scope() {
            Scope::Site => inside(path, 1, Ty::Text),
            Scope::Group(own) if own.ix() == group => inside(path, 1, Ty::Text),
            _ => Err(self.wider(&format!("`{}`", path.root()))),
        }
    }

    /// Says whether a step has settled before another starts; all of `steps` have before `finally`.
    fn comes_before(&self, here: usize, there: usize) -> bool {
        let steps = &self.runbook.steps;
        self.ancestors.has(here, there) || (steps[here].finally && !steps[there].finally)
    }

    fn output(&self, path: &Path) -> Result<Ty, Refusal> {
        let Some(here) = self.step else { return Err(self.unknown("steps")) };
        let steps = &self.runbook.steps;
        let Some(name) = path.second() else {
            return Err(refuse(
                codes::EXPR_NAME,
                "`steps` must be followed by the name of a step",
                "write `steps.NAME.outputs.OUTPUT`",
            ));
        };
        let Some(there) = steps.iter().position(|step| step.name == name) else {
            let known = steps
                .iter()
                .enumerate()
                .filter(|&(ix, _)| self.comes_before(here, ix))
                .map(|(_, step)| step.name.as_str());
            return Err(refuse(
                codes::EXPR_NAME,
                format!("there is no step `{}`", words::short(name)),
                words::suggest(name, "steps before this one", known),
            ));
        };
        let own = here == there && self.spot == Spot::Undo;
        if !own && !self.comes_before(here, there) {
            return Err(refuse(
                codes::EXPR_ANCESTOR,
                format!("`{name}` need not have run before `{}`", steps[here].name),
                if here == there {
                    "only the `undo` of a step can read the step's own outputs".to_owned()
                } else {
                    format!("add `{name}` to its `needs`")
                },
            ));
        }
        let step = &steps[there];
        if step.approval.is_some() {
            return Err(refuse(
                codes::EXPR_OUTPUT,
                format!("`{name}` is an approval, which has no outputs"),
                "read the outputs of a step that uses an action",
            ));
        }
        if !within(steps[here].scope, step.scope) {
            return Err(refuse(
                codes::EXPR_SCOPE,
                format!(
                    "`{name}` runs once per {}, `{}` once per {}: there is no single output to read",
                    self.runbook.scope_name(step.scope),
                    steps[here].name,
                    self.runbook.scope_name(steps[here].scope)
                ),
                "read it in a step of the same or a narrower scope",
            ));
        }
        match path.names.get(2).map(String::as_str) {
            None => return Ok(Ty::Map),
            Some("outputs") => {}
            Some(other) => {
                return Err(refuse(
                    codes::EXPR_NAME,
                    format!("a step has no `{}`", words::short(other)),
                    format!("write `steps.{name}.outputs.OUTPUT`"),
                ));
            }
        }
        let known = step.action.as_ref().and_then(|action| schema::known_properties(&action.spec.output));
        if own && step.for_each.as_ref().is_some_and(|list| reads_steps(&list.value)) {
            return Err(refuse(
                codes::EXPR_OUTPUT,
                "the items of this step are found during the run, so an undo cannot tell which outputs are its own",
                "read `item` instead, or take `for_each` from the site or the estate",
            ));
        }
        if step.for_each.is_some() && !own {
            return match path.names.get(3) {
                None => Ok(Ty::List(Box::new(Ty::Any))),
                Some(_) => Err(refuse(
                    codes::EXPR_OUTPUT,
                    format!("`{name}` has `for_each`, so its outputs are a list, one entry per item"),
                    format!("write `steps.{name}.outputs[0]`, or pass the whole list"),
                )),
            };
        }
        let Some(output) = path.names.get(3) else { return Ok(Ty::Map) };
        match known {
            Some(known) if !known.contains(&output.as_str()) => Err(refuse(
                codes::EXPR_OUTPUT,
                format!(
                    "{} has no output `{}`",
                    step.action.as_ref().map_or_else(|| "the step".to_owned(), Action::words),
                    words::short(output)
                ),
                words::suggest(output, "outputs", known),
            )),
            _ => {
                let ty =
                    step.action.as_ref().map_or(Ty::Any, |action| schema::property_type(&action.spec.output, output));
                inside(path, 4, ty)
            }
        }
    }
}

/// Says whether an expression reads outputs.
fn reads_steps(expression: &str) -> bool {
    Compiled::unchecked(expression).is_ok_and(|compiled| compiled.reads("steps"))
}

/// Refuses names after a value that has nothing inside.
fn inside(path: &Path, used: usize, ty: Ty) -> Result<Ty, Refusal> {
    if path.names.len() <= used {
        return Ok(ty);
    }
    match ty {
        Ty::Any | Ty::Map => Ok(Ty::Any),
        Ty::MapOf(item) => inside(path, used + 1, *item),
        plain => Err(refuse(
            codes::EXPR_TYPE,
            format!(
                "`{}` is {}, which has no `{}` inside",
                path.names[..used].join("."),
                plain.words(),
                words::short(&path.names[used])
            ),
            format!("write `{}`", path.names[..used].join(".")),
        )),
    }
}
