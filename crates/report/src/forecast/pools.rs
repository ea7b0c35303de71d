//! What is kept of each instance of a pool while virtual time goes on: who held it, who waited for it, how long.

use engine::{KeyIx, Millis, Plan, PoolIx, Rate, Run, Scope, StepIx, UnitIx};

/// Every instance of every pool of a plan, pool by pool, within a pool key by key.
#[derive(Debug)]
pub(super) struct Pools {
    base: Vec<usize>,
    pub(super) rows: Vec<Instance>,
    /// Instances that worked for the batch that is open.
    touched: Vec<usize>,
}

/// One instance; times in milliseconds, work in milliseconds times slots.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) slots: Option<u32>,
    pub(super) rate: Option<Rate>,
    /// The last unit that gave slots back, and when.
    freed: (Millis, u32),
    /// The last unit that started.
    started: u32,
    pub(super) work: i128,
    pub(super) starts: u64,
    /// Earliest time at which any of its units could have started.
    pub(super) head: Millis,
    batch_work: i128,
    batch_starts: u64,
    /// Time that units waited for it, and how many did.
    pub(super) waited: i64,
    pub(super) waits: u64,
    /// Of those, how many waited for its rate.
    pub(super) rate_waits: u64,
}

/// Why a unit that was ready started when it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// A unit gave slots of this instance back.
    Slot(usize, UnitIx),
    /// The rate of this instance allowed it, after this unit's start.
    Rate(usize, UnitIx),
    /// It held a slot of this instance; who gave it back is not known.
    Somehow(usize),
    /// Nothing was in its way.
    Free,
}

const NOBODY: u32 = u32::MAX;

impl Pools {
    /// The instances as large as a run has them now.
    pub(super) fn new(run: &Run) -> Self {
        let plan = run.plan();
        let (mut base, mut rows) = (Vec::new(), Vec::new());
        let usage = run.pools();
        for pool in &plan.spec().pools {
            base.push(rows.len());
            for _ in 0..plan.key_count(pool.per.unwrap_or(Scope::Run)) {
                // What other runs leave of a shared pool changes; all of it is the most there can be.
                let now = usage.get(rows.len()).filter(|_| !pool.shared).map(|usage| usage.slots);
                rows.push(Instance {
                    slots: now.map_or(pool.slots, |slots| (slots != u32::MAX).then_some(slots)),
                    rate: pool.rate,
                    freed: (Millis::MIN, NOBODY),
                    started: NOBODY,
                    work: 0,
                    starts: 0,
                    head: Millis::MAX,
                    batch_work: 0,
                    batch_starts: 0,
                    waited: 0,
                    waits: 0,
                    rate_waits: 0,
                });
            }
        }
        Self { base, rows, touched: Vec::new() }
    }

    /// Pool and key of an instance.
    pub(super) fn pool_of(&self, instance: usize) -> (PoolIx, KeyIx) {
        let pool = self.base.partition_point(|&base| base <= instance).saturating_sub(1);
        // Pools without an instance share the base of the next one; the last of them is the owner.
        (PoolIx::from(pool), KeyIx(u32::try_from(instance - self.base[pool]).unwrap_or(u32::MAX)))
    }

    /// Instances whose slots an attempt of a unit holds, each with how many.
    pub(super) fn held_by(&self, run: &Run, unit: UnitIx) -> Vec<(usize, u32)> {
        let plan = run.plan();
        let Some((node, _)) = run.unit_at(unit) else { return Vec::new() };
        let (step, key) = plan.node_at(node);
        let spec = plan.step(step);
        let held = spec.pools.iter().filter_map(|held| {
            let per = plan.spec().pools[held.pool.ix()].per.unwrap_or(Scope::Run);
            let key = plan.covering_key(spec.scope, key, per)?;
            Some((self.base[held.pool.ix()] + key.ix(), held.slots))
        });
        held.collect()
    }

    /// Calls for each instance and number of slots that an attempt holds.
    fn each(&mut self, plan: &Plan, step: StepIx, key: KeyIx, mut call: impl FnMut(usize, u32, &mut Instance)) {
        let spec = plan.step(step);
        for held in &spec.pools {
            let per = plan.spec().pools[held.pool.ix()].per.unwrap_or(Scope::Run);
            if let Some(key) = plan.covering_key(spec.scope, key, per) {
                let at = self.base[held.pool.ix()] + key.ix();
                call(at, held.slots, &mut self.rows[at]);
            }
        }
    }

    /// A unit starts that has been ready for a time; `floor` is the earliest at which it could ever have.
    pub(super) fn start(
        &mut self,
        plan: &Plan,
        (step, key): (StepIx, KeyIx),
        unit: UnitIx,
        at: Millis,
        waited: Option<i64>,
        floor: Millis,
    ) -> Held {
        let mut held = Held::Free;
        self.each(plan, step, key, |ix, _, row| {
            row.head = row.head.min(floor);
            let found = if row.freed.0 == at && row.slots.is_some() {
                Held::Slot(ix, UnitIx(row.freed.1))
            } else if row.rate.is_some() && row.started != NOBODY {
                Held::Rate(ix, UnitIx(row.started))
            } else {
                Held::Somehow(ix)
            };
            let better = matches!(
                (held, found),
                (Held::Free, _)
                    | (Held::Somehow(_), Held::Slot(..) | Held::Rate(..))
                    | (Held::Rate(..), Held::Slot(..))
            );
            if better {
                held = found;
            }
            row.started = unit.0;
            row.starts += 1;
        });
        let (Some(waited), Held::Slot(ix, _) | Held::Rate(ix, _) | Held::Somehow(ix)) = (waited, held) else {
            return Held::Free;
        };
        if waited <= 0 {
            return Held::Free;
        }
        let row = &mut self.rows[ix];
        row.waited = row.waited.saturating_add(waited);
        row.waits += 1;
        row.rate_waits += u64::from(matches!(held, Held::Rate(..)));
        held
    }

    /// An attempt ends that lasted from `from`; `in_batch` if it began and belongs to the batch that is open.
    pub(super) fn end(
        &mut self,
        plan: &Plan,
        (step, key): (StepIx, KeyIx),
        unit: UnitIx,
        (from, at): (Millis, Millis),
        in_batch: bool,
    ) {
        let took = i128::from(at - from);
        let mut touched = std::mem::take(&mut self.touched);
        self.each(plan, step, key, |ix, slots, row| {
            row.freed = (at, unit.0);
            row.work += took * i128::from(slots);
            if in_batch {
                if row.batch_starts == 0 {
                    touched.push(ix);
                }
                row.batch_work += took * i128::from(slots);
                row.batch_starts += 1;
            }
        });
        self.touched = touched;
    }

    /// Ends a batch: the time that its work takes at least on the instance that has most of it.
    pub(super) fn close_batch(&mut self) -> i64 {
        let mut least = 0;
        for ix in std::mem::take(&mut self.touched) {
            let row = &mut self.rows[ix];
            least = least.max(row.least(row.batch_work, row.batch_starts));
            (row.batch_work, row.batch_starts) = (0, 0);
        }
        least
    }
}

impl Instance {
    /// Time that work and starts take at least, in milliseconds.
    pub(super) fn least(&self, work: i128, starts: u64) -> i64 {
        let by_slots = self.slots.map_or(0, |slots| work / i128::from(slots.max(1)));
        let by_rate = self.rate.map_or(0, |rate| {
            // As the engine spaces starts: whole microseconds, a burst at once.
            let interval = i128::from(rate.per_ms) * 1_000 / i128::from(rate.count.max(1));
            i128::from(starts.saturating_sub(u64::from(rate.burst))) * interval / 1_000
        });
        i64::try_from(by_slots.max(by_rate)).unwrap_or(i64::MAX)
    }
}

impl Held {
    /// [`Held::Free`], packed.
    pub(super) const FREE: u64 = u64::MAX;

    /// The reason in 8 bytes.
    pub(super) fn pack(self) -> u64 {
        let of = |ix: usize, kind: u64, unit: u32| {
            let ix = u64::try_from(ix).unwrap_or(0) & 0x3fff_ffff;
            kind << 62 | ix << 32 | u64::from(unit)
        };
        match self {
            Self::Slot(ix, unit) => of(ix, 0, unit.0),
            Self::Rate(ix, unit) => of(ix, 1, unit.0),
            Self::Somehow(ix) => of(ix, 2, 0),
            Self::Free => Self::FREE,
        }
    }

    /// The reason that was packed.
    pub(super) fn unpack(cause: u64) -> Self {
        let ix = usize::try_from(cause >> 32 & 0x3fff_ffff).unwrap_or(0);
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is the unit")]
        let unit = UnitIx(cause as u32);
        match cause >> 62 {
            0 => Self::Slot(ix, unit),
            1 => Self::Rate(ix, unit),
            2 => Self::Somehow(ix),
            _ => Self::Free,
        }
    }
}
