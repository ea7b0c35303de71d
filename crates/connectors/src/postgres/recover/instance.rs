//! An instance from its making to its end. Whatever kills its maker, the next attempt goes on from its state file.

use std::sync::Arc;

use runtime::Call;
use serde_json::Value;

use super::account::Account;
use super::command;
use super::input::{Recover, Recovered};
use super::own::{Own, Settled};
use super::place::{Hold, Place, stamp};
use super::source::{Kind, Source};
use super::state::{Phase, State};
use super::target::Target;
use super::trouble::files;
use super::walk::Moved;
use crate::answer::{Trouble, inputs, reveal_in};
use crate::postgres::restore::listed;

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

impl Instance {
    /// Finds the instance of these inputs of `postgres/recover`, or makes it; it stands at their point, or later if it
    /// was advanced.
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
        let state = useful.unwrap_or_else(|| State::new(place.target.words(), place.socket(), place.port));
        let mut own =
            Own { place, source, input, account, state, starts: 0, child: None, walk: None, log: call.log.clone() };
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

    /// How often its server was started through this value.
    pub(crate) fn starts(&self) -> u64 {
        match &self.what {
            What::Own(own) => own.starts,
            What::Managed(_) => 0,
        }
    }

    /// Where the instance is and what proves the point that it stands at.
    pub(crate) fn recovered(&self) -> Recovered {
        match &self.what {
            What::Own(own) => own.recovered(),
            What::Managed(recovered) => Recovered::clone(recovered),
        }
    }

    /// As [`Instance::advance`], for a server that nobody else reads: where WAL lies in a folder it is not started anew
    /// for each point, and connections stay.
    ///
    /// # Errors
    /// As [`Instance::advance`].
    ///
    /// # Cancel safety
    /// As [`Instance::advance`].
    pub(crate) async fn walk_to(&mut self, at: chrono::DateTime<chrono::Utc>) -> Result<Moved, Trouble> {
        if let What::Own(own) = &mut self.what {
            let _hold = Hold::take(&own.place.folder).await?;
            if let Some(moved) = own.walk_to(at).await? {
                return Ok(moved);
            }
            own.walk = None;
        }
        self.advance(&Target::Time(at)).await.map(|()| Moved::Anew)
    }

    /// Refuses a point at which transactions were prepared and had not ended.
    ///
    /// # Errors
    /// `postgres.prepared` if there are any, `postgres.prepared_unknown` if nobody can tell.
    pub(crate) fn has_none_prepared(&self) -> Result<(), Trouble> {
        let recovered = self.recovered();
        match recovered.prepared {
            Some(none) if none.is_empty() => Ok(()),
            Some(some) => {
                let text =
                    format!("{} prepared transactions had not ended at the point: {}", some.len(), listed(&some));
                Err(Trouble::never("postgres.prepared", text)
                    .hint("take a point before they were prepared or after they ended; `on_prepared: report` goes on without them"))
            }
            None => {
                let why = recovered.prepared_unknown.unwrap_or_else(|| "a managed instance does not say".to_owned());
                Err(Trouble::retry("postgres.prepared_unknown", why)
                    .hint("`on_prepared: report` goes on without knowing"))
            }
        }
    }

    /// Moves the instance on to a later point, and waits until it stands there. Open connections end. The point where
    /// it stands is no move.
    ///
    /// # Errors
    /// `postgres.point_passed` if it stands later; `postgres.cannot_advance` for a managed one; else as
    /// [`Instance::open`].
    ///
    /// # Cancel safety
    /// May be dropped at any await: the next call goes on to the same point, or to a later one.
    pub(crate) async fn advance(&mut self, to: &Target) -> Result<(), Trouble> {
        let own = match &mut self.what {
            What::Own(own) => own,
            What::Managed(recovered) if recovered.asked == to.words() => return Ok(()),
            What::Managed(recovered) => {
                let text =
                    format!("a managed instance stays at {}, it was asked to go to {}", recovered.asked, to.words());
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
        let asked = Target::read(&own.state.asked)?;
        let folder = own.place.folder.display();
        match (&asked, to) {
            (Target::Time(asked), Target::Time(at)) if at < asked => {
                let text = format!("{folder} stands at {}, after {}", stamp(*asked), stamp(*at));
                return Err(Trouble::never("postgres.point_passed", text)
                    .hint("WAL is replayed forward only: drop the instance and recover it to the earlier point"));
            }
            (Target::Time(_), Target::Time(_)) => {}
            (asked, to) if asked == to => {}
            // Which of two lies before the other would be known only when it is too late.
            (asked, to) => {
                let text = format!("{folder} stands at {}, it was asked to go to {}", asked.words(), to.words());
                return Err(Trouble::never("postgres.cannot_advance", text)
                    .hint("only from time to time does an instance move on: use another name, or drop it first"));
            }
        }
        if asked != *to {
            own.state.asked = to.words();
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
