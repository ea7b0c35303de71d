//! An amended plan: numbers change, names stay. What was measured and said follows by name.

use std::collections::BTreeMap;

use engine::{Gate, KeyIx, NodeIx, Plan, Scope, SiteIx, StepIx, UnitIx};

/// From the numbers of one plan to those of the next.
pub(super) struct Carry<'a> {
    old: &'a Plan,
    new: &'a Plan,
    steps: BTreeMap<&'a str, StepIx>,
    sites: BTreeMap<&'a str, SiteIx>,
    /// Keys by name, of each group of the new plan by its name.
    groups: BTreeMap<&'a str, (Scope, BTreeMap<&'a str, KeyIx>)>,
}

impl<'a> Carry<'a> {
    pub(super) fn new(old: &'a Plan, new: &'a Plan) -> Self {
        let steps = new.steps().map(|step| (new.step(step).name.as_str(), step)).collect();
        let sites = new.spec().sites.ids.iter().enumerate().map(|(ix, id)| (id, SiteIx::from(ix))).collect();
        let groups = new.spec().groups.iter().enumerate().map(|(ix, group)| {
            let names = group.keys.dictionary.iter().enumerate();
            let keys = names.map(|(key, name)| (name.as_str(), KeyIx::from(key))).collect();
            (group.name.as_str(), (Scope::Group(ix.into()), keys))
        });
        Self { old, new, steps, sites, groups: groups.collect() }
    }

    pub(super) fn step(&self, step: StepIx) -> Option<StepIx> {
        self.steps.get(self.old.step(step).name.as_str()).copied()
    }

    pub(super) fn site(&self, site: SiteIx) -> Option<SiteIx> {
        self.sites.get(self.old.spec().sites.id(site)).copied()
    }

    pub(super) fn node(&self, node: NodeIx) -> Option<NodeIx> {
        let (old, key) = self.old.node_at(node);
        let step = self.step(old)?;
        let scope = self.old.step(old).scope;
        let (scope, key) = match scope {
            Scope::Run | Scope::Batch => (scope, key),
            Scope::Site => (scope, KeyIx(self.site(SiteIx(key.0))?.0)),
            Scope::Group(group) => {
                let (scope, keys) = self.groups.get(self.old.spec().groups.get(group.ix())?.name.as_str())?;
                (*scope, *keys.get(self.old.key_name(Scope::Group(group), key).as_str())?)
            }
        };
        (self.new.step(step).scope == scope && key.0 < self.new.key_count(scope)).then(|| self.new.node(step, key))
    }

    /// The unit of the same item of the same node; `at` finds a unit of the old plan, `of` the units of the new one.
    pub(super) fn unit(
        &self,
        unit: UnitIx,
        at: impl Fn(UnitIx) -> Option<(NodeIx, u32)>,
        of: impl Fn(NodeIx) -> std::ops::Range<u32>,
    ) -> Option<UnitIx> {
        let (node, item) = at(unit)?;
        let units = of(self.node(node)?);
        let unit = units.start.checked_add(item)?;
        units.contains(&unit).then_some(UnitIx(unit))
    }

    pub(super) fn gate(&self, gate: Gate, unit: impl Fn(UnitIx) -> Option<UnitIx>) -> Option<Gate> {
        match gate {
            Gate::Start => Some(gate),
            Gate::Batch(batch) => (u32::from(batch.0) < self.new.batch_count()).then_some(gate),
            Gate::Unit(old) => unit(old).map(Gate::Unit),
        }
    }
}
