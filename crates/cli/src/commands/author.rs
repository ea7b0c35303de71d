//! Commands for those who write runbooks: `init`, `check`, `graph`, `schema`.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::json;

use crate::args::{Check, Graph, GraphFormat, Init, Schema, SchemaOf};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;
use crate::planning::{self, Findings};

/// Writes a commented runbook and, beside it, the schema that its first line names.
pub(crate) fn init(args: &Init) -> Result<Exit, Failure> {
    let stem = args.file.file_stem().map_or_else(|| "restore".into(), |stem| stem.to_string_lossy().into_owned());
    create(&args.file, runbook::init_template(&stem).as_bytes())?;
    let schema = args.file.with_file_name(runbook::SCHEMA_FILE);
    if !schema.exists() {
        let text = schema_text(SchemaOf::Runbook)?;
        create(&schema, text.as_bytes())?;
    }
    out::answer(&format!("wrote {}; `reinstate check {0}` finds its mistakes", args.file.display()));
    Ok(Exit::Done)
}

fn create(path: &std::path::Path, bytes: &[u8]) -> Result<(), Failure> {
    let trouble = |error: std::io::Error| {
        Failure::input(
            "file-unwritable",
            format!("cannot write {}: {error}", path.display()),
            "name a new file in a folder that can be written; nothing is overwritten",
        )
    };
    let mut file = std::fs::File::create_new(path).map_err(trouble)?;
    file.write_all(bytes).map_err(trouble)
}

/// Finds every mistake.
pub(crate) async fn check(args: &Check, json: bool) -> Result<Exit, Failure> {
    let mut findings = Findings::new(args.format, json);
    let (runbook, estate) = match &args.estate {
        Some(estate) => planning::read_for(&args.runbook, estate, &mut findings)?,
        None => (planning::read_runbook(&args.runbook, &mut findings)?, None),
    };
    let list = match (&args.sites, &runbook) {
        (Some(path), Some(runbook)) => planning::read_sites(path, runbook, &mut findings)?,
        _ => None,
    };
    let (mut sites, mut plan) = (None, None);
    if let (Some(runbook), Some(estate), Some(list)) = (&runbook, &estate, &list) {
        sites = Some(list.len());
        plan = planning::plan_of(runbook, estate, list, &BTreeMap::new(), &BTreeMap::new(), &mut findings)?;
    }
    let errors = findings.errors();
    let quiet = json || args.format != crate::args::FindingFormat::Text;
    let preflight = match plan.filter(|_| args.preflight && errors == 0) {
        Some(plan) => Some(planning::preflight(&plan).await?),
        None => None,
    };
    match &preflight {
        Some(preflight) if json || args.format == crate::args::FindingFormat::Json => {
            findings.finish_with(json!({ "preflight": preflight.view() }));
        }
        Some(preflight) => {
            findings.finish();
            out::note(&preflight.text(true));
        }
        None => findings.finish(),
    }
    if errors > 0 {
        if !quiet {
            out::note(&format!("{errors} error{} found; nothing was changed", if errors == 1 { "" } else { "s" }));
        }
        return Ok(Exit::BadInput);
    }
    if preflight.is_some_and(|preflight| !preflight.passes()) {
        return Ok(Exit::BadInput);
    }
    if !quiet {
        let with = match (sites, &list) {
            (Some(sites), _) => format!(" for {sites} sites"),
            // Without an estate the list is read, and no expression worked out.
            (None, Some(list)) => format!(" in it and in the list of {} sites", list.len()),
            (None, None) => String::new(),
        };
        out::answer(&format!("{}: no errors{with}", args.runbook.display()));
    }
    Ok(Exit::Done)
}

/// Draws the steps.
pub(crate) fn graph(args: &Graph, json: bool) -> Result<Exit, Failure> {
    let mut findings = Findings::new(crate::args::FindingFormat::Text, json);
    let Some(runbook) = planning::read_runbook(&args.runbook, &mut findings)? else {
        findings.finish();
        return Ok(Exit::BadInput);
    };
    if json {
        let steps: Vec<_> = runbook
            .outline()
            .map(|step| {
                serde_json::json!({
                    "name": step.name, "scope": step.scope, "needs": step.needs, "checklist": step.checklist,
                })
            })
            .collect();
        out::json(&serde_json::json!({ "runbook": runbook.name(), "steps": steps }));
        return Ok(Exit::Done);
    }
    let steps = runbook.outline().map(|step| (step.name, step.scope, step.needs));
    let mut drawing = report::Drawing::of_steps(runbook.name(), steps);
    for (node, step) in drawing.nodes.iter_mut().zip(runbook.outline()) {
        (node.checks, node.finally) = (step.checklist.len(), step.finally);
    }
    out::answer(&match args.format {
        GraphFormat::Text => drawing.to_text(),
        GraphFormat::Mermaid => drawing.to_mermaid(),
        GraphFormat::Dot => drawing.to_dot(),
        GraphFormat::Svg => drawing.to_svg(),
    });
    Ok(Exit::Done)
}

/// Prints the JSON Schema of a kind of file.
pub(crate) fn schema(args: &Schema) -> Result<Exit, Failure> {
    out::answer(&schema_text(args.of)?);
    Ok(Exit::Done)
}

fn schema_text(of: SchemaOf) -> Result<String, Failure> {
    let catalogue = connectors::catalogue();
    let schema = match of {
        SchemaOf::Runbook => runbook::json_schema(&catalogue),
        SchemaOf::Estate => runbook::estate_schema(&catalogue),
        SchemaOf::Drill => runbook::drill_schema(&catalogue),
        SchemaOf::Oidc => runbook::oidc_schema(&server::access::Role::ALL.map(server::access::Role::word)),
    };
    serde_json::to_string_pretty(&schema).map_err(|error| Failure::trouble("schema", &error, "report this defect"))
}
