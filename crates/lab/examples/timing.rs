//! Times build, damage and diff of a lab of the default size in a folder given as argument.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::Instant;

use reinstate_lab as lab;

#[tokio::main]
async fn main() {
    let dir = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let start = Instant::now();
    let built = lab::build(&dir, &lab::BuildOptions::default()).await.unwrap();
    println!("build {:?}: {}", start.elapsed(), serde_json::to_string(&built).unwrap());
    let start = Instant::now();
    let damaged = lab::damage(&dir, &lab::DamageOptions::default()).await.unwrap();
    println!("damage {:?}: {}", start.elapsed(), serde_json::to_string(&damaged).unwrap());
    let start = Instant::now();
    let diff = lab::diff(&dir).await.unwrap();
    println!("diff {:?}: {} different, {} bystanders", start.elapsed(), diff.sites_different, diff.bystanders_changed);
}
