//! Every site of a run as one letter: small enough to send 100,000 of them, and what changed since the last look.

use engine::{Run, SiteIx};

/// The letters, one for each state of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SiteLetter;

impl SiteLetter {
    /// Letters and the states that they stand for, as `sites` names them.
    pub(crate) const ALL: [(u8, &'static str); 9] = [
        (b'w', "waiting"),
        (b'r', "restoring"),
        (b'o', "returned"),
        (b'd', "degraded"),
        (b'q', "quarantined"),
        (b'u', "undoing"),
        (b'n', "undone"),
        (b'x', "excluded"),
        (b'l', "released"),
    ];

    /// The letter of a state.
    #[must_use]
    pub(crate) fn of(state: &str) -> u8 {
        Self::ALL.iter().find(|(_, word)| *word == state).map_or(b'w', |(letter, _)| *letter)
    }
}

/// A letter for each site that the plan restores, in the plan's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grid {
    letters: Vec<u8>,
}

impl Grid {
    /// Looks at every site once.
    pub(super) fn of(run: &Run) -> Self {
        let sites = (0..run.plan().site_count()).map(SiteIx);
        Self { letters: sites.map(|site| SiteLetter::of(report::site_state(run, site))).collect() }
    }

    /// A grid of these letters.
    #[cfg(test)]
    pub(super) fn drawn(letters: &str) -> Self {
        Self { letters: letters.as_bytes().to_vec() }
    }

    /// The letters, one a site.
    #[must_use]
    pub fn letters(&self) -> &[u8] {
        &self.letters
    }

    /// The letters with runs of the same written once, the number before the letter: `o812r3w185`.
    ///
    /// A letter without a number stands for one site. Long stretches are alike in a run that goes by batches, so that
    /// 100,000 sites mostly take a few hundred bytes.
    #[must_use]
    pub fn packed(&self) -> String {
        let mut text = String::new();
        for stretch in self.letters.chunk_by(|a, b| a == b) {
            text.push(char::from(stretch[0]));
            if stretch.len() > 1 {
                text.push_str(&stretch.len().to_string());
            }
        }
        text
    }

    /// Stretches that differ from an earlier grid of the same run: where they begin, and their letters now. `None` if the
    /// grids are of different plans, or so much differs that the whole is shorter.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Option<Vec<(usize, String)>> {
        if self.letters.len() != earlier.letters.len() {
            return None;
        }
        let mut changes: Vec<(usize, String)> = Vec::new();
        for (at, (&now, &before)) in self.letters.iter().zip(&earlier.letters).enumerate() {
            if now == before {
                continue;
            }
            match changes.last_mut() {
                Some((from, letters)) if *from + letters.len() == at => letters.push(char::from(now)),
                _ => changes.push((at, char::from(now).to_string())),
            }
            if changes.len() > CHANGES_MAX {
                return None;
            }
        }
        Some(changes)
    }
}

/// Stretches beyond which the whole grid is sent.
const CHANGES_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(letters: &str) -> Grid {
        Grid::drawn(letters)
    }

    #[test]
    fn stretches_are_packed() {
        assert_eq!(grid("ooorwwww").packed(), "o3rw4");
        assert_eq!(grid("").packed(), "");
    }

    #[test]
    fn what_changed_is_told_in_stretches() {
        let (before, now) = (grid("wwwwwww"), grid("orwwwqw"));
        assert_eq!(now.since(&before), Some(vec![(0, "or".to_owned()), (5, "q".to_owned())]));
        assert_eq!(now.since(&now), Some(vec![]));
        assert_eq!(now.since(&grid("ww")), None, "another plan");
        let many = "wo".repeat(CHANGES_MAX + 1);
        assert_eq!(grid(&many).since(&grid(&"w".repeat(many.len()))), None, "the whole is shorter");
    }

    #[test]
    fn every_state_has_a_letter_of_its_own() {
        for (letter, state) in SiteLetter::ALL {
            assert_eq!(SiteLetter::of(state), letter);
            assert_eq!(SiteLetter::ALL.iter().filter(|(other, _)| *other == letter).count(), 1, "{state}");
        }
    }
}
