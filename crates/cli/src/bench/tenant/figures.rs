//! What was measured, as data.

use serde::Serialize;

use super::traffic::Felt;

/// Everything that `bench tenant` tells.
#[derive(Debug, Default, Serialize)]
pub(crate) struct TenantFigures {
    /// Rows a second of ours divided by those of the others: more is better.
    pub(crate) vs_hand: Option<f64>,
    pub(crate) vs_plain_copy: Option<f64>,
    pub(crate) vs_ceiling: Option<f64>,
    /// What a site of fewer than 200 rows adds to a restore on one connection: two runs of different size are compared.
    pub(crate) small_site_ms: Option<f64>,
    pub(crate) small_site_hand_ms: Option<f64>,
    /// CPU time of it, of both servers and the client: what stays when others use the machine.
    pub(crate) small_site_cpu_ms: Option<f64>,
    pub(crate) small_site_hand_cpu_ms: Option<f64>,
    /// How many such sites there were.
    pub(crate) small_sites: usize,
    /// Share of our connections' time in which rows were read back and compared.
    pub(crate) verify_share: Option<f64>,
    pub(crate) rows_per_s: Option<f64>,
    /// Tenants in use, 99th percentile while ours restored under its limit.
    pub(crate) live_p99_ms: Option<f64>,
    /// Sites that were deleted and restored.
    pub(crate) sites: usize,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) connections: usize,
    pub(crate) cores: usize,
    pub(crate) contenders: Contenders,
    pub(crate) live: Option<Live>,
    pub(crate) cost_flat: Vec<Flat>,
}

/// Who was measured; the median of the repetitions.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Contenders {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ours: Option<Timed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hand: Option<Timed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plain: Option<Timed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ceiling: Option<Timed>,
}

/// One contender's restore of all sites.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Timed {
    pub(crate) wall_s: f64,
    pub(crate) rows_per_s: f64,
    /// CPU time of the live server, of the backup's, of the client, and of everything else on this machine meanwhile.
    pub(crate) live_cpu_s: f64,
    pub(crate) backup_cpu_s: f64,
    pub(crate) client_cpu_s: f64,
    pub(crate) others_cpu_s: f64,
    /// WAL that the live server wrote, in bytes.
    pub(crate) wal_bytes: u64,
    /// What held it up: `server CPU`, `client CPU`, `others on this machine` or `waiting (disk, locks, round trips)`.
    pub(crate) limited_by: &'static str,
    /// Time in which rows were read back and compared, summed over the connections; ours alone can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verify_s: Option<f64>,
}

impl Timed {
    /// CPU time of both servers and the client, in seconds.
    pub(crate) fn cpu_s(&self) -> f64 {
        self.live_cpu_s + self.backup_cpu_s + self.client_cpu_s
    }

    /// Says what most of the time was spent on.
    pub(crate) fn limit(mut self, cores: usize) -> Self {
        let machine = self.wall_s * cores as f64;
        let (server, all) =
            (self.live_cpu_s + self.backup_cpu_s, self.live_cpu_s + self.backup_cpu_s + self.client_cpu_s);
        self.limited_by = if all >= 0.8 * machine || server >= 0.8 * machine {
            "server CPU"
        } else if self.client_cpu_s >= 0.8 * self.wall_s {
            "client CPU"
        } else if all + self.others_cpu_s >= 0.9 * machine {
            "others on this machine"
        } else {
            "waiting (disk, locks, round trips)"
        };
        self
    }
}

/// What tenants in use felt.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Live {
    pub(crate) tx_per_s: u32,
    pub(crate) limit_ms: f64,
    pub(crate) before: Felt,
    pub(crate) unlimited: Felt,
    pub(crate) unlimited_rows_per_s: f64,
    pub(crate) limited: Felt,
    pub(crate) limited_rows_per_s: f64,
    /// What the restore itself heard, and how often it slowed down.
    pub(crate) heard_p99_ms: f64,
    pub(crate) slowed_down: u64,
}

/// What a row cost in a data set of its own with so many sites.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Flat {
    pub(crate) sites: usize,
    pub(crate) rows: u64,
    pub(crate) us_per_row: f64,
    /// CPU time of both servers and the client.
    pub(crate) cpu_us_per_row: f64,
}
