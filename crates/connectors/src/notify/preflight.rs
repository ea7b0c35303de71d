//! Can words go out? Services and mail servers are greeted and nothing is sent; lists and ledgers are looked at.

use std::path::Path;

use runtime::{Call, Finding, Intent};
use rustix::fs::{Access, access};
use serde_json::{Value, json};

use super::email::{Server, reach};
use super::list::Lists;
use crate::answer::{Trouble, revealed};
use crate::http::{Client, preflight};

/// Kinds of questions.
const SERVER: &str = "smtp.connect";
const CONTACTS: &str = "notify.contacts";
const LEDGER: &str = "notify.ledger";

/// What an action depends on, as far as it is known.
pub(super) fn questions(client: &Client, intent: &Intent) -> Vec<Value> {
    let with = &intent.with;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    if matches!(intent.uses.as_str(), "notify/webhook@1" | "notify/slack@1") {
        let service = preflight::question(client, with);
        return service.into_iter().chain(ledger(text(with.pointer("/once/ledger")))).collect();
    }
    let server = with.get("server").filter(|server| server.get("host").is_some_and(Value::is_string)).map(|server| {
        let mut server = server.clone();
        // Nobody logs in.
        if let Some(members) = server.as_object_mut() {
            members.remove("user");
            members.remove("password");
        }
        let subject = format!(
            "{}{}",
            server["host"].as_str().unwrap_or_default(),
            server.get("port").map(|port| format!(":{port}")).unwrap_or_default()
        );
        json!({ SERVER: subject, "server": server })
    });
    let list = text(with.get("contacts")).map(|path| json!({ CONTACTS: path }));
    let kept = text(with.get("ledger")).or_else(|| text(with.pointer("/once/ledger")));
    server.into_iter().chain(list).chain(ledger(kept)).collect()
}

fn ledger(path: Option<String>) -> Option<Value> {
    path.map(|path| json!({ LEDGER: path }))
}

/// Answers a question.
pub(super) async fn answer(lists: &Lists, call: &Call) -> Vec<Finding> {
    let kind = [SERVER, CONTACTS, LEDGER].into_iter().find(|kind| call.with.get(*kind).is_some());
    let Some(kind) = kind else { return preflight::answer(call).await };
    let subject = call.with.get(kind).and_then(Value::as_str).unwrap_or_default().to_owned();
    let answered = match kind {
        SERVER => server(call).await,
        CONTACTS => contacts(lists, call).await,
        _ => writable(call),
    };
    vec![match answered {
        Ok(fact) => Finding::good(kind, subject, call.secrets.redact(&fact)),
        Err(trouble) => {
            let (code, fact, hint) = trouble.told(&call.secrets);
            Finding::error(code, subject, fact, hint)
        }
    }]
}

/// Greets the mail server, encrypts, and says good-bye.
async fn server(call: &Call) -> Result<String, Trouble> {
    let server: Server = revealed(call.with.get("server").unwrap_or(&Value::Null), &call.secrets)?;
    let mut connection = reach(&server, &call.secrets).await?;
    let fact = if connection.is_encrypted() { "greets, with a certificate that is trusted here" } else { "greets" };
    // Whether it answers to a farewell does not matter.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(2), connection.quit()).await;
    Ok(fact.to_owned())
}

async fn contacts(lists: &Lists, call: &Call) -> Result<String, Trouble> {
    let path = crate::answer::reveal(call.with[CONTACTS].as_str().unwrap_or_default(), &call.secrets)?;
    let list = lists.get(&path).await?;
    Ok(format!("{} contacts of {} sites", list.len, list.sites()))
}

fn writable(call: &Call) -> Result<String, Trouble> {
    let path = crate::answer::reveal(call.with[LEDGER].as_str().unwrap_or_default(), &call.secrets)?;
    let path = Path::new(&path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for needed in [Some(folder), path.exists().then_some(path)].into_iter().flatten() {
        if let Err(error) = access(needed, Access::WRITE_OK) {
            return Err(Trouble::never(LEDGER, format!("{}: {error}", needed.display()))
                .hint("the ledger must be a file of its own in a folder that this user may write"));
        }
    }
    Ok(if path.exists() { "is there, and may be written" } else { "will be made" }.to_owned())
}
