//! What attempts write while they work, on each store.

use std::sync::Arc;

use runtime::{LogBook, LogLine, LogTally, ManualClock, SecretText, Voice};
use secrecy::SecretString;

use crate::fixture::{Fixture, head};

const PLENTY: u64 = 1 << 30;

async fn book(it: &Fixture, most: u64) -> LogBook {
    it.journal.create(&head("r"), b"plan").await.unwrap();
    LogBook::new("r", it.journal.clone(), Arc::new(ManualClock::new(5)), most)
}

async fn kept(it: &Fixture, unit: &str) -> (Vec<LogLine>, LogTally) {
    let lines = it.journal.log_lines("r", unit, 1, 0, u32::MAX).await.unwrap();
    (lines, it.journal.logs_of("r", unit).await.unwrap()[0].tally)
}

pub(crate) async fn what_attempts_write_is_there_after_a_flush(it: Fixture) {
    let book = book(&it, PLENTY).await;
    let mut tasks = tokio::task::JoinSet::new();
    for unit in 0..20 {
        let log = book.of(format!("u/{unit}"), 1);
        tasks.spawn(async move {
            for line in 0..50 {
                log.write(Voice::Stdout, format_args!("{unit} says {line}\nand more"));
                tokio::task::yield_now().await;
            }
        });
    }
    tasks.join_all().await;
    book.flush().await;
    for unit in 0..20 {
        let (lines, tally) = kept(&it, &format!("u/{unit}")).await;
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        let expected: Vec<String> =
            (0..50).flat_map(|line| [format!("{unit} says {line}"), "and more".to_owned()]).collect();
        assert_eq!(texts, expected);
        assert_eq!((tally.lines, tally.cut_lines, tally.beyond, tally.lost), (100, 0, 0, 0));
        assert!(lines.iter().all(|line| line.at == 5 && line.voice == Voice::Stdout));
    }
}

pub(crate) async fn the_middle_of_long_output_is_left_out_and_counted(it: Fixture) {
    let book = book(&it, PLENTY).await;
    let log = book.of("u".to_owned(), 1);
    for line in 0..40_000 {
        log.note(line);
        if line % 9_999 == 0 {
            book.flush().await;
        }
    }
    log.note("x".repeat(100_000));
    book.flush().await;
    let (lines, tally) = kept(&it, "u").await;
    assert_eq!((tally.lines, lines.len() as u64 + tally.cut_lines), (40_001, 40_001));
    assert!(lines.iter().map(LogLine::weight).sum::<u64>() <= 256 * 1024);
    assert_eq!((lines[0].text.as_str(), lines[lines.len() - 2].text.as_str()), ("0", "39999"));
    assert!(lines.last().unwrap().text.ends_with("x... (83616 bytes more)"));
}

pub(crate) async fn a_run_at_its_limit_counts_on(it: Fixture) {
    let book = book(&it, 1_000).await;
    let (early, late) = (book.of("early".to_owned(), 1), book.of("late".to_owned(), 1));
    early.note("e".repeat(1_000));
    book.flush().await;
    late.note("one\ntwo");
    early.note("three");
    book.flush().await;
    let (lines, tally) = kept(&it, "late").await;
    assert!(lines.is_empty());
    assert_eq!((tally.lines, tally.beyond), (2, 2));
    let (lines, tally) = kept(&it, "early").await;
    assert_eq!((lines.len(), tally.lines, tally.beyond), (1, 2, 1));
}

pub(crate) async fn secrets_are_replaced_line_by_line_too(it: Fixture) {
    let book = book(&it, PLENTY).await;
    let secret = |text: &str| SecretString::from(text.to_owned());
    let key = "-----BEGIN KEY-----\nMIIBVgIBADANBgkq\nab\n";
    let secrets = SecretText::new([("word".into(), secret("canary-1")), ("key".into(), secret(key))].into());
    let log = book.of("u".to_owned(), 1).hiding(&secrets);
    log.write(Voice::Stderr, format_args!("told canary-1 to {}", "z".repeat(20_000)));
    log.note(format_args!("{}canary-1{}", "y".repeat(16 * 1024 - 4), "y".repeat(99)));
    key.lines().for_each(|line| log.write(Voice::Stdout, format_args!("> {line}")));
    book.flush().await;
    let (lines, _) = kept(&it, "u").await;
    let all = lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n");
    assert!(!all.contains("cana") && !all.contains("MIIB") && !all.contains("BEGIN"), "{all}");
    assert_eq!(lines[3].text, "> ***");
    assert!(lines[0].text.starts_with("told *** to zzz"));
}

pub(crate) async fn a_log_that_is_not_written_leaves_nothing(it: Fixture) {
    let book = book(&it, PLENTY).await;
    drop(book.of("u".to_owned(), 1));
    book.flush().await;
    assert!(it.journal.logs_of("r", "u").await.unwrap().is_empty());
}
