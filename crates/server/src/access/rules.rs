//! What each route asks for. A route without a rule is refused to everybody.

use http::Method;

use crate::access::Permission::{self, Administer, Decide, Open, Operate, See, Validate};

/// The rule of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Method.
    pub method: Method,
    /// Path as the router has it.
    pub path: &'static str,
    /// What it asks for.
    pub needs: Permission,
}

const fn get(path: &'static str, needs: Permission) -> Rule {
    Rule { method: Method::GET, path, needs }
}

const fn post(path: &'static str, needs: Permission) -> Rule {
    Rule { method: Method::POST, path, needs }
}

const fn delete(path: &'static str, needs: Permission) -> Rule {
    Rule { method: Method::DELETE, path, needs }
}

/// All rules. Pages add theirs here.
pub const RULES: &[Rule] = &[
    get("/healthz", Open),
    get("/metrics", See),
    post("/session", Open),
    delete("/session", Open),
    get("/api/v1/openapi.json", See),
    get("/api/v1/me", See),
    get("/api/v1/home", See),
    get("/api/v1/runs", See),
    get("/api/v1/runs/{run}", See),
    get("/api/v1/runs/{run}/events", See),
    get("/api/v1/runs/{run}/grid", See),
    get("/api/v1/runs/{run}/sites", See),
    get("/api/v1/runs/{run}/sites/{site}", See),
    get("/api/v1/runs/{run}/steps", See),
    get("/api/v1/runs/{run}/batches", See),
    get("/api/v1/runs/{run}/pools", See),
    get("/api/v1/runs/{run}/waits", See),
    get("/api/v1/runs/{run}/approvals", See),
    get("/api/v1/runs/{run}/why", See),
    get("/api/v1/runs/{run}/log", See),
    get("/api/v1/runs/{run}/units/{step}/{key}/attempts/{attempt}/log", See),
    get("/api/v1/runs/{run}/report", See),
    get("/api/v1/drills", See),
    get("/api/v1/drills/{drill}", See),
    post("/api/v1/drills/{drill}/run", Operate),
    post("/api/v1/plans", Operate),
    post("/api/v1/runs", Operate),
    post("/api/v1/runs/{run}/resume", Operate),
    get("/api/v1/runs/{run}/amendment", Operate),
    post("/api/v1/runs/{run}/amend", Operate),
    post("/api/v1/runs/{run}/pause", Operate),
    post("/api/v1/runs/{run}/continue", Operate),
    post("/api/v1/runs/{run}/cancel", Operate),
    post("/api/v1/runs/{run}/retry", Operate),
    post("/api/v1/runs/{run}/skip", Operate),
    post("/api/v1/runs/{run}/mark-done", Operate),
    post("/api/v1/runs/{run}/resolve", Operate),
    post("/api/v1/runs/{run}/pool", Operate),
    post("/api/v1/runs/{run}/sites/{site}/undo", Operate),
    post("/api/v1/runs/{run}/sites/{site}/quarantine", Operate),
    post("/api/v1/runs/{run}/sites/{site}/exclude", Operate),
    post("/api/v1/runs/{run}/sites/{site}/release", Operate),
    post("/api/v1/runs/{run}/sites/{site}/adopt", Operate),
    post("/api/v1/runs/{run}/validate", Validate),
    get("/api/v1/runs/{run}/claims", See),
    post("/api/v1/runs/{run}/claims/next", Validate),
    post("/api/v1/runs/{run}/claims/take", Validate),
    post("/api/v1/runs/{run}/claims/renew", Validate),
    post("/api/v1/runs/{run}/claims/hand-over", Validate),
    post("/api/v1/runs/{run}/claims/give-back", Validate),
    post("/api/v1/runs/{run}/claims/end-shift", Validate),
    post("/api/v1/runs/{run}/approve", Decide),
    post("/api/v1/runs/{run}/reject", Decide),
    get("/api/v1/audit", Administer),
    // Pages.
    get("/", See),
    get("/assets/{file}", Open),
    get("/sign-in", Open),
    post("/sign-in", Open),
    get("/sign-in/oidc", Open),
    get("/sign-in/oidc/back", Open),
    post("/sign-out", Open),
    get("/runs", See),
    get("/queue", See),
    get("/audit", Administer),
    get("/drills", See),
    get("/drills/{drill}", See),
    post("/drills/{drill}/run", Operate),
    get("/guide", See),
    get("/guide/{topic}", See),
    get("/launch", Operate),
    post("/launch", Operate),
    post("/launch/run", Operate),
    get("/runs/{run}", See),
    get("/runs/{run}/live", See),
    get("/runs/{run}/queue", See),
    get("/runs/{run}/report", See),
    get("/runs/{run}/sites", See),
    get("/runs/{run}/sites/{site}", See),
    get("/runs/{run}/sites/{site}/history", See),
    get("/runs/{run}/log", See),
    get("/runs/{run}/amend", Operate),
    post("/runs/{run}/amend", Operate),
    post("/runs/{run}/amend/go", Operate),
    get("/runs/{run}/desk", See),
    get("/runs/{run}/desk/work", See),
    post("/runs/{run}/desk/next", Validate),
    post("/runs/{run}/desk/take", Validate),
    post("/runs/{run}/desk/renew", Validate),
    post("/runs/{run}/desk/hand-over", Validate),
    post("/runs/{run}/desk/give-back", Validate),
    post("/runs/{run}/desk/end-shift", Validate),
    post("/runs/{run}/desk/pass", Validate),
    post("/runs/{run}/desk/fail", Validate),
    get("/runs/{run}/act", See),
    post("/runs/{run}/act/pause", Operate),
    post("/runs/{run}/act/continue", Operate),
    post("/runs/{run}/act/resume", Operate),
    post("/runs/{run}/act/cancel", Operate),
    post("/runs/{run}/act/approve", Decide),
    post("/runs/{run}/act/reject", Decide),
    post("/runs/{run}/act/pass", Validate),
    post("/runs/{run}/act/fail", Validate),
    post("/runs/{run}/act/retry", Operate),
    post("/runs/{run}/act/retry-quarantined", Operate),
    post("/runs/{run}/act/retry-from", Operate),
    post("/runs/{run}/act/skip", Operate),
    post("/runs/{run}/act/mark-done", Operate),
    post("/runs/{run}/act/resolve", Operate),
    post("/runs/{run}/act/undo", Operate),
    post("/runs/{run}/act/quarantine", Operate),
    post("/runs/{run}/act/exclude", Operate),
    post("/runs/{run}/act/release", Operate),
    post("/runs/{run}/act/adopt", Operate),
    post("/runs/{run}/act/pool", Operate),
];

/// The rule of a route; `HEAD` has that of `GET`.
#[must_use]
pub fn rule_of(method: &Method, path: &str) -> Option<&'static Rule> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    RULES.iter().find(|rule| rule.method == *method && rule.path == path)
}
