//! A server that is led from point to point without another start: a standby that replays what a gate lets through.
//!
//! A server with a recovery target has to be started for each target, and replays everything since the live server's
//! last checkpoint again. Here WAL is replayed once, however many points there are. Where each point lies is read from
//! the WAL by the same rule: before the first transaction that ended later. Whatever is unusual ends the walk, and the
//! way with a target is taken, which tells what is wrong.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;

use super::ends::{End, Ends};
use super::gate::Gate;
use super::own::Own;
use super::place::stamp;
use super::programs::Programs;
use super::server::Server;
use super::source::Kind;
use super::state::{Phase, Stand};
use super::target::Target;
use super::watch::{Look, look};
use crate::answer::Trouble;
use crate::postgres::connect::connect;
use crate::postgres::wal_dump::position;

/// Looks between which a server's state may change: soon at first, then seldom.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];
/// Refusals of a server that says it is open, until the walk is given up.
const REFUSALS: u32 = 50;

/// How long the replay may stand still on its way, until the walk is given up.
const STILL: Duration = Duration::from_secs(10);

/// What came of the wish to be elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// The same server stands there, with the same catalogue.
    Alike,
    /// What was known of it, connections too, may not hold any more.
    Anew,
}

/// A walk on its way.
pub(super) struct Walk {
    server: Server,
    gate: Gate,
    ends: Ends,
    programs: Programs,
    /// Where the server stands, if it was started for the walk.
    stands: Option<u64>,
    connection: Option<PgConnection>,
}

impl Own {
    /// Leads the server on to a later point; `None` if it does not walk, whatever state it is in then.
    ///
    /// On disk it is on its way all the time: whoever finds it after a crash starts it with a target.
    pub(super) async fn walk_to(&mut self, at: DateTime<Utc>) -> Result<Option<Moved>, Trouble> {
        let Target::Time(asked) = Target::read(&self.state.asked)? else { return Ok(None) };
        if at <= asked {
            // Where it stands there is nowhere to go.
            return Ok((self.walk.is_some() && at == asked).then_some(Moved::Alike));
        }
        if self.walk.is_none() {
            self.walk = self.begin()?;
        }
        let Some(mut walk) = self.walk.take() else { return Ok(None) };
        let Some(end) = walk.ends.first_after(at).await else { return Ok(None) };
        self.state.asked = Target::Time(at).words();
        self.state.phase = Phase::Moving;
        self.state.write(&self.place.folder)?;
        let is_new = walk.stands.is_none();
        if walk.stands != Some(end.lsn) {
            walk.gate.open_to(end.lsn)?;
            if is_new {
                self.stop_and_configure(&walk.server, &walk.programs, Some(&walk.gate)).await?;
                walk.gate.close_behind(&self.place.data().join("pg_wal"))?;
                self.start(&walk.server, &walk.programs)?;
            }
        }
        let Some((pid, seen)) = walk.arrive(&end, &self.url()).await else { return Ok(None) };
        walk.stands = Some(end.lsn);
        let is_changed = walk.ends.is_catalog_passed() || is_new;
        let before = self.state.stand.take().and_then(|stand| stand.last_commit_at);
        let mut stand = Stand {
            pid,
            replay_lsn: seen.lsn.unwrap_or_default(),
            last_commit_at: seen.last_commit_at.map(stamp).or(before),
            stopped_by: end.stopped_by(),
            prepared: (seen.most_prepared == 0).then(Vec::new),
            prepared_unknown: None,
        };
        self.list_prepared(&mut stand, &walk.programs).await?;
        self.state.stand = Some(stand);
        self.walk = Some(walk);
        Ok(Some(if is_changed { Moved::Anew } else { Moved::Alike }))
    }

    fn begin(&self) -> Result<Option<Walk>, Trouble> {
        let programs = Programs::for_data(&self.place.data(), self.source.bin.as_deref())?;
        let (Kind::Files { .. }, Some(archive)) = (&self.source.kind, self.wal_folder()) else { return Ok(None) };
        let (Some(stand), Some(backup)) = (&self.state.stand, &self.state.backup) else { return Ok(None) };
        let folder = &self.place.folder;
        let size = programs.control(&self.place.data())?.segment;
        let Some(gate) = Gate::before(archive, folder, &self.account, backup.timeline, size)? else { return Ok(None) };
        let Some(ends) = Ends::begin(&programs, archive, backup.timeline, &stand.replay_lsn) else { return Ok(None) };
        Ok(Some(Walk { server: Server::of(folder), gate, ends, programs, stands: None, connection: None }))
    }
}

impl Walk {
    /// Waits until everything before the end is replayed and the server pauses there; `None` if it gets nowhere.
    async fn arrive(&mut self, end: &End, url: &str) -> Option<(u32, Look)> {
        let (mut pause, mut refusals, mut is_told) = (PAUSES[0], 0, false);
        let (mut before, mut since) = (None, Instant::now());
        if self.stands.is_some_and(|stands| stands != end.lsn)
            && let Some(open) = &mut self.connection
        {
            sqlx::query("SELECT pg_wal_replay_resume()").execute(open).await.ok()?;
        }
        loop {
            if self.connection.is_none() && self.server.is_open() {
                match connect(url).await {
                    Ok(open) => self.connection = Some(open),
                    Err(_) => refusals += 1,
                }
            }
            if let Some(open) = &mut self.connection {
                match look(open).await {
                    Ok(seen) if !seen.in_recovery => return None,
                    Ok(seen) => {
                        let lsn = seen.lsn.as_deref().and_then(position);
                        if lsn.is_some_and(|lsn| lsn > end.lsn) {
                            // It got WAL from elsewhere than through the gate.
                            return None;
                        }
                        // The record before the end is replayed.
                        let is_there = lsn.is_some_and(|lsn| lsn > end.prev);
                        if is_there && is_told && seen.is_paused {
                            return Some((self.server.postmaster()?, seen));
                        }
                        if is_there && !is_told {
                            sqlx::query("SELECT pg_wal_replay_pause()").execute(open).await.ok()?;
                            is_told = true;
                        }
                        if before != lsn {
                            (before, since) = (lsn, Instant::now());
                        }
                    }
                    Err(_) => {
                        // A server that begins anew has forgotten that it was to pause.
                        (self.connection, is_told) = (None, false);
                        refusals += 1;
                    }
                }
            }
            if refusals >= REFUSALS || since.elapsed() > STILL && before.is_some() || !self.server.is_alive() {
                return None;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 5 / 4).min(PAUSES[1]);
        }
    }
}
