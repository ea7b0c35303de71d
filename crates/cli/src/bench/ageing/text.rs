//! The figures for people.

use std::fmt::Write as _;

use super::NOT_KNOWN;
use super::history::{HistoryFigures, Phases};
use super::soak::SoakFigures;

/// Characters of a statement that are shown.
const SHOWN: usize = 70;

/// A soak for people.
pub(crate) fn soak_text(figures: &SoakFigures) -> String {
    let SoakFigures { runs, steps, wall_s, steps_per_s: rates, tables } = figures;
    let mut text = format!("{runs} runs, {steps} steps in {wall_s:.0} s; quarter by quarter\n");
    let _ = write!(text, "{} steps/s, median", quarters(rates.map(|rate| rate.map(f64::round))));
    for table in tables {
        let _ = write!(text, "\n{} bytes of {} at most", quarters(table.bytes), table.name);
        if table.dead.iter().any(|dead| *dead != Some(0)) {
            let _ = write!(text, "\n{} dead rows in it at most", quarters(table.dead));
        }
    }
    text
}

/// Four figures beside each other.
fn quarters<T: ToString>(figures: [Option<T>; 4]) -> String {
    let shown =
        figures.map(|figure| format!("{:>11}", figure.map_or_else(|| NOT_KNOWN.to_owned(), |one| one.to_string())));
    format!(" {}", shown.join(" "))
}

/// Two weeks of history for people.
pub(crate) fn history_text(figures: &HistoryFigures) -> String {
    let rates = figures.steps_per_s;
    let mut text = format!(
        "{} units in a week\n{:>12.0} steps/s before it\n{:>12.0} steps/s with all of it kept (ratio {:.2})\n\
         {:>12.0} steps/s when it was given up (ratio {:.2})",
        figures.units,
        rates.before,
        rates.with,
        rates.with / rates.before,
        rates.after,
        rates.after / rates.before,
    );
    for (days, what) in [(&figures.bytes, "all runs kept"), (&figures.bytes_kept_short, "runs kept for two days")] {
        let sizes: Vec<String> = days.iter().map(|bytes| format!("{:.1}", *bytes as f64 / 1e6)).collect();
        let _ = write!(text, "\n{} MB after each day, {what}", sizes.join("  "));
    }
    let Some(statements) = &figures.statements else {
        let _ = write!(text, "\nwhat each statement took is {NOT_KNOWN}: the store has no pg_stat_statements to read");
        return text;
    };
    text.push_str("\nmicroseconds a call before, with the week and after it, and the ratio of the second to the first");
    for one in statements {
        let Phases { before, with, after } = one.us;
        let shown: String = one.text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN).collect();
        let ratio = with / before;
        let _ = write!(text, "\n{before:>9.1} {with:>9.1} {after:>9.1}  {ratio:.2}  {} calls of {shown}", one.calls);
    }
    text
}
