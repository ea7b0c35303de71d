//! A page by its name, for a browser or a terminal.

use std::fmt::Write;

use super::codes::{Entry, entries, entry};
use super::html::html;
use super::terminal::terminal;
use super::topics::{TOPICS, topic};

/// Title and HTML of the page of a topic or of a code; the HTML has no frame, no style and no script.
#[must_use]
pub fn page(name: &str) -> Option<(String, String)> {
    if let Some(topic) = topic(name) {
        let mut text = topic.text.to_owned();
        if topic.name == "codes" {
            text.push_str(&all_codes());
        }
        return Some((topic.title.to_owned(), html(&text)));
    }
    entry(name).map(|entry| (entry.code.to_owned(), html(&explained(entry))))
}

/// The page of a topic or of a code for a terminal, `width` columns wide.
#[must_use]
pub fn text(name: &str, width: usize, colored: bool) -> Option<String> {
    if let Some(topic) = topic(name) {
        let mut text = topic.text.to_owned();
        if topic.name == "codes" {
            text.push_str(&code_list());
        }
        return Some(terminal(&text, width, colored));
    }
    entry(name).map(|entry| terminal(&format!("# {}\n\n{}", entry.code, explained(entry)), width, colored))
}

/// What is most like a name that is nothing: a topic, a code or one of `others`.
#[must_use]
pub fn suggestion<'a>(name: &str, others: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let names = TOPICS.iter().map(|topic| topic.name).chain(others).chain(entries().iter().map(|entry| entry.code));
    let near = names.map(|known| (strsim::damerau_levenshtein(&name, &known.to_lowercase()), known));
    let (distance, known) = near.min_by_key(|&(distance, _)| distance)?;
    (distance <= 1 + known.len() / 4).then_some(known)
}

fn explained(entry: &Entry) -> String {
    format!("{}\n\n**Cause:** {}\n\n**What to do:** {}\n", sentence(entry.means), entry.cause, entry.remedy)
}

/// Rules of the front end are told without capital and full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// Every entry in full, below headings.
fn all_codes() -> String {
    let mut text = String::new();
    let mut family = "";
    for entry in entries() {
        if entry.family != family {
            family = entry.family;
            let _ = write!(text, "\n## {family}\n");
        }
        let _ = write!(text, "\n### `{}`\n\n{}", entry.code, explained(entry));
    }
    text
}

/// Every entry in a line.
fn code_list() -> String {
    let mut text = String::new();
    let mut family = "";
    for entry in entries() {
        if entry.family != family {
            family = entry.family;
            let _ = write!(text, "\n## {family}\n\n");
        }
        let _ = writeln!(text, "- `{}`: {}", entry.code, entry.means.trim_end_matches('.'));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_there_for_browser_and_terminal() {
        for topic in TOPICS {
            let (title, html) = page(topic.name).expect("a topic has a page");
            assert!(topic.text.starts_with(&format!("# {title}\n")), "{} begins with its title", topic.name);
            assert!(!html.contains("style=") && !html.contains("<script") && !html.contains("<h1"), "{}", topic.name);
            let plain = text(topic.name, 80, false).expect("and a text");
            assert!(!plain.contains('\u{1b}') && plain.len() > 200, "{}", topic.name);
            let colored = text(topic.name, 80, true).expect("and a text");
            assert!(colored.contains("\u{1b}[1m"), "{}", topic.name);
        }
        assert!(page("nothing").is_none() && text("nothing", 80, false).is_none());
    }

    #[test]
    fn pages_that_are_named_exist() {
        let everything = TOPICS.iter().map(|topic| topic.text).chain(entries().iter().map(|entry| entry.remedy));
        for text in everything {
            for part in text.split("`reinstate help ").skip(1) {
                let name = part.split('`').next().unwrap_or_default();
                let is_placeholder = name.chars().all(|c| c.is_ascii_uppercase());
                assert!(is_placeholder || page(name).is_some(), "`reinstate help {name}` is named, and is not there");
            }
        }
    }

    #[test]
    fn a_code_has_a_page() {
        let (title, html) = page("rb0107").expect("a rule");
        assert_eq!(title, "RB0107");
        assert!(html.contains("<p>A key is not part of the language.</p>"), "{html}");
        let plain = text("error[journal-held]", 100, false).expect("a code");
        for wanted in ["journal-held", "Another process drives this run.", "Cause:", "What to do:"] {
            assert!(plain.contains(wanted), "{plain}");
        }
    }

    #[test]
    fn codes_are_listed_and_explained_on_their_page() {
        let (_, html) = page("codes").expect("the page");
        assert!(html.contains("id=\"postgres.conflict\""), "each can be linked to");
        let plain = text("codes", 100, false).expect("the page");
        assert!(entries().iter().all(|entry| plain.contains(entry.code) && html.contains(entry.code)));
    }

    #[test]
    fn what_is_nearly_right_is_suggested() {
        assert_eq!(suggestion("runbok", []), Some("runbook"));
        assert_eq!(suggestion("RB107", []), Some("RB0107"));
        assert_eq!(suggestion("postgres.conflicts", []), Some("postgres.conflict"));
        assert_eq!(suggestion("aprove", ["approve"]), Some("approve"));
        assert_eq!(suggestion("something quite different", ["approve"]), None);
    }
}
