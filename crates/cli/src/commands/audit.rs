//! `audit`: whether what was recorded is what was written, of a run and of the daemon.

use std::path::Path;

use engine::Link;
use serde_json::json;
use server::audit::AuditError;

use crate::args::{AuditCommand, StoreAddress};
use crate::exit::Exit;
use crate::failure::{Failure, chain};
use crate::out;

/// Checks the journal of a run, or the daemon's log.
pub(crate) async fn audit(command: &AuditCommand, json: bool) -> Result<Exit, Failure> {
    let AuditCommand::Verify { run, stored, housed, head } = command;
    match run {
        Some(run) => journal(run, &stored.store, head.as_deref(), json).await,
        None => log(&housed.home, head.as_deref(), json),
    }
}

async fn journal(run: &str, store: &StoreAddress, noted: Option<&str>, json: bool) -> Result<Exit, Failure> {
    let noted: Option<Link> = noted.map(str::parse).transpose().map_err(|error: engine::LinkError| {
        let hint = "copy the hash from the evidence of a report: `reinstate report RUN --json`, evidence.head";
        Failure::input("audit-head", format!("--head: {error}"), hint)
    })?;
    let store = store.open().await?;
    let found = runtime::verify(&*store, run, noted).await?;
    let fault = found.fault.as_ref().map(|fault| report::plain(&chain(fault)));
    let as_noted = noted.is_none() || found.noted_after.is_some();
    let head = found.head.map(|head| head.to_string());
    if json {
        out::json(&json!({
            "run": run, "groups": found.groups, "records": found.records, "head": head, "fault": fault,
            "as_noted": as_noted, "noted_after": found.noted_after,
        }));
    } else {
        let groups = counted(found.groups, "group", "groups");
        let records = counted(found.records, "record", "records");
        match (&fault, &head) {
            (None, Some(head)) => out::answer(&format!(
                "run {run}: {groups} with {records}, whole and in order; the last has hash {head}"
            )),
            (None, None) => out::answer(&format!("run {run}: nothing was recorded yet")),
            (Some(fault), _) => {
                out::answer(&format!("run {run} is NOT WHOLE: {fault}; {groups} with {records} before it are whole"));
            }
        }
        match found.noted_after {
            Some(after) if after < found.groups => {
                let since = counted(found.groups - after, "group was", "groups were");
                out::answer(&format!("the hash given is that of group {}; {since} added since", after - 1));
            }
            _ if !as_noted => out::answer("NOT AS NOTED: no group has the hash given"),
            _ => {}
        }
    }
    Ok(if fault.is_none() && as_noted { Exit::Done } else { Exit::Differs })
}

fn log(home: &Path, noted: Option<&str>, json: bool) -> Result<Exit, Failure> {
    let verified = server::audit::verify(home)?;
    let as_noted = noted.is_none_or(|noted| noted == verified.head);
    if json {
        out::json(&json!({
            "records": verified.records, "head": verified.head, "fault": verified.fault, "as_noted": as_noted,
        }));
    } else {
        let records = counted(verified.records, "record is", "records are");
        match &verified.fault {
            None => out::answer(&format!("{records} whole and in order; the last has hash {}", verified.head)),
            Some(fault) => out::answer(&format!("NOT WHOLE: {fault}; the {records} whole before it")),
        }
        if !as_noted {
            out::answer("NOT AS NOTED: the last record has another hash than the one given");
        }
    }
    Ok(if verified.fault.is_none() && as_noted { Exit::Done } else { Exit::Differs })
}

fn counted(count: u64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        Self::input(error.code(), error.to_string(), error.hint())
    }
}
