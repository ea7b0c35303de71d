//! Screens as text: what a person sees of a small run, of a large one, of hostile names, and on any terminal.

use std::path::Path;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Ink, draw};
use crate::watch::desk::Desk;
use server::live::{Batch, Driver, Item, Kind, Line, Pool, Sites, Snapshot, State, Step, Tone, Waits};

/// 5 April 2022, 07:38 UTC.
const T0: i64 = 1_649_144_280_000;
const NOW: i64 = T0 + 3_725_000;

fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let line: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn drawn(seen: &Snapshot, desk: &Desk, width: u16, height: u16, colored: bool) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a screen in memory");
    terminal.draw(|frame| draw(frame, seen, desk, NOW, Ink::new(colored))).expect("it is drawn");
    terminal.backend().buffer().clone()
}

/// Compares with a file; `REINSTATE_BLESS=1` writes it instead.
fn compare(name: &str, seen: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cli/snapshots/watch");
    let path = folder.join(format!("{name}.txt"));
    if std::env::var_os("REINSTATE_BLESS").is_some() {
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        std::fs::write(&path, seen).expect("the file can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, seen, "the screen differs from {}; REINSTATE_BLESS=1 accepts it", path.display());
}

fn item(kind: Kind, subject: &str, fact: &str) -> Item {
    let more = vec![("fact", fact.to_owned()), ("hint", "look in the older backup".to_owned())];
    Item { kind, subject: subject.to_owned(), fact: fact.to_owned(), more, sites: 40 }
}

fn step(name: &str, done: u32, running: u32, waiting: u32) -> Step {
    let (retries, typical_ms) = (u64::from(running), (done > 0).then_some(4_200));
    Step { name: name.to_owned(), done, running, waiting, retries, typical_ms, ..Step::default() }
}

/// A run over 100,000 sites, half-way, with trouble of every kind.
fn large() -> Snapshot {
    let id = |number: u32| format!("{number:08x}-0000-4000-8000-{number:012x}");
    let mut steps: Vec<Step> =
        (0..30).map(|ix| step(&format!("step_{ix:02}"), 61_000 - ix * 900, 0, 39_000 + ix * 900)).collect();
    steps[0] = Step { done: 64, ..step("recover", 0, 0, 0) };
    steps[4] = Step { failed: 12_345, ..step("databases", 51_000, 256, 36_399) };
    steps[9] = Step { degraded: 731, not_run: 2_000, ..step("attachments_of_all_products", 50_000, 12, 47_257) };
    steps[29] = step("open", 0, 0, 100_000);
    let batch =
        |(ix, (state, ended, sites, out, budget)): (u32, _)| Batch { number: ix + 1, state, sites, ended, out, budget };
    let batches = [
        ("settled", 1, 1, 0, 0),
        ("settled", 10, 10, 0, 0),
        ("settled", 10_000, 10_000, 120, 200),
        ("open", 50_989, 59_989, 12_225, 1_200),
        ("approval", 0, 30_000, 0, 600),
    ];
    let pool = |(name, instances, used, slots, full, waiting): (&str, u32, u32, Option<u32>, u32, u32)| Pool {
        name: name.to_owned(),
        instances,
        used,
        slots,
        full,
        waiting,
    };
    let pools = [
        ("shard_writes", 64, 256, Some(256), 64, 35_000),
        ("services", 1, 12, None, 0, 0),
        ("vendors", 1, 30, Some(32), 0, 4),
    ];
    let mut items = vec![
        item(Kind::Gate, "batch-5", "until 09:30 UTC: 2 more of dr-leads, legal (ben, carla, mia)"),
        item(Kind::Stuck, "drop/shard-07", "[sqlite.busy] the file is in use"),
        item(Kind::Parked, &format!("apps/{}/jira", id(17)), "a driver was gone while it was in flight"),
    ];
    items
        .extend((0..200).map(|ix| item(Kind::Quarantined, &id(ix * 7), "databases: [sqlite.conflict] the row exists")));
    Snapshot {
        run: "april-1".to_owned(),
        store: "sqlite:/var/lib/reinstate/runs.db".to_owned(),
        state: State { word: "running", tone: Tone::Good, ..State::default() },
        sites: Sites { given: 100_003, returned: 47_924, degraded: 731, quarantined: 12_345, excluded: 3, under_way: 9_000, waiting: 30_000, ..Sites::default() },
        batches: (0..).zip(batches).map(batch).collect(),
        steps,
        pools: pools.into_iter().map(pool).collect(),
        waits: Waits { items, more: 12_145 },
        events: (0..50).map(|ix| Line { at: T0 + ix * 61_000, text: format!("site {} returned", id(ix as u32)) }).collect(),
        driver: Driver::Process("db1 pid 4711 since 03:12:09Z".to_owned()),
        rest: "2 h 5 min more (80 %: 1 h 50 min to 3 h), done about 2022-04-05 10:45:00 UTC; from 1 400 000 measured attempts and 1 drawing".to_owned(),
        opened_at: Some(T0),
        last_at: Some(NOW - 400),
        in_flight: 268,
        line: "running".to_owned(),
        ..Snapshot::default()
    }
}

/// What a name, a reason or a code may hold after it has been made harmless, and before.
fn hostile() -> Snapshot {
    let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\nid\u{202e}gnp\t宽字符\u{301}".repeat(8);
    let plain = report::plain(&evil);
    let mut seen = large();
    seen.run.clone_from(&plain);
    seen.state = State { word: "PAUSED", detail: plain.clone(), tone: Tone::Care, paused: true, ..State::default() };
    // Subjects stay as verbs need them until they are drawn.
    seen.waits.items = [Kind::Gate, Kind::Quarantined, Kind::Parked].map(|kind| item(kind, &evil, &plain)).into();
    seen.events = vec![Line { at: i64::MAX, text: plain.clone() }, Line { at: T0, text: plain.clone() }];
    seen.steps[0].name.clone_from(&plain);
    seen.pools[0].name.clone_from(&plain);
    seen.driver = Driver::Nobody;
    seen.trouble = Some(plain);
    seen
}

fn press(desk: &mut Desk, seen: &Snapshot, keys: &[KeyCode]) {
    for &code in keys {
        desk.press(KeyEvent::new(code, KeyModifiers::NONE), seen);
    }
}

#[test]
fn a_hundred_thousand_sites_fit_every_screen() {
    let (seen, mut desk) = (large(), Desk::default());
    compare("large-80x24", &text(&drawn(&seen, &desk, 80, 24, false)));
    compare("large-120x40", &text(&drawn(&seen, &desk, 120, 40, false)));
    press(&mut desk, &seen, &[KeyCode::Tab]);
    compare("large-steps-100x40", &text(&drawn(&seen, &desk, 100, 40, false)));
    press(&mut desk, &seen, &[KeyCode::Tab]);
    compare("large-batches-80x24", &text(&drawn(&seen, &desk, 80, 24, false)));
}

#[test]
fn a_prompt_says_what_it_touches_and_help_names_every_key() {
    let (seen, mut desk) = (large(), Desk::default());
    press(&mut desk, &seen, &[KeyCode::Char('x'), KeyCode::Char('n'), KeyCode::Char('o')]);
    compare("prompt-80x24", &text(&drawn(&seen, &desk, 80, 24, false)));
    press(&mut desk, &seen, &[KeyCode::Esc, KeyCode::Char('?')]);
    compare("help-80x24", &text(&drawn(&seen, &desk, 80, 24, false)));
    press(&mut desk, &seen, &[KeyCode::Esc, KeyCode::Down, KeyCode::Down, KeyCode::Enter]);
    compare("item-80x24", &text(&drawn(&seen, &desk, 80, 24, false)));
}

#[test]
fn no_size_and_no_text_breaks_the_screen() {
    let all = [Snapshot::default(), large(), hostile()];
    let pages: [&[KeyCode]; 7] = [
        &[],
        &[KeyCode::Tab],
        &[KeyCode::Tab, KeyCode::Tab, KeyCode::End],
        &[KeyCode::Tab, KeyCode::Tab, KeyCode::Tab, KeyCode::End],
        &[KeyCode::Char('?')],
        &[KeyCode::End, KeyCode::Enter],
        &[KeyCode::Char('a'), KeyCode::Char('z')],
    ];
    for seen in &all {
        for keys in pages {
            let mut desk = Desk::default();
            press(&mut desk, seen, keys);
            for (width, height) in [(1, 1), (20, 5), (59, 40), (60, 16), (61, 17), (80, 24), (200, 16), (250, 80)] {
                let buffer = drawn(seen, &desk, width, height, true);
                let moves =
                    |cell: &&ratatui::buffer::Cell| cell.symbol().chars().any(|c| c.is_control() || c == '\u{202e}');
                assert_eq!(buffer.content.iter().find(moves), None, "{width}x{height} {keys:?}");
            }
        }
    }
}

#[test]
fn what_colour_says_is_said_without_it() {
    for seen in [large(), hostile()] {
        let (colored, plain) =
            (drawn(&seen, &Desk::default(), 100, 30, true), drawn(&seen, &Desk::default(), 100, 30, false));
        assert_eq!(text(&colored), text(&plain));
        let color = |cell: &ratatui::buffer::Cell| cell.fg != ratatui::style::Color::Reset;
        assert!(colored.content.iter().any(color) && !plain.content.iter().any(color));
    }
}

#[test]
fn the_selection_is_in_sight_wherever_it_is() {
    let (seen, mut desk) = (large(), Desk::default());
    for keys in [&[KeyCode::End][..], &[KeyCode::PageUp], &[KeyCode::Home], &[KeyCode::PageDown, KeyCode::Down]] {
        press(&mut desk, &seen, keys);
        let at = desk.selected(&seen).expect("something is selected");
        let screen = text(&drawn(&seen, &desk, 80, 24, false));
        assert!(screen.lines().any(|line| line.starts_with("> ")), "{screen}");
        assert!(screen.contains(&format!("waits for people, {} of 12348", at + 1)), "{screen}");
    }
}

#[test]
fn an_area_of_no_height_takes_nothing() {
    let mut buffer = Buffer::empty(Rect::new(0, 0, 4, 1));
    let none = super::ink::line(Rect::new(0, 0, 4, 1), 1);
    assert_eq!(super::ink::put(&mut buffer, none, 0, "text", ratatui::style::Style::new()), 0);
    assert_eq!(super::ink::shorten("databases/0123456789", 9), "data…6789");
    assert_eq!(super::ink::wrap("a bb ccccccc", 4), ["a bb", "cccc", "ccc"]);
}
