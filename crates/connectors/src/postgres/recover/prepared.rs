//! Transactions that were prepared at the point and had not ended: what they wrote is in nobody's sight there.
//!
//! A standby hides them until it is promoted; its `pg_prepared_xacts` is empty, even while it stands still. Their state
//! is there all the same: of those prepared before the last restartpoint in `pg_twophase`, of later ones in the WAL
//! since, which also says which of them have ended.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;

use super::account::Account;
use super::place::stamp;
use super::programs::{Programs, version};
use super::segments::segments;
use super::trouble::blocking;
use super::twophase::{State, WANTED, body};
use crate::answer::{Trouble, excerpt};
use crate::postgres::connect::{connect, said};
use crate::postgres::wal_dump::{Line, position, written};

/// Bytes of a page of WAL, as every packaged server has them.
const PAGE: u64 = 8192;
/// A transaction that was prepared at the point and had not ended.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
pub(crate) struct Prepared {
    /// Name that its coordinator gave it.
    pub(crate) gid: String,
    /// Its number.
    pub(crate) xid: u32,
    /// When it was prepared.
    pub(crate) prepared_at: String,
    /// Role that prepared it; its number if the role is gone.
    pub(crate) owner: String,
    /// Database in which it wrote.
    pub(crate) database: String,
}

impl std::fmt::Display for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { gid, prepared_at, owner, database, .. } = self;
        write!(f, "{gid:?} of {owner} in {database}, prepared {prepared_at}")
    }
}

/// Lists what was prepared and had not ended where a server stands, oldest first.
///
/// # Errors
/// `postgres.prepared_unknown` if it cannot be told.
pub(super) async fn prepared(
    url: &str,
    data: &Path,
    programs: &Programs,
    account: &Account,
    segment: u64,
) -> Result<Vec<Prepared>, Trouble> {
    let mut server = connect(url).await.map_err(|error| unknown(error.to_string()))?;
    let query = "SELECT redo_lsn::text, pg_last_wal_replay_lsn()::text FROM pg_control_checkpoint()";
    let (redo, end): (String, Option<String>) =
        sqlx::query_as(query).fetch_one(&mut server).await.map_err(|error| unknown(said(&error)))?;
    let range = position(&redo).zip(end.as_deref().and_then(position));
    let (begin, end) = range.ok_or_else(|| unknown("the server does not say where it stands"))?;
    let wal =
        Wal { folder: data.join("pg_wal"), segment, program: programs.path("pg_waldump"), account: account.clone() };
    let (folder, version) = (data.join("pg_twophase"), version(data)?);
    let states = blocking(move || {
        // Files after the WAL: a restartpoint meanwhile moves states from there to here.
        let mut states = wal.states(begin, end, version)?;
        states.extend(files(&folder, version)?);
        Ok(states)
    })
    .await?;
    named(&mut server, states).await
}

/// What is not known may not be taken for none.
fn unknown(why: impl std::fmt::Display) -> Trouble {
    let text = format!("whether transactions were prepared at the point is not known: {why}");
    Trouble::retry("postgres.prepared_unknown", text)
        .hint("server.log and data/pg_wal in the instance's folder may tell")
}

/// The states in files: nothing else is in that folder, and a file goes when its transaction ends.
fn files(folder: &Path, version: u32) -> Result<BTreeMap<u32, State>, Trouble> {
    let mut states = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(unknown)? {
        let path = entry.map_err(unknown)?.path();
        let state = std::fs::read(&path).map_err(unknown)?;
        let state =
            State::read(&state, version).ok_or_else(|| unknown(format!("{} is not understood", path.display())))?;
        states.insert(state.xid, state);
    }
    Ok(states)
}

/// What a server has replayed since its last restartpoint.
struct Wal {
    folder: PathBuf,
    segment: u64,
    program: PathBuf,
    account: Account,
}

impl Wal {
    /// The states of transactions that were prepared between two positions, and not ended there.
    fn states(&self, begin: u64, end: u64, version: u32) -> Result<BTreeMap<u32, State>, Trouble> {
        let all = segments(&self.folder, self.segment, u32::MAX)?;
        let range = all.range(begin / self.segment..=end / self.segment);
        // By timeline, since the WAL may change to another on its way.
        let mut parts: Vec<(String, u64)> = Vec::new();
        for (number, (name, _)) in range {
            if parts.last().is_none_or(|(timeline, _)| *timeline != name[..8]) {
                parts.push((name[..8].to_owned(), number * self.segment));
            }
        }
        let mut open = BTreeMap::new();
        for (at, (timeline, from)) in parts.iter().enumerate() {
            let until = parts.get(at + 1).map_or(end, |(_, next)| *next);
            self.dump(timeline, begin.max(*from), until, &mut open)?;
        }
        let state = |(xid, lsn): (u32, u64)| {
            let bytes = self.bytes(&all, lsn).map_err(unknown)?;
            let state = body(&bytes).and_then(|body| State::read(body, version)).filter(|state| state.xid == xid);
            let state = state.ok_or_else(|| unknown(format!("the record at {} is not understood", written(lsn))))?;
            Ok((xid, state))
        };
        open.into_iter().map(state).collect()
    }

    /// Follows which transactions are prepared and which end.
    fn dump(&self, timeline: &str, begin: u64, end: u64, open: &mut BTreeMap<u32, u64>) -> Result<(), Trouble> {
        if begin >= end {
            return Ok(());
        }
        let timeline = u32::from_str_radix(timeline, 16).map_err(unknown)?;
        let mut command = self.account.command(&self.program);
        command.arg("--rmgr=Transaction").arg("--path").arg(&self.folder).arg(format!("--timeline={timeline}"));
        for (name, at) in [("--start", begin), ("--end", end)] {
            command.arg(format!("{name}={}", written(at)));
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| unknown(format!("{}: {error}", self.program.display())))?;
        if let Some(out) = child.stdout.take() {
            for line in BufReader::with_capacity(1 << 16, out).lines() {
                match Event::read(&line.map_err(unknown)?) {
                    Some(Event::Prepared { xid, lsn }) => drop(open.insert(xid, lsn)),
                    Some(Event::Ended { xid }) => drop(open.remove(&xid)),
                    None => {}
                }
            }
        }
        let output = child.wait_with_output().map_err(unknown)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(unknown(excerpt(&String::from_utf8_lossy(&output.stderr), 200))),
        }
    }

    /// The bytes of a record, without the heads of the pages that it goes over.
    fn bytes(&self, all: &BTreeMap<u64, (String, PathBuf)>, lsn: u64) -> std::io::Result<Vec<u8>> {
        let (mut at, mut bytes) = (lsn, Vec::with_capacity(WANTED));
        while bytes.len() < WANTED {
            if at % PAGE == 0 {
                at += if at % self.segment == 0 { 40 } else { 24 };
            }
            let Some((_, path)) = all.get(&(at / self.segment)) else { break };
            let part = (PAGE - at % PAGE).min((WANTED - bytes.len()) as u64);
            let mut file = std::fs::File::open(path)?;
            file.seek(SeekFrom::Start(at % self.segment))?;
            file.take(part).read_to_end(&mut bytes)?;
            at += part;
        }
        Ok(bytes)
    }
}

/// What a line of the dump says.
#[derive(Debug, PartialEq, Eq)]
enum Event {
    Prepared { xid: u32, lsn: u64 },
    Ended { xid: u32 },
}

impl Event {
    fn read(line: &str) -> Option<Self> {
        let Line { xid, lsn, what, .. } = Line::read(line)?;
        if what.starts_with("PREPARE ") {
            return Some(Self::Prepared { xid, lsn });
        }
        let ended = ["COMMIT_PREPARED ", "ABORT_PREPARED "].iter().find_map(|word| what.strip_prefix(word))?;
        Some(Self::Ended { xid: ended.split(':').next()?.trim().parse().ok()? })
    }
}

/// Puts names to numbers of roles and databases.
async fn named(server: &mut PgConnection, states: BTreeMap<u32, State>) -> Result<Vec<Prepared>, Trouble> {
    if states.is_empty() {
        return Ok(Vec::new());
    }
    let query = "SELECT 'd', oid::int8, datname::text FROM pg_database UNION ALL SELECT 'r', oid::int8, rolname::text FROM pg_roles";
    let rows: Vec<(String, i64, String)> =
        sqlx::query_as(query).fetch_all(server).await.map_err(|error| unknown(said(&error)))?;
    let names: HashMap<(String, i64), String> = rows.into_iter().map(|(kind, oid, name)| ((kind, oid), name)).collect();
    let name = |kind: &str, oid: u32| {
        names.get(&(kind.to_owned(), i64::from(oid))).cloned().unwrap_or_else(|| oid.to_string())
    };
    let mut states: Vec<State> = states.into_values().collect();
    states.sort_by_key(|state| (state.at, state.xid));
    let one = |state: State| Prepared {
        owner: name("r", state.owner),
        database: name("d", state.database),
        prepared_at: stamp(state.at),
        xid: state.xid,
        gid: state.gid,
    };
    Ok(states.into_iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::Event;

    #[test]
    fn lines_of_the_dump_are_read() {
        let line = |what: &str| {
            format!(
                "rmgr: Transaction len (rec/tot):    242/   242, tx:        726, lsn: 0/030000C0, prev 0/03000028, desc: {what}"
            )
        };
        let read = |what: &str| Event::read(&line(what));
        let prepared = Some(Event::Prepared { xid: 726, lsn: 0x0300_00C0 });
        assert_eq!(read("PREPARE gid gone: 2026-11-26 17:29:26.678388 UTC; subxacts: 728"), prepared);
        assert_eq!(read("COMMIT_PREPARED 725: 2026-11-26 17:29:26.854581 UTC"), Some(Event::Ended { xid: 725 }));
        assert_eq!(read("ABORT_PREPARED 725: 2026-11-26 17:29:26.854581 UTC"), Some(Event::Ended { xid: 725 }));
        assert_eq!(read("COMMIT 2026-11-26 17:29:26.934381 UTC"), None);
    }
}
