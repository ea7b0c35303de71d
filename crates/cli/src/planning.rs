//! From files to a plan: runbook, sites, estate and inputs, with every finding shown before anything starts.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use engine::{Plan, PlanSpec};
use runbook::{Diagnostic, Estate, Runbook, SiteList, Source};
use server::Preflight;
use server::certificate::waived;

use crate::announce::Announce;
use crate::args::{FindingFormat, Planned};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::secrets::References;
use crate::{files, out};

/// Findings about one file that are shown as text: whoever has more starts with these.
const SHOWN_MAX: usize = 200;

/// Findings with the source that they are about.
pub(crate) struct Findings {
    form: FindingFormat,
    json: Vec<serde_json::Value>,
    errors: usize,
}

impl Findings {
    /// Starts with no finding.
    pub(crate) fn new(form: FindingFormat, json: bool) -> Self {
        Self { form: if json { FindingFormat::Json } else { form }, json: Vec::new(), errors: 0 }
    }

    /// Shows findings about a source.
    pub(crate) fn tell(&mut self, diagnostics: &[Diagnostic], source: &Source) {
        self.errors += diagnostics.iter().filter(|found| found.severity == runbook::Severity::Error).count();
        if diagnostics.is_empty() {
            return;
        }
        match self.form {
            FindingFormat::Text => {
                let shown = &diagnostics[..diagnostics.len().min(SHOWN_MAX)];
                out::note(runbook::render_text(shown, source, out::notes_colored()).trim_end());
                if shown.len() < diagnostics.len() {
                    out::note(&format!("... and {} more findings; `--json` has them", diagnostics.len() - shown.len()));
                }
            }
            FindingFormat::Github => out::answer(&runbook::render_github(diagnostics, source)),
            FindingFormat::Json => {
                let text = runbook::render_json(diagnostics, source);
                // One entry a file, so that each finding keeps the file that it is about.
                self.json.push(serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text)));
            }
        }
    }

    /// Number of errors.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// Ends the showing as JSON, with one entry more.
    pub(crate) fn finish_with(mut self, more: serde_json::Value) {
        self.json.push(more);
        self.finish();
    }

    /// Ends the showing: as JSON, all findings are one array on standard output.
    pub(crate) fn finish(self) {
        if self.form == FindingFormat::Json {
            out::json(&self.json);
        }
    }
}

/// Reads and checks a runbook.
pub(crate) fn read_runbook(path: &Path, findings: &mut Findings) -> Result<Option<Runbook>, Failure> {
    let source = match files::source(path, "the runbook")? {
        Ok(source) => source,
        Err(found) => {
            findings.tell(&[*found], &Source::new(path.display().to_string(), ""));
            return Ok(None);
        }
    };
    let checked = runbook::check(&source, &connectors::catalogue());
    findings.tell(&checked.diagnostics, &source);
    Ok(checked.runbook)
}

/// Reads a runbook and the estate for which it is to be checked: the estate may name other actions than the runbook.
pub(crate) fn read_for(
    runbook: &Path,
    estate: &Path,
    findings: &mut Findings,
) -> Result<(Option<Runbook>, Option<Estate>), Failure> {
    let source = files::source(runbook, "the runbook")?;
    let estate_source = files::source(estate, "the estate file")?;
    let catalogue = connectors::catalogue();
    let (read, estate_found, estate_source) = match estate_source {
        Ok(source) => {
            let (read, found) = Estate::parse_for(&source, &catalogue);
            (read, found, source)
        }
        Err(found) => (None, vec![*found], Source::new(estate.display().to_string(), "")),
    };
    let runbook = match source {
        Ok(source) => {
            // What is wrong with the estate is told below; until it is right the runbook is checked by itself.
            let checked = runbook::check_for(&source, &catalogue, &read.clone().unwrap_or_default());
            findings.tell(&checked.diagnostics, &source);
            checked.runbook
        }
        Err(found) => {
            findings.tell(&[*found], &Source::new(runbook.display().to_string(), ""));
            None
        }
    };
    findings.tell(&estate_found, &estate_source);
    if let Some(stored) = read.as_ref().and_then(|estate| estate.to_json().get("announce").cloned()) {
        // Which names a text may use is known to the report, not to the front end.
        Announce::of_json(&stored)?;
    }
    Ok((runbook, read))
}

/// Reads a site list and checks it against the runbook's targets.
pub(crate) fn read_sites(path: &Path, runbook: &Runbook, findings: &mut Findings) -> Result<Option<SiteList>, Failure> {
    let source = match files::sites(path)? {
        Ok(source) => source,
        Err(found) => {
            findings.tell(&[*found], &Source::new(path.display().to_string(), ""));
            return Ok(None);
        }
    };
    let (list, found) = SiteList::parse(&source, runbook::Format::guess(&source.text), runbook);
    findings.tell(&found, &source);
    Ok(list)
}

/// Makes the plan, or shows every reason why there is none.
pub(crate) fn plan(planned: &Planned, json: bool) -> Result<Result<Arc<Plan>, Exit>, Failure> {
    let inputs = overrides(&planned.inputs)?;
    let mut findings = Findings::new(FindingFormat::Text, json);
    let exclude = left_out(&planned.exclude)?;
    let plan = resolve(planned, &inputs, &exclude, &mut findings)?;
    match plan {
        Some(plan) if findings.errors() == 0 => Ok(Ok(plan)),
        _ => {
            findings.finish();
            Ok(Err(Exit::BadInput))
        }
    }
}

/// Reads everything and resolves the plan; `None` if something was found, which has been shown then.
pub(crate) fn resolve(
    planned: &Planned,
    inputs: &BTreeMap<String, String>,
    exclude: &BTreeMap<String, String>,
    findings: &mut Findings,
) -> Result<Option<Arc<Plan>>, Failure> {
    let (runbook, estate) = read_for(&planned.runbook, &planned.estate, findings)?;
    let Some(runbook) = runbook else { return Ok(None) };
    let list = read_sites(&planned.sites, &runbook, findings)?;
    let (Some(estate), Some(list)) = (estate, list) else { return Ok(None) };
    let plan = plan_of(&runbook, &estate, &list, inputs, exclude, findings)?;
    match (plan, &planned.uncertified) {
        (Some(plan), Some(reason)) => admit(waived(plan.spec().clone(), estate.guard.as_ref(), reason)?).map(Some),
        (plan, _) => Ok(plan),
    }
}

/// Resolves a plan from parts that were read without an error.
pub(crate) fn plan_of(
    runbook: &Runbook,
    estate: &Estate,
    list: &SiteList,
    inputs: &BTreeMap<String, String>,
    exclude: &BTreeMap<String, String>,
    findings: &mut Findings,
) -> Result<Option<Arc<Plan>>, Failure> {
    match runbook::plan(runbook, estate, list, inputs, exclude) {
        Ok(spec) => admit(spec).map(Some),
        Err(found) => {
            findings.tell(&found, runbook.source());
            Ok(None)
        }
    }
}

/// Admits a plan.
pub(crate) fn admit(spec: PlanSpec) -> Result<Arc<Plan>, Failure> {
    Plan::new(spec).map_err(|error| {
        Failure::input(
            "plan-refused",
            crate::failure::chain(&error),
            "change the runbook so that the engine can execute it",
        )
    })
}

/// Reads `--input NAME=VALUE`.
pub(crate) fn overrides(inputs: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    inputs
        .iter()
        .map(|input| {
            let (name, value) = input.split_once('=').ok_or_else(|| {
                Failure::input("input-form", format!("`--input {input}` has no `=`"), "write --input NAME=VALUE")
            })?;
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}

/// What a large run has to pass in an estate; the file was read without an error before.
pub(crate) fn guard(path: &Path) -> Result<Option<runbook::Guard>, Failure> {
    let source = files::source(path, "the estate file")?;
    Ok(source.ok().and_then(|source| Estate::parse(&source).0).and_then(|estate| estate.guard))
}

/// Reads `--exclude SITE=REASON`.
pub(crate) fn left_out(sites: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    sites
        .iter()
        .map(|site| {
            let (id, reason) =
                site.split_once('=').filter(|(_, reason)| !reason.trim().is_empty()).ok_or_else(|| {
                    Failure::input(
                        "exclude-form",
                        format!("`--exclude {site}` gives no reason"),
                        "write --exclude SITE=REASON",
                    )
                })?;
            Ok((id.to_owned(), reason.to_owned()))
        })
        .collect()
}

/// Asks the estate of a plan, before a run, whether it can work; changes nothing.
pub(crate) async fn preflight(plan: &Plan) -> Result<Preflight, Failure> {
    let connectors = connectors::all(&connectors::Settings::default());
    Preflight::of(plan, &connectors, &References::of_plan(plan)).await.map_err(|why| {
        Failure::input(
            "plan-expressions",
            format!("an expression of the stored plan cannot be compiled: {why}"),
            "resume with the version that made the plan",
        )
    })
}
