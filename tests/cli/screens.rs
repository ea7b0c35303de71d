//! Screens kept as files: what differs from time to time and from machine to machine is masked.

use std::path::Path;

use crate::pty::Terminal;

/// Waits until a screen is that of a file; `REINSTATE_BLESS=1` writes the file instead, once the screen rests.
pub fn matches(terminal: &Terminal, name: &str, person: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("cli/snapshots/watch/{name}.txt"));
    if std::env::var_os("REINSTATE_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, terminal.at_rest(|screen| masked(screen, person))).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    let what = format!("the screen of {} (REINSTATE_BLESS=1 accepts another):\n{kept}", path.display());
    terminal.until(&what, |screen| masked(screen, person) == kept);
}

/// A screen without what is never the same twice: times, lengths of time, processes, and given names.
fn masked(screen: &str, person: &str) -> String {
    let mut text = String::new();
    let mut events = false;
    for line in screen.lines() {
        events |= line.starts_with("events (UTC)");
        let line = match line {
            // Sites end, and vendors refuse, in an order of their own.
            line if events && line.get(2..3) == Some(":") => "##:##:##  ...".to_owned(),
            line if line.starts_with("forecast") => "forecast ...".to_owned(),
            line if line.starts_with("driven by ") => "driven by ...".to_owned(),
            line => site_masked(&times_masked(&without(line, person))),
        };
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A line up to the name of a person: what comes after it lies elsewhere with every name.
fn without(line: &str, person: &str) -> String {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let whole = |at: usize| {
        let before = line[..at].chars().next_back().is_some_and(part);
        !before && !line[at + person.len()..].chars().next().is_some_and(part)
    };
    match line.match_indices(person).find(|(at, _)| whole(*at)) {
        Some((at, _)) => format!("{}PERSON ...", &line[..at]),
        None => line.to_owned(),
    }
}

/// Which site a fault meets is a matter of chance.
fn site_masked(line: &str) -> String {
    if !line.contains("QUARANTINED ") {
        return line.to_owned();
    }
    let words = line.split(' ').map(|word| if word.contains('…') { "ID…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// `03:12:09` becomes `##:##:##`, and so do the digits of dates.
fn times_masked(line: &str) -> String {
    let chars: Vec<char> = line.chars().collect();
    let mut masked = chars.clone();
    for pattern in ["##:##:##", "####-##-##", "until ##:## UTC"] {
        let pattern: Vec<char> = pattern.chars().collect();
        for at in 0..(chars.len() + 1).saturating_sub(pattern.len()) {
            let fits = |(ix, wanted): (usize, &char)| match wanted {
                '#' => chars[at + ix].is_ascii_digit(),
                other => chars[at + ix] == *other,
            };
            if pattern.iter().enumerate().all(fits) {
                masked[at..at + pattern.len()].copy_from_slice(&pattern);
            }
        }
    }
    masked.into_iter().collect()
}
