#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]
use reinstate_connectors::postgres::{Guard, Job, Scope, restore};
#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let tenants: Vec<String> = std::fs::read_to_string(&args[3]).unwrap().lines().map(str::to_owned).collect();
    let job = Job {
        from: args[1].clone(),
        to: args[2].clone(),
        scope: Scope { root: "tenants".into(), ..Scope::default() },
        tenants,
        on_conflict: Default::default(),
        connections: args[4].parse().unwrap(),
        lock_timeout: std::time::Duration::from_secs(5),
        guard: Guard::default(),
        run: "try".into(),
        key: "try".into(),
        token: 1,
    };
    let t = std::time::Instant::now();
    let out = restore(&job).await;
    let s = t.elapsed().as_secs_f64();
    match out {
        Err(e) => println!("{e} {}", e.hint()),
        Ok(out) => {
            let rows: u64 = out.tenants.iter().filter_map(|o| o.result.as_ref().ok()).map(|r| r.rows).sum();
            for o in out.tenants.iter().filter(|o| o.result.is_err()).take(3) {
                println!("{:?}", o);
            }
            println!(
                "{} tenants, {} failed, {rows} rows in {s:.2} s: {:.0} rows/s",
                out.tenants.len(),
                out.tenants.iter().filter(|o| o.result.is_err()).count(),
                rows as f64 / s
            );
        }
    }
}
