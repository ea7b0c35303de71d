//! A checked runbook: what the YAML says, with places, names resolved.

use std::collections::BTreeMap;

use engine::{ActionSpec, Approval, Objectives, OnExceeded, OnFailure, Place, PoolSpec, PoolUse, Retry, Scope};

use crate::source::{Source, Span};
use crate::yaml::Node;

/// A value with its place in the runbook's text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

impl<T> At<T> {
    pub(crate) fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// Which IDs sites have when they are back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// Their own.
    Original,
    /// New ones, written in the place of the old ones.
    Remap,
}

/// A runbook without errors, ready to be planned for a list of sites.
#[derive(Clone, Debug)]
pub struct Runbook {
    pub(crate) source: Source,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) inputs: Vec<Input>,
    pub(crate) targets: Targets,
    pub(crate) ids: At<Ids>,
    pub(crate) restore_point: Option<RestorePoint>,
    pub(crate) objectives: Objectives,
    pub(crate) pools: Vec<Pool>,
    pub(crate) batches: BatchesDecl,
    pub(crate) steps: Vec<Step>,
    /// The stand-ins of the estate for which it was checked.
    pub(crate) actions: BTreeMap<String, String>,
}

impl Runbook {
    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the description; empty if there is none.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Returns the source that was checked.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Returns the kind of the targets, `site` in most runbooks.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.targets.kind
    }

    /// Returns the runbook with other sizes of batches, as typed: `1,10,10%,rest`.
    ///
    /// # Errors
    /// With a fact for people if a size is not understood.
    pub fn with_batch_sizes(mut self, sizes: &str) -> Result<Self, String> {
        self.batches.sizes = crate::lower::batches::typed_sizes(sizes)?;
        Ok(self)
    }

    /// Iterates over the declared attributes of a site with the names of their types.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.targets.attributes.iter().map(|attribute| (attribute.name.as_str(), attribute.ty.word()))
    }

    /// Iterates over the steps as outlines, for drawing the graph without sites.
    pub fn outline(&self) -> impl Iterator<Item = Outline<'_>> {
        self.steps.iter().map(|step| Outline {
            name: &step.name,
            scope: self.scope_name(step.scope),
            uses: step.action.as_ref().map_or("approval", |action| &action.spec.uses),
            needs: step.needs.iter().map(|need| self.steps[need.step].name.as_str()).collect(),
            place: step.place,
            synthesised: step.synthesised,
            finally: step.finally,
            undo: step.undo.is_some(),
            checklist: step.approval.as_ref().map_or(&[], |declared| &declared.checklist),
        })
    }

    pub(crate) fn scope_name(&self, scope: Scope) -> &str {
        match scope {
            Scope::Run => "run",
            Scope::Batch => "batch",
            Scope::Site => "site",
            Scope::Group(group) => self.targets.groups.get(group.ix()).map_or("?", |group| &group.name),
        }
    }
}

/// A step as it is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline<'a> {
    /// Name.
    pub name: &'a str,
    /// Name of its scope.
    pub scope: &'a str,
    /// Action, or `approval`.
    pub uses: &'a str,
    /// Names of the steps it needs.
    pub needs: Vec<&'a str>,
    /// Where it is declared.
    pub place: Place,
    /// Whether it comes from `targets.verify` rather than from `steps`.
    pub synthesised: bool,
    /// Whether it comes from `finally`.
    pub finally: bool,
    /// Whether its effect can be taken back.
    pub undo: bool,
    /// What has to be confirmed with it, if it is an approval.
    pub checklist: &'a [String],
}

/// The type of an attribute or input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `string`.
    Text,
    /// `integer`.
    Integer,
    /// `number`.
    Number,
    /// `boolean`.
    Boolean,
    /// `timestamp`, RFC 3339.
    Timestamp,
    /// `duration`, inputs only.
    Duration,
    /// `list<string>`.
    Texts,
}

impl Type {
    /// Returns the word of the language.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Timestamp => "timestamp",
            Self::Duration => "duration",
            Self::Texts => "list<string>",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) ty: Type,
    pub(crate) default: Option<serde_json::Value>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Targets {
    pub(crate) kind: String,
    pub(crate) id: Option<regex::Regex>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) groups: Vec<GroupDecl>,
    pub(crate) order_by: Vec<OrderKey>,
}

#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) ty: Type,
}

#[derive(Clone, Debug)]
pub(crate) struct GroupDecl {
    pub(crate) name: String,
    pub(crate) key: At<String>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderKey {
    /// Position of the attribute; `None` for the ID.
    pub(crate) attribute: Option<usize>,
    pub(crate) descending: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct RestorePoint {
    /// Position of the timestamp attribute.
    pub(crate) before: usize,
    /// Duration or one hole giving one.
    pub(crate) margin: Option<At<String>>,
    /// Position of the group; `None` for each site by itself.
    pub(crate) align: Option<usize>,
    pub(crate) max_loss_ms: Option<u64>,
    pub(crate) span: Span,
}

#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(crate) spec: PoolSpec,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    Sites(u32),
    /// Hundredths of a percent.
    Percent(u32),
    Rest,
}

#[derive(Clone, Debug)]
pub(crate) struct BatchesDecl {
    pub(crate) sizes: Vec<Size>,
    pub(crate) max_failures: Vec<Size>,
    pub(crate) on_exceeded: OnExceeded,
    pub(crate) soak_ms: u64,
    pub(crate) gate: Option<ApprovalDecl>,
}

impl Default for BatchesDecl {
    fn default() -> Self {
        Self {
            sizes: vec![Size::Rest],
            max_failures: Vec::new(),
            on_exceeded: OnExceeded::Pause,
            soak_ms: 0,
            gate: None,
        }
    }
}

/// An approval with its places.
#[derive(Clone, Debug)]
pub(crate) struct ApprovalDecl {
    pub(crate) approval: Approval,
    /// What has to be confirmed with it.
    pub(crate) checklist: Vec<String>,
    pub(crate) span: Span,
    /// Places of the groups that it names, in its order.
    pub(crate) groups: Vec<Span>,
}

#[derive(Clone, Debug)]
pub(crate) struct NeedDecl {
    pub(crate) step: usize,
    pub(crate) span: Span,
    pub(crate) require_all: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) place: Place,
    pub(crate) scope: Scope,
    pub(crate) needs: Vec<NeedDecl>,
    pub(crate) action: Option<Action>,
    pub(crate) with: Option<Node>,
    /// Labels of its workers, each with its holes.
    pub(crate) runs_on: Vec<At<String>>,
    /// Expected outputs, as a JSON object; verify only.
    pub(crate) expect: String,
    pub(crate) approval: Option<ApprovalDecl>,
    pub(crate) undo: Option<Undo>,
    pub(crate) pools: Vec<PoolUse>,
    pub(crate) timeout_ms: u64,
    pub(crate) retry: Retry,
    pub(crate) on_failure: OnFailure,
    /// Where `on_failure` is said: in the step, in `defaults`, or nowhere and so at the step.
    pub(crate) on_failure_at: Span,
    pub(crate) front_load: bool,
    pub(crate) finally: bool,
    pub(crate) condition: Option<At<String>>,
    pub(crate) for_each: Option<At<String>>,
    pub(crate) expect_ms: (u64, u64),
    /// Positions of the steps whose outputs its expressions read.
    pub(crate) reads: Vec<usize>,
    /// Whether its undo reads the outputs of the step itself.
    pub(crate) reads_own: bool,
    pub(crate) synthesised: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Undo {
    pub(crate) span: Span,
    pub(crate) action: Action,
    pub(crate) with: Option<Node>,
}

/// An action that a step uses.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    /// What is called: the estate's stand-in where it names one.
    pub(crate) spec: ActionSpec,
    /// The name that the runbook uses, where the estate names another.
    pub(crate) written: Option<String>,
}

impl Action {
    /// Names the action for people; both names if the estate has its own.
    pub(crate) fn words(&self) -> String {
        match &self.written {
            None => format!("`{}`", self.spec.uses),
            Some(written) => format!("`{}` (in this estate for `{written}`)", self.spec.uses),
        }
    }
}
