//! The figures for people.

use std::fmt::Write as _;

use super::history::{HistoryFigures, Phases};
use super::soak::SoakFigures;

/// Characters of a statement that are shown.
const SHOWN: usize = 70;

/// A soak for people.
pub(crate) fn soak_text(figures: &SoakFigures) -> String {
    let SoakFigures { runs, steps, wall_s, steps_per_s: rates, tables } = figures;
    let mut text = format!("{runs} runs, {steps} steps in {wall_s:.0} s; quarter by quarter\n");
    let _ = write!(text, "{:>12.0} {:>11.0} {:>11.0} {:>11.0} steps/s, median", rates[0], rates[1], rates[2], rates[3]);
    for table in tables {
        let ([a, b, c, d], [e, f, g, h]) = (table.bytes, table.dead);
        let _ = write!(text, "\n{a:>12} {b:>11} {c:>11} {d:>11} bytes of {} at most", table.name);
        if table.dead != [0; 4] {
            let _ = write!(text, "\n{e:>12} {f:>11} {g:>11} {h:>11} dead rows in it at most");
        }
    }
    text
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
    if !figures.statements.is_empty() {
        text.push_str(
            "\nmicroseconds a call before, with the week and after it, and the ratio of the second to the first",
        );
    }
    for one in &figures.statements {
        let Phases { before, with, after } = one.us;
        let shown: String = one.text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN).collect();
        let ratio = with / before;
        let _ = write!(text, "\n{before:>9.1} {with:>9.1} {after:>9.1}  {ratio:.2}  {} calls of {shown}", one.calls);
    }
    text
}
