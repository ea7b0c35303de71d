//! The figures as a table for people.

use super::figures::{TenantFigures, Timed};

/// Writes the figures for people.
pub(crate) fn tenant_text(it: &TenantFigures) -> String {
    let mut text = format!(
        "{} deleted sites, {} rows, {:.0} MB, from a recovered copy into the live database; {} connections, {} cores\n\n\
         contender        rows/s   wall s  ours is   CPU s: live  backup  client  others   WAL MB  held up by\n",
        it.sites,
        it.rows,
        it.bytes as f64 / 1e6,
        it.connections,
        it.cores,
    );
    let all = &it.contenders;
    for (name, timed, ratio) in [
        ("ours", &all.ours, None),
        ("by hand", &all.hand, it.vs_hand),
        ("plain COPY", &all.plain, it.vs_plain_copy),
        ("ceiling", &all.ceiling, it.vs_ceiling),
    ] {
        if let Some(timed) = timed {
            text.push_str(&line(name, timed, ratio));
        }
    }
    if let Some(share) = it.verify_share {
        text.push_str(&format!("\nreading back and comparing took {:.0} % of our time", share * 100.0));
    }
    if let Some(ms) = it.small_site_ms {
        text.push_str(&format!(
            "\na site of fewer than 200 rows adds {ms:.1} ms ({:.1} ms of CPU), by hand {:.1} ms ({:.1} ms of CPU); {} sites, one \
             connection",
            it.small_site_cpu_ms.unwrap_or(f64::NAN),
            it.small_site_hand_ms.unwrap_or(f64::NAN),
            it.small_site_hand_cpu_ms.unwrap_or(f64::NAN),
            it.small_sites,
        ));
    }
    for flat in &it.cost_flat {
        text.push_str(&format!(
            "\n{:>6} sites with {} rows: {:.1} us a row, {:.1} us of CPU",
            flat.sites, flat.rows, flat.us_per_row, flat.cpu_us_per_row
        ));
    }
    if let Some(live) = &it.live {
        text.push_str(&format!(
            "\n\n{} transactions a second of tenants in use, ms    p50     p95     p99     max",
            live.tx_per_s
        ));
        for (name, felt, rows) in [
            ("before".to_owned(), live.before, None),
            ("restore without a limit".to_owned(), live.unlimited, Some(live.unlimited_rows_per_s)),
            (format!("restore, limit {} ms", live.limit_ms), live.limited, Some(live.limited_rows_per_s)),
        ] {
            text.push_str(&format!(
                "\n  {name:<42}{:>8.1}{:>8.1}{:>8.1}{:>8.1}",
                felt.p50_ms, felt.p95_ms, felt.p99_ms, felt.max_ms
            ));
            if let Some(rows) = rows {
                text.push_str(&format!("  at {rows:.0} rows/s"));
            }
        }
        text.push_str(&format!("\n  slowed down {} times", live.slowed_down));
    }
    text
}

fn line(name: &str, it: &Timed, ratio: Option<f64>) -> String {
    let ratio = ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2} x"));
    format!(
        "{name:<12}{:>11.0}{:>9.1}{ratio:>9}{:>14.1}{:>8.1}{:>8.1}{:>8.1}{:>9.0}  {}\n",
        it.rows_per_s,
        it.wall_s,
        it.live_cpu_s,
        it.backup_cpu_s,
        it.client_cpu_s,
        it.others_cpu_s,
        it.wal_bytes as f64 / 1e6,
        it.limited_by,
    )
}
