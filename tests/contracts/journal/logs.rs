//! The logs of attempts, as a store keeps them.

use runtime::{JournalError, LogHead, LogLine, LogPiece, LogTally, Voice};

use crate::fixture::{Fixture, head};

fn line(number: u64, text: &str) -> LogLine {
    let voice = Voice::ALL[usize::try_from(number).unwrap() % 4];
    LogLine { number, at: 1_000 + i64::try_from(number).unwrap(), voice, text: text.to_owned() }
}

fn piece(unit: &str, attempt: u32, numbers: std::ops::Range<u64>) -> LogPiece {
    let lines: Vec<LogLine> = numbers.clone().map(|number| line(number, &format!("{unit} {number}"))).collect();
    let tally =
        LogTally { lines: numbers.end, bytes: 10 * numbers.end, cut_lines: 1, cut_bytes: 2, beyond: 3, lost: 4 };
    LogPiece { unit: unit.to_owned(), attempt, lines, forget: None, tally }
}

async fn with_runs(it: &Fixture, runs: &[&str]) {
    for run in runs {
        it.journal.create(&head(run), b"plan").await.unwrap();
    }
}

async fn numbers(it: &Fixture, run: &str, unit: &str, attempt: u32, from: u64, limit: u32) -> Vec<u64> {
    let lines = it.journal.log_lines(run, unit, attempt, from, limit).await.unwrap();
    lines.iter().map(|line| line.number).collect()
}

pub(crate) async fn lines_come_back_by_attempt_and_number(it: Fixture) {
    with_runs(&it, &["r"]).await;
    it.journal.keep_logs("r", &[piece("a/1", 2, 0..3), piece("a/1", 1, 0..2)]).await.unwrap();
    it.journal.keep_logs("r", &[piece("a/1", 2, 3..5)]).await.unwrap();
    let lines = it.journal.log_lines("r", "a/1", 2, 0, 100).await.unwrap();
    assert_eq!(lines, (0..5).map(|number| line(number, &format!("a/1 {number}"))).collect::<Vec<_>>());
    assert_eq!(numbers(&it, "r", "a/1", 2, 2, 2).await, [2, 3]);
    assert!(numbers(&it, "r", "a/1", 2, 5, 9).await.is_empty());
    assert!(numbers(&it, "r", "a/1", 2, u64::MAX, 9).await.is_empty());
    assert!(numbers(&it, "r", "a/1", 2, 0, 0).await.is_empty());
    let heads = it.journal.logs_of("r", "a/1").await.unwrap();
    let of = |attempt, to| LogHead { attempt, tally: piece("a/1", attempt, 0..to).tally };
    assert_eq!(heads, [of(1, 2), of(2, 5)]);
}

pub(crate) async fn lines_are_forgotten_where_a_piece_says_so(it: Fixture) {
    with_runs(&it, &["r"]).await;
    it.journal.keep_logs("r", &[piece("a", 1, 0..10)]).await.unwrap();
    let next = LogPiece { forget: Some((2, 8)), ..piece("a", 1, 10..12) };
    it.journal.keep_logs("r", &[next]).await.unwrap();
    assert_eq!(numbers(&it, "r", "a", 1, 0, 99).await, [0, 1, 8, 9, 10, 11]);
    assert_eq!(numbers(&it, "r", "a", 1, 1, 3).await, [1, 8, 9]);
}

pub(crate) async fn the_weight_of_a_run_is_that_of_its_lines(it: Fixture) {
    with_runs(&it, &["r", "s"]).await;
    assert_eq!(it.journal.keep_logs("r", &[]).await.unwrap(), 0);
    let weight = |numbers| piece("ü", 1, numbers).lines.iter().map(LogLine::weight).sum::<u64>();
    let first = it.journal.keep_logs("r", &[piece("ü", 1, 0..9), piece("ü", 2, 0..1)]).await.unwrap();
    assert_eq!(first, weight(0..9) + weight(0..1));
    it.journal.keep_logs("s", &[piece("x", 1, 0..100)]).await.unwrap();
    let less = LogPiece { forget: Some((1, 9)), ..piece("ü", 1, 9..10) };
    assert_eq!(it.journal.keep_logs("r", &[less]).await.unwrap(), weight(0..1) + weight(9..10) + weight(0..1));
}

pub(crate) async fn units_attempts_and_runs_are_apart(it: Fixture) {
    with_runs(&it, &["r", "s"]).await;
    it.journal.keep_logs("r", &[piece("a", 1, 0..1), piece("b", 1, 0..2)]).await.unwrap();
    it.journal.keep_logs("s", &[piece("a", 1, 0..3)]).await.unwrap();
    assert_eq!(numbers(&it, "r", "a", 1, 0, 9).await, [0]);
    assert_eq!(numbers(&it, "r", "b", 1, 0, 9).await, [0, 1]);
    assert_eq!(numbers(&it, "s", "a", 1, 0, 9).await, [0, 1, 2]);
    assert!(numbers(&it, "s", "b", 1, 0, 9).await.is_empty());
    assert!(numbers(&it, "s", "a", 2, 0, 9).await.is_empty());
    assert!(it.journal.logs_of("s", "b").await.unwrap().is_empty());
}

pub(crate) async fn texts_are_kept_to_the_letter(it: Fixture) {
    with_runs(&it, &["r"]).await;
    let texts = ["", " ", "'\"\\", "\u{1b}[31mred", "ä€😀", "{\"a\": [1]}", "\t\r", "null", "12"];
    let lines: Vec<LogLine> = (0..).zip(texts).map(|(number, text)| line(number, text)).collect();
    let unit = "a'\"/ä";
    it.journal.keep_logs("r", &[LogPiece { lines: lines.clone(), ..piece(unit, 1, 0..0) }]).await.unwrap();
    assert_eq!(it.journal.log_lines("r", unit, 1, 0, 99).await.unwrap(), lines);
}

pub(crate) async fn logs_of_unknown_runs_are_refused(it: Fixture) {
    assert!(matches!(it.journal.keep_logs("no", &[piece("a", 1, 0..1)]).await, Err(JournalError::NoSuchRun(_))));
    assert!(matches!(it.journal.logs_of("no", "a").await, Err(JournalError::NoSuchRun(_))));
    assert!(matches!(it.journal.log_lines("no", "a", 1, 0, 1).await, Err(JournalError::NoSuchRun(_))));
}
