//! An instance from its making to its end. Whatever kills its maker, the next attempt goes on from its state file.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use runtime::Call;
use serde_json::Value;

use super::account::Account;
use super::base::{Base, choose};
use super::command;
use super::copy::{Stop, StopOnDrop, copy};
use super::input::{Evidence, Recover, Recovered, Stands};
use super::place::{Hold, Place, point, stamp};
use super::programs::Programs;
use super::removal::clear;
use super::server::Server;
use super::settings::{HBA, Settings};
use super::source::{Kind, Source};
use super::space;
use super::state::{Phase, State};
use super::trouble::{blocking, files};
use super::watch::{Seen, shorten, still_stands, until_stands};
use crate::answer::{Trouble, inputs, reveal_in};

/// Starts after settings were raised; each is one change of the live server's settings.
const STARTS: usize = 4;

/// A throw-away server that stands at a point in time, or a managed one.
///
/// It outlives this value and this process; only `postgres/drop-recovered` ends it.
pub(crate) struct Instance {
    what: What,
}

enum What {
    Own(Box<Own>),
    Managed(Box<Recovered>),
}

/// A server of ours.
struct Own {
    place: Place,
    source: Source,
    input: Recover,
    account: Account,
    state: State,
}

/// Why an instance that was found cannot be used.
enum Settled {
    Stands,
    Useless,
}

impl Instance {
    /// Finds the instance of these inputs of `postgres/recover`, or makes it; it stands at their point, or later if it was
    /// advanced.
    ///
    /// `with` holds secrets as references. What is half there is thrown away; a server that died is started again.
    ///
    /// # Errors
    /// The codes of `postgres/recover@1`.
    ///
    /// # Cancel safety
    /// May be dropped at any await. A copy stops; a server that was started goes on, and the next call finds it.
    pub(crate) async fn open(call: &Call, with: &Value) -> Result<Self, Trouble> {
        let (place, source, input) = read(call, with)?;
        if let Kind::Managed { create, url_from, .. } = &source.kind {
            let managed = command::create(call, &place, create, url_from).await?;
            return Ok(Self { what: What::Managed(Box::new(managed)) });
        }
        let account = Account::of(source.user.as_deref())?;
        std::fs::create_dir_all(place.parent()).map_err(|error| files(place.parent(), &error))?;
        let hold = Arc::new(Hold::take(&place.folder).await?);
        let found = State::read(&place.folder)?;
        let useful = found.filter(|state| state.phase != Phase::Filling && !state.is_of_another_boot());
        let is_found = useful.is_some();
        let state = useful.unwrap_or_else(|| State::new(stamp(place.at), place.socket(), place.port));
        let mut own = Own { place, source, input, account, state };
        if is_found && matches!(own.settle().await?, Settled::Stands) {
            return Ok(Self { what: What::Own(Box::new(own)) });
        }
        own.fill(call, &hold).await?;
        match own.settle().await? {
            Settled::Stands => Ok(Self { what: What::Own(Box::new(own)) }),
            Settled::Useless => Err(Trouble::retry(
                "postgres.promoted",
                format!("{} was promoted while it was made", own.place.folder.display()),
            )
            .hint("nothing else may steer this server: who called pg_promote or pg_wal_replay_resume?")),
        }
    }

    /// URL of the instance, on a private socket; no password.
    pub(crate) fn url(&self) -> String {
        self.recovered().url
    }

    /// Where the instance is and what proves the point that it stands at.
    pub(crate) fn recovered(&self) -> Recovered {
        match &self.what {
            What::Own(own) => own.recovered(),
            What::Managed(recovered) => Recovered::clone(recovered),
        }
    }

    /// Moves the instance on to a later point, and waits until it stands there. Open connections end. The point where it
    /// stands is no move.
    ///
    /// # Errors
    /// `postgres.point_passed` if it stands later; `postgres.cannot_advance` for a managed one; else as [`Instance::open`].
    ///
    /// # Cancel safety
    /// May be dropped at any await: the next call goes on to the same point, or to a later one.
    pub(crate) async fn advance(&mut self, at: DateTime<Utc>) -> Result<(), Trouble> {
        let own = match &mut self.what {
            What::Own(own) => own,
            What::Managed(recovered) if recovered.asked == stamp(at) => return Ok(()),
            What::Managed(recovered) => {
                let text =
                    format!("a managed instance stays at {}, it was asked to go to {}", recovered.asked, stamp(at));
                return Err(
                    Trouble::never("postgres.cannot_advance", text).hint("recover each point under a name of its own")
                );
            }
        };
        let _hold = Hold::take(&own.place.folder).await?;
        own.state = State::read(&own.place.folder)?.ok_or_else(|| {
            Trouble::retry("postgres.gone", format!("{} was dropped meanwhile", own.place.folder.display()))
                .hint("recover it again")
        })?;
        let asked = point(&own.state.asked)?;
        if at < asked {
            let text = format!("{} stands at {}, after {}", own.place.folder.display(), stamp(asked), stamp(at));
            return Err(Trouble::never("postgres.point_passed", text)
                .hint("WAL is replayed forward only: drop the instance and recover it to the earlier point"));
        }
        if at > asked {
            own.state.asked = stamp(at);
            own.state.phase = Phase::Moving;
            own.state.write(&own.place.folder)?;
        }
        match own.settle().await? {
            Settled::Stands => Ok(()),
            Settled::Useless => Err(Trouble::retry(
                "postgres.promoted",
                format!("{} is no standby any more", own.place.folder.display()),
            )
            .hint("drop it and recover it again")),
        }
    }
}

/// Reads inputs twice: where they lead is told by what the step says, not by the values of its secrets.
pub(super) fn read(call: &Call, with: &Value) -> Result<(Place, Source, Recover), Trouble> {
    let shown: Recover = inputs(with)?;
    let place = Place::of(&shown, &Source::of(&shown.backup)?)?;
    let mut with = with.clone();
    reveal_in(&mut with, &call.secrets)?;
    let input: Recover = inputs(&with)?;
    let source = Source::of(&input.backup)?;
    Ok((place, source, input))
}

impl Own {
    /// Makes the data anew, from nothing.
    async fn fill(&mut self, call: &Call, hold: &Arc<Hold>) -> Result<(), Trouble> {
        clear(&self.place, hold).await?;
        let folder = &self.place.folder;
        // All that can be refused is refused before anything is made.
        let base = self.chosen(hold).await?;
        self.account.private(folder)?;
        self.state = State::new(stamp(self.place.at), self.place.socket(), self.place.port);
        (self.state.bin, self.state.user) = (self.source.bin.clone(), self.source.user.clone());
        self.state.write(folder)?;
        self.state.backup = Some(match (base, &self.source.kind) {
            (Some(base), _) => self.copied(base, hold).await?,
            (None, Kind::Command { restore, wal }) => {
                let account = &self.account;
                command::restore(call, &self.place, account, restore, wal, self.source.bin.as_deref()).await?
            }
            (None, _) => return Err(Trouble::never("inputs", "backup: there is nothing to copy")),
        });
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
        let (bases, wal, bin, at) = (bases.clone(), wal.clone(), self.source.bin.clone(), self.place.at);
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
    async fn settle(&mut self) -> Result<Settled, Trouble> {
        let folder = self.place.folder.clone();
        let (server, url) = (Server::of(&folder), self.url());
        if let (Phase::Standing, Some(stand)) = (self.state.phase, &self.state.stand)
            && server.is_open()
        {
            return Ok(if still_stands(&url, stand).await? { Settled::Stands } else { Settled::Useless });
        }
        let programs = Programs::for_data(&folder.join("data"), self.source.bin.as_deref())?;
        for _ in 0..STARTS {
            let aim = self.state.phase == Phase::Filled && server.is_alive();
            if !aim {
                if server.is_open() {
                    shorten(&url).await;
                }
                // A standby that pauses takes a second to hear that it shall end in order; a crash costs it nothing.
                server.stop().await?;
                self.account.private(&self.place.socket())?;
                server.forget_killed(&self.place.socket())?;
                server.point_back(&self.place.socket())?;
                self.configure(&programs)?;
                self.state.phase = Phase::Filled;
                self.state.write(&folder)?;
                server.start(&programs, &self.account)?;
            }
            match until_stands(&server, &url).await? {
                Seen::Stands(stand) => {
                    self.state.stands(stand);
                    self.state.write(&folder)?;
                    return Ok(Settled::Stands);
                }
                Seen::TooSmall => self.state.phase = Phase::Moving,
                Seen::Promoted => return Ok(Settled::Useless),
                Seen::Ended => {
                    let segment = programs.control(&folder.join("data")).map_or(1 << 24, |control| control.segment);
                    let at = point(&self.state.asked)?;
                    return Err(super::log::ended(&server.log(), at, self.wal_folder(), segment));
                }
            }
        }
        Err(Trouble::retry("postgres.start", format!("{}: settings were raised again and again", folder.display()))
            .hint("server.log in the instance's folder says which"))
    }

    fn wal_folder(&self) -> Option<&Path> {
        match &self.source.kind {
            Kind::Files { wal, .. } | Kind::Command { wal, .. } => wal.folder(),
            Kind::Managed { .. } => None,
        }
    }

    /// Writes the server's settings for the point that the state file names.
    fn configure(&self, programs: &Programs) -> Result<(), Trouble> {
        let data = self.place.data();
        let restore_command = match &self.source.kind {
            Kind::Files { wal, .. } | Kind::Command { wal, .. } => wal.restore_command(),
            Kind::Managed { .. } => String::new(),
        };
        let settings = Settings {
            socket: &self.place.socket(),
            port: self.place.port,
            at: point(&self.state.asked)?,
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
            ("recovery.signal", String::new()),
        ];
        for (name, text) in all {
            let path = data.join(name);
            let put = std::fs::write(&path, text).and_then(|()| self.account.own(&path));
            put.map_err(|error| files(&path, &error))?;
        }
        Ok(())
    }

    fn url(&self) -> String {
        let (role, database) = (encoded(&self.input.role), encoded(self.input.database()));
        let socket = encoded(&self.place.socket().display().to_string());
        format!("postgres://{role}@localhost:{}/{database}?host={socket}", self.place.port)
    }

    fn recovered(&self) -> Recovered {
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
            restore_point: Stands::default(),
        }
        .standing()
    }
}

/// Writes a text for a part of a URL.
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
