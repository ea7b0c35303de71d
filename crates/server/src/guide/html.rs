//! A page as HTML: escaped, with IDs on its headings, without styles and scripts of its own.

use std::collections::BTreeMap;

use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::terminal::file_of;
use super::{codes, topics};

/// Renders Markdown. A first heading of level 1 is left out: it is the page's title.
pub(super) fn html(markdown: &str) -> String {
    let parser = Parser::new_ext(markdown, Options::ENABLE_TABLES);
    let mut events: Vec<Event<'_>> = Vec::new();
    let mut ids = Ids::default();
    let mut heading: Option<(usize, String)> = None;
    let mut title = false;
    for event in parser {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) => title = true,
            Event::End(TagEnd::Heading(HeadingLevel::H1)) => title = false,
            _ if title => {}
            Event::Start(Tag::Heading { .. }) => {
                heading = Some((events.len(), String::new()));
                events.push(event);
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some((at, text)) = heading.take()
                    && let Some(Event::Start(Tag::Heading { id, .. })) = events.get_mut(at)
                {
                    *id = Some(ids.of(&text).into());
                }
                events.push(event);
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(ref info))) => {
                if let Some(file) = file_of(info) {
                    let name = Event::Code(file.to_owned().into());
                    events.extend([Event::Start(Tag::Paragraph), name, Event::Text(":".into())]);
                    events.push(Event::End(TagEnd::Paragraph));
                }
                events.push(event);
            }
            // Nothing of a page is markup but what Markdown makes of it.
            Event::Html(text) | Event::InlineHtml(text) => events.push(Event::Text(text)),
            Event::Code(text) => {
                if let Some((_, heading)) = &mut heading {
                    heading.push_str(&text);
                }
                code(&mut events, text);
            }
            Event::Text(text) => {
                if let Some((_, heading)) = &mut heading {
                    heading.push_str(&text);
                }
                events.push(Event::Text(text));
            }
            event => events.push(event),
        }
    }
    let mut out = String::new();
    pulldown_cmark::html::push_html(&mut out, events.into_iter());
    out
}

/// `reinstate help X` leads to the page of X, if there is one.
fn code<'a>(events: &mut Vec<Event<'a>>, text: CowStr<'a>) {
    let aim = text.strip_prefix("reinstate help ").and_then(|name| {
        let topic = topics::topic(name).map(|topic| topic.name.to_owned());
        topic.or_else(|| codes::entry(name).map(|entry| entry.code.to_owned()))
    });
    let Some(aim) = aim else { return events.push(Event::Code(text)) };
    let link = Tag::Link {
        link_type: pulldown_cmark::LinkType::Inline,
        dest_url: format!("/guide/{aim}").into(),
        title: "".into(),
        id: "".into(),
    };
    events.extend([Event::Start(link), Event::Code(text), Event::End(TagEnd::Link)]);
}

/// IDs that were given on this page.
#[derive(Default)]
struct Ids(BTreeMap<String, u32>);

impl Ids {
    fn of(&mut self, text: &str) -> String {
        let mut id: String = text
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c.to_ascii_lowercase() } else { '-' })
            .collect();
        while id.contains("--") {
            id = id.replace("--", "-");
        }
        let id = match id.trim_matches('-') {
            "" => "section".to_owned(),
            id => id.to_owned(),
        };
        let seen = self.0.entry(id.clone()).or_default();
        *seen += 1;
        if *seen == 1 { id } else { format!("{id}-{seen}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_markup_is_text() {
        let page = html("# Title\n\na < b & `c > d` <script>x</script>\n\n<div style=\"x\">\n\n```yaml\nk: <v>\n```\n");
        assert!(!page.contains("<script") && !page.contains("<div") && !page.contains("Title"), "{page}");
        assert!(page.contains("a &lt; b &amp; <code>c &gt; d</code> &lt;script&gt;x"), "{page}");
        assert!(page.contains("<pre><code class=\"language-yaml\">k: &lt;v&gt;"), "{page}");
    }

    #[test]
    fn a_file_is_named_above_its_contents() {
        let page = html("```csv file s.csv\nid\n```\n");
        assert_eq!(page, "<p><code>s.csv</code>:</p>\n<pre><code class=\"language-csv\">id\n</code></pre>\n");
    }

    #[test]
    fn headings_have_ids_each_once() {
        let page = html("## Pools and `slots`\n\n## Pools and slots\n\n## ???\n");
        assert!(page.contains("<h2 id=\"pools-and-slots\">Pools and <code>slots</code></h2>"), "{page}");
        assert!(page.contains("<h2 id=\"pools-and-slots-2\">") && page.contains("<h2 id=\"section\">"), "{page}");
    }

    #[test]
    fn a_page_that_is_named_is_linked() {
        let page = html("see `reinstate help runbook`, `reinstate help rb0107`, `reinstate help nothing`");
        assert!(page.contains("<a href=\"/guide/runbook\"><code>reinstate help runbook</code></a>"), "{page}");
        assert!(page.contains("<a href=\"/guide/RB0107\">") && !page.contains("/guide/nothing"), "{page}");
    }
}
