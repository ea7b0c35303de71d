//! `objects/*`: copies, compares and empties prefixes of object stores: folders, S3, Google Cloud Storage and Azure.

mod address;
mod cloud;
mod compare;
mod content;
mod context;
mod copy;
mod folder;
mod history;
mod input;
mod listing;
mod place;
mod remove;
mod s3;
mod tag;
mod transfer;
mod upload;
mod verify;
mod web;

use async_trait::async_trait;
use runtime::engine::{ActionSpec, Outcome};
use runtime::{Call, Connector, Probed};

use self::context::Context;
use self::transfer::Memory;
use self::web::Web;
use crate::Settings;
use crate::answer::{Trouble, outcome, revealed};
use crate::http::no_probe;
use crate::noted::noted;
use crate::spec::action;

/// Implements `objects/*`.
pub(crate) struct Objects {
    concurrency: usize,
    web: Web,
    memory: Memory,
}

impl Objects {
    pub(crate) fn new(settings: &Settings) -> Self {
        let concurrency = settings.object_concurrency.clamp(1, context::CONCURRENCY_MAX);
        Self { concurrency, web: Web::new(settings), memory: Memory::default() }
    }

    async fn act(&self, call: &Call) -> Outcome {
        let writes = call.uses != "objects/verify@1";
        let context = Context { web: &self.web, memory: &self.memory, concurrency: self.concurrency, log: &call.log };
        let work = async {
            match call.uses.as_str() {
                "objects/copy@1" => copy::apply(revealed(&call.with, &call.secrets)?, &context).await,
                "objects/remove@1" => remove::apply(revealed(&call.with, &call.secrets)?, &context).await,
                "objects/verify@1" => verify::apply(revealed(&call.with, &call.secrets)?, &context).await,
                other => Err(Trouble::never("uses", format!("{other} is not an action of this connector"))),
            }
        };
        let stopped = tokio::select! {
            answer = noted(call, work) => return outcome(answer, &call.secrets),
            () = tokio::time::sleep(call.timeout) => {
                let limit = humantime::format_duration(call.timeout);
                Trouble::retry("objects.timeout", format!("not ready within {limit}"))
            }
            () = call.cancel.cancelled() => Trouble::retry("objects.cancelled", "cancelled"),
        };
        outcome(Err(if writes { stopped.in_doubt() } else { stopped }), &call.secrets)
    }
}

#[async_trait]
impl Connector for Objects {
    fn actions(&self) -> Vec<ActionSpec> {
        let verify = action::<input::Verify, input::Verified>(
            "objects/verify@1",
            "compares the objects below two prefixes by name, size and content",
        );
        vec![
            action::<input::Copy, input::Copied>(
                "objects/copy@1",
                "copies the objects below a prefix that are missing at the target; never overwrites one that differs",
            ),
            action::<input::Remove, input::Removed>(
                "objects/remove@1",
                "takes back a copy: removes the objects below a prefix that equal their source; for `undo`",
            ),
            ActionSpec { read_only: true, ..verify },
        ]
    }

    async fn apply(&self, call: Call) -> Outcome {
        self.act(&call).await
    }

    async fn probe(&self, call: Call) -> Probed {
        no_probe(&call)
    }
}
