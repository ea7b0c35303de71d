//! `run` and `resume`.

use std::sync::Arc;

use engine::{Plan, Run, Status};
use runtime::{Clock, DriveEnd, Store, SystemClock};
use serde_json::json;
use server::certificate::demanded;

use crate::args::{Resume, RunCommand, Waiting};
use crate::execute::drive_run;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{out, people, plan_file, planning, signals};

/// Plans, records and drives a run.
pub(crate) async fn run(args: RunCommand, json: bool) -> Result<Exit, Failure> {
    let plan = match planning::plan(&args.planned, json)? {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    let plan = match &args.plan_file {
        Some(file) => plan_file::ordered_as(&*plan_file::read(file)?, &plan)?,
        None => plan,
    };
    agreed(&args, &plan)?;
    counted(&args, &plan)?;
    if !args.no_preflight && !passes(&plan, json).await? {
        return Ok(Exit::BadInput);
    }
    let journal = args.stored.store.open().await?;
    let guard = planning::guard(&args.planned.estate)?;
    demanded(&*journal, &plan, guard.as_ref(), SystemClock.now()).await?;
    let name = args.run.clone().unwrap_or_else(|| server::default_run_name(&plan, SystemClock.now()));
    name_is_usable(&name)?;
    server::create_run(&*journal, &name, &plan, &people::actor(), args.skip_held).await?;
    go(&journal, &name, &args.stored.store.to_string(), &args.waiting, json).await
}

/// Asks the estate, before anything is recorded or changed, whether the plan can work; tells what is not well.
async fn passes(plan: &Plan, json: bool) -> Result<bool, Failure> {
    let preflight = planning::preflight(plan).await?;
    if preflight.passes() {
        if !json {
            out::note(&preflight.text(false));
        }
        return Ok(true);
    }
    if json {
        out::json(&json!({ "preflight": preflight.view() }));
    } else {
        out::note(&preflight.text(false));
        out::note("nothing was changed; put it right, or run with `--no-preflight` and let it fail where it must");
    }
    Ok(false)
}

/// Above the size that the estate guards, the number of sites must be typed back.
fn counted(args: &RunCommand, plan: &Plan) -> Result<(), Failure> {
    let sites = plan.site_count();
    let guarded = planning::guard(&args.planned.estate)?.is_some_and(|guard| guard.guards(sites as usize));
    if !guarded {
        return Ok(());
    }
    let typed = match args.count {
        Some(count) => Some(count),
        None => {
            out::asked(&format!("This run changes {sites} sites of {}. Type that number: ", plan.spec().origin.estate))
                .and_then(|text| text.trim().parse().ok())
        }
    };
    if typed == Some(sites) {
        return Ok(());
    }
    Err(Failure::input(
        "count-not-typed",
        match typed {
            Some(typed) => format!("the plan has {sites} sites, not {typed}"),
            None => format!("a run over {sites} sites needs their number typed back"),
        },
        "look at `reinstate plan`, and give the number it shows with `--count`",
    ))
}

/// Goes on with a run.
pub(crate) async fn resume(args: Resume, json: bool) -> Result<Exit, Failure> {
    let journal = args.stored.store.open().await?;
    go(&journal, &args.name, &args.stored.store.to_string(), &args.waiting, json).await
}

/// A run changes the estate, so somebody must have seen its plan or said that they need not.
fn agreed(args: &RunCommand, plan: &Plan) -> Result<(), Failure> {
    match &args.plan {
        Some(hash) if server::planning::means_plan(hash, plan.hash()) => Ok(()),
        Some(hash) => Err(Failure::input(
            "plan-changed",
            match &args.plan_file {
                Some(file) => format!("the plan of {} is {}, not {hash}", file.display(), plan.hash()),
                None => {
                    format!("the plan is now {}, not {hash}: runbook, sites, estate or inputs changed", plan.hash())
                }
            },
            match args.plan_file {
                Some(_) => "give the hash that `reinstate plan` showed with the file (at least 8 characters)",
                None => {
                    "look at the new plan with `reinstate plan`, and give its hash (at least 8 characters); a plan whose \
                     order was searched for needs its file too: `--plan-file`"
                }
            },
        )),
        None if args.yes => Ok(()),
        None => Err(Failure::input(
            "plan-not-agreed",
            format!("this would change {} sites", plan.site_count()),
            format!("look at `reinstate plan`, then give `--plan {}`, or `--yes` to do without", &plan.hash()[..16]),
        )),
    }
}

fn name_is_usable(name: &str) -> Result<(), Failure> {
    if server::is_run_name(name) {
        return Ok(());
    }
    Err(Failure::input(
        "run-name",
        format!("`{}` cannot be the name of a run", name.escape_debug()),
        "use 1 to 100 letters, digits, `-`, `_` and `.`, starting with a letter or digit",
    ))
}

async fn go(journal: &Arc<dyn Store>, name: &str, store: &str, waiting: &Waiting, json: bool) -> Result<Exit, Failure> {
    let mut progress = Progress::new(json, false);
    let stop = signals::stop();
    if !json {
        out::note(&format!("run {name}: if it is interrupted, `reinstate resume {name} --store {store}` goes on"));
    }
    let (end, run) = drive_run(journal, name, &mut progress, stop, waiting).await?;
    let differing = differing(&**journal, name, &run, end).await?;
    tell(&run, name, store, end, differing, json);
    Ok(match Exit::of_drive(end) {
        // Every step succeeded, and yet the sites are not what they should be.
        Exit::Done if differing > 0 => Exit::Exceptions,
        exit => exit,
    })
}

/// Sites of a run that has ended whose stores do not stand at one point in time.
async fn differing(journal: &dyn Store, name: &str, run: &Run, end: DriveEnd) -> Result<u32, Failure> {
    if !matches!(end, DriveEnd::Ended(_)) || run.plan().spec().sites.restore_points.is_empty() {
        return Ok(0);
    }
    let fold = crate::commands::report::fold(journal, name).await?;
    Ok(fold.audit().map_or(0, |audit| audit.differing))
}

/// Says how it went, and what can be done next.
fn tell(run: &Run, name: &str, store: &str, end: DriveEnd, differing: u32, json: bool) {
    let tally = run.tally();
    let plan = run.plan();
    let seconds = run.opened_at().map_or(0, |from| run.now() - from) as f64 / 1_000.0;
    let next = match next_move(run, name, store, end) {
        None if differing > 0 => Some(format!("reinstate report {name} --store {store}")),
        next => next,
    };
    if json {
        out::json(&json!({
            "run": name, "plan": plan.hash(), "end": word(end), "sites": plan.site_count(),
            "returned": tally.returned, "degraded": tally.degraded, "quarantined": tally.quarantined,
            "not_restored": tally.waiting + tally.restoring, "wall_s": seconds, "next": next,
            "restore_points_differ": differing,
        }));
        return;
    }
    out::answer(&format!(
        "run {name} {}: {} of {} sites returned, {} degraded, {} quarantined, {} not restored, in {seconds:.1} s",
        word(end),
        tally.returned,
        plan.site_count(),
        tally.degraded,
        tally.quarantined,
        tally.waiting + tally.restoring,
    ));
    if differing > 0 {
        let (sites, their) = if differing == 1 { ("site", "its") } else { ("sites", "their") };
        out::answer(&format!("  {differing} {sites} with stores that DISAGREE about {their} restore point"));
    }
    if let Some(next) = next {
        out::answer(&format!("  next: {next}"));
    }
}

fn next_move(run: &Run, name: &str, store: &str, end: DriveEnd) -> Option<String> {
    match end {
        DriveEnd::Ended(engine::RunEnd::Succeeded) => None,
        DriveEnd::Ended(_) => Some(format!("reinstate report {name} --store {store}")),
        DriveEnd::Stopped => Some(format!("reinstate resume {name} --store {store}")),
        DriveEnd::WaitsForOperator => Some(match run.status() {
            Status::Paused { actor, reason } => format!(
                "paused by {actor}: {reason}; look at `reinstate report {name} --store {store}`, then `reinstate \
                 continue {name} --reason ... --store {store}` and `reinstate resume {name} --store {store}`"
            ),
            _ if run.for_operator().next().is_some() => rule_hint(run, name, store),
            _ => format!(
                "people must decide: `reinstate approvals {name} --store {store}` says who and what to type, then \
                 `reinstate resume {name} --store {store}`"
            ),
        }),
    }
}

/// What an operator types for the units that wait for a ruling, with the first of them as the example.
pub(crate) fn rule_hint(run: &Run, name: &str, store: &str) -> String {
    let mut waiting = run.for_operator();
    let first = waiting.next().map_or_else(String::new, |unit| run.unit_name(unit));
    let more = match waiting.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "{first}{more} wait for you (`reinstate why {name} {first}` says why): `reinstate resolve {name} {first} \
         done|not-done|give-up --reason ... --store {store}`, then `reinstate resume {name} --store {store}`"
    )
}

fn word(end: DriveEnd) -> &'static str {
    match end {
        DriveEnd::Ended(engine::RunEnd::Succeeded) => "succeeded",
        DriveEnd::Ended(engine::RunEnd::SucceededWithExceptions) => "succeeded with exceptions",
        DriveEnd::Ended(engine::RunEnd::Failed) => "failed",
        DriveEnd::Ended(engine::RunEnd::Cancelled) => "cancelled",
        DriveEnd::WaitsForOperator => "waits for an operator",
        DriveEnd::Stopped => "was stopped",
    }
}
