//! The keys: what each means, which verbs apply to what is selected, and how that is told.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use server::verbs::Truth;

use super::verb::Verb;
use server::live::{Item, Kind, Snapshot};

/// Lines that a page key moves by.
const PAGE: usize = 10;

/// Meaning of a key outside a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Leave,
    Help,
    /// All that is known of the selected item.
    More,
    /// The next page of the screen.
    Page,
    /// Back to the overview.
    Home,
    Up(usize),
    Down(usize),
    Verb(char),
    None,
}

/// Reads a key.
pub(super) fn key(event: KeyEvent) -> Key {
    if event.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
        return Key::None;
    }
    match event.code {
        KeyCode::Char('q') => Key::Leave,
        KeyCode::Char('?') | KeyCode::F(1) => Key::Help,
        KeyCode::Enter => Key::More,
        KeyCode::Tab => Key::Page,
        KeyCode::Esc => Key::Home,
        KeyCode::Up => Key::Up(1),
        KeyCode::Down => Key::Down(1),
        KeyCode::PageUp => Key::Up(PAGE),
        KeyCode::PageDown => Key::Down(PAGE),
        KeyCode::Home => Key::Up(usize::MAX),
        KeyCode::End => Key::Down(usize::MAX),
        KeyCode::Char(letter) if VERBS.iter().any(|(known, _)| *known == letter) => Key::Verb(letter),
        _ => Key::None,
    }
}

/// Letters of the verbs, with what they do.
pub(super) const VERBS: [(char, &str); 9] = [
    ('a', "approve the selected approval"),
    ('x', "reject it; of a batch or the start, this cancels the run"),
    ('r', "retry the selected site or stuck step"),
    ('R', "retry every quarantined site"),
    ('d', "resolve the selected step: it is done"),
    ('n', "resolve it: it is not done, run it again"),
    ('g', "resolve it: give it up, its sites are quarantined"),
    ('p', "pause the run: nothing new starts"),
    ('c', "continue a paused run"),
];

/// The verb of a letter for what is selected, or why there is none.
pub(super) fn verb_of(letter: char, item: Option<&Item>, seen: &Snapshot) -> Result<Verb, &'static str> {
    let of = |kinds: &[Kind], why: &'static str| item.filter(|item| kinds.contains(&item.kind)).cloned().ok_or(why);
    let waiting = [Kind::Parked, Kind::Stuck];
    match letter {
        'a' => of(&[Kind::Gate, Kind::Approval], "select an approval to approve it").map(Verb::Approve),
        'x' => of(&[Kind::Gate, Kind::Approval], "select an approval to reject it").map(Verb::Reject),
        'r' => of(
            &[Kind::Quarantined, Kind::Degraded, Kind::Stuck],
            "select a quarantined site or a stuck step to retry it; of one in doubt say `d` or `n`",
        )
        .map(Verb::Retry),
        'R' if seen.sites.quarantined == 0 => Err("no site is quarantined"),
        'R' => Ok(Verb::RetryAll),
        'd' => of(&waiting, "select a step in doubt or stuck to say that it is done")
            .map(|item| Verb::Resolve(item, Truth::Done)),
        'n' => of(&waiting, "select a step in doubt or stuck to say that it is not done")
            .map(|item| Verb::Resolve(item, Truth::NotDone)),
        'g' => {
            of(&waiting, "select a step in doubt or stuck to give it up").map(|item| Verb::Resolve(item, Truth::GiveUp))
        }
        'p' if seen.state.over => Err("the run has ended"),
        'p' if seen.state.paused => Err("the run is paused already; `c` continues it"),
        'p' => Ok(Verb::Pause),
        'c' if !seen.state.paused => Err("the run is not paused"),
        'c' => Ok(Verb::Continue),
        _ => Err("no such key; `?` shows all"),
    }
}

/// What the footer offers: the verbs that apply now, then what always does.
pub(super) fn offers(item: Option<&Item>, seen: &Snapshot) -> Vec<(&'static str, &'static str)> {
    let mut offers: Vec<(&str, &str)> = match item.map(|item| item.kind) {
        Some(Kind::Gate | Kind::Approval) => vec![("a", "approve"), ("x", "reject")],
        Some(Kind::Parked) => vec![("d", "done"), ("n", "not done"), ("g", "give up")],
        Some(Kind::Stuck) => vec![("r", "retry"), ("d", "done"), ("g", "give up")],
        Some(Kind::Quarantined | Kind::Degraded) => vec![("r", "retry")],
        None => Vec::new(),
    };
    if seen.sites.quarantined > 1 {
        offers.push(("R", "retry all"));
    }
    if seen.state.paused {
        offers.push(("c", "continue"));
    } else if !seen.state.over {
        offers.push(("p", "pause"));
    }
    if item.is_some() {
        offers.push(("Enter", "more"));
    }
    offers.extend([("Tab", "page"), ("?", "help"), ("q", "quit")]);
    offers
}
