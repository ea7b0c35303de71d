//! People at work on a simulated run: they look in at any time, take verbs at random, say the truth about what they see,
//! and decide on what waits for them.

use engine::{
    Again, Command, Decree, Gate, Input, NodeIx, Plan, PoolIx, Ruling, Scope, SiteIx, Status, StepIx, TakeOut, UnitIx,
    UnitState,
};

use crate::amend::amended;
use crate::sim::Sim;
use crate::world::Target;

/// Who may ask for something; `sim` opened the run, `eve` belongs to no group.
const PEOPLE: &[&str] = &["anna", "ben", "cleo", "sim", "eve"];

impl Sim {
    /// Shared pools are granted at random, and in calm weather whole.
    pub(crate) fn grant(&mut self) -> Result<(), String> {
        if matches!(self.run.status(), Status::New | Status::Ended(_)) {
            return Ok(());
        }
        for pool in self.run.shared_pools() {
            let calm = self.weather.operator == 0 || self.is_quiet();
            let granted = self.run.pools()[pool.instance as usize].slots;
            let slots = if calm || granted == 0 {
                pool.limit
            } else if self.random.chance(5) {
                self.random.between(0, u64::from(pool.limit.min(8))) as u32
            } else {
                continue;
            };
            let sharers = if calm { 1 } else { self.random.between(1, 3) as u32 };
            self.input(Input::Grant { instance: pool.instance, slots, sharers })?;
        }
        Ok(())
    }

    /// Somebody decides on a gate, entitled or not.
    pub(crate) fn people_decide(&mut self) -> Result<(), String> {
        let gates: Vec<Gate> = self.run.requests().map(|request| request.gate).collect();
        let gate = self.random.pick(&gates);
        let command = if self.random.chance(85) {
            Command::Approve { gate, checked: self.run.checklist(gate).to_vec() }
        } else {
            Command::Reject { gate }
        };
        let actor = self.random.pick(PEOPLE);
        self.command_of(actor, command)
    }

    /// The operator does something uncalled for.
    pub(crate) fn interfere(&mut self) -> Result<(), String> {
        let command = match self.random.between(0, 33) {
            30..=33 => return self.amend(),
            0 => Command::Cancel { undo: self.random.chance(50) },
            1..=5 => Command::Pause,
            6..=12 => Command::Continue,
            13..=16 => self.retry(),
            17..=19 => return self.decree(),
            20..=24 => self.take_out(),
            25 | 26 => return self.bring_in(),
            27 => self.set_pool(),
            _ => return self.rule_on_any(),
        };
        self.command(command)
    }

    fn site(&mut self) -> SiteIx {
        SiteIx(self.random.between(0, u64::from(self.run.plan().site_count().max(1))) as u32)
    }

    fn retry(&mut self) -> Command {
        let what = match self.random.between(0, 6) {
            0 => Again::Quarantined,
            1 => {
                let step = StepIx::from(self.random.between(0, self.run.plan().spec().steps.len() as u64) as usize);
                Again::From(self.site(), step)
            }
            2 | 3 => Again::Unit(self.any_unit()),
            _ => Again::Site(self.site()),
        };
        Command::Retry { what }
    }

    /// Somebody changes the runbook while it runs.
    pub(crate) fn amend(&mut self) -> Result<(), String> {
        let spec = amended(&mut self.random, self.run.plan());
        let Ok(plan) = Plan::new(spec) else { return Ok(()) };
        let plan = plan.encode().map_err(|error| error.to_string())?.into_boxed_slice();
        let actor = self.random.pick(PEOPLE);
        self.command_of(actor, Command::Amend { plan })
    }

    fn any_unit(&mut self) -> UnitIx {
        UnitIx(self.random.between(0, u64::from(self.run.plan().unit_count()) + 2) as u32)
    }

    fn take_out(&mut self) -> Command {
        let how =
            self.random.pick(&[TakeOut::Quarantine, TakeOut::Exclude, TakeOut::Release, TakeOut::Undo, TakeOut::Undo]);
        Command::TakeOut { site: self.site(), how }
    }

    fn set_pool(&mut self) -> Command {
        let pool = PoolIx::from(self.random.between(0, self.run.plan().spec().pools.len() as u64) as usize);
        Command::SetPool { pool, slots: self.random.between(0, 6) as u32 }
    }

    /// A step is settled by decree; who says that it is done has done it.
    fn decree(&mut self) -> Result<(), String> {
        let node = NodeIx(self.random.between(0, u64::from(self.run.plan().node_count())) as u32);
        let skip = self.random.chance(50);
        if node.0 >= self.run.plan().node_count() || self.run.units_of(node).any(|unit| self.is_moving(UnitIx(unit))) {
            return Ok(());
        }
        let how = if skip { Decree::Skip } else { Decree::Done { outputs: None } };
        let before = self.journal_len();
        let units: Vec<UnitIx> = self.run.units_of(node).map(UnitIx).collect();
        let open: Vec<(UnitIx, String, bool)> = units
            .into_iter()
            .filter(|&unit| !matches!(self.run.unit_state(unit), Some(UnitState::Succeeded)))
            .map(|unit| (unit, self.key(unit), self.run.next_mode(unit).is_undo()))
            .collect();
        self.command(Command::Overrule { node, item: None, how })?;
        if skip || self.journal_len() == before {
            return Ok(());
        }
        for (unit, key, undo) in open {
            match self.run.unit_state(unit) {
                Some(UnitState::Undone) if undo => self.world.take_back(&key),
                Some(UnitState::Succeeded) => {
                    let key = self.key(unit);
                    self.world.by_hand(&key);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a call of the unit may still act, so that nobody can know yet.
    fn is_moving(&self, unit: UnitIx) -> bool {
        self.is_on_its_way(&self.key(unit))
    }

    /// Another run has begun a site, and this one takes it in.
    fn bring_in(&mut self) -> Result<(), String> {
        let site = self.site();
        if site.0 >= self.run.plan().site_count() {
            return Ok(());
        }
        let plan = self.run.plan().clone();
        let mut units = Vec::new();
        for step in plan.steps().filter(|&step| plan.step(step).scope == Scope::Site && !plan.step(step).finally) {
            let Some(action) = plan.action(step) else { continue };
            let target = Target { knows_keys: action.idempotent, knows_tokens: action.has_probe };
            for unit in plan.planned_units(plan.node(step, engine::KeyIx(site.0))).map(UnitIx) {
                if self.random.chance(30) {
                    units.push((unit, self.random.between(1, 3) as u32, target));
                }
            }
        }
        let before = self.journal_len();
        let listed = units.iter().map(|&(unit, attempts, _)| (unit, attempts)).collect();
        let from = self.run.adopted_from(site).unwrap_or("other").to_owned();
        self.command(Command::Adopt { site, from, units: listed })?;
        if self.journal_len() > before {
            for (unit, attempts, target) in units {
                let key = self.key(unit);
                if self.random.chance(50) && self.world.count(&key) == 0 {
                    self.world.reach(&key, attempts, target);
                }
            }
        }
        Ok(())
    }

    /// The operator is asked: rules by the truth, decides, tries again, or lets the run go on.
    pub(crate) fn operate(&mut self) -> Result<(), String> {
        let paused = matches!(self.run.status(), Status::Paused { .. });
        let unit = self.run.for_operator().next();
        match unit {
            Some(unit) if !paused || self.random.chance(50) => {
                let stuck = self.run.unit_state(unit) == Some(UnitState::Stuck);
                if stuck && self.random.chance(40) {
                    return self.command(Command::Retry { what: Again::Unit(unit) });
                }
                self.rule(unit)
            }
            None if !paused && self.run.requests().next().is_some() => self.people_decide(),
            _ => self.command(Command::Continue),
        }
    }

    fn rule_on_any(&mut self) -> Result<(), String> {
        let unit = self.any_unit();
        let known = self.run.unit_state(unit).is_some();
        if known && !self.is_moving(unit) { self.rule(unit) } else { Ok(()) }
    }

    fn rule(&mut self, unit: UnitIx) -> Result<(), String> {
        let key = self.key(unit);
        let done = if self.run.next_mode(unit).is_undo() {
            self.world.is_taken_back(&key)
        } else {
            self.world.count(&key) > 0
        };
        let ruling = if done { Ruling::Done } else { self.random.pick(&[Ruling::Again, Ruling::GiveUp]) };
        self.command(Command::Rule { unit, ruling })
    }

    /// The run has ended, and somebody wants more of it.
    pub(crate) fn think_again(&mut self) -> Result<(), String> {
        let command = match self.random.between(0, 4) {
            0 => Command::Retry { what: Again::Quarantined },
            1 => Command::Retry { what: Again::Site(self.site()) },
            2 => Command::Cancel { undo: true },
            _ => Command::TakeOut { site: self.site(), how: TakeOut::Undo },
        };
        self.command(command)
    }

    fn command(&mut self, command: Command) -> Result<(), String> {
        self.command_of("operator", command)
    }

    fn command_of(&mut self, actor: &str, command: Command) -> Result<(), String> {
        self.input(Input::Command { actor: actor.into(), reason: "simulated".into(), command })
    }
}
