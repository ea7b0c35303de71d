//! The verbs. Each says why, and is an event in the journal with the name of whoever asked, and a record of the audit log.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use engine::{Gate, TakeOut};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::access::Who;
use crate::api::Problem;
use crate::api::acted::acted;
use crate::api::body::{At, Body};
use crate::app::App;
use crate::verbs::{Asked, Truth, Verb, VerbError, subject};

/// What became of a verb.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Recorded {
    /// The run.
    run: String,
    /// It is an event in the journal.
    recorded: bool,
    /// Whether some process drives the run and acts on it; else it is acted on when the run is driven again.
    driven: bool,
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reason {
    /// Why, for the journal: 1 to 2000 characters.
    reason: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancelling {
    /// Why, for the journal.
    reason: String,
    /// Whether what the run did is taken back, the last steps first.
    #[serde(default)]
    undo: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approving {
    /// Why, for the journal.
    reason: String,
    /// What waits: `start`, `batch-2`, or STEP/KEY.
    gate: String,
    /// What was looked at, as its checklist has it: every item, if it has one.
    #[serde(default)]
    checked: Vec<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rejecting {
    /// Why, for the journal.
    reason: String,
    /// What waits: `start`, `batch-2`, or STEP/KEY.
    gate: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Validating {
    /// The unit of the approval step: STEP/KEY.
    unit: String,
    /// Whether what came back is right.
    pass: bool,
    /// What was seen, for the journal.
    note: String,
    /// What was looked at, as the step's checklist has it: every item, to pass it. To fail it none is needed.
    #[serde(default)]
    checked: Vec<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retrying {
    /// Why, for the journal.
    reason: String,
    /// ID of a site, or a unit; every quarantined site if it is left out.
    subject: Option<String>,
    /// Go back to this step of the site, and do it and everything after it again.
    from: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Skipping {
    /// Why, for the journal.
    reason: String,
    /// The unit: STEP/KEY or STEP/KEY/ITEM.
    unit: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarkingDone {
    /// What shows that it is done, for the journal.
    reason: String,
    /// The unit: STEP/KEY or STEP/KEY/ITEM.
    unit: String,
    /// Its outputs, if later steps read them.
    #[schema(value_type = Option<Object>)]
    outputs: Option<serde_json::Map<String, Value>>,
}

/// What is true of a unit in doubt.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TruthSaid {
    /// It had its effect.
    Done,
    /// It had none: apply it again.
    NotDone,
    /// Not known, and not worth finding out.
    GiveUp,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resolving {
    /// Why, for the journal.
    reason: String,
    /// The unit: STEP/KEY or STEP/KEY/ITEM.
    unit: String,
    /// What is true of it.
    truth: TruthSaid,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resizing {
    /// Why, for the journal.
    reason: String,
    /// Name of the pool.
    pool: String,
    /// Slots of each of its instances, at least 1.
    slots: u32,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Adopting {
    /// Why, for the journal.
    reason: String,
    /// The run that has released the site.
    from: String,
}

/// Takes a verb and answers for it.
async fn take(app: Arc<App>, who: Who, run: String, reason: String, verb: Verb, what: Value) -> Response {
    let mut told = json!({ "run": run, "reason": reason });
    if let (Some(told), Some(what)) = (told.as_object_mut(), what.as_object()) {
        told.extend(what.clone());
    }
    acted(told, taken(&app, &who, &run, &reason, &verb).await.map(Json))
}

pub(crate) async fn taken(app: &App, who: &Who, run: &str, reason: &str, verb: &Verb) -> Result<Recorded, Problem> {
    let asked = app.act(run, &who.name, reason, verb).await?;
    let driven = asked == Asked::OfDriver || app.drivers.drives(run);
    Ok(Recorded { run: run.to_owned(), recorded: true, driven })
}

macro_rules! handler {
    ($(#[$doc:meta])* $name:ident, $path:literal, $body:ident { $($field:ident),* }, $verb:expr, $what:expr) => {
        $(#[$doc])*
        #[utoipa::path(post, path = $path, tag = "verbs", params(("run" = String, Path)), request_body = $body,
            responses((status = 200, body = Recorded), (status = "default", body = Problem)))]
        pub(crate) async fn $name(
            State(app): State<Arc<App>>,
            Extension(who): Extension<Who>,
            At(run): At<String>,
            Body($body { reason, $($field),* }): Body<$body>,
        ) -> Response {
            let what = $what;
            take(app, who, run, reason, $verb, what).await
        }
    };
}

handler!(
    /// Starts nothing new; what runs finishes.
    pause, "/api/v1/runs/{run}/pause", Reason {}, Verb::Pause, Value::Null
);
handler!(
    /// Lets a paused run go on.
    go_on, "/api/v1/runs/{run}/continue", Reason {}, Verb::Continue, Value::Null
);
handler!(
    /// Starts nothing new and ends the run; with `undo`, takes back what it did.
    cancel, "/api/v1/runs/{run}/cancel", Cancelling { undo }, Verb::Cancel { undo }, json!({ "undo": undo })
);
handler!(
    /// Approves what waits. The run says whether the caller is one of the approvers; who asked for it is not.
    approve, "/api/v1/runs/{run}/approve", Approving { gate, checked }, Verb::Approve { gate, checked },
    json!({ "gate": gate, "checked": checked })
);
handler!(
    /// Rejects what waits; of the start or a batch this cancels the run.
    reject, "/api/v1/runs/{run}/reject", Rejecting { gate }, Verb::Reject { gate }, json!({ "gate": gate })
);
/// Tries again: a site, a unit, or every quarantined site.
#[utoipa::path(post, path = "/api/v1/runs/{run}/retry", tag = "verbs", params(("run" = String, Path)),
    request_body = Retrying, responses((status = 200, body = Recorded), (status = "default", body = Problem)))]
pub(crate) async fn retry(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(run): At<String>,
    Body(Retrying { reason, subject, from }): Body<Retrying>,
) -> Response {
    let what = json!({ "subject": subject, "from": from });
    let verb = match (subject, from) {
        (Some(site), Some(step)) => Verb::RetryFrom { site, step },
        (Some(subject), None) => Verb::Retry { subject },
        (None, None) => Verb::RetryQuarantined,
        (None, Some(_)) => {
            let problem = Problem::input("retry-form", "`from` is given without a site", "name the site as `subject`");
            return acted(what, Err::<(), _>(problem.at("subject")));
        }
    };
    take(app, who, run, reason, verb, what).await
}

handler!(
    /// Settles a step as not to be done: it counts as done, shown as degraded.
    skip, "/api/v1/runs/{run}/skip", Skipping { unit }, Verb::Skip { unit }, json!({ "unit": unit })
);
handler!(
    /// Settles a step as done by hand; the reason is the evidence.
    mark_done, "/api/v1/runs/{run}/mark-done", MarkingDone { unit, outputs },
    Verb::MarkDone { unit, outputs: outputs.map(|outputs| Value::from(outputs).to_string()) },
    // Outputs may be long, and are in the journal.
    json!({ "unit": unit, "outputs": outputs.is_some() })
);
handler!(
    /// Says what is true of a unit in doubt.
    resolve, "/api/v1/runs/{run}/resolve", Resolving { unit, truth },
    Verb::Resolve {
        unit,
        truth: match truth {
            TruthSaid::Done => Truth::Done,
            TruthSaid::NotDone => Truth::NotDone,
            TruthSaid::GiveUp => Truth::GiveUp,
        }
    },
    json!({ "unit": unit, "truth": truth })
);
handler!(
    /// Changes the slots of a pool, of each of its instances.
    pool_set, "/api/v1/runs/{run}/pool", Resizing { pool, slots }, Verb::SetPool { pool, slots },
    json!({ "pool": pool, "slots": slots })
);

/// Passes or fails an approval step of a site, after looking at what came back.
#[utoipa::path(post, path = "/api/v1/runs/{run}/validate", tag = "verbs", params(("run" = String, Path)),
    request_body = Validating, responses((status = 200, body = Recorded), (status = "default", body = Problem)))]
pub(crate) async fn validate(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(run): At<String>,
    Body(Validating { unit, pass, note, checked }): Body<Validating>,
) -> Response {
    let what = json!({ "unit": unit, "pass": pass, "checked": checked });
    if let Err(problem) = validates(&app, &run, &unit).await {
        return acted(what, Err::<(), _>(problem.at("unit")));
    }
    let verb = if pass { Verb::Approve { gate: unit, checked } } else { Verb::Reject { gate: unit } };
    take(app, who, run, note, verb, what).await
}

/// Whether something can be validated: the start of a run and its batches are for approvers.
pub(crate) async fn validates(app: &App, run: &str, unit: &str) -> Result<(), Problem> {
    let (watch, gate) = (app.followers.watch(run).await?, unit.to_owned());
    match watch.ask(move |fold| subject::gate(fold.run(), &gate)).await?.map_err(VerbError::from)? {
        Gate::Unit(_) => Ok(()),
        Gate::Start | Gate::Batch(_) => {
            let fact = "only an approval step can be validated";
            Err(Problem::input("validate-unit", fact, "name it as STEP/KEY; the start and batches are for approvers"))
        }
    }
}

macro_rules! of_site {
    ($(#[$doc:meta])* $name:ident, $path:literal, $how:expr) => {
        $(#[$doc])*
        #[utoipa::path(post, path = $path, tag = "verbs", params(("run" = String, Path), ("site" = String, Path)),
            request_body = Reason, responses((status = 200, body = Recorded), (status = "default", body = Problem)))]
        pub(crate) async fn $name(
            State(app): State<Arc<App>>,
            Extension(who): Extension<Who>,
            At((run, site)): At<(String, String)>,
            Body(Reason { reason }): Body<Reason>,
        ) -> Response {
            let what = json!({ "site": site });
            take(app, who, run, reason, Verb::TakeOut { site, how: $how }, what).await
        }
    };
}

of_site!(
    /// Takes back what was done for a site, the last step first.
    undo, "/api/v1/runs/{run}/sites/{site}/undo", TakeOut::Undo
);
of_site!(
    /// Takes a site out of the run; the others go on.
    quarantine, "/api/v1/runs/{run}/sites/{site}/quarantine", TakeOut::Quarantine
);
of_site!(
    /// Leaves a site out before anything of it has started.
    exclude, "/api/v1/runs/{run}/sites/{site}/exclude", TakeOut::Exclude
);
of_site!(
    /// Lets a site go, for another run to adopt.
    release, "/api/v1/runs/{run}/sites/{site}/release", TakeOut::Release
);

/// Takes a site in that another run has released; what was done there is checked again.
#[utoipa::path(post, path = "/api/v1/runs/{run}/sites/{site}/adopt", tag = "verbs",
    params(("run" = String, Path), ("site" = String, Path)), request_body = Adopting,
    responses((status = 200, body = Recorded), (status = "default", body = Problem)))]
pub(crate) async fn adopt(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At((run, site)): At<(String, String)>,
    Body(Adopting { reason, from }): Body<Adopting>,
) -> Response {
    let what = json!({ "site": site, "from": from });
    take(app, who, run, reason, Verb::Adopt { site, from }, what).await
}
