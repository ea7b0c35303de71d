//! A server of ours: its data filled, brought to its point, and found to stand there.

use std::path::Path;
use std::sync::Arc;

use runtime::{Call, Log};
use tokio::process::Child;

use super::account::Account;
use super::base::{Base, choose};
use super::command;
use super::copy::{Stop, StopOnDrop, copy};
use super::gate::Gate;
use super::input::{Evidence, Recover, Recovered, Stands};
use super::place::{Hold, Place};
use super::prepared::prepared;
use super::programs::Programs;
use super::removal::clear;
use super::server::Server;
use super::settings::{HBA, Settings};
use super::source::{Kind, Source};
use super::space;
use super::state::{Phase, Stand, State};
use super::target::Target;
use super::trouble::{blocking, files};
use super::walk::Walk;
use super::watch::{Seen, shorten, until_stands};
use crate::answer::Trouble;

/// Starts until it stands: each one more is a change of the live server's settings, or an end without a word.
pub(super) const STARTS: usize = 4;

/// A server of ours.
pub(super) struct Own {
    pub(super) place: Place,
    pub(super) source: Source,
    pub(super) input: Recover,
    pub(super) account: Account,
    pub(super) state: State,
    /// How often its server was started by us.
    pub(super) starts: u64,
    /// The last of these starts.
    pub(super) child: Option<Child>,
    /// How it is led on, once it walks.
    pub(super) walk: Option<Walk>,
    /// Of the attempt that opened it.
    pub(super) log: Log,
}

/// What came of bringing a server to its point.
pub(super) enum Settled {
    /// It stands there.
    Stands,
    /// It is not what it was made as: only another copy helps.
    Useless,
}

impl Own {
    /// Makes the data anew, from nothing.
    pub(super) async fn fill(&mut self, call: &Call, hold: &Arc<Hold>) -> Result<(), Trouble> {
        clear(&self.place, hold).await?;
        let folder = &self.place.folder;
        // All that can be refused is refused before anything is made.
        let base = self.chosen(hold).await?;
        self.account.private(folder)?;
        self.state = State::new(self.place.target.words(), self.place.socket(), self.place.port);
        (self.state.bin, self.state.user) = (self.source.bin.clone(), self.source.user.clone());
        self.state.write(folder)?;
        self.log.note(format_args!("fills {} from the backup", folder.display()));
        self.state.backup = Some(match (base, &self.source.kind) {
            (Some(base), _) => self.copied(base, hold).await?,
            (None, Kind::Command { restore, wal }) => {
                let account = &self.account;
                command::restore(call, &self.place, account, restore, wal, self.source.bin.as_deref()).await?
            }
            (None, _) => return Err(Trouble::never("inputs", "backup: there is nothing to copy")),
        });
        self.log.note("filled; its server is started next, and recovers");
        self.state.phase = Phase::Moving;
        self.state.write(folder)
    }

    /// Reads the backups, takes one, and looks for room.
    async fn chosen(&self, hold: &Arc<Hold>) -> Result<Option<Base>, Trouble> {
        let reserve = space::size("reserve", &self.input.reserve)?;
        let into = self.place.parent().to_owned();
        let Kind::Files { bases, wal } = &self.source.kind else {
            space::room(&into, 0, 0, reserve)?;
            return Ok(None);
        };
        let (bases, wal, bin, at) = (bases.clone(), wal.clone(), self.source.bin.clone(), self.place.base_by);
        let hold = Arc::clone(hold);
        blocking(move || {
            let _hold = hold;
            let base = choose(&bases, wal.folder(), bin.as_deref(), at)?;
            space::check(&into, &base, wal.folder(), reserve)?;
            Ok(Some(base))
        })
        .await
    }

    async fn copied(&self, base: Base, hold: &Arc<Hold>) -> Result<Evidence, Trouble> {
        let (folder, account, hold) = (self.place.folder.clone(), self.account.clone(), Arc::clone(hold));
        let stop = Stop::default();
        let _guard = StopOnDrop(stop.clone());
        blocking(move || {
            // Nobody else touches the folder before the copy has ended, be it because nobody waits any more.
            let _hold = hold;
            copy(&base.path, &folder, &account, &stop)?;
            Ok(base.evidence())
        })
        .await
    }

    /// Brings the server to the point that the state file names, whatever it does at the moment.
    pub(super) async fn settle(&mut self) -> Result<Settled, Trouble> {
        let folder = self.place.folder.clone();
        let (server, url) = (Server::of(&folder), self.url());
        let programs = Programs::for_data(&folder.join("data"), self.source.bin.as_deref())?;
        for start in 1..=STARTS {
            // A server that stands may be on its way again: it brings itself back when one of its processes is killed.
            let is_on_its_way = self.state.phase != Phase::Moving && server.is_alive();
            if !is_on_its_way {
                if server.is_open() {
                    shorten(&url).await;
                }
                self.stop_and_configure(&server, &programs, None).await?;
                self.state.phase = Phase::Filled;
                self.state.write(&folder)?;
                self.start(&server, &programs)?;
            }
            match until_stands(&server, &url).await? {
                Seen::Stands(stand) => return self.stands(stand, &programs).await,
                // One that was found may have been dying already.
                Seen::Ended if is_on_its_way => self.state.phase = Phase::Moving,
                // One that ends without a word is as good as one that never was started; how it ended is kept.
                Seen::Ended if start < STARTS && server.log().is_empty() => {
                    tracing::warn!(folder = %folder.display(), end = %self.end(), "the server ended without a word");
                    self.state.phase = Phase::Moving;
                }
                Seen::TooSmall => self.state.phase = Phase::Moving,
                Seen::Promoted => return Ok(Settled::Useless),
                Seen::Ended => {
                    let segment = programs.control(&folder.join("data")).map_or(1 << 24, |control| control.segment);
                    let at = &self.state.asked;
                    return Err(super::log::ended(&server.log(), at, self.wal_folder(), segment));
                }
            }
        }
        Err(Trouble::retry("postgres.start", format!("{}: settings were raised again and again", folder.display()))
            .hint("server.log in the instance's folder says which"))
    }

    /// Ends the server if it runs, and makes everything ready for its next start.
    pub(super) async fn stop_and_configure(
        &self,
        server: &Server,
        programs: &Programs,
        gate: Option<&Gate>,
    ) -> Result<(), Trouble> {
        // A standby that pauses takes a second to hear that it shall end in order; a crash costs it nothing.
        server.stop().await?;
        self.account.private(&self.place.socket())?;
        server.forget_killed(&self.place.socket())?;
        server.point_back(&self.place.socket())?;
        self.configure(programs, gate)
    }

    pub(super) fn start(&mut self, server: &Server, programs: &Programs) -> Result<(), Trouble> {
        self.starts += 1;
        self.log.note(format_args!("starts its server, for the {}. time here", self.starts));
        self.child = Some(server.start(programs, &self.account)?);
        Ok(())
    }

    /// How the server ended that was started last, in words.
    fn end(&mut self) -> String {
        match self.child.as_mut().map(Child::try_wait) {
            Some(Ok(Some(status))) => status.to_string(),
            Some(Ok(None)) => "its process is there".to_owned(),
            Some(Err(error)) => error.to_string(),
            None => "it was not started here".to_owned(),
        }
    }

    /// Keeps where the server stands.
    async fn stands(&mut self, mut stand: Stand, programs: &Programs) -> Result<Settled, Trouble> {
        let before = self.state.stand.clone();
        let is_known = self.state.phase == Phase::Standing;
        if is_known && before.as_ref().is_some_and(|before| before.replay_lsn != stand.replay_lsn) {
            return Ok(Settled::Useless);
        }
        match before.as_ref().filter(|before| is_known && before.prepared.is_some()) {
            Some(before) => stand.prepared.clone_from(&before.prepared),
            None => self.list_prepared(&mut stand, programs).await?,
        }
        self.log.note(format_args!("stands, replayed to {}", stand.replay_lsn));
        self.state.stands(stand);
        if !is_known || before != self.state.stand {
            self.state.write(&self.place.folder)?;
        }
        Ok(Settled::Stands)
    }

    /// Lists what was prepared where the server stands, unless it allows nothing to be.
    pub(super) async fn list_prepared(&self, stand: &mut Stand, programs: &Programs) -> Result<(), Trouble> {
        if stand.prepared.is_some() {
            return Ok(());
        }
        let data = self.place.data();
        let segment = programs.control(&data)?.segment;
        match prepared(&self.url(), &data, programs, &self.account, segment).await {
            Ok(mut all) => {
                // Of a point in time: the replay stops at an end of a transaction, and passes by what is prepared
                // between the point and that.
                let asked = self.state.asked.as_str();
                let is_time = matches!(Target::read(asked), Ok(Target::Time(_)));
                all.retain(|one| !is_time || one.prepared_at.as_str() <= asked);
                stand.prepared = Some(all);
            }
            Err(trouble) => {
                tracing::warn!(%trouble, "prepared transactions are not listed");
                stand.prepared_unknown = Some(trouble.to_string());
            }
        }
        Ok(())
    }

    pub(super) fn wal_folder(&self) -> Option<&Path> {
        match &self.source.kind {
            Kind::Files { wal, .. } | Kind::Command { wal, .. } => wal.folder(),
            Kind::Managed { .. } => None,
        }
    }

    /// Writes the server's settings: for the point that the state file names, or for WAL that comes through a gate.
    fn configure(&self, programs: &Programs, gate: Option<&Gate>) -> Result<(), Trouble> {
        let data = self.place.data();
        let restore_command = match (gate, &self.source.kind) {
            (Some(gate), _) => gate.restore_command(),
            (None, Kind::Files { wal, .. } | Kind::Command { wal, .. }) => wal.restore_command(),
            (None, Kind::Managed { .. }) => String::new(),
        };
        let (signal, other) = match gate {
            Some(_) => ("standby.signal", "recovery.signal"),
            None => ("recovery.signal", "standby.signal"),
        };
        let _ = std::fs::remove_file(data.join(other));
        let target = Target::read(&self.state.asked)?;
        let settings = Settings {
            socket: &self.place.socket(),
            port: self.place.port,
            target: if gate.is_some() { None } else { Some(&target) },
            restore_command: &restore_command,
            timeline: &self.source.timeline,
            shared_buffers: &self.input.shared_buffers,
            preload: &self.source.preload,
            control: &programs.control(&data)?,
        };
        let all = [
            ("postgresql.conf", settings.text()),
            ("postgresql.auto.conf", String::new()),
            ("pg_hba.conf", HBA.to_owned()),
            ("pg_ident.conf", String::new()),
            (signal, String::new()),
        ];
        for (name, text) in all {
            let path = data.join(name);
            let put = std::fs::write(&path, text).and_then(|()| self.account.own(&path));
            put.map_err(|error| files(&path, &error))?;
        }
        Ok(())
    }

    pub(super) fn url(&self) -> String {
        let (role, database) = (encoded(&self.input.role), encoded(self.input.database()));
        let socket = encoded(&self.place.socket().display().to_string());
        format!("postgres://{role}@localhost:{}/{database}?host={socket}", self.place.port)
    }

    pub(super) fn recovered(&self) -> Recovered {
        let stand = self.state.stand.as_ref();
        let last_commit_at = stand.and_then(|stand| stand.last_commit_at.clone());
        let ended = self.state.backup.as_ref().and_then(|backup| backup.end_at.clone());
        Recovered {
            url: self.url(),
            path: Some(self.place.folder.display().to_string()),
            asked: self.state.asked.clone(),
            reached: last_commit_at.clone().or(ended),
            backup: self.state.backup.clone(),
            replay_lsn: stand.map(|stand| stand.replay_lsn.clone()),
            last_commit_at,
            stopped_by: stand.map(|stand| stand.stopped_by.clone()),
            prepared: stand.and_then(|stand| stand.prepared.clone()),
            prepared_unknown: stand.and_then(|stand| stand.prepared_unknown.clone()),
            restore_point: Stands::default(),
        }
        .standing()
    }
}

/// Writes a text for a part of a URL.
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
