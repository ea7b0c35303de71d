//! Reading a drill file: every mistake in one pass.

use engine::ActionSpec;

use crate::check;
use crate::codes;
use crate::diagnostic::{self, Diagnostic, Text};
use crate::drill::model::{Drill, DrillFiles};
use crate::drill::steps::Ground;
use crate::drill::{keys, objectives, steps, when};
use crate::estate::Estate;
use crate::fields::{Fields, Sink};
use crate::lower;
use crate::model::Runbook;
use crate::source::Source;
use crate::words;
use crate::yaml::{self, Node};

/// What checking a drill gave.
#[derive(Clone, Debug)]
pub struct CheckedDrill {
    /// The drill, if there is no error.
    pub drill: Option<Drill>,
    /// All findings in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

impl DrillFiles {
    /// Reads which files a drill names, so that they can be read before it is checked; empty where it names none.
    #[must_use]
    pub fn of(source: &Source) -> Self {
        let text = Text::new(source);
        let Ok(root) = yaml::parse(&text) else { return Self::default() };
        let mut sink = Sink::new(&text);
        files(&mut sink, sink_fields(&root))
    }
}

/// Reads and checks a drill against its runbook, which was checked for its estate; where either could not be read, all
/// that needs neither is checked.
#[must_use]
pub fn check_drill(
    source: &Source,
    catalogue: &[ActionSpec],
    runbook: Option<&Runbook>,
    estate: Option<&Estate>,
) -> CheckedDrill {
    let text = Text::new(source);
    let root = match yaml::parse(&text) {
        Ok(root) => root,
        Err(diagnostic) => return CheckedDrill { drill: None, diagnostics: vec![*diagnostic] },
    };
    let mut sink = Sink::new(&text);
    let drill = read(&mut sink, &root, catalogue, runbook, estate);
    check::secrets(&mut sink, &root);
    let diagnostics = diagnostic::in_order(sink.found);
    CheckedDrill { drill: drill.filter(|_| !diagnostic::has_errors(&diagnostics)), diagnostics }
}

fn read(
    sink: &mut Sink<'_>,
    root: &Node,
    catalogue: &[ActionSpec],
    runbook: Option<&Runbook>,
    estate: Option<&Estate>,
) -> Option<Drill> {
    let top = sink.fields(root, "the drill", keys::DRILL);
    let schema = top.need(sink, "schema", "start with `schema: drill/v1`");
    lower::version(sink, schema, "drill/v1");
    let name = top.need(sink, "name", "give the drill a name: `name: weekly`").and_then(|node| {
        let name = sink.text(node, "`name`")?;
        sink.name(name, node.span, "a drill", &[]);
        Some(name.to_owned())
    });
    let name = name.unwrap_or_default();
    let description = top.get("description").and_then(|node| sink.text(node, "`description`")).unwrap_or_default();
    let files = files(sink, top);
    if let Some(estate) = estate {
        sandbox(sink, top, estate);
    }
    if let Some(runbook) = runbook {
        waits(sink, top, runbook);
    }
    let inputs = top.get("inputs").map(|node| objectives::inputs(sink, node, runbook)).unwrap_or_default();
    let schedule = top.get("schedule").and_then(|node| when::schedule(sink, node));
    let sample = top.get("sample").map(|node| objectives::sample(sink, node, runbook)).unwrap_or_default();
    let window_ms = top.get("restore_point").map_or(0, |node| objectives::window(sink, node, runbook));
    let judged = top
        .need(sink, "objectives", "say what makes it a good drill: `objectives: { rto_p95: 1h, exceptions: 0 }`")
        .map(|node| objectives::objectives(sink, node))
        .unwrap_or_default();
    let alarm_after_ms = top.get("alarm_after").and_then(|node| sink.duration(node, "`alarm_after`", false));
    let take_back = top.get("take_back").and_then(|node| sink.boolean(node, "`take_back`")).unwrap_or(false);
    let (runbook, estate) = (runbook?, estate?);
    let ground = Ground { catalogue, runbook, estate, defaults: top.get("defaults") };
    let set_up = top.entry("set_up").map(|entry| steps::set_up(sink, &ground, &name, entry));
    let compare = top.entry("compare").map(|entry| steps::compare(sink, &ground, &name, entry));
    let clean_up = steps::clean_up(sink, &ground, &name, top.entry("clean_up"));
    Some(Drill {
        source: sink.text.source.clone(),
        name,
        description: description.to_owned(),
        files,
        inputs,
        schedule,
        sample,
        window_ms,
        objectives: judged,
        alarm_after_ms,
        take_back,
        set_up,
        clean_up,
        compare,
    })
}

/// Reads the three files; whoever has no `Fields` of its own reports nothing with it.
fn files(sink: &mut Sink<'_>, top: Fields<'_>) -> DrillFiles {
    let mut file = |key: &'static str, hint: &str| {
        let node = top.need(sink, key, hint)?;
        let path = sink.text(node, key)?;
        if path.trim().is_empty() || path == "-" {
            sink.error(codes::WRONG_TYPE, node.span, format!("`{key}` must name a file"), hint.to_owned());
            return None;
        }
        Some(path.to_owned())
    };
    DrillFiles {
        runbook: file("runbook", "name the runbook, relative to this file: `runbook: ../restore.yaml`")
            .unwrap_or_default(),
        estate: file("estate", "name the estate file of a sandbox: `estate: sandbox.yaml`").unwrap_or_default(),
        sites: file("sites", "name the list that sites are drawn from: `sites: sites.csv`").unwrap_or_default(),
    }
}

fn sink_fields(root: &Node) -> Fields<'_> {
    Fields::quietly(root)
}

/// A drill deletes and restores: only an estate that says so is there for that.
fn sandbox(sink: &mut Sink<'_>, top: Fields<'_>, estate: &Estate) {
    if let Some(node) = top.get("estate").filter(|_| !estate.sandbox) {
        sink.error(
            codes::DRILL_SANDBOX,
            node.span,
            format!("the estate `{}` is no sandbox", words::short(&estate.name)),
            "name the estate of a sandbox; only if nobody needs what is in this one, write `sandbox: true` in its file",
        );
    }
}

/// Nobody is there to approve: a drill that has to wait for people is called off.
fn waits(sink: &mut Sink<'_>, top: Fields<'_>, runbook: &Runbook) {
    let Some(node) = top.get("runbook") else { return };
    let step =
        runbook.steps.iter().find(|step| step.approval.is_some()).map(|step| format!("its step `{}`", step.name));
    let gate = runbook.batches.gate.as_ref().map(|_| "the gate of its batches".to_owned());
    if let Some(what) = step.or(gate) {
        let fact = format!("{what} waits for people; a drill that comes to it is called off and is not good");
        let hint =
            "give the runbook an input that leaves the approval out (`if: inputs.sign_off`), and set it in `inputs`";
        let found = Diagnostic::warning(codes::DRILL_WAITS, fact, hint).at(sink.text, node.span, "");
        sink.push(found);
    }
}
