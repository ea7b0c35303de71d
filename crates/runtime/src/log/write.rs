//! The handle by which an attempt writes.

use std::fmt::Display;
use std::sync::Arc;

use super::book::Sheet;
use crate::ports::{SecretText, Voice};

/// Bytes of a line that are kept.
const LINE_MAX: usize = 16 * 1024;

/// Takes the lines of one attempt. Writing never waits and never fails; nothing is made of a text that nobody keeps.
#[derive(Clone, Default)]
pub struct Log(Option<Written>);

#[derive(Clone)]
struct Written {
    sheet: Arc<Sheet>,
    secrets: SecretText,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Log(kept)" } else { "Log(nowhere)" })
    }
}

impl Log {
    pub(super) fn on(sheet: Arc<Sheet>) -> Self {
        Self(Some(Written { sheet, secrets: SecretText::default() }))
    }

    /// Says what the action does.
    pub fn note(&self, text: impl Display) {
        self.write(Voice::Action, text);
    }

    /// Takes one or more lines of a voice. Secrets are replaced before anything else sees them, so whoever cuts a text
    /// into lines or pieces does it where no secret is cut.
    pub fn write(&self, voice: Voice, text: impl Display) {
        let Some(Written { sheet, secrets }) = &self.0 else { return };
        let text = secrets.redact(&text.to_string());
        for line in text.lines() {
            sheet.write(voice, cut(line));
        }
    }

    /// Whether anybody keeps what is written.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// The same log, in which these secrets are replaced.
    #[must_use]
    pub fn hiding(&self, secrets: &SecretText) -> Self {
        Self(self.0.as_ref().map(|written| Written { sheet: written.sheet.clone(), secrets: secrets.clone() }))
    }

    /// Whether the attempt has written anything.
    pub(crate) fn is_used(&self) -> bool {
        self.0.as_ref().is_some_and(|written| written.sheet.is_used())
    }
}

/// A line that fits: an overlong one ends with what is left out. A NUL would end it in some stores.
fn cut(line: &str) -> String {
    let line = line.replace('\0', "\u{fffd}");
    let Some(over) = line.len().checked_sub(LINE_MAX).filter(|over| *over > 0) else { return line };
    let end = (0..=LINE_MAX).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
    format!("{}... ({over} bytes more)", &line[..end])
}
