//! `drill`: a runbook against a sandbox over a sample of sites, judged and kept.

mod conclude;
mod list;
mod read;
mod run;
mod watch;

use crate::args::Drill;
use crate::exit::Exit;
use crate::failure::Failure;

/// Carries a command about drills out.
pub(crate) async fn drill(args: Drill, json: bool) -> Result<Exit, Failure> {
    match args {
        Drill::Check(args) => read::check(&args, json),
        Drill::Run(args) => run::run(&args, json).await,
        Drill::List(args) => list::list(&args, json).await,
        Drill::History(args) => list::history(&args, json).await,
        Drill::Verify(args) => list::verify(&args, json).await,
    }
}
