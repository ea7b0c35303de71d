//! `logs --unit`: what the attempts of a unit did and printed.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::{Run, Status, UnitIx, UnitState};
use runtime::{LogHead, LogLine, LogTally, Store, Tail};
use serde_json::json;
use server::verbs::{VerbError, subject};

use crate::args::Logs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

/// Lines read at once.
const PAGE: u32 = 4_096;
/// Between two looks at what is new.
const LOOK: Duration = Duration::from_millis(500);

/// Prints the lines of a unit's attempts, oldest first; with `--follow`, until nothing more can come.
pub(super) async fn attempt_logs(args: &Logs, unit: &str, json: bool) -> Result<Exit, Failure> {
    let store = args.of.stored.store.open().await?;
    let mut watched = Watched::open(&*store, &args.of.name).await?;
    let mut told = Told { args, json, next: BTreeMap::new() };
    let mut last_look = !args.follow;
    loop {
        watched.read(&*store).await?;
        let run = &watched.run;
        let ix = subject::unit(run, unit).map_err(VerbError::Subject)?;
        let is_over = matches!(run.status(), Status::Ended(_)) || run.unit_state(ix).is_some_and(is_settled);
        let made = run.attempts(ix);
        if let Some(attempt) = args.attempt.filter(|&attempt| attempt > made && (!args.follow || is_over)) {
            return Err(Failure::input(
                "logs-attempt",
                format!("there was no attempt {attempt} of {}", run.unit_name(ix)),
                format!("{made} attempts were made; without --attempt all are shown"),
            ));
        }
        told.new_lines(&*store, run, ix).await?;
        if last_look {
            break;
        }
        // What was said last is stored a moment after the journal has its outcome.
        last_look = is_over;
        tokio::time::sleep(LOOK).await;
    }
    if told.next.is_empty() && !json {
        out::note(&format!("no attempt of {unit} has written anything"));
    }
    Ok(Exit::Done)
}

/// Whether nobody works on a unit any more, and nobody will unless a person acts.
fn is_settled(state: UnitState) -> bool {
    match state {
        UnitState::Waiting | UnitState::Ready | UnitState::Running | UnitState::Backoff | UnitState::Asked => false,
        UnitState::Parked
        | UnitState::Stuck
        | UnitState::Succeeded
        | UnitState::Degraded
        | UnitState::Failed
        | UnitState::Cancelled
        | UnitState::Undone => true,
    }
}

/// A run, folded as far as its journal goes.
struct Watched {
    name: String,
    tail: Tail,
    run: Run,
}

impl Watched {
    async fn open(store: &dyn Store, name: &str) -> Result<Self, Failure> {
        let tail = Tail::open(store, name).await?;
        let run = Run::new(tail.plan().clone());
        Ok(Self { name: name.to_owned(), tail, run })
    }

    async fn read(&mut self, store: &dyn Store) -> Result<(), Failure> {
        loop {
            let groups = self.tail.read(store).await?;
            if groups.is_empty() {
                return Ok(());
            }
            for (seq, record) in
                groups.into_iter().flat_map(|(seq, records)| records.into_iter().map(move |it| (seq, it)))
            {
                let run = self.name.clone();
                self.run.apply(&record).map_err(|source| runtime::RecoverError::Record { run, seq, source })?;
            }
        }
    }
}

/// What was printed so far.
struct Told<'a> {
    args: &'a Logs,
    json: bool,
    /// The next line of each attempt.
    next: BTreeMap<u32, u64>,
}

impl Told<'_> {
    async fn new_lines(&mut self, store: &dyn Store, run: &Run, unit: UnitIx) -> Result<(), Failure> {
        let (name, key) = (&self.args.of.name, run.unit_key(unit));
        let heads = store.logs_of(name, &key).await?;
        for head in heads.iter().filter(|head| self.args.attempt.is_none_or(|attempt| attempt == head.attempt)) {
            let is_new = !self.next.contains_key(&head.attempt);
            let mut next = match self.next.get(&head.attempt) {
                Some(next) => *next,
                None => self.first(store, &key, head).await?,
            };
            let mut printed = Vec::new();
            if is_new {
                printed.push(self.head(run, unit, head));
            }
            loop {
                let lines = store.log_lines(name, &key, head.attempt, next, PAGE).await?;
                let Some(last) = lines.last() else { break };
                for line in &lines {
                    if line.number > next {
                        printed.push(self.gap(head.attempt, line.number - next));
                    }
                    printed.push(self.line(head.attempt, line));
                    next = line.number + 1;
                }
                debug_assert_eq!(next, last.number + 1);
            }
            self.next.insert(head.attempt, next);
            if !printed.is_empty() {
                out::answer(&printed.join("\n"));
            }
        }
        Ok(())
    }

    /// The first line that is wanted of an attempt: with `--tail`, so many kept ones from the end.
    async fn first(&self, store: &dyn Store, key: &str, head: &LogHead) -> Result<u64, Failure> {
        let Some(tail) = self.args.tail.map(|tail| tail as u64) else { return Ok(0) };
        let mut from = head.tally.lines.saturating_sub(tail);
        // Lines that are not kept are none of the wanted ones, and there are few thousands of kept ones at most.
        let mut kept = store.log_lines(&self.args.of.name, key, head.attempt, from, u32::MAX).await?;
        if (kept.len() as u64) < tail && from > 0 {
            kept = store.log_lines(&self.args.of.name, key, head.attempt, 0, u32::MAX).await?;
            let skip = kept.len().saturating_sub(usize::try_from(tail).unwrap_or(usize::MAX));
            from = kept.get(skip).map_or(head.tally.lines, |line| line.number);
        }
        Ok(from)
    }

    fn head(&self, run: &Run, unit: UnitIx, head: &LogHead) -> String {
        let LogTally { lines, bytes, cut_lines, cut_bytes, beyond, lost } = head.tally;
        if self.json {
            return json!({
                "attempt": head.attempt, "lines": lines, "bytes": bytes, "cut_lines": cut_lines, "cut_bytes": cut_bytes,
                "beyond_limit": beyond, "lost": lost,
            })
            .to_string();
        }
        let mut words = vec![format!("attempt {} of {}: {lines} lines", head.attempt, run.unit_name(unit))];
        if cut_lines > 0 {
            words.push(format!("{cut_lines} in the middle ({cut_bytes} bytes) not kept"));
        }
        if beyond > 0 {
            words.push(format!("{beyond} not kept, the logs of the run had reached their limit"));
        }
        if lost > 0 {
            words.push(format!("{lost} could not be kept"));
        }
        report::plain(&words.join("; "))
    }

    fn gap(&self, attempt: u32, lines: u64) -> String {
        if self.json {
            return json!({ "attempt": attempt, "not_kept": lines }).to_string();
        }
        format!("              ... {lines} lines not kept")
    }

    fn line(&self, attempt: u32, line: &LogLine) -> String {
        let LogLine { number, at, voice, text } = line;
        if self.json {
            return json!({
                "attempt": attempt, "line": number, "at": report::stamp(*at), "voice": voice.word(), "text": text,
            })
            .to_string();
        }
        let stamp = report::stamp(*at);
        let time = stamp.get(11..23).unwrap_or(&stamp);
        format!("{time}  {:<6}  {}", voice.word(), report::plain(text))
    }
}
