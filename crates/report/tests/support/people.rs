//! A run with people in it: approvals given, refused and forgotten, decrees, an undo that sticks, and an end that was none.

use engine::{
    ActionUse, Advice, Again, Approval, ApproverGroup, Command, Decree, ExcludedSite, Gate, KeyIx, NodeIx, OnLapse,
    PlanSpec, PoolIx, Scope, SiteIx, StepIx, TakeOut, UnitIx, UnitState, Work,
};

use super::*;

pub const CUSTOMER: u16 = 8;
pub const ANNOUNCE: u16 = 9;

pub fn approval(min: u16, hours: u64) -> Approval {
    let on_timeout = OnLapse::Reject;
    Approval { from: vec!["leads".to_owned()], min, timeout_ms: hours * 3_600_000, on_timeout }
}

/// The small restoration with a second pair of eyes at the start, before each batch and for each site, with undos for
/// catalogue and databases, and an announcement at the end.
pub fn guarded(sites: usize) -> PlanSpec {
    let mut spec = spec(&ids(sites), 2);
    spec.extras.start = Some(approval(2, 4));
    spec.extras.approvers =
        vec![ApproverGroup { name: "leads".to_owned(), members: vec!["ann".to_owned(), "bob".to_owned()] }];
    let excluded = |id: &str, row| ExcludedSite { id: id.to_owned(), row, reason: "closed its account".to_owned() };
    spec.extras.excluded = vec![excluded("ffffffff-closed-1", 16), excluded("ffffffff-closed-2", 17)];
    spec.extras.read_only = (0..10).map(|step| [VALIDATE, BYSTANDERS, CUSTOMER].contains(&step)).collect();
    spec.batches.gate = Some(approval(1, 4));
    spec.batches.max_failures = vec![3; spec.batches.ends.len()];
    let mut customer = step("customer", 58, Scope::Site, &[VALIDATE]);
    customer.work = Work::Approval(approval(1, 2));
    let mut announce = step("announce", 61, Scope::Run, &[]);
    announce.finally = true;
    spec.steps.extend([customer, announce]);
    for step in [CATALOGUE, DATABASES] {
        spec.steps[usize::from(step)].undo = Some(ActionUse {
            uses: "lab/remove@1".to_owned(),
            with: "{}".to_owned(),
            expect: String::new(),
            idempotent: true,
            has_probe: false,
        });
    }
    spec
}

/// Databases of site 3 cannot be removed, pages of sites 5 and 13 differ at first, the webhook is gone.
fn world() -> World {
    Box::new(|run, unit, attempt| {
        let (step, key) = at(run, unit);
        let undo = run.flight(unit).is_some_and(|flight| flight.mode.is_undo());
        let outcome = match (step, key, undo) {
            (DATABASES, 3, true) => refused("sqlite.locked", "a session holds the schema", "end it", Advice::Retry),
            (VALIDATE, 5 | 13, false) if attempt == 1 => {
                refused("check.mismatch", "page count is 118, expected 120", "compare, then `retry`", Advice::Never)
            }
            (ANNOUNCE, _, _) => refused("http.status", "404 from the webhook", "", Advice::Never),
            _ => done(),
        };
        let base = if step == ANNOUNCE { 500 } else { took(step.min(BYSTANDERS), unit) };
        (base, outcome)
    })
}

pub fn node(run: &engine::Run, step: u16, key: u32) -> NodeIx {
    run.plan().node(StepIx(step), KeyIx(key))
}

/// Starts the run of the story; nobody has said anything yet.
pub fn opened() -> Drive {
    Drive::new(guarded(14), world())
}

/// Approves what waits, but for the customers of sites 1, who says no, and 2, who says nothing.
pub fn answer(drive: &mut Drive) {
    let waits: Vec<Gate> = drive.fold.run().requests().map(|request| request.gate).collect();
    for gate in waits {
        let site = match gate {
            Gate::Unit(unit) => Some(at(drive.fold.run(), unit).1),
            Gate::Start | Gate::Batch(_) => None,
        };
        match site {
            Some(1) => drive.command_by("ann", Command::Reject { gate }, "half of our pages are <blank>"),
            Some(2) => {}
            _ => drive.command_by("bob", Command::Approve { gate, checked: Vec::new() }, "looks right"),
        }
    }
}

fn unanswered(run: &engine::Run) -> bool {
    run.requests().any(|request| match request.gate {
        Gate::Unit(unit) => at(run, unit).1 != 2,
        Gate::Start | Gate::Batch(_) => true,
    })
}

/// Goes on, with answers, until something is so or nothing is left to do.
pub fn go_until(drive: &mut Drive, mut stop: impl FnMut(&engine::Run) -> bool) {
    loop {
        // What people are asked is answered before the clock moves on to where it would lapse.
        drive.advance();
        if stop(drive.fold.run()) {
            return;
        }
        if unanswered(drive.fold.run()) {
            drive.now += 60_000;
            answer(drive);
        } else if !drive.step() {
            return;
        }
    }
}

/// The whole story, to its second end.
pub fn story() -> Drive {
    let mut drive = opened();
    drive.now += 120_000;
    drive.command_by("ann", Command::Approve { gate: Gate::Start, checked: Vec::new() }, "plan looked through");
    drive.now += 60_000;
    drive.command_by("bob", Command::Approve { gate: Gate::Start, checked: Vec::new() }, "");
    drive.command(Command::SetPool { pool: PoolIx(0), slots: 6 }, "the shards are idle");
    drive.command(Command::TakeOut { site: SiteIx(10), how: TakeOut::Exclude }, "moved to another region");
    drive.command(Command::TakeOut { site: SiteIx(11), how: TakeOut::Release }, "the other team has begun it");
    go_until(&mut drive, |run| run.batch_times(engine::BatchIx(1)).0.is_some());
    let overrule = |drive: &mut Drive, key: u32, how: Decree, why: &str| {
        let node = node(drive.fold.run(), APPS, key);
        drive.command(Command::Overrule { node, item: None, how }, why);
    };
    overrule(&mut drive, 4, Decree::Skip, "its app is retired");
    overrule(&mut drive, 6, Decree::Done { outputs: None }, "vendor's ticket 4711");
    go_until(&mut drive, |run| run.site_end(SiteIx(3)).is_some() && run.site_end(SiteIx(5)).is_some());
    drive.command(Command::Retry { what: Again::Site(SiteIx(5)) }, "pages were recounted");
    drive.command(Command::TakeOut { site: SiteIx(3), how: TakeOut::Undo }, "customer wants the old state");
    go_until(&mut drive, |run| run.for_operator().count() == 2);
    let stuck: Vec<UnitIx> = drive.fold.run().for_operator().collect();
    assert!(stuck.iter().all(|&unit| drive.fold.run().unit_state(unit) == Some(UnitState::Stuck)));
    drive.now += 600_000;
    let undone = node(drive.fold.run(), DATABASES, 3);
    let by_hand = Decree::Done { outputs: None };
    drive.command(Command::Overrule { node: undone, item: Some(0), how: by_hand }, "dropped by hand");
    drive.command(Command::Overrule { node: undone, item: Some(1), how: Decree::Skip }, "in use elsewhere");
    go_until(&mut drive, |run| matches!(run.status(), engine::Status::Ended(_)));
    drive.now += 3_600_000;
    drive.command(Command::Retry { what: Again::Site(SiteIx(13)) }, "recounted there too");
    drive.adopt();
    go_until(&mut drive, |run| matches!(run.status(), engine::Status::Ended(_)));
    drive
}
