//! The admitted plan and the tables derived from it: where each node and unit lies, who depends on whom, who goes first.

use std::sync::Arc;

use crate::ids::{BatchIx, KeyIx, Millis, NodeIx, PoolIx, SiteIx, StepIx, UnitIx};
use crate::plan::admit::{PlanError, admit};
use crate::plan::drill::DrillMark;
use crate::plan::extras::{ApprovalAt, Checklist, Extras};
use crate::plan::graph;
use crate::plan::keys::Keys;
use crate::plan::spec::{ForEach, NO_KEY, PlanSpec, Scope, StepSpec, When, Work};
use crate::plan::waves::Waves;

/// An admitted plan: complete, acyclic, immutable.
///
/// Nodes lie step by step, within a step key by key; units lie in the order of their nodes. So a node or unit number
/// needs no table to be found, only the bases of the steps.
#[derive(Debug)]
pub struct Plan {
    spec: PlanSpec,
    hash: String,
    pub(crate) keys: Keys,
    node_base: Vec<u32>,
    unit_base: Vec<u32>,
    pub(crate) dependents: Vec<Vec<Dependent>>,
    pub(crate) gated: Vec<bool>,
    descendants: Vec<Vec<StepIx>>,
    has_finally: bool,
    ranks: Vec<u16>,
    waves: Waves,
    pool_base: Vec<u32>,
}

/// A step that waits for another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dependent {
    pub(crate) step: StepIx,
    /// Whether a need that is not satisfied blocks the dependent even if only some of its sites are concerned.
    pub(crate) require_all: bool,
    /// Whether the needed node covers every site of the dependent node.
    pub(crate) covers: bool,
}

impl Plan {
    /// Admits a plan.
    ///
    /// # Errors
    /// If it is not complete and acyclic, or asks for what the engine cannot execute.
    pub fn new(spec: PlanSpec) -> Result<Arc<Self>, PlanError> {
        let bytes = postcard::to_allocvec(&spec).map_err(|_| PlanError::Encoding)?;
        Self::of(spec, &bytes)
    }

    /// Admits a plan whose encoding is known: what an older version wrote keeps the hash of its own bytes.
    fn of(spec: PlanSpec, bytes: &[u8]) -> Result<Arc<Self>, PlanError> {
        let hash = blake3::hash(bytes).to_hex().to_string();
        let order = admit(&spec)?;
        let keys = Keys::new(narrow(spec.sites.len()), &spec.batches, &spec.groups);
        let node_base = bases(spec.steps.iter().map(|step| u64::from(keys.len(step.scope))))?;
        let unit_base = bases(spec.steps.iter().map(|step| match &step.for_each {
            ForEach::Once => u64::from(keys.len(step.scope)),
            ForEach::Planned { items, .. } => items.len() as u64,
            ForEach::Later(_) => 0,
        }))?;
        let pool_base = bases(spec.pools.iter().map(|pool| pool.per.map_or(1, |per| u64::from(keys.len(per)))))?;
        let dependents = graph::dependents(&spec);
        let gated = graph::gated(&spec);
        let ranks = graph::ranks(&spec, &order);
        let units: Vec<u64> =
            widths(&node_base).zip(widths(&unit_base)).map(|(nodes, units)| nodes.max(units)).collect();
        let waves = Waves::new(&spec, &units, &widths(&pool_base).collect::<Vec<_>>());
        let descendants = graph::descendants(&spec, &order);
        let has_finally = spec.steps.iter().any(|step| step.finally);
        Ok(Arc::new(Self {
            spec,
            hash,
            keys,
            node_base,
            unit_base,
            dependents,
            gated,
            descendants,
            has_finally,
            ranks,
            waves,
            pool_base,
        }))
    }

    /// Decodes and admits a plan as [`Plan::encode`] wrote it.
    ///
    /// # Errors
    /// [`PlanError::Encoding`] if the bytes are no plan, [`PlanError::NewerFormat`] if a newer version wrote them.
    pub fn decode(bytes: &[u8]) -> Result<Arc<Self>, PlanError> {
        let (format, _) = postcard::take_from_bytes::<u16>(bytes).map_err(|_| PlanError::Encoding)?;
        if format > crate::plan::spec::PLAN_FORMAT {
            return Err(PlanError::NewerFormat { found: format });
        }
        // Each format is a prefix of the next: what came later is empty.
        let nowhere = Vec::<String>::new();
        let later = match format {
            1 => postcard::to_extend(&Extras::default(), bytes.to_vec()),
            2 => postcard::to_extend(
                &(None::<DrillMark>, None::<String>, Vec::<Checklist>::new(), nowhere),
                bytes.to_vec(),
            ),
            3 => postcard::to_extend(&nowhere, bytes.to_vec()),
            _ => return Self::of(postcard::from_bytes(bytes).map_err(|_| PlanError::Encoding)?, bytes),
        };
        let whole = later.map_err(|_| PlanError::Encoding)?;
        Self::of(postcard::from_bytes(&whole).map_err(|_| PlanError::Encoding)?, bytes)
    }

    /// Encodes the plan for the journal; the first number is the format.
    ///
    /// # Errors
    /// [`PlanError::Encoding`], which no admitted plan gives.
    pub fn encode(&self) -> Result<Vec<u8>, PlanError> {
        postcard::to_allocvec(&self.spec).map_err(|_| PlanError::Encoding)
    }

    /// Returns the plan as data.
    #[must_use]
    pub fn spec(&self) -> &PlanSpec {
        &self.spec
    }

    /// Returns the content hash, hexadecimal (BLAKE3 of the encoded data).
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Returns a step by position.
    #[must_use]
    pub fn step(&self, step: StepIx) -> &StepSpec {
        &self.spec.steps[step.ix()]
    }

    /// Returns what has to be confirmed with an approval; empty if nothing has.
    #[must_use]
    pub fn checklist(&self, of: ApprovalAt) -> &[String] {
        let lists = &self.spec.extras.checklists;
        lists.iter().find(|list| list.of == of).map_or(&[], |list| &list.items)
    }

    /// Iterates over the positions of the steps.
    pub fn steps(&self) -> impl Iterator<Item = StepIx> + use<> {
        (0..self.spec.steps.len()).map(StepIx::from)
    }

    /// Number of sites.
    #[must_use]
    pub fn site_count(&self) -> u32 {
        narrow(self.spec.sites.len())
    }

    /// Number of batches.
    #[must_use]
    pub fn batch_count(&self) -> u32 {
        self.keys.len(Scope::Batch)
    }

    /// Number of nodes.
    #[must_use]
    pub fn node_count(&self) -> u32 {
        self.node_base.last().copied().unwrap_or(0)
    }

    /// Number of units known at plan time; units of a later `for_each` are numbered from here on.
    #[must_use]
    pub fn unit_count(&self) -> u32 {
        self.unit_base.last().copied().unwrap_or(0)
    }

    /// Number of keys of a scope.
    #[must_use]
    pub fn key_count(&self, scope: Scope) -> u32 {
        self.keys.len(scope)
    }

    /// Batch of a site.
    #[must_use]
    pub fn batch_of(&self, site: SiteIx) -> BatchIx {
        let key = self.keys.of_site(Scope::Batch, site).map_or(0, |key| key.0);
        BatchIx::from(key as usize)
    }

    /// Sites of a batch, as a range of site numbers.
    #[must_use]
    pub fn batch_sites(&self, batch: BatchIx) -> std::ops::Range<u32> {
        let ends = &self.spec.batches.ends;
        let start = if batch.0 == 0 { 0 } else { ends[batch.ix() - 1] };
        start..ends[batch.ix()]
    }

    /// Key of `to` that covers every site of a key of `from`, if the scopes allow it.
    #[must_use]
    pub fn covering_key(&self, from: Scope, key: KeyIx, to: Scope) -> Option<KeyIx> {
        if from == to {
            return Some(key);
        }
        match (from, to) {
            (_, Scope::Run) => Some(KeyIx(0)),
            (Scope::Site, _) => self.keys.of_site(to, SiteIx(key.0)),
            _ => None,
        }
    }

    /// Sites that a key of a scope covers, in plan order.
    pub fn sites_of(&self, scope: Scope, key: KeyIx) -> impl Iterator<Item = SiteIx> + '_ {
        let shared = self.keys.sites_of(scope, key);
        (0..shared.len()).map(move |ix| SiteIx(shared.get(ix).0))
    }

    /// Name of a key for people: a site's ID, a group's key, a batch's number from 1, or `run`.
    #[must_use]
    pub fn key_name(&self, scope: Scope, key: KeyIx) -> String {
        match scope {
            Scope::Run => "run".to_owned(),
            Scope::Batch => (key.0 + 1).to_string(),
            Scope::Group(group) => self.spec.groups[group.ix()].keys.dictionary[key.ix()].clone(),
            Scope::Site => self.spec.sites.id(SiteIx(key.0)).to_owned(),
        }
    }

    /// Node of a step for a key.
    #[must_use]
    pub fn node(&self, step: StepIx, key: KeyIx) -> NodeIx {
        NodeIx(self.node_base[step.ix()] + key.0)
    }

    /// Step and key of a node.
    #[must_use]
    pub fn node_at(&self, node: NodeIx) -> (StepIx, KeyIx) {
        let step = locate(&self.node_base, node.0);
        (StepIx::from(step), KeyIx(node.0 - self.node_base[step]))
    }

    /// Units of a node that are known at plan time, as a range of unit numbers.
    #[must_use]
    pub fn planned_units(&self, node: NodeIx) -> std::ops::Range<u32> {
        let (step, key) = self.node_at(node);
        let base = self.unit_base[step.ix()];
        match &self.step(step).for_each {
            ForEach::Once => base + key.0..base + key.0 + 1,
            ForEach::Planned { offsets, .. } => base + offsets[key.ix()]..base + offsets[key.ix() + 1],
            ForEach::Later(_) => base..base,
        }
    }

    /// Node and item number of a unit known at plan time; `None` for one of a later `for_each`.
    #[must_use]
    pub fn planned_unit_at(&self, unit: UnitIx) -> Option<(NodeIx, u32)> {
        self.planned_at(unit).map(|(step, key, item)| (self.node(step, key), item))
    }

    /// Step, key and item number of a unit known at plan time.
    pub(crate) fn planned_at(&self, unit: UnitIx) -> Option<(StepIx, KeyIx, u32)> {
        if unit.0 >= self.unit_count() {
            return None;
        }
        let step = locate(&self.unit_base, unit.0);
        let within = unit.0 - self.unit_base[step];
        let (key, item) = match &self.spec.steps[step].for_each {
            ForEach::Planned { offsets, .. } => {
                let key = locate(offsets, within);
                (narrow(key), within - offsets[key])
            }
            ForEach::Once | ForEach::Later(_) => (within, 0),
        };
        Some((StepIx::from(step), KeyIx(key), item))
    }

    /// Item of a unit known at plan time, as JSON text; `None` without `for_each`.
    #[must_use]
    pub fn planned_item(&self, unit: UnitIx) -> Option<&str> {
        let (node, item) = self.planned_unit_at(unit)?;
        let (step, key) = self.node_at(node);
        match &self.step(step).for_each {
            ForEach::Planned { offsets, items } => {
                let ix = items[(offsets[key.ix()] + item) as usize];
                Some(self.spec.items[ix as usize].as_str())
            }
            ForEach::Once | ForEach::Later(_) => None,
        }
    }

    /// Whether a step runs for a key as far as the plan decides it.
    #[must_use]
    pub fn planned_to_run(&self, step: StepIx, key: KeyIx) -> bool {
        match &self.step(step).when {
            When::Planned(bits) => bits[key.ix()],
            When::Always | When::Later(_) => true,
        }
    }

    /// Restore point for a key of a scope; `None` if the runbook declares none, or none for that scope.
    #[must_use]
    pub fn restore_point(&self, scope: Scope, key: KeyIx) -> Option<Millis> {
        match scope {
            Scope::Site => self.spec.sites.restore_points.get(key.ix()).copied(),
            Scope::Group(group) => self.spec.groups[group.ix()].restore_points.get(key.ix()).copied(),
            Scope::Run | Scope::Batch => None,
        }
    }

    /// Number of needs that a node waits for at first, its batch's opening among them.
    pub(crate) fn initial_waits(&self, step: StepIx, key: KeyIx) -> u32 {
        let spec = self.step(step);
        let needs: u32 =
            spec.needs.iter().map(|need| self.keys.shared(spec.scope, key, self.step(need.step).scope).len()).sum();
        needs + u32::from(self.gated[step.ix()])
    }

    /// Batch whose opening lets a key of a scope start: the first of its sites' batches.
    pub(crate) fn gate_of(&self, scope: Scope, key: KeyIx) -> BatchIx {
        match scope {
            Scope::Run => BatchIx(0),
            Scope::Batch => BatchIx::from(key.ix()),
            Scope::Site => self.batch_of(SiteIx(key.0)),
            Scope::Group(_) => {
                let sites = self.keys.sites_of(scope, key);
                if sites.len() == 0 { BatchIx(0) } else { self.batch_of(SiteIx(sites.get(0).0)) }
            }
        }
    }

    /// Order in which ready units start, lowest first: the plan's own order if it has one, else as [`Plan::turn`] says.
    pub(crate) fn priority(&self, step: StepIx, key: KeyIx) -> u64 {
        let ordered = self.spec.extras.order.get(self.node(step, key).ix());
        ordered.map_or_else(|| self.turn(step, key), |&rank| u64::from(rank))
    }

    /// Place of a node among those that are ready, lowest first, for a plan without an order of its own: shared work by its longest
    /// way to the end, then site by site, and at last the last wave of the batch as one; within each the longest way first.
    #[must_use]
    pub fn turn(&self, step: StepIx, key: KeyIx) -> u64 {
        let rank = self.ranks[step.ix()];
        match self.step(step).scope {
            Scope::Site => (1 << 63) | self.waves.turn(&self.keys, SiteIx(key.0), rank),
            Scope::Run | Scope::Batch | Scope::Group(_) => (u64::from(rank) << 32) | u64::from(key.0),
        }
    }

    /// Time that an attempt of a step is taken to last, in milliseconds, at least 1: the middle of `expect`, [`UNKNOWN_MS`] if it
    /// has none.
    ///
    /// [`UNKNOWN_MS`]: crate::UNKNOWN_MS
    #[must_use]
    pub fn expected_ms(&self, step: StepIx) -> u64 {
        graph::expected_ms(self.step(step))
    }

    /// Number of pool instances.
    pub(crate) fn pool_instances(&self) -> u32 {
        self.pool_base.last().copied().unwrap_or(0)
    }

    /// Pool of an instance, and the instance's key; the instance must be one of the plan's.
    #[must_use]
    pub fn pool_of(&self, instance: u32) -> (PoolIx, KeyIx) {
        let pool = locate(&self.pool_base, instance);
        (PoolIx::from(pool), KeyIx(instance - self.pool_base[pool]))
    }

    /// Pool instances and slots that an attempt at a node holds.
    pub(crate) fn holds(&self, step: StepIx, key: KeyIx) -> Box<[(u32, u32)]> {
        let spec = self.step(step);
        spec.pools
            .iter()
            .filter_map(|use_| {
                let per = self.spec.pools[use_.pool.ix()].per.unwrap_or(Scope::Run);
                let key = self.covering_key(spec.scope, key, per)?;
                // A pool that only limits the rate has no slots to hold.
                let slots = self.spec.pools[use_.pool.ix()].slots.map_or(0, |_| use_.slots);
                Some((self.pool_base[use_.pool.ix()] + key.0, slots))
            })
            .collect()
    }

    /// Steps in an order in which each comes before its needs.
    pub(crate) fn dependents_first(&self) -> Vec<StepIx> {
        // An admitted plan has no cycle.
        let mut order = graph::order(&self.spec).unwrap_or_default();
        order.reverse();
        order
    }

    /// Steps that are taken back before a step is: all that come after it.
    pub(crate) fn undone_before(&self, step: StepIx) -> &[StepIx] {
        &self.descendants[step.ix()]
    }

    /// Whether a step is another one or comes after it.
    #[must_use]
    pub fn is_at_or_after(&self, step: StepIx, other: StepIx) -> bool {
        step == other || self.descendants[step.ix()].binary_search(&other).is_ok()
    }

    /// Whether anything runs at the end, however the rest went.
    #[must_use]
    pub fn has_finally(&self) -> bool {
        self.has_finally
    }

    /// Whether a step's action changes nothing in the estate.
    #[must_use]
    pub fn is_read_only(&self, step: StepIx) -> bool {
        self.spec.extras.read_only.get(step.ix()).copied().unwrap_or(false)
    }

    /// Most slots of a pool that one attempt takes; 0 if no step uses it.
    #[must_use]
    pub fn largest_use(&self, pool: PoolIx) -> u32 {
        let uses = self.spec.steps.iter().flat_map(|step| &step.pools);
        uses.filter(|held| held.pool == pool).map(|held| held.slots).max().unwrap_or(0)
    }

    /// Whether outputs of a step's units must be kept.
    pub(crate) fn keeps_outputs(&self, step: StepIx) -> bool {
        self.step(step).keeps_outputs
    }

    /// What is known of a step's action; `None` for an approval.
    #[must_use]
    pub fn action(&self, step: StepIx) -> Option<&crate::plan::spec::ActionUse> {
        match &self.step(step).work {
            Work::Action(action) => Some(action),
            Work::Approval(_) => None,
        }
    }

    /// Key of the group that covers a site, by number; `None` if it has none.
    #[must_use]
    pub fn group_key(&self, group: crate::ids::GroupIx, site: SiteIx) -> Option<KeyIx> {
        let row = *self.spec.groups[group.ix()].keys.rows.get(site.ix())?;
        (row != NO_KEY).then_some(KeyIx(row))
    }
}

fn narrow(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Running sums, one longer than the lengths.
fn bases(lengths: impl Iterator<Item = u64>) -> Result<Vec<u32>, PlanError> {
    let mut sum = 0_u64;
    let mut bases = vec![0];
    for length in lengths {
        sum += length;
        bases.push(u32::try_from(sum).map_err(|_| PlanError::TooLarge { units: sum })?);
    }
    Ok(bases)
}

/// Lengths of which these are the running sums.
fn widths(bases: &[u32]) -> impl Iterator<Item = u64> {
    bases.windows(2).map(|pair| u64::from(pair[1] - pair[0]))
}

/// Position of the last base that is not above a number; bases ascend, empty ranges are skipped.
fn locate(bases: &[u32], number: u32) -> usize {
    // Most plans are of steps for each site, whose ranges are of one length: the place is what a division says.
    if let (Some(&end), ranges @ 1..) = (bases.last(), bases.len().saturating_sub(1))
        && number < end
    {
        let guess = (u64::from(number) * ranges as u64 / u64::from(end)) as usize;
        if bases[guess] <= number && number < bases[guess + 1] {
            return guess;
        }
    }
    bases.partition_point(|&base| base <= number) - 1
}
