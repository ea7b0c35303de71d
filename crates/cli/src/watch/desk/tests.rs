//! Keys and what they lead to.

use super::*;
use server::live::{Kind, Waits};

fn seen(subjects: &[(&str, Kind)]) -> Snapshot {
    let item = |(subject, kind): &(&str, Kind)| Item {
        kind: *kind,
        subject: (*subject).to_owned(),
        fact: String::new(),
        more: Vec::new(),
        sites: 3,
    };
    Snapshot { waits: Waits { items: subjects.iter().map(item).collect(), more: 0 }, ..Snapshot::default() }
}

fn press(desk: &mut Desk, code: KeyCode, seen: &Snapshot) -> Next {
    desk.press(KeyEvent::new(code, KeyModifiers::NONE), seen)
}

fn type_in(desk: &mut Desk, text: &str, seen: &Snapshot) {
    for char in text.chars() {
        assert_eq!(press(desk, KeyCode::Char(char), seen), Next::Draw);
    }
}

const GATE: (&str, Kind) = ("batch-2", Kind::Gate);
const SITE: (&str, Kind) = ("s1", Kind::Quarantined);

#[test]
fn a_verb_is_sent_with_its_reason_and_to_what_was_selected_when_it_was_chosen() {
    let (mut desk, before) = (Desk::default(), seen(&[GATE, SITE]));
    press(&mut desk, KeyCode::Down, &before);
    press(&mut desk, KeyCode::Char('r'), &before);
    // The list moves under the prompt.
    let after = seen(&[SITE]);
    assert_eq!(press(&mut desk, KeyCode::Enter, &after), Next::Draw, "no reason, no verb");
    type_in(&mut desk, "  q is text here ", &after);
    let Next::Send(verb, reason) = press(&mut desk, KeyCode::Enter, &after) else { panic!("{desk:?}") };
    assert_eq!((verb.name().as_str(), reason.as_str()), ("retry s1", "q is text here"));
    // One verb at a time, so that an answer is that of its verb.
    press(&mut desk, KeyCode::Char('R'), &after);
    assert_eq!(desk.over, Over::Nothing);
    assert!(desk.answer.text.contains("wait for the answer to: retry s1"), "{desk:?}");
    desk.answered(true, "recorded".to_owned());
    assert_eq!((desk.sending.clone(), desk.answer.good), (None, Some(true)));
}

#[test]
fn the_selection_follows_its_item_and_not_its_place() {
    let (mut desk, before) = (Desk::default(), seen(&[GATE, SITE, ("s2", Kind::Quarantined)]));
    press(&mut desk, KeyCode::Down, &before);
    assert_eq!(desk.item(&before).map(|item| item.subject.as_str()), Some("s1"));
    let more = seen(&[GATE, ("start", Kind::Gate), ("s0", Kind::Quarantined), SITE]);
    assert_eq!(desk.item(&more).map(|item| item.subject.as_str()), Some("s1"));
    // What is gone gives its place to the next, and an empty list to nothing.
    assert_eq!(desk.selected(&seen(&[GATE])), Some(0));
    assert_eq!(desk.selected(&seen(&[])), None);
}

#[test]
fn verbs_that_do_not_apply_say_so_and_open_no_prompt() {
    let mut paused = seen(&[SITE]);
    paused.state.paused = true;
    let mut over = seen(&[]);
    over.state.over = true;
    for (letters, seen) in [("axdngc", seen(&[SITE])), ("p", paused), ("prRax", over), ("r", seen(&[GATE]))] {
        for letter in letters.chars() {
            let mut desk = Desk::default();
            assert_eq!(press(&mut desk, KeyCode::Char(letter), &seen), Next::Draw);
            assert_eq!(desk.over, Over::Nothing, "{letter}");
            assert_ne!(desk.answer.text, "", "{letter}");
        }
    }
}

#[test]
fn control_c_leaves_from_anywhere_and_q_from_the_page() {
    let seen = seen(&[GATE]);
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    for keys in ["", "?", "a"] {
        let mut desk = Desk::default();
        type_in(&mut desk, keys, &seen);
        assert_eq!(desk.press(control_c, &seen), Next::Leave, "{keys}");
    }
    assert_eq!(press(&mut Desk::default(), KeyCode::Char('q'), &seen), Next::Leave);
}

#[test]
fn nothing_is_typed_or_sent_on_a_screen_that_cannot_show_it() {
    let (mut desk, seen) = (Desk::default(), seen(&[GATE]));
    press(&mut desk, KeyCode::Char('a'), &seen);
    type_in(&mut desk, "seen", &seen);
    desk.small = true;
    type_in(&mut desk, " unseen", &seen);
    desk.paste(" unseen");
    assert_eq!(press(&mut desk, KeyCode::Enter, &seen), Next::Draw);
    assert_eq!(press(&mut desk, KeyCode::Char('q'), &seen), Next::Leave, "as the small screen says");
    desk.small = false;
    let Next::Send(_, reason) = press(&mut desk, KeyCode::Enter, &seen) else { panic!("{desk:?}") };
    assert_eq!(reason, "seen");
    let mut fresh = Desk { small: true, ..Desk::default() };
    press(&mut fresh, KeyCode::Char('a'), &seen);
    assert_eq!(fresh.over, Over::Nothing);
}

#[test]
fn a_reason_can_be_mended_and_holds_no_control_characters() {
    let (mut desk, seen) = (Desk::default(), seen(&[GATE]));
    desk.paste("lost: there is no prompt");
    press(&mut desk, KeyCode::Char('a'), &seen);
    type_in(&mut desk, "all of thus", &seen);
    desk.press(KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL), &seen);
    desk.paste("this\u{1b}[2J\nnow!");
    press(&mut desk, KeyCode::Backspace, &seen);
    let Next::Send(_, reason) = press(&mut desk, KeyCode::Enter, &seen) else { panic!("{desk:?}") };
    assert_eq!(reason, "all of this [2J now");
    let mut long = Desk::default();
    press(&mut long, KeyCode::Char('a'), &seen);
    long.paste(&"x".repeat(10_000));
    let Next::Send(_, reason) = press(&mut long, KeyCode::Enter, &seen) else { panic!("{long:?}") };
    assert_eq!(reason.len(), REASON);
}
