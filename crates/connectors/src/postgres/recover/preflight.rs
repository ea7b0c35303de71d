//! Before a run: is there a base backup that ends before the point, WAL that reaches it, a server for it, and room?

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use runtime::{Claim, Finding};
use rustix::fs::{Access, access};
use serde_json::{Map, Value, json};

use super::account::Account;
use super::base::{Base, choose};
use super::input::Recover;
use super::place::{Place, stamp};
use super::programs::Programs;
use super::reach::{Reach, reach};
use super::source::{Kind, Source};
use super::space;
use super::target::Target;
use super::trouble::{blocking, files};
use crate::answer::{Trouble, inputs};
use crate::exec::preflight::PROGRAM;

/// Kind of the question about a backup and a point.
pub(crate) const BACKUP: &str = "postgres.backup";
/// Inputs that the answer depends on, beside the backup.
const MEMBERS: [&str; 4] = ["at", "into", "name", "reserve"];

/// What a recovery depends on; nothing if backup or point are known only later.
pub(crate) fn questions(with: &Value) -> Vec<Value> {
    let (Some(backup), Some(_)) =
        (with.get("backup").filter(|it| !it.is_null()), with.get("at").filter(|it| it.is_string() || it.is_object()))
    else {
        return Vec::new();
    };
    let mut question = Map::from_iter([(BACKUP.to_owned(), backup.clone())]);
    for name in MEMBERS {
        if let Some(value) = with.get(name).filter(|value| !value.is_null()) {
            question.insert(name.to_owned(), value.clone());
        }
    }
    let program = |name: &str| {
        let program = backup.get(name)?.get(0)?.as_str()?;
        // Asked as exec/run asks it, so that one program is looked for once.
        Some(json!({ PROGRAM: program, "cwd": null, "path": null }))
    };
    let programs = ["restore_command", "create", "drop"].into_iter().filter_map(program);
    std::iter::once(question.into()).chain(programs).collect()
}

/// Whether a question is about a program that a backup names.
pub(crate) fn is_program(question: &Value) -> bool {
    question.get(PROGRAM).is_some()
}

/// Answers whether the point can be recovered, as far as files and their names tell.
pub(crate) async fn answer(question: &Value) -> Result<Vec<Finding>, Trouble> {
    let mut with = Value::Object(Map::new());
    with["backup"] = question.get(BACKUP).cloned().unwrap_or_default();
    for name in MEMBERS {
        if let Some(value) = question.get(name) {
            with[name] = value.clone();
        }
    }
    let input: Recover = inputs(&with)?;
    let source = Source::of(&input.backup)?;
    let place = Place::of(&input, &source)?;
    blocking(move || Ok(vec![look(&input, &source, &place)?])).await
}

fn look(input: &Recover, source: &Source, place: &Place) -> Result<Finding, Trouble> {
    let at = place.target.words();
    let unasked = |subject: &str, fact: &str, hint: &str| {
        Ok(Finding::warning(
            "postgres.not_asked",
            subject,
            format!("whether {at} can be reached is not known: {fact}"),
            hint,
        ))
    };
    let account = Account::of(source.user.as_deref());
    let (bases, wal) = match &source.kind {
        Kind::Managed { .. } => {
            return unasked("a managed instance", "the service is asked by the step itself", "ask the service");
        }
        Kind::Command { .. } => {
            account?;
            let reserve = space::size("reserve", &input.reserve)?;
            space::room(place.parent(), 0, 0, reserve)?;
            let hint = "ask the tool that keeps it, such as `pgbackrest info`";
            return unasked("a backup that a command brings", "nothing of it lies here", hint);
        }
        Kind::Files { bases, wal } => (bases, wal),
    };
    let base = choose(bases, wal.folder(), source.bin.as_deref(), place.base_by)?;
    let programs = Programs::for_data(&base.path, source.bin.as_deref())?;
    let account = account?;
    runs(&account, &programs)?;
    let claim = claim(input, place, &base, wal.folder())?;
    let subject = base.path.display().to_string();
    let ended = base.ended().map_or_else(|| "at a time that it does not say".to_owned(), stamp);
    let Some(folder) = wal.folder() else {
        return unasked(&subject, "a command brings its WAL", "ask the tool that keeps it whether it is without a gap")
            .map(|finding| finding.claiming(claim));
    };
    let Target::Time(time) = place.target else {
        readable(&account, folder, folder)?;
        let hint = "pg_waldump of the archive shows whether it is there";
        return unasked(&subject, "places in the WAL are found only when it is replayed", hint)
            .map(|finding| finding.claiming(claim));
    };
    let reached = reach(&base, folder, &source.timeline, &programs, time)?;
    readable(&account, folder, &folder.join(reached.last()))?;
    let (fact, proven) = match reached {
        Reach::Proven { first, last, commit } => (
            format!("WAL from {first} to {last} without a gap, in which a transaction ended at {}", stamp(commit)),
            true,
        ),
        Reach::Unproven { first, last, why } => (format!("WAL from {first} to {last} without a gap, {why}"), false),
    };
    let fact = format!("base ended {ended}; {fact}");
    let finding = if proven {
        Finding::good(BACKUP, subject, format!("reaches {at}: {fact}"))
    } else {
        let hint = "a heartbeat, or any transaction after the point whose WAL is archived, proves it (pg_switch_wal)";
        Finding::warning("postgres.wal_unproven", subject, format!("may not reach {at}: {fact}"), hint)
    };
    Ok(finding.claiming(claim))
}

/// Starts the server's program as its user, for its version only.
fn runs(account: &Account, programs: &Programs) -> Result<(), Trouble> {
    let program = programs.path("postgres");
    let said = account.command(&program).arg("--version").output();
    let why = match said {
        Ok(said) if said.status.success() => return Ok(()),
        Ok(said) => String::from_utf8_lossy(&said.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Trouble::never("postgres.programs", format!("{} does not run as {}: {why}", program.display(), account.name()))
        .hint("the server's user must be able to enter the folder and run the program"))
}

/// Refuses an archive that the server's user cannot read: only its `restore_command` would find out.
fn readable(account: &Account, folder: &Path, segment: &Path) -> Result<(), Trouble> {
    // The end of the chain may lie in the backup itself.
    let segment = Some(segment).filter(|segment| segment.exists());
    let may = match account.ids() {
        None => {
            access(folder, Access::EXEC_OK).is_ok()
                && segment.is_none_or(|segment| access(segment, Access::READ_OK).is_ok())
        }
        // The system's own judgement of another user's rights, by a program that only answers.
        Some(_) => {
            let mut test = account.command(Path::new("/usr/bin/test"));
            match segment {
                Some(segment) => test.arg("-r").arg(segment),
                None => test.arg("-x").arg(folder),
            };
            test.status().map_or(true, |status| status.success())
        }
    };
    if may {
        return Ok(());
    }
    Err(Trouble::never("postgres.files", format!("the user {} may not read {}", account.name(), folder.display()))
        .hint("the server reads archived WAL under this user: give it the right to enter the folder and those above"))
}

/// The room that the instance takes; none if it is there already.
fn claim(input: &Recover, place: &Place, base: &Base, wal: Option<&Path>) -> Result<Claim, Trouble> {
    let reserve = space::size("reserve", &input.reserve)?;
    let into = place.parent();
    let there = into.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    if access(there, Access::WRITE_OK).is_err() {
        return Err(Trouble::never("postgres.files", format!("{} may not be written by this user", there.display()))
            .hint("instances go there; name another folder with `into`"));
    }
    let (mut bytes, mut more) = (0, 0);
    if !place.folder.exists() {
        (bytes, more) = space::needed(base, wal)?;
        space::room(into, bytes, more, reserve)?;
    }
    let volume = std::fs::metadata(there).map_err(|error| files(there, &error))?.dev();
    let found = rustix::fs::statvfs(there).map_err(|error| files(there, &error.into()))?;
    Ok(Claim {
        what: place.folder.display().to_string(),
        volume: format!("the volume of {} (device {volume})", there.display()),
        free: found.f_bavail.saturating_mul(found.f_frsize).saturating_sub(reserve),
        bytes: bytes + more,
    })
}
