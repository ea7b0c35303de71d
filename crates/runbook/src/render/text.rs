//! Findings with the lines they are about.

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet, renderer::DecorStyle};

use crate::codes;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{Source, Span};

/// Longest line of an excerpt, in bytes: an excerpt of a generated file must not flood the terminal.
const MAX_LINE: usize = 400;

/// Renders findings with file:line:column, excerpt and `hint:` line; colour only if asked for.
#[must_use]
pub fn render_text(diagnostics: &[Diagnostic], source: &Source, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Ascii);
    let mut all = String::new();
    for found in diagnostics {
        all.push_str(&one(&renderer, found, source));
        all.push_str("\n\n");
    }
    all
}

fn one(renderer: &Renderer, found: &Diagnostic, source: &Source) -> String {
    let level = if found.severity == Severity::Error { Level::ERROR } else { Level::WARNING };
    let title = level.primary_title(&found.message).id(found.code);
    let mut group = match excerpt(found, source) {
        None => title.element(place_of(found, source)),
        Some((text, first_line, labels)) => title.element(
            Snippet::source(text).line_start(first_line).path(source.name.as_str()).fold(true).annotations(
                labels.into_iter().enumerate().map(|(ix, (span, label))| {
                    let kind = if ix == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
                    kind.span(span.into()).label(label)
                }),
            ),
        ),
    };
    if let Some(hint) = &found.hint {
        group = group.element(Level::HELP.with_name("hint").message(hint.as_str()));
    }
    renderer.render(&[group])
}

fn place_of<'a>(found: &Diagnostic, source: &'a Source) -> Origin<'a> {
    let place = found.place();
    Origin::path(source.name.as_str()).line(place.line as usize).char_column(place.column as usize)
}

type Excerpt<'a> = (&'a str, usize, Vec<(Span, &'a str)>);

/// The lines that the labels touch, bounded; `None` if the text is not there or too wide to show.
fn excerpt<'a>(found: &'a Diagnostic, source: &'a Source) -> Option<Excerpt<'a>> {
    let first = found.labels.first()?;
    let text = &source.text;
    // The lines hold a secret: their place must do.
    if [codes::LITERAL_SECRET.id, codes::ESTATE_SECRET.id].contains(&found.code) {
        return None;
    }
    if text.is_empty() || first.span.start > text.len() {
        return None;
    }
    let near: Vec<_> = found
        .labels
        .iter()
        .filter(|label| label.span.start <= text.len() && label.line.abs_diff(first.line) < 2_000)
        .collect();
    let low = near.iter().map(|label| label.span.start).min()?;
    let high = near.iter().map(|label| label.span.start).max()?;
    let from = text.get(..low)?.rfind('\n').map_or(0, |at| at + 1);
    let to = text.get(high..)?.find('\n').map_or(text.len(), |at| high + at);
    let shown = text.get(from..to)?;
    if shown.lines().any(|line| line.len() > MAX_LINE) {
        return None;
    }
    let first_line = near.iter().map(|label| label.line).min()? as usize;
    let labels = near
        .iter()
        .map(|label| {
            let start = floor(shown, label.span.start - from);
            // Only the first line of a longer value is marked.
            let line_end = shown[start..].find(['\n', '\r']).map_or(shown.len(), |at| start + at);
            let end = floor(shown, label.span.end.saturating_sub(from)).clamp(start, line_end);
            (Span::new(start, end), label.text.as_str())
        })
        .collect();
    Some((shown, first_line, labels))
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::Estate;

    #[test]
    fn a_secret_written_into_a_file_is_named_by_its_place_only() {
        let source = Source::new("estate.yaml", "schema: estate/v1\nname: e\nsecrets:\n  token: hunter2\n");
        let (_, found) = Estate::parse(&source);
        let text = render_text(&found, &source, false);
        assert!(text.contains("estate.yaml:4:10"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
