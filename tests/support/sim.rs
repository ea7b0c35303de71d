//! The simulator: the pure core under virtual time and faults. One seed is one run, whole and repeatable.
//!
//! Faults are events among others: crashes before and after a commit, replies that are lost or late, attempts that act
//! after their driver has died, refusals, slow targets, an operator who pauses, continues, cancels and rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{
    Advice, Chain, Event, Failure, Input, Millis, Mode, Outcome, Plan, Record, Rejection, Run, Status, UnitIx,
};

use crate::checks::Checker;
use crate::oracle::Oracle;
use crate::plans;
use crate::random::Random;
use crate::tell::tell;
use crate::truth::Truth;
use crate::world::{self, World};

/// What became of a simulated run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Groups as they would lie in the journal.
    pub groups: Vec<Vec<u8>>,
    /// Crashes survived.
    pub crashes: u32,
    /// Records in all.
    pub records: usize,
    /// Times that the plan was replaced.
    pub amendments: u32,
    /// Status at rest.
    pub status: String,
}

/// How often each kind of fault strikes, in percent; drawn per run so that runs differ in kind, not only in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) crash: u64,
    pub(crate) refuse: u64,
    pub(crate) lose: u64,
    pub(crate) operator: u64,
    pub(crate) amend: u64,
}

pub(crate) struct Sim {
    pub(crate) random: Random,
    pub(crate) weather: Weather,
    pub(crate) run: Run,
    /// The plan that the run began with.
    first: Arc<Plan>,
    checker: Checker,
    truth: Truth,
    pub(crate) world: World,
    journal: Vec<Vec<u8>>,
    chain: Chain,
    group: Vec<Record>,
    queue: BTreeMap<(Millis, u64), Happening>,
    order: u64,
    now: Millis,
    epoch: u64,
    crashes: u32,
    crashed: bool,
    records: usize,
    amendments: u32,
    /// Verbs that the operator takes after the run has ended.
    pub(crate) afterthoughts: u32,
}

/// A unit by its number under a plan.
type Spot = (Arc<Plan>, UnitIx);

#[derive(Clone, Debug)]
enum Happening {
    /// The attempt's call reaches the target.
    Reaches { key: String, attempt: u32, target: world::Target },
    /// The undo's call reaches the target.
    TakesBack { key: String },
    /// The attempt's reply reaches the driver of that epoch.
    Replies { epoch: u64, unit: Spot, key: String, attempt: u32, mode: Mode, outcome: Reply },
    /// A reply comes once more.
    Echoes { unit: Spot, key: String, attempt: u32, mode: Mode },
    /// The operator looks in.
    Operator,
}

#[derive(Clone, Copy, Debug)]
enum Reply {
    /// What the target says of itself.
    Truth,
    Refused(Advice),
    Unknown,
    /// None: it was taken back before anybody took it up.
    NotBegun,
}

/// Runs one seed to rest.
///
/// # Errors
/// Names the broken invariant and where.
pub fn run(seed: u64) -> Result<Trace, String> {
    let mut random = Random::new(seed);
    let plan = plans::plan(&mut random);
    let weather = Weather {
        crash: random.pick(&[0, 0, 2, 8]),
        refuse: random.pick(&[0, 5, 30]),
        lose: random.pick(&[0, 5, 20]),
        operator: random.pick(&[0, 0, 3]),
        amend: random.pick(&[0, 0, 0, 4]),
    };
    let mut sim = Sim {
        random,
        weather,
        run: Run::new(plan.clone()),
        chain: Chain::of("sim", plan.hash()),
        first: plan,
        checker: Checker::default(),
        truth: Truth::default(),
        world: World::default(),
        journal: Vec::new(),
        group: Vec::new(),
        queue: BTreeMap::new(),
        order: 0,
        now: 1_000_000,
        epoch: 0,
        crashes: 0,
        crashed: false,
        records: 0,
        amendments: 0,
        afterthoughts: 0,
    };
    sim.afterthoughts = sim.random.pick(&[0, 0, 1, 2]);
    sim.input(Input::Open { actor: "sim".into() })?;
    sim.adopt()?;
    sim.rest()?;
    sim.checker.at_rest(&sim.run, &sim.world)?;
    sim.replays()?;
    Ok(Trace {
        groups: sim.journal,
        crashes: sim.crashes,
        records: sim.records,
        amendments: sim.amendments,
        status: format!("{:?}", sim.run.status()),
    })
}

impl Sim {
    fn rest(&mut self) -> Result<(), String> {
        // Once this many turns are over faults stop, and the run must come to rest within as many again.
        const CALM: u32 = 4_000;
        for turn in 0..CALM * 4 {
            if turn == CALM {
                self.weather = Weather { crash: 0, refuse: 0, lose: 0, operator: 0, amend: 0 };
            }
            self.turn()?;
            if std::mem::take(&mut self.crashed) {
                continue;
            }
            if matches!(self.run.status(), Status::Ended(_)) {
                if self.afterthoughts == 0 || turn >= CALM {
                    return Ok(());
                }
                self.afterthoughts -= 1;
                self.think_again()?;
                continue;
            }
            if self.run.requests().next().is_some() && self.random.chance(40) {
                self.people_decide()?;
                continue;
            }
            let wake = self.run.next_wake();
            let next = self.queue.first_key_value().map(|(&(at, _), _)| at);
            // Nobody waits for a gate to lapse while somebody could act.
            let asked = self.run.is_waiting_for_operator() && next.is_none() && self.random.chance(70);
            match next.into_iter().chain(wake).min() {
                _ if asked => self.operate()?,
                Some(at) => self.now = self.now.max(at),
                None if self.run.is_waiting_for_operator() => self.operate()?,
                None => return Err(self.stall()),
            }
            while let Some((&(at, order), _)) = self.queue.first_key_value() {
                if at > self.now {
                    break;
                }
                let happening = self.queue.remove(&(at, order)).ok_or("queue")?;
                self.happen(happening)?;
            }
            if self.random.chance(self.weather.amend) {
                self.amend()?;
            }
            if self.random.chance(self.weather.operator) {
                self.push(0, Happening::Operator);
            }
        }
        Err(format!("no rest after {} turns: {:?}", CALM * 4, self.run.status()))
    }

    fn stall(&self) -> String {
        let plan = self.run.plan();
        let waits: Vec<String> = (0..plan.node_count())
            .map(engine::NodeIx)
            .filter(|&node| !self.run.node_state(node).is_settled())
            .map(|node| {
                let (step, key) = plan.node_at(node);
                let name = plan.key_name(plan.step(step).scope, key);
                format!("{}/{name}: {:?} {:?}", plan.step(step).name, self.run.node_state(node), self.run.why(node))
            })
            .collect();
        let pools = self.run.pools();
        let (status, tally) = (self.run.status(), self.run.tally());
        format!("nothing happens and nobody is asked: {status:?} {waits:?} {tally:?} {pools:?}")
    }

    /// One turn of the driver: everything that can be decided, one commit, then the starts it made durable.
    fn turn(&mut self) -> Result<(), String> {
        self.grant()?;
        loop {
            let before = self.records;
            self.input(Input::Advance)?;
            if self.records == before {
                break;
            }
        }
        if self.group.is_empty() {
            return Ok(());
        }
        if self.random.chance(self.weather.crash) {
            return self.crash();
        }
        let group = std::mem::take(&mut self.group);
        let mut writer = self.chain.writer();
        group.iter().for_each(|record| writer.push(record));
        let bytes = writer.finish().bytes;
        self.chain.follow(&bytes).map_err(|error| error.to_string())?;
        self.journal.push(bytes);
        if self.random.chance(self.weather.crash) {
            return self.crash();
        }
        for record in group {
            if let Event::Started { unit, attempt, mode } = record.event {
                // A start may be followed, within its group, by what ended it.
                if self.run.flight(unit).is_some_and(|flight| flight.attempt == attempt) {
                    self.launch(unit, attempt, mode)?;
                }
            }
        }
        Ok(())
    }

    fn launch(&mut self, unit: UnitIx, attempt: u32, mode: Mode) -> Result<(), String> {
        let slow = if self.random.chance(10) { 5_000 } else { 50 };
        let reach = self.random.between(0, slow) as Millis;
        let back = self.random.between(0, slow) as Millis;
        let refused = !mode.is_probe() && self.random.chance(self.weather.refuse);
        let outcome = if self.random.chance(self.weather.lose / 2) {
            Reply::NotBegun
        } else if refused {
            Reply::Refused(self.random.pick(&[Advice::Retry, Advice::Retry, Advice::RetryAfter(700), Advice::Never]))
        } else if self.random.chance(self.weather.lose) {
            Reply::Unknown
        } else {
            Reply::Truth
        };
        let arrives = match outcome {
            _ if mode.is_probe() => false,
            Reply::Refused(_) | Reply::NotBegun => false,
            // The call may have been lost instead of the reply.
            Reply::Unknown => self.random.chance(50),
            Reply::Truth => true,
        };
        let key = self.key(unit);
        if arrives {
            let happening = match mode {
                Mode::Undo => Happening::TakesBack { key: key.clone() },
                _ => Happening::Reaches { key: key.clone(), attempt, target: self.target(unit)? },
            };
            self.push(reach, happening);
        }
        let epoch = self.epoch;
        let unit = (self.run.plan().clone(), unit);
        self.push(reach + back, Happening::Replies { epoch, unit, key, attempt, mode, outcome });
        Ok(())
    }

    /// The number of a unit under the plan as it is now.
    fn unit_now(&self, (plan, unit): &Spot, key: &str) -> Option<UnitIx> {
        if Arc::ptr_eq(plan, self.run.plan()) {
            return Some(*unit);
        }
        let mut units = (0..).map(UnitIx).take_while(|&unit| self.run.unit_state(unit).is_some());
        units.find(|&unit| self.key(unit) == key)
    }

    /// Idempotency key of a unit, as the shell makes it.
    pub(crate) fn key(&self, unit: UnitIx) -> String {
        key(&self.run, unit)
    }

    /// Whether a call under a key may still reach its target.
    pub(crate) fn is_on_its_way(&self, key: &str) -> bool {
        self.queue.values().any(|happening| matches!(happening, Happening::Reaches { key: other, .. } if other == key))
    }

    fn push(&mut self, after: Millis, happening: Happening) {
        self.order += 1;
        self.queue.insert((self.now + after, self.order), happening);
    }

    fn happen(&mut self, happening: Happening) -> Result<(), String> {
        match happening {
            Happening::Reaches { key, attempt, target } => {
                self.world.reach(&key, attempt, target);
                Ok(())
            }
            Happening::TakesBack { key } => {
                self.world.take_back(&key);
                Ok(())
            }
            Happening::Replies { epoch, unit, key, attempt, mode, outcome } => {
                if self.random.chance(20) {
                    let after = self.random.between(0, 500) as Millis;
                    self.push(after, Happening::Echoes { unit: unit.clone(), key: key.clone(), attempt, mode });
                }
                // An amendment may have been lost with its driver, and the step with it.
                let Some(unit) = self.unit_now(&unit, &key) else { return Ok(()) };
                // A reply to a driver that has died counts for nothing, even if the next one hears it.
                if epoch != self.epoch {
                    return self.is_stale(unit, attempt, mode);
                }
                let other = if mode.is_probe() { Mode::Apply } else { Mode::ProbeUndo };
                self.is_stale(unit, attempt, other)?;
                let outcome = match outcome {
                    Reply::NotBegun => return self.input(Input::NotBegun { unit, attempt, mode }),
                    reply => self.outcome(&key, attempt, mode, reply),
                };
                self.input(Input::Report { unit, attempt, mode, outcome })
            }
            Happening::Echoes { unit, key, attempt, mode } => match self.unit_now(&unit, &key) {
                Some(unit) => self.is_stale(unit, attempt, mode),
                None => Ok(()),
            },
            Happening::Operator => self.interfere(),
        }
    }

    fn outcome(&mut self, key: &str, attempt: u32, mode: Mode, reply: Reply) -> Outcome {
        let failure = Failure { code: "sim".into(), message: "simulated".into(), hint: "".into() };
        let there = match mode {
            Mode::Apply => self.world.count(key) > 0,
            Mode::Probe => self.world.probe(key, attempt),
            Mode::Undo | Mode::ProbeUndo => self.world.is_taken_back(key),
        };
        match reply {
            Reply::Truth if there => Outcome::Done { outputs: (mode == Mode::Apply).then(|| "{}".into()) },
            Reply::Truth => {
                let retry = if mode.is_probe() { Advice::Never } else { Advice::Retry };
                Outcome::Refused { failure, retry }
            }
            Reply::Refused(retry) => Outcome::Refused { failure, retry },
            Reply::Unknown | Reply::NotBegun => Outcome::Unknown { failure },
        }
    }

    fn target(&self, unit: UnitIx) -> Result<world::Target, String> {
        let (node, _) = self.run.unit_at(unit).ok_or("unknown unit")?;
        let action = self.run.plan().action(self.run.plan().node_at(node).0).ok_or("no action")?;
        // A target without keys and probe is one whose attempts the engine parks when in doubt; an attempt that acts
        // after its driver died is then ruled on by the operator, who knows the truth, so tokens are not needed.
        Ok(world::Target { knows_keys: action.idempotent, knows_tokens: action.has_probe })
    }

    /// The driver dies: what was not committed is gone, replies on their way reach nobody, calls on their way go on.
    fn crash(&mut self) -> Result<(), String> {
        self.crashes += 1;
        self.group.clear();
        let mut run = Run::new(self.first.clone());
        let (mut checker, mut truth) = (Checker::default(), Truth::default());
        let mut chain = Chain::of("sim", self.first.hash());
        for group in &self.journal {
            for record in chain.follow(group).map_err(|error| error.to_string())? {
                checker.before(&run, &record)?;
                truth.before(&run, &record)?;
                run.apply(&record).map_err(|error| error.to_string())?;
                checker.after(&run, &record);
                truth.after(&run, &record)?;
            }
        }
        self.run = run;
        self.checker = checker;
        self.truth = truth;
        self.now += 1_000;
        self.crashed = true;
        if self.run.opened_at().is_none() {
            self.input(Input::Open { actor: "sim".into() })?;
        }
        self.adopt()
    }

    fn adopt(&mut self) -> Result<(), String> {
        self.epoch += 1;
        let input = Input::Adopt { epoch: self.epoch, holder: format!("driver {}", self.epoch) };
        if matches!(self.run.status(), Status::Ended(_)) {
            return Ok(());
        }
        self.input(input.clone())?;
        match self.run.decide(self.now, input.clone(), &Oracle { fails: true }) {
            Err(Rejection::OldEpoch { .. }) => Ok(()),
            other => Err(format!("{input:?} came twice: {other:?}")),
        }
    }

    /// A reply of an attempt that is not in flight changes nothing, whatever it says.
    fn is_stale(&self, unit: UnitIx, attempt: u32, mode: Mode) -> Result<(), String> {
        let outcome = Outcome::Done { outputs: Some("{}".into()) };
        match self.run.decide(self.now, Input::Report { unit, attempt, mode, outcome }, &Oracle { fails: true }) {
            Err(Rejection::Stale { .. }) => Ok(()),
            other => Err(format!("a stale reply of attempt {attempt} of unit {} gives {other:?}", unit.0)),
        }
    }

    pub(crate) fn input(&mut self, input: Input) -> Result<(), String> {
        self.truth.advice = match &input {
            Input::Report { outcome: Outcome::Refused { retry, .. }, .. } => Some(*retry),
            Input::Report { .. } => Some(Advice::Retry),
            _ => None,
        };
        let events = match self.run.decide(self.now, input.clone(), &Oracle { fails: true }) {
            Ok(events) => events,
            Err(rejection) => {
                return match input {
                    Input::Command { .. } => Ok(()),
                    _ => Err(format!("{input:?} was refused: {rejection}")),
                };
            }
        };
        for event in events {
            let record = Record { at: self.now, event };
            self.checker.before(&self.run, &record).map_err(|broken| format!("{broken}, at {record:?}"))?;
            self.truth.before(&self.run, &record).map_err(|broken| format!("{broken}, at {record:?}"))?;
            self.run.apply(&record).map_err(|error| error.to_string())?;
            self.checker.after(&self.run, &record);
            self.truth.after(&self.run, &record).map_err(|broken| format!("{broken}, after {record:?}"))?;
            self.run.audit().map_err(|broken| format!("{broken}, after {record:?}"))?;
            if std::env::var_os("REINSTATE_SIM_SEED").is_some() {
                tell(&self.run, &record);
            }
            self.amendments += u32::from(matches!(record.event, Event::Amended { .. }));
            self.group.push(record);
            self.records += 1;
        }
        Ok(())
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.queue.is_empty()
    }

    /// Number of records so far.
    pub(crate) fn journal_len(&self) -> usize {
        self.records
    }

    /// The journal alone gives the run as it stands, index for index.
    fn replays(&self) -> Result<(), String> {
        let mut run = Run::new(self.first.clone());
        let mut chain = Chain::of("sim", self.first.hash());
        for group in &self.journal {
            for record in chain.follow(group).map_err(|error| error.to_string())? {
                run.apply(&record).map_err(|error| error.to_string())?;
            }
        }
        if format!("{run:?}") == format!("{:?}", self.run) {
            Ok(())
        } else {
            Err("the journal replays to another state".into())
        }
    }
}

/// Idempotency key of a unit, as the shell makes it for a run called `sim`.
pub(crate) fn key(run: &Run, unit: UnitIx) -> String {
    format!("{}/{}", run.key_run(unit).unwrap_or("sim"), run.unit_key(unit))
}
