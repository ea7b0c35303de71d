//! What the person at the screen has before them: the selection, the page, a prompt, the last answer. Keys change it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::keys::{Key, key, verb_of};
use super::verb::Verb;
use server::live::{Item, Snapshot};

/// Longest reason; it stands in the journal for ever.
const REASON: usize = 400;

/// A page of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Page {
    #[default]
    Overview,
    Steps,
    Batches,
    Events,
}

impl Page {
    fn next(self) -> Self {
        match self {
            Self::Overview => Self::Steps,
            Self::Steps => Self::Batches,
            Self::Batches => Self::Events,
            Self::Events => Self::Overview,
        }
    }
}

/// What lies over the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Over {
    #[default]
    Nothing,
    Help,
    /// All that is known of the selected item.
    Item,
    /// A verb waits for its reason; what it touches was worked out when it was chosen.
    Prompt {
        verb: Verb,
        touches: String,
        reason: String,
    },
}

/// What was said to the last verb.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) text: String,
    /// Whether it was accepted; `None` while it is on its way, and for remarks.
    pub(super) good: Option<bool>,
}

/// What is to be done after a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Draw,
    Leave,
    Send(Verb, String),
}

/// The state of the screen.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk {
    pub(super) page: Page,
    pub(super) over: Over,
    pub(super) answer: Answer,
    /// Lines that a long page is moved down by.
    pub(super) scroll: usize,
    /// Name of the verb that is on its way.
    pub(super) sending: Option<String>,
    /// Whether the screen is too small to show a prompt: what cannot be seen is not typed.
    pub(super) small: bool,
    /// The selected item, by kind and name, so that it stays selected while the list moves.
    chosen: Option<Item>,
    at: usize,
}

impl Desk {
    /// Place of the selection in the list; the list may have changed since.
    pub(super) fn selected(&self, seen: &Snapshot) -> Option<usize> {
        let items = &seen.waits.items;
        let same = |item: &Item, chosen: &Item| item.kind == chosen.kind && item.subject == chosen.subject;
        let found = self.chosen.as_ref().and_then(|chosen| items.iter().position(|item| same(item, chosen)));
        found.or_else(|| items.len().checked_sub(1).map(|last| self.at.min(last)))
    }

    /// The selected item.
    pub(super) fn item<'a>(&self, seen: &'a Snapshot) -> Option<&'a Item> {
        self.selected(seen).and_then(|at| seen.waits.items.get(at))
    }

    /// Takes a key.
    pub(super) fn press(&mut self, event: KeyEvent, seen: &Snapshot) -> Next {
        if event.modifiers.contains(KeyModifiers::CONTROL) && event.code == KeyCode::Char('c') {
            return Next::Leave;
        }
        if self.small {
            return if event.code == KeyCode::Char('q') { Next::Leave } else { Next::Draw };
        }
        match std::mem::take(&mut self.over) {
            Over::Prompt { verb, touches, reason } => self.type_reason(event, verb, touches, reason),
            Over::Help | Over::Item if event.code != KeyCode::Char('q') => {
                // A verb may follow at once from what was read.
                if matches!(event.code, KeyCode::Esc | KeyCode::Enter) {
                    Next::Draw
                } else {
                    self.act(key(event), seen)
                }
            }
            Over::Help | Over::Item => Next::Draw,
            Over::Nothing => self.act(key(event), seen),
        }
    }

    /// Takes pasted text: part of a reason, nothing else.
    pub(super) fn paste(&mut self, text: &str) {
        if let Over::Prompt { reason, .. } = &mut self.over
            && !self.small
        {
            let room = REASON.saturating_sub(reason.chars().count());
            reason.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(room));
        }
    }

    /// Notes what was said to a verb.
    pub(super) fn answered(&mut self, good: bool, text: String) {
        self.sending = None;
        self.answer = Answer { text, good: Some(good) };
    }

    fn act(&mut self, key: Key, seen: &Snapshot) -> Next {
        let last = seen.waits.items.len().saturating_sub(1);
        // A remark is about the key before; an answer stays until it is read.
        if self.answer.good.is_none() && self.sending.is_none() {
            self.answer = Answer::default();
        }
        match key {
            Key::Leave => return Next::Leave,
            Key::Help => self.over = Over::Help,
            Key::More if self.item(seen).is_some() => self.over = Over::Item,
            Key::Page => (self.page, self.scroll) = (self.page.next(), 0),
            Key::Home => (self.page, self.scroll, self.answer) = (Page::Overview, 0, Answer::default()),
            Key::Up(by) if self.page != Page::Overview => self.scroll = self.scroll.saturating_sub(by),
            Key::Down(by) if self.page != Page::Overview => self.scroll = self.scroll.saturating_add(by),
            Key::Up(by) => self.choose(seen, self.selected(seen).unwrap_or(0).saturating_sub(by)),
            Key::Down(by) => self.choose(seen, self.selected(seen).unwrap_or(0).saturating_add(by).min(last)),
            Key::Verb(letter) => self.begin(letter, seen),
            Key::More | Key::None => {}
        }
        Next::Draw
    }

    fn choose(&mut self, seen: &Snapshot, at: usize) {
        self.at = at;
        self.chosen = seen.waits.items.get(at).cloned();
    }

    /// Opens the prompt of a verb, or says why there is none.
    fn begin(&mut self, letter: char, seen: &Snapshot) {
        if let Some(name) = &self.sending {
            self.answer = Answer { text: format!("wait for the answer to: {name}"), good: None };
            return;
        }
        match verb_of(letter, self.item(seen), seen) {
            Ok(verb) => {
                if let Some(at) = self.selected(seen) {
                    self.choose(seen, at);
                }
                self.answer = Answer::default();
                let touches = verb.touches(seen);
                self.over = Over::Prompt { verb, touches, reason: String::new() };
            }
            Err(why) => self.answer = Answer { text: why.to_owned(), good: None },
        }
    }

    fn type_reason(&mut self, event: KeyEvent, verb: Verb, touches: String, mut reason: String) -> Next {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        match event.code {
            KeyCode::Esc => {
                self.answer = Answer { text: format!("left: {}; nothing was sent", verb.name()), good: None };
                return Next::Draw;
            }
            KeyCode::Enter if reason.trim().is_empty() => {
                self.answer = Answer { text: "a reason is needed; it stands in the journal".to_owned(), good: None };
            }
            KeyCode::Enter => {
                let name = verb.name();
                self.answer = Answer { text: format!("{name}: on its way"), good: None };
                self.sending = Some(name);
                return Next::Send(verb, reason.trim().to_owned());
            }
            KeyCode::Backspace => {
                reason.pop();
            }
            KeyCode::Char('u') if control => reason.clear(),
            KeyCode::Char('w') if control => {
                let kept = reason.trim_end().rfind(' ').map_or(0, |at| at + 1);
                reason.truncate(kept);
            }
            KeyCode::Char(char) if !control && !char.is_control() && reason.chars().count() < REASON => {
                reason.push(char);
            }
            _ => {}
        }
        self.over = Over::Prompt { verb, touches, reason };
        Next::Draw
    }
}

#[cfg(test)]
mod tests;
