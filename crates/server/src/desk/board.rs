//! How far the people are: what is whose, what is free, how fast it goes, and when it will be through.

use std::collections::{BTreeMap, BTreeSet};

use engine::{Gate, Millis, NodeIx, Plan, Run, Work};
use report::Fold;
use runtime::WorkClaim;
use serde::Serialize;
use utoipa::ToSchema;

const HOUR: Millis = 3_600_000;

/// How far the people are with what waits for them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct Board {
    /// In this person's hands, what was first taken first.
    pub(crate) mine: Vec<Mine>,
    /// Open, and in nobody's hands.
    pub(crate) free: usize,
    /// Of those, what this person may decide on.
    pub(crate) free_for_me: usize,
    /// In the hands of others.
    pub(crate) with_others: usize,
    /// Decided by people.
    pub(crate) decided: usize,
    /// Of those, within the last hour.
    pub(crate) last_hour: usize,
    /// Not yet come so far that anybody could look.
    pub(crate) to_come: usize,
    /// When all will be decided if it goes on as in the last hour; nothing if nothing was decided in it.
    #[schema(value_type = Option<i64>)]
    pub(crate) through_at: Option<Millis>,
    /// By step: its name, and how many are free and with whomever.
    pub(crate) steps: Vec<OfStep>,
}

/// Something in one's hands.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Mine {
    /// Its name, as verbs take it.
    pub(crate) gate: String,
    /// Minutes left, rounded up.
    pub(crate) minutes_left: i64,
    /// Notes that were left with it.
    pub(crate) notes: usize,
}

/// A step that people decide on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct OfStep {
    /// Its name.
    pub(crate) step: String,
    /// Open, and in nobody's hands.
    pub(crate) free: usize,
    /// In somebody's hands.
    pub(crate) in_hand: usize,
}

/// Counts for one person. Costs time in proportion to what is open and what was decided.
pub(crate) fn board(fold: &Fold, claims: &[WorkClaim], who: &str, now: Millis) -> Board {
    let run = fold.run();
    let held: BTreeMap<&str, &WorkClaim> =
        claims.iter().filter(|claim| claim.holder(now).is_some()).map(|claim| (&*claim.subject, claim)).collect();
    let for_me: BTreeSet<Gate> = run.requests_open_to(who).map(|request| request.gate).collect();
    let mut steps: BTreeMap<usize, OfStep> = BTreeMap::new();
    let mut board = Board::default();
    let mut mine: Vec<&WorkClaim> = Vec::new();
    for request in run.requests() {
        let Gate::Unit(unit) = request.gate else { continue };
        let Some((node, _)) = run.unit_at(unit) else { continue };
        let step = run.plan().node_at(node).0;
        let name = report::gate_word(run, request.gate);
        let of_step = steps.entry(step.ix()).or_default();
        of_step.step.clone_from(&run.plan().step(step).name);
        match held.get(&*name) {
            Some(claim) if claim.who == who => {
                mine.push(claim);
                of_step.in_hand += 1;
            }
            Some(_) => {
                board.with_others += 1;
                of_step.in_hand += 1;
            }
            None => {
                board.free += 1;
                of_step.free += 1;
                board.free_for_me += usize::from(for_me.contains(&request.gate));
            }
        }
    }
    mine.sort_by(|one, other| (one.since, &one.subject).cmp(&(other.since, &other.subject)));
    board.mine = mine.into_iter().map(|claim| of_mine(claim, now)).collect();
    board.steps = steps.into_values().collect();
    (board.decided, board.last_hour) = fold.decided(now.saturating_sub(HOUR));
    let open = board.free + board.with_others + board.mine.len();
    board.to_come = unsettled(run).saturating_sub(open);
    let window = run.opened_at().map_or(HOUR, |opened| now.saturating_sub(opened)).clamp(60_000, HOUR);
    board.through_at = through(open + board.to_come, board.last_hour, window).map(|left| now.saturating_add(left));
    board
}

fn of_mine(claim: &WorkClaim, now: Millis) -> Mine {
    let left = claim.until.saturating_sub(now).max(0);
    Mine { gate: claim.subject.clone(), minutes_left: (left + 59_999) / 60_000, notes: claim.notes.len() }
}

/// Time until so many are decided, if as many as lately are in each such time.
fn through(left: usize, lately: usize, window: Millis) -> Option<Millis> {
    if lately == 0 || left == 0 {
        return None;
    }
    let each = window as f64 / lately as f64;
    Some((each * left as f64) as Millis)
}

/// Whether people decide on steps of a plan.
pub(crate) fn has_desk(plan: &Plan) -> bool {
    plan.spec().steps.iter().any(|step| matches!(step.work, Work::Approval(_)))
}

/// Approvals that are steps and that nobody has decided on yet, asked or not.
fn unsettled(run: &Run) -> usize {
    let plan = run.plan();
    let steps = plan.steps().filter(|&step| matches!(plan.step(step).work, Work::Approval(_)));
    let nodes = steps.flat_map(|step| {
        let first = plan.node(step, engine::KeyIx(0)).0;
        let keys = (0..plan.key_count(plan.step(step).scope)).map(engine::KeyIx);
        keys.filter(move |&key| plan.planned_to_run(step, key)).map(move |key| NodeIx(first + key.0))
    });
    nodes.filter(|&node| !run.node_state(node).is_settled()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_takes_as_long_as_the_last_hour_says() {
        assert_eq!(through(120, 40, HOUR), Some(3 * HOUR));
        assert_eq!(through(10, 10, HOUR / 2), Some(HOUR / 2));
        assert_eq!((through(0, 5, HOUR), through(5, 0, HOUR)), (None, None), "nothing can be said");
    }

    #[test]
    fn minutes_left_are_rounded_up_and_never_less_than_none() {
        let claim = |until| WorkClaim {
            subject: "look/s1".into(),
            who: "ann".into(),
            since: 0,
            until,
            notes: std::collections::VecDeque::new(),
        };
        let left = |until| of_mine(&claim(until), 1_000).minutes_left;
        assert_eq!((left(61_000), left(61_001), left(0)), (1, 2, 0));
    }
}
