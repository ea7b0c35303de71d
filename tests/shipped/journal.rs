//! What a run's journal says, and a journal that ends earlier.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use engine::{Event, Mode, UnitIx};
use sqlx::Connection;

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Number of its group.
    pub group: u64,
    /// `started`, `succeeded`, `refused` or `in-doubt`.
    pub event: &'static str,
    pub step: String,
    /// The unit: `STEP/KEY` or `STEP/KEY/ITEM`.
    pub unit: String,
    pub mode: Mode,
}

impl Seen {
    pub fn is(&self, event: &str, step: &str, mode: Mode) -> bool {
        self.event == event && self.step == step && self.mode == mode
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Reads the attempts of a run, in order.
pub fn seen(store: &Path, name: &str) -> Vec<Seen> {
    block_on(async {
        let journal = store::open(&format!("sqlite:{}", store.display())).await.unwrap();
        let mut groups = Vec::new();
        for group in journal.load(name, 0, u32::MAX).await.unwrap() {
            let records = engine::decode_group(&group.bytes).unwrap().records;
            groups.extend(std::iter::repeat_n(group.seq, records.len()));
        }
        let (mut all, mut modes, mut next) = (Vec::new(), HashMap::<UnitIx, Mode>::new(), groups.into_iter());
        let _ = runtime::recover(&*journal, name, |run, record| {
            let group = next.next().expect("as many records as there are in the groups");
            let unit = match &record.event {
                Event::Started { unit, mode, .. } => {
                    modes.insert(*unit, *mode);
                    *unit
                }
                Event::Succeeded { unit, .. } | Event::Refused { unit, .. } | Event::InDoubt { unit, .. } => *unit,
                _ => return,
            };
            let mode = modes[&unit];
            let unit = run.unit_name(unit);
            let step = unit.split('/').next().unwrap_or_default().to_owned();
            all.push(Seen { group, event: record.event.name(), step, unit, mode });
        })
        .await
        .unwrap();
        all
    })
}

/// The steps of which an attempt in this mode ended so.
pub fn steps(seen: &[Seen], event: &str, mode: Mode) -> BTreeSet<String> {
    seen.iter().filter(|one| one.event == event && one.mode == mode).map(|one| one.step.clone()).collect()
}

/// Takes away what a journal holds after a group: the world is ahead of it, as after a kill.
pub fn cut_after(store: &Path, name: &str, group: u64) {
    block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(store);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        const CUT: &str =
            "delete from groups where id >> 40 = (select id from runs where name = $1) and id & 0xffffffffff > $2";
        let group = i64::try_from(group).unwrap();
        sqlx::query(CUT).bind(name).bind(group).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}
