//! scratch
#![allow(clippy::print_stdout)]
use engine::*;
fn main() {
    let a = |u: &str| ActionSpec { uses: u.into(), summary: String::new(), input: serde_json::json!({"type":"object"}), output: serde_json::json!({"type":"object"}), idempotent: Idempotent::Always, has_probe: true, has_undo: false, read_only: false };
    let cat = vec![a("noop@1"), a("http/request@1")];
    let f = std::env::args().nth(1).unwrap_or_default();
    let s = reinstate_runbook::Source::new(f.clone(), std::fs::read_to_string(&f).unwrap_or_default());
    let t = std::time::Instant::now();
    let c = reinstate_runbook::check(&s, &cat);
    println!("{}", reinstate_runbook::render_text(&c.diagnostics, &s, false));
    println!("{:?} {} {:?}", c.runbook.is_some(), c.diagnostics.len(), t.elapsed());
}
