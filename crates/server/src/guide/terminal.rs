//! A page as text for a terminal: lines are filled, code stands as it is, tables are aligned.

const BOLD: &str = "\u{1b}[1m";
const CODE: &str = "\u{1b}[36m";
const END: &str = "\u{1b}[0m";

/// Renders the Markdown of the guide. Of colour there is little: headings and what can be typed.
pub(super) fn terminal(markdown: &str, width: usize, colored: bool) -> String {
    let mut out = Out { text: String::new(), width: width.clamp(40, 100), colored };
    let style = |style| if colored { style } else { "" };
    let mut lines = markdown.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            if let Some(file) = file_of(info) {
                out.line(&format!("  {file}:"), style(BOLD));
            }
            for line in lines.by_ref().take_while(|line| !line.starts_with("```")) {
                out.line(&format!("    {line}"), style(CODE));
            }
        } else if line.starts_with('|') {
            let mut rows = vec![line];
            while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
                rows.push(row);
            }
            out.table(&rows);
        } else if line.starts_with('#') {
            let text = line.trim_start_matches('#').trim();
            out.line(&text.replace('`', ""), style(BOLD));
        } else if line.trim().is_empty() {
            out.text.push('\n');
        } else {
            let mut paragraph = line.to_owned();
            while let Some(more) = lines.next_if(|line| goes_on(line)) {
                paragraph.push(' ');
                paragraph.push_str(more.trim());
            }
            out.paragraph(&paragraph);
        }
    }
    out.text
}

/// The file that a fenced block is, if it is one: ` ```yaml runbook FILE`.
pub(super) fn file_of(info: &str) -> Option<&str> {
    info.split_whitespace().nth(2)
}

/// Whether a line belongs to the paragraph or item above it.
fn goes_on(line: &str) -> bool {
    let text = line.trim_start();
    !text.is_empty()
        && !text.starts_with("- ")
        && !text.starts_with(['#', '|'])
        && !text.starts_with("```")
        && !numbered(text)
}

fn numbered(text: &str) -> bool {
    text.split_once(". ").is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()))
}

struct Out {
    text: String,
    width: usize,
    colored: bool,
}

impl Out {
    fn line(&mut self, line: &str, style: &str) {
        let line = line.trim_end();
        if style.is_empty() || line.is_empty() {
            self.text.push_str(line);
        } else {
            self.text.push_str(&format!("{style}{line}{END}"));
        }
        self.text.push('\n');
    }

    /// Fills lines; items of lists hang below their beginning.
    fn paragraph(&mut self, text: &str) {
        let indent = text.len() - text.trim_start().len();
        let body = text.trim_start();
        let hang = indent + if body.starts_with("- ") { 2 } else { 0 } + if numbered(body) { 3 } else { 0 };
        let (mut line, mut long) = (" ".repeat(indent), indent);
        for word in words(body) {
            let wide = shown(&word);
            if long > hang && long + 1 + wide > self.width {
                self.text.push_str(line.trim_end());
                self.text.push('\n');
                (line, long) = (" ".repeat(hang), hang);
            } else if !line.trim().is_empty() {
                line.push(' ');
                long += 1;
            }
            line.push_str(&self.styled(&word));
            long += wide;
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn table(&mut self, rows: &[&str]) {
        let is_rule = |row: &&&str| row.chars().all(|c| matches!(c, '|' | '-' | ' ' | ':'));
        let rows: Vec<Vec<String>> = rows.iter().filter(|row| !is_rule(row)).map(|row| cells(row)).collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let wide = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| shown(cell)).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(wide).collect();
        let hang: usize = 2 + widths.iter().take(columns.saturating_sub(1)).map(|wide| wide + 2).sum::<usize>();
        for row in &rows {
            let mut line = "  ".to_owned();
            let (last, first) = row.split_last().map_or(("", &[][..]), |(last, first)| (last.as_str(), first));
            for (cell, wide) in first.iter().zip(&widths) {
                let pad = " ".repeat((wide + 2).saturating_sub(shown(cell)));
                line.push_str(&self.styled(cell));
                line.push_str(&pad);
            }
            // The last column is filled, unless there would be hardly room for it.
            let room = self.width.saturating_sub(hang).max(24);
            let mut long = 0;
            for word in words(last) {
                if long > 0 && long + 1 + shown(&word) > room {
                    self.text.push_str(line.trim_end());
                    self.text.push('\n');
                    (line, long) = (" ".repeat(hang), 0);
                } else if long > 0 {
                    line.push(' ');
                    long += 1;
                }
                long += shown(&word);
                line.push_str(&self.styled(&word));
            }
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    /// Bold loses its stars; code keeps its quotes where there is no colour.
    fn styled(&self, text: &str) -> String {
        let mut out = String::new();
        for (ix, part) in text.split('`').enumerate() {
            match (ix % 2 == 1, self.colored) {
                (true, true) => out.push_str(&format!("{CODE}{part}{END}")),
                (true, false) => out.push_str(&format!("`{part}`")),
                (false, colored) => {
                    for (ix, part) in part.split("**").enumerate() {
                        if ix % 2 == 1 && colored {
                            out.push_str(&format!("{BOLD}{part}{END}"));
                        } else {
                            out.push_str(part);
                        }
                    }
                }
            }
        }
        out
    }
}

/// Words between which a line may be broken: not inside of code, nor of what is bold.
fn words(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut open = false;
    for word in text.split_whitespace() {
        match all.last_mut() {
            Some(last) if open => {
                last.push(' ');
                last.push_str(word);
            }
            _ => all.push(word.to_owned()),
        }
        let marks = word.matches('`').count() + word.matches("**").count();
        open ^= marks % 2 == 1;
    }
    all
}

/// Columns that a text takes without its marks, as it is shown without colour.
fn shown(text: &str) -> usize {
    text.replace("**", "").chars().count()
}

fn cells(row: &str) -> Vec<String> {
    row.trim().trim_matches('|').split(" | ").map(|cell| cell.trim().replace("\\|", "|")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Title\n\nSome **bold** words and `code that stays together` in a paragraph that is longer than \
        a line.\n\n- an item\n  that goes on\n- another\n\n```console\n$ reinstate check x\nno findings\n```\n\n\
        | word | meaning |\n| --- | --- |\n| `a` | the first one, told at some length so that it has to be broken |\n";

    #[test]
    fn a_page_is_plain_text_of_the_asked_width() {
        let plain = terminal(PAGE, 60, false);
        assert!(!plain.contains("**") && !plain.contains("```") && !plain.contains("---"), "{plain}");
        assert!(
            plain.starts_with("Title\n\nSome bold words and `code that stays together` in a\nparagraph"),
            "{plain}"
        );
        assert!(plain.contains("\n- an item that goes on\n- another\n"), "{plain}");
        assert!(plain.contains("\n    $ reinstate check x\n    no findings\n"), "{plain}");
        assert!(
            plain.contains(
                "\n  word  meaning\n  `a`   the first one, told at some length so that it has to\n        be"
            ),
            "{plain}"
        );
        assert!(plain.lines().all(|line| line.chars().count() <= 60), "{plain}");
    }

    #[test]
    fn a_file_is_named_above_its_contents() {
        assert_eq!(terminal("```csv file s.csv\nid\n```\n", 60, false), "  s.csv:\n    id\n");
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let mut plain = terminal(PAGE, 60, true);
        for mark in [BOLD, CODE, END] {
            plain = plain.replace(mark, "");
        }
        assert_eq!(plain, terminal(PAGE, 60, false).replace('`', ""));
    }
}
