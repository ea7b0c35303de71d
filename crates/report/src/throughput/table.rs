//! A row for every counted run, for spreadsheets.

use std::fmt::Write as _;

use crate::forecast::Spent;
use crate::throughput::data::Throughput;

/// Renders the counted runs as CSV with a heading; times in seconds, `waited_POOL_s` summed over all units.
#[must_use]
pub fn render_throughput_csv(it: &Throughput) -> String {
    let mut csv = String::from(
        "sites,batch,pools,workers,repeat,returned,compared,makespan_s,lower_bound_s,sites_per_hour,rows,rows_per_s,bytes,mb_per_s,\
         batches,batch_median_s,connectors_on_chain_s,pools_on_chain_s,engine_on_chain_s,retry_on_chain_s,soak_on_chain_s,\
         other_on_chain_s,connectors_s,engine_s,idle_s,journal_s,commits,cpu,own_cpu",
    );
    for pool in &it.setup.pools {
        let _ = write!(csv, ",{}", field(&format!("waited_{}_s", pool.name)));
    }
    csv.push('\n');
    for run in &it.runs {
        let time = &run.time;
        let chain = |spent: Spent| time.chain.iter().filter(|part| part.spent == spent).map(|part| part.s).sum::<f64>();
        let batch = crate::throughput::cells::middle(run.batches.iter().map(|batch| batch.wall_s)).median;
        let _ = write!(
            csv,
            "{},{},{},{},{},{},{},{:.3},{:.3},{:.1},{},{:.1},{},{:.3},{},{batch:.3}",
            run.cell.sites,
            run.cell.batch,
            field(&run.cell.pools),
            run.cell.workers,
            run.repeat,
            run.returned,
            run.compared,
            time.makespan_s,
            time.lower_bound_s,
            run.sites_per_hour,
            run.rows,
            run.rows_per_s,
            run.bytes,
            run.mb_per_s,
            run.batches.len(),
        );
        for spent in [Spent::Connector, Spent::Pool, Spent::Engine, Spent::Retry, Spent::Soak, Spent::Other] {
            let _ = write!(csv, ",{:.3}", chain(spent));
        }
        let share = |share: Option<f64>| share.map_or_else(String::new, |share| format!("{share:.3}"));
        let (cpu, own) = (share(run.cpu), share(run.own_cpu));
        let _ = write!(
            csv,
            ",{:.3},{:.3},{:.3},{:.3},{},{cpu},{own}",
            time.connectors_s, time.engine_s, time.idle_s, run.journal_s, run.commits
        );
        for pool in &it.setup.pools {
            let waited = time.pools.iter().find(|wait| wait.pool == pool.name).map_or(0.0, |wait| wait.s);
            let _ = write!(csv, ",{waited:.3}");
        }
        csv.push('\n');
    }
    csv
}

/// Text in a field, quoted where it must be.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
