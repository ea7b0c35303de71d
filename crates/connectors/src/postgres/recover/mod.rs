//! `postgres/recover@1` and `postgres/drop-recovered@1`: a throw-away server beside the live one, at a point in time.
//!
//! `source`, `place` and `target` read the inputs, `base` and `space` judge the backup, `copy` and `command` fill the data
//! folder, `settings` and `server` run it, `watch` and `log` prove where it stands, `state` remembers, `own` and
//! `instance` join them, and `removal` ends them. `revive` starts one again whose server died while it was
//! needed. `walk` leads one from point to point, by the WAL that `gate` lets through. `preflight` asks before a run, by
//! what `reach` sees in the archive. `prepared` lists transactions that no recovered server shows, `twophase` reads their
//! states.

mod account;
mod base;
mod command;
mod copy;
mod ends;
mod gate;
mod input;
mod instance;
mod log;
mod own;
mod place;
pub(crate) mod preflight;
mod prepared;
mod programs;
mod reach;
mod removal;
mod revive;
mod segments;
mod server;
mod settings;
mod source;
mod space;
mod state;
mod target;
mod trouble;
mod twophase;
mod walk;
mod watch;

use input::OnPrepared;
pub(crate) use input::{Dropped, Recover, Recovered};
pub(crate) use instance::Instance;
pub(crate) use place::point;
pub(crate) use place::stamp;
pub(crate) use removal::drop_instance;
pub(crate) use revive::revive;
use runtime::Call;
use serde_json::Value;
pub(crate) use target::Target;
pub(crate) use walk::Moved;

use crate::answer::{Trouble, inputs};

/// Makes or finds the instance, and moves one of the same name forward.
pub(crate) async fn apply(call: &Call) -> Result<Value, Trouble> {
    let input: Recover = inputs(&call.with)?;
    let mut instance = Instance::open(call, &call.with).await?;
    instance.advance(&input.at.target()?.0).await?;
    if input.on_prepared == OnPrepared::Refuse {
        instance.has_none_prepared()?;
    }
    tracing::info!(url = %instance.url(), "stands at its point");
    answer(&instance.recovered())
}

/// Ends and removes the instance; fine if there is none.
pub(crate) async fn drop_recovered(call: &Call) -> Result<Value, Trouble> {
    let (path, removed) = removal::drop_instance(call, &call.with).await?;
    answer(&Dropped { path, removed })
}

fn answer(outputs: &impl serde::Serialize) -> Result<Value, Trouble> {
    serde_json::to_value(outputs).map_err(|error| Trouble::retry("postgres.failed", error.to_string()))
}
