//! `lab`: the model estate.

use serde_json::json;

use crate::args::Lab;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{out, signals};

/// Carries a lab command out.
pub(crate) async fn lab(command: Lab, json: bool) -> Result<Exit, Failure> {
    match command {
        Lab::Build { dir, backend, sites, shards, rows, seed } => {
            let options = lab::BuildOptions {
                sites: sites as usize,
                shards: shards as usize,
                backend: backend.into(),
                rows,
                seed,
                ..Default::default()
            };
            let summary = lab::build(&dir, &options).await.map_err(|error| build_trouble(&error))?;
            answer(json, &summary, &format!("built a lab of {sites} sites on {shards} shards in {}", dir.display()));
            Ok(Exit::Done)
        }
        Lab::Damage { dir, sites } => {
            let summary = lab::damage(&dir, &lab::DamageOptions { sites: sites as usize, ..Default::default() })
                .await
                .map_err(|error| trouble(&error))?;
            let text = format!("deleted {sites} sites; they are listed in {}", dir.join("sites.csv").display());
            answer(json, &summary, &text);
            Ok(Exit::Done)
        }
        Lab::Serve { dir, live_writes } => serve(&dir, live_writes, json).await,
        Lab::Diff { dir } => {
            let diff = lab::diff(&dir).await.map_err(|error| trouble(&error))?;
            if json {
                out::json(&diff);
            } else {
                out::answer(&diff_text(&diff));
            }
            Ok(if diff.clean { Exit::Done } else { Exit::Differs })
        }
        Lab::Fingerprint { dir } => {
            let print = lab::fingerprint(&dir).await.map_err(|error| trouble(&error))?;
            answer(json, &print, &print_text(&print));
            Ok(Exit::Done)
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
    let served = lab::serve(dir, &options).await.map_err(|error| trouble(&error))?;
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
        "{}: {} sites equal, {} different, {} bystanders changed, {} effects applied twice",
        if diff.clean { "clean" } else { "NOT clean" },
        diff.sites_equal,
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
        lab::BuildError::Store(lab::StoreError::NoPostgres { program }) => Failure::trouble(
            "lab-no-postgres",
            &std::io::Error::other(format!("PostgreSQL's {program} is not installed")),
            "apt-get install postgresql, or build the lab with `--backend sqlite`",
        ),
        lab::BuildError::NotEmpty { .. } | lab::BuildError::Sizes { .. } | lab::BuildError::Rows { .. } => {
            Failure::input("lab", error.to_string(), "see `reinstate lab build --help`")
        }
        error => trouble(error),
    }
}

/// A trouble of the lab for people.
pub(crate) fn trouble(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::trouble("lab", error, "look at the folder of the lab; `lab build` makes a new one")
}
