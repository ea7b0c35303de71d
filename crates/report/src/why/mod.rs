//! Why something does not go on, in sentences: the answer to "what is it waiting for?".

mod approval;
mod node;
mod pool;
mod reason;
mod site;
mod step;

use engine::{KeyIx, Millis, Run, SiteIx, Status};

use crate::typed::Typed;

/// Neither a site nor a step of the run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no site and no step of this run is called `{subject}`")]
pub struct NoSuchSubject {
    /// What was asked for.
    pub subject: String,
}

/// Says why a site or a step does not go on, or that it does; one sentence an entry.
///
/// `subject` is the ID of a site, else the name of a step, else `step/key` (`recover/shard-03`), with an item or without.
/// `now` dates what is in flight, `typed` writes the commands that people can type. Control characters of names are not
/// written out here: that is up to who shows the sentences. The cost is that of the run's units at most.
///
/// # Errors
/// If the run has no such site or step.
pub fn why(run: &Run, subject: &str, now: Millis, typed: &Typed) -> Result<Vec<String>, NoSuchSubject> {
    let plan = run.plan();
    let asked = Asked { run, now, typed };
    let mut lines = of_run(&asked);
    if let Some(site) = plan.spec().sites.ids.iter().position(|id| id == subject) {
        lines.extend(site::of_site(&asked, SiteIx::from(site)));
        return Ok(lines);
    }
    let step_named = |name: &str| plan.steps().find(|&step| plan.step(step).name == name);
    if let Some(step) = step_named(subject) {
        lines.extend(step::of_step(&asked, step));
        return Ok(lines);
    }
    if let Some(left_out) = plan.spec().extras.excluded.iter().find(|site| site.id == subject) {
        lines.push(format!("site {} is left out by the plan: {}", left_out.id, left_out.reason));
        return Ok(lines);
    }
    let node = subject.split_once('/').and_then(|(step, key)| {
        let step = step_named(step)?;
        let scope = plan.step(step).scope;
        let named = |key: &str| (0..plan.key_count(scope)).map(KeyIx).find(|&ix| plan.key_name(scope, ix) == key);
        let key = named(key).or_else(|| key.rsplit_once('/').and_then(|(key, _)| named(key)))?;
        Some(plan.node(step, key))
    });
    let node = node.ok_or_else(|| NoSuchSubject { subject: subject.to_owned() })?;
    lines.extend(node::of_node(&asked, node));
    Ok(lines)
}

/// What is asked about, as of when, and how its commands are typed.
struct Asked<'a> {
    run: &'a Run,
    now: Millis,
    typed: &'a Typed,
}

fn of_run(asked: &Asked<'_>) -> Vec<String> {
    match asked.run.status() {
        Status::New => vec!["the run has not been opened yet".to_owned()],
        Status::Running => Vec::new(),
        Status::Paused { actor, reason } => {
            let command = asked.typed.go_on();
            vec![format!("the run is paused by {actor}: {reason}; nothing new starts until it is continued: {command}")]
        }
        Status::Aborting => vec!["the run is aborting; what is in flight finishes, nothing new starts".to_owned()],
        Status::Cancelling => {
            vec!["the run is being cancelled; what is in flight finishes, nothing new starts".to_owned()]
        }
        Status::Unwinding => vec!["the run is being taken back, the last steps first".to_owned()],
        Status::Closing => vec!["everything else is over, only `finally` is left".to_owned()],
        Status::Ended(_) => vec!["the run has ended; nothing of it goes on".to_owned()],
    }
}
