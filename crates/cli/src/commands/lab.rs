//! `lab`: the model estate.

use serde_json::json;

use crate::args::Lab;
use crate::exit::Exit;
use crate::failure::{Failure, chain};
use crate::{out, signals};

/// Carries a lab command out.
pub(crate) async fn lab(command: Lab, json: bool) -> Result<Exit, Failure> {
    match command {
        Lab::Build { dir, backend, sites, shards, rows, seed, address } => {
            let options = lab::BuildOptions {
                sites: sites as usize,
                shards: shards as usize,
                backend: backend.into(),
                rows,
                seed,
                address,
                ..Default::default()
            };
            let summary = or_stopped(&dir, lab::build(&dir, &options)).await?.map_err(|error| build_trouble(&error))?;
            answer(json, &summary, &format!("built a lab of {sites} sites on {shards} shards in {}", dir.display()));
            Ok(Exit::Done)
        }
        Lab::Damage { dir, sites } => {
            let options = lab::DamageOptions { sites: sites as usize, ..Default::default() };
            let summary =
                or_stopped(&dir, lab::damage(&dir, &options)).await?.map_err(|error| trouble(error.code(), &error))?;
            let text = format!("deleted {sites} sites; they are listed in {}", dir.join("sites.csv").display());
            answer(json, &summary, &text);
            Ok(Exit::Done)
        }
        Lab::Serve { dir, live_writes } => serve(&dir, live_writes, json).await,
        Lab::Diff { dir } => {
            let diff = or_stopped(&dir, lab::diff(&dir)).await?.map_err(|error| trouble(error.code(), &error))?;
            if json {
                out::json(&diff);
            } else {
                out::answer(&diff_text(&diff));
            }
            Ok(if diff.clean { Exit::Done } else { Exit::Differs })
        }
        Lab::Fingerprint { dir } => {
            let print = lab::fingerprint(&dir).await.map_err(|error| trouble(error.code(), &error))?;
            answer(json, &print, &print_text(&print));
            Ok(Exit::Done)
        }
    }
}

/// Carries a work on a lab out unless a signal comes first; then no server that it started is left running.
async fn or_stopped<T>(dir: &std::path::Path, work: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::select! {
        done = work => Ok(done),
        () = signals::stop_token().cancelled_owned() => {
            lab::halt(dir).await.map_err(|error| trouble(error.code(), &error))?;
            let hint = "`lab build` makes a new lab; one that was only compared is as it was";
            Err(Failure::new(Exit::Stopped, "lab-stopped", "stopped by a signal before it was done", hint))
        }
    }
}

fn print_text(print: &lab::Fingerprint) -> String {
    let mut text = print.hash.clone();
    for lab::Print { store, table, rows, hash, .. } in &print.tables {
        text.push_str(&format!("\n{hash} {rows:>8} {store}.{table}"));
    }
    text
}

async fn serve(dir: &std::path::Path, live_writes: bool, json: bool) -> Result<Exit, Failure> {
    let options = lab::ServeOptions { live_writes, ..lab::ServeOptions::default() };
    let served = lab::serve(dir, &options).await.map_err(|error| trouble(error.code(), &error))?;
    if json {
        out::json(&json!({ "url": served.base_url() }));
    } else {
        out::answer(&format!("the lab's services are at {}; Ctrl-C stops them", served.base_url()));
    }
    signals::stop_token().cancelled().await;
    served.shutdown().await;
    Ok(Exit::Done)
}

/// The result of a comparison for people, bad news first.
pub(crate) fn diff_text(diff: &lab::Diff) -> String {
    let mut text = format!(
        "{}: {} sites equal{}, {} different, {} bystanders changed, {} effects applied twice",
        if diff.clean { "clean" } else { "NOT clean" },
        diff.sites_equal,
        if diff.sites_moved > 0 { format!(" ({} under a new ID)", diff.sites_moved) } else { String::new() },
        diff.sites_different,
        diff.bystanders_changed,
        diff.effects_applied_twice,
    );
    for difference in diff.differences.iter().take(20) {
        let lab::Difference { site, store, table, key, what, .. } = difference;
        text.push_str(&format!("\n  site {site}, {store}.{table} {key}: {what}"));
    }
    text
}

fn answer(json: bool, summary: &impl serde::Serialize, text: &str) {
    if json {
        out::json(summary);
    } else {
        out::answer(text);
    }
}

/// A lab that could not be built, for people.
pub(crate) fn build_trouble(error: &lab::BuildError) -> Failure {
    match error {
        lab::BuildError::Rows { .. } | lab::BuildError::Address { .. } => {
            let Failure { message, hint, .. } = trouble(error.code(), error);
            Failure::input(error.code(), message, hint)
        }
        error => trouble(error.code(), error),
    }
}

/// A trouble of the lab for people; what it knows to do about it is at the end of its text.
pub(crate) fn trouble(code: &'static str, error: &(dyn std::error::Error + 'static)) -> Failure {
    let text = chain(error);
    let (fact, hint) =
        text.split_once("; hint: ").unwrap_or((&text, "look at the folder of the lab; `lab build` makes a new one"));
    Failure::new(Exit::Trouble, code, fact, hint)
}
