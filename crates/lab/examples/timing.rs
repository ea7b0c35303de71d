//! Times build, damage and diff of a lab of the default size, in a folder given as argument; `postgres` and a number of
//! rows may follow it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::Instant;

use reinstate_lab as lab;

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let dir = std::path::PathBuf::from(&args[1]);
    let backend = if args.iter().any(|arg| arg == "postgres") { lab::Backend::Postgres } else { lab::Backend::Sqlite };
    let rows = args.get(3).map_or(0, |rows| rows.parse().unwrap());
    let start = Instant::now();
    let options = lab::BuildOptions { backend, rows, ..lab::BuildOptions::default() };
    let built = lab::build(&dir, &options).await.unwrap();
    println!("build {:?}: {}", start.elapsed(), serde_json::to_string(&built).unwrap());
    let start = Instant::now();
    let damaged = lab::damage(&dir, &lab::DamageOptions::default()).await.unwrap();
    println!("damage {:?}: {}", start.elapsed(), serde_json::to_string(&damaged).unwrap());
    let start = Instant::now();
    let diff = lab::diff(&dir).await.unwrap();
    println!("diff {:?}: {} different, {} bystanders", start.elapsed(), diff.sites_different, diff.bystanders_changed);
}
