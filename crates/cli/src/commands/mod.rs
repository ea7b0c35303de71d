//! The commands, one file each.

mod amend;
mod attempt_logs;
mod audit;
mod author;
mod bench;
mod demo;
mod drill;
mod help;
mod lab;
mod logs;
mod look;
mod messages;
mod plan;
pub(crate) mod report;
mod run;
mod runs;
mod serve;
mod simulate;
mod store;
mod tenant;
mod verbs;
mod worker;

use engine::TakeOut;

pub(crate) use lab::{build_trouble as lab_build_trouble, trouble as lab_trouble};

use crate::args::{Cli, Command};
use crate::exit::Exit;
use crate::failure::Failure;

/// Carries a command out.
pub(crate) async fn carry_out(cli: Cli) -> Result<Exit, Failure> {
    let json = cli.json;
    match cli.command {
        Command::Init(args) => author::init(&args),
        Command::Check(args) => author::check(&args, json).await,
        Command::Graph(args) => author::graph(&args, json),
        Command::Schema(args) => author::schema(&args),
        Command::Plan(args) => plan::plan(&args, json).await,
        Command::Simulate(args) => simulate::simulate(&args, json).await,
        Command::Messages(args) => messages::messages(&args, json).await,
        Command::Run(args) => run::run(args, json).await,
        Command::Resume(args) => run::resume(args, json).await,
        Command::Watch(args) => crate::watch::watch(&args, json).await,
        Command::Amend(args) => amend::amend(args, json).await,
        Command::Status(args) => look::status(&args, json).await,
        Command::Runs(args) => runs::runs(&args, json).await,
        Command::Sites(args) => look::sites(&args, json).await,
        Command::Why(args) => look::why(&args, json).await,
        Command::Logs(args) => logs::logs(&args, json).await,
        Command::Report(args) => report::report(&args, json).await,
        Command::Continue(args) => verbs::go_on(args, json).await,
        Command::Approvals(args) => look::approvals(&args, json).await,
        Command::Approve(args) => verbs::approve(args, json).await,
        Command::Reject(args) => verbs::reject(args, json).await,
        Command::Pause(args) => verbs::pause(args, json).await,
        Command::Cancel(args) => verbs::cancel(args, json).await,
        Command::Retry(args) => verbs::retry(args, json).await,
        Command::Skip(args) => verbs::skip(args, json).await,
        Command::MarkDone(args) => verbs::mark_done(args, json).await,
        Command::Resolve(args) => verbs::resolve(args, json).await,
        Command::Quarantine(args) => verbs::take_out(args, TakeOut::Quarantine, json).await,
        Command::Exclude(args) => verbs::take_out(args, TakeOut::Exclude, json).await,
        Command::Release(args) => verbs::take_out(args, TakeOut::Release, json).await,
        Command::Undo(args) => verbs::take_out(args, TakeOut::Undo, json).await,
        Command::Adopt(args) => verbs::adopt(args, json).await,
        Command::Pool(crate::args::Pool::Set(args)) => verbs::pool_set(args, json).await,
        Command::Drill(args) => drill::drill(args, json).await,
        Command::Serve(args) => serve::serve(args, json).await,
        Command::Worker(args) => worker::worker(args, json).await,
        Command::Workers(args) => worker::workers(&args, json).await,
        Command::Token(args) => serve::token(args, json),
        Command::Audit(args) => audit::audit(&args, json).await,
        Command::Store(args) => store::store(args, json).await,
        Command::Tenant(args) => tenant::tenant(args, json).await,
        Command::Lab(args) => lab::lab(args, json).await,
        Command::Demo(args) => demo::demo(args, json).await,
        Command::Bench(args) => bench::bench(args, json).await,
        Command::Help(args) => help::help(&args, json),
    }
}
