//! Is everything there that a restore will need? Files, a log that reaches the restore points, equal schemas, space.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use runtime::{Call, Claim, Finding, Intent};
use rustix::fs::{Access, access, statvfs};
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt;

use super::closure::Closure;
use super::file::{Place, database, read_only};
use super::input::Root;
use super::log::{Backup, stamp};
use super::quote::sql;
use super::recover::blocking;
use super::{plan, schema};
use crate::answer::Trouble;

/// Kinds of questions.
pub(crate) const LIVE: &str = "sqlite.live";
const BACKUP: &str = "sqlite.backup";
const SCHEMA: &str = "sqlite.schema";

/// What an action on SQLite files depends on.
pub(super) fn questions(intent: &Intent) -> Vec<Value> {
    let with = &intent.with;
    let text = |name: &str| with.get(name).and_then(Value::as_str);
    match intent.uses.as_str() {
        "sqlite/recover@1" => text("backup")
            .zip(text("at"))
            .map(|(backup, at)| json!({ BACKUP: backup, "at": at, "into": with.get("into") }))
            .into_iter()
            .collect(),
        "sqlite/restore@1" | "sqlite/verify@1" => {
            let writes = intent.uses == "sqlite/restore@1";
            let Some(live) = text("to") else { return Vec::new() };
            let backup = intent.from.get("from").filter(|source| source.uses == "sqlite/recover@1");
            let backup = backup.and_then(|source| source.with.get("backup")?.as_str());
            let schemas = backup.map(|backup| {
                json!({ SCHEMA: live, "backup": backup, "root": with.get("root"), "tables": with.get("tables") })
            });
            std::iter::once(file(live, writes)).chain(schemas).collect()
        }
        "sqlite/remove@1" => text("to").map(|live| file(live, true)).into_iter().collect(),
        "sqlite/bystanders@1" => text("live").map(|live| file(live, false)).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The question about a live file.
pub(crate) fn file(live: &str, writes: bool) -> Value {
    json!({ LIVE: live, "writes": writes })
}

/// Answers a question of this module; `None` for another's.
pub(crate) async fn answer(call: &Call) -> Option<Vec<Finding>> {
    let mut question = call.with.clone();
    let kind = [LIVE, BACKUP, SCHEMA].into_iter().find(|kind| question.get(*kind).is_some())?;
    let subject = question.get(kind).and_then(Value::as_str).unwrap_or_default().to_owned();
    let answered = match crate::answer::reveal_in(&mut question, &call.secrets) {
        Ok(()) => match kind {
            LIVE => live(&subject, &question).await,
            BACKUP => backup(&subject, question).await,
            _ => schemas(&subject, &question).await,
        },
        Err(trouble) => Err(trouble),
    };
    Some(vec![match answered {
        Ok(finding) => Finding { fact: call.secrets.redact(&finding.fact), ..finding },
        Err(trouble) => {
            let (code, fact, hint) = trouble.told(&call.secrets);
            Finding::error(code, subject, fact, hint)
        }
    }])
}

fn of<'a>(question: &'a Value, name: &str) -> &'a str {
    question.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Opens the file and reads its catalogue.
async fn live(subject: &str, question: &Value) -> Result<Finding, Trouble> {
    let place = Place::new(of(question, LIVE));
    let mut connection = read_only(&place).await?;
    let look = sqlx::query(sql(&"SELECT count(*) FROM sqlite_schema".into())).persistent(false);
    look.execute(&mut connection).await.map_err(|error| database(&place, &error))?;
    if question.get("writes").and_then(Value::as_bool) != Some(true) {
        return Ok(Finding::good(LIVE, subject, "opens for reading"));
    }
    let path = place.path().to_owned();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    for needed in [&path, &folder] {
        if access(needed, Access::WRITE_OK).is_err() {
            let fact = format!("{} may not be written by this user", needed.display());
            return Err(Trouble::never("sqlite.read_only", fact).hint("the file and its folder must be writable"));
        }
    }
    Ok(Finding::good(LIVE, subject, "opens, and may be written"))
}

/// Holds the window of a backup against a restore point, and the room for what will be recovered.
async fn backup(subject: &str, question: Value) -> Result<Finding, Trouble> {
    let at = of(&question, "at").to_owned();
    let point = DateTime::parse_from_rfc3339(&at)
        .map_err(|error| Trouble::never("inputs", format!("at: {at:?} is no time: {error}")))?
        .with_timezone(&Utc);
    let subject = subject.to_owned();
    let named = subject.clone();
    let (base, finding) = blocking(move || {
        let folder = std::path::absolute(of(&question, BACKUP))
            .map_err(|error| Trouble::never("sqlite.backup_invalid", format!("{named}: {error}")))?;
        let backup = Backup::open(&folder)?;
        let end = backup.covers(point)?;
        let into = question.get("into").and_then(Value::as_str).map(PathBuf::from);
        let into = into.unwrap_or_else(|| folder.parent().unwrap_or(&folder).join("recovered"));
        let claim = room(&backup, &into)?;
        let fact =
            format!("reaches {}: base of {}, log to {}", stamp(point), stamp(backup.manifest.base_at), stamp(end));
        Ok((backup.base(), Finding::good(BACKUP, named, fact).claiming(claim)))
    })
    .await?;
    let place = Place::new(&base.to_string_lossy());
    let mut connection = read_only(&place).await?;
    let look = sqlx::query(sql(&"SELECT count(*) FROM sqlite_schema".into())).persistent(false);
    look.execute(&mut connection).await.map_err(|error| database(&place, &error))?;
    Ok(finding)
}

/// The room that the recovered file takes: the base, and as much again as its log says at most.
fn room(backup: &Backup, into: &Path) -> Result<Claim, Trouble> {
    let failed = |error: std::io::Error| Trouble::retry("sqlite.write", format!("{}: {error}", into.display()));
    let there = into.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    if access(there, Access::WRITE_OK).is_err() {
        let fact = format!("{} may not be written by this user", there.display());
        return Err(
            Trouble::never("sqlite.write", fact).hint("recovered files go there; name another folder with `into`")
        );
    }
    let size = |path: PathBuf| std::fs::metadata(path).map(|data| data.len());
    let bytes = size(backup.base()).map_err(failed)? + size(backup.log()).map_err(failed)?;
    let volume = std::fs::metadata(there).map_err(failed)?.dev();
    let space = statvfs(there).map_err(|error| failed(error.into()))?;
    Ok(Claim {
        what: backup.folder.display().to_string(),
        volume: format!("the volume of {} (device {volume})", there.display()),
        free: space.f_bavail.saturating_mul(space.f_frsize),
        bytes,
    })
}

/// Compares the tables that a restore will touch in the backup and in the live file.
async fn schemas(subject: &str, question: &Value) -> Result<Finding, Trouble> {
    let folder = PathBuf::from(of(question, "backup"));
    let backup = blocking(move || Backup::open(&folder)).await?;
    let (base, live) = (Place::new(&backup.base().to_string_lossy()), Place::new(of(question, SCHEMA)));
    let mut ours = read_only(&base).await?;
    let ours = schema::tables(&mut ours, "main").await.map_err(|error| database(&base, &error))?;
    let mut theirs = read_only(&live).await?;
    let theirs = schema::tables(&mut theirs, "main").await.map_err(|error| database(&live, &error))?;
    let root: Root = match question.get("root") {
        Some(root) if root.is_object() => crate::answer::inputs(root)?,
        // What makes a row the tenant's is known only later.
        _ => return Ok(Finding::good(SCHEMA, subject, "both schemas can be read")),
    };
    let globs: Vec<String> = question
        .get("tables")
        .and_then(Value::as_array)
        .map(|globs| globs.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default();
    let closure = Closure::new(&ours, &root)?;
    let tables = closure.ordered(&ours, &globs)?;
    if let Some(drift) = plan::drift(&ours, &theirs, &closure, &tables) {
        return Err(plan::drifted(&live, &drift));
    }
    Ok(Finding::good(SCHEMA, subject, format!("{} tables as in the backup", tables.len())))
}
