//! A process that uses a journal and is killed, stopped or starved by the contract's tests.
//!
//! `journal-child MODE PATH`, or for some modes the address of a store: prints one line per answer, a number or the code of an error.
#![allow(clippy::unwrap_used)]

mod pattern;

use std::io::{BufRead, Write};
use std::path::Path;

use runtime::{
    AttemptLogs, Holder, Journal, JournalError, Lease, LogLine, LogPiece, LogTally, Retention, RunCopy, RunHead, Voice,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use store::{SqliteJournal, SqliteOptions};

/// An hour: in these tests only death or a newer epoch ends a lease.
const TTL: u64 = 3_600_000;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mode, path) = (arguments.next().unwrap(), arguments.next().unwrap());
    let address = if path.contains("://") { path.clone() } else { format!("sqlite:{path}") };
    let path = Path::new(&path);
    let done = match mode.as_str() {
        "append" => append(&address).await,
        "step" => step(&address).await,
        "log" => log(path).await,
        "prune" => prune(path).await,
        "hold" => hold(path).await,
        "fill" => fill(path).await,
        "read-only" => read_only(path).await,
        "create" => create(&address).await,
        "copy" => copy(&address).await,
        "new-on-full" => new_on_full(path).await,
        other => panic!("no mode {other}"),
    };
    if let Err(error) = done {
        say(error.code());
    }
}

fn say(line: impl std::fmt::Display) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

fn wait_for_a_line() -> bool {
    std::io::stdin().lock().read_line(&mut String::new()).unwrap() > 0
}

async fn open(path: &Path) -> Result<SqliteJournal, JournalError> {
    SqliteJournal::open(path, SqliteOptions::new(store::system_now)).await
}

async fn drive(journal: &dyn Journal) -> Result<(Lease, u64), JournalError> {
    let head = RunHead { run: "a".to_owned(), plan_hash: "hash".to_owned(), created_at: 0 };
    match journal.create(&head, b"plan").await {
        Ok(()) | Err(JournalError::Exists(_)) => {}
        Err(error) => return Err(error),
    }
    let pid = std::process::id();
    let holder = Holder { name: format!("child {pid}"), pid, host: "this host".to_owned() };
    let lease = journal.acquire("a", &holder, TTL).await?;
    Ok((lease, journal.list().await?[0].groups))
}

/// Appends for ever and says each number once it is acknowledged.
async fn append(address: &str) -> Result<(), JournalError> {
    let journal = store::open(address).await?;
    let (lease, mut seq) = drive(&*journal).await?;
    loop {
        let appended = journal.append(&lease, seq, &pattern::group(seq)).await?;
        say(seq);
        seq = appended.next;
    }
}

/// Appends one group for each line of its input.
async fn step(address: &str) -> Result<(), JournalError> {
    let Some(path) = address.strip_prefix("sqlite:") else {
        let journal = store::open(address).await?;
        return steps(&*journal).await;
    };
    let journal = open(Path::new(path)).await?;
    steps(&journal).await?;
    // Else this process may be gone before the file is whole without its log, which nobody can read on a read-only disk.
    journal.close().await;
    Ok(())
}

async fn steps(journal: &dyn Journal) -> Result<(), JournalError> {
    let (lease, mut seq) = drive(journal).await?;
    say("driving");
    while wait_for_a_line() {
        seq = journal.append(&lease, seq, &pattern::group(seq)).await?.next;
        say(seq);
    }
    Ok(())
}

/// Keeps lines of an attempt for ever and says the number of each that was kept.
async fn log(path: &Path) -> Result<(), JournalError> {
    let journal = open(path).await?;
    drive(&journal).await?;
    for number in 0.. {
        let line = LogLine { number, at: 0, voice: Voice::Stdout, text: format!("line {number}") };
        let tally = LogTally { lines: number + 1, ..LogTally::default() };
        let piece = LogPiece { unit: "u".to_owned(), attempt: 1, lines: vec![line], forget: None, tally };
        journal.keep_logs("a", &[piece]).await?;
        say(number);
    }
    Ok(())
}

/// Gives up one run after the other, piece by piece, and says each step.
async fn prune(path: &Path) -> Result<(), JournalError> {
    let journal = open(path).await?;
    for (run, step) in journal.list().await?.into_iter().rev().zip(0..) {
        let holder = Holder { name: "child".to_owned(), pid: std::process::id(), host: "this host".to_owned() };
        let lease = journal.acquire(&run.head.run, &holder, TTL).await?;
        journal.discard(&lease).await?;
        say(format!("discarded {step}"));
        while journal.free().await?.is_some() {
            say("freed");
        }
    }
    say("done");
    wait_for_a_line();
    Ok(())
}

/// Creates runs with their sites for ever and says how many.
async fn create(address: &str) -> Result<(), JournalError> {
    let journal = store::open(address).await?;
    for run in journal.list().await?.len().. {
        let head = RunHead { run: format!("run {run}"), plan_hash: "hash".to_owned(), created_at: 0 };
        let sites: Vec<String> = (0..pattern::SITES).map(|site| format!("{run}/{site}")).collect();
        journal.create_holding(&head, &pattern::group(run as u64), "prod", &sites).await?;
        say(run + 1);
    }
    Ok(())
}

/// Puts runs in that came whole from another store, for ever, and says how many.
async fn copy(address: &str) -> Result<(), JournalError> {
    let store = store::open(address).await?;
    for run in store.list().await?.len().. {
        let head = RunHead { run: format!("run {run}"), plan_hash: "hash".to_owned(), created_at: 0 };
        let sites = (0..pattern::SITES).map(|site| format!("{run}/{site}")).collect();
        let groups = (0..pattern::COPIED).map(pattern::group).collect();
        let plan = pattern::group(run as u64);
        store.create_copy(&RunCopy { head, plan, epoch: 3, groups, estate: "prod".to_owned(), sites }).await?;
        say(run + 1);
    }
    Ok(())
}

/// Holds SQLite's write lock until its input ends.
async fn hold(path: &Path) -> Result<(), JournalError> {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
    say("held");
    wait_for_a_line();
    connection.close().await.unwrap();
    Ok(())
}

/// On a small disk with a ballast file beside the journal: fills it, frees it, goes on.
async fn fill(path: &Path) -> Result<(), JournalError> {
    let ballast = path.with_extension("ballast");
    let journal = open(path).await?;
    let (lease, mut seq) = drive(&journal).await?;
    let full = loop {
        match journal.append(&lease, seq, &pattern::group(seq)).await {
            Ok(appended) => seq = appended.next,
            Err(error) => break error,
        }
    };
    say(full.code());
    // A large group cannot fit either, and neither attempt leaves anything.
    say(journal.append(&lease, seq, &[7; 300_000]).await.unwrap_err().code());
    let groups = journal.load("a", 0, u32::MAX).await?;
    assert_eq!(groups.len() as u64, seq);
    std::fs::remove_file(ballast).unwrap();
    for _ in 0..20 {
        seq = journal.append(&lease, seq, &pattern::group(seq)).await?.next;
    }
    journal.close().await;
    let groups = open(path).await?.load("a", 0, u32::MAX).await?;
    assert_eq!(groups.len() as u64, seq);
    assert!(groups.iter().all(|group| group.bytes == pattern::group(group.seq)));
    say("recovered");
    Ok(())
}

/// On read-only media: reads all, changes nothing.
async fn read_only(path: &Path) -> Result<(), JournalError> {
    let journal = open(path).await?;
    let groups = journal.load("a", 0, u32::MAX).await?;
    assert!(groups.iter().all(|group| group.bytes == pattern::group(group.seq)));
    say(groups.len());
    say(drive(&journal).await.unwrap_err().code());
    say(open(&path.with_file_name("new.db")).await.err().unwrap().code());
    Ok(())
}

/// On a full disk: a new journal cannot be made.
async fn new_on_full(path: &Path) -> Result<(), JournalError> {
    let journal = open(path).await?;
    drive(&journal).await?;
    say("made");
    Ok(())
}
