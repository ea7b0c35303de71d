//! The grid of sites: a square for each, or for several where there are too many to be told apart.

use crate::live::{Grid, SiteLetter};

/// Squares on a page.
const SQUARES: usize = 2_500;
/// Letters from the worst to the best: what a square of several sites shows.
const WORST: &[u8] = b"qdunrxlwo";

/// Sites that one square stands for.
pub(super) fn per(sites: usize) -> usize {
    let least = sites.div_ceil(SQUARES).max(1);
    // Numbers that people can count in.
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000].into_iter().find(|per| *per >= least).unwrap_or(least)
}

/// The letter of each square.
pub(super) fn cells(grid: &Grid, per: usize) -> Vec<char> {
    let worst = |sites: &[u8]| {
        let found = WORST.iter().copied().find(|letter| sites.contains(letter));
        char::from(found.unwrap_or(b'w'))
    };
    grid.letters().chunks(per.max(1)).map(worst).collect()
}

/// What the grid shows, in words.
pub(super) fn label(grid: &Grid) -> String {
    let counts = SiteLetter::ALL.iter().filter_map(|(letter, word)| {
        let count = grid.letters().iter().filter(|other| *other == letter).count();
        (count > 0).then(|| format!("{count} {word}"))
    });
    let counts: Vec<String> = counts.collect();
    format!("{} sites when the page was loaded: {}", grid.letters().len(), counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_page_has_more_squares_than_can_be_told_apart() {
        for sites in [0_usize, 1, 883, 2_500, 2_501, 100_000, 1_000_000, 5_000_000] {
            assert!(sites.div_ceil(per(sites)) <= SQUARES, "{sites}");
        }
        assert_eq!((per(883), per(2_501), per(100_000)), (1, 2, 50));
    }

    #[test]
    fn every_letter_has_its_place_among_worse_and_better() {
        let mut letters: Vec<u8> = SiteLetter::ALL.iter().map(|(letter, _)| *letter).collect();
        let mut known = WORST.to_vec();
        letters.sort_unstable();
        known.sort_unstable();
        assert_eq!(letters, known);
        let script = include_str!("../../assets/live.js");
        let worst = std::str::from_utf8(WORST).expect("letters");
        assert!(script.contains(&format!("const worst = \"{worst}\";")), "the script has the same order");
        for (letter, word) in SiteLetter::ALL {
            assert!(script.contains(&format!("{}: \"{word}\"", char::from(letter))), "the script knows {word}");
        }
    }
}
