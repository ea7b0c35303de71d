//! The only place that prints: answers to standard output, everything else to standard error.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::{IsTerminal, Write};

use crate::args::Color;
use crate::failure::Failure;

/// Sets when text is coloured.
pub(crate) fn choose_color(color: Color) {
    let choice = match color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// Prints an answer. A closed pipe (`| head`) ends the answer, not the program.
pub(crate) fn answer(text: &str) {
    let mut out = anstream::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = out.write_all(b"\n");
    }
    let _ = out.flush();
}

/// Prints an answer as JSON on one line.
pub(crate) fn json(value: &impl serde::Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => answer(&text),
        Err(error) => note(&format!("error: the answer cannot be written as JSON: {error}")),
    }
}

/// Prints something that is not the answer.
pub(crate) fn note(text: &str) {
    let mut err = anstream::stderr().lock();
    let _ = writeln!(err, "{text}");
}

/// Prints why a command could not do its work.
pub(crate) fn failure(failure: &Failure, json: bool) {
    if json {
        let value = serde_json::json!({
            "error": { "code": failure.code, "message": failure.message, "hint": failure.hint }
        });
        note(&value.to_string());
    } else {
        note(&format!("error[{}]: {}", failure.code, failure.message));
        if !failure.hint.is_empty() {
            note(&format!("  hint: {}", failure.hint));
        }
    }
}

/// Asks something on a terminal; `None` if there is nobody to answer.
pub(crate) fn asked(question: &str) -> Option<String> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return None;
    }
    let mut err = anstream::stderr().lock();
    let _ = write!(err, "{question}");
    let _ = err.flush();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).ok()?;
    Some(line)
}

/// Whether standard error is a terminal, on which lines may be redrawn.
pub(crate) fn on_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether text on standard output is coloured.
pub(crate) fn colored() -> bool {
    match anstream::ColorChoice::global() {
        anstream::ColorChoice::Always | anstream::ColorChoice::AlwaysAnsi => true,
        anstream::ColorChoice::Never => false,
        anstream::ColorChoice::Auto => std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    }
}

/// Whether text on standard error is coloured.
pub(crate) fn notes_colored() -> bool {
    match anstream::ColorChoice::global() {
        anstream::ColorChoice::Always | anstream::ColorChoice::AlwaysAnsi => true,
        anstream::ColorChoice::Never => false,
        anstream::ColorChoice::Auto => on_terminal() && std::env::var_os("NO_COLOR").is_none(),
    }
}

/// Width of the terminal in columns; 100 elsewhere.
pub(crate) fn width() -> usize {
    std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).filter(|&width| width >= 40).unwrap_or(100)
}
