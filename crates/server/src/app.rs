//! What every handler may use.

use std::sync::Arc;

use axum::response::Response;
use http::Method;
use runtime::{Clock, SystemClock};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::oidc::Provider;
use crate::access::{Access, Via, Who};
use crate::api::{Code, Problem, Told};
use crate::audit::{AuditLog, Entry};
use crate::drills::Drills;
use crate::drivers::Drivers;
use crate::home::Home;
use crate::live::Followers;
use crate::metrics::Metrics;
use crate::planning::ShownPlans;

/// The daemon's parts.
pub(crate) struct App {
    pub(crate) home: Home,
    /// Where runs are recorded, as `--store` takes it.
    pub(crate) place: String,
    pub(crate) drivers: Drivers,
    pub(crate) drills: Drills,
    pub(crate) followers: Followers,
    pub(crate) access: Access,
    /// Who vouches for people without a token.
    pub(crate) oidc: Option<Arc<Provider>>,
    pub(crate) audit: AuditLog,
    pub(crate) plans: ShownPlans,
    pub(crate) metrics: Metrics,
    /// What is said to whoever did something.
    pub(crate) said: crate::pages::Said,
    /// What is being done to runs and drills; a stop waits for it and its records.
    pub(crate) acts: TaskTracker,
    /// Whoever takes the next thing to look at has the turn at the desk of its run.
    pub(crate) desk: crate::desk::Turns,
    /// Whether browsers reach it by TLS, so that cookies may insist on it.
    pub(crate) secure: bool,
    /// Cancelled when the process is to stop: streams end.
    pub(crate) stop: CancellationToken,
    /// Reads of whole journals at once; they take memory and time in proportion to a run.
    pub(crate) large: tokio::sync::Semaphore,
    /// The OpenAPI document.
    pub(crate) document: bytes::Bytes,
}

impl App {
    /// Writes down what somebody did and what came of it, before they are told. Whoever cannot be written down is told that.
    pub(crate) async fn recorded(
        self: &Arc<Self>,
        who: &Who,
        method: &Method,
        path: &str,
        response: Response,
    ) -> Response {
        let code = response.extensions().get::<Code>().map(|code| code.0);
        let outcome = match code {
            Some(code) => code.to_owned(),
            // A page that was done with leads on.
            None if response.status().is_success() || response.status().is_redirection() => "ok".to_owned(),
            None => response.status().as_str().to_owned(),
        };
        let what = response.extensions().get::<Told>().map(|told| told.0.clone()).unwrap_or_default();
        let entry = Entry {
            at: report::stamp(SystemClock.now()),
            who: who.name.clone(),
            // Whoever was not let in has none.
            role: if who.via == Via::Nobody { "none".to_owned() } else { who.role.word().to_owned() },
            from: format!("{}, {}", who.from, who.via.told()),
            action: report::plain(&format!("{method} {path}")),
            what,
            outcome,
        };
        match self.audit.record(entry).await {
            Ok(_) => response,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "an act could not be written down");
                axum::response::IntoResponse::into_response(Problem::unrecorded(&error))
            }
        }
    }
}
