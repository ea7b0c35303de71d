//! Commands that restore a backup into the data folder, or have a service make an instance.

use std::collections::BTreeMap;
use std::path::Path;

use runtime::Call;
use serde_json::{Value, json};

use super::account::Account;
use super::base::Base;
use super::copy::stays_inside;
use super::input::{Evidence, Recovered, Stands};
use super::place::{Place, stamp};
use super::server::MARK;
use super::source::Wal;
use super::trouble::files;
use crate::answer::Trouble;
use crate::exec::{Hook, hook};
use crate::postgres::connect::{connect, without_password};

/// Lets a command fill the data folder, as the server's user.
///
/// # Errors
/// `exec.*`, and what is wrong with the data that it brought.
pub(super) async fn restore(
    call: &Call,
    place: &Place,
    account: &Account,
    argv: &[String],
    wal: &Wal,
    bin: Option<&Path>,
) -> Result<Evidence, Trouble> {
    let data = place.data();
    account.private(&data)?;
    let target = data.display().to_string();
    let archive = wal.folder().map(|wal| wal.display().to_string()).unwrap_or_default();
    let inputs = json!({ "target": target, "at": time(place)?, "wal": archive, "name": place.name });
    run(call, place, argv, &inputs, Some(account)).await?;
    stays_inside(&place.folder)?;
    // What the tool set up for a server of its own is not ours.
    for name in ["postmaster.pid", "standby.signal", "recovery.signal"] {
        match std::fs::remove_file(data.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(files(&data.join(name), &error)),
            _ => {}
        }
    }
    account.private(&data)?;
    Base::read(&data, wal.folder(), bin).map(|base| Evidence { path: None, ..base.evidence() })
}

/// The time for `{at}`: of a place in the WAL the one by which the backup must have ended.
fn time(place: &Place) -> Result<String, Trouble> {
    place.base_by.map(stamp).ok_or_else(|| {
        Trouble::never("inputs", "at: a command is told a time, and a place in the WAL has none")
            .hint("add `since`, a time before it by which the backup had ended")
    })
}

/// Has a service make the instance, or name the one that it made before.
///
/// # Errors
/// `exec.*`; `postgres.answer` if the answer has no usable URL; `postgres.refused` and the like if nothing answers
/// there.
pub(super) async fn create(call: &Call, place: &Place, argv: &[String], url_from: &str) -> Result<Recovered, Trouble> {
    let inputs = json!({ "at": time(place)?, "name": place.name });
    let answer = run(call, place, argv, &inputs, None).await?;
    let text = |key: &str| answer.get(key).and_then(Value::as_str).map(str::to_owned);
    let url = text(url_from).ok_or_else(|| {
        Trouble::retry("postgres.answer", format!("the command's last line has no text {url_from:?}"))
            .hint("let it print a JSON object with the URL as its last line")
    })?;
    if without_password(&url) == "(unreadable URL)" || url::Url::parse(&url).is_ok_and(|url| url.password().is_some()) {
        return Err(Trouble::never("postgres.answer", "the command's URL cannot be read, or holds a password")
            .hint("outputs are kept for ever: give the password by PGPASSWORD or ~/.pgpass"));
    }
    connect(&url).await.map(drop).map_err(|error| {
        Trouble::retry(error.code(), error.to_string()).hint("let the command end when the instance answers")
    })?;
    Ok(Recovered {
        url,
        path: None,
        asked: place.target.words(),
        reached: text("reached"),
        backup: None,
        replay_lsn: text("replay_lsn"),
        last_commit_at: text("last_commit_at"),
        stopped_by: text("stopped_by"),
        prepared: None,
        prepared_unknown: None,
        restore_point: Stands::default(),
    }
    .standing())
}

/// Has a service remove the instance; `true` unless it says `"removed": false`.
///
/// # Errors
/// `exec.*`.
pub(super) async fn remove(call: &Call, place: &Place, argv: &[String]) -> Result<bool, Trouble> {
    let answer = run(call, place, argv, &json!({ "at": time(place)?, "name": place.name }), None).await?;
    Ok(answer.get("removed") != Some(&Value::Bool(false)))
}

async fn run(
    call: &Call,
    place: &Place,
    argv: &[String],
    inputs: &Value,
    account: Option<&Account>,
) -> Result<serde_json::Map<String, Value>, Trouble> {
    let replaced = |text: &String| {
        let mut text = text.clone();
        for (key, value) in inputs.as_object().into_iter().flatten() {
            text = text.replace(&format!("{{{key}}}"), value.as_str().unwrap_or_default());
        }
        text
    };
    let command = argv.iter().map(replaced).collect();
    let mut env = BTreeMap::from([(MARK.to_owned(), place.folder.display().to_string())]);
    env.extend(account.into_iter().flat_map(Account::env).map(|(name, value)| (name.to_owned(), value)));
    let user = account.and_then(Account::ids);
    hook(call, Hook { command, env, inputs: inputs.clone(), user }).await
}
