//! A small real plan, driven through a real run: decide, apply, report, crash, adopt. The clock is a number.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, dead_code, unreachable_pub)]

pub mod people;
pub mod snapshot;

use std::sync::Arc;

use engine::{
    ActionUse, Advice, Backoff, Batches, Column, Command, EvalError, Evaluator, Failure, ForEach, Group, GroupIx,
    Input, Interned, KeyIx, Mode, Need, Objectives, OnExceeded, OnFailure, Origin, Outcome, Outputs, Place, Plan,
    PlanSpec, PoolIx, PoolSpec, PoolUse, Record, Retry, Ruling, Scope, Sites, StepIx, StepSpec, Target, UnitIx, Values,
    When, Work,
};
use reinstate_report::Fold;

/// 5 April 2022, 07:38 UTC.
pub const T0: i64 = 1_649_144_280_000;

/// No expression: every plan here decides all at plan time.
pub struct NoExpressions;

impl Evaluator for NoExpressions {
    fn condition(&self, _: &Plan, _: StepIx, _: KeyIx, _: &dyn Outputs) -> Result<bool, EvalError> {
        Ok(true)
    }
    fn items(&self, _: &Plan, _: StepIx, _: KeyIx, _: &dyn Outputs) -> Result<Vec<String>, EvalError> {
        Ok(Vec::new())
    }
    fn with(&self, _: &Plan, _: Target<'_>, _: &dyn Outputs) -> Result<serde_json::Value, EvalError> {
        Ok(serde_json::Value::Null)
    }
    fn labels(&self, _: &Plan, _: Target<'_>, _: &dyn Outputs) -> Result<Vec<String>, EvalError> {
        Ok(Vec::new())
    }
}

pub fn step(name: &str, line: u32, scope: Scope, needs: &[u16]) -> StepSpec {
    StepSpec {
        name: name.to_owned(),
        place: Place { line, column: 3 },
        scope,
        needs: needs.iter().map(|&ix| Need { step: StepIx(ix), require_all: false }).collect(),
        reads: Vec::new(),
        work: Work::Action(ActionUse {
            uses: format!("lab/{name}@1"),
            with: "{}".to_owned(),
            expect: String::new(),
            idempotent: true,
            has_probe: false,
        }),
        pools: Vec::new(),
        timeout_ms: 1_800_000,
        retry: Retry { attempts: 3, backoff: Backoff::Exponential, delay_ms: 1000, max_delay_ms: 60_000 },
        on_failure: OnFailure::Quarantine,
        front_load: false,
        finally: false,
        when: When::Always,
        for_each: ForEach::Once,
        expect_ms: (0, 0),
        keeps_outputs: false,
        undo: None,
    }
}

fn not_idempotent(step: &mut StepSpec) {
    if let Work::Action(action) = &mut step.work {
        action.idempotent = false;
    }
}

/// The steps of the small restoration: recover per shard, then per site catalogue to validate, then bystanders.
pub const RECOVER: u16 = 0;
pub const CATALOGUE: u16 = 1;
pub const IDENTITY: u16 = 2;
pub const DATABASES: u16 = 3;
pub const MEDIA: u16 = 4;
pub const APPS: u16 = 5;
pub const VALIDATE: u16 = 6;
pub const BYSTANDERS: u16 = 7;

/// A plan over sites with these IDs, spread over the shards in turn, in batches of 1, 9 and the rest.
pub fn spec(ids: &[String], shards: usize) -> PlanSpec {
    let sites = ids.len();
    let shard = Scope::Group(GroupIx(0));
    let rows: Vec<u32> = (0..sites).map(|site| (site % shards) as u32).collect();
    let keys = Interned { dictionary: (0..shards.min(sites)).map(|ix| format!("shard-{ix:02}")).collect(), rows };
    let deleted: Vec<i64> = (0..sites).map(|site| T0 - 3_600_000 * 9 + site as i64 * 1500).collect();
    let mut steps = vec![
        step("recover", 31, shard, &[]),
        step("catalogue", 34, Scope::Site, &[]),
        step("identity", 37, Scope::Site, &[CATALOGUE]),
        step("databases", 40, Scope::Site, &[CATALOGUE, RECOVER]),
        step("media", 46, Scope::Site, &[CATALOGUE]),
        step("apps", 49, Scope::Site, &[IDENTITY, DATABASES]),
        step("validate", 52, Scope::Site, &[APPS, MEDIA]),
        step("bystanders", 55, shard, &[DATABASES]),
    ];
    steps[RECOVER as usize].front_load = true;
    steps[DATABASES as usize].pools = vec![PoolUse { pool: PoolIx(0), slots: 1 }];
    steps[IDENTITY as usize].pools = vec![PoolUse { pool: PoolIx(1), slots: 1 }];
    // Two products for every site, a third for every fifth.
    let mut offsets = vec![0];
    let mut items = Vec::new();
    for site in 0..sites {
        items.extend(if site % 5 == 0 { vec![0, 1, 2] } else { vec![0, 1] });
        offsets.push(items.len() as u32);
    }
    steps[DATABASES as usize].for_each = ForEach::Planned { offsets, items };
    steps[MEDIA as usize].on_failure = OnFailure::Degrade;
    steps[MEDIA as usize].retry.attempts = 2;
    not_idempotent(&mut steps[APPS as usize]);
    steps[APPS as usize].when = When::Planned((0..sites).map(|site| site % 4 != 3).collect());
    let mut ends: Vec<u32> = [1, 10, sites].iter().map(|&end| end.min(sites) as u32).collect();
    ends.dedup();
    PlanSpec {
        format: engine::PLAN_FORMAT,
        origin: Origin {
            runbook: "restoration-2".to_owned(),
            runbook_file: "runbooks/restoration-2.yaml".to_owned(),
            runbook_text: String::new(),
            sites_file: "sites.csv".to_owned(),
            estate: "lab".to_owned(),
        },
        sites: Sites {
            ids: ids.iter().map(String::as_str).collect(),
            source_rows: (0..sites).map(|site| site as u32 + 2).collect(),
            columns: vec![Column { name: "deleted_at".to_owned(), values: Values::Timestamp(deleted.clone()) }],
            restore_points: deleted.iter().map(|at| at - 300_000).collect(),
        },
        groups: vec![Group { name: "shard".to_owned(), keys, restore_points: Vec::new() }],
        batches: Batches {
            max_failures: vec![1; ends.len()].into_iter().enumerate().map(|(ix, _)| ix as u32 * 2).collect(),
            ends,
            on_exceeded: OnExceeded::Pause,
            soak_ms: 5000,
            gate: None,
        },
        pools: vec![
            PoolSpec { name: "shard_writes".to_owned(), per: Some(shard), slots: Some(4), rate: None, shared: false },
            PoolSpec { name: "identity_api".to_owned(), per: None, slots: Some(8), rate: None, shared: false },
        ],
        steps,
        items: vec!["\"jira\"".to_owned(), "\"confluence\"".to_owned(), "\"opsgenie\"".to_owned()],
        inputs: "{}".to_owned(),
        estate: "{}".to_owned(),
        objectives: Objectives { rto_ms: Some(6 * 3_600_000), rpo_ms: Some(3_600_000) },
        extras: engine::Extras::default(),
    }
}

pub fn ids(sites: usize) -> Vec<String> {
    (0..sites).map(|site| format!("{site:08x}-0000-4000-8000-{:012x}", site * 7919)).collect()
}

/// What the world does with an attempt: how long it takes and how it ends.
pub type World = Box<dyn Fn(&engine::Run, UnitIx, u32) -> (i64, Outcome)>;

pub fn done() -> Outcome {
    Outcome::Done { outputs: None }
}

pub fn refused(code: &str, message: &str, hint: &str, retry: Advice) -> Outcome {
    Outcome::Refused { failure: Failure { code: code.into(), message: message.into(), hint: hint.into() }, retry }
}

/// A run, its fold and its records, driven by a number for a clock.
pub struct Drive {
    pub fold: Fold,
    pub records: Vec<Record>,
    pub now: i64,
    world: World,
    epoch: u64,
}

impl Drive {
    pub fn new(spec: PlanSpec, world: World) -> Self {
        let plan = Plan::new(spec).unwrap();
        let mut drive = Self { fold: Fold::new(plan).named("april-1"), records: Vec::new(), now: T0, world, epoch: 0 };
        drive.input(Input::Open { actor: "mia".to_owned() });
        drive.adopt();
        drive
    }

    pub fn input(&mut self, input: Input) -> usize {
        let events = self.fold.run().decide(self.now, input, &NoExpressions).unwrap();
        let count = events.len();
        for event in events {
            let record = Record { at: self.now, event };
            self.fold.push(&record).unwrap();
            self.records.push(record);
        }
        count
    }

    pub fn adopt(&mut self) {
        self.epoch += 1;
        self.input(Input::Adopt { epoch: self.epoch, holder: format!("driver-{}", self.epoch) });
    }

    /// Starts what can start.
    pub fn advance(&mut self) {
        while self.input(Input::Advance) > 0 {}
    }

    /// Ends the attempt that is over first, or waits for the next wake; says whether anything was left to do.
    pub fn step(&mut self) -> bool {
        self.advance();
        let run = self.fold.run();
        let first = run
            .pending()
            .map(|pending| {
                let (took, outcome) = (self.world)(run, pending.unit, pending.flight.attempt);
                (pending.flight.started_at + took, pending, outcome)
            })
            .min_by_key(|(at, pending, _)| (*at, pending.unit));
        match (first, run.next_wake()) {
            (Some((at, pending, outcome)), wake) if wake.is_none_or(|wake| at <= wake) => {
                self.now = self.now.max(at);
                let (unit, attempt, mode) = (pending.unit, pending.flight.attempt, pending.flight.mode);
                self.input(Input::Report { unit, attempt, mode, outcome });
                true
            }
            (_, Some(wake)) => {
                self.now = self.now.max(wake);
                true
            }
            _ => false,
        }
    }

    pub fn run_until(&mut self, mut stop: impl FnMut(&engine::Run) -> bool) {
        while !stop(self.fold.run()) {
            if !self.step() {
                return;
            }
        }
    }

    pub fn run_to_rest(&mut self) {
        while self.step() {}
    }

    pub fn command(&mut self, command: Command, reason: &str) {
        self.command_by("mia", command, reason);
    }

    pub fn command_by(&mut self, actor: &str, command: Command, reason: &str) {
        self.input(Input::Command { actor: actor.to_owned(), reason: reason.to_owned(), command });
    }

    /// Rules on everything that waits for an operator.
    pub fn rule_all(&mut self, ruling: Ruling, reason: &str) -> usize {
        let units: Vec<UnitIx> = self.fold.run().for_operator().collect();
        for &unit in &units {
            self.command(Command::Rule { unit, ruling }, reason);
        }
        units.len()
    }
}

/// Step and key of a unit.
pub fn at(run: &engine::Run, unit: UnitIx) -> (u16, u32) {
    let (node, _) = run.unit_at(unit).unwrap();
    let (step, key) = run.plan().node_at(node);
    (step.0, key.0)
}

/// How long attempts take: by step and unit, always the same.
pub fn took(step: u16, unit: UnitIx) -> i64 {
    let base = [240_000, 400, 2500, 9000, 6000, 3000, 1200, 30_000][usize::from(step)];
    base + base * i64::from(unit.0.wrapping_mul(2_654_435_761) >> 24) / 256
}

/// Everything succeeds.
pub fn calm() -> World {
    Box::new(|run, unit, _| (took(at(run, unit).0, unit), done()))
}

/// Flaky identity, media that stay away for two sites, one site that fails its validation.
pub fn rough() -> World {
    Box::new(|run, unit, attempt| {
        let (step, key) = at(run, unit);
        let outcome = match (step, key) {
            (IDENTITY, key) if key % 6 == 0 && attempt == 1 => {
                refused("http.status", "503 from identity", "", Advice::Retry)
            }
            (MEDIA, 4 | 17) => refused(
                "objects.missing",
                "2 of 31 attachments are not in the backup",
                "look in the older backup",
                Advice::Retry,
            ),
            (VALIDATE, 12 | 23) => refused(
                "check.mismatch",
                "page count is 118, expected 120",
                "compare with `logs`, then `retry`",
                Advice::Never,
            ),
            _ => done(),
        };
        (took(step, unit), outcome)
    })
}

/// The run that most tests look at: retries, two degraded, two quarantined sites, a crash with attempts in flight,
/// one of which only an operator can settle.
pub fn rough_run() -> Drive {
    let mut drive = Drive::new(spec(&ids(40), 3), rough());
    drive.run_until(|run| {
        run.pending().any(|pending| at(run, pending.unit).0 == APPS) && run.batch_times(engine::BatchIx(2)).0.is_some()
    });
    drive.now += 45_000;
    drive.adopt();
    drive.run_to_rest();
    assert!(drive.rule_all(Ruling::Done, "vendor confirms order 4711") > 0);
    drive.run_to_rest();
    drive
}

pub fn mode_is_apply(mode: Mode) -> bool {
    mode == Mode::Apply
}

pub fn plan(sites: usize, shards: usize) -> Arc<Plan> {
    Plan::new(spec(&ids(sites), shards)).unwrap()
}
