//! What can be typed.

mod address;
mod bench;
mod drill;
mod help;
mod lab;
mod logs;
mod order;
mod report;
mod runs;
mod serve;
mod store;
mod tenant;
mod texts;
mod verbs;
mod worker;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use address::StoreAddress;
pub(crate) use bench::{Bench, BenchEngine, BenchPart, BenchRestore, BenchStore, BenchTenant};
pub(crate) use drill::{Drill, DrillCheck, DrillHistory, DrillList, DrillRun};
pub(crate) use help::Help;
pub(crate) use lab::{Backend, Demo, DemoBook, Lab};
pub(crate) use logs::{Logged, Logs};
pub(crate) use order::Optimise;
pub(crate) use report::{Messages, ReportCommand, ReportFormat, Telling};
pub(crate) use runs::{Prune, Runs, RunsCommand};
pub(crate) use serve::{AuditCommand, Serve, TokenCommand};
pub(crate) use store::StoreCommand;
pub(crate) use tenant::{Belonging, ConflictPolicy, Renewal, Tenant, TenantClosure, TenantRestore};
use texts::{ABOUT, EXIT_CODES, LONG_ABOUT, WATCH};
pub(crate) use verbs::{
    Adopt, Amend, Approve, Cancel, GateVerb, MarkDone, Pool, PoolSet, Resolve, ResolveArg, Retry, SiteVerb, UnitVerb,
    Verb, Waiting,
};
pub(crate) use worker::WorkerArgs;

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "reinstate", version, about = ABOUT, long_about = LONG_ABOUT, after_long_help = EXIT_CODES)]
// Its place is taken by one that knows the guide, too.
#[command(disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// Colour of text for people
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
    /// Print one JSON object (or one per line) instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Log to standard error: error, warn, info, debug or trace, or directives such as `reinstate_store=debug`
    #[arg(long, global = true, env = "REINSTATE_LOG", default_value = "warn")]
    pub(crate) log: String,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented runbook to start from
    Init(Init),
    /// Find every mistake of a runbook, a site list and an estate; changes nothing
    Check(Check),
    /// Draw the steps of a runbook
    Graph(Graph),
    /// Print the JSON Schema of runbooks, estate files or drill files, for editors
    Schema(Schema),
    /// Show what a run would do, with its hash; changes nothing
    Plan(PlanCommand),
    /// Forecast a run before its first step: how long, what holds it back; changes nothing
    Simulate(Simulate),
    /// Show who would be told what by messages to the sites' contacts; sends nothing
    Messages(Messages),
    /// Restore the sites
    Run(RunCommand),
    /// Go on with a run that was interrupted
    Resume(Resume),
    /// Follow a run on a full screen and steer it: approve, pause, retry
    #[command(long_about = WATCH)]
    Watch(OfRun),
    /// Change the runbook of a run for what has not started; shows the difference first
    Amend(Amend),
    /// Show how far a run is
    Status(OfRun),
    /// List runs, newest first, or delete those that are over
    Runs(Runs),
    /// List the sites of a run with their states
    Sites(SitesOf),
    /// Say what a site or a step waits for
    Why(Why),
    /// Print the events of a run, or what the attempts of a unit did and printed
    Logs(Logs),
    /// Report on a run: outcome, batches, times, exceptions
    Report(ReportCommand),
    /// List what waits for approval, and who may give it
    Approvals(OfRun),
    /// Approve what waits: `start`, `batch-2`, or STEP/KEY
    Approve(Approve),
    /// Reject what waits for approval
    Reject(GateVerb),
    /// Start nothing new; what runs finishes, and the clocks of the objectives go on
    Pause(Verb),
    /// Let a paused run go on
    Continue(Verb),
    /// Start nothing new and end the run; with --undo, take back what it did
    Cancel(Cancel),
    /// Try again: a site, a unit, or all quarantined sites
    Retry(Retry),
    /// Settle a step as not to be done: it counts as done, shown as degraded
    Skip(UnitVerb),
    /// Settle a step as done by hand
    MarkDone(MarkDone),
    /// Say what is true of a unit in doubt
    Resolve(Resolve),
    /// Take a site out of the run; the others go on
    Quarantine(SiteVerb),
    /// Leave a site out before anything of it has started
    Exclude(SiteVerb),
    /// Let a site go, for another run to adopt
    Release(SiteVerb),
    /// Take a site in that another run has released; what was done there is checked again
    Adopt(Adopt),
    /// Take back what was done for a site, the last step first
    Undo(SiteVerb),
    /// Change a pool while the run goes on
    #[command(subcommand)]
    Pool(Pool),
    /// Prove a runbook in a sandbox, over a sample of sites, on a schedule
    #[command(subcommand)]
    Drill(Drill),
    /// Serve runs to browsers and programs, and drive them
    Serve(Serve),
    /// Execute attempts for the runs of a store, beside the data: those whose steps have `runs_on` with its labels
    Worker(WorkerArgs),
    /// List the workers that live
    Workers(Stored),
    /// Who may use the daemon
    #[command(subcommand)]
    Token(TokenCommand),
    /// Whether what was recorded is what was written, of a run and of the daemon
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Copy runs between stores
    #[command(subcommand)]
    Store(StoreCommand),
    /// Look at one tenant of a shared PostgreSQL database
    #[command(subcommand)]
    Tenant(Tenant),
    /// Build, damage, serve and compare a model estate
    #[command(subcommand)]
    Lab(Lab),
    /// Delete 883 sites in a lab and bring them back
    Demo(Demo),
    /// Measure
    #[command(subcommand)]
    Bench(Bench),
    /// Explain: a page of the guide, an error code, or a command
    Help(Help),
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// File to write; refuses to overwrite one
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The runbook
    pub(crate) runbook: PathBuf,
    /// Site list, CSV or JSON; `-` for standard input
    #[arg(long)]
    pub(crate) sites: Option<PathBuf>,
    /// Estate file
    #[arg(long)]
    pub(crate) estate: Option<PathBuf>,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t = FindingFormat::Text)]
    pub(crate) format: FindingFormat,
    /// Also ask the estate, reading only, whether the plan can work: connections, files, restore points, space
    #[arg(long, requires_all = ["sites", "estate"])]
    pub(crate) preflight: bool,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FindingFormat {
    /// Excerpts for people.
    Text,
    /// A JSON array.
    Json,
    /// Annotations of GitHub Actions.
    Github,
}

#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// The runbook
    pub(crate) runbook: PathBuf,
    /// Form of the drawing
    #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
    pub(crate) format: GraphFormat,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Kind of file
    #[arg(value_enum, default_value_t = SchemaOf::Runbook)]
    pub(crate) of: SchemaOf,
}

/// Kinds of files that have a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// A runbook.
    Runbook,
    /// An estate file.
    Estate,
    /// A drill file.
    Drill,
    /// The sign-in file of the daemon.
    Oidc,
}

/// Form of a drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Layers of steps.
    Text,
    /// Mermaid flowchart.
    Mermaid,
    /// Graphviz.
    Dot,
    /// A picture.
    Svg,
}

/// What a plan is made of.
#[derive(Debug, Args)]
pub(crate) struct Planned {
    /// The runbook
    pub(crate) runbook: PathBuf,
    /// Site list, CSV or JSON; `-` for standard input
    #[arg(long)]
    pub(crate) sites: PathBuf,
    /// Estate file: connections, variables, secret references
    #[arg(long)]
    pub(crate) estate: PathBuf,
    /// Value of an input of the runbook; may be repeated
    #[arg(long = "input", value_name = "NAME=VALUE")]
    pub(crate) inputs: Vec<String>,
    /// Leave a site of the list out, with the reason; may be repeated
    #[arg(long = "exclude", value_name = "SITE=REASON")]
    pub(crate) exclude: Vec<String>,
    /// Go without the passed drill that the estate demands, for this reason; a second person must approve the start
    #[arg(long, value_name = "REASON")]
    pub(crate) uncertified: Option<String>,
}

/// Where runs are recorded.
#[derive(Clone, Debug, Args)]
pub(crate) struct Stored {
    /// Where runs are recorded: sqlite:PATH, or postgres://USER@HOST/DATABASE for drivers on several hosts
    // The value may hold a password, so the help does not show it.
    #[arg(
        long,
        env = "REINSTATE_STORE",
        default_value = "sqlite:reinstate.db",
        value_name = "ADDRESS",
        hide_env_values = true
    )]
    pub(crate) store: StoreAddress,
}

#[derive(Debug, Args)]
pub(crate) struct PlanCommand {
    #[command(flatten)]
    pub(crate) planned: Planned,
    #[command(flatten)]
    pub(crate) optimise: Optimise,
    /// Also ask the estate, reading only, whether the plan can work: connections, files, restore points, space
    #[arg(long)]
    pub(crate) preflight: bool,
    /// File to write the plan to, for `run --plan-file`
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Take times, refusals and conditions as measured in this run
    #[arg(long, value_name = "NAME")]
    pub(crate) from_run: Option<String>,
    #[command(flatten)]
    pub(crate) stored: Stored,
    /// Name for the run (not needed to plan)
    #[arg(long)]
    pub(crate) run: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// The runbook
    pub(crate) runbook: PathBuf,
    /// Site list, CSV or JSON; `-` for standard input
    #[arg(long)]
    pub(crate) sites: PathBuf,
    /// Estate file; not needed by a runbook that reads nothing of it
    #[arg(long)]
    pub(crate) estate: Option<PathBuf>,
    /// Value of an input of the runbook; may be repeated
    #[arg(long = "input", value_name = "NAME=VALUE")]
    pub(crate) inputs: Vec<String>,
    /// Drawings of the steps' durations; by default 9, fewer for large plans
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) seeds: Option<u32>,
    /// Seed of the first drawing; the same seed gives the same forecast
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub(crate) seed: u64,
    /// Slots of a pool instead of the runbook's; may be repeated
    #[arg(long = "pool", value_name = "NAME=N")]
    pub(crate) pools: Vec<String>,
    /// Sizes of batches instead of the runbook's: `1,10,10%,rest`
    #[arg(long, value_name = "SIZES")]
    pub(crate) batches: Option<String>,
    /// Take times, refusals and conditions as measured in this run
    #[arg(long, value_name = "NAME")]
    pub(crate) from_run: Option<String>,
    #[command(flatten)]
    pub(crate) optimise: Optimise,
    #[command(flatten)]
    pub(crate) stored: Stored,
}

#[derive(Debug, Args)]
pub(crate) struct RunCommand {
    #[command(flatten)]
    pub(crate) planned: Planned,
    #[command(flatten)]
    pub(crate) stored: Stored,
    /// Name of the run; by default the runbook's name and the time
    #[arg(long)]
    pub(crate) run: Option<String>,
    /// Hash of the plan that was looked at (`reinstate plan`); refuses if anything changed since
    #[arg(long, value_name = "HASH", conflicts_with = "yes")]
    pub(crate) plan: Option<String>,
    /// Plan as `reinstate plan --output` wrote it: its order is taken, all else must still be as it was
    #[arg(long, value_name = "FILE")]
    pub(crate) plan_file: Option<PathBuf>,
    /// Run without having looked at the plan
    #[arg(long)]
    pub(crate) yes: bool,
    /// The number of sites, typed back: asked for above the number that the estate file guards
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u32>,
    /// Do not ask the estate first whether the plan can work; what cannot then fails on the way
    #[arg(long)]
    pub(crate) no_preflight: bool,
    /// Leave sites out for now that another run holds; `adopt` brings them in
    #[arg(long)]
    pub(crate) skip_held: bool,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// Name of the run
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) stored: Stored,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct OfRun {
    /// Name of the run
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) stored: Stored,
}

#[derive(Debug, Args)]
pub(crate) struct SitesOf {
    #[command(flatten)]
    pub(crate) of: OfRun,
    /// Only sites in this state: waiting, restoring, undoing, returned, degraded, quarantined, undone, excluded, released
    #[arg(long)]
    pub(crate) state: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Why {
    /// Name of the run
    pub(crate) name: String,
    /// ID of a site, or name of a step
    pub(crate) subject: String,
    #[command(flatten)]
    pub(crate) stored: Stored,
}
