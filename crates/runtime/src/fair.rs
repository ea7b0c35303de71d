//! How a shared pool is divided: one rule, so that every store divides alike.

use engine::Millis;

use crate::ports::Grant;

/// Milliseconds after which what does not divide evenly goes to other runs.
const TURN_MS: Millis = 30_000;

/// What one live run says of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// Slots of the pool, as its plan has them.
    pub limit: u32,
    /// Slots that it was last granted, or then used, whichever is more.
    pub held: u32,
    /// Slots that it could use.
    pub want: u32,
    /// Slots that one of its units takes, at most.
    pub unit: u32,
}

/// Returns what the party at `me` may use now. `parties` are all live runs of the pool in the order of their creation, the
/// asking one with what it now wants; what it holds itself is not looked at.
///
/// The grant is its fair part of the smallest limit, less what others hold too much. Parts are max-min fair, except that
/// the run whose turn it is gets at least what one of its units takes: else two runs might have half of that each, and
/// wait for ever.
#[must_use]
pub fn fair_grant(parties: &[Party], me: usize, now: Millis) -> Grant {
    let limit = parties.iter().map(|party| party.limit).min().unwrap_or(0);
    let others = parties.iter().enumerate().filter(|&(at, _)| at != me).map(|(_, party)| u64::from(party.held));
    let free = u64::from(limit).saturating_sub(others.sum());
    let wanting = |(at, party): (usize, &Party)| at == me || party.want > 0;
    let participants = parties.iter().enumerate().filter(|&it| wanting(it)).count();
    let part = parts(parties, limit, now).get(me).copied().unwrap_or(0);
    Grant {
        slots: part.min(u32::try_from(free).unwrap_or(u32::MAX)),
        participants: u32::try_from(participants).unwrap_or(u32::MAX).max(1),
    }
}

/// The fair part of each, whatever they hold.
fn parts(parties: &[Party], limit: u32, now: Millis) -> Vec<u32> {
    let turn = now.div_euclid(TURN_MS).unsigned_abs();
    let wants: Vec<u32> = parties.iter().map(|party| party.want).collect();
    let parts = divide(limit, &wants, turn);
    let wanting: Vec<usize> = (0..wants.len()).filter(|&at| wants[at] > 0).collect();
    let Some(whose_turn) = turn.checked_rem(wanting.len() as u64).and_then(|nth| usize::try_from(nth).ok()) else {
        return parts;
    };
    let first = wanting[whose_turn];
    let needs = parties[first].unit.min(wants[first]).min(limit);
    if needs <= parts[first] {
        return parts;
    }
    let others: Vec<u32> = wants.iter().enumerate().map(|(at, &want)| if at == first { 0 } else { want }).collect();
    let mut parts = divide(limit - needs, &others, turn);
    parts[first] = needs;
    parts
}

/// Divides a limit max-min fairly.
fn divide(limit: u32, wants: &[u32], turn: u64) -> Vec<u32> {
    let mut by_want: Vec<u32> = wants.iter().copied().filter(|&want| want > 0).collect();
    by_want.sort_unstable();
    let (mut rest, mut left) = (u64::from(limit), by_want.len() as u64);
    for want in by_want.into_iter().map(u64::from) {
        if want > rest / left {
            break;
        }
        rest -= want;
        left -= 1;
    }
    let Some(even) = rest.checked_div(left) else { return wants.to_vec() };
    // Those who want more than an even part stand in a circle; from one that changes with time, the first ones get one more.
    let mut place = 0;
    let mut part = |&want: &u32| {
        if u64::from(want) <= even {
            return want;
        }
        let rank = (place + left - turn % left) % left;
        place += 1;
        u32::try_from(even + u64::from(rank < rest % left)).unwrap_or(u32::MAX)
    };
    wants.iter().map(&mut part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts of a pool of which nobody holds anything yet, at a time.
    fn parts(limit: u32, wants: &[u32], now: Millis) -> Vec<u32> {
        let parties: Vec<Party> = wants.iter().map(|&want| Party { limit, held: 0, want, unit: 1 }).collect();
        (0..wants.len()).map(|me| fair_grant(&parties, me, now).slots).collect()
    }

    #[test]
    fn small_wants_are_met_and_the_rest_is_even() {
        assert_eq!(parts(10, &[2, 9, 9], 0), [2, 4, 4]);
        assert_eq!(parts(10, &[2, 0, 3], 0), [2, 0, 3]);
        assert_eq!(parts(9, &[5, 5, 5], 0), [3, 3, 3]);
        assert_eq!(parts(0, &[5, 5], 0), [0, 0]);
        assert_eq!(parts(u32::MAX, &[u32::MAX], -1), [u32::MAX]);
        assert_eq!(parts(5, &[], 0), [0; 0]);
    }

    #[test]
    fn what_is_left_goes_round() {
        let at = |turn: Millis| parts(1, &[7, 0, 7, 7], turn * TURN_MS);
        assert_eq!([at(0), at(1), at(2), at(3)], [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0]]);
        assert_eq!(parts(11, &[3, 7, 7, 7], 0), [3, 3, 3, 2]);
    }

    #[test]
    fn what_others_hold_too_much_is_waited_for() {
        let holds = |held, want, limit| Party { limit, held, want, unit: 1 };
        let parties = [holds(9, 9, 10), holds(0, 9, 10)];
        assert_eq!(fair_grant(&parties, 1, 0), Grant { slots: 1, participants: 2 });
        assert_eq!(fair_grant(&parties, 0, 0), Grant { slots: 5, participants: 2 });
        let smaller = [holds(9, 9, 10), holds(0, 9, 4)];
        assert_eq!(fair_grant(&smaller, 1, 0).slots, 0);
        assert_eq!(fair_grant(&smaller, 0, 0).slots, 2);
    }

    #[test]
    fn a_unit_that_takes_more_than_an_even_part_has_its_turn() {
        let wants = |want, unit| Party { limit: 4, held: 0, want, unit };
        let parts = |parties: &[Party], turn| super::parts(parties, 4, turn * TURN_MS);
        let both = [wants(9, 3), wants(9, 3)];
        assert_eq!([parts(&both, 0), parts(&both, 1)], [[3, 1], [1, 3]]);
        let mixed = [wants(9, 1), wants(9, 1), wants(9, 4)];
        assert_eq!([parts(&mixed, 0), parts(&mixed, 1), parts(&mixed, 2)], [[2, 1, 1], [1, 2, 1], [0, 0, 4]]);
        // Nobody gets more than it wants or than there is, and who wants little has a turn too.
        let large = [wants(1, 3), wants(9, 9)];
        assert_eq!([parts(&large, 0), parts(&large, 1)], [[1, 3], [0, 4]]);
        assert_eq!(parts(&[wants(2, 3), wants(9, 2)], 0), [2, 2]);
    }

    #[test]
    fn parts_use_up_the_limit_and_differ_by_one_at_most_among_the_unmet() {
        for limit in 0..14 {
            for code in 0..625_u32 {
                let wants = [code % 5, code / 5 % 5, code / 25 % 5, code / 125];
                for turn in 0..3 {
                    let parts = parts(limit, &wants, turn * TURN_MS);
                    assert_eq!(parts.iter().sum::<u32>(), limit.min(wants.iter().sum()), "{limit} {wants:?}");
                    let unmet = parts.iter().zip(wants).filter(|&(&part, want)| part < want).map(|(&part, _)| part);
                    let least = unmet.min().unwrap_or(u32::MAX);
                    // Nobody has more than one above the poorest of those who want more.
                    assert!(parts.iter().all(|&part| part <= least.saturating_add(1)), "{limit} {wants:?} {parts:?}");
                }
            }
        }
    }
}
