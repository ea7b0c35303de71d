//! How a shared pool is divided: one rule, so that every store divides alike.

use engine::Millis;

use crate::ports::Grant;

/// Milliseconds after which what does not divide evenly goes to other runs.
const TURN_MS: Millis = 10_000;

/// What one live run says of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// Slots of the pool, as its plan has them.
    pub limit: u32,
    /// Slots that it was last granted, or then used, whichever is more.
    pub held: u32,
    /// Slots that it could use.
    pub want: u32,
}

/// Returns what the party at `me` may use now. `parties` are all live runs of the pool in the order of their creation, the
/// asking one with what it now wants; what it holds itself is not looked at.
///
/// The grant is its max-min fair part of the smallest limit, less what others hold too much.
#[must_use]
pub fn fair_grant(parties: &[Party], me: usize, now: Millis) -> Grant {
    let limit = parties.iter().map(|party| party.limit).min().unwrap_or(0);
    let others = parties.iter().enumerate().filter(|&(at, _)| at != me).map(|(_, party)| u64::from(party.held));
    let free = u64::from(limit).saturating_sub(others.sum());
    let wanting = |(at, party): (usize, &Party)| at == me || party.want > 0;
    let participants = parties.iter().enumerate().filter(|&it| wanting(it)).count();
    Grant {
        slots: part(parties, me, limit, now).min(u32::try_from(free).unwrap_or(u32::MAX)),
        participants: u32::try_from(participants).unwrap_or(u32::MAX).max(1),
    }
}

/// The fair part of one, whatever others hold.
fn part(parties: &[Party], me: usize, limit: u32, now: Millis) -> u32 {
    let Some(mine) = parties.get(me).map(|party| party.want) else { return 0 };
    let mut by_want: Vec<u32> = parties.iter().map(|party| party.want).filter(|&want| want > 0).collect();
    by_want.sort_unstable();
    let (mut rest, mut left) = (u64::from(limit), by_want.len() as u64);
    for want in by_want.into_iter().map(u64::from) {
        let even = rest / left;
        if want > even {
            break;
        }
        rest -= want;
        left -= 1;
    }
    let Some(even) = rest.checked_div(left).filter(|&even| even < u64::from(mine)) else { return mine };
    // Those who want more than an even part stand in a circle; from one that changes with time, the first ones get one more.
    let circle = |(_, party): &(usize, &Party)| u64::from(party.want) > even;
    let place = parties.iter().enumerate().filter(circle).take_while(|&(at, _)| at != me).count() as u64;
    let turn = now.div_euclid(TURN_MS).unsigned_abs() % left;
    let larger = (place + turn) % left < rest % left;
    u32::try_from(even + u64::from(larger)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts of a pool of which nobody holds anything yet, at a time.
    fn parts(limit: u32, wants: &[u32], now: Millis) -> Vec<u32> {
        let parties: Vec<Party> = wants.iter().map(|&want| Party { limit, held: 0, want }).collect();
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
        assert_eq!([at(0), at(1), at(2), at(3)], [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]]);
        assert_eq!(parts(11, &[3, 7, 7, 7], 0), [3, 3, 3, 2]);
    }

    #[test]
    fn what_others_hold_too_much_is_waited_for() {
        let holds = |held, want, limit| Party { limit, held, want };
        let parties = [holds(9, 9, 10), holds(0, 9, 10)];
        assert_eq!(fair_grant(&parties, 1, 0), Grant { slots: 1, participants: 2 });
        assert_eq!(fair_grant(&parties, 0, 0), Grant { slots: 5, participants: 2 });
        let smaller = [holds(9, 9, 10), holds(0, 9, 4)];
        assert_eq!(fair_grant(&smaller, 1, 0).slots, 0);
        assert_eq!(fair_grant(&smaller, 0, 0).slots, 2);
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
