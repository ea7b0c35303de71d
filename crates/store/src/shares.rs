//! What a call for shares of pools comes to, from the rows that count; which rows do, each engine knows.

use runtime::engine::Millis;
use runtime::{Grant, Party, Want, fair_grant};
use sqlx::Error;

use crate::rows::Columns;

/// What a call comes to.
pub(crate) struct Weighed<'a> {
    pub(crate) run: i64,
    pub(crate) grants: Vec<Grant>,
    /// What changes, with what is held and wanted then.
    pub(crate) rows: Vec<(&'a Want, Party)>,
}

/// How the run stands that asks.
pub(crate) struct Asker {
    pub(crate) run: i64,
    pub(crate) expires_at: Millis,
    pub(crate) now: Millis,
}

/// The share of a run in a pool of the call.
pub(crate) struct Share {
    /// Place of the pool in the call, from 0.
    place: i64,
    run: i64,
    party: Party,
}

impl Share {
    /// Reads a row; `first` is the place of the first pool.
    pub(crate) fn of(row: &impl Columns, first: i64) -> Result<Self, Error> {
        // What does not fit was not written by us; the largest number grants the least.
        let number = |column: &str| row.number(column).map(|stored| u32::try_from(stored).unwrap_or(u32::MAX));
        let party =
            Party { limit: number("slots")?, held: number("held")?, want: number("want")?, unit: number("unit")? };
        Ok(Self { place: row.number("place")? - first, run: row.number("run")?, party })
    }
}

/// Weighs the live shares of the pools, which are ordered by place and run.
pub(crate) fn weigh<'a>(asker: &Asker, shares: &[Share], wants: &'a [Want]) -> Weighed<'a> {
    let run = asker.run;
    let mut weighed = Weighed { run, grants: Vec::with_capacity(wants.len()), rows: Vec::new() };
    if asker.expires_at <= asker.now {
        weighed.grants.resize(wants.len(), Grant { slots: 0, participants: 1 });
        return weighed;
    }
    let mut pools = shares.chunk_by(|one, next| one.place == next.place).peekable();
    for (want, place) in wants.iter().zip(0_i64..) {
        let pool = pools.next_if(|shares| shares.first().is_some_and(|share| share.place == place)).unwrap_or_default();
        let before = pool.iter().find(|share| share.run == run).map(|share| share.party);
        let mut asks =
            Party { limit: want.limit, held: want.used, want: want.want.min(want.limit.max(1)), unit: want.unit };
        let older = pool.iter().filter(|share| share.run < run).map(|share| share.party);
        let younger = pool.iter().filter(|share| share.run > run).map(|share| share.party);
        let me = older.clone().count();
        let parties: Vec<Party> = older.chain([asks]).chain(younger).collect();
        let grant = fair_grant(&parties, me, asker.now);
        weighed.grants.push(grant);
        asks.held = want.used.max(grant.slots);
        let nothing = asks.held == 0 && asks.want == 0;
        if before != Some(asks).filter(|_| !nothing) {
            weighed.rows.push((want, asks));
        }
    }
    weighed
}
