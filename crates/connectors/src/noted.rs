//! What actions say in the logs of their attempts: facts for whoever asks at night, no bodies, no headers, no secrets.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

use runtime::{Call, Log, SecretText, Voice};
use serde_json::Value;

use crate::answer::{Trouble, excerpt};

/// Bytes of a line that are read; what follows is counted.
const LINE: usize = 64 * 1024;
/// Characters of outputs that are told.
const OUTPUTS: usize = 500;

/// Does an action's work between two lines that say when it began and what came of it; the driver tells of failures.
///
/// # Errors
/// The work's.
///
/// # Cancel safety
/// The work's.
pub(crate) async fn noted(call: &Call, work: impl Future<Output = Result<Value, Trouble>>) -> Result<Value, Trouble> {
    let begun = Instant::now();
    call.log.note(format_args!("{} begins", call.uses));
    let answer = work.await;
    if let Ok(outputs) = &answer
        && call.log.is_kept()
    {
        let outputs = excerpt(&call.secrets.redact(&outputs.to_string()), OUTPUTS);
        call.log.note(format_args!("{} done in {}: {outputs}", call.uses, since(begun)));
    }
    answer
}

/// Time since a moment, for people.
pub(crate) fn since(begun: Instant) -> impl Display {
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    humantime::format_duration(Duration::from_millis(millis))
}

/// Cuts what a command prints into lines of its attempt's log, as they come.
pub(crate) struct Printed<'c> {
    log: &'c Log,
    secrets: &'c SecretText,
    voice: Voice,
    line: Vec<u8>,
    over: usize,
}

impl<'c> Printed<'c> {
    pub(crate) fn new(call: &'c Call, voice: Voice) -> Self {
        Self { log: &call.log, secrets: &call.secrets, voice, line: Vec::new(), over: 0 }
    }

    /// Takes what was read.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        if !self.log.is_kept() {
            return;
        }
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            let room = LINE - self.line.len();
            self.line.extend_from_slice(&piece[..piece.len().min(room)]);
            self.over += piece.len().saturating_sub(room);
            if pieces.peek().is_some() {
                self.end(self.over > 0);
            }
        }
    }

    /// Writes the line that was read; one that was cut off may end in a part of a secret.
    fn end(&mut self, is_cut: bool) {
        let text = String::from_utf8_lossy(&self.line);
        let text = if is_cut { self.secrets.redact_cut(&text) } else { text.into_owned() };
        match (self.over, text.is_empty()) {
            (0, true) => self.log.write(self.voice, "\n"),
            (0, false) => self.log.write(self.voice, text),
            (over, _) => self.log.write(self.voice, format_args!("{text}... ({over} bytes more)")),
        }
        self.line.clear();
        self.over = 0;
    }
}

impl Drop for Printed<'_> {
    /// A command that is ended in the middle of a line often says there what it waited for.
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.end(true);
        }
    }
}
