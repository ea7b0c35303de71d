//! What is asked of servers and backups before a run: connections, rights, classes of tables, points that WAL reaches.
//!
//! Equal questions are one, whoever asks: a question holds the URL and what its answer depends on, never a tenant.

mod live;
mod schema;
mod tenants;

use std::time::Duration;

use runtime::{Call, Finding, Intent};
use serde_json::{Value, json};

use super::input::Root;
use crate::answer::{Trouble, reveal_in};
use crate::exec;
use crate::postgres::connect::without_password;
use crate::postgres::recover;

/// Kinds of questions.
const LIVE: &str = "postgres.live";
const TENANTS: &str = "postgres.tenants";
const SCHEMA: &str = "postgres.schema";
/// Connections that a restore takes unless the step says otherwise, and one that listens.
const CONNECTIONS: u64 = 2 + 1;
/// What is kept of a question's time for its answer to be told.
const SPARE: Duration = Duration::from_secs(2);

/// What an action on PostgreSQL depends on.
pub(super) fn questions(intent: &Intent) -> Vec<Value> {
    let with = &intent.with;
    let text = |name: &str| with.get(name).and_then(Value::as_str);
    match intent.uses.as_str() {
        "postgres/recover@1" => recover::preflight::questions(with),
        "postgres/restore@1" => {
            let Some(to) = text("to") else { return Vec::new() };
            let lanes = with.get("connections").and_then(Value::as_u64).map_or(CONNECTIONS, |lanes| lanes + 1);
            let replaces = text("on_conflict") == Some("replace");
            let rights: &[&str] = if replaces { &["SELECT", "INSERT", "UPDATE"] } else { &["SELECT", "INSERT"] };
            [Some(live_question(to, true, lanes)), tenants(to, with, rights), schemas(to, with)]
                .into_iter()
                .flatten()
                .collect()
        }
        "postgres/verify@1" => {
            let Some(to) = text("to") else { return Vec::new() };
            [Some(live_question(to, false, 1)), tenants(to, with, &["SELECT"]), schemas(to, with)]
                .into_iter()
                .flatten()
                .collect()
        }
        "postgres/remove@1" => {
            let Some(to) = text("to") else { return Vec::new() };
            std::iter::once(live_question(to, true, CONNECTIONS))
                .chain(tenants(to, with, &["SELECT", "DELETE"]))
                .collect()
        }
        "postgres/bystanders@1" => {
            let Some(live) = text("live") else { return Vec::new() };
            let wal = text("wal").map(|wal| json!({ live::WAL: wal, "url": live, "bin": with.get("bin") }));
            std::iter::once(live_question(live, false, 1)).chain(wal).collect()
        }
        _ => Vec::new(),
    }
}

/// The question about a server that is only read.
pub(crate) fn read_only(url: &str) -> Value {
    live_question(url, false, 1)
}

/// The question about a server: may it be written, and are so many connections left?
fn live_question(url: &str, writes: bool, connections: u64) -> Value {
    json!({ LIVE: url, "writes": writes, "connections": connections })
}

/// The question about the tables of tenants; none if the root is known only later.
fn tenants(url: &str, with: &Value, rights: &[&str]) -> Option<Value> {
    let root = with.get("root").filter(|root| root.is_object())?;
    Some(json!({
        TENANTS: url, "root": root, "tables": with.get("tables"), "triggers": with.get("triggers"), "rights": rights
    }))
}

/// The question about both sides; none if the copy is not made yet.
fn schemas(url: &str, with: &Value) -> Option<Value> {
    let root = with.get("root").filter(|root| root.is_object())?;
    let from = with.get("from").and_then(Value::as_str)?;
    Some(json!({
        SCHEMA: url, "from": from, "root": root, "tables": with.get("tables"), "triggers": with.get("triggers")
    }))
}

/// Answers a question of this module; `None` for another's.
pub(crate) async fn answer(call: &Call) -> Option<Vec<Finding>> {
    let mut question = call.with.clone();
    if recover::preflight::is_program(&question) {
        return Some(exec::preflight::answer(call).await);
    }
    let kinds = [LIVE, TENANTS, SCHEMA, live::WAL, recover::preflight::BACKUP];
    let kind = kinds.into_iter().find(|kind| question.get(*kind).is_some())?;
    if let Err(trouble) = reveal_in(&mut question, &call.secrets) {
        return Some(vec![told(trouble, kind, &call.secrets)]);
    }
    // Never a URL as it is written: it may hold a password.
    let subject = match question.get(kind).and_then(Value::as_str) {
        Some(url) if [LIVE, TENANTS, SCHEMA].contains(&kind) => without_password(url),
        Some(text) => text.to_owned(),
        None => "backup".to_owned(),
    };
    let patience = call.timeout.saturating_sub(SPARE);
    let answered = tokio::time::timeout(patience, async {
        match kind {
            LIVE => live::answer(&subject, &question).await,
            TENANTS => tenants::answer(&subject, &question).await,
            SCHEMA => schema::answer(&subject, &question).await,
            live::WAL => live::wal(&subject, &question).await,
            _ => recover::preflight::answer(&question).await,
        }
    });
    let findings = match answered.await {
        Ok(Ok(findings)) => findings,
        Ok(Err(trouble)) => vec![told(trouble, &subject, &call.secrets)],
        Err(_) => vec![Finding::error(
            "postgres.timeout",
            subject,
            format!("no answer within {}", humantime::format_duration(patience)),
            "look at the system; `--no-preflight` runs without asking",
        )],
    };
    let clean = |finding: Finding| Finding {
        subject: call.secrets.redact(&finding.subject),
        fact: call.secrets.redact(&finding.fact),
        hint: call.secrets.redact(&finding.hint),
        ..finding
    };
    Some(findings.into_iter().map(clean).collect())
}

fn told(trouble: Trouble, subject: &str, secrets: &runtime::SecretText) -> Finding {
    let (code, fact, hint) = trouble.told(secrets);
    let hint = if hint.is_empty() { "see the action's README section".to_owned() } else { hint };
    Finding::error(code, subject, fact, hint)
}

/// What a question says of the tenants' tables.
fn scope(question: &Value) -> Result<crate::postgres::Scope, Trouble> {
    let root: Root = crate::answer::inputs(question.get("root").unwrap_or(&Value::Null))?;
    let tables = question.get("tables").and_then(Value::as_array);
    let tables: Vec<String> = tables.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    root.scope(&tables, question.get("triggers").and_then(Value::as_str) == Some("fire"))
}
